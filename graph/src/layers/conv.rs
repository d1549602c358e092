//! `Conv1d`, `Conv2d`: cross-correlation of images with a weight of their own. `ConvTranspose1d`, `ConvTranspose2d`: its transpose.

use super::{INPUT, Layer, LayerKind, Tensors, at_least, float_input, shape_once};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, inferred, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::net::Init;
use crate::ops::{Slots, comes_from, conv, conv_transpose, extents, image_shape, window_of, window_type};

const FORWARD: &[Param] = &[
    inferred("in_channels", Kind::Int),
    required("out_channels", Kind::Int),
    required("kernel_size", Kind::Pair),
    optional("stride", Kind::Pair, "1"),
    optional("padding", Kind::Padding, "0"),
    optional("dilation", Kind::Pair, "1"),
    optional("groups", Kind::Int, "1"),
    optional("bias", Kind::Bool, "true"),
];

const TRANSPOSE: &[Param] = &[
    inferred("in_channels", Kind::Int),
    required("out_channels", Kind::Int),
    required("kernel_size", Kind::Pair),
    optional("stride", Kind::Pair, "1"),
    optional("padding", Kind::Pair, "0"),
    optional("output_padding", Kind::Pair, "0"),
    optional("groups", Kind::Int, "1"),
    optional("bias", Kind::Bool, "true"),
    optional("dilation", Kind::Pair, "1"),
];

/// `Conv1d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)`.
pub(super) static CONV1D: LayerKind = LayerKind {
    name: "Conv1d",
    doc: "Cross-correlation of [N, channels, length]; weight [out, in / groups, kernel], first values uniform in ±1/√(in / groups · kernel).",
    signature: FORWARD,
    declare: |b, bound| declare(b, bound, &FORWARD_LAYER),
    call: INPUT,
    apply: |b, layer, given| apply(b, layer, given, &FORWARD_LAYER, 1),
};

/// `Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)`.
pub(super) static CONV2D: LayerKind = LayerKind {
    name: "Conv2d",
    doc: "Cross-correlation of [N, channels, height, width]; weight [out, in / groups, kernel height, kernel width], first values uniform in ±1/√(in / groups · kernel area).",
    signature: FORWARD,
    declare: |b, bound| declare(b, bound, &FORWARD_LAYER),
    call: INPUT,
    apply: |b, layer, given| apply(b, layer, given, &FORWARD_LAYER, 2),
};

/// `ConvTranspose1d(in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation)`.
pub(super) static CONV_TRANSPOSE1D: LayerKind = LayerKind {
    name: "ConvTranspose1d",
    doc: "The transpose of Conv1d; weight [in, out / groups, kernel], first values uniform in ±1/√(out / groups · kernel).",
    signature: TRANSPOSE,
    declare: |b, bound| declare(b, bound, &TRANSPOSE_LAYER),
    call: INPUT,
    apply: |b, layer, given| apply(b, layer, given, &TRANSPOSE_LAYER, 1),
};

/// `ConvTranspose2d(in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation)`.
pub(super) static CONV_TRANSPOSE2D: LayerKind = LayerKind {
    name: "ConvTranspose2d",
    doc: "The transpose of Conv2d; weight [in, out / groups, kernel height, kernel width], first values uniform in ±1/√(out / groups · kernel area).",
    signature: TRANSPOSE,
    declare: |b, bound| declare(b, bound, &TRANSPOSE_LAYER),
    call: INPUT,
    apply: |b, layer, given| apply(b, layer, given, &TRANSPOSE_LAYER, 2),
};

/// Where the arguments of a declaration stand.
struct Signature {
    transposed: bool,
    dilation: usize,
    groups: usize,
    bias: usize,
}

const IN_CHANNELS: usize = 0;
const OUT_CHANNELS: usize = 1;
const KERNEL: usize = 2;

static FORWARD_LAYER: Signature = Signature { transposed: false, dilation: 5, groups: 6, bias: 7 };
static TRANSPOSE_LAYER: Signature = Signature { transposed: true, dilation: 8, groups: 6, bias: 7 };

impl Signature {
    fn slots(&self) -> Slots {
        Slots { kernel: KERNEL, stride: 3, padding: 4, dilation: Some(self.dilation) }
    }
}

