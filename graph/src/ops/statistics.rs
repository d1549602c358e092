//! What is built of reductions: `mean`, `var`, `std`, `logsumexp`, `argmax`, `argmin`.

use super::reduce::{OVER_AXES_IN_A_TYPE, axes, mean_over};
use super::{Operator, pointwise::detach, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, named, optional, required};
use crate::graph::{Op, Value};
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Type};

const X: Param = required("input", Kind::Tensor);
const KEEP: Param = optional("keepdim", Kind::Bool, "false");
const SPREAD: &[Param] = &[
    X,
    optional("dim", Kind::Ints, "all"),
    named("correction", Kind::Int, "1"),
    named("keepdim", Kind::Bool, "false"),
    named("unbiased", Kind::Bool, "None"),
];
const PLACE: &[Param] = &[X, optional("dim", Kind::Int, "all"), KEEP];

/// The statistics.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "mean",
        doc: "The mean over axes (all of them, if none is given), in the type that `dtype` says.",
        signature: OVER_AXES_IN_A_TYPE,
        build: mean,
    },
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
        build: |b, bound| deviation(b, bound).map(Arg::Tensor),
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
    Operator {
        name: "max",
        doc: "`(values, indices)` along `dim`: the maximum and where it stands, as i64, of equal ones the first, which alone has the gradient. Without `dim` the maximum of all; ties share the gradient.",
        signature: PLACE,
        build: |b, bound| extreme(b, bound, Reduction::Max),
    },
    Operator {
        name: "min",
        doc: "As `max`, of the minimum.",
        signature: PLACE,
        build: |b, bound| extreme(b, bound, Reduction::Min),
    },
];

fn mean(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = match bound.dtype(3) {
        None => float(b, bound, 0)?,
        Some(dtype) if dtype.is_float() => {
            let x = bound.tensor(b, 0, None);
            b.cast(x, dtype)
        }
        Some(dtype) => {
            let message = format!("`mean` is of a floating-point type, found `dtype = {dtype}`");
            return bound.wrong(b, "N0202", 3, message, format!("write `dtype = {}`", b.float()));
        }
    };
    let axes = axes(b, bound, 1, x)?;
    Ok(Arg::Tensor(mean_over(b, x, &axes, bound.bool(2).unwrap_or(false))))
}

/// The extreme along an axis with its place, or of all elements without; only the element that is named has a gradient, of all ties share it.
fn extreme(b: &mut Builder, bound: &Bound, f: Reduction) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let Some(dim) = bound.int(1) else {
        let all: Vec<usize> = (0..b.rank(x)).collect();
        return Ok(Arg::Tensor(b.reduce(f, x, &all, false)));
    };
    let (axis, keep) = (bound.axis(b, 1, dim, b.rank(x))?, bound.bool(2).unwrap_or(false));
    let Arg::Tensor(index) = place(b, bound, f)? else { return Ok(Arg::Unknown) };
    let mut shape = b.shape(x);
    shape[axis] = 1.into();
    let places = b.reshape(index, shape.clone());
    let ty = Type::new(b.graph.dtype(x), shape);
    let values = b.push(Op::Gather { axis }, vec![x, places], ty);
    let values = if keep { values } else { b.reshape(values, b.shape(index)) };
    Ok(Arg::List(vec![Arg::Tensor(values), Arg::Tensor(index)]))
}

/// How a spread divides: axes, and 1 / (number of elements - correction), a scalar.
struct Degrees {
    axes: Vec<usize>,
    share: Value,
    keep: bool,
}

fn degrees(b: &mut Builder, bound: &Bound, x: Value) -> Checked<Degrees> {
    let axes = axes(b, bound, 1, x)?;
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
    let count = Size::product(axes.iter().map(|&a| &b.graph.shape(x)[a]));
    // Of fewer elements than the correction there is no variance: 0 · (1 / 0).
    let share = match count.as_const() {
        Some(count) => b.constant(1.0 / (count - correction).max(0) as f64, b.graph.dtype(x)),
        None => {
            let count = b.push(Op::Size(count), vec![], Type::new(b.graph.dtype(x), vec![]));
            let less = b.binary_const(Binary::Sub, count, correction as f64);
            let less = b.binary_const(Binary::Max, less, 0.0);
            let one = b.full(1.0, less);
            b.pointwise(Binary::Div, one, less)
        }
    };
    Ok(Degrees { axes, share, keep: bound.bool(3).unwrap_or(false) })
}

/// The distances of the elements from their mean, exactly 0 if all are equal: they are measured from the largest on, which is held constant,
/// as it cancels. Each is divided before it is added, as their sum may be out of range where their mean is not.
fn distances(b: &mut Builder, x: Value, axes: &[usize]) -> Checked<Value> {
    let top = b.reduce(Reduction::Max, x, axes, true);
    let top = detach(b, top);
    let below = b.binary(Binary::Sub, x, top)?;
    let count = Size::product(axes.iter().map(|&a| &b.graph.shape(x)[a]));
    let mean = match count.as_const() {
        Some(count) => {
            let parts = b.binary_const(Binary::Mul, below, 1.0 / count as f64);
            b.reduce(Reduction::Sum, parts, axes, true)
        }
        None => mean_over(b, below, axes, true),
    };
    b.binary(Binary::Sub, below, mean)
}

