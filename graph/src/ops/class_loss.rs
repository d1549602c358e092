//! Losses of class numbers: `cross_entropy` of scores, `nll_loss` of logarithms.

use super::loss::{REDUCTION, reduced};
use super::reduce::mean_over;
use super::{Operator, pointwise::detach, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, named, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::scalar::{Binary, Reduction, Unary};
use crate::size::Size;
use crate::types::{DType, Type, shape_text};

const X: Param = required("input", Kind::Tensor);
const TARGET: Param = required("target", Kind::Tensor);
const WEIGHT: Param = optional("weight", Kind::Tensor, "None");
const IGNORE: Param = named("ignore_index", Kind::Int, "-100");
/// PyTorch's `ignore_index`.
const IGNORED: i64 = -100;

/// The losses of classes.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "cross_entropy",
        doc: "-log softmax(input)[target] along `dim`, the axis of the classes: the mean over all targets, or as `reduction` says (\"sum\", \"none\"). `weight` has a factor for each class, by whose sum the mean divides. A target of `ignore_index` counts for nothing; any other that is no class is an error of the call. A target of floats, in the shape of the input, has a probability for each class.",
        signature: &[
            X,
            TARGET,
            WEIGHT,
            IGNORE,
            REDUCTION,
            named("label_smoothing", Kind::Float, "0.0"),
            named("dim", Kind::Int, "1"),
        ],
        build: cross_entropy,
    },
    Operator {
        name: "nll_loss",
        doc: "-input[target] along axis 1, the axis of the classes: `cross_entropy` of what is a logarithm already.",
        signature: &[X, TARGET, WEIGHT, IGNORE, REDUCTION],
        build: |b, bound| {
            let classes = classes(b, bound, None)?;
            let x = classes.x;
            let chosen = classes.at_target(b, x)?;
            let losses = b.unary(Unary::Neg, chosen);
            classes.mean(b, bound, losses)
        },
    },
];

/// Scores and the classes that are right.
struct Classes {
    x: Value,
    axis: usize,
    /// Whether a class is the target, in the shape of the scores.
    chosen: Value,
    /// The factor of each class, in the shape of the scores.
    weight: Option<Value>,
    /// Whether a target counts, in the shape of the scores but for 1 on their axis; all, if there is none.
    counts: Option<Value>,
}

/// The operands, checked; the axis of the classes is `dim`, else 1 (0 of PyTorch's one-dimensional form: one row of scores).
fn classes(b: &mut Builder, bound: &Bound, dim: Option<usize>) -> Checked<Classes> {
    let x = float(b, bound, 0)?;
    let rank = b.rank(x);
    let given = dim.and_then(|slot| bound.int(slot)).unwrap_or(if rank == 1 { 0 } else { 1 });
    let axis = bound.axis(b, dim.unwrap_or(0), given, rank)?;
    let target = bound.tensor(b, 1, None);
    let (shape, mut rows) = (b.shape(x), b.shape(x));
    rows.remove(axis);
    let ty = b.ty(target).clone();
    let callee = &bound.callee;
    if !ty.dtype.is_int() {
        let message = format!("`{callee}` needs targets of an integer type, found {ty}");
        return bound.wrong(b, "N0206", 1, message, "targets are class numbers: `u8[N]`, `i64[N]` …");
    }
    if ty.shape != rows {
        let made = b.made_by(x);
        let message = format!(
            "`{callee}` has scores {} with the classes on axis {axis}, so targets must be {}, found {}",
            shape_text(&shape),
            shape_text(&rows),
            shape_text(&ty.shape)
        );
        let d = Diagnostic::new("N0102", bound.at(1), message)
            .note(b.made_at(x), format!("the scores come from `{made}`"))
            .note(b.made_at(target), format!("the targets come from `{}`", b.made_by(target)))
            .help("give one class number a row, or name the axis of the classes: `dim = -1`");
        return b.report(d);
    }
    // Of unsigned targets none is negative.
    let signed = !matches!(ty.dtype, DType::U8 | DType::U32);
    let ignored = bound.int(3).or_else(|| signed.then_some(IGNORED));
    b.numbers_below_or(target, &shape[axis], ignored, bound.at(1))?;
    let mut kept = shape.clone();
    kept[axis] = 1.into();
    // There may be more classes than the type of the targets counts.
    let class = b.push(Op::Iota(axis), vec![], Type::new(DType::I64, shape.clone()));
    let target = b.cast(target, DType::I64);
    let target = b.reshape(target, kept);
    let chosen = b.binary(Binary::Eq, class, target)?;
    let weight = factors(b, bound, &shape, axis)?;
    let counts = ignored.map(|ignored| b.binary_const(Binary::Ne, target, ignored));
    Ok(Classes { x, axis, chosen, weight, counts })
}

