//! `Conv2d`: cross-correlation over the last two axes.

use super::{INPUT, Layer, LayerKind, float_input, shape_once};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Window;
use crate::net::Init;
use crate::ops::{conv2d, window_type};
use crate::program::Layout;
use crate::types::shape_text;

/// `Conv2d(out_channels, kernel_size, stride, padding, dilation, bias, in_channels)`: `in_channels` is inferred.
pub(super) static CONV2D: LayerKind = LayerKind {
    name: "Conv2d",
    doc: "Cross-correlation of [N, channels, height, width]; weight [out, in, kernel height, kernel width], first values uniform in ±1/√(in · kernel area).",
    signature: &[
        required("out_channels", Kind::Int),
        required("kernel_size", Kind::Pair),
        optional("stride", Kind::Pair, "1"),
        optional("padding", Kind::Pair, "0"),
        optional("dilation", Kind::Pair, "1"),
        optional("bias", Kind::Bool, "true"),
        optional("in_channels", Kind::Int, "inferred"),
    ],
    declare: |b, bound| {
        for (slot, what) in [(0, "out_channels"), (6, "in_channels")] {
            if let Some(value) = bound.int(slot).filter(|v| *v < 1) {
                return bound.wrong(
                    b,
                    "N0306",
                    slot,
                    format!("`Conv2d` with {what} = {value}"),
                    "sizes are at least 1",
                );
            }
        }
        for (slot, what, least) in [(1, "kernel_size", 1), (2, "stride", 1), (3, "padding", 0), (4, "dilation", 1)] {
            let wrong = bound.pair(slot).and_then(|pair| pair.into_iter().find(|v| *v < least));
            if let Some(value) = wrong {
                return bound.wrong(
                    b,
                    "N0306",
                    slot,
                    format!("`Conv2d` with {what} = {value}"),
                    format!("it is at least {least}"),
                );
            }
        }
        // Rows of the weight's matrix run over (kernel row, kernel column, input channel): channels last, as the images lie.
        let mut tensors = vec![("weight", Layout::Panels(vec![2, 3, 1]))];
        if bound.bool(5).unwrap_or(true) {
            tensors.push(("bias", Layout::Plain));
        }
        Ok(tensors)
    },
    call: INPUT,
    apply,
};

fn apply(b: &mut Builder, layer: &Layer, given: &Bound) -> Checked<Arg> {
    let x = float_input(b, layer, given)?;
    let (ty, made, made_at, at) = (b.ty(x).clone(), b.made_by(x), b.made_at(x), b.origin.loc);
    let from = format!("the input, {}, comes from `{made}`", shape_text(&ty.shape));
    let bound = &layer.bound;
    let out = bound.int(0).unwrap_or(1);
    let window = Window {
        kernel: bound.pair(1).unwrap_or([1, 1]),
        stride: bound.pair(2).unwrap_or([1, 1]),
        padding: bound.pair(3).unwrap_or([0, 0]),
        dilation: bound.pair(4).unwrap_or([1, 1]),
    };
    let mut named = bound.clone();
    named.callee = layer.name.clone();
    named.at = at;
    window_type(b, &named, x, &window, Some(out.into()), [1, 2, 3])?;
    let Some(channels) = ty.shape[1].as_const() else {
        let message =
            format!("layer `{}` needs channels known at build time, found {}", layer.name, shape_text(&ty.shape));
        return b.report(
            Diagnostic::new("N0107", at, message).note(made_at, from).help("write the number in the input's type"),
        );
    };
    if let Some(declared) = bound.int(6).filter(|d| *d != channels) {
        let message =
            format!("layer `{}` expects {declared} input channels but `{made}` produces {channels}", layer.name);
        let d = Diagnostic::new("N0102", at, message)
            .note(bound.at(6), format!("`in_channels = {declared}` is declared here"))
            .note(made_at, from)
            .help(format!("write `in_channels = {channels}`, or leave it out: it is inferred"));
        return b.report(d);
    }
    let [kh, kw] = window.kernel;
    let limit = (1.0 / (channels as f64 * kh as f64 * kw as f64)).sqrt() as f32;
    let words = format!("{channels} input channels");
    let weight = shape_once(b, layer, 0, vec![out, channels, kh, kw], Init::Uniform(limit), &words)?;
    let bias = match layer.tensors.len() {
        2 => Some(shape_once(b, layer, 1, vec![out], Init::Uniform(limit), &words)?),
        _ => None,
    };
    conv2d(b, &named, x, weight, bias, window, [1, 2, 3]).map(Arg::Tensor)
}
