//! `softmax` and `log_softmax` along an axis.

use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, required};
use crate::graph::Op;

const SIGNATURE: &[Param] = &[required("input", Kind::Tensor), required("dim", Kind::Int)];

/// The softmax family.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "softmax",
        doc: "exp(x) / Σ exp(x) along `dim`.",
        signature: SIGNATURE,
        build: |b, bound| build(b, bound, Op::Softmax),
    },
    Operator {
        name: "log_softmax",
        doc: "x - log Σ exp(x) along `dim`.",
        signature: SIGNATURE,
        build: |b, bound| build(b, bound, Op::LogSoftmax),
    },
];

fn build(b: &mut Builder, bound: &Bound, op: fn(usize) -> Op) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let rank = b.rank(x);
    let axis = bound.axis(b, 1, bound.int(1).unwrap_or(-1), rank)?;
    let ty = b.ty(x).clone();
    Ok(Arg::Tensor(b.push(op(axis), vec![x], ty)))
}