/// Each square is divided before it is added, and distances are made of halves, so that nothing is out of range where the variance is not;
/// their gradient is that of `x - mean`.
fn variance(b: &mut Builder, bound: &Bound) -> Checked<Value> {
    let x = float(b, bound, 0)?;
    let Degrees { axes, share, keep } = degrees(b, bound, x)?;
    let half = b.binary_const(Binary::Mul, x, 0.5);
    let distance = distances(b, half, &axes)?;
    let distance = b.binary_const(Binary::Mul, distance, 2.0);
    let (mean, one, minus) = (mean_over(b, x, &axes, true), b.full(1.0, x), b.full(-1.0, x));
    let distance = b.with_slopes(distance, &[(x, one), (mean, minus)]);
    let part = b.binary(Binary::Mul, distance, share)?;
    let square = b.binary(Binary::Mul, distance, part)?;
    let slope = b.binary_const(Binary::Mul, part, 2.0);
    let square = b.with_slopes(square, &[(distance, slope)]);
    Ok(b.reduce(Reduction::Sum, square, &axes, keep))
}

/// The deviation of elements that are divided by a power of two near the largest of them, so that no square is out of range.
fn deviation(b: &mut Builder, bound: &Bound) -> Checked<Value> {
    let x = float(b, bound, 0)?;
    let Degrees { axes, share, keep } = degrees(b, bound, x)?;
    let scale = power_near(b, x, &axes);
    let unit = b.binary(Binary::Div, x, scale)?;
    let distance = distances(b, unit, &axes)?;
    let square = b.binary(Binary::Mul, distance, distance)?;
    let total = b.reduce(Reduction::Sum, square, &axes, true);
    let variance = b.binary(Binary::Mul, total, share)?;
    let root = b.unary(Unary::Sqrt, variance);
    // PyTorch's gradient: 0 where the deviation is 0.
    let (flat, half, zero) = (b.binary_const(Binary::Eq, root, 0.0), b.full(0.5, root), b.full(0.0, root));
    let slope = b.pointwise(Binary::Div, half, root);
    let slope = b.select(flat, zero, slope)?;
    let root = b.with_slopes(root, &[(variance, slope)]);
    let root = b.binary(Binary::Mul, root, scale)?;
    if keep {
        return Ok(root);
    }
    let rest = (0..b.rank(x)).filter(|axis| !axes.contains(axis));
    let shape = rest.map(|axis| b.shape(x)[axis].clone()).collect();
    Ok(b.reshape(root, shape))
}

/// A power of two near the largest element along axes, held constant: dividing by it is exact.
fn power_near(b: &mut Builder, x: Value, axes: &[usize]) -> Value {
    let size = b.unary(Unary::Abs, x);
    let largest = b.reduce(Reduction::Max, size, axes, true);
    let log = b.unary(Unary::Log, largest);
    let log = b.binary_const(Binary::Mul, log, std::f64::consts::LOG2_E);
    let whole = b.unary(Unary::Floor, log);
    let whole = b.binary_const(Binary::Max, whole, -126.0);
    let whole = b.binary_const(Binary::Min, whole, 126.0);
    let two = b.full(2.0, whole);
    let power = b.pointwise(Binary::Pow, two, whole);
    detach(b, power)
}

fn logsumexp(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let axes = axes(b, bound, 1, x)?;
    let max = b.reduce(Reduction::Max, x, &axes, true);
    // The maximum is held constant: its gradient cancels. Where it is infinite, it is the result.
    let max = detach(b, max);
    let size = b.unary(Unary::Abs, max);
    let finite = b.binary_const(Binary::Lt, size, f64::INFINITY);
    let zero = b.constant(0.0, b.graph.dtype(max));
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
    let extreme = b.reduce(f, x, &[axis], true);
    let (hit, lost) = (b.binary(Binary::Eq, x, extreme)?, b.binary(Binary::Ne, x, x)?);
    let hit = b.binary(Binary::Or, hit, lost)?;
    let hit = b.cast(hit, DType::Bool);
    let places = Type::new(DType::I64, ty.shape.clone());
    let place = b.push(Op::Iota(axis), vec![], places);
    let last = &ty.shape[axis] - &1.into();
    let last = match last.as_const() {
        Some(last) => b.constant(last, DType::I64),
        None => b.push(Op::Size(last), vec![], Type::new(DType::I64, vec![])),
    };
    let candidate = b.select(hit, place, last)?;
    let first = b.reduce(Reduction::Min, candidate, &[axis], keep && kept.is_none());
    Ok(Arg::Tensor(match kept {
        Some(shape) => b.reshape(first, shape),
        None => first,
    }))
}
