//! The names of a net: constants, layers, functions, each defined once.

use std::collections::HashMap;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::layers::{self, Layer};

use super::body::{Frame, Lowering};
use super::{Pass, State};
use crate::ast::{self, Name, Net};

/// The names of a net.
pub(super) struct Names<'a> {
    /// The net.
    pub net: &'a Net,
    /// Constants: [`Arg::Unknown`] if the value could not be found out.
    pub constants: HashMap<&'a str, Arg>,
    /// Layers: `None` if the declaration has a mistake.
    pub layers: HashMap<&'a str, Option<Layer>>,
    /// Functions, by their number.
    pub functions: HashMap<&'a str, usize>,
}

/// Methods that every net has: no function may be called so.
const METHODS: &[&str] = &[
    "new",
    "load",
    "save",
    "load_training",
    "save_training",
    "parameter",
    "set_parameter",
    "state",
    "set_state",
    "reset_states",
    "copy_from",
    "lerp",
    "explain",
    "flops",
    "stop_on_nan",
    "as_ref",
    "as_mut",
    "fmt",
];

/// Collects the names of a net; what is wrong with them goes to `diagnostics`.
pub(super) fn declare<'a>(net: &'a Net, parameters: &mut Parameters, diagnostics: &mut Vec<Diagnostic>) -> Names<'a> {
    twice(net, diagnostics);
    let mut names = Names { net, constants: HashMap::new(), layers: HashMap::new(), functions: HashMap::new() };
    for (index, function) in net.functions.iter().enumerate() {
        names.functions.entry(&function.name.text).or_insert(index);
    }
    constants(&mut names, diagnostics);
    for layer in &net.layers {
        let declared = declare_layer(&names, layer, parameters, diagnostics);
        // A second layer of the same name was reported; the first one counts.
        names.layers.entry(&layer.name.text).or_insert(declared);
    }
    names
}

/// The places that define a name, in order.
fn definitions(net: &Net) -> impl Iterator<Item = (&Name, &'static str)> {
    let constants = net.constants.iter().map(|c| (&c.name, "constant"));
    let layers = net.layers.iter().map(|l| (&l.name, "layer"));
    let functions = net.functions.iter().map(|f| (&f.name, "function"));
    constants.chain(layers).chain(functions)
}

/// Names defined twice, also those that are generated.
fn twice(net: &Net, diagnostics: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, (&Name, &str)> = HashMap::new();
    for (name, what) in definitions(net) {
        match first.get(name.text.as_str()) {
            None => {
                first.insert(&name.text, (name, what));
            }
            Some((earlier, kind)) => {
                let d = Diagnostic::new(
                    "N0502",
                    name.at,
                    format!("the name `{}` is defined twice in `{}`", name.text, net.name.text),
                )
                .note(earlier.at, format!("it is a {kind} here"))
                .help("give one of them another name");
                diagnostics.push(d);
            }
        }
    }
    for function in net.functions.iter().filter(|f| f.is_entry()) {
        let name = &function.name;
        let taken_by = made_by(net, &name.text);
        if METHODS.contains(&name.text.as_str()) {
            let message =
                format!("a function of a net cannot be called `{}`: every net has a method of that name", name.text);
            diagnostics.push(Diagnostic::new("N0502", name.at, message).help("give it another name"));
        } else if let Some(train) = taken_by {
            let kind = if train.train { "train fn" } else { "fn" };
            let message = format!("the method `{}` exists already: `{kind} {}` makes it", name.text, train.name.text);
            let d = Diagnostic::new("N0502", name.at, message).note(train.name.at, "that function is here");
            diagnostics.push(d.help("give it another name"));
        }
    }
}

/// The function that makes a method of this name besides its own.
fn made_by<'a>(net: &'a Net, name: &str) -> Option<&'a ast::Function> {
    net.functions.iter().filter(|f| f.is_entry()).find(|f| match name.strip_prefix(f.name.text.as_str()) {
        Some("_flops" | "_memory") => true,
        Some("_step" | "_grad" | "_grad_add" | "_step_flops" | "_step_memory") => f.train,
        _ => false,
    })
}

/// Whether a net has a method of this name without any function called so.
pub fn is_method(net: &Net, name: &str) -> bool {
    METHODS.contains(&name) || made_by(net, name).is_some()
}

