//! Losses, element by element: distances, cross entropies of probabilities; and how they become one number.

use super::reduce::mean_over;
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, named, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::scalar::{Binary, Reduction, Unary};
use crate::types::{broadcast, shape_text};

const X: Param = required("input", Kind::Tensor);
const TARGET: Param = required("target", Kind::Tensor);
const WEIGHT: Param = optional("weight", Kind::Tensor, "None");
/// What becomes of the losses: `"mean"`, `"sum"`, `"none"`.
pub(super) const REDUCTION: Param = named("reduction", Kind::Text, "\"mean\"");

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
        signature: &[X, TARGET, REDUCTION, named("beta", Kind::Float, "1.0")],
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
        signature: &[X, TARGET, REDUCTION, named("delta", Kind::Float, "1.0")],
        build: |b, bound| {
            let delta = at_least(b, bound, 3, f64::MIN_POSITIVE)?;
            let d = difference(b, bound)?;
            bowl(b, bound, d, delta, 1.0)
        },
    },
    Operator {
        name: "binary_cross_entropy",
        doc: "-weight · (target · log(input) + (1 - target) · log(1 - input)) of probabilities; logarithms are held at -100, and the gradient is (input - target) / max(input · (1 - input), 1e-12).",
        signature: &[X, TARGET, WEIGHT, REDUCTION],
        build: binary_cross_entropy,
    },
    Operator {
        name: "binary_cross_entropy_with_logits",
        doc: "The same of sigmoid(input), without overflow; `pos_weight` is a factor of the part with `target`.",
        signature: &[X, TARGET, WEIGHT, REDUCTION, named("pos_weight", Kind::Tensor, "None")],
        build: with_logits,
    },
    Operator {
        name: "kl_div",
        doc: "target · (log(target) - input), where the input is a logarithm; with `log_target` the target is one, too. `reduction = \"batchmean\"`: the sum, divided by the first size.",
        signature: &[X, TARGET, REDUCTION, named("log_target", Kind::Bool, "false")],
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

/// `slope · d² / 2` up to `width`, then a line that goes on as steeply: `slope · z · (|d| - z / 2)` with z = min(|d|, width).
fn bowl(b: &mut Builder, bound: &Bound, d: Value, width: f64, slope: f64) -> Checked<Arg> {
    let distance = b.unary(Unary::Abs, d);
    let held = b.binary_const(Binary::Min, distance, width);
    let half = b.binary_const(Binary::Mul, held, 0.5);
    let rest = b.binary(Binary::Sub, distance, half)?;
    let product = b.binary(Binary::Mul, held, rest)?;
    let losses = b.binary_const(Binary::Mul, product, slope);
    // The slope is that of a square up to the width, its gradient 0 behind it.
    let clamped = b.binary_const(Binary::Max, d, -width);
    let clamped = b.binary_const(Binary::Min, clamped, width);
    let along = b.binary_const(Binary::Mul, clamped, slope);
    let losses = b.with_slopes(losses, &[(d, along)]);
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

/// log(x), held at -100.
fn held_log(b: &mut Builder, x: Value) -> Value {
    let log = b.unary(Unary::Log, x);
    b.binary_const(Binary::Max, log, -100.0)
}

fn binary_cross_entropy(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, y) = pair(b, bound)?;
    let one = b.full(1.0, x);
    let (not_x, not_y) = (b.binary(Binary::Sub, one, x)?, b.binary(Binary::Sub, one, y)?);
    let (log, log_not) = (held_log(b, x), held_log(b, not_x));
    let (yes, no) = (b.binary(Binary::Mul, y, log)?, b.binary(Binary::Mul, not_y, log_not)?);
    let sum = b.binary(Binary::Add, yes, no)?;
    let losses = b.unary(Unary::Neg, sum);
    // PyTorch's: (x - y) / max(x · (1 - x), 1e-12), finite also at 0 and 1.
    let (difference, spread) = (b.binary(Binary::Sub, x, y)?, b.binary(Binary::Mul, x, not_x)?);
    let spread = b.binary_const(Binary::Max, spread, 1e-12);
    let slope = b.binary(Binary::Div, difference, spread)?;
    let of_target = b.binary(Binary::Sub, log_not, log)?;
    let losses = b.with_slopes(losses, &[(x, slope), (y, of_target)]);
    let losses = weighted(b, bound, losses, 2)?;
    reduced(b, bound, losses, 3)
}

/// (1 - y) · x + (1 + (pos_weight - 1) · y) · log(1 + e⁻ˣ), the last as max(-x, 0) + log(1 + exp(-|x|)). The slopes are written by the sigmoid,
/// which is finite everywhere.
fn with_logits(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, y) = pair(b, bound)?;
    let minus = b.unary(Unary::Neg, x);
    let (steep, size) = (b.binary_const(Binary::Max, minus, 0.0), b.unary(Unary::Abs, x));
    let size = b.unary(Unary::Neg, size);
    let exp = b.unary(Unary::Exp, size);
    let sum = b.binary_const(Binary::Add, exp, 1.0);
    let log = b.unary(Unary::Log, sum);
    let softplus = b.binary(Binary::Add, steep, log)?;
    let one = b.full(1.0, y);
    let not_y = b.binary(Binary::Sub, one, y)?;
    let line = b.binary(Binary::Mul, not_y, x)?;
    // By what the loss is made of, so that one kernel makes both: 1 / (1 + e⁻|ˣ|), or e⁻|ˣ| of that where x < 0. |x| has no slope at 0, so the sigmoid brings its own.
    let (below, one) = (b.binary_const(Binary::Gt, steep, 0.0), b.full(1.0, x));
    let numerator = b.select(below, exp, one)?;
    let sigmoid = b.binary(Binary::Div, numerator, sum)?;
    let of_sigmoid = b.unary(Unary::Sigmoid, x);
    let rest = b.binary(Binary::Sub, one, of_sigmoid)?;
    let of_sigmoid = b.binary(Binary::Mul, of_sigmoid, rest)?;
    let sigmoid = b.with_slopes(sigmoid, &[(x, of_sigmoid)]);
    let losses = match factor(b, bound, x, 4)? {
        None => {
            let losses = b.binary(Binary::Add, line, softplus)?;
            let slope = b.binary(Binary::Sub, sigmoid, y)?;
            b.with_slopes(losses, &[(x, slope), (y, minus)])
        }
        Some(positive) => {
            let (more, taken) = (b.binary_const(Binary::Sub, positive, 1.0), b.binary(Binary::Mul, y, positive)?);
            let more_of_y = b.binary(Binary::Mul, y, more)?;
            let weight = b.binary_const(Binary::Add, more_of_y, 1.0);
            let weighted = b.binary(Binary::Mul, softplus, weight)?;
            let losses = b.binary(Binary::Add, line, weighted)?;
            // For x: (1 - y + p · y) · σ - p · y.
            let along = b.binary(Binary::Mul, weight, sigmoid)?;
            let slope = b.binary(Binary::Sub, along, taken)?;
            let of_target = b.binary(Binary::Mul, more, softplus)?;
            let of_target = b.binary(Binary::Sub, of_target, x)?;
            let of_positive = b.binary(Binary::Mul, y, softplus)?;
            b.with_slopes(losses, &[(x, slope), (y, of_target), (positive, of_positive)])
        }
    };
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
            let nothing = b.binary_const(Binary::Eq, y, 0.0);
            let [zero, one] = [0.0, 1.0].map(|c| b.constant(c, b.graph.dtype(y)));
            let safe = b.select(nothing, one, y)?;
            let log = b.unary(Unary::Log, safe);
            let own = b.binary(Binary::Mul, y, log)?;
            let own = b.select(nothing, zero, own)?;
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
