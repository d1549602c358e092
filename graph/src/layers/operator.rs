//! Layers without parameters that stand for an operator: pools, activations, `Flatten`, `Upsample`, `Identity`.

use super::{INPUT, Layer, LayerKind};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Given, Kind, Param, optional, required};
use crate::diagnostic::Loc;

/// The operator with the input of the call and the arguments of the declaration.
fn operator(b: &mut Builder, layer: &Layer, given: &Bound, name: &str) -> Checked<Arg> {
    let at = b.origin.loc;
    let argument = |name: &str, value: Arg, at: Loc| Given { name: Some((name.to_string(), at)), value, at };
    let mut all = vec![Given { name: None, value: given.arg(0).cloned().unwrap_or(Arg::Unknown), at: given.at(0) }];
    for (slot, param) in layer.kind.signature.iter().enumerate() {
        if let Some(value) = layer.bound.arg(slot) {
            all.push(argument(param.name, value.clone(), layer.bound.at(slot)));
        }
    }
    crate::ops::call(b, name, at, &all)
}

macro_rules! layers {
    ($($kind:ident $name:literal $operator:literal [$($param:expr),*] $doc:literal;)*) => {$(
        #[doc = $doc]
        pub(super) static $kind: LayerKind = LayerKind {
            name: $name,
            doc: $doc,
            signature: &[$($param),*],
            declare: |_, _| Ok(vec![]),
            call: INPUT,
            apply: |b, layer, given| operator(b, layer, given, $operator),
        };
    )*};
}

const KERNEL: Param = required("kernel_size", Kind::Pair);
const STRIDE: Param = optional("stride", Kind::Pair, "kernel_size");
const PADDING: Param = optional("padding", Kind::Pair, "0");
const DILATION: Param = optional("dilation", Kind::Pair, "1");
const INDICES: Param = optional("return_indices", Kind::Bool, "false");
const CEIL: Param = optional("ceil_mode", Kind::Bool, "false");
const INCLUDE: Param = optional("count_include_pad", Kind::Bool, "true");
const SIZE: Param = required("output_size", Kind::Pair);

layers! {
    MAX_POOL1D "MaxPool1d" "max_pool1d" [KERNEL, STRIDE, PADDING, DILATION, INDICES, CEIL] "The maximum of each window of [N, channels, length].";
    MAX_POOL2D "MaxPool2d" "max_pool2d" [KERNEL, STRIDE, PADDING, DILATION, INDICES, CEIL] "The maximum of each window.";
    AVG_POOL1D "AvgPool1d" "avg_pool1d" [KERNEL, STRIDE, PADDING, CEIL, INCLUDE] "The mean of each window of [N, channels, length].";
    AVG_POOL2D "AvgPool2d" "avg_pool2d" [KERNEL, STRIDE, PADDING, CEIL, INCLUDE] "The mean of each window.";
    ADAPTIVE_AVG_POOL1D "AdaptiveAvgPool1d" "adaptive_avg_pool1d" [SIZE] "The means of so many windows over the whole length.";
    ADAPTIVE_AVG_POOL2D "AdaptiveAvgPool2d" "adaptive_avg_pool2d" [SIZE] "The means of so many windows over the whole image.";
    ADAPTIVE_MAX_POOL2D "AdaptiveMaxPool2d" "adaptive_max_pool2d" [SIZE] "The maxima of so many windows over the whole image.";
    UPSAMPLE "Upsample" "interpolate" [
        optional("size", Kind::Pair, "None"),
        optional("scale_factor", Kind::Pair, "None"),
        optional("mode", Kind::Text, "\"nearest\""),
        optional("align_corners", Kind::Bool, "false")
    ] "A larger image: pixels repeated (`\"nearest\"`) or mixed (`\"bilinear\"`).";
    PIXEL_SHUFFLE "PixelShuffle" "pixel_shuffle" [required("upscale_factor", Kind::Int)] "Channels become pixels.";
    PIXEL_UNSHUFFLE "PixelUnshuffle" "pixel_unshuffle" [required("downscale_factor", Kind::Int)] "Pixels become channels.";
    RELU "ReLU" "relu" [] "The greater of x and 0.";
    LEAKY_RELU "LeakyReLU" "leaky_relu" [optional("negative_slope", Kind::Float, "0.01")] "x, or a part of it where it is negative.";
    GELU "GELU" "gelu" [optional("approximate", Kind::Text, "\"none\"")] "x · Φ(x).";
    SILU "SiLU" "silu" [] "x · sigmoid(x).";
    SOFTPLUS "Softplus" "softplus" [
        optional("beta", Kind::Float, "1.0"), optional("threshold", Kind::Float, "20.0")
    ] "log(1 + eˣ), for any beta.";
    ELU "ELU" "elu" [optional("alpha", Kind::Float, "1.0")] "x, or alpha · (eˣ - 1) where it is negative.";
    RELU6 "ReLU6" "relu6" [] "x between 0 and 6.";
    MISH "Mish" "mish" [] "x · tanh(softplus(x)).";
    HARDSWISH "Hardswish" "hardswish" [] "x · relu6(x + 3) / 6.";
    SOFTMAX "Softmax" "softmax" [required("dim", Kind::Int)] "exp(x), divided by its sum along `dim`.";
    TANH "Tanh" "tanh" [] "The hyperbolic tangent.";
    SIGMOID "Sigmoid" "sigmoid" [] "1 / (1 + exp(-x)).";
}

/// `Flatten(start_dim, end_dim)`.
pub(super) static FLATTEN: LayerKind = LayerKind {
    name: "Flatten",
    doc: "Axes `start_dim` to `end_dim` become one; all but the first, if nothing is said.",
    signature: &[optional("start_dim", Kind::Int, "1"), optional("end_dim", Kind::Int, "-1")],
    declare: |_, _| Ok(vec![]),
    call: INPUT,
    apply: |b, layer, given| {
        let at = b.origin.loc;
        let from = layer.bound.arg(0).cloned().unwrap_or(Arg::Size(1.into()));
        let to = layer.bound.arg(1).cloned().unwrap_or(Arg::Size((-1).into()));
        let positional = |value| Given { name: None, value, at };
        let input = given.arg(0).cloned().unwrap_or(Arg::Unknown);
        crate::ops::call(b, "flatten", at, &[input, from, to].map(positional))
    },
};

/// `Identity()`.
pub(super) static IDENTITY: LayerKind = LayerKind {
    name: "Identity",
    doc: "What it is given.",
    signature: &[],
    declare: |_, _| Ok(vec![]),
    call: INPUT,
    apply: |_, _, given| Ok(given.arg(0).cloned().unwrap_or(Arg::Unknown)),
};
