//! Of reductions: the operators, the gradients, and which numbers they give.

use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, named, optional, required};
use crate::graph::{Call, Value};
use crate::ops::{OVER_AXES, OVER_AXES_IN_A_TYPE, Operator, axes};
use crate::ranges::Range;
use crate::routine::Routine;
use crate::routines::neighbours;
use crate::scalar::{Binary, Reduction};
use crate::size::Size;
use crate::types::DType;

const ALONG_AN_AXIS: &[Param] = &[
    required("input", Kind::Tensor),
    optional("dim", Kind::Int, "all"),
    optional("keepdim", Kind::Bool, "false"),
    named("dtype", Kind::DType, "None"),
];

/// Over axes.
fn over_axes(b: &mut Builder, bound: &Bound, f: Reduction) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let dtype = b.graph.dtype(x);
    if !f.takes(f.of(dtype).lane()) {
        let (wanted, help) = match dtype.is_float() {
            true => ("integers or bool", DType::I64),
            false => ("numbers", b.float()),
        };
        let message = format!("`{}` needs {wanted}, found {dtype}", bound.callee);
        return bound.wrong(b, "N0203", 0, message, format!("convert it: `.cast({help})`"));
    }
    let axes = axes(b, bound, 1, x)?;
    Ok(Arg::Tensor(b.reduce(f, x, &axes, bound.bool(2).unwrap_or(false))))
}

/// Over axes, in an element type that can be given.
fn over_axes_in_a_type(b: &mut Builder, bound: &Bound, f: Reduction) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let axes = axes(b, bound, 1, x)?;
    Ok(in_a_type(b, bound, f, x, &axes))
}

/// Along one axis or over all, in an element type that can be given.
fn along_an_axis(b: &mut Builder, bound: &Bound, f: Reduction) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let rank = b.rank(x);
    let axes = match bound.int(1) {
        Some(axis) => vec![bound.axis(b, 1, axis, rank)?],
        None => (0..rank).collect(),
    };
    Ok(in_a_type(b, bound, f, x, &axes))
}

/// The elements are converted first, then reduced.
fn in_a_type(b: &mut Builder, bound: &Bound, f: Reduction, x: Value, axes: &[usize]) -> Arg {
    let dtype = bound.dtype(3).unwrap_or(f.of(b.graph.dtype(x)));
    let x = b.cast(x, dtype);
    let reduced = b.reduce(f, x, axes, bound.bool(2).unwrap_or(false));
    Arg::Tensor(b.cast(reduced, dtype))
}

macro_rules! operators {
    ($($name:literal $f:ident $rule:ident $signature:ident $doc:literal;)*) => {
        /// One reduction of one tensor.
        pub(crate) const OPERATORS: &[Operator] = &[$(Operator {
            name: $name,
            doc: $doc,
            signature: $signature,
            build: |b, bound| $rule(b, bound, Reduction::$f),
        }),*];
    };
}

operators! {
    "sum" Sum over_axes_in_a_type OVER_AXES_IN_A_TYPE "The sum over axes (all of them, if none is given); of integers and bool as i64, unless `dtype` says otherwise.";
    "prod" Prod along_an_axis ALONG_AN_AXIS "The product over an axis (all elements, if none is given); of integers and bool as i64, unless `dtype` says otherwise.";
    "amax" Max over_axes OVER_AXES "The maximum over axes; ties share the gradient.";
    "amin" Min over_axes OVER_AXES "The minimum over axes; ties share the gradient.";
    "reduce_xor" Xor over_axes OVER_AXES "Over axes (all of them, if none is given) every bit that is set in an odd number of integers, as JAX's; of truth values whether an odd number is true.";
}

/// The gradient of `y`, reduced over `axes`, for `x`, if `g` has arrived at `y`. `None`: there is none.
pub(crate) fn gradient_of_reduced(
    f: Reduction,
    b: &mut Builder,
    axes: &[usize],
    [x, y]: [Value; 2],
    g: Value,
) -> Option<Value> {
    let back = stretch(b, g, x, axes);
    Some(match f {
        Reduction::Sum => back,
        Reduction::Prod => {
            let others = others(b, x, axes);
            b.pointwise(Binary::Mul, back, others)
        }
        // Ties share the gradient evenly, as torch.amax.
        Reduction::Max | Reduction::Min => {
            let extreme = stretch(b, y, x, axes);
            let hit = b.pointwise(Binary::Eq, x, extreme);
            let hit = b.cast(hit, b.graph.dtype(g));
            let count = b.reduce(Reduction::Sum, hit, axes, false);
            let count = stretch(b, count, x, axes);
            let share = b.pointwise(Binary::Div, back, count);
            b.pointwise(Binary::Mul, hit, share)
        }
        // Of integers and truth values.
        Reduction::Xor => return None,
    })
}

/// Which numbers come out where so many of a range are reduced to each. `None`: any that the type has.
pub(crate) fn range_of_reduced(f: Reduction, x: Range, count: Size) -> Option<Range> {
    match f {
        Reduction::Sum => Some(x.mul(Range::between(count.clone(), count, true)).unreached()),
        Reduction::Max | Reduction::Min => Some(x.unreached()),
        Reduction::Prod | Reduction::Xor => None,
    }
}

/// A reduced value stretched back over the axes that disappeared.
pub(crate) fn stretch(b: &mut Builder, reduced: Value, like: Value, axes: &[usize]) -> Value {
    let shape = b.shape(like);
    let mut kept = shape.clone();
    for &axis in axes {
        kept[axis] = 1.into();
    }
    let kept = b.reshape(reduced, kept);
    b.broadcast_to(kept, &shape)
}

/// For each element the product of all others over axes: of those before it and those behind it, as no quotient says it where some are 0.
fn others(b: &mut Builder, x: Value, axes: &[usize]) -> Value {
    let shape = b.shape(x);
    let kept: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
    let order = [&kept[..], axes].concat();
    let moved = b.permute(x, &order);
    let along = b.shape(moved);
    let mut rows = along[..kept.len()].to_vec();
    rows.push(Size::product(&along[kept.len()..]));
    let row = b.reshape(moved, rows);
    let [before, behind] = [false, true].map(|reverse| {
        let call = Call { routine: Routine::Cumprod, reverse, length: None };
        let products = b.routine(call, vec![row])[0];
        neighbours(b, products, reverse, 1.0)
    });
    let others = b.pointwise(Binary::Mul, before, behind);
    let others = b.reshape(others, along);
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, axis)| inverse[*axis] = i);
    b.permute(others, &inverse)
}
