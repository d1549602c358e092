//! Softmax and its kin, and what is normalised, by reductions and pointwise steps. They are primitives until the gradient is taken, since
//! theirs is shorter by the result.

use super::own;
use crate::builder::Builder;
use crate::grad::NoRule;
use crate::graph::{Graph, Node, Op, Value};
use crate::scalar::{Binary, Lane, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Type};

/// Of [`Op::Softmax`], [`Op::SafeSoftmax`] and [`Op::LogSoftmax`].
pub(crate) fn softmax(graph: &Graph, node: &Node, _: &[bool]) -> Result<Graph, NoRule> {
    let (axis, finish): (usize, Finish) = match node.op {
        Op::Softmax(axis) => (axis, Finish::Divided { safe: false }),
        Op::SafeSoftmax(axis) => (axis, Finish::Divided { safe: true }),
        Op::LogSoftmax(axis) => (axis, Finish::Log),
        _ => return Err(NoRule::of(node)),
    };
    own(graph, node, |b, x| written(b, x[0], axis, finish))
}

/// What becomes of the exponentials of a row.
#[derive(Clone, Copy, PartialEq)]
enum Finish {
    /// Each by their sum; if it is safe, 0 where there is none.
    Divided { safe: bool },
    /// The logarithm of that.
    Log,
}

/// The lowest number of the lane in which a type is computed, and the least above 0.
pub(crate) fn limits(dtype: DType) -> (f64, f64) {
    match dtype.lane() == Lane::F64 {
        true => (f64::MIN, f64::MIN_POSITIVE),
        false => (f64::from(f32::MIN), f64::from(f32::MIN_POSITIVE)),
    }
}

/// With the maximum taken off, so that no exponential overflows. What is safe takes off a number even if all is -∞, and divides 0 by one.
fn written(b: &mut Builder, x: Value, axis: usize, finish: Finish) -> Value {
    let ty = b.ty(x).clone();
    let mut kept = ty.shape.clone();
    let mut reduced = kept.clone();
    kept[axis] = Size::constant(1);
    reduced.remove(axis);
    let (kept, reduced) = (Type::new(ty.dtype, kept), Type::new(ty.dtype, reduced));
    let row = |b: &mut Builder, f: Reduction, x: Value| {
        let r = b.push(Op::Reduce(f, vec![axis]), vec![x], reduced.clone());
        b.reshape(r, kept.shape.to_vec())
    };
    let safe = finish == Finish::Divided { safe: true };
    let (lowest, tiny) = limits(ty.dtype);
    let at_least = |b: &mut Builder, x: Value, least: f64| {
        let least = b.full(least, x);
        b.push(Op::Binary(Binary::Max), vec![x, least], kept.clone())
    };
    let mut max = row(b, Reduction::Max, x);
    if safe {
        max = at_least(b, max, lowest);
    }
    let max = b.broadcast_to(max, &ty.shape);
    let shifted = b.push(Op::Binary(Binary::Sub), vec![x, max], ty.clone());
    let exp = b.push(Op::Unary(Unary::Exp), vec![shifted], ty.clone());
    let mut sum = row(b, Reduction::Sum, exp);
    if safe {
        sum = at_least(b, sum, tiny);
    }
    match finish {
        Finish::Divided { .. } => {
            let sum = b.broadcast_to(sum, &ty.shape);
            b.push(Op::Binary(Binary::Div), vec![exp, sum], ty)
        }
        Finish::Log => {
            let log = b.push(Op::Unary(Unary::Log), vec![sum], kept.clone());
            let log = b.broadcast_to(log, &ty.shape);
            b.push(Op::Binary(Binary::Sub), vec![shifted, log], ty)
        }
    }
}

/// Of [`Op::Normalize`].
pub(crate) fn normalize(graph: &Graph, node: &Node, _: &[bool]) -> Result<Graph, NoRule> {
    own(graph, node, |b, operands| {
        let centred = b.push(Op::Binary(Binary::Sub), vec![operands[0], operands[1]], node.ty.clone());
        b.push(Op::Binary(Binary::Mul), vec![centred, operands[2]], node.ty.clone())
    })
}