/// The factor of each class, in the shape of the scores.
fn factors(b: &mut Builder, bound: &Bound, shape: &[Size], axis: usize) -> Checked<Option<Value>> {
    if bound.arg(2).is_none() {
        return Ok(None);
    }
    let weight = float(b, bound, 2)?;
    if b.shape(weight) != shape[axis..=axis] {
        let (found, classes) = (shape_text(&b.shape(weight)), &shape[axis]);
        let message = format!("`{}` has {classes} classes and weights {found}", bound.callee);
        return bound.wrong(b, "N0102", 2, message, format!("give a weight for each class: [{classes}]"));
    }
    let mut along = vec![1.into(); shape.len()];
    along[axis] = shape[axis].clone();
    let weight = b.reshape(weight, along);
    Ok(Some(b.broadcast_to(weight, shape)))
}

impl Classes {
    /// What stands at the target, times the weight of its class; the axis of the classes stays with size 1.
    fn at_target(&self, b: &mut Builder, x: Value) -> Checked<Value> {
        let x = match self.weight {
            Some(weight) => b.binary(Binary::Mul, x, weight)?,
            None => x,
        };
        self.pick(b, x)
    }

    fn pick(&self, b: &mut Builder, x: Value) -> Checked<Value> {
        let zero = b.constant(0.0, b.graph.dtype(x));
        let at_target = b.select(self.chosen, x, zero)?;
        Ok(b.reduce(Reduction::Sum, at_target, &[self.axis], true))
    }

    /// 0 for targets that do not count.
    fn counted(&self, b: &mut Builder, x: Value) -> Checked<Value> {
        let Some(counts) = self.counts else { return Ok(x) };
        let zero = b.constant(0.0, b.graph.dtype(x));
        b.select(counts, x, zero)
    }

    /// The losses, a number for each target, as `reduction` says. The mean divides by the weights of those that count.
    fn mean(&self, b: &mut Builder, bound: &Bound, losses: Value) -> Checked<Arg> {
        let losses = self.counted(b, losses)?;
        let mut rows = b.shape(losses);
        rows.remove(self.axis);
        let losses = b.reshape(losses, rows);
        if bound.text(4).is_some_and(|r| r != "mean") || (self.weight.is_none() && self.counts.is_none()) {
            return reduced(b, bound, losses, 4);
        }
        let weight = match (self.weight, self.counts) {
            (Some(weight), _) => self.pick(b, weight)?,
            (None, Some(counts)) => b.cast(counts, b.graph.dtype(losses)),
            (None, None) => b.full(1.0, losses),
        };
        let weight = self.counted(b, weight)?;
        let sum = |b: &mut Builder, x: Value| {
            let axes: Vec<_> = (0..b.rank(x)).collect();
            b.reduce(Reduction::Sum, x, &axes, false)
        };
        let (total, weight) = (sum(b, losses), sum(b, weight));
        b.binary(Binary::Div, total, weight).map(Arg::Tensor)
    }
}

