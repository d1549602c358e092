//! Losses, element by element: distances, cross entropies of probabilities; and how they become one number.

use super::reduce::mean_over;
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::scalar::{Binary, Reduction, Unary};
use crate::types::{DType, broadcast, shape_text};

const X: Param = required("input", Kind::Tensor);
const TARGET: Param = required("target", Kind::Tensor);
const WEIGHT: Param = optional("weight", Kind::Tensor, "None");
/// What becomes of the losses: `"mean"`, `"sum"`, `"none"`.
pub(super) const REDUCTION: Param = optional("reduction", Kind::Text, "\"mean\"");

/// The losses.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "mse_loss",
        doc: "(input - target)²; `reduction` is \"mean\", \"sum\" or \"none\", here and below.",
        signature: &[X, TARGET, REDUCTION],
        build: |b, bound| {
            let d = difference(b, bound)?;
            let losses = b.binary(Binary::Mul, d, d)?;
            reduced(b, bound, losses, 2)
        },
    },
    Operator {
        name: "l1_loss",
        doc: "|input - target|.",
        signature: &[X, TARGET, REDUCTION],
        build: |b, bound| {
            let d = difference(b, bound)?;
            let losses = b.unary(Unary::Abs, d);
            reduced(b, bound, losses, 2)
        },
    },
    Operator {
        name: "smooth_l1_loss",
        doc: "d² / (2 beta) of the difference d where |d| < beta, else |d| - beta / 2.",
        signature: &[X, TARGET, REDUCTION, optional("beta", Kind::Float, "1.0")],
        build: |b, bound| {
            let beta = at_least(b, bound, 3, 0.0)?;
            let d = difference(b, bound)?;
            let distance = b.unary(Unary::Abs, d);
            if beta == 0.0 {
                return reduced(b, bound, distance, 2);
            }
            bowl(b, bound, d, beta, 1.0 / beta)
        },
    },
    Operator {
        name: "huber_loss",
        doc: "d² / 2 of the difference d where |d| < delta, else delta · (|d| - delta / 2).",
        signature: &[X, TARGET, REDUCTION, optional("delta", Kind::Float, "1.0")],
        build: |b, bound| {
            let delta = at_least(b, bound, 3, f64::MIN_POSITIVE)?;
            let d = difference(b, bound)?;
            bowl(b, bound, d, delta, 1.0)
        },
    },
    Operator {
        name: "binary_cross_entropy",
        doc: "-weight · (target · log(input) + (1 - target) · log(1 - input)) of probabilities; logarithms are held at -100, where no gradient flows.",
        signature: &[X, TARGET, WEIGHT, REDUCTION],
        build: binary_cross_entropy,
    },
    Operator {
        name: "binary_cross_entropy_with_logits",
        doc: "The same of sigmoid(input), without overflow; `pos_weight` is a factor of the part with `target`.",
        signature: &[X, TARGET, WEIGHT, REDUCTION, optional("pos_weight", Kind::Tensor, "None")],
        build: with_logits,
    },
    Operator {
        name: "kl_div",
        doc: "target · (log(target) - input), where the input is a logarithm; with `log_target` the target is one, too. `reduction = \"batchmean\"`: the sum, divided by the first size.",
        signature: &[X, TARGET, REDUCTION, optional("log_target", Kind::Bool, "false")],
        build: kl_div,
    },
];

/// Input and target, of one shape.
fn pair(b: &mut Builder, bound: &Bound) -> Checked<(Value, Value)> {
    let (x, y) = (float(b, bound, 0)?, float(b, bound, 1)?);
    if b.shape(x) == b.shape(y) {
        return Ok((x, y));
    }
    let (a, c) = (shape_text(&b.shape(x)), shape_text(&b.shape(y)));
    let message = format!("`{}` compares {a} with {c}: the shapes must be equal", bound.callee);
    let d = Diagnostic::new("N0102", bound.at(1), message)
        .note(b.made_at(x), format!("the input, {a}, comes from `{}`", b.made_by(x)))
        .note(b.made_at(y), format!("the target, {c}, comes from `{}`", b.made_by(y)))
        .help("reshape one of them");
    b.report(d)
}

