//! Layers whose sizes are all declared: their tensors have shapes before the first call.

use super::{Layer, call};
use crate::builder::Builder;
use crate::call::{Arg, Given};
use crate::size::Size;
use crate::types::{DType, Type};

/// Gives the tensors of a layer their shapes, if its declaration tells them all: the layer is applied, in a graph that is thrown away, to an
/// input such as the declaration asks for.
pub fn settle(b: &mut Builder, layer: &Layer) {
    for ty in inputs(layer, b.float()) {
        let mut trial = Builder::new("declared", b.parameters, b.training);
        let value = Arg::Tensor(trial.argument("input", ty));
        // What does not fit is no mistake here: the first call of the program will say so.
        if call(&mut trial, layer, layer.at, &[Given { name: None, value, at: layer.at }]).is_ok() {
            return;
        }
    }
}

/// Inputs that a layer may ask for: none, if their sizes are not declared.
fn inputs(layer: &Layer, float: DType) -> Vec<Type> {
    let named = |name: &str| layer.kind.signature.iter().position(|param| param.name == name);
    let ints = |name: &str| named(name).and_then(|slot| layer.bound.ints(slot));
    let int = |names: &[&str]| names.iter().find_map(|name| ints(name)?.first().copied());
    let of = |dtype: DType, axes: &[i64]| {
        let rest = axes.iter().map(|&axis| Size::constant(axis));
        Type { dtype, shape: [Size::symbol("N")].into_iter().chain(rest).collect() }
    };
    if named("num_embeddings").is_some() {
        return vec![of(DType::I64, &[])];
    }
    if let Some(shape) = ints("normalized_shape") {
        return vec![of(float, &shape)];
    }
    if let Some(features) = int(&["in_features"]) {
        return vec![of(float, &[features])];
    }
    if let Some(features) = int(&["input_size"]) {
        return vec![of(float, &[1, features])];
    }
    let Some(channels) = int(&["in_channels", "num_features", "num_channels"]) else { return vec![] };
    // Images that every window fits into, with more than one value a channel; of the ranks that there are, one is the layer's.
    let largest = |name: &str, default: i64| ints(name).map_or(default, |all| all.into_iter().fold(0, i64::max));
    let side = largest("dilation", 1) * largest("kernel_size", 1) + 2 * largest("padding", 0);
    let side = side.max(2);
    vec![of(float, &[channels, side]), of(float, &[channels, side, side])]
}
