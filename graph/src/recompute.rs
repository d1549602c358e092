//! What the backward pass recomputes in place of reading it from memory.
//!
//! A forward value that is cheap to make again from values which lie in memory anyway (GELU's error function from its input, a dropout mask
//! from its counter) is cloned into the backward pass. Everything else that the backward pass reads is kept.

use std::collections::HashMap;

use crate::graph::{Graph, Op, Role, Value};

/// The graph with such values cloned before their backward uses.
pub fn recompute(graph: &Graph) -> Graph {
    let forward = forward_nodes(graph);
    let mut kept = vec![false; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        // Read by an operator that needs its operand in memory.
        if forward[index] && !is_pointwise(&node.op) && !matches!(node.op, Op::Reduce(..) | Op::Broadcast) {
            node.inputs.iter().for_each(|v| kept[v.index()] = true);
        }
    }
    graph.outputs.iter().for_each(|o| kept[o.value.index()] = true);
    for (index, node) in graph.nodes.iter().enumerate() {
        if matches!(node.op, Op::Input(_) | Op::Parameter(_)) {
            kept[index] = true;
        }
    }
    let mut crossing = vec![false; graph.nodes.len()];
    for (_, node) in graph.nodes.iter().enumerate().filter(|(i, _)| !forward[*i]) {
        node.inputs.iter().for_each(|v| crossing[v.index()] |= forward[v.index()]);
    }
    let crossing: Vec<Value> = (0..graph.nodes.len()).filter(|&i| crossing[i]).map(|i| Value(i as u32)).collect();
    keep_common_ancestors(graph, &crossing, &mut kept);
    for &value in &crossing {
        if !kept[value.index()] {
            kept[value.index()] = !recomputable(graph, &kept, value, DEPTH);
        }
    }
    let rebuild =
        Rebuild { graph, forward, kept, map: vec![], clones: HashMap::new(), out: Graph::new(graph.name.clone()) };
    rebuild.run()
}

/// Pointwise steps that the backward pass makes again at most, in a row.
const DEPTH: usize = 12;

/// Keeps a value in place of the larger values that follow from it (GELU's input in place of two multiples of it), greedily: the best
/// such value first, until none saves memory. (The exact answer is a minimum cut; this finds it on the chains that networks have.)
fn keep_common_ancestors(graph: &Graph, crossing: &[Value], kept: &mut [bool]) {
    // Only the proportions matter: every run-time size counts alike.
    let elements = |v: Value| graph.ty(v).len().eval(&|_| 64);
    loop {
        let open: Vec<Value> =
            crossing.iter().copied().filter(|v| !kept[v.index()] && !recomputable(graph, kept, *v, DEPTH)).collect();
        let mut candidates: Vec<Value> = vec![];
        open.iter().for_each(|v| ancestors(graph, *v, 6, &mut candidates));
        candidates.sort();
        candidates.dedup();
        let mut best: Option<(i64, Value)> = None;
        for candidate in candidates {
            if kept[candidate.index()] || open.contains(&candidate) {
                continue;
            }
            kept[candidate.index()] = true;
            let freed =
                open.iter().filter(|v| recomputable(graph, kept, **v, DEPTH)).map(|v| elements(*v)).sum::<i64>();
            kept[candidate.index()] = false;
            let benefit = freed - elements(candidate);
            if benefit > best.map_or(0, |(most, _)| most - 1) {
                best = Some((benefit, candidate));
            }
        }
        match best {
            Some((benefit, value)) if benefit > 0 => kept[value.index()] = true,
            _ => return,
        }
    }
}

/// Values from which the value follows by pointwise steps.
fn ancestors(graph: &Graph, value: Value, depth: usize, out: &mut Vec<Value>) {
    let node = graph.node(value);
    if depth == 0 || !is_pointwise(&node.op) {
        return;
    }
    for &below in &node.inputs {
        if !matches!(graph.node(below).op, Op::Broadcast | Op::Const(_)) {
            out.push(below);
            ancestors(graph, below, depth - 1, out);
        }
    }
}

/// Nodes that the function's results need.
fn forward_nodes(graph: &Graph) -> Vec<bool> {
    let mut forward = vec![false; graph.nodes.len()];
    for output in graph.outputs.iter().filter(|o| matches!(o.role, Role::Result(_))) {
        forward[output.value.index()] = true;
    }
    for index in (0..graph.nodes.len()).rev() {
        if forward[index] {
            graph.nodes[index].inputs.iter().for_each(|v| forward[v.index()] = true);
        }
    }
    forward
}

fn is_pointwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast)
}

/// Whether at most `depth` pointwise steps lead to values that are in memory or made of nothing.
fn recomputable(graph: &Graph, kept: &[bool], value: Value, depth: usize) -> bool {
    let node = graph.node(value);
    let steps = |depth| node.inputs.iter().all(|&v| kept[v.index()] || recomputable(graph, kept, v, depth));
    match &node.op {
        Op::Const(_) | Op::Size(_) | Op::Iota(_) | Op::Random(_) => true,
        Op::Broadcast => steps(depth),
        op if is_pointwise(op) => depth > 0 && steps(depth - 1),
        _ => false,
    }
}

struct Rebuild<'g> {
    graph: &'g Graph,
    forward: Vec<bool>,
    kept: Vec<bool>,
    map: Vec<Value>,
    clones: HashMap<Value, Value>,
    out: Graph,
}

impl Rebuild<'_> {
    fn run(mut self) -> Graph {
        self.out.arguments = self.graph.arguments.clone();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let mut node = node.clone();
            for input in &mut node.inputs {
                *input = if self.forward[index] { self.map[input.index()] } else { self.backward_operand(*input) };
            }
            let value = self.out.push(node.op, node.inputs, node.ty, node.origin);
            self.map.push(value);
        }
        self.out.outputs = self.graph.outputs.clone();
        for output in &mut self.out.outputs {
            output.value = self.map[output.value.index()];
        }
        self.out
    }

    /// The value, or a clone of it that is made of what lies in memory.
    fn backward_operand(&mut self, value: Value) -> Value {
        let node = self.graph.node(value);
        let clone = self.forward[value.index()]
            && !self.kept[value.index()]
            && (is_pointwise(&node.op) || matches!(node.op, Op::Broadcast | Op::Random(_)));
        if !clone {
            return self.map[value.index()];
        }
        if let Some(&known) = self.clones.get(&value) {
            return known;
        }
        let inputs = node.inputs.iter().map(|&v| self.backward_operand(v)).collect();
        let copy = self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
        self.clones.insert(value, copy);
        copy
    }
}
