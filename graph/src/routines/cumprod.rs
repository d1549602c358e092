//! Products of all elements up to each; the other way: from each on.

use super::along::{Along, PLAIN, X};
use super::recurrence::{carried, neighbours};
use super::{Made, Rule};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, named, required};
use crate::graph::Value;
use crate::number::{self, Number};
use crate::ops::Operator;
use crate::routine::Routine;
use crate::scalar::Binary;
use crate::types::DType;

pub(super) const RULE: Rule = Rule { gradient, reference, ..PLAIN };

pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "cumprod",
    doc: "For each element the product of all up to it along `dim`; of integers and bool as i64, unless `dtype` says otherwise.",
    signature: &[X, required("dim", Kind::Int), named("dtype", Kind::DType, "None")],
    build: cumprod,
}];

fn cumprod(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let own = if b.graph.dtype(x).is_float() { b.graph.dtype(x) } else { DType::I64 };
    let x = b.cast(x, bound.dtype(2).unwrap_or(own));
    let along = Along::of(b, bound, 1, 0, x)?;
    Ok(Arg::Tensor(along.call(b, Routine::Cumprod, false, None, &[x])[0]))
}

/// Each product is the element times the one before, whatever is 0: no quotient says that.
fn gradient(b: &mut Builder, made: &Made) -> Vec<(usize, Value)> {
    let Some(g) = made.cotangents[0] else { return vec![] };
    let carried = carried(b, made.call.reverse, made.operands[0], g);
    let before = neighbours(b, made.results[0], made.call.reverse, 1.0);
    vec![(0, b.pointwise(Binary::Mul, carried, before))]
}

fn reference(reverse: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let mut total = Number::Int(1);
    for i in 0..x[0].len() {
        let i = if reverse { x[0].len() - 1 - i } else { i };
        total = number::binary(Binary::Mul, DType::I64, total, x[0][i]);
        y[0][i] = total;
    }
}
