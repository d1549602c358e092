//! Convolutions: cross-correlation of images with weights, and its transpose. An image of one axis is one of height 1.

use super::window::{
    Slots, at_least_one, axis_name, check_window, comes_from, extents, image_shape, window_of, window_type,
    with_height, without_height,
};
use super::{Operator, pointwise::float};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Ends, Op, Value, Window};
use crate::scalar::Binary;
use crate::size::Size;
use crate::types::{Type, shape_text};

const FORWARD: &[Param] = &[
    required("input", Kind::Tensor),
    required("weight", Kind::Tensor),
    optional("bias", Kind::Tensor, "None"),
    optional("stride", Kind::Pair, "1"),
    optional("padding", Kind::Padding, "0"),
    optional("dilation", Kind::Pair, "1"),
    optional("groups", Kind::Int, "1"),
];

const TRANSPOSE: &[Param] = &[
    required("input", Kind::Tensor),
    required("weight", Kind::Tensor),
    optional("bias", Kind::Tensor, "None"),
    optional("stride", Kind::Pair, "1"),
    optional("padding", Kind::Pair, "0"),
    optional("output_padding", Kind::Pair, "0"),
    optional("groups", Kind::Int, "1"),
    optional("dilation", Kind::Pair, "1"),
];

/// The convolutions.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "conv1d",
        doc: "Cross-correlation of input[n, c, l] with weight[o, c / groups, k], plus bias[o].",
        signature: FORWARD,
        build: |b, bound| forward(b, bound, 1),
    },
    Operator {
        name: "conv2d",
        doc: "Cross-correlation of input[n, c, h, w] with weight[o, c / groups, kh, kw], plus bias[o].",
        signature: FORWARD,
        build: |b, bound| forward(b, bound, 2),
    },
    Operator {
        name: "conv_transpose1d",
        doc: "The transpose of conv1d: each element of input[n, c, l] spreads weight[c, o / groups, k], plus bias[o].",
        signature: TRANSPOSE,
        build: |b, bound| transpose(b, bound, 1),
    },
    Operator {
        name: "conv_transpose2d",
        doc: "The transpose of conv2d: each element of input[n, c, h, w] spreads weight[c, o / groups, kh, kw], plus bias[o].",
        signature: TRANSPOSE,
        build: |b, bound| transpose(b, bound, 2),
    },
];

