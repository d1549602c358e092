//! s_i = b_i + a_i · s_{i - 1}, from 0 on; the other way: from the last element on. What the gradients of running products are made of.

use super::along::PLAIN;
use super::{Made, Rule, row};
use crate::builder::Builder;
use crate::graph::{Call, Value};
use crate::number::Number;
use crate::ops::Operator;
use crate::routine::Routine;
use crate::scalar::Binary;
use crate::size::Size;

pub(super) const RULE: Rule = Rule {
    results: |_, operands| match operands[0] == operands[1] {
        true => Ok(vec![operands[0].clone()]),
        false => Err(format!("`recurrence` of {} and {}", operands[0], operands[1])),
    },
    gradient,
    flops: |operands| &row(operands[0]) * &2.into(),
    reference,
    ..PLAIN
};

pub(super) const OPERATORS: &[Operator] = &[];

/// With D_i = g_i + a_{i + 1} · D_{i + 1}: db = D, and da_i = D_i · s_{i - 1}.
fn gradient(b: &mut Builder, made: &Made) -> Vec<(usize, Value)> {
    let Some(g) = made.cotangents[0] else { return vec![] };
    let carried = carried(b, made.call.reverse, made.operands[0], g);
    let before = neighbours(b, made.results[0], made.call.reverse, 0.0);
    vec![(0, b.pointwise(Binary::Mul, carried, before)), (1, carried)]
}

/// The gradients of y_i = a_i · y_{i - 1} + …, that of each y through all that follow.
pub(super) fn carried(b: &mut Builder, reverse: bool, a: Value, g: Value) -> Value {
    let behind = neighbours(b, a, !reverse, 0.0);
    let back = Call { routine: Routine::Recurrence, reverse: !reverse, length: None };
    b.routine(back, vec![behind, g])[0]
}

/// For each element of a row the one before it (`behind`: after it), and `fill` where there is none.
pub(crate) fn neighbours(b: &mut Builder, x: Value, behind: bool, fill: f64) -> Value {
    let shape = b.shape(x);
    let axis = shape.len() - 1;
    if shape[axis].is(1) {
        return b.full(fill, x);
    }
    let one = Size::constant(1);
    let rest = &shape[axis] - &one;
    let start = if behind { one.clone() } else { Size::default() };
    let part = b.slice(x, axis, start, rest);
    let mut before = vec![Size::default(); shape.len()];
    before[axis] = if behind { Size::default() } else { one };
    b.pad(part, before, shape, fill)
}

fn reference(reverse: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let mut total = 0.0;
    for i in 0..x[0].len() {
        let i = if reverse { x[0].len() - 1 - i } else { i };
        total = x[1][i].f64() + x[0][i].f64() * total;
        y[0][i] = total.into();
    }
}
