//! `BatchNorm1d`, `BatchNorm2d`: by the batch while training, by running statistics otherwise; `InstanceNorm1d`,
//! `InstanceNorm2d`: each example by itself.

use super::{INPUT, Layer, LayerKind, at_least, float_input, shape_once};
use crate::builder::{Builder, Checked, DeclaredState};
use crate::call::{Arg, Bound, Kind, Param, inferred, optional};
use crate::diagnostic::Diagnostic;
use crate::graph::Value;
use crate::net::Init;
use crate::ops::norm;
use crate::types::{DType, Type, shape_text};

const BATCH: &[Param] = &[
    inferred("num_features", Kind::Int),
    optional("eps", Kind::Float, "1e-5"),
    optional("momentum", Kind::Float, "0.1"),
    optional("affine", Kind::Bool, "true"),
    optional("track_running_stats", Kind::Bool, "true"),
];

/// The same with PyTorch's other defaults.
const INSTANCE: &[Param] = &[
    BATCH[0],
    BATCH[1],
    BATCH[2],
    optional("affine", Kind::Bool, "false"),
    optional("track_running_stats", Kind::Bool, "false"),
];

/// `BatchNorm1d()`.
pub(super) static BATCH_NORM1D: LayerKind = LayerKind {
    name: "BatchNorm1d",
    doc: "Batch norm of [N, channels] or [N, channels, length] with running statistics.",
    signature: BATCH,
    declare,
    call: INPUT,
    apply: |b, layer, given| apply(b, layer, given, &[2, 3]),
};

/// `BatchNorm2d()`.
pub(super) static BATCH_NORM2D: LayerKind = LayerKind {
    name: "BatchNorm2d",
    doc: "Batch norm of [N, channels, height, width] with running statistics.",
    signature: BATCH,
    declare,
    call: INPUT,
    apply: |b, layer, given| apply(b, layer, given, &[4]),
};

/// `InstanceNorm1d()`.
pub(super) static INSTANCE_NORM1D: LayerKind = LayerKind {
    name: "InstanceNorm1d",
    doc: "Mean 0 and variance 1 of each channel of each example of [N, channels, length].",
    signature: INSTANCE,
    declare: declare_instance,
    call: INPUT,
    apply: |b, layer, given| apply_instance(b, layer, given, 3),
};

/// `InstanceNorm2d()`.
pub(super) static INSTANCE_NORM2D: LayerKind = LayerKind {
    name: "InstanceNorm2d",
    doc: "Mean 0 and variance 1 of each channel of each image of [N, channels, height, width].",
    signature: INSTANCE,
    declare: declare_instance,
    call: INPUT,
    apply: |b, layer, given| apply_instance(b, layer, given, 4),
};

fn declare_instance(b: &mut Builder, bound: &Bound) -> Checked<super::Tensors> {
    check(b, bound)?;
    if bound.bool(4).unwrap_or(false) {
        let message =
            format!("`{}` keeps no running statistics yet: it normalises by the example it is given", bound.callee);
        return bound.wrong(b, "N0306", 4, message, "leave `track_running_stats` out");
    }
    Ok(affine_tensors(bound.bool(3).unwrap_or(false)))
}

fn apply_instance(b: &mut Builder, layer: &Layer, given: &Bound, rank: usize) -> Checked<Arg> {
    let (x, channels) = image(b, layer, given, &[rank], 0)?;
    let axes: Vec<usize> = (2..rank).collect();
    norm::more_than_one(b, x, &axes)?;
    let y = norm::standardise(b, x, &axes, layer.bound.float(1).unwrap_or(1e-5))?;
    let [weight, bias] = parameters(b, layer, vec![channels], &format!("{channels} channels"))?;
    norm::by_channels(b, y, weight, bias).map(Arg::Tensor)
}

/// Scale and shift of a norm.
pub(super) fn affine_tensors(affine: bool) -> super::Tensors {
    if affine { vec!["weight".into(), "bias".into()] } else { vec![] }
}

/// The scale and the shift that the layer has.
pub(super) fn parameters(b: &mut Builder, layer: &Layer, shape: Vec<i64>, words: &str) -> Checked<[Option<Value>; 2]> {
    let mut values = [None, None];
    for (tensor, first) in (0..layer.tensors.len()).zip([1.0, 0.0]) {
        values[tensor] = Some(shape_once(b, layer, tensor, shape.clone(), Init::Constant(first), words)?);
    }
    Ok(values)
}