fn forward(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<Arg> {
    let (x, weight, kernel) = operands(b, bound, dims)?;
    let bias = bound.arg(2).is_some().then(|| bound.tensor(b, 2, None));
    let groups = groups(b, bound, 6)?;
    let slots = Slots { kernel: 1, stride: 3, padding: 4, dilation: Some(5) };
    let (window, ends) = window_of(b, bound, dims, kernel, slots, groups)?;
    let [_, channels, ..] = image_shape(b, bound, x, dims)?;
    let shape = b.shape(weight);
    if &shape[1] * &groups.into() != channels || shape[0].div_exact(&groups.into()).is_none() {
        return unfit(b, bound, x, weight, "[out_channels, in_channels / groups, kernel size]");
    }
    conv(b, bound, dims, x, (weight, bias), (window, ends), slots).map(Arg::Tensor)
}

fn transpose(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<Arg> {
    let (x, weight, kernel) = operands(b, bound, dims)?;
    let bias = bound.arg(2).is_some().then(|| bound.tensor(b, 2, None));
    let groups = groups(b, bound, 6)?;
    let slots = Slots { kernel: 1, stride: 3, padding: 4, dilation: Some(7) };
    let (window, _) = window_of(b, bound, dims, kernel, slots, groups)?;
    let [_, channels, ..] = image_shape(b, bound, x, dims)?;
    let shape = b.shape(weight);
    if shape[0] != channels || channels.div_exact(&groups.into()).is_none() {
        return unfit(b, bound, x, weight, "[in_channels, out_channels / groups, kernel size]");
    }
    conv_transpose(b, bound, dims, x, (weight, bias), &window, slots, 5).map(Arg::Tensor)
}

/// How many groups; at least 1.
fn groups(b: &mut Builder, bound: &Bound, slot: usize) -> Checked<i64> {
    match bound.int(slot).unwrap_or(1) {
        groups if groups >= 1 => Ok(groups),
        groups => {
            let message = format!("`{}` with groups = {groups}", bound.callee);
            bound.wrong(b, "N0306", slot, message, "it is at least 1")
        }
    }
}

/// Input, weight, and the size of the kernel, which must be known as all of the weight's sizes.
fn operands(b: &mut Builder, bound: &Bound, dims: usize) -> Checked<(Value, Value, [i64; 2])> {
    let (x, weight) = (float(b, bound, 0)?, float(b, bound, 1)?);
    let known: Option<Vec<i64>> = b.shape(weight).iter().map(Size::as_const).collect();
    let kernel = match (dims, known.as_deref()) {
        (1, Some(&[_, _, k])) => Some([1, k]),
        (2, Some(&[_, _, h, w])) => Some([h, w]),
        _ => None,
    };
    match kernel {
        Some(kernel) => Ok((x, weight, kernel)),
        None => unfit(
            b,
            bound,
            x,
            weight,
            "of numbers known at build time, an axis for each of the kernel behind two of channels",
        ),
    }
}

fn unfit<T>(b: &mut Builder, bound: &Bound, x: Value, weight: Value, form: &str) -> Checked<T> {
    let (xs, ws) = (shape_text(&b.shape(x)), shape_text(&b.shape(weight)));
    let message = format!("`{}` of {xs} with a weight of {ws}", bound.callee);
    let d = Diagnostic::new("N0102", bound.at, message)
        .note(b.made_at(x), format!("the input comes from `{}`", b.made_by(x)))
        .note(b.made_at(weight), format!("the weight comes from `{}`", b.made_by(weight)))
        .help(format!("the weight is {form}"));
    b.report(d)
}

/// The convolution as primitives, with the weight `[o, c / groups, k..]` and the bias.
pub(crate) fn conv(
    b: &mut Builder,
    bound: &Bound,
    dims: usize,
    x: Value,
    (weight, bias): (Value, Option<Value>),
    (window, ends): (Window, Ends),
    slots: Slots,
) -> Checked<Value> {
    let channels = b.shape(weight)[0].clone();
    let ty = window_type(b, bound, x, dims, (&window, ends), Some(channels), slots)?;
    let (x, weight) = (with_height(b, x, dims), with_height(b, weight, dims));
    let y = b.push(Op::Conv2d(window), vec![x, weight], ty);
    finish(b, y, bias, dims)
}

/// The transposed convolution: the gradient of the input of a convolution from its result to `x`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn conv_transpose(
    b: &mut Builder,
    bound: &Bound,
    dims: usize,
    x: Value,
    (weight, bias): (Value, Option<Value>),
    window: &Window,
    slots: Slots,
    output_padding: usize,
) -> Checked<Value> {
    check_window(b, bound, window, slots)?;
    let [n, _, h, w] = image_shape(b, bound, x, dims)?;
    let more = extents(bound, output_padding, dims, 0).unwrap_or([0, 0]);
    let mut shape = vec![n, &b.shape(weight)[1] * &window.groups.into()];
    for (axis, size) in [h, w].into_iter().enumerate() {
        let (stride, dilation) = (window.stride[axis], window.dilation[axis]);
        if !(0..stride.max(dilation)).contains(&more[axis]) {
            let message = format!("`{}` with an output_padding of {}", bound.callee, more[axis]);
            let help = "it is at least 0 and less than the stride or the dilation";
            return bound.wrong(b, "N0306", output_padding, message, help);
        }
        let rest = window.reach(axis) - 2 * window.padding[axis] + more[axis] - stride;
        let from = size;
        let size = &(&from * &stride.into()) + &rest.into();
        at_least_one(b, &(&from * &stride.into()), &size, &(1 - rest).into());
        if size.as_const().is_some_and(|size| size < 1) {
            let name = axis_name(dims, axis);
            let message = format!("`{}` gives a {name} of {size}", bound.callee);
            let d = comes_from(b, x, Diagnostic::new("N0106", bound.at(slots.padding), message));
            return b.report(d.help("use less padding"));
        }
        shape.push(size);
    }
    let ty = Type::new(b.graph.dtype(x), shape);
    let (x, weight) = (with_height(b, x, dims), with_height(b, weight, dims));
    let y = b.push(Op::Conv2dInputGrad(*window), vec![x, weight], ty);
    finish(b, y, bias, dims)
}

/// Adds the bias.
fn finish(b: &mut Builder, y: Value, bias: Option<Value>, dims: usize) -> Checked<Value> {
    let y = match bias {
        None => y,
        Some(bias) => {
            let channels = b.shape(bias);
            let bias = b.reshape(bias, [channels, vec![1.into(), 1.into()]].concat());
            b.binary(Binary::Add, y, bias)?
        }
    };
    Ok(without_height(b, y, dims))
}