fn declare(b: &mut Builder, bound: &Bound, signature: &Signature) -> Checked<Tensors> {
    let sizes = [(IN_CHANNELS, "in_channels", 1), (OUT_CHANNELS, "out_channels", 1), (KERNEL, "kernel_size", 1)];
    let more =
        [(3, "stride", 1), (4, "padding", 0), (signature.dilation, "dilation", 1), (signature.groups, "groups", 1)];
    at_least(b, bound, &[&sizes[..], &more].concat())?;
    let (out, groups) = (bound.int(OUT_CHANNELS).unwrap_or(1), bound.int(signature.groups).unwrap_or(1));
    if out % groups != 0 {
        let message = format!("`{}` with out_channels = {out} in {groups} groups", bound.callee);
        return bound.wrong(
            b,
            "N0306",
            signature.groups,
            message,
            "the number of groups divides both numbers of channels",
        );
    }
    let mut tensors = vec!["weight".into()];
    if bound.bool(signature.bias).unwrap_or(true) {
        tensors.push("bias".into());
    }
    Ok(tensors)
}

fn apply(b: &mut Builder, layer: &Layer, given: &Bound, signature: &Signature, dims: usize) -> Checked<Arg> {
    let x = float_input(b, layer, given)?;
    let bound = &layer.bound;
    let mut named = bound.clone();
    named.callee = layer.name.clone();
    named.at = b.origin.loc;
    let kernel = extents(bound, KERNEL, dims, 1).unwrap_or([1, 1]);
    let groups = bound.int(signature.groups).unwrap_or(1);
    let (window, ends) = window_of(b, &named, dims, kernel, signature.slots(), groups)?;
    let channels = channels(b, layer, x, signature, dims, groups)?;
    if !signature.transposed {
        // A window that does not fit says so before the weight gets its shape.
        window_type(b, &named, x, dims, (&window, ends), None, signature.slots())?;
    }
    let out = bound.int(OUT_CHANNELS).unwrap_or(1);
    let [first, second] = if signature.transposed { [channels, out / groups] } else { [out, channels / groups] };
    let fan_in = [second, kernel[0], kernel[1]].into_iter().map(|n| n as f64).product::<f64>();
    let init = Init::Uniform((1.0 / fan_in).sqrt() as f32);
    let words = format!("{channels} input channels");
    let shape = [vec![first, second], kernel[2 - dims..].to_vec()].concat();
    let weight = shape_once(b, layer, 0, shape, init, &words)?;
    let bias = match layer.tensors.len() {
        2 => Some(shape_once(b, layer, 1, vec![out], init, &words)?),
        _ => None,
    };
    let tensors = (weight, bias);
    let y = match signature.transposed {
        true => conv_transpose(b, &named, dims, x, tensors, &window, signature.slots(), 5),
        false => conv(b, &named, dims, x, tensors, (window, ends), signature.slots()),
    };
    y.map(Arg::Tensor)
}

/// The number of input channels: known, as declared, and a multiple of the groups.
fn channels(b: &mut Builder, layer: &Layer, x: Value, signature: &Signature, dims: usize, groups: i64) -> Checked<i64> {
    let at = b.origin.loc;
    let mut named = layer.bound.clone();
    (named.callee, named.at) = (layer.name.clone(), at);
    let [_, found, ..] = image_shape(b, &named, x, dims)?;
    let (made, name, bound) = (b.made_by(x), &layer.name, &layer.bound);
    let Some(channels) = found.as_const() else {
        let message = format!("layer `{name}` needs channels known at build time, found {found}");
        let d = comes_from(b, x, Diagnostic::new("N0107", at, message));
        return b.report(d.help("write the number in the input's type"));
    };
    if let Some(declared) = bound.int(IN_CHANNELS).filter(|d| *d != channels) {
        let message = format!("layer `{name}` expects {declared} input channels but `{made}` produces {channels}");
        let d = Diagnostic::new("N0102", at, message)
            .note(bound.at(IN_CHANNELS), format!("`in_channels = {declared}` is declared here"));
        let d = comes_from(b, x, d).help(bound.correction(IN_CHANNELS, "in_channels", channels));
        return b.report(d);
    }
    if channels % groups != 0 {
        let message = format!("layer `{name}` has {groups} groups but `{made}` produces {channels} channels");
        let d = Diagnostic::new("N0102", at, message)
            .note(bound.at(signature.groups), format!("`groups = {groups}` is declared here"));
        let d = comes_from(b, x, d).help("the number of groups divides both numbers of channels");
        return b.report(d);
    }
    Ok(channels)
}
