//! Sums of all elements up to each; the other way: from each on.

use super::along::{Along, PLAIN, X};
use super::{Made, Rule};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, named, required};
use crate::graph::{Call, Value};
use crate::number::{self, Number};
use crate::ops::Operator;
use crate::routine::Routine;
use crate::scalar::Binary;
use crate::types::DType;

pub(super) const RULE: Rule = Rule { gradient, reference, ..PLAIN };

pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "cumsum",
    doc: "For each element the sum of all up to it along `dim`; of integers and bool as i64, unless `dtype` says otherwise.",
    signature: &[X, required("dim", Kind::Int), named("dtype", Kind::DType, "None")],
    build: cumsum,
}];

fn cumsum(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let own = if b.graph.dtype(x).is_float() { b.graph.dtype(x) } else { DType::I64 };
    let dtype = bound.dtype(2).unwrap_or(own);
    let x = b.cast(x, dtype);
    let along = Along::of(b, bound, 1, 0, x)?;
    let sums = along.call(b, Routine::Cumsum, false, None, &[x]);
    Ok(Arg::Tensor(sums[0]))
}

/// An element is in the sums from its own on.
fn gradient(b: &mut Builder, made: &Made) -> Vec<(usize, Value)> {
    let Some(g) = made.cotangents[0] else { return vec![] };
    let back = Call { reverse: !made.call.reverse, ..made.call.clone() };
    vec![(0, b.routine(back, vec![g])[0])]
}

fn reference(reverse: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let mut total = Number::Int(0);
    for i in 0..x[0].len() {
        let i = if reverse { x[0].len() - 1 - i } else { i };
        total = number::binary(Binary::Add, DType::I64, total, x[0][i]);
        y[0][i] = total;
    }
}
