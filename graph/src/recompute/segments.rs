//! Recomputation in segments: of each segment of the forward pass only what enters it is kept, and the backward pass makes the rest of it
//! again, products too, when it gets there (Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016). With √n segments of n
//! equal layers, memory grows with √n, for one more forward pass.

use super::rebuild::start;
use super::{Phase, Phases, is_free, is_given, is_view};
use crate::graph::{Graph, Node, Op, Output, Value};
use rustc_hash::FxHashMap;

/// The forward pass of a graph (that went through [`super::recompute`]), and where it can be cut.
pub struct Segments<'g> {
    graph: &'g Graph,
    phases: Phases,
    /// For each node, the last forward node that reads it, through any view.
    last_use: Vec<usize>,
    /// The bytes of each value.
    cost: Vec<i64>,
    /// What the backward pass reads before each node, added up.
    kept_before: Vec<i64>,
    /// What lies between the nodes before each node and the rest of the forward pass.
    crossing: Vec<i64>,
}

impl<'g> Segments<'g> {
    /// `value`: what run-time sizes count as.
    pub fn new(graph: &'g Graph, value: &dyn Fn(&str) -> i64) -> Segments<'g> {
        let (phases, nodes) = (Phases::of(graph), graph.nodes.len());
        let is_forward = |index: usize| phases.0[index] == Phase::Forward;
        let (mut last_use, mut read) = (vec![0; nodes], vec![false; nodes]);
        for (index, node) in graph.nodes.iter().enumerate().filter(|(_, n)| !is_view(&n.op) || n.op == Op::After) {
            for &operand in &node.inputs {
                let base = seen(graph, operand);
                match is_forward(index) {
                    true => last_use[base.index()] = index,
                    false => read[base.index()] |= is_forward(base.index()),
                }
            }
        }
        let cost: Vec<i64> = graph
            .nodes
            .iter()
            .map(|node| match is_given(&node.op) || is_free(&node.op) || is_view(&node.op) {
                true => 0,
                false => node.ty.len().eval(value).saturating_mul(node.ty.dtype.bytes() as i64).max(1),
            })
            .collect();
        let (mut kept_before, mut crossing) = (vec![0; nodes + 1], vec![0; nodes + 1]);
        for index in 0..nodes {
            let kept = read[index] && is_forward(index);
            kept_before[index + 1] = kept_before[index] + if kept { cost[index] } else { 0 };
            if is_forward(index) && last_use[index] > index {
                crossing[index + 1] += cost[index];
                crossing[last_use[index] + 1] -= cost[index];
            }
        }
        for index in 0..nodes {
            crossing[index + 1] += crossing[index];
        }
        Segments { graph, phases, last_use, cost, kept_before, crossing }
    }

    /// Where `count` segments of equal weight begin, but for the first: near there, where the least crosses.
    fn borders(&self, count: i64) -> Vec<usize> {
        let whole = self.kept_before[self.graph.nodes.len()];
        let near = (whole / count / 4).max(1);
        let mut borders: Vec<usize> = (1..count)
            .filter_map(|i| {
                let target = whole * i / count;
                let from = self.kept_before.partition_point(|&kept| kept < target - near);
                let to = self.kept_before.partition_point(|&kept| kept <= target + near);
                (from..to).min_by_key(|&at| (self.crossing[at], (self.kept_before[at] - target).abs()))
            })
            .collect();
        borders.dedup();
        borders
    }

    /// What is kept from the forward pass, and how much that is with the largest segment made again.
    fn kept(&self, borders: &[usize]) -> (Vec<bool>, i64) {
        let mut kept = vec![false; self.graph.nodes.len()];
        for (index, kept) in kept.iter_mut().enumerate() {
            let first = borders.partition_point(|&b| b <= index);
            *kept = borders.get(first).is_some_and(|&b| b <= self.last_use[index]);
        }
        let entering: i64 = (0..kept.len()).filter(|&i| kept[i]).map(|i| self.cost[i]).sum();
        let ends = borders.iter().copied().chain([self.graph.nodes.len()]);
        let largest = ends.scan(0, |from, to| {
            let inside = self.kept_before[to] - self.kept_before[*from];
            *from = to;
            Some(inside)
        });
        let estimate = entering + largest.max().unwrap_or(0);
        (kept, estimate)
    }

    /// Numbers of segments worth trying, each with the bytes that it keeps by estimate: more and more, until none spares any. No two cut
    /// at the same places.
    pub fn choices(&self) -> Vec<(i64, i64)> {
        let (mut choices, mut cut): (Vec<(i64, i64)>, Vec<usize>) = (vec![], vec![]);
        let mut count = 2;
        while count < self.graph.nodes.len() as i64 {
            let borders = self.borders(count);
            let (_, estimate) = self.kept(&borders);
            if choices.last().is_some_and(|(_, best)| estimate >= *best) && count > 8 {
                break;
            }
            if borders != cut {
                choices.push((count, estimate));
                cut = borders;
            }
            count += (count / 4).max(1);
        }
        choices
    }

    /// The graph in `count` segments.
    pub fn graph(&self, count: i64) -> Graph {
        let borders = self.borders(count);
        let (kept, _) = self.kept(&borders);
        let last = borders.last().copied().unwrap_or(0);
        let out = self.graph.head();
        let mut rebuild = Rebuild { segments: self, kept, last, map: vec![], again: FxHashMap::default(), out };
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let inputs = match self.phases.0[index] {
                Phase::Forward => node.inputs.iter().map(|v| rebuild.map[v.index()]).collect(),
                _ => rebuild.operands(node),
            };
            let new = rebuild.push(node, inputs);
            rebuild.map.push(new);
        }
        for output in &self.graph.outputs {
            let value = rebuild.map[output.value.index()];
            rebuild.out.outputs.push(Output { value, ..output.clone() });
        }
        rebuild.out
    }
}

