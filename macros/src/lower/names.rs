//! Names that are defined twice, or that every net has already.

use std::collections::HashMap;

use castnet_graph::compile::SourceFunction;
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::net::METADATA;

use super::parts::is_inside;
use crate::ast::{BuildParameter, Function, Member, Members, Name, Net, Part};

/// Methods that every net has: no function may be called so.
const METHODS: &[&str] = &[
    "new",
    "load",
    "save",
    "save_async",
    "load_training",
    "load_rounded",
    "load_training_keeping_settings",
    "save_training",
    "save_training_async",
    "parameter",
    "set_parameter",
    "copy_from",
    "lerp",
    "explain",
    "flops",
    "stop_on_nan",
    "as_ref",
    "as_mut",
    "fmt",
];

/// Names of a net or block that are defined twice.
pub(super) fn twice(
    owner: &Name,
    parameters: &[BuildParameter],
    members: &Members,
    functions: &[Function],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let parameters = parameters.iter().map(|p| (&p.name, "parameter"));
    let constants = members.constants.iter().map(|c| (&c.name, "constant"));
    let layers = members.parts.iter().map(|p| (&p.name, "layer"));
    let functions = functions.iter().map(|f| (&f.name, "function"));
    let mut first: HashMap<&str, (&Name, &str)> = HashMap::new();
    for (name, what) in parameters.chain(constants).chain(layers).chain(functions) {
        let Some((earlier, kind)) = first.get(name.text.as_str()) else {
            first.insert(&name.text, (name, what));
            continue;
        };
        let message = format!("the name `{}` is defined twice in `{}`", name.text, owner.text);
        let d = Diagnostic::new("N0502", name.at, message)
            .note(earlier.at, format!("it is a {kind} here"))
            .help("give one of them another name");
        diagnostics.push(d);
    }
    keys(members, diagnostics);
}

/// Parts of a net or block that checkpoints could not tell apart.
fn keys(members: &Members, diagnostics: &mut Vec<Diagnostic>) {
    let mut first: Vec<&Part> = vec![];
    for part in &members.parts {
        // Two of one name were reported.
        let meets = |other: &&&Part| {
            let (a, b) = (other.key(), part.key());
            other.name.text != part.name.text && (is_inside(a, b) || is_inside(b, a))
        };
        if let Some(other) = first.iter().find(meets) {
            let (inner, outer) = if is_inside(part.key(), other.key()) { (part, *other) } else { (*other, part) };
            let [(a, key), (b, whole)] = [inner, outer].map(|part| (&part.name.text, part.key()));
            let message = match key == whole {
                true => format!("checkpoints call both `{b}` and `{a}` `{key}`"),
                false => format!("checkpoints call `{a}` `{key}`, which lies in `{whole}`"),
            };
            let d = Diagnostic::new("N0502", part.key_at(), message)
                .note(other.name.at, format!("`{}` is here", other.name.text));
            diagnostics.push(d.help("give one of them another `#[name = \"…\"]`"));
        }
        first.push(part);
    }
}

/// Parameters and states of a net that checkpoints would call as safetensors calls its own entries.
pub(super) fn metadata(net: &Net, diagnostics: &mut Vec<Diagnostic>) {
    let tensors = net.members.parts.iter().filter(|p| matches!(p.member, Member::Param(..) | Member::State(..)));
    for part in tensors.filter(|p| p.key() == METADATA) {
        let message = format!("checkpoints cannot call `{}` `{METADATA}`: that is their own", part.name.text);
        let d = Diagnostic::new("N0502", part.key_at(), message);
        diagnostics.push(d.help("give it another name, or another `#[name = \"…\"]`"));
    }
}

/// Functions called as methods that every net has.
pub(super) fn methods(net: &Net, diagnostics: &mut Vec<Diagnostic>) {
    for function in net.functions.iter().filter(|f| f.is_entry()) {
        let name = &function.name;
        let taken_by = made_by(net, &name.text);
        if METHODS.contains(&name.text.as_str()) {
            let message =
                format!("a function of a net cannot be called `{}`: every net has a method of that name", name.text);
            diagnostics.push(Diagnostic::new("N0502", name.at, message).help("give it another name"));
        } else if let Some(train) = taken_by {
            let message = format!("the method `{}` exists already: `train fn {}` makes it", name.text, train.name.text);
            let d = Diagnostic::new("N0502", name.at, message).note(train.name.at, "that function is here");
            diagnostics.push(d.help("give it another name"));
        }
    }
}

/// Functions called as what functions that draw random numbers make.
pub(super) fn seeded(net: &Net, functions: &[SourceFunction], diagnostics: &mut Vec<Diagnostic>) {
    for draws in functions.iter().filter(|f| f.draws()) {
        let method = format!("{}_seeded", draws.name);
        let entry = |name: &str| net.functions.iter().find(|f| f.is_entry() && f.name.text == name).map(|f| &f.name);
        if let (Some(name), Some(by)) = (entry(&method), entry(&draws.name)) {
            let message = format!("the method `{method}` exists already: `{}` draws random numbers", draws.name);
            let d = Diagnostic::new("N0502", name.at, message).note(by.at, "that function is here");
            diagnostics.push(d.help("give it another name"));
        }
    }
}

/// Constants and build-time parameters that are called as what every net has.
pub(super) fn constants(net: &Net, diagnostics: &mut Vec<Diagnostic>) {
    let constants = net.members.constants.iter().map(|constant| &constant.name);
    for name in net.parameters.iter().map(|parameter| &parameter.name).chain(constants) {
        if METHODS.contains(&name.text.as_str()) || name.text == "PARAMETERS" {
            let message = format!("a constant of a net cannot be called `{}`: every net has that already", name.text);
            diagnostics.push(Diagnostic::new("N0502", name.at, message).help("give it another name"));
        }
    }
}

/// Whether `Net::name` is something else than a constant of the net.
pub fn is_taken(net: &Net, name: &str) -> bool {
    name == "PARAMETERS" || is_method(net, name) || net.functions.iter().any(|f| f.name.text == name)
}

/// The `train fn` that makes a method of this name.
fn made_by<'a>(net: &'a Net, name: &str) -> Option<&'a Function> {
    net.functions.iter().filter(|f| f.train.is_some()).find(|t| {
        let rest = name.strip_prefix(t.name.text.as_str());
        matches!(rest, Some("_step" | "_grad" | "_grad_add"))
    })
}

/// Whether a net has a method of this name without any function called so.
pub fn is_method(net: &Net, name: &str) -> bool {
    METHODS.contains(&name) || made_by(net, name).is_some()
}
