//! The largest or smallest elements of rows, in order, and where each stood.

use super::along::{Along, X};
use super::{Numbers, Rule, row, sort};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, optional, required};
use crate::number::Number;
use crate::ops::Operator;
use crate::routine::Routine;
use crate::rules::{self, Relation};
use crate::types::{DType, Type};

pub(super) const RULE: Rule = Rule {
    results: |length, operands| {
        let Some(length) = length else { return Err("`topk` of nobody knows how many elements".into()) };
        let (dtype, mut shape) = (operands[0].dtype, operands[0].shape.to_vec());
        shape.pop();
        shape.push(length.clone());
        Ok(vec![Type::new(dtype, shape.clone()), Type::new(DType::I64, shape)])
    },
    numbers: |result| if result == 0 { Numbers::Elements } else { Numbers::Indices },
    gradient: |b, made| sort::scattered(b, made).into_iter().collect(),
    // All indices of a row, of which the first are found.
    scratch: |operands| Some((DType::I64, row(operands[0]))),
    flops: |operands| &row(operands[0]) * &4.into(),
    reference,
};

pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "topk",
    doc: "`(values, indices)`: the `k` largest (or smallest) elements along `dim`, from the first of them on (whether `sorted` or not), and where each stands, as i64. NaN counts as the largest; of equal ones the first are taken.",
    signature: &[
        X,
        required("k", Kind::Size),
        optional("dim", Kind::Int, "-1"),
        optional("largest", Kind::Bool, "true"),
        optional("sorted", Kind::Bool, "true"),
    ],
    build: topk,
}];

fn topk(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let along = Along::of(b, bound, 2, -1, x)?;
    let (k, len) = (bound.size(1).unwrap_or_default(), b.shape(x)[along.axis()].clone());
    // Known at build, or a rule of the function.
    let why = format!("takes {k} of {len} elements");
    let enough = b.require(rules::Rule::new(len.clone(), Relation::AtLeast, k.clone()), &*why);
    if !enough || !b.require(rules::Rule::new(k.clone(), Relation::AtLeast, 1.into()), why) {
        let message = format!("`topk` with k = {k} of {len} elements");
        return bound.wrong(b, "N0306", 1, message, format!("take at least 1 and at most {len}"));
    }
    let largest = bound.bool(3).unwrap_or(true);
    let results = along.call(b, Routine::Topk, largest, Some(k), &[x]);
    Ok(Arg::List(results.into_iter().map(Arg::Tensor).collect()))
}

fn reference(largest: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let mut places: Vec<usize> = (0..x[0].len()).collect();
    places.sort_by(|&i, &j| if largest { sort::order(x[0][j], x[0][i]) } else { sort::order(x[0][i], x[0][j]) });
    for at in 0..y[0].len() {
        (y[0][at], y[1][at]) = (x[0][places[at]], Number::Int(places[at] as i64));
    }
}
