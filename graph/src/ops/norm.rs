//! Normalisation: mean 0 and variance 1 over some axes, then a scale and a shift. Two passes: the variance is that of what is left when the
//! mean is off, so that a mean far from 0 costs no digits.

use super::reduce::mean_over;
use super::{Operator, pointwise::detach, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::rules::{Relation, Rule};
use crate::scalar::{Binary, Unary};
use crate::size::Size;
use crate::types::shape_text;

/// PyTorch's default for `rms_norm`: the distance from 1 to the next f32.
pub(crate) const EPSILON: f64 = f32::EPSILON as f64;

/// The norms.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "layer_norm",
        doc: "(x - mean) / √(variance + eps) over the last axes, times weight, plus bias.",
        signature: &[
            required("input", Kind::Tensor),
            optional("normalized_shape", Kind::Ints, "the last axis"),
            optional("weight", Kind::Tensor, "None"),
            optional("bias", Kind::Tensor, "None"),
            optional("eps", Kind::Float, "1e-5"),
        ],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let axes = normalized_axes(b, bound, 1, x)?;
            let y = standardise(b, x, &axes, bound.float(4).unwrap_or(1e-5))?;
            let [weight, bias] = [2, 3].map(|slot| given(b, bound, slot));
            affine(b, y, weight, bias).map(Arg::Tensor)
        },
    },
    Operator {
        name: "rms_norm",
        doc: "x / √(mean of squares + eps) over the last axes, times weight.",
        signature: &[
            required("input", Kind::Tensor),
            optional("normalized_shape", Kind::Ints, "the last axis"),
            optional("weight", Kind::Tensor, "None"),
            optional("eps", Kind::Float, "1.1920929e-7"),
        ],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let axes = normalized_axes(b, bound, 1, x)?;
            let y = by_root(b, x, &axes, bound.float(3).unwrap_or(EPSILON))?;
            let weight = given(b, bound, 2);
            affine(b, y, weight, None).map(Arg::Tensor)
        },
    },
    Operator {
        name: "group_norm",
        doc: "Layer norm of each group of channels (axis 1) with all that follows, times weight, plus bias by channels.",
        signature: &[
            required("input", Kind::Tensor),
            required("num_groups", Kind::Int),
            optional("weight", Kind::Tensor, "None"),
            optional("bias", Kind::Tensor, "None"),
            optional("eps", Kind::Float, "1e-5"),
        ],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            let y = by_groups(b, bound, 1, x, bound.int(1).unwrap_or(1), bound.float(4).unwrap_or(1e-5))?;
            let [weight, bias] = [2, 3].map(|slot| given(b, bound, slot));
            by_channels(b, y, weight, bias).map(Arg::Tensor)
        },
    },
    Operator {
        name: "batch_norm",
        doc: "By channels (axis 1): with training = true, by the batch's mean and variance; else by those given. BatchNorm2d keeps running ones.",
        signature: &[
            required("input", Kind::Tensor),
            optional("running_mean", Kind::Tensor, "None"),
            optional("running_var", Kind::Tensor, "None"),
            optional("weight", Kind::Tensor, "None"),
            optional("bias", Kind::Tensor, "None"),
            optional("training", Kind::Bool, "false"),
            optional("momentum", Kind::Float, "0.1"),
            optional("eps", Kind::Float, "1e-5"),
        ],
        build: |b, bound| {
            let x = float(b, bound, 0)?;
            channels(b, bound, x)?;
            let eps = bound.float(7).unwrap_or(1e-5);
            let [mean, variance, weight, bias] = [1, 2, 3, 4].map(|slot| given(b, bound, slot));
            match (mean, variance, bound.bool(5).unwrap_or(false)) {
                (Some(mean), Some(variance), false) => by_known(b, x, mean, variance, weight, bias, eps),
                (None, None, true) => {
                    let axes = all_but_channels(b, x);
                    more_than_one(b, x, &axes)?;
                    let y = standardise(b, x, &axes, eps)?;
                    by_channels(b, y, weight, bias)
                }
                _ => {
                    let message = "`batch_norm` needs running_mean and running_var, or training = true without them";
                    let help = "to keep running statistics, declare a layer: `bn: BatchNorm2d();`";
                    bound.wrong(b, "N0306", 0, message, help)
                }
            }
            .map(Arg::Tensor)
        },
    },
];