/// What a view is a view of.
fn seen(graph: &Graph, mut value: Value) -> Value {
    while is_view(&graph.node(value).op) {
        value = graph.node(value).inputs[0];
    }
    value
}

struct Rebuild<'s> {
    segments: &'s Segments<'s>,
    kept: Vec<bool>,
    /// Where the last segment begins: it is still there when the way back begins.
    last: usize,
    map: Vec<Value>,
    again: FxHashMap<Value, Value>,
    out: Graph,
}

impl Rebuild<'_> {
    fn push(&mut self, node: &Node, inputs: Vec<Value>) -> Value {
        self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone())
    }

    fn operands(&mut self, node: &Node) -> Vec<Value> {
        let phases = &self.segments.phases;
        let gradient = match node.op {
            Op::After => Some(node.inputs[1]),
            _ => {
                let gradients = node.inputs.iter().copied().filter(|v| phases.is_backward(*v));
                gradients.max().and_then(|gradient| start(self.segments.graph, phases, gradient))
            }
        };
        let gradient = gradient.map(|gradient| self.map[gradient.index()]);
        node.inputs
            .iter()
            .map(|&v| if self.lies_there(v) { self.map[v.index()] } else { self.again(v, gradient) })
            .collect()
    }

    fn lies_there(&self, value: Value) -> bool {
        let base = seen(self.segments.graph, value);
        let node = self.segments.graph.node(base);
        self.segments.phases.0[value.index()] != Phase::Forward
            || self.kept[base.index()]
            || base.index() >= self.last
            || is_given(&node.op)
            // What a loop leaves lies there if the loop's results do.
            || matches!(node.op, Op::Get(_)) && self.lies_there(node.inputs[0])
    }

    /// The value of a forward node, made once more.
    fn again(&mut self, value: Value, start: Option<Value>) -> Value {
        let node = self.segments.graph.node(value);
        if let Some(&known) = self.again.get(&value) {
            return known;
        }
        if node.op.has_effects() {
            // What it assigns it must not assign twice.
            return self.map[value.index()];
        }
        let new = match self.lies_there(value) {
            true => match start {
                Some(start) if !is_given(&node.op) && !is_view(&node.op) => {
                    let operands = vec![self.map[value.index()], start];
                    self.out.push(Op::After, operands, node.ty.clone(), node.origin.clone())
                }
                _ => self.map[value.index()],
            },
            false => {
                let inputs = node.inputs.iter().map(|v| self.again(*v, start)).collect();
                self.push(node, inputs)
            }
        };
        self.again.insert(value, new);
        new
    }
}
