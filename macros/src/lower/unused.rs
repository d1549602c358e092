//! Layers and parameters that nothing uses.

use std::collections::HashSet;

use castnet_graph::builder::Parameters;
use castnet_graph::compile::SourceFunction;
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::graph::{Graph, Op};

use super::Names;
use crate::ast::{Layer, Net};

/// Reports layers that no function calls, and parameters that no `train fn` reaches.
pub(super) fn check(
    net: &Net,
    names: &Names,
    functions: &[SourceFunction],
    parameters: &Parameters,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if net.functions.is_empty() && !net.lost {
        let message = format!("the net `{}` has no function", net.name.text);
        diagnostics.push(
            Diagnostic::new("N0503", net.name.at, message)
                .help("write `pub fn scores(x: f32[N, 4]) -> f32[N, 2] { … }`"),
        );
        return;
    }
    // Where something could not be read, it may have been the use.
    if net.lost || net.functions.iter().any(|f| f.is_broken()) {
        return;
    }
    let mut called: HashSet<&str> = HashSet::new();
    for function in &net.functions {
        function.callees(&mut |callee| {
            called.insert(&callee.text);
        });
    }
    // A layer that was meant where another name stands is not unused.
    let meant = |name: &str| {
        let mentions = |help: &String| help.contains(&format!("`{name}`")) || help.contains(&format!("`{name}("));
        let twice = net.functions.iter().any(|f| f.name.text == name);
        twice || diagnostics.iter().any(|d| d.help.as_ref().is_some_and(mentions))
    };
    let unused = |l: &&Layer| l.kind.is_some() && !called.contains(l.name.text.as_str()) && !meant(&l.name.text);
    let unused: Vec<&Layer> = net.layers.iter().filter(unused).collect();
    for layer in unused {
        let message = format!("layer `{}` is never used", layer.name.text);
        diagnostics.push(
            Diagnostic::new("N0503", layer.name.at, message)
                .help(format!("call it, `{}(x)`, or remove it", layer.name.text)),
        );
    }
    if diagnostics.iter().any(|d| d.code != "N0503") {
        return; // A function with mistakes may reach what no other one does.
    }
    let entries = reachable(net, names);
    for layer in net.layers.iter().filter(|l| called.contains(l.name.text.as_str())) {
        unreached(net, names, layer, &entries, functions, parameters, diagnostics);
    }
}

/// The names that entry points call, directly or not.
fn reachable<'a>(net: &'a Net, names: &Names) -> HashSet<&'a str> {
    let mut open: Vec<usize> = (0..net.functions.len()).filter(|&i| net.functions[i].is_entry()).collect();
    let mut seen: HashSet<usize> = open.iter().copied().collect();
    let mut called = HashSet::new();
    while let Some(index) = open.pop() {
        net.functions[index].callees(&mut |callee| {
            called.insert(callee.text.as_str());
            if let Some(&next) = names.functions.get(callee.text.as_str())
                && seen.insert(next)
            {
                open.push(next);
            }
        });
    }
    called
}

fn unreached(
    net: &Net,
    names: &Names,
    layer: &Layer,
    entries: &HashSet<&str>,
    functions: &[SourceFunction],
    parameters: &Parameters,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let name = &layer.name.text;
    if !entries.contains(name.as_str()) {
        let message = format!("layer `{name}` is used only by functions that no `pub fn` or `train fn` calls");
        diagnostics.push(
            Diagnostic::new("N0503", layer.name.at, message)
                .help("make the function that calls it `pub`, or remove the layer"),
        );
        return;
    }
    let Some(Some(declared)) = names.layers.get(name.as_str()) else { return };
    let trained: HashSet<usize> = functions.iter().filter_map(|f| f.training.as_ref()).flat_map(reaches).collect();
    let missing: Vec<usize> = declared.tensors.iter().copied().filter(|t| !trained.contains(t)).collect();
    let Some(train) = net.functions.iter().find(|f| f.train).filter(|_| !missing.is_empty()) else { return };
    let tensors: Vec<_> =
        missing.iter().filter_map(|&t| parameters.list.get(t)).map(|p| format!("`{}`", p.name)).collect();
    let verb = if tensors.len() == 1 { "is" } else { "are" };
    let message = format!("{} {verb} reached by no `train fn`", tensors.join(" and "));
    let d = Diagnostic::new("N0505", layer.name.at, message)
        .note(train.name.at, format!("`{}` is a `train fn`", train.name.text));
    diagnostics
        .push(d.help(format!("let the objective depend on `{name}`, or remove the layer: it would never learn")));
}

/// The parameters on which the objective depends through floating-point values.
fn reaches(graph: &Graph) -> HashSet<usize> {
    let mut reached = HashSet::new();
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|o| live[o.value.index()] = true);
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        if !live[index] || !node.ty.dtype.is_float() || node.op == Op::Detach {
            continue;
        }
        if let Op::Parameter(number) = node.op {
            reached.insert(number);
        }
        node.inputs.iter().for_each(|input| live[input.index()] = true);
    }
    reached
}
