//! Rows in order, and where each element stood.

use std::cmp::Ordering;

use super::along::{Along, PLAIN, X};
use super::{Made, Numbers, Rule, row};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, named, optional};
use crate::graph::{Op, Value};
use crate::number::{self, Number};
use crate::ops::Operator;
use crate::routine::Routine;
use crate::types::{DType, Type};

pub(super) const RULE: Rule = Rule {
    results: |_, operands| Ok(vec![operands[0].clone(), Type::new(DType::I64, operands[0].shape.to_vec())]),
    numbers: |result| if result == 0 { Numbers::Elements } else { Numbers::Indices },
    gradient,
    // About n · log n comparisons: a size has no logarithm.
    flops: |operands| &row(operands[0]) * &16.into(),
    reference,
    ..PLAIN
};

const DESCENDING: Param = optional("descending", Kind::Bool, "false");
const STABLE: Param = named("stable", Kind::Bool, "false");

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "sort",
        doc: "`(values, indices)`: the elements along `dim` from the smallest to the largest, and where each stood, as i64. NaN counts as the largest; equal ones keep their order, whether `stable` or not.",
        signature: &[X, optional("dim", Kind::Int, "-1"), DESCENDING, STABLE],
        build: |b, bound| sorted(b, bound).map(|results| Arg::List(results.map(Arg::Tensor).to_vec())),
    },
    Operator {
        name: "argsort",
        doc: "Where the elements along `dim` stand from the smallest to the largest: the indices of `sort`.",
        signature: &[X, optional("dim", Kind::Int, "-1"), DESCENDING, STABLE],
        build: |b, bound| sorted(b, bound).map(|[_, indices]| Arg::Tensor(indices)),
    },
];

fn sorted(b: &mut Builder, bound: &Bound) -> Checked<[Value; 2]> {
    let x = bound.tensor(b, 0, None);
    let along = Along::of(b, bound, 1, -1, x)?;
    let results = along.call(b, Routine::Sort, bound.bool(2).unwrap_or(false), None, &[x]);
    Ok([results[0], results[1]])
}

/// Each element's goes to where it stood.
fn gradient(b: &mut Builder, made: &Made) -> Vec<(usize, Value)> {
    scattered(b, made).into_iter().collect()
}

/// What has arrived at elements that were found, in the place of each.
pub(super) fn scattered(b: &mut Builder, made: &Made) -> Option<(usize, Value)> {
    let (x, indices) = (made.operands[0], made.results[1]);
    let g = made.cotangents[0]?;
    let (axis, ty) = (b.rank(x) - 1, b.ty(x).clone());
    Some((0, b.push(Op::Scatter { axis }, vec![g, indices], ty)))
}

/// PyTorch's order: NaN behind all numbers.
pub(super) fn order(x: Number, y: Number) -> Ordering {
    number::order(x, y).unwrap_or_else(|| x.f64().is_nan().cmp(&y.f64().is_nan()))
}

fn reference(descending: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let mut places: Vec<usize> = (0..x[0].len()).collect();
    places.sort_by(|&i, &j| if descending { order(x[0][j], x[0][i]) } else { order(x[0][i], x[0][j]) });
    for (at, place) in places.into_iter().enumerate() {
        (y[0][at], y[1][at]) = (x[0][place], Number::Int(place as i64));
    }
}
