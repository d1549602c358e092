//! What is built of reductions: `var`, `std`, `logsumexp`, `argmax`, `argmin`.

use super::reduce::{axes, mean_over};
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::graph::{Op, Value};
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Type};

const X: Param = required("input", Kind::Tensor);
const KEEP: Param = optional("keepdim", Kind::Bool, "false");
const SPREAD: &[Param] = &[
    X,
    optional("dim", Kind::Ints, "all"),
    optional("correction", Kind::Int, "1"),
    KEEP,
    optional("unbiased", Kind::Bool, "None"),
];
const PLACE: &[Param] = &[X, optional("dim", Kind::Int, "all"), KEEP];

/// The statistics.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "var",
        doc: "The variance over axes (all of them, if none is given): the squares of the distances from the mean, divided by the number of elements less `correction`. `unbiased = false` is `correction = 0`.",
        signature: SPREAD,
        build: |b, bound| variance(b, bound).map(Arg::Tensor),
    },
    Operator {
        name: "std",
        doc: "The square root of `var`.",
        signature: SPREAD,
        build: |b, bound| {
            let variance = variance(b, bound)?;
            Ok(Arg::Tensor(b.unary(Unary::Sqrt, variance)))
        },
    },
    Operator {
        name: "logsumexp",
        doc: "log Σ exp(x) over axes, without overflow.",
        signature: &[X, required("dim", Kind::Ints), KEEP],
        build: logsumexp,
    },
    Operator {
        name: "argmax",
        doc: "Where along `dim` (in the flattened input, if left out) the maximum stands, as i64; of equal ones the first.",
        signature: PLACE,
        build: |b, bound| place(b, bound, Reduction::Max),
    },
    Operator {
        name: "argmin",
        doc: "Where the minimum stands; of equal ones the first.",
        signature: PLACE,
        build: |b, bound| place(b, bound, Reduction::Min),
    },
];

fn variance(b: &mut Builder, bound: &Bound) -> Checked<Value> {
    let x = float(b, bound, 0)?;
    let axes = axes(b, bound, x)?;
    let correction = match (bound.int(2), bound.bool(4)) {
        (Some(_), Some(_)) => {
            let message = format!("`{}` has both `correction` and `unbiased`", bound.callee);
            return bound.wrong(
                b,
                "N0306",
                4,
                message,
                "leave one of them out: `unbiased = false` is `correction = 0`",
            );
        }
        (Some(correction), None) => correction,
        (None, unbiased) => i64::from(unbiased != Some(false)),
    };
    let mean = mean_over(b, x, &axes, true);
    let distance = b.binary(Binary::Sub, x, mean)?;
    let square = b.binary(Binary::Mul, distance, distance)?;
    let keep = bound.bool(3).unwrap_or(false);
    if correction == 0 {
        return Ok(mean_over(b, square, &axes, keep));
    }
    let count = Size::product(axes.iter().map(|&a| &b.graph.shape(x)[a]));
    let count = match count.as_const() {
        Some(count) => b.constant(count as f64, DType::F32),
        None => b.push(Op::Size(count), vec![], Type::new(DType::F32, vec![])),
    };
    let count = b.binary_const(Binary::Sub, count, correction as f64);
    // Of fewer elements than the correction there is no variance: 0 / 0.
    let count = b.binary_const(Binary::Max, count, 0.0);
    let total = b.reduce(Reduction::Sum, square, &axes, keep);
    b.binary(Binary::Div, total, count)
}

fn logsumexp(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let axes = axes(b, bound, x)?;
    let max = b.reduce(Reduction::Max, x, &axes, true);
    let ty = b.ty(max).clone();
    // The maximum is held constant: its gradient cancels. Where it is infinite, it is the result.
    let max = b.push(Op::Detach, vec![max], ty);
    let size = b.unary(Unary::Abs, max);
    let finite = b.binary_const(Binary::Lt, size, f64::INFINITY);
    let zero = b.constant(0.0, DType::F32);
    let max = b.select(finite, max, zero)?;
    let shifted = b.binary(Binary::Sub, x, max)?;
    let exp = b.unary(Unary::Exp, shifted);
    let sum = b.reduce(Reduction::Sum, exp, &axes, true);
    let log = b.unary(Unary::Log, sum);
    let mut result = b.binary(Binary::Add, log, max)?;
    if !bound.bool(2).unwrap_or(false) {
        let mut shape = b.shape(result);
        for &axis in axes.iter().rev() {
            shape.remove(axis);
        }
        result = b.reshape(result, shape);
    }
    Ok(Arg::Tensor(result))
}

/// The least index of an element that is the maximum or minimum (a NaN counts as that).
fn place(b: &mut Builder, bound: &Bound, f: Reduction) -> Checked<Arg> {
    let given = bound.tensor(b, 0, None);
    let rank = b.rank(given);
    let keep = bound.bool(2).unwrap_or(false);
    let (x, axis, kept) = match bound.int(1) {
        Some(dim) => (given, bound.axis(b, 1, dim, rank)?, None),
        None => {
            let all = b.ty(given).len();
            (b.reshape(given, vec![all]), 0, keep.then(|| vec![Size::constant(1); rank]))
        }
    };
    let ty = b.ty(x).clone();
    if ty.dtype == DType::Bool {
        float(b, bound, 0)?;
    }
    let extreme = b.reduce(f, x, &[axis], true);
    let (hit, lost) = (b.binary(Binary::Eq, x, extreme)?, b.binary(Binary::Ne, x, x)?);
    let hit = b.binary(Binary::Or, hit, lost)?;
    let hit = b.cast(hit, DType::Bool);
    let places = Type::new(DType::I64, ty.shape.clone());
    let place = b.push(Op::Iota(axis), vec![], places);
    let last = &ty.shape[axis] - &1.into();
    let last = match last.as_const() {
        Some(last) => b.constant(last as f64, DType::I64),
        None => b.push(Op::Size(last), vec![], Type::new(DType::I64, vec![])),
    };
    let candidate = b.select(hit, place, last)?;
    let first = b.reduce(Reduction::Min, candidate, &[axis], keep && kept.is_none());
    Ok(Arg::Tensor(match kept {
        Some(shape) => b.reshape(first, shape),
        None => first,
    }))
}
