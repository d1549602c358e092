//! `docs/operators.md` is written from the lists of operators and layers:
//!
//! ```sh
//! UPDATE_DOCS=1 cargo test -p castnet-graph --test reference_page
//! ```

use std::path::Path;

use castnet_graph::call::{Kind, Param};
use castnet_graph::layers::LAYERS;
use castnet_graph::ops::OPERATORS;

const HEAD: &str = "\
# Operators and layers

This page is written from the lists that the compiler itself uses (`graph/src/ops/`, `graph/src/layers/`); a test compares both.

`x.f(a, k = v)` and `f(x, a, k = v)` mean the same. Names, order, defaults and meaning are PyTorch's. An argument with a default may be
left out; one that shows `None` is left out by default and has no value then. Operators with two tensors broadcast: axes meet from
the right and are equal, or one of them is the constant 1.
";

/// The headings of `OPERATORS`, in its order.
const FAMILIES: &[&str] = &[
    "Functions of one tensor",
    "Arithmetic, comparisons, logic",
    "More functions, element by element",
    "Reductions",
    "Softmax",
    "Losses",
    "Products",
    "Convolution",
    "Pooling",
    "Shape",
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
        page += &table("operator", list.iter().map(|o| (o.name, o.signature, o.doc)));
    }
    page += "\n## Layers\n\n";
    page += "`name: Layer(…);` in a net. `name(x)` applies the layer; `name.weight` and `name.bias` are its keys in a checkpoint.\n\n";
    page += &table("layer", LAYERS.iter().map(|k| (k.name, k.signature, k.doc)));
    page
}

fn table<'a>(what: &str, entries: impl Iterator<Item = (&'a str, &'a [Param], &'a str)>) -> String {
    let mut text = format!("| {what} | arguments | |\n|---|---|---|\n");
    for (name, signature, doc) in entries {
        let call: Vec<_> = signature.iter().map(written).collect();
        let kinds: Vec<_> = signature.iter().filter_map(kind).collect();
        let cells = [format!("`{name}({})`", call.join(", ")), kinds.join("; "), doc.to_string()];
        text += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text
}

/// `padding = 0`.
fn written(p: &Param) -> String {
    if p.optional { format!("{} = {}", p.name, p.default) } else { p.name.to_string() }
}

/// `padding`: an integer or a pair of integers. Tensors go without saying.
fn kind(p: &Param) -> Option<String> {
    (p.kind != Kind::Tensor).then(|| format!("`{}`: {}", p.name, p.kind.describe()))
}
