//! `LayerNorm`, `RMSNorm`, `GroupNorm`: each example by itself.

use super::batch_norm::{affine_tensors, epsilon, image, parameters};
use super::{INPUT, Layer, LayerKind, at_least, float_input};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, inferred, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::ops::norm;
use crate::types::shape_text;

/// `LayerNorm()`.
pub(super) static LAYER_NORM: LayerKind = LayerKind {
    name: "LayerNorm",
    doc: "Mean 0 and variance 1 over the last axes, times weight, plus bias.",
    signature: &[
        optional("normalized_shape", Kind::Ints, "the last axis"),
        optional("eps", Kind::Float, "1e-5"),
        optional("elementwise_affine", Kind::Bool, "true"),
        optional("bias", Kind::Bool, "true"),
    ],
    declare: |b, bound| {
        epsilon(b, bound, 1)?;
        let mut tensors = affine_tensors(bound.bool(2).unwrap_or(true));
        if !bound.bool(3).unwrap_or(true) {
            tensors.truncate(1);
        }
        Ok(tensors)
    },
    call: INPUT,
    apply: |b, layer, given| {
        let (x, axes, shape) = last_axes(b, layer, given)?;
        let y = norm::standardise(b, x, &axes, layer.bound.float(1).unwrap_or(1e-5))?;
        let [weight, bias] = parameters(b, layer, shape.clone(), &format!("normalized shape {shape:?}"))?;
        norm::affine(b, y, weight, bias).map(Arg::Tensor)
    },
};

/// `RMSNorm()`.
pub(super) static RMS_NORM: LayerKind = LayerKind {
    name: "RMSNorm",
    doc: "Mean of squares 1 over the last axes, times weight.",
    signature: &[
        optional("normalized_shape", Kind::Ints, "the last axis"),
        optional("eps", Kind::Float, "1.1920929e-7"),
        optional("elementwise_affine", Kind::Bool, "true"),
    ],
    declare: |b, bound| {
        epsilon(b, bound, 1)?;
        Ok(if bound.bool(2).unwrap_or(true) { vec!["weight".into()] } else { vec![] })
    },
    call: INPUT,
    apply: |b, layer, given| {
        let (x, axes, shape) = last_axes(b, layer, given)?;
        let y = norm::by_root(b, x, &axes, layer.bound.float(1).unwrap_or(norm::EPSILON))?;
        let [weight, _] = parameters(b, layer, shape.clone(), &format!("normalized shape {shape:?}"))?;
        norm::affine(b, y, weight, None).map(Arg::Tensor)
    },
};

/// `GroupNorm(num_groups)`.
pub(super) static GROUP_NORM: LayerKind = LayerKind {
    name: "GroupNorm",
    doc: "Mean 0 and variance 1 of each group of channels (axis 1) with all that follows, times weight, plus bias by channels.",
    signature: &[
        required("num_groups", Kind::Int),
        inferred("num_channels", Kind::Int),
        optional("eps", Kind::Float, "1e-5"),
        optional("affine", Kind::Bool, "true"),
    ],
    declare: |b, bound| {
        at_least(b, bound, &[(0, "num_groups", 1), (1, "num_channels", 1)])?;
        epsilon(b, bound, 2)?;
        Ok(affine_tensors(bound.bool(3).unwrap_or(true)))
    },
    call: INPUT,
    apply: |b, layer, given| {
        let (x, channels) = image(b, layer, given, &[2, 3, 4, 5], 1)?;
        let bound = layer.bound.called(&layer.name, b.origin.loc);
        let (groups, eps) = (bound.int(0).unwrap_or(1), bound.float(2).unwrap_or(1e-5));
        let y = norm::by_groups(b, &bound, 0, x, groups, eps)?;
        let [weight, bias] = parameters(b, layer, vec![channels], &format!("{channels} channels"))?;
        norm::by_channels(b, y, weight, bias).map(Arg::Tensor)
    },
};

/// The input, the axes to normalise, and their sizes, which must be known.
fn last_axes(b: &mut Builder, layer: &Layer, given: &Bound) -> Checked<(Value, Vec<usize>, Vec<i64>)> {
    let x = float_input(b, layer, given)?;
    let bound = layer.bound.called(&layer.name, b.origin.loc);
    let axes = norm::normalized_axes(b, &bound, 0, x)?;
    let sizes: Option<Vec<i64>> = axes.iter().map(|&a| b.graph.shape(x)[a].as_const()).collect();
    match sizes {
        Some(sizes) => Ok((x, axes, sizes)),
        None => {
            let shape = shape_text(&b.shape(x));
            let message = format!("layer `{}` needs a last axis known at build time, found {shape}", layer.name);
            let d = Diagnostic::new("N0107", b.origin.loc, message)
                .note(b.made_at(x), format!("the input, {shape}, comes from `{}`", b.made_by(x)));
            b.report(d.help("write the number in the input's type"))
        }
    }
}