fn difference(b: &mut Builder, bound: &Bound) -> Checked<Value> {
    let (x, y) = pair(b, bound)?;
    b.binary(Binary::Sub, x, y)
}

/// A number of at least `least`; 1 if it was left out.
fn at_least(b: &mut Builder, bound: &Bound, slot: usize, least: f64) -> Checked<f64> {
    match bound.float(slot).unwrap_or(1.0) {
        c if c >= least => Ok(c),
        c => {
            let message = format!("`{}` with a width of {c}", bound.callee);
            bound.wrong(b, "N0306", slot, message, "differences below it are squared: give a positive number")
        }
    }
}

/// `slope · d² / 2` up to `width`, then a line that goes on as steeply.
fn bowl(b: &mut Builder, bound: &Bound, d: Value, width: f64, slope: f64) -> Checked<Arg> {
    let distance = b.unary(Unary::Abs, d);
    let near = b.binary_const(Binary::Lt, distance, width);
    let square = b.binary(Binary::Mul, d, d)?;
    let square = b.binary_const(Binary::Mul, square, 0.5 * slope);
    let line = b.binary_const(Binary::Sub, distance, 0.5 * width);
    let line = b.binary_const(Binary::Mul, line, width * slope);
    let losses = b.select(near, square, line)?;
    reduced(b, bound, losses, 2)
}

/// The losses as `reduction` (argument `slot`) says.
pub(super) fn reduced(b: &mut Builder, bound: &Bound, losses: Value, slot: usize) -> Checked<Arg> {
    let axes: Vec<_> = (0..b.rank(losses)).collect();
    let value = match bound.text(slot).unwrap_or("mean") {
        "mean" => mean_over(b, losses, &axes, false),
        "sum" => b.reduce(Reduction::Sum, losses, &axes, false),
        "none" => losses,
        other => return unknown_reduction(b, bound, slot, other),
    };
    Ok(Arg::Tensor(value))
}

/// The mistake of another `reduction`.
pub(super) fn unknown_reduction<T>(b: &mut Builder, bound: &Bound, slot: usize, found: &str) -> Checked<T> {
    let message = format!("`{}` has no reduction {found:?}", bound.callee);
    let known = if bound.callee == "kl_div" { "\"batchmean\", " } else { "" };
    bound.wrong(b, "N0306", slot, message, format!("write {known}\"mean\", \"sum\" or \"none\""))
}

/// Losses times the weights of argument `slot`, if there are some; they broadcast.
fn weighted(b: &mut Builder, bound: &Bound, losses: Value, slot: usize) -> Checked<Value> {
    match factor(b, bound, losses, slot)? {
        Some(weight) => b.binary(Binary::Mul, losses, weight),
        None => Ok(losses),
    }
}

/// The tensor of argument `slot`, if given, which must broadcast to the shape of the losses.
fn factor(b: &mut Builder, bound: &Bound, losses: Value, slot: usize) -> Checked<Option<Value>> {
    if bound.arg(slot).is_none() {
        return Ok(None);
    }
    let (weight, shape) = (float(b, bound, slot)?, b.shape(losses));
    if broadcast(&shape, b.graph.shape(weight)).as_ref() == Some(&shape) {
        return Ok(Some(weight));
    }
    let (found, wanted) = (shape_text(&b.shape(weight)), shape_text(&shape));
    let d =
        Diagnostic::new("N0101", bound.at(slot), format!("`{}` has losses {wanted} and weights {found}", bound.callee))
            .note(b.made_at(weight), format!("{found} comes from `{}`", b.made_by(weight)))
            .help("axes meet from the right: each is equal to that of the losses, or 1");
    b.report(d)
}

