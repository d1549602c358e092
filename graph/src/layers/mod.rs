//! The layers of the language, one file each: parameters, first values, and the operators that they stand for.

use std::borrow::Cow;
use std::ops::Range;

use crate::autocast;
pub use crate::builder::Options;
use crate::builder::{Builder, Checked, Declared, Parameters};
use crate::call::{Arg, Bound, Given, INFERRED, Kind, Param, bind, bind_or, required};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Origin, Value};

mod batch_norm;
mod conv;
mod declared;
mod dropout;
mod embedding;
pub mod init;
mod layer_norm;
mod linear;
mod operator;
mod recurrent;

pub use declared::settle;

/// The parameters of a layer, such as `weight`.
pub type Tensors = Vec<Cow<'static, str>>;

/// A kind of layer.
pub struct LayerKind {
    /// PyTorch's name.
    pub name: &'static str,
    /// One line for hover and the reference page.
    pub doc: &'static str,
    /// The arguments of its declaration.
    pub signature: &'static [Param],
    /// Checks the arguments of the declaration; names the tensors with their layouts, in PyTorch's order. States it declares itself.
    pub declare: fn(&mut Builder, &Bound) -> Checked<Tensors>,
    /// The arguments of a call; the first one is the input.
    pub call: &'static [Param],
    /// Applies the layer to the arguments of a call.
    pub apply: fn(&mut Builder, &Layer, &Bound) -> Checked<Arg>,
}

/// The arguments of a call, for most layers: one input.
pub(crate) const INPUT: &[Param] = &[required("input", Kind::Tensor)];

/// Every kind of layer.
pub static LAYERS: &[&LayerKind] = &[
    &linear::LINEAR,
    &embedding::EMBEDDING,
    &batch_norm::BATCH_NORM1D,
    &batch_norm::BATCH_NORM2D,
    &batch_norm::INSTANCE_NORM1D,
    &batch_norm::INSTANCE_NORM2D,
    &layer_norm::LAYER_NORM,
    &layer_norm::RMS_NORM,
    &layer_norm::GROUP_NORM,
    &conv::CONV1D,
    &conv::CONV2D,
    &conv::CONV_TRANSPOSE1D,
    &conv::CONV_TRANSPOSE2D,
    &recurrent::LSTM,
    &recurrent::GRU,
    &recurrent::RNN,
    &dropout::DROPOUT,
    &dropout::DROPOUT2D,
    &operator::MAX_POOL1D,
    &operator::MAX_POOL2D,
    &operator::AVG_POOL1D,
    &operator::AVG_POOL2D,
    &operator::ADAPTIVE_AVG_POOL1D,
    &operator::ADAPTIVE_AVG_POOL2D,
    &operator::ADAPTIVE_MAX_POOL2D,
    &operator::UPSAMPLE,
    &operator::PIXEL_SHUFFLE,
    &operator::PIXEL_UNSHUFFLE,
    &operator::FLATTEN,
    &operator::IDENTITY,
    &operator::RELU,
    &operator::LEAKY_RELU,
    &operator::GELU,
    &operator::SILU,
    &operator::SOFTPLUS,
    &operator::ELU,
    &operator::RELU6,
    &operator::MISH,
    &operator::HARDSWISH,
    &operator::SOFTMAX,
    &operator::TANH,
    &operator::SIGMOID,
];

/// A declared layer.
#[derive(Clone)]
pub struct Layer {
    /// Its name in the net: the checkpoint key.
    pub name: String,
    /// Where it is declared.
    pub at: Loc,
    /// What it is.
    pub kind: &'static LayerKind,
    /// Its arguments.
    pub bound: Bound,
    /// Numbers of its parameters in the net's list.
    pub tensors: Vec<usize>,
    /// For each of them, the first values that the declaration asks for.
    pub inits: Vec<Option<(init::Initialiser, Loc)>>,
    /// Numbers of its states in the net's list.
    pub states: Range<usize>,
    /// How it is trained.
    pub options: Options,
}

/// The kind with this name.
pub fn find(name: &str) -> Option<&'static LayerKind> {
    LAYERS.iter().copied().find(|k| k.name == name)
}

/// `name: Kind(given…);`. Parameters are appended to the net's list.
pub fn declare(b: &mut Builder, name: &str, at: Loc, kind: &str, kind_at: Loc, given: &[Given]) -> Checked<Layer> {
    declare_with(b, name, at, kind, kind_at, given, Options::default())
}