/// Built of primitives so that one kernel makes the losses *and* the gradient of the scores: with s = x - max x (the maximum is held
/// constant: its gradient cancels), loss = log Σ exp(s) - s\[target\], gradient = exp(s) / Σ exp(s) - onehot.
///
/// With smoothing ε over C classes: (1 - ε) times that, and ε / C times the sum of what it is for each class.
fn cross_entropy(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let smoothing = bound.float(5).unwrap_or(0.0);
    if !(0.0..=1.0).contains(&smoothing) {
        let message = format!("`cross_entropy` with label_smoothing = {smoothing}: it lies between 0 and 1");
        return bound.wrong(b, "N0306", 5, message, "write `label_smoothing = 0.1`");
    }
    let target = bound.tensor(b, 1, None);
    if b.graph.dtype(target).is_float() {
        return of_probabilities(b, bound, target, smoothing);
    }
    let classes = classes(b, bound, Some(6))?;
    let (x, axis) = (classes.x, classes.axis);
    let (shifted, log_sum) = logarithms(b, x, axis)?;
    let mut losses = match classes.weight {
        None => {
            let at_target = classes.pick(b, shifted)?;
            b.binary(Binary::Sub, log_sum, at_target)?
        }
        Some(_) => {
            let losses = b.binary(Binary::Sub, log_sum, shifted)?;
            classes.at_target(b, losses)?
        }
    };
    if smoothing > 0.0 {
        let mut each = b.binary(Binary::Sub, log_sum, shifted)?;
        if let Some(weight) = classes.weight {
            each = b.binary(Binary::Mul, each, weight)?;
        }
        let each = mean_over(b, each, &[axis], true);
        let smooth = b.binary_const(Binary::Mul, each, smoothing);
        let rest = b.binary_const(Binary::Mul, losses, 1.0 - smoothing);
        losses = b.binary(Binary::Add, rest, smooth)?;
    }
    classes.mean(b, bound, losses)
}

/// s = x - max x, and log Σ exp(s).
fn logarithms(b: &mut Builder, x: Value, axis: usize) -> Checked<(Value, Value)> {
    let max = b.reduce(Reduction::Max, x, &[axis], true);
    let max = detach(b, max);
    let shifted = b.binary(Binary::Sub, x, max)?;
    let exp = b.unary(Unary::Exp, shifted);
    let sum = b.reduce(Reduction::Sum, exp, &[axis], true);
    Ok((shifted, b.unary(Unary::Log, sum)))
}

/// -Σ weight · target · log softmax(input) over the classes; the mean is that over the rows, whatever the weights are.
fn of_probabilities(b: &mut Builder, bound: &Bound, target: Value, smoothing: f64) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let shape = b.shape(x);
    let given = bound.int(6).unwrap_or(if shape.len() == 1 { 0 } else { 1 });
    let axis = bound.axis(b, 6, given, shape.len())?;
    if b.shape(target) != shape {
        let (scores, found) = (shape_text(&shape), shape_text(&b.shape(target)));
        let message = format!("`cross_entropy` has scores {scores} and class probabilities {found}");
        let d = Diagnostic::new("N0102", bound.at(1), message)
            .note(b.made_at(x), format!("the scores come from `{}`", b.made_by(x)))
            .note(b.made_at(target), format!("the probabilities come from `{}`", b.made_by(target)))
            .help("give a probability for each score, or class numbers of an integer type");
        return b.report(d);
    }
    if bound.int(3).is_some() {
        let message = "`cross_entropy` of class probabilities has no class number to ignore";
        return bound.wrong(b, "N0306", 3, message, "leave `ignore_index` out; a row of zeros counts for nothing");
    }
    let weight = factors(b, bound, &shape, axis)?;
    let (shifted, log_sum) = logarithms(b, x, axis)?;
    let mut target = target;
    if smoothing > 0.0 {
        let dtype = b.graph.dtype(x);
        let classes = b.push(Op::Size(shape[axis].clone()), vec![], Type::new(dtype, vec![]));
        let even = b.constant(smoothing, dtype);
        let even = b.binary(Binary::Div, even, classes)?;
        let rest = b.binary_const(Binary::Mul, target, 1.0 - smoothing);
        target = b.binary(Binary::Add, rest, even)?;
    }
    if let Some(weight) = weight {
        target = b.binary(Binary::Mul, target, weight)?;
    }
    let each = b.binary(Binary::Sub, log_sum, shifted)?;
    let each = b.binary(Binary::Mul, each, target)?;
    let losses = b.reduce(Reduction::Sum, each, &[axis], false);
    reduced(b, bound, losses, 4)
}
