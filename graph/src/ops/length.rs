//! Lengths of vectors: `norm`, `normalize`, `cosine_similarity`. At a length of 0 the gradient is 0, as PyTorch's.

use super::reduce::axes;
use super::{Operator, pointwise::detach, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::scalar::{Binary, Reduction, Unary};
use crate::types::{broadcast, shape_text};

const X: Param = required("input", Kind::Tensor);
const P: Param = optional("p", Kind::Float, "2.0");

/// The lengths.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "norm",
        doc: "(Σ |x|ᵖ)^(1/p) over axes (all of them, if none is given), as torch.linalg.vector_norm: with p = inf the greatest |x|, with -inf the least, with 0 how many are not 0.",
        signature: &[X, P, optional("dim", Kind::Ints, "all"), optional("keepdim", Kind::Bool, "false")],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let axes = axes(b, bound, 2, x)?;
            let p = exponent(b, bound)?;
            norm(b, x, p, &axes, bound.bool(3).unwrap_or(false)).map(Arg::Tensor)
        },
    },
    Operator {
        name: "normalize",
        doc: "x / max(norm(x, p, dim), eps).",
        signature: &[X, P, optional("dim", Kind::Ints, "1"), optional("eps", Kind::Float, "1e-12")],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let axes = match bound.arg(2) {
                None => vec![bound.axis(b, 2, 1, b.rank(x))?],
                Some(_) => axes(b, bound, 2, x)?,
            };
            let p = exponent(b, bound)?;
            let length = norm(b, x, p, &axes, true)?;
            let length = b.binary_const(Binary::Max, length, bound.float(3).unwrap_or(1e-12));
            b.binary(Binary::Div, x, length).map(Arg::Tensor)
        },
    },
    Operator {
        name: "cosine_similarity",
        doc: "Σ x1 · x2 / (max(norm(x1), eps) · max(norm(x2), eps)) along `dim`, which disappears.",
        signature: &[
            required("x1", Kind::Tensor),
            required("x2", Kind::Tensor),
            optional("dim", Kind::Int, "1"),
            optional("eps", Kind::Float, "1e-8"),
        ],
        build: cosine_similarity,
    },
];

/// `p`, which is not negative unless it is infinite.
fn exponent(b: &mut Builder, bound: &Bound) -> Checked<f64> {
    match bound.float(1).unwrap_or(2.0) {
        p if p >= 0.0 || p == f64::NEG_INFINITY => Ok(p),
        p => {
            let message = format!("`{}` with p = {p}", bound.callee);
            bound.wrong(b, "N0306", 1, message, "it is at least 0; 2 is the usual length")
        }
    }
}

/// The length by the exponent `p` over axes.
fn norm(b: &mut Builder, x: Value, p: f64, axes: &[usize], keep: bool) -> Checked<Value> {
    let sum = |b: &mut Builder, x: Value| b.reduce(Reduction::Sum, x, axes, keep);
    if p == 0.0 {
        let counts = b.binary_const(Binary::Ne, x, 0.0);
        let counts = b.cast(counts, b.graph.dtype(x));
        return Ok(sum(b, counts));
    }
    let size = b.unary(Unary::Abs, x);
    if axes.iter().all(|&axis| b.graph.shape(x)[axis].is(1)) {
        // The length of a number is its size, also where its square is out of range.
        return Ok(sum(b, size));
    }
    if p.is_infinite() {
        let f = if p > 0.0 { Reduction::Max } else { Reduction::Min };
        // Where something is no number, the result is none, and there is no slope.
        let extreme = b.reduce(f, size, axes, true);
        let extreme = detach(b, extreme);
        let nothing = b.binary(Binary::Ne, extreme, extreme)?;
        let zero = b.full(0.0, size);
        let numbers = b.select(nothing, zero, size)?;
        let y = b.reduce(f, numbers, axes, true);
        let y = b.select(nothing, extreme, y)?;
        let shape = b.shape(y);
        let kept =
            (0..shape.len()).filter(|axis| keep || !axes.contains(axis)).map(|axis| shape[axis].clone()).collect();
        return Ok(b.reshape(y, kept));
    }
    if p == 2.0 {
        let square = b.binary(Binary::Mul, x, x)?;
        let sum = sum(b, square);
        return where_positive(b, sum, |b, sum| b.unary(Unary::Sqrt, sum));
    }
    if p == 1.0 {
        return Ok(sum(b, size));
    }
    let powers = match p < 1.0 {
        true => where_positive(b, size, |b, size| b.binary_const(Binary::Pow, size, p))?,
        false => b.binary_const(Binary::Pow, size, p),
    };
    let sum = sum(b, powers);
    where_positive(b, sum, |b, sum| b.binary_const(Binary::Pow, sum, 1.0 / p))
}

/// A function of what is not negative, 0 at 0 and without slope there: its own is infinite.
fn where_positive(b: &mut Builder, x: Value, f: impl Fn(&mut Builder, Value) -> Value) -> Checked<Value> {
    let zero = b.binary_const(Binary::Eq, x, 0.0);
    let one = b.full(1.0, x);
    let held = b.select(zero, one, x)?;
    let y = f(b, held);
    let nothing = b.full(0.0, y);
    b.select(zero, nothing, y)
}

fn cosine_similarity(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, y) = (float(b, bound, 0)?, float(b, bound, 1)?);
    let Some(shape) = broadcast(&b.shape(x), &b.shape(y)) else {
        let (from, to) = (shape_text(&b.shape(x)), shape_text(&b.shape(y)));
        let d = Diagnostic::new("N0101", bound.at(1), format!("`cosine_similarity` of {from} and {to}"))
            .note(b.made_at(x), format!("{from} comes from `{}`", b.made_by(x)))
            .note(b.made_at(y), format!("{to} comes from `{}`", b.made_by(y)))
            .help("axes meet from the right: each is equal or stretched from 1");
        return b.report(d);
    };
    let axis = bound.axis(b, 2, bound.int(2).unwrap_or(1), shape.len())?;
    let eps = bound.float(3).unwrap_or(1e-8);
    let mut directions = vec![];
    for x in [x, y] {
        let x = b.broadcast_to(x, &shape);
        let length = norm(b, x, 2.0, &[axis], true)?;
        // A length that is held at eps passes its gradient on, as PyTorch's does.
        let held = b.binary_const(Binary::Max, length, eps);
        let missing = b.binary(Binary::Sub, held, length)?;
        let missing = detach(b, missing);
        let length = b.binary(Binary::Add, length, missing)?;
        directions.push(b.binary(Binary::Div, x, length)?);
    }
    let product = b.binary(Binary::Mul, directions[0], directions[1])?;
    Ok(Arg::Tensor(b.reduce(Reduction::Sum, product, &[axis], false)))
}
