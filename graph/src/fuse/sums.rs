//! Sums of what several tiles make, such as the gradients of a weight that is used more than once: each tile's kernel adds to the sum of
//! those before it, so the terms stand in the order in which they are made. Then no term waits for another one, and what they read is
//! free as early as if nothing were added.

use std::collections::BTreeSet;

use super::group::Grouped;
use super::view::{base_of, strip_reshapes};
use super::{Class, class};
use crate::graph::{Graph, Op, Output, Value};
use crate::optimise::without_dead_code;
use crate::scalar::Binary;
use rustc_hash::FxHashMap;

/// A sum of sums whose parts nothing else reads.
struct Sum {
    /// The last addition.
    root: Value,
    /// All additions.
    additions: Vec<Value>,
    /// In the order in which they are added.
    terms: Vec<Value>,
}

/// The graph whose sums add tiles as they are made; `None` if they do.
pub(crate) fn in_order(graph: &Graph, grouped: &Grouped) -> Option<Graph> {
    let sums = sums(graph);
    if sums.is_empty() {
        return None;
    }
    let places = places(grouped, &sums);
    let mut sorted: FxHashMap<Value, Vec<Value>> = FxHashMap::default();
    for sum in &sums {
        let tiles: Vec<Value> = sum.terms.iter().copied().filter(|t| is_tile(graph, *t)).collect();
        let mut by_place = tiles.clone();
        by_place.sort_by_key(|term| places.get(&memory_of(graph, *term)).copied());
        if by_place != tiles {
            let mut tiles = by_place.into_iter();
            let term = |t: &Value| if is_tile(graph, *t) { tiles.next().unwrap_or(*t) } else { *t };
            sorted.insert(sum.root, sum.terms.iter().map(term).collect());
        }
    }
    if sorted.is_empty() {
        return None;
    }
    let mut out = graph.head();
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let mut push = |inputs| out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
        let sum = sorted.get(&Value(index as u32)).and_then(|terms| {
            let terms = terms.iter().map(|t| map[t.index()]);
            terms.reduce(|a, b| push(vec![a, b]))
        });
        let value = sum.unwrap_or_else(|| push(node.inputs.iter().map(|v| map[v.index()]).collect()));
        map.push(value);
    }
    let output = |o: &Output| Output { value: map[o.value.index()], ..o.clone() };
    out.outputs = graph.outputs.iter().map(output).collect();
    Some(without_dead_code(&out))
}

/// The sums of at least two tiles.
fn sums(graph: &Graph) -> Vec<Sum> {
    let mut readers = vec![0; graph.nodes.len()];
    let outputs = graph.outputs.iter().map(|o| &o.value);
    graph.nodes.iter().flat_map(|n| &n.inputs).chain(outputs).for_each(|v| readers[v.index()] += 1);
    let mut inside = vec![false; graph.nodes.len()];
    let mut sums = vec![];
    for index in (0..graph.nodes.len()).rev() {
        if inside[index] || graph.nodes[index].op != Op::Binary(Binary::Add) {
            continue;
        }
        let root = Value(index as u32);
        let (mut additions, mut terms, mut open) = (vec![], vec![], vec![root]);
        while let Some(value) = open.pop() {
            let node = graph.node(value);
            if node.op == Op::Binary(Binary::Add) && (value == root || readers[value.index()] == 1) {
                inside[value.index()] = true;
                additions.push(value);
                open.extend(node.inputs.iter().rev());
            } else {
                terms.push(value);
            }
        }
        if terms.iter().filter(|t| is_tile(graph, **t)).count() > 1 {
            sums.push(Sum { root, additions, terms });
        }
    }
    sums
}

/// When each computed node would be made if no kernel waited for a part of a sum.
fn places(grouped: &Grouped, sums: &[Sum]) -> FxHashMap<Value, usize> {
    let additions: BTreeSet<Value> = sums.iter().flat_map(|sum| sum.additions.iter().copied()).collect();
    let groups = &grouped.groups;
    let mut group_of: FxHashMap<Value, usize> = FxHashMap::default();
    for (id, group) in groups.iter().enumerate() {
        group_of.extend(group.nodes.iter().map(|&n| (n, id)));
    }
    let mut successors = vec![BTreeSet::new(); groups.len()];
    for (id, group) in groups.iter().enumerate() {
        for &node in group.nodes.iter().filter(|n| !additions.contains(n)) {
            for &from in grouped.reads[node.index()].iter().filter_map(|v| group_of.get(v)).filter(|from| **from != id)
            {
                successors[from].insert(id);
            }
        }
    }
    let first: Vec<Option<Value>> = groups.iter().map(|g| g.nodes.first().copied()).collect();
    let order = super::group::order(&first, &successors);
    let mut place = vec![0; groups.len()];
    order.into_iter().enumerate().for_each(|(at, id)| place[id] = at);
    group_of.into_iter().map(|(node, id)| (node, place[id])).collect()
}

fn is_tile(graph: &Graph, term: Value) -> bool {
    class(graph, memory_of(graph, term)) == Class::Tile
}

fn memory_of(graph: &Graph, term: Value) -> Value {
    strip_reshapes(graph, base_of(graph, term))
}
