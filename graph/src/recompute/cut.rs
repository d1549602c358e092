//! Which values of the forward pass are kept: a minimum cut between what the forward pass must make and what the backward pass reads
//! (cf. Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016, and the partitioner of PyTorch's functorch).
//!
//! - Every value is an edge whose capacity is what keeping it costs: its bytes, where every run-time size counts as [`SIZE`]. Arguments,
//!   parameters and results are there anyway and cost nothing; constants, indices and random numbers can always be had.
//! - What lies in memory in the forward pass anyway, because a product or another pass over it reads it, costs nothing more than its place;
//!   to keep anything else is a write, and costs a little more.
//! - Matrix products, convolutions, pools, reductions and loops are never made again: their values spring from the source. So are views kept
//!   as what they are views of. The exceptions are the scores of attention (`attention`), and rows that are looked up in a parameter.
//! - What the backward pass reads flows into the sink.
//!
//! Of several cuts that cost the same, the one nearest to the backward pass is taken: the least is made again.

use super::{Phase, Phases, attention, is_free, is_given, is_light, is_view};
use crate::flow::{INFINITE, Network};
use crate::graph::{Graph, Op, Role, Value};

/// What every run-time size counts as where values are weighed: more than most constant sizes of a net, so that the degree of a size decides
/// first, then its coefficient.
pub(crate) const SIZE: i64 = 256;

/// For each node, whether its value is kept for the backward pass.
pub(super) fn kept(graph: &Graph, phases: &Phases) -> Vec<bool> {
    let mut read = vec![false; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        if phases.0[index] != Phase::Forward {
            node.inputs.iter().for_each(|v| read[v.index()] |= phases.0[v.index()] == Phase::Forward);
        }
    }
    let mut is_result = vec![false; graph.nodes.len()];
    for output in graph.outputs.iter().filter(|o| matches!(o.role, Role::Result(_))) {
        is_result[output.value.index()] = true;
    }
    let is_forward = |index: usize| phases.0[index] == Phase::Forward;
    let cost = |index: usize| {
        let node = &graph.nodes[index];
        match () {
            () if is_given(&node.op) || is_result[index] => 0,
            () if is_view(&node.op) => INFINITE,
            () => {
                let elements = node.ty.len().eval(&|_| SIZE);
                elements.saturating_mul(node.ty.dtype.bytes() as i64).clamp(1, INFINITE / 4)
            }
        }
    };
    minimum(graph, &is_forward, &|v| read[v.index()], &cost)
}

/// How much less than its place the write of a value counts.
const WRITE: i64 = 64;

/// Whether the node copies rows of a table, where table and indices lie there all the time.
fn is_looked_up(graph: &Graph, index: usize) -> bool {
    let lies_there = |mut value: Value| {
        while is_view(&graph.node(value).op) || graph.node(value).op == Op::Cast {
            value = graph.node(value).inputs[0];
        }
        is_given(&graph.node(value).op)
    };
    let node = &graph.nodes[index];
    matches!(node.op, Op::Gather { .. }) && node.inputs.iter().all(|v| lies_there(*v))
}

/// For each of the nodes `inside`, whether its value is in memory for what reads it there.
fn written(graph: &Graph, inside: &dyn Fn(usize) -> bool) -> Vec<bool> {
    let mut written = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|output| written[output.value.index()] = true);
    for (index, node) in graph.nodes.iter().enumerate().rev().filter(|(index, _)| inside(*index)) {
        for operand in &node.inputs {
            written[operand.index()] |= match &node.op {
                op if is_view(op) => written[index],
                // No kernel makes a part of what another one reads.
                Op::Slice { .. } => true,
                // Light steps run in the kernel of what they read, but for a reduction; that runs with light steps before it.
                op if is_light(op) => false,
                Op::Reduce(..) => !is_light(&graph.node(*operand).op),
                _ => true,
            };
        }
    }
    written
}

/// The cut of the nodes that are `inside`: those whose values are kept so that what is `read` follows from them by light steps.
pub(super) fn minimum(
    graph: &Graph,
    inside: &dyn Fn(usize) -> bool,
    read: &dyn Fn(Value) -> bool,
    cost: &dyn Fn(usize) -> i64,
) -> Vec<bool> {
    let scores = attention::scores(graph);
    let is_remade = |index: usize| is_light(&graph.nodes[index].op) || scores[index] || is_looked_up(graph, index);
    let is_written = written(graph, inside);
    let cost = |index: usize| match cost(index) {
        cost @ (0 | INFINITE..) => cost,
        cost => (cost.min(INFINITE / 4 / WRITE) * WRITE) + if is_written[index] { 0 } else { cost },
    };
    // Only what the backward pass could be made of takes part.
    let mut needed = vec![false; graph.nodes.len()];
    for index in (0..graph.nodes.len()).rev().filter(|&i| inside(i)) {
        let node = &graph.nodes[index];
        needed[index] |= read(Value(index as u32));
        if needed[index] && is_remade(index) {
            node.inputs.iter().for_each(|v| needed[v.index()] = true);
        }
    }
    let (source, sink) = (2 * graph.nodes.len(), 2 * graph.nodes.len() + 1);
    let mut network = Network::new(2 * graph.nodes.len() + 2);
    for index in (0..graph.nodes.len()).filter(|&i| inside(i) && needed[i]) {
        let node = &graph.nodes[index];
        if is_free(&node.op) {
            continue;
        }
        let (before, behind) = (2 * index, 2 * index + 1);
        network.edge(before, behind, cost(index));
        match is_remade(index) {
            true => node.inputs.iter().for_each(|v| network.edge(2 * v.index() + 1, before, INFINITE)),
            false => network.edge(source, before, INFINITE),
        }
        if read(Value(index as u32)) {
            network.edge(behind, sink, INFINITE);
        }
    }
    let side = network.sink_side(source, sink);
    let is_cut = |index: usize| !is_free(&graph.nodes[index].op) && !side[2 * index] && side[2 * index + 1];
    (0..graph.nodes.len()).map(is_cut).collect()
}