/// As [`declare`], with attributes before the name.
pub fn declare_with(
    b: &mut Builder,
    name: &str,
    at: Loc,
    kind: &str,
    kind_at: Loc,
    given: &[Given],
    options: Options,
) -> Checked<Layer> {
    let Some(kind) = find(kind) else {
        let d = Diagnostic::new("N0402", kind_at, format!("there is no layer `{kind}`"));
        let known = LAYERS.iter().map(|k| k.name);
        let d = match crate::spelling::did_you_mean(kind, known) {
            Some(meant) => d.help(format!("did you mean `{meant}`?")),
            None => d.help(format!("layers: {}", LAYERS.iter().map(|k| k.name).collect::<Vec<_>>().join(", "))),
        };
        return b.report(d);
    };
    let before = std::mem::replace(&mut b.origin, Origin::new(kind_at, name));
    let wanted = init::Wanted::of(given);
    let mut given = wanted.rest.clone();
    name_the_only_size(kind.signature, &mut given);
    let lacks = |missing: &[&Param]| lacks_a_size(kind, kind_at, &wanted.rest, missing);
    let bound = bind_or(b, kind.name, kind_at, kind.signature, crate::ops::other_arguments(), &given, lacks);
    let first_state = b.parameters.states.len();
    let result = match bound {
        Ok(Some(bound)) => (kind.declare)(b, &bound).and_then(|tensors| {
            let names: Vec<&str> = tensors.iter().map(|name| &**name).collect();
            let inits = wanted.tensors(b, kind.name, &names)?;
            let first = b.parameters.list.len();
            let count = tensors.len();
            for tensor in tensors {
                let name = format!("{name}.{tensor}");
                b.parameters.list.push(Declared { options, ..Declared::new(name) });
            }
            let (tensors, states) = ((first..first + count).collect(), first_state..b.parameters.states.len());
            Ok(Layer { name: name.into(), at, kind, bound, tensors, inits, states, options })
        }),
        Ok(None) => Err(crate::builder::Reported),
        Err(reported) => Err(reported),
    };
    b.origin = before;
    result
}

/// `Linear(32)`: the only argument by position is the first size that what comes in does not tell, unless that is named.
fn name_the_only_size(signature: &[Param], given: &mut [Given]) {
    let [only, rest @ ..] = given else { return };
    let Some(size) = signature.iter().find(|p| !p.optional) else { return };
    let is_named = |g: &Given| g.name.as_ref().is_some_and(|(name, _)| name == size.name);
    if only.name.is_none() && rest.iter().all(|g| g.name.is_some() && !is_named(g)) {
        only.name = Some((size.name.into(), only.at));
    }
}

/// The mistake of a declaration without a size that it needs, with both ways to write it: without what is inferred, and in PyTorch's order.
fn lacks_a_size(kind: &LayerKind, at: Loc, given: &[Given], missing: &[&Param]) -> Diagnostic {
    let names: Vec<String> = missing.iter().map(|p| format!("`{}`", p.name)).collect();
    let message = format!("`{}` lacks {}", kind.name, names.join(", "));
    let by_position: Vec<String> = given.iter().filter(|g| g.name.is_none()).map(|g| number(&g.value)).collect();
    let sizes: Vec<&Param> = kind.signature.iter().filter(|p| !p.optional).collect();
    // The first one by position, the others by name: numbers that were written in the order in which they were.
    let by_name = |(i, p): (usize, &&Param)| match (i, by_position.get(i)) {
        (0, Some(value)) => value.clone(),
        (0, None) => p.name.to_string(),
        (_, Some(value)) => format!("{} = {value}", p.name),
        (_, None) => format!("{} = …", p.name),
    };
    let short: Vec<String> = sizes.iter().enumerate().map(by_name).collect();
    let short = format!("`{}({})`", kind.name, short.join(", "));
    let last = kind.signature.iter().rposition(|p| !p.optional).map_or(0, |last| last + 1);
    let in_order = |(i, p): (usize, &Param)| by_position.get(i).cloned().unwrap_or_else(|| p.name.to_string());
    let order: Vec<String> = kind.signature[..last].iter().enumerate().map(in_order).collect();
    let order = format!("`{}({})`", kind.name, order.join(", "));
    let inferred = kind.signature[..last].iter().find(|p| p.default == INFERRED);
    let help = match inferred {
        Some(inferred) => format!("write {short}, where `{}` is inferred, or all in order: {order}", inferred.name),
        None => format!("write {order}"),
    };
    Diagnostic::new("N0308", at, message).help(help)
}

/// An argument as it may have been written.
fn number(value: &Arg) -> String {
    match value {
        Arg::Size(size) => size.to_string(),
        Arg::List(list) => format!("[{}]", list.iter().map(number).collect::<Vec<_>>().join(", ")),
        _ => "…".into(),
    }
}

