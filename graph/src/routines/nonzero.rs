//! Where a row is not 0, as many places as there is room for, and how many there are.

use super::Rule;
use super::along::{PLAIN, X};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, named};
use crate::graph::{Call, Op, Value};
use crate::number::Number;
use crate::ops::Operator;
use crate::routine::Routine;
use crate::rules::{self, Relation};
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{DType, Type};

pub(super) const RULE: Rule = Rule {
    results: |length, operands| {
        let Some(length) = length else { return Err("`nonzero` of nobody knows how many places".into()) };
        let mut rows = operands[0].shape.to_vec();
        rows.pop();
        let ty = |last: Size| Type::new(DType::I64, [&rows[..], &[last]].concat());
        Ok(vec![ty(length.clone()), ty(1.into())])
    },
    reference,
    ..PLAIN
};

pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "nonzero",
    doc: "`(indices, count)`: the indices of the elements that are not 0, in row-major order, as i64[size, axes], and how many there are, as i64. How many is not known at build: there is room for `size` of them, what is left is 0.",
    signature: &[X, named("size", Kind::Size, "all")],
    build: nonzero,
}];

fn nonzero(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let shape = b.shape(x);
    let all = Size::product(&shape);
    let size = bound.size(1).unwrap_or_else(|| all.clone());
    if !b.require(rules::Rule::new(size.clone(), Relation::AtLeast, 1.into()), format!("has room for {size}")) {
        let message = format!("`nonzero` with size = {size}");
        return bound.wrong(b, "N0306", 1, message, "there must be room for at least 1");
    }
    let flat = b.reshape(x, vec![all]);
    let call = Call { routine: Routine::Nonzero, reverse: false, length: Some(size.clone()) };
    let results = b.routine(call, vec![flat]);
    let mut columns = vec![];
    for axis in 0..shape.len() {
        let behind = everywhere(b, &Size::product(&shape[axis + 1..]), results[0]);
        let column = b.pointwise(Binary::FloorDivide, results[0], behind);
        let own = everywhere(b, &shape[axis], results[0]);
        let column = b.pointwise(Binary::Rem, column, own);
        columns.push(b.reshape(column, vec![size.clone(), 1.into()]));
    }
    let indices = match columns.is_empty() {
        true => b.reshape(results[0], vec![size, 1.into()]),
        false => b.cat(&columns, 1),
    };
    let count = b.reshape(results[1], vec![]);
    Ok(Arg::List(vec![Arg::Tensor(indices), Arg::Tensor(count)]))
}

/// A size in the shape of `like`, as i64.
fn everywhere(b: &mut Builder, size: &Size, like: Value) -> Value {
    let number = match size.as_const() {
        Some(number) => b.constant(number, DType::I64),
        None => b.push(Op::Size(size.clone()), vec![], Type::new(DType::I64, vec![])),
    };
    let shape = b.shape(like);
    b.broadcast_to(number, &shape)
}

fn reference(_: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let places: Vec<usize> = (0..x[0].len()).filter(|&i| x[0][i].f64() != 0.0).collect();
    y[1][0] = Number::Int(places.len() as i64);
    y[0].iter_mut().zip(places).for_each(|(y, place)| *y = Number::Int(place as i64));
}
