//! What an editor shows of operators and layers, `src/__editor/`, is written from the lists of operators and layers:
//!
//! ```sh
//! UPDATE_DOCS=1 cargo test -p castnet-graph --test editor_vocabulary
//! ```

use std::path::Path;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given, Kind, Param};
use castnet_graph::diagnostic::Loc;
use castnet_graph::layers::{self, LAYERS, LayerKind};
use castnet_graph::ops::OPERATORS;

/// What the language has beside the operators of the list: name, arguments, what it does.
const WORDS: [(&str, &str, &str); 2] = [
    (
        "scan",
        "xs, init, f, dim = 0, reverse = false",
        "A loop over an axis of `xs`: `let (last, outputs) = scan(xs, init, |state, x| (next, output), dim = 0);`. `x` comes without the axis, outputs are stacked on it.",
    ),
    ("grad", "loss, of", "The gradient of `loss` as a value: `let [g] = grad(loss, [x]);`."),
];

#[test]
fn the_operators_are_up_to_date() {
    let mut page = head("Operators as methods of a tensor");
    page += "use super::{Tensor, any, *};\n\nimpl Tensor {\n";
    for operator in methods() {
        let arguments = &operator.signature[1..];
        page += &documented("    ", operator.name, operator.signature, operator.doc);
        page += &format!(
            "    pub fn {}<Output>(&self{}) -> Output {{ any() }}\n",
            operator.name,
            arguments.iter().map(|p| format!(", {}", argument(p))).collect::<String>()
        );
    }
    check("operators.rs", page + "}\n");
}

#[test]
fn the_functions_are_up_to_date() {
    let mut page = head("Operators that do not start from a tensor, and the language's own words");
    page += "use super::{any, *};\n\n";
    for operator in OPERATORS.iter().flat_map(|list| list.iter()).filter(|o| !is_method(o.signature)) {
        let arguments: Vec<String> = operator.signature.iter().map(argument).collect();
        page += &documented("", operator.name, operator.signature, operator.doc);
        page += &format!("pub fn {}<Output>({}) -> Output {{ any() }}\n", operator.name, arguments.join(", "));
    }
    for (name, signature, doc) in WORDS {
        let names = signature.split(", ").map(|p| p.split(' ').next().unwrap_or(p));
        let arguments: Vec<String> = names.map(|name| format!("{name}: impl Operand")).collect();
        page += &format!("/// `{name}({signature})`\n///\n/// {doc}\n");
        page += &format!("pub fn {name}<Output>({}) -> Output {{ any() }}\n", arguments.join(", "));
    }
    check("functions.rs", page);
}

#[test]
fn the_layers_are_up_to_date() {
    let mut page = head("Layers, with the tensors that can be named");
    page += "use super::Tensor;\n";
    for kind in LAYERS {
        page += &format!("\n{}", documented("", kind.name, kind.signature, kind.doc));
        let fields = tensors(kind);
        let fields: String =
            fields.iter().map(|f| format!("    /// The tensor `{f}`.\n    pub {f}: Tensor,\n")).collect();
        page += &match fields.is_empty() {
            true => format!("pub struct {} {{}}\n", kind.name),
            false => format!("pub struct {} {{\n{fields}}}\n", kind.name),
        };
    }
    check("layers.rs", page);
}

/// The tensors of a layer that is declared with what it must be told and nothing else.
fn tensors(kind: &LayerKind) -> Vec<String> {
    let mut parameters = Parameters::default();
    let mut builder = Builder::new("", &mut parameters, false);
    let named = |p: &Param| Given {
        name: Some((p.name.into(), Loc::default())),
        value: Arg::Size(8.into()),
        at: Loc::default(),
    };
    let given: Vec<Given> = kind.signature.iter().filter(|p| !p.optional).map(named).collect();
    let layer = layers::declare(&mut builder, "x", Loc::default(), kind.name, Loc::default(), &given);
    let Ok(layer) = layer else { panic!("{} is declared otherwise: {:?}", kind.name, builder.diagnostics) };
    layer.tensors.iter().map(|&t| parameters.list[t].name.trim_start_matches("x.").to_string()).collect()
}

/// The operators whose first argument can stand before a dot.
fn methods() -> impl Iterator<Item = &'static castnet_graph::ops::Operator> {
    OPERATORS.iter().flat_map(|list| list.iter()).filter(|o| is_method(o.signature))
}

fn is_method(signature: &[Param]) -> bool {
    matches!(signature.first().map(|p| p.kind), Some(Kind::Tensor | Kind::Operand))
}

fn head(what: &str) -> String {
    format!("//! {what}. Written by `graph/tests/editor_vocabulary.rs` from the lists of the compiler.\n\n")
}

/// `/// max_pool2d(input, kernel_size, stride = kernel_size)` and what it does.
fn documented(indent: &str, name: &str, signature: &[Param], doc: &str) -> String {
    let call: Vec<String> = signature.iter().map(Param::written).collect();
    // Brackets would be links.
    let doc = doc.replace('[', "\\[").replace(']', "\\]");
    format!("{indent}/// `{name}({})`\n{indent}///\n{indent}/// {doc}\n", call.join(", "))
}

/// `kernel_size: impl Pair`.
fn argument(p: &Param) -> String {
    let kind = match p.kind {
        Kind::Tensor => Kind::Operand,
        // What stands for one stands for the other.
        Kind::Integer => Kind::Size,
        Kind::Element => Kind::Float,
        kind => kind,
    };
    format!("{}: impl {kind:?}", p.name)
}

fn check(file: &str, page: String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/__editor").join(file);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let line = found.lines().zip(page.lines()).position(|(a, b)| a != b).unwrap_or(0) + 1;
    assert!(found == page, "src/__editor/{file} differs from line {line} on; UPDATE_DOCS=1 writes it");
}
