//! `docs/operators.md` is written from the lists of operators and layers:
//!
//! ```sh
//! UPDATE_DOCS=1 cargo test -p castnet-graph --test reference_page
//! ```

use std::path::Path;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given, INFERRED, Kind, Param};
use castnet_graph::diagnostic::Loc;
use castnet_graph::layers::{self, LAYERS, LayerKind};
use castnet_graph::ops::OPERATORS;
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};

const HEAD: &str = "\
# Operators and layers

This page is written from the lists that the compiler itself uses (`graph/src/ops/`, `graph/src/layers/`); a test compares both.

`x.f(a, k = v)` and `f(x, a, k = v)` mean the same. Names, order, defaults and meaning are PyTorch's; of PyTorch's arguments, those that
are not listed here are not supported yet, and of two that are the `true` is not: they stand here for the order (`return_indices` of max pools,
`track_running_stats` of instance norms). What has a default may be left out; where that is `None`, there is no value then. Operators of
two tensors broadcast: axes meet from the right and are equal, or one of them is the constant 1. A number may stand in the place of one
of the tensors of arithmetic, comparisons and `where_`; it takes the element type of the other one.
";

/// The headings of `OPERATORS`, in its order.
const FAMILIES: &[&str] = &[
    "Functions of one tensor",
    "Arithmetic, comparisons, logic",
    "More functions, element by element",
    "Integers",
    "Activations",
    "Reductions",
    "Statistics",
    "Lengths",
    "Softmax",
    "Losses of classes",
    "Losses",
    "Products",
    "Attention",
    "Normalisation",
    "Convolution",
    "Pooling",
    "Images of another size",
    "Shape",
    "Elements by their place",
    "Joining and splitting",
    "Order and borders",
    "New tensors",
    "Masks and copies",
    "Random tensors",
    "Rows: order, running sums",
    "Gradient",
];

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let line = found.lines().zip(page.lines()).position(|(a, b)| a != b).unwrap_or(0) + 1;
    assert!(found == page, "docs/operators.md differs from line {line} on; UPDATE_DOCS=1 writes it");
}

fn page() -> String {
    assert_eq!(FAMILIES.len(), OPERATORS.len(), "a family of operators has no heading");
    let mut page = HEAD.to_string();
    for (heading, list) in FAMILIES.iter().zip(OPERATORS) {
        page += &format!("\n## {heading}\n\n");
        page += &table("operator", list.iter().map(|o| (o.name, o.signature, o.doc.to_string())));
    }
    page += "\n## Layers\n\n";
    page += "`name: Layer(…);` in a net. `name(x)` applies the layer; `name.weight` and `name.bias` are its keys in a checkpoint. Every layer with a weight takes `init = …`, with a bias\n`bias_init = …`: `zeros`, `ones`, `constant(val)`, `normal(mean, std)`, `trunc_normal(mean, std, a, b)`, `uniform(a, b)`,\n`xavier_uniform(gain)`, `xavier_normal(gain)`, `kaiming_uniform(a, mode, nonlinearity)`, `kaiming_normal(…)`, `orthogonal(gain)`.\n\n";
    page += &table("layer", LAYERS.iter().map(|k| (k.name, k.signature, [k.doc, &call_of(k)].concat())));
    page
}

fn table<'a>(what: &str, entries: impl Iterator<Item = (&'a str, &'a [Param], String)> + Clone) -> String {
    let with_arguments = entries.clone().any(|(_, signature, _)| !arguments(signature).is_empty());
    let mut text = match with_arguments {
        true => format!("| {what} | what it gives | arguments |\n|---|---|---|\n"),
        false => format!("| {what} | what it gives |\n|---|---|\n"),
    };
    for (name, signature, doc) in entries {
        let call: Vec<_> = signature.iter().map(Param::written).collect();
        let mut cells = vec![format!("`{name}({})`", call.join(", ")), doc];
        if with_arguments {
            cells.push(arguments(signature));
        }
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// How a layer is called that takes more than an input.
fn call_of(kind: &LayerKind) -> String {
    let call: Vec<_> = kind.call.iter().map(Param::written).collect();
    if call.len() < 2 { String::new() } else { format!(" Called as `name({})`.", call.join(", ")) }
}

/// What may stand where: `` `stride`, `padding`: an integer or a pair of integers ``. Tensors go without saying.
fn arguments(signature: &[Param]) -> String {
    let mut kinds: Vec<(&str, Vec<String>)> = vec![];
    for p in signature.iter().filter(|p| !matches!(p.kind, Kind::Tensor | Kind::Operand)) {
        let name = format!("`{}`", p.name);
        match kinds.iter_mut().find(|(kind, _)| *kind == p.kind.describe()) {
            Some((_, names)) => names.push(name),
            None => kinds.push((p.kind.describe(), vec![name])),
        }
    }
    kinds.iter().map(|(kind, names)| format!("{}: {kind}", names.join(", "))).collect::<Vec<_>>().join("; ")
}

/// What the page says of arguments whose `true` is still to come.
#[test]
fn all_other_truth_values_of_layers_may_be_chosen() {
    let mut refused = vec![];
    for kind in LAYERS {
        for slot in kind.signature.iter().filter(|p| p.kind == Kind::Bool) {
            for truth in [true, false] {
                let mut parameters = Parameters::default();
                let mut b = Builder::new("", &mut parameters, false);
                let needed = kind.signature.iter().filter(|p| !p.optional || p.default == INFERRED);
                let mut given: Vec<Given> = needed.map(|p| named(p.name, Arg::Size(8.into()))).collect();
                given.push(named(slot.name, Arg::Bool(truth)));
                let at = Loc::default();
                // Some say it where they are called, of any rank.
                if let Ok(layer) = layers::declare(&mut b, "x", at, kind.name, at, &given) {
                    let x = b.argument("x", Type::new(DType::F32, [8, 8, 16].map(Size::constant).to_vec()));
                    let x = Given { name: None, value: Arg::Tensor(x), at };
                    let _ = layers::call(&mut b, &layer, at, &[x]);
                }
                if b.diagnostics.iter().any(|d| d.code == "N0306") {
                    refused.push((kind.name, slot.name, truth));
                }
            }
        }
    }
    let still = |name: &str| match name {
        name if name.starts_with("MaxPool") => Some("return_indices"),
        name if name.starts_with("InstanceNorm") => Some("track_running_stats"),
        _ => None,
    };
    let expected: Vec<_> = LAYERS.iter().filter_map(|kind| Some((kind.name, still(kind.name)?, true))).collect();
    assert_eq!(refused, expected);
    let page = page();
    assert!(expected.iter().all(|(_, slot, _)| page.contains(&format!("`{slot}` of "))));
}

fn named(name: &str, value: Arg) -> Given {
    Given { name: Some((name.into(), Loc::default())), value, at: Loc::default() }
}
