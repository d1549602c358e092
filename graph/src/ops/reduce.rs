//! Reductions over axes: `sum`, `mean`, `amax`, `amin`; the rest are built of them in `statistics`.

use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, named, optional, required};
use crate::graph::{Op, Value};
use crate::scalar::{Binary, Reduction};
use crate::size::Size;
use crate::types::{DType, Type};

const SIGNATURE: &[Param] =
    &[required("input", Kind::Tensor), optional("dim", Kind::Ints, "all"), optional("keepdim", Kind::Bool, "false")];

/// The reductions.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "sum",
        doc: "The sum over axes (all of them, if none is given); of integers and bool as i64.",
        signature: SIGNATURE,
        build: sum,
    },
    Operator {
        name: "mean",
        doc: "The mean over axes (all of them, if none is given).",
        signature: SIGNATURE,
        build: mean,
    },
    Operator {
        name: "prod",
        doc: "The product over an axis (all elements, if none is given); of integers and bool as i64, unless `dtype` says otherwise.",
        signature: &[
            required("input", Kind::Tensor),
            optional("dim", Kind::Int, "all"),
            optional("keepdim", Kind::Bool, "false"),
            named("dtype", Kind::DType, "None"),
        ],
        build: prod,
    },
    Operator {
        name: "amax",
        doc: "The maximum over axes; ties share the gradient.",
        signature: SIGNATURE,
        build: amax,
    },
    Operator {
        name: "amin",
        doc: "The minimum over axes; ties share the gradient.",
        signature: SIGNATURE,
        build: amin,
    },
];

fn sum(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    reduce(b, bound, Reduction::Sum)
}

fn prod(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let own = if b.graph.dtype(x).is_float() { b.graph.dtype(x) } else { DType::I64 };
    let (x, rank) = (b.cast(x, bound.dtype(3).unwrap_or(own)), b.rank(x));
    let axes = match bound.int(1) {
        Some(axis) => vec![bound.axis(b, 1, axis, rank)?],
        None => (0..rank).collect(),
    };
    Ok(Arg::Tensor(b.reduce(Reduction::Prod, x, &axes, bound.bool(2).unwrap_or(false))))
}

fn amax(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    reduce(b, bound, Reduction::Max)
}

fn amin(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    reduce(b, bound, Reduction::Min)
}

fn reduce(b: &mut Builder, bound: &Bound, f: Reduction) -> Checked<Arg> {
    // Sums of integers and of truth values are i64.
    let x = bound.tensor(b, 0, None);
    let axes = axes(b, bound, 1, x)?;
    if axes.is_empty() && f == Reduction::Sum && !b.graph.dtype(x).is_float() {
        return Ok(Arg::Tensor(b.cast(x, DType::I64)));
    }
    Ok(Arg::Tensor(b.reduce(f, x, &axes, bound.bool(2).unwrap_or(false))))
}

fn mean(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let axes = axes(b, bound, 1, x)?;
    Ok(Arg::Tensor(mean_over(b, x, &axes, bound.bool(2).unwrap_or(false))))
}

/// The mean over axes, as primitives: the sum divided by the number of elements, which may be a run-time size.
pub(crate) fn mean_over(b: &mut Builder, x: Value, axes: &[usize], keep: bool) -> Value {
    let count = Size::product(axes.iter().map(|&a| &b.graph.shape(x)[a]));
    let total = b.reduce(Reduction::Sum, x, axes, keep);
    let dtype = b.graph.dtype(x);
    match count.as_const() {
        Some(1) => total,
        Some(count) => b.binary_const(Binary::Mul, total, 1.0 / count as f64),
        None => {
            let count = b.push(Op::Size(count), vec![], Type::new(dtype, vec![]));
            let count = b.broadcast_to(count, &b.shape(total));
            b.pointwise(Binary::Div, total, count)
        }
    }
}

/// The axes named by argument `slot`: all of them if it was left out.
pub(super) fn axes(b: &mut Builder, bound: &Bound, slot: usize, x: Value) -> Checked<Vec<usize>> {
    let rank = b.rank(x);
    let Some(given) = bound.ints(slot) else { return Ok((0..rank).collect()) };
    let mut axes = Vec::with_capacity(given.len());
    for axis in given {
        let axis = bound.axis(b, slot, axis, rank)?;
        if axes.contains(&axis) {
            return bound.wrong(
                b,
                "N0103",
                slot,
                format!("`{}` gets axis {axis} twice", bound.callee),
                "remove one of them",
            );
        }
        axes.push(axis);
    }
    axes.sort_unstable();
    Ok(axes)
}
