//! The arguments of layers and operators stand in PyTorch's order: `tests/golden/signatures.py` asks PyTorch for it.

use std::collections::{BTreeMap, BTreeSet};

use castnet_graph::call::{Param, Passing, by_position};
use castnet_graph::layers::LAYERS;
use castnet_graph::ops::OPERATORS;
use serde::Deserialize;

/// Names in order, `*` before those that are given by name only.
type Signatures = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
struct Golden {
    layers: Signatures,
    functions: Signatures,
}

/// What differs by position, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("expand", "`sizes`, as Tensor.expand's documentation calls what its signature calls `size`"),
    ("one_hot", "`input`, as everywhere, for `tensor`"),
    ("split", "`input`, as everywhere, for `tensor`"),
    ("bernoulli", "`p`, as in Tensor.bernoulli(p)"),
];

/// Arguments that PyTorch does not have, and why.
const ADDED: &[(&str, &str)] = &[
    ("cross_entropy.dim", "the axis of the classes"),
    ("nonzero.size", "how many places there is room for, as their number is not known at build"),
    ("var.unbiased", "as in PyTorch's older form"),
    ("std.unbiased", "as var"),
];

/// What PyTorch has no signature of: the language's own, JAX's, and methods of a tensor without arguments.
const OWN: &[&str] = &["cast", "grad", "reduce_xor", "detach", "Identity", "Sigmoid", "Tanh"];

/// What is wrong with a list of arguments.
fn faults(name: &str, ours: &[Param], theirs: &[String], used: &mut BTreeSet<String>) -> Vec<String> {
    let mut faults = vec![];
    let all: Vec<&str> = theirs.iter().map(String::as_str).filter(|name| *name != "*").collect();
    let positional: Vec<&str> = ours[..by_position(ours)].iter().map(|p| p.name).collect();
    if !all.starts_with(&positional) {
        match DIFFERENT.iter().any(|(different, _)| *different == name) {
            true => drop(used.insert(name.into())),
            false => faults.push(format!("{name}: {positional:?}, PyTorch has {all:?}")),
        }
    }
    for named in &ours[by_position(ours)..] {
        let key = format!("{name}.{}", named.name);
        if !all.contains(&named.name) {
            match ADDED.iter().any(|(added, _)| *added == key) {
                true => drop(used.insert(key)),
                false => faults.push(format!("{key} is unknown to PyTorch")),
            }
        }
    }
    let one_by_one = ours.iter().position(|p| p.place == Passing::OneByOne);
    if ours[by_position(ours)..].iter().any(|p| p.place != Passing::Named)
        || one_by_one.is_some_and(|slot| slot + 1 != by_position(ours))
    {
        faults.push(format!("{name}: something stands by position behind what is named or written one by one"));
    }
    faults
}

#[test]
fn arguments_stand_in_pytorchs_order() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/signatures.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let layers = LAYERS.iter().map(|kind| (kind.name, kind.signature, &golden.layers));
    let operators = OPERATORS.iter().flat_map(|list| list.iter());
    let operators = operators.map(|operator| (operator.name, operator.signature, &golden.functions));
    let (mut all, mut used) = (vec![], BTreeSet::new());
    for (name, ours, theirs) in layers.chain(operators) {
        match theirs.get(name) {
            _ if OWN.contains(&name) => drop(used.insert(name.to_string())),
            None => all.push(format!("{name}: `python tests/golden/signatures.py` asks PyTorch for it")),
            Some(theirs) => all.extend(faults(name, ours, theirs, &mut used)),
        }
    }
    let excuses = DIFFERENT.iter().chain(ADDED).map(|(name, _)| *name).chain(OWN.iter().copied());
    all.extend(excuses.filter(|name| !used.contains(*name)).map(|name| format!("{name} needs no excuse")));
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Each layer's first size without `inferred` may stand alone: the sizes before it are all inferred.
#[test]
fn what_stands_before_the_first_required_size_is_inferred() {
    for kind in LAYERS {
        let first = kind.signature.iter().position(|p| !p.optional).unwrap_or(0);
        assert!(kind.signature[..first].iter().all(|p| p.default == "inferred"), "{}", kind.name);
    }
}