/// `layer(given…)`, at a place; [`Arg::Unknown`] if an argument is.
pub fn call(b: &mut Builder, layer: &Layer, at: Loc, given: &[Given]) -> Checked<Arg> {
    let before = b.enter(at, layer.name.as_str(), autocast::of_layer(layer.kind.name));
    let result = match bind(b, &layer.name, at, layer.kind.call, crate::ops::other_arguments(), given) {
        Ok(Some(bound)) => compute(b, layer, &bound),
        Ok(None) => Ok(Arg::Unknown),
        Err(reported) => Err(reported),
    };
    b.origin = before;
    result
}

/// A layer computes in the net's float type; of a half, in f32, and rounds its results once.
fn compute(b: &mut Builder, layer: &Layer, bound: &Bound) -> Checked<Arg> {
    let float = b.float();
    let other = bound.floats(b).into_iter().find(|(value, _)| b.graph.dtype(*value) != float);
    if let Some((value, at)) = other {
        let found = b.ty(value).clone();
        let message =
            format!("layer `{}` computes in {float}, the float type of the net, and gets {found}", layer.name);
        let d = Diagnostic::new("N0201", at, message)
            .note(b.made_at(value), format!("`{}` is {}", b.made_by(value), found.dtype))
            .help(format!("convert it: `.cast({float})`"));
        return b.report(d);
    }
    if !float.is_half() {
        return (layer.kind.apply)(b, layer, bound);
    }
    let wide = bound.widened(b);
    let result = (layer.kind.apply)(b, layer, &wide)?;
    Ok(crate::ops::rounded(b, result, float))
}

/// `layer(x)`, at a place, for a layer that takes a tensor and gives one.
pub fn apply(b: &mut Builder, layer: &Layer, at: Loc, x: Value) -> Checked<Value> {
    match call(b, layer, at, &[Given { name: None, value: Arg::Tensor(x), at }])? {
        Arg::Tensor(value) => Ok(value),
        _ => Err(crate::builder::Reported),
    }
}

/// Sets a parameter's shape at the first use, or checks it at a later one: `features` is what the layer was given, in words.
pub(crate) fn shape_once(
    b: &mut Builder,
    layer: &Layer,
    tensor: usize,
    shape: Vec<i64>,
    init: crate::net::Init,
    features: &str,
) -> Checked<Value> {
    let number = layer.tensors[tensor];
    let at = b.origin.loc;
    let init = match layer.inits[tensor].map(|(wanted, place)| (init::resolve(wanted, &shape), place)) {
        None => init,
        Some((Ok(init), _)) => init,
        Some((Err(what), place)) => {
            let name = b.parameters.list[number].name.clone();
            let message = format!("these first values do not suit `{name}`, {shape:?}: {what}");
            return b.report(Diagnostic::new("N0306", place, message).help("write `normal(0, 0.02)` or `zeros`"));
        }
    };
    let declared: &mut Parameters = b.parameters;
    match &declared.list[number].shape {
        None => {
            declared.list[number].shape = Some((shape, init));
            declared.list[number].first_use = at;
        }
        Some((first, _)) if *first == shape => {}
        Some((first, _)) => {
            let message = format!(
                "layer `{}` is used with two sizes: its `{}` is {first:?} by its first use and {shape:?} here ({features})",
                layer.name, declared.list[number].name
            );
            let first_use = declared.list[number].first_use;
            let d = Diagnostic::new("N0104", at, message)
                .note(first_use, "the first use, which set the size")
                .help("declare a second layer for the other size");
            return b.report(d);
        }
    }
    let parameter = b.parameter(number);
    Ok(b.widened(parameter))
}

/// The arguments at these slots, if given, are at least so large: numbers of features, windows, strides.
pub(crate) fn at_least(b: &mut Builder, bound: &Bound, slots: &[(usize, &str, i64)]) -> Checked<()> {
    for &(slot, what, least) in slots {
        if let Some(value) = bound.ints(slot).and_then(|values| values.into_iter().find(|v| *v < least)) {
            let message = format!("`{}` with {what} = {value}", bound.callee);
            return bound.wrong(b, "N0306", slot, message, format!("it is at least {least}"));
        }
    }
    Ok(())
}

/// The input of a call, which must have floating-point elements.
pub(crate) fn float_input(b: &mut Builder, layer: &Layer, given: &Bound) -> Checked<Value> {
    let x = given.tensor(b, 0, None);
    let (ty, at) = (b.ty(x).clone(), b.origin.loc);
    if ty.dtype.is_float() {
        return Ok(x);
    }
    let message = format!("layer `{}` needs floating-point elements, found {ty}", layer.name);
    let d = Diagnostic::new("N0202", at, message)
        .note(
            b.made_at(x),
            format!("the input, {}, comes from `{}`", crate::types::shape_text(&ty.shape), b.made_by(x)),
        )
        .help(format!("convert it first: `.cast({})`", b.float()));
    b.report(d)
}
