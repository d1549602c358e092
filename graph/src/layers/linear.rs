//! `Linear`: y = x · weightᵀ + bias over the last axis.

use super::{INPUT, Layer, LayerKind, at_least, float_input, shape_once};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, inferred, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::net::Init;
use crate::ops::linear;
use crate::types::shape_text;

/// `Linear(in_features, out_features, bias)`.
pub(super) static LINEAR: LayerKind = LayerKind {
    name: "Linear",
    doc: "x · weightᵀ + bias over the last axis; weight [out_features, in_features], first values uniform in ±1/√in_features.",
    signature: &[
        inferred("in_features", Kind::Int),
        required("out_features", Kind::Int),
        optional("bias", Kind::Bool, "true"),
    ],
    declare: |b, bound| {
        at_least(b, bound, &[(0, "in_features", 1), (1, "out_features", 1)])?;
        let mut tensors = vec!["weight".into()];
        if bound.bool(2).unwrap_or(true) {
            tensors.push("bias".into());
        }
        Ok(tensors)
    },
    call: INPUT,
    apply,
};

fn apply(b: &mut Builder, layer: &Layer, given: &Bound) -> Checked<Arg> {
    let x = float_input(b, layer, given)?;
    let features = features(b, layer, x, 0, "in_features")?;
    let out = layer.bound.int(1).unwrap_or(1);
    let bound = (1.0 / features as f64).sqrt() as f32;
    let words = format!("{features} input features");
    let weight = shape_once(b, layer, 0, vec![out, features], Init::Uniform(bound), &words)?;
    let bias = match layer.tensors.len() {
        2 => Some(shape_once(b, layer, 1, vec![out], Init::Uniform(bound), &words)?),
        _ => None,
    };
    linear(b, x, weight, bias).map(Arg::Tensor)
}

/// The length of the input's last axis, known at build time; as declared at `slot`, if it is.
pub(super) fn features(b: &mut Builder, layer: &Layer, x: Value, slot: usize, declared_as: &str) -> Checked<i64> {
    let (ty, made, made_at, at) = (b.ty(x).clone(), b.made_by(x), b.made_at(x), b.origin.loc);
    let from = format!("the input, {}, comes from `{made}`", shape_text(&ty.shape));
    let Some(last) = ty.shape.last() else {
        let d = Diagnostic::new("N0105", at, format!("layer `{}` needs at least one axis, found a scalar", layer.name));
        return b.report(d.note(made_at, from).help("give it [N, features]"));
    };
    let Some(features) = last.as_const() else {
        let message =
            format!("layer `{}` needs a last axis known at build time, found {}", layer.name, shape_text(&ty.shape));
        return b.report(
            Diagnostic::new("N0107", at, message).note(made_at, from).help("write the number in the input's type"),
        );
    };
    match layer.bound.int(slot).filter(|d| *d != features) {
        None => Ok(features),
        Some(declared) => {
            let message =
                format!("layer `{}` expects {declared} input features but `{made}` produces {features}", layer.name);
            let d = Diagnostic::new("N0102", at, message)
                .note(layer.bound.at(slot), format!("`{declared_as} = {declared}` is declared here"))
                .note(made_at, from)
                .help(layer.bound.correction(slot, declared_as, features));
            b.report(d)
        }
    }
}
