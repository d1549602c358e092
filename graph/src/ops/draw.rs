//! Random tensors: `rand`, `randn`, `bernoulli`. Counter-based streams: the same seed and call draw the same numbers on any number of
//! threads, every call others. No gradient flows through a draw.

use super::create::shape;
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, one_by_one, optional, required};
use crate::graph::Value;
use crate::scalar::{Binary, Unary};
use crate::size::Size;
use crate::types::DType;

const X: Param = required("input", Kind::Tensor);
const SIZE: Param = one_by_one("size", Kind::Sizes);

/// What draws.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "rand",
        doc: "Uniform in [0, 1). Counter-based, as all draws: other numbers in each call, of a `pub fn` too, and the same row of them for the same seed.",
        signature: &[SIZE],
        build: |b, bound| {
            let shape = shape(b, bound)?;
            let drawn = b.uniform(shape);
            Ok(Arg::Tensor(below_one(b, drawn, b.float())))
        },
    },
    Operator {
        name: "randn",
        doc: "Normal with mean 0 and variance 1, by Box and Muller: √(-2 log(1 - u)) · cos(2πv) of two uniform numbers.",
        signature: &[SIZE],
        build: |b, bound| {
            let shape = shape(b, bound)?;
            let drawn = normal(b, shape)?;
            Ok(Arg::Tensor(b.cast(drawn, b.float())))
        },
    },
    Operator {
        name: "rand_like",
        doc: "`rand` in the input's shape.",
        signature: &[X],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let shape = b.shape(x);
            let drawn = b.uniform(shape);
            Ok(Arg::Tensor(below_one(b, drawn, b.graph.dtype(x))))
        },
    },
    Operator {
        name: "randn_like",
        doc: "`randn` in the input's shape.",
        signature: &[X],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let shape = b.shape(x);
            let drawn = normal(b, shape)?;
            Ok(Arg::Tensor(b.cast(drawn, b.graph.dtype(x))))
        },
    },
    Operator {
        name: "bernoulli",
        doc: "1 with probability `input` (or `p`, if given: in the input's shape), else 0.",
        signature: &[X, optional("p", Kind::Float, "None")],
        build: bernoulli,
    },
];

/// Uniform numbers in an element type. Of halves digits are cut off, as many as PyTorch leaves: rounded, some would be 1.
fn below_one(b: &mut Builder, drawn: Value, dtype: DType) -> Value {
    let steps: f64 = match dtype {
        DType::F16 => 2048.0,
        DType::BF16 => 256.0,
        _ => return b.cast(drawn, dtype),
    };
    let scaled = b.binary_const(Binary::Mul, drawn, steps);
    let whole = b.unary(Unary::Floor, scaled);
    let cut = b.binary_const(Binary::Mul, whole, 1.0 / steps);
    b.cast(cut, dtype)
}

fn normal(b: &mut Builder, shape: Vec<Size>) -> Checked<Value> {
    let (u, v) = (b.uniform(shape.clone()), b.uniform(shape));
    // Of 1 - u, which is never 0.
    let one = b.full(1.0, u);
    let rest = b.binary(Binary::Sub, one, u)?;
    let log = b.unary(Unary::Log, rest);
    let square = b.binary_const(Binary::Mul, log, -2.0);
    let radius = b.unary(Unary::Sqrt, square);
    let angle = b.binary_const(Binary::Mul, v, std::f64::consts::TAU);
    let cos = b.unary(Unary::Cos, angle);
    b.binary(Binary::Mul, radius, cos)
}

fn bernoulli(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let p = match bound.float(1) {
        Some(p) if !(0.0..=1.0).contains(&p) => {
            let message = format!("`bernoulli` with p = {p}: a probability lies between 0 and 1");
            return bound.wrong(b, "N0306", 1, message, "write `x.bernoulli(0.5)`");
        }
        Some(p) => b.full(p, x),
        None => x,
    };
    let shape = b.shape(p);
    let drawn = b.uniform(shape);
    let hit = b.binary(Binary::Lt, drawn, p)?;
    Ok(Arg::Tensor(b.cast(hit, b.graph.dtype(x))))
}