fn given(b: &mut Builder, bound: &Bound, slot: usize) -> Option<Value> {
    bound.arg(slot).is_some().then(|| bound.tensor(b, slot, None))
}

/// What is normalised by channels has more than one value of each, along these axes: of one nothing is left but 0, and no gradient.
pub(crate) fn more_than_one(b: &mut Builder, x: Value, axes: &[usize]) -> Checked<()> {
    let count = Size::product(axes.iter().map(|&a| &b.graph.shape(x)[a]));
    let help = match axes.contains(&0) {
        true => "give it larger batches, or leave a short last one out (`Fit::drop_last`)",
        false => "give it larger images",
    };
    values_each(b, x, count, "channel", help)
}

/// An error, now or when the function is called, unless there is more than one value a channel or group.
fn values_each(b: &mut Builder, x: Value, count: Size, what: &str, help: &str) -> Checked<()> {
    let name = b.origin.name.clone();
    let why = format!("needs more than one value a {what} for mean and variance; {help}");
    if b.require(Rule::new(count, Relation::AtLeast, 2.into()), why) {
        return Ok(());
    }
    let shape = shape_text(&b.shape(x));
    let message = format!("`{name}` takes mean and variance of one value a {what}: its input is {shape}");
    let d = Diagnostic::new("N0111", b.origin.loc, message)
        .note(b.made_at(x), format!("the input, {shape}, comes from `{}`", b.made_by(x)));
    b.report(d.help(format!("{help}; one value becomes 0, and nothing before it learns")))
}

/// What a batch says about itself.
pub(crate) struct Moments {
    /// The mean, with size 1 along the axes that are gone.
    pub mean: Value,
    /// The mean of its squares, as the mean.
    pub variance: Value,
}

/// Mean and (biased) variance over axes.
pub(crate) fn moments(b: &mut Builder, x: Value, axes: &[usize]) -> Checked<Moments> {
    let mean = mean_over(b, x, axes, true);
    let centred = b.binary(Binary::Sub, x, mean)?;
    let square = b.pointwise(Binary::Mul, centred, centred);
    let variance = mean_over(b, square, axes, true);
    Ok(Moments { mean, variance })
}

/// `centred / √(variance + eps)`, with a gradient of its own.
pub(crate) fn normalize(b: &mut Builder, x: Value, moments: &Moments, axes: &[usize], eps: f64) -> Value {
    let shape = b.shape(x);
    let above = b.binary_const(Binary::Add, moments.variance, eps);
    let rate = b.unary(Unary::Rsqrt, above);
    let [mean, rate] = [moments.mean, rate].map(|v| b.broadcast_to(v, &shape));
    let ty = b.ty(x).clone();
    b.push(Op::Normalize(axes.to_vec()), vec![x, mean, rate], ty)
}

/// `x / √(mean + eps)`.
fn scaled(b: &mut Builder, x: Value, mean: Value, eps: f64) -> Checked<Value> {
    let above = b.binary_const(Binary::Add, mean, eps);
    let rate = b.unary(Unary::Rsqrt, above);
    b.binary(Binary::Mul, x, rate)
}

/// Mean 0 and variance 1 over axes.
pub(crate) fn standardise(b: &mut Builder, x: Value, axes: &[usize], eps: f64) -> Checked<Value> {
    let moments = moments(b, x, axes)?;
    Ok(normalize(b, x, &moments, axes, eps))
}

/// Mean of squares 1 over axes.
pub(crate) fn by_root(b: &mut Builder, x: Value, axes: &[usize], eps: f64) -> Checked<Value> {
    let square = b.pointwise(Binary::Mul, x, x);
    let mean = mean_over(b, square, axes, true);
    scaled(b, x, mean, eps)
}

