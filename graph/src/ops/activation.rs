//! Functions between layers that bend: `softplus`, `elu`, `relu6`, `mish`, `hardswish`.
//!
//! A branch that is not taken is computed nevertheless, and an infinite slope of it would make NaN of the gradient 0: what it is computed from
//! is held where it cannot overflow.

use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::graph::Value;
use crate::scalar::{Binary, Unary};

const X: Param = required("input", Kind::Tensor);

/// The activations.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "softplus",
        doc: "log(1 + exp(beta · x)) / beta; x itself where beta · x lies above the threshold.",
        signature: &[X, optional("beta", Kind::Float, "1.0"), optional("threshold", Kind::Float, "20.0")],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let (beta, threshold) = (bound.float(1).unwrap_or(1.0), bound.float(2).unwrap_or(20.0));
            if beta == 0.0 {
                return bound.wrong(
                    b,
                    "N0306",
                    1,
                    "`softplus` with beta = 0",
                    "it divides by beta: write `softplus()`",
                );
            }
            softplus(b, x, beta, threshold).map(Arg::Tensor)
        },
    },
    Operator {
        name: "elu",
        doc: "x where x > 0, else alpha · (eˣ - 1).",
        signature: &[X, optional("alpha", Kind::Float, "1.0")],
        build: elu,
    },
    Operator { name: "relu6", doc: "x between 0 and 6; its gradient at both is 0.", signature: &[X], build: relu6 },
    Operator { name: "mish", doc: "x · tanh(softplus(x)).", signature: &[X], build: mish },
    Operator {
        name: "hardswish",
        doc: "x · relu6(x + 3) / 6; its gradient is 0 at -3 and 1 at 3.",
        signature: &[X],
        build: hardswish,
    },
];

fn softplus(b: &mut Builder, x: Value, beta: f64, threshold: f64) -> Checked<Value> {
    let scaled = if beta == 1.0 { x } else { b.binary_const(Binary::Mul, x, beta) };
    let above = b.binary_const(Binary::Gt, scaled, threshold);
    let zero = b.full(0.0, x);
    let below = b.select(above, zero, scaled)?;
    let exp = b.unary(Unary::Exp, below);
    let mut log = b.unary(Unary::Log1p, exp);
    if beta != 1.0 {
        log = b.binary_const(Binary::Mul, log, 1.0 / beta);
    }
    b.select(above, x, log)
}

fn elu(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let low = b.binary_const(Binary::Le, x, 0.0);
    let zero = b.full(0.0, x);
    let below = b.select(low, x, zero)?;
    let exp = b.unary(Unary::Expm1, below);
    let scaled = b.binary_const(Binary::Mul, exp, bound.float(1).unwrap_or(1.0));
    b.select(low, scaled, x).map(Arg::Tensor)
}

fn relu6(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let above = b.binary_const(Binary::Max, x, 0.0);
    Ok(Arg::Tensor(b.binary_const(Binary::Min, above, 6.0)))
}

fn mish(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let softplus = softplus(b, x, 1.0, 20.0)?;
    let tanh = b.unary(Unary::Tanh, softplus);
    let y = b.binary(Binary::Mul, x, tanh)?;
    // t + x · ((1 - t²) · σ): of the factors of a large x one is exactly 0.
    let (one, sigmoid) = (b.full(1.0, x), b.unary(Unary::Sigmoid, x));
    let square = b.binary(Binary::Mul, tanh, tanh)?;
    let rest = b.binary(Binary::Sub, one, square)?;
    let rest = b.binary(Binary::Mul, rest, sigmoid)?;
    let along = b.binary(Binary::Mul, x, rest)?;
    let slope = b.binary(Binary::Add, tanh, along)?;
    Ok(Arg::Tensor(b.with_slopes(y, &[(x, slope)])))
}

fn hardswish(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let (low, below) = (b.binary_const(Binary::Le, x, -3.0), b.binary_const(Binary::Lt, x, 3.0));
    let zero = b.full(0.0, x);
    let inside = b.select(below, x, zero)?;
    let inside = b.select(low, zero, inside)?;
    let gate = b.binary_const(Binary::Add, inside, 3.0);
    let gate = b.binary_const(Binary::Mul, gate, 1.0 / 6.0);
    let bowl = b.binary(Binary::Mul, inside, gate)?;
    let bent = b.select(below, bowl, x)?;
    // As 0 · x: -0, and NaN of -∞.
    let flat = b.binary_const(Binary::Mul, x, 0.0);
    b.select(low, flat, bent).map(Arg::Tensor)
}
