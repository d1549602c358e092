//! The element in the middle of each row, and where it stands.

use super::along::{Along, X};
use super::{Numbers, Rule, row, sort};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, optional, required};
use crate::number::Number;
use crate::ops::Operator;
use crate::routine::Routine;
use crate::size::Size;
use crate::types::{DType, Type};

pub(super) const RULE: Rule = Rule {
    results: |_, operands| {
        let mut shape = operands[0].shape.to_vec();
        shape.pop();
        shape.push(Size::constant(1));
        Ok(vec![Type::new(operands[0].dtype, shape.clone()), Type::new(DType::I64, shape)])
    },
    numbers: |result| if result == 0 { Numbers::Elements } else { Numbers::Indices },
    gradient: |b, made| sort::scattered(b, made).into_iter().collect(),
    // All indices of a row, of which the one in the middle is found.
    scratch: |operands| Some((DType::I64, row(operands[0]))),
    flops: |operands| &row(operands[0]) * &4.into(),
    reference,
};

pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "median",
    doc: "`(values, indices)`: the element in the middle along `dim`, of two the smaller one, and where it stands, as i64. Of equal ones the one that is in the middle of a stable order; of rows with NaN the first NaN.",
    signature: &[X, required("dim", Kind::Int), optional("keepdim", Kind::Bool, "false")],
    build: median,
}];

fn median(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let along = Along::of(b, bound, 1, -1, x)?;
    let mut results = along.call(b, Routine::Median, false, None, &[x]);
    if !bound.bool(2).unwrap_or(false) {
        let mut shape = b.shape(x);
        shape.remove(along.axis());
        results.iter_mut().for_each(|y| *y = b.reshape(*y, shape.clone()));
    }
    Ok(Arg::List(results.into_iter().map(Arg::Tensor).collect()))
}

fn reference(_: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let mut places: Vec<usize> = (0..x[0].len()).collect();
    places.sort_by(|&i, &j| sort::order(x[0][i], x[0][j]));
    let middle = || places.get(places.len().saturating_sub(1) / 2).copied();
    let Some(place) = x[0].iter().position(|x| x.f64().is_nan()).or_else(middle) else { return };
    (y[0][0], y[1][0]) = (x[0][place], Number::Int(place as i64));
}