/// Mean 0 and variance 1 of each group of channels and all that follows them. The image itself keeps its axes: only the means of its
/// channels, all of one number of elements, are taken together.
pub(crate) fn by_groups(
    b: &mut Builder,
    bound: &Bound,
    slot: usize,
    x: Value,
    groups: i64,
    eps: f64,
) -> Checked<Value> {
    let channels = channels(b, bound, x)?;
    if groups < 1 || channels % groups != 0 {
        let message = format!("`{}` divides {channels} channels into {groups} groups", bound.callee);
        return bound.wrong(b, "N0306", slot, message, "the number of groups must divide that of the channels");
    }
    if b.training {
        let each = Size::product(b.graph.shape(x)[2..].iter().chain([&Size::constant(channels / groups)]));
        values_each(b, x, each, "group", "give it larger images or fewer groups")?;
    }
    let mean = group_mean(b, x, groups)?;
    let centred = b.binary(Binary::Sub, x, mean)?;
    let square = b.pointwise(Binary::Mul, centred, centred);
    let variance = group_mean(b, square, groups)?;
    scaled(b, centred, variance, eps)
}

/// The mean of each group for each of its channels: `[N, C, 1, 1]`.
fn group_mean(b: &mut Builder, x: Value, groups: i64) -> Checked<Value> {
    let rest: Vec<usize> = (2..b.rank(x)).collect();
    let of_channels = mean_over(b, x, &rest, true);
    let shape = b.shape(of_channels);
    let channels = shape[1].as_const().unwrap_or(groups);
    let split = vec![shape[0].clone(), groups.into(), (channels / groups).into()];
    let parts = b.reshape(of_channels, split.clone());
    let mean = mean_over(b, parts, &[2], true);
    let all = b.broadcast_to(mean, &split);
    Ok(b.reshape(all, shape))
}

/// By statistics that are known: one factor and one summand a channel, `x · (weight · rate) + (bias - mean · weight · rate)`.
pub(crate) fn by_known(
    b: &mut Builder,
    x: Value,
    mean: Value,
    variance: Value,
    weight: Option<Value>,
    bias: Option<Value>,
    eps: f64,
) -> Checked<Value> {
    let above = b.binary_const(Binary::Add, variance, eps);
    let mut scale = b.unary(Unary::Rsqrt, above);
    if let Some(weight) = weight {
        scale = b.binary(Binary::Mul, scale, weight)?;
    }
    let mut shift = b.binary(Binary::Mul, mean, scale)?;
    shift = match bias {
        Some(bias) => b.binary(Binary::Sub, bias, shift)?,
        None => b.unary(Unary::Neg, shift),
    };
    by_channels(b, x, Some(scale), Some(shift))
}

/// `x · weight + bias`, both of the last axes.
pub(crate) fn affine(b: &mut Builder, x: Value, weight: Option<Value>, bias: Option<Value>) -> Checked<Value> {
    let mut y = x;
    if let Some(weight) = weight {
        y = b.binary(Binary::Mul, y, weight)?;
    }
    match bias {
        Some(bias) => b.binary(Binary::Add, y, bias),
        None => Ok(y),
    }
}

/// `x · weight[channel] + bias[channel]`.
pub(crate) fn by_channels(b: &mut Builder, x: Value, weight: Option<Value>, bias: Option<Value>) -> Checked<Value> {
    let mut shape = vec![Size::constant(1); b.rank(x) - 1];
    shape[0] = b.shape(x)[1].clone();
    for value in [weight, bias].into_iter().flatten() {
        if b.shape(value) != shape[..1] {
            let (found, wanted) = (shape_text(&b.shape(value)), shape_text(&shape[..1]));
            let message = format!("`{}` needs a value for each channel, {wanted}, found {found}", b.origin.name);
            let d = Diagnostic::new("N0102", b.origin.loc, message)
                .note(b.made_at(value), format!("it comes from `{}`", b.made_by(value)));
            return b.report(d.help("channels are axis 1 of the input"));
        }
    }
    let [weight, bias] = [weight, bias].map(|value| value.map(|v| b.reshape(v, shape.clone())));
    affine(b, x, weight, bias)
}