/// The input, of one of these ranks, and its channels; `slot`: where their number is declared.
pub(super) fn image(
    b: &mut Builder,
    layer: &Layer,
    given: &Bound,
    ranks: &[usize],
    slot: usize,
) -> Checked<(Value, i64)> {
    let x = float_input(b, layer, given)?;
    let (shape, at) = (b.shape(x), b.origin.loc);
    let (made, made_at) = (b.made_by(x), b.made_at(x));
    let from = format!("the input, {}, comes from `{made}`", shape_text(&shape));
    if !ranks.contains(&shape.len()) {
        let wanted = ranks.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
        let message = format!("layer `{}` needs {wanted} axes, found {}", layer.name, shape_text(&shape));
        let d = Diagnostic::new("N0105", at, message).note(made_at, from);
        return b.report(d.help("channels are axis 1: [N, channels, ..]"));
    }
    let bound = layer.bound.called(&layer.name, at);
    let channels = norm::channels(b, &bound, x)?;
    match layer.bound.int(slot).filter(|declared| *declared != channels) {
        None => Ok((x, channels)),
        Some(declared) => {
            let name = layer.kind.signature[slot].name;
            let message =
                format!("layer `{}` expects {declared} channels but `{made}` produces {channels}", layer.name);
            let d = Diagnostic::new("N0102", at, message)
                .note(layer.bound.at(slot), format!("`{name} = {declared}` is declared here"))
                .note(made_at, from)
                .help(layer.bound.correction(slot, name, channels));
            b.report(d)
        }
    }
}

/// The arguments that both kinds have.
fn check(b: &mut Builder, bound: &Bound) -> Checked<()> {
    at_least(b, bound, &[(0, "num_features", 1)])?;
    epsilon(b, bound, 1)?;
    if let Some(momentum) = bound.float(2).filter(|m| !(0.0..=1.0).contains(m)) {
        let message = format!("`{}` with momentum = {momentum}", bound.callee);
        return bound.wrong(b, "N0306", 2, message, "it is the share of the new batch, from 0 to 1");
    }
    Ok(())
}

/// What is added to a variance, at this slot: as large as the variance itself it would be a number meant for something else.
pub(super) fn epsilon(b: &mut Builder, bound: &Bound, slot: usize) -> Checked<()> {
    match bound.float(slot).filter(|eps| !(0.0..1.0).contains(eps)) {
        None => Ok(()),
        Some(eps) => {
            let message = format!("`{}` with eps = {eps}", bound.callee);
            bound.wrong(b, "N0306", slot, message, "it keeps the divisor from 0: a small number such as 1e-5")
        }
    }
}

fn declare(b: &mut Builder, bound: &Bound) -> Checked<super::Tensors> {
    check(b, bound)?;
    if bound.bool(4).unwrap_or(true) {
        let layer = b.origin.name.clone();
        let batches = Some(Type::new(DType::I64, vec![]));
        for (name, ty, first) in
            [("running_mean", None, 0.0), ("running_var", None, 1.0), ("num_batches_tracked", batches, 0.0)]
        {
            let name = format!("{layer}.{name}").into();
            b.parameters.states.push(DeclaredState { name, ty, init: Init::Constant(first) });
        }
    }
    Ok(affine_tensors(bound.bool(3).unwrap_or(true)))
}

fn apply(b: &mut Builder, layer: &Layer, given: &Bound, ranks: &[usize]) -> Checked<Arg> {
    let (x, channels) = image(b, layer, given, ranks, 0)?;
    let bound = &layer.bound;
    let (eps, momentum) = (bound.float(1).unwrap_or(1e-5), bound.float(2).unwrap_or(0.1));
    let [weight, bias] = parameters(b, layer, vec![channels], &format!("{channels} channels"))?;
    let states: Vec<usize> = layer.states.clone().collect();
    for &state in states.iter().take(2) {
        let ty = Type::new(b.float(), vec![channels.into()]);
        let known = b.parameters.states[state].ty.get_or_insert(ty.clone()).clone();
        if known != ty {
            let message =
                format!("layer `{}` is used with two sizes: {known} by its first use and {ty} here", layer.name);
            let d = Diagnostic::new("N0104", b.origin.loc, message);
            return b.report(d.help("declare a second layer for the other size"));
        }
    }
    if let (false, [mean, variance, _]) = (b.training, &states[..]) {
        let [mean, variance] = [mean, variance].map(|state| {
            let value = b.state(*state);
            b.widened(value)
        });
        return norm::by_known(b, x, mean, variance, weight, bias, eps).map(Arg::Tensor);
    }
    let axes = norm::all_but_channels(b, x);
    norm::more_than_one(b, x, &axes)?;
    let moments = norm::moments(b, x, &axes)?;
    // What is frozen uses its batch, too, but its running statistics stand still.
    if let (true, false, [mean, variance, batches]) = (b.training, layer.options.frozen, &states[..]) {
        norm::running(b, x, &moments, [*mean, *variance, *batches], momentum)?;
    }
    let y = norm::normalize(b, x, &moments, &axes, eps);
    norm::by_channels(b, y, weight, bias).map(Arg::Tensor)
}
