//! Layers and parameters that nothing uses.

use std::collections::HashSet;

use castnet_graph::builder::Parameters;
use castnet_graph::compile::SourceFunction;
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::graph::{Graph, Op};

use super::parts::is_inside;
use crate::ast::{Body, Member, Members, Net, Part};

/// Reports parts that no function of a net calls, and parameters that no `train fn` reaches.
pub(super) fn check(
    net: &Net,
    functions: &[SourceFunction],
    parameters: &Parameters,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if net.functions.is_empty() && !net.members.lost {
        let message = format!("the net `{}` has no function", net.name.text);
        diagnostics.push(
            Diagnostic::new("N0503", net.name.at, message)
                .help("write `pub fn scores(x: f32[N, 4]) -> f32[N, 2] { … }`"),
        );
        return;
    }
    // Where something could not be read, it may have been the use.
    if net.members.lost || net.functions.iter().any(|f| f.lost || f.body.is_broken()) {
        return;
    }
    let bodies: Vec<&Body> = net.functions.iter().map(|f| &f.body).collect();
    let twice: Vec<&str> = net.functions.iter().map(|f| f.name.text.as_str()).collect();
    parts(&net.members, &bodies, &twice, diagnostics);
    // A function with mistakes may reach what no other one does; of one that uses a broken block of another call, they were told there.
    let broken = functions.len() < net.functions.iter().filter(|f| f.is_entry()).count();
    if broken || diagnostics.iter().any(|d| d.code != "N0503") {
        return;
    }
    let entries = reachable(net);
    let named = mentioned(&bodies);
    for part in net.members.parts.iter().filter(|p| named.contains(p.name.text.as_str())) {
        unreached(net, part, &entries, functions, parameters, diagnostics);
    }
}

/// Reports parts that none of these bodies names.
pub(super) fn parts(members: &Members, bodies: &[&Body], others: &[&str], diagnostics: &mut Vec<Diagnostic>) {
    let named = mentioned(bodies);
    // A layer that was meant where another name stands is not unused.
    let meant = |name: &str| {
        let mentions = |help: &String| help.contains(&format!("`{name}`")) || help.contains(&format!("`{name}("));
        others.contains(&name) || diagnostics.iter().any(|d| d.help.as_ref().is_some_and(mentions))
    };
    let broken = |p: &Part| matches!(p.member, Member::Broken);
    let unused: Vec<&Part> = members
        .parts
        .iter()
        .filter(|p| !broken(p) && !named.contains(p.name.text.as_str()) && !meant(&p.name.text))
        .collect();
    for part in unused {
        let (what, help) = match part.member {
            Member::Param(..) => ("parameter", format!("use it, or remove it: `{}` is a value", part.name.text)),
            Member::State(..) => ("state", format!("use it, or remove it: `{}` is a value", part.name.text)),
            _ => ("layer", format!("call it, `{}(x)`, or remove it", part.name.text)),
        };
        let message = format!("{what} `{}` is never used", part.name.text);
        diagnostics.push(Diagnostic::new("N0503", part.name.at, message).help(help));
    }
}

/// Every name that occurs in these bodies.
fn mentioned<'a>(bodies: &[&'a Body]) -> HashSet<&'a str> {
    let mut named = HashSet::new();
    for body in bodies {
        body.names(&mut |name| {
            named.insert(name);
        });
        body.assigned(&mut |name| {
            named.insert(name);
        });
    }
    named
}

/// The names that entry points mention, directly or by the functions that they call.
fn reachable(net: &Net) -> HashSet<&str> {
    let mut open: Vec<usize> = (0..net.functions.len()).filter(|&i| net.functions[i].is_entry()).collect();
    let mut seen: HashSet<usize> = open.iter().copied().collect();
    let mut named = HashSet::new();
    while let Some(index) = open.pop() {
        net.functions[index].body.names(&mut |name| {
            named.insert(name);
            if let Some(next) = net.functions.iter().position(|f| f.name.text == name)
                && seen.insert(next)
            {
                open.push(next);
            }
        });
        net.functions[index].body.assigned(&mut |name| {
            named.insert(name);
        });
    }
    named
}

fn unreached(
    net: &Net,
    part: &Part,
    entries: &HashSet<&str>,
    functions: &[SourceFunction],
    parameters: &Parameters,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (name, key) = (&part.name.text, part.key());
    if !entries.contains(name.as_str()) {
        let message = format!("layer `{name}` is used only by functions that no `pub fn` or `train fn` calls");
        diagnostics.push(
            Diagnostic::new("N0503", part.name.at, message)
                .help("make the function that calls it `pub`, or remove the layer"),
        );
        return;
    }
    let Some(train) = net.functions.iter().find(|f| f.train.is_some()) else { return };
    if part.attributes.freeze.is_some() {
        return;
    }
    let trained: HashSet<usize> = functions
        .iter()
        .filter_map(|f| Some((f, f.training.as_ref()?)))
        .flat_map(|(f, graph)| {
            let all = reaches(graph);
            all.into_iter().filter(|n| f.trains.as_ref().is_none_or(|t| t.contains(n)))
        })
        .collect();
    let missing: Vec<String> = (0..parameters.list.len())
        .filter(|n| {
            is_inside(&parameters.list[*n].name, key) && !trained.contains(n) && !parameters.list[*n].options.frozen
        })
        .map(|n| format!("`{}`", parameters.list[n].name))
        .collect();
    if missing.is_empty() {
        return;
    }
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let listed = match missing.len() {
        1..=4 => missing.join(" and "),
        n => format!("{} and {} more", missing[..3].join(", "), n - 3),
    };
    let message = format!("{listed} {verb} reached by no `train fn`");
    let d = Diagnostic::new("N0505", part.name.at, message)
        .note(train.name.at, format!("`{}` is a `train fn`", train.name.text));
    let help = format!(
        "let the objective depend on `{name}`, freeze it (`#[freeze]`), or remove the layer: it would never learn"
    );
    diagnostics.push(d.help(help));
}

/// The parameters on which the first result depends through floating-point values; of loops, those of every round.
fn reaches(graph: &Graph) -> HashSet<usize> {
    let mut reached = HashSet::new();
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|o| live[o.value.index()] = true);
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        if !live[index] || !node.ty.dtype.is_float() || node.op == Op::Detach {
            continue;
        }
        reached.extend(graph.parameters_of(index));
        node.inputs.iter().for_each(|input| live[input.index()] = true);
    }
    reached
}
