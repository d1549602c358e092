//! Logarithms of the sums of all exponentials up to each element, without overflow; the other way: from each on.

use super::along::{Along, PLAIN, X};
use super::{Made, Rule, neighbours, row};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, required};
use crate::graph::{Call, Value};
use crate::number::Number;
use crate::ops::{Operator, float};
use crate::routine::Routine;
use crate::scalar::{Binary, Unary};

pub(super) const RULE: Rule = Rule { gradient, flops: |operands| &row(operands[0]) * &4.into(), reference, ..PLAIN };

pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "logcumsumexp",
    doc: "For each element log Σ exp(x) over all up to it along `dim`, without overflow.",
    signature: &[X, required("dim", Kind::Int)],
    build: logcumsumexp,
}];

fn logcumsumexp(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let along = Along::of(b, bound, 1, 0, x)?;
    Ok(Arg::Tensor(along.call(b, Routine::Logcumsumexp, false, None, &[x])[0]))
}

/// dx_i = exp(x_i - y_i) · S_i, with S_i = g_i + exp(y_i - y_{i + 1}) · S_{i + 1}: sums grow, so no factor is above 1.
fn gradient(b: &mut Builder, made: &Made) -> Vec<(usize, Value)> {
    let Some(g) = made.cotangents[0] else { return vec![] };
    let (x, y, reverse) = (made.operands[0], made.results[0], made.call.reverse);
    let exp_below = |b: &mut Builder, above: Value| {
        let below = b.pointwise(Binary::Sub, y, above);
        b.unary(Unary::Exp, below)
    };
    let next = neighbours(b, y, !reverse, f64::INFINITY);
    let kept = exp_below(b, next);
    let back = Call { routine: Routine::Recurrence, reverse: !reverse, length: None };
    let sums = b.routine(back, vec![kept, g])[0];
    let own = b.pointwise(Binary::Sub, x, y);
    let own = b.unary(Unary::Exp, own);
    vec![(0, b.pointwise(Binary::Mul, own, sums))]
}

/// log(exp(a) + exp(b)).
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a.is_nan() || b.is_nan() { (f64::NAN, f64::NAN) } else { (a.min(b), a.max(b)) };
    if low == high && low.is_infinite() { low } else { high + (low - high).exp().ln_1p() }
}

fn reference(reverse: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    let mut total = f64::NEG_INFINITY;
    for i in 0..x[0].len() {
        let i = if reverse { x[0].len() - 1 - i } else { i };
        total = log_add(total, x[0][i].f64());
        y[0][i] = total.into();
    }
}