/// Every axis but the channels.
pub(crate) fn all_but_channels(b: &Builder, x: Value) -> Vec<usize> {
    (0..b.rank(x)).filter(|axis| *axis != 1).collect()
}

/// The number of channels: axis 1, known at build time.
pub(crate) fn channels(b: &mut Builder, bound: &Bound, x: Value) -> Checked<i64> {
    let (ty, at) = (b.ty(x).clone(), bound.at);
    let from = format!("the input, {}, comes from `{}`", shape_text(&ty.shape), b.made_by(x));
    let d = match ty.shape.get(1).map(|channels| channels.as_const()) {
        Some(Some(channels)) => return Ok(channels),
        Some(None) => {
            let message = format!("`{}` needs channels known at build time, found {ty}", bound.callee);
            Diagnostic::new("N0107", at, message).help("write the number in the input's type")
        }
        None => Diagnostic::new("N0105", at, format!("`{}` needs channels as axis 1, found {ty}", bound.callee))
            .help("give it [N, channels, ..]"),
    };
    let made_at = b.made_at(x);
    b.report(d.note(made_at, from))
}

/// The last axes of the sizes given: the last axis, if none are.
pub(crate) fn normalized_axes(b: &mut Builder, bound: &Bound, slot: usize, x: Value) -> Checked<Vec<usize>> {
    let shape = b.shape(x);
    let wanted = bound.ints(slot);
    let count = wanted.as_ref().map_or(1, Vec::len);
    let from = format!("the input, {}, comes from `{}`", shape_text(&shape), b.made_by(x));
    if count == 0 || shape.len() < count {
        let message = format!("`{}` needs at least {} axes, found {}", bound.callee, count.max(1), shape_text(&shape));
        let d = Diagnostic::new("N0105", bound.at, message).note(b.made_at(x), from);
        return b.report(d.help("it normalises the last axes of its input"));
    }
    let first = shape.len() - count;
    if let Some(wanted) = wanted
        && !shape[first..].iter().zip(&wanted).all(|(s, w)| s.is(*w))
    {
        let found = shape_text(&shape[first..]);
        let message = format!("`{}` normalises {wanted:?}, but the last axes of its input are {found}", bound.callee);
        let d = Diagnostic::new("N0102", bound.at, message)
            .note(bound.at(slot), "normalized_shape is given here")
            .note(b.made_at(x), from)
            .help("leave it out: it is the last axis then");
        return b.report(d);
    }
    Ok((first..shape.len()).collect())
}

/// What becomes of running statistics: `(1 - momentum) · running + momentum · batch`, the variance unbiased (a batch of one element has 0).
pub(crate) fn running(b: &mut Builder, x: Value, batch: &Moments, states: [usize; 3], momentum: f64) -> Checked<()> {
    let axes = all_but_channels(b, x);
    let count = Size::product(axes.iter().map(|&a| &b.graph.shape(x)[a]));
    let dtype = b.graph.dtype(batch.mean);
    let count = b.push(Op::Size(count), vec![], crate::types::Type::new(dtype, vec![]));
    let less = b.binary_const(Binary::Sub, count, 1.0);
    let less = b.binary_const(Binary::Max, less, 1.0);
    let unbiased = b.pointwise(Binary::Div, count, less);
    let shape = vec![b.shape(x)[1].clone()];
    for (state, now) in states.into_iter().zip([batch.mean, batch.variance]) {
        let now = detach(b, now);
        let mut now = b.reshape(now, shape.clone());
        if state == states[1] {
            now = b.binary(Binary::Mul, now, unbiased)?;
        }
        let before = b.state(state);
        let float = b.graph.dtype(before);
        let before = b.widened(before);
        let (kept, new) =
            (b.binary_const(Binary::Mul, before, 1.0 - momentum), b.binary_const(Binary::Mul, now, momentum));
        let next = b.pointwise(Binary::Add, kept, new);
        let next = b.cast(next, float);
        b.set_state(state, next)?;
    }
    let batches = b.state(states[2]);
    let more = b.binary_const(Binary::Add, batches, 1.0);
    b.set_state(states[2], more)
}