/// The values of the constants. One may use those above and below it.
fn constants(names: &mut Names, diagnostics: &mut Vec<Diagnostic>) {
    // As often as there are constants: each round settles at least one more, or the rest depend on each other.
    let mut open: Vec<&ast::Constant> = names.net.constants.iter().collect();
    open.retain(|c| !names.constants.contains_key(c.name.text.as_str()));
    loop {
        let before = open.len();
        open.retain(|constant| !settle(names, constant, diagnostics, false));
        if open.len() == before {
            break;
        }
    }
    for constant in open {
        settle(names, constant, diagnostics, true);
    }
}

/// Finds the value of a constant, unless it needs one that is not known yet (then, with `last`, that is a mistake).
fn settle<'a>(
    names: &mut Names<'a>,
    constant: &'a ast::Constant,
    diagnostics: &mut Vec<Diagnostic>,
    last: bool,
) -> bool {
    if names.constants.contains_key(constant.name.text.as_str()) {
        return true; // Defined twice: the first one counts.
    }
    let waits = needs(&constant.value).into_iter().find(|need| {
        let declared = names.net.constants.iter().any(|c| c.name.text == *need);
        declared && !names.constants.contains_key(need)
    });
    let value = match waits {
        Some(_) if !last => return false,
        Some(need) => {
            let message = format!("the constant `{}` depends on itself, by way of `{need}`", constant.name.text);
            diagnostics.push(Diagnostic::new("N0508", constant.value.at, message).help("write a number"));
            Arg::Unknown
        }
        None => evaluate(names, constant, diagnostics),
    };
    names.constants.insert(&constant.name.text, value);
    true
}

/// The names in a size expression.
fn needs(expression: &ast::Expr) -> Vec<&str> {
    match &expression.kind {
        ast::ExprKind::Name(name) => vec![name],
        ast::ExprKind::Unary(_, x) => needs(x),
        ast::ExprKind::Binary(_, x, y) => [needs(x), needs(y)].concat(),
        ast::ExprKind::Call(_, arguments) => arguments.iter().flat_map(|a| needs(&a.value)).collect(),
        _ => vec![],
    }
}

fn evaluate(names: &Names, constant: &ast::Constant, diagnostics: &mut Vec<Diagnostic>) -> Arg {
    let value =
        outside(names, &mut Parameters::default(), diagnostics, |l, frame| l.expression(frame, &constant.value));
    match value {
        Arg::Size(size) if size.as_const().is_some_and(|c| c >= 1) => Arg::Size(size),
        Arg::Unknown => Arg::Unknown,
        other => {
            let found = match &other {
                Arg::Size(size) => size.to_string(),
                Arg::Float(value) => format!("{value:?}"),
                _ => "something else".into(),
            };
            let message =
                format!("the constant `{}` must be an integer of at least 1, found {found}", constant.name.text);
            diagnostics.push(Diagnostic::new("N0512", constant.value.at, message).help("constants of a net are sizes"));
            Arg::Unknown
        }
    }
}

fn declare_layer(
    names: &Names,
    layer: &ast::Layer,
    parameters: &mut Parameters,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Layer> {
    let kind = layer.kind.as_ref()?;
    outside(names, parameters, diagnostics, |lowering, frame| {
        let given: Vec<Given> = layer.arguments.iter().map(|a| lowering.given(frame, a)).collect();
        layers::declare(&mut lowering.b, &layer.name.text, layer.name.at, &kind.text, kind.at, &given).ok()
    })
}

/// Runs `f` where only constants are known: outside functions.
fn outside<T>(
    names: &Names,
    parameters: &mut Parameters,
    diagnostics: &mut Vec<Diagnostic>,
    f: impl FnOnce(&mut Lowering, &mut Frame) -> T,
) -> T {
    let states = vec![Some(State::Broken); names.net.functions.len()];
    let pass = Pass { names, signatures: &[], states };
    let mut lowering = Lowering { pass: &pass, b: Builder::new("", parameters, false) };
    let result = f(&mut lowering, &mut Frame::outside(names.net.lost));
    diagnostics.append(&mut lowering.b.diagnostics);
    result
}
