//! What operators share that reduce: which axes, and the mean.

use crate::builder::{Builder, Checked};
use crate::call::{Bound, Kind, Param, named, optional, required};
use crate::graph::{Op, Value};
use crate::scalar::{Binary, Reduction};
use crate::size::Size;
use crate::types::Type;

/// The arguments of most.
pub(crate) const OVER_AXES: &[Param] =
    &[required("input", Kind::Tensor), optional("dim", Kind::Ints, "all"), optional("keepdim", Kind::Bool, "false")];

/// The same, in an element type that can be given.
pub(crate) const OVER_AXES_IN_A_TYPE: &[Param] = &[
    required("input", Kind::Tensor),
    optional("dim", Kind::Ints, "all"),
    optional("keepdim", Kind::Bool, "false"),
    named("dtype", Kind::DType, "None"),
];

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
pub(crate) fn axes(b: &mut Builder, bound: &Bound, slot: usize, x: Value) -> Checked<Vec<usize>> {
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