/// log(x), held at -100; safe for the gradient where x is 0.
fn held_log(b: &mut Builder, x: Value) -> Checked<Value> {
    let positive = b.binary_const(Binary::Gt, x, 0.0);
    let one = b.constant(1.0, DType::F32);
    let safe = b.select(positive, x, one)?;
    let log = b.unary(Unary::Log, safe);
    let log = b.binary_const(Binary::Max, log, -100.0);
    let least = b.constant(-100.0, DType::F32);
    b.select(positive, log, least)
}

fn binary_cross_entropy(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, y) = pair(b, bound)?;
    let one = b.full(1.0, x);
    let (not_x, not_y) = (b.binary(Binary::Sub, one, x)?, b.binary(Binary::Sub, one, y)?);
    let (log, log_not) = (held_log(b, x)?, held_log(b, not_x)?);
    let (yes, no) = (b.binary(Binary::Mul, y, log)?, b.binary(Binary::Mul, not_y, log_not)?);
    let sum = b.binary(Binary::Add, yes, no)?;
    let losses = b.unary(Unary::Neg, sum);
    let losses = weighted(b, bound, losses, 2)?;
    reduced(b, bound, losses, 3)
}

/// (1 - y) · x + (1 + (pos_weight - 1) · y) · log(1 + e⁻ˣ); the last with m = max(-x, 0), held constant, as m + log(e⁻ᵐ + e⁻ˣ⁻ᵐ), whose gradient
/// is exact everywhere.
fn with_logits(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, y) = pair(b, bound)?;
    let ty = b.ty(x).clone();
    let minus = b.unary(Unary::Neg, x);
    let m = b.binary_const(Binary::Max, minus, 0.0);
    let m = b.push(Op::Detach, vec![m], ty);
    let minus_m = b.unary(Unary::Neg, m);
    let rest = b.binary(Binary::Sub, minus, m)?;
    let (left, right) = (b.unary(Unary::Exp, minus_m), b.unary(Unary::Exp, rest));
    let sum = b.binary(Binary::Add, left, right)?;
    let log = b.unary(Unary::Log, sum);
    let mut softplus = b.binary(Binary::Add, m, log)?;
    if let Some(positive) = factor(b, bound, x, 4)? {
        let more = b.binary_const(Binary::Sub, positive, 1.0);
        let more = b.binary(Binary::Mul, y, more)?;
        let weight = b.binary_const(Binary::Add, more, 1.0);
        softplus = b.binary(Binary::Mul, softplus, weight)?;
    }
    let one = b.full(1.0, y);
    let not_y = b.binary(Binary::Sub, one, y)?;
    let line = b.binary(Binary::Mul, not_y, x)?;
    let losses = b.binary(Binary::Add, line, softplus)?;
    let losses = weighted(b, bound, losses, 2)?;
    reduced(b, bound, losses, 3)
}

fn kl_div(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, y) = pair(b, bound)?;
    let losses = match bound.bool(3).unwrap_or(false) {
        true => {
            let (p, d) = (b.unary(Unary::Exp, y), b.binary(Binary::Sub, y, x)?);
            b.binary(Binary::Mul, p, d)?
        }
        false => {
            // 0 · log(0) is 0.
            let positive = b.binary_const(Binary::Gt, y, 0.0);
            let (zero, one) = (b.constant(0.0, DType::F32), b.constant(1.0, DType::F32));
            let safe = b.select(positive, y, one)?;
            let log = b.unary(Unary::Log, safe);
            let own = b.binary(Binary::Mul, y, log)?;
            let own = b.select(positive, own, zero)?;
            let cross = b.binary(Binary::Mul, y, x)?;
            b.binary(Binary::Sub, own, cross)?
        }
    };
    if bound.text(2) != Some("batchmean") {
        return reduced(b, bound, losses, 2);
    }
    let axes: Vec<_> = (1..b.rank(losses)).collect();
    let rows = b.reduce(Reduction::Sum, losses, &axes, false);
    let axes: Vec<_> = (0..b.rank(rows)).collect();
    Ok(Arg::Tensor(mean_over(b, rows, &axes, false)))
}
