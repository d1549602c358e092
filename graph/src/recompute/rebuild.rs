//! Writes the graph in which the backward pass makes again what is not kept.

use super::{Phase, Phases, is_free, is_given, is_light, is_view};
use crate::graph::{Graph, Node, Op, Value};
use rustc_hash::FxHashMap;

/// Clones what is not `kept` before its first backward use.
///
/// A clone waits for what the gradient is made of with which it is used ([`Op::After`]): else it could be made in the forward pass, in the kernel that makes
/// what it reads, and would lie in memory all the time.
pub(super) fn rebuild(graph: &Graph, phases: &Phases, kept: &[bool]) -> Graph {
    let empty = graph.head();
    let (map, again, starts) = (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
    let mut rebuild = Rebuild { graph, phases, kept, map, again, starts, out: empty };
    for (index, node) in graph.nodes.iter().enumerate() {
        let value = Value(index as u32);
        let inputs = match phases.0[index] {
            Phase::Forward => node.inputs.iter().map(|v| rebuild.map[v]).collect(),
            Phase::Slope => continue,
            Phase::Backward => rebuild.backward_operands(node),
        };
        let new = rebuild.push(node, inputs);
        rebuild.map.insert(value, new);
    }
    for output in &graph.outputs {
        let value = rebuild.map[&output.value];
        rebuild.out.outputs.push(crate::graph::Output { value, ..output.clone() });
    }
    rebuild.out
}

struct Rebuild<'g> {
    graph: &'g Graph,
    phases: &'g Phases,
    kept: &'g [bool],
    /// Values as they are.
    map: FxHashMap<Value, Value>,
    /// Values as the backward pass has them.
    again: FxHashMap<Value, Value>,
    /// Of gradients that were asked for.
    starts: FxHashMap<Value, Option<Value>>,
    out: Graph,
}

impl Rebuild<'_> {
    fn push(&mut self, node: &Node, inputs: Vec<Value>) -> Value {
        self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone())
    }

    fn backward_operands(&mut self, node: &Node) -> Vec<Value> {
        let gradient = node.inputs.iter().copied().filter(|v| self.phases.is_backward(*v)).max();
        let start = gradient.and_then(|gradient| self.start(gradient)).and_then(|start| self.map.get(&start).copied());
        node.inputs
            .iter()
            .map(|&v| {
                let as_it_is = gradient.is_none() || self.phases.is_backward(v) || self.lies_there(self.seen(v));
                match self.map.get(&v) {
                    Some(&known) if as_it_is => known,
                    _ => self.again(v, start),
                }
            })
            .collect()
    }

    /// As [`start`], each step taken once.
    fn start(&mut self, gradient: Value) -> Option<Value> {
        let (mut at, mut passed) = (gradient, vec![]);
        let found = loop {
            if let Some(known) = self.starts.get(&at) {
                break *known;
            }
            passed.push(at);
            match start_or_next(self.graph, self.phases, at) {
                Ok(start) => break start,
                Err(below) => at = below,
            }
        };
        self.starts.extend(passed.into_iter().map(|value| (value, found)));
        found
    }

    /// What a view is a view of.
    fn seen(&self, mut value: Value) -> Value {
        while is_view(&self.graph.node(value).op) && !self.kept[value.index()] {
            value = self.graph.node(value).inputs[0];
        }
        value
    }

    /// Whether the value is in memory in the backward pass.
    fn lies_there(&self, value: Value) -> bool {
        let in_memory = self.kept[value.index()] || is_given(&self.graph.node(value).op);
        self.phases.0[value.index()] == Phase::Forward && in_memory
    }

    /// The value, made of what lies in memory, once `start` is there.
    fn again(&mut self, value: Value, start: Option<Value>) -> Value {
        if let Some(&known) = self.again.get(&value) {
            return known;
        }
        let node = self.graph.node(value);
        let new = match () {
            () if is_given(&node.op) => return self.map[&value],
            () if is_free(&node.op) && self.map.contains_key(&value) && !matches!(node.op, Op::Random(_)) => {
                return self.map[&value];
            }
            () if self.lies_there(value) => match start {
                Some(start) => {
                    let operands = vec![self.map[&value], start];
                    self.out.push(Op::After, operands, node.ty.clone(), node.origin.clone())
                }
                None => self.map[&value],
            },
            () => {
                let inputs = node.inputs.iter().map(|v| self.again(*v, start)).collect();
                self.push(node, inputs)
            }
        };
        self.again.insert(value, new);
        new
    }
}

/// What must be there before the kernel can run that makes this gradient: what is made again for its use may join that kernel.
pub(super) fn start(graph: &Graph, phases: &Phases, gradient: Value) -> Option<Value> {
    let mut at = gradient;
    loop {
        match start_or_next(graph, phases, at) {
            Ok(start) => return start,
            Err(below) => at = below,
        }
    }
}

/// The start of a gradient, or the one below with which it shares its start.
fn start_or_next(graph: &Graph, phases: &Phases, gradient: Value) -> Result<Option<Value>, Value> {
    let node = graph.node(gradient);
    match node.inputs.iter().copied().filter(|v| phases.is_backward(*v)).max() {
        Some(below) if is_light(&node.op) => Err(below),
        Some(below) => Ok(Some(below)),
        // Where the way back begins.
        None => Ok(node.inputs.iter().copied().filter(|v| !is_given(&graph.node(*v).op)).max()),
    }
}
