//! Which values of the forward pass are kept: a minimum cut between what the forward pass must make and what the backward pass reads
//! (cf. Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016, and the partitioner of PyTorch's functorch).
//!
//! - Every value is an edge whose capacity is what keeping it costs: its elements, where every run-time size counts as [`SIZE`]. Arguments,
//!   parameters and results are there anyway and cost nothing; constants, indices and random numbers can always be had.
//! - Matrix products, convolutions, pools, reductions and loops are never made again: their values spring from the source. So are views kept
//!   as what they are views of.
//! - What the backward pass reads flows into the sink.
//!
//! Of several cuts that cost the same, the one nearest to the backward pass is taken: the least is made again.

use super::flow::{INFINITE, Network};
use super::{Phase, Phases, is_free, is_given, is_light, is_view};
use crate::graph::{Graph, Role, Value};

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
            () => node.ty.len().eval(&|_| SIZE).clamp(1, INFINITE / 4),
        }
    };
    minimum(graph, &is_forward, &|v| read[v.index()], &cost)
}

/// The cut of the nodes that are `inside`: those whose values are kept so that what is `read` follows from them by light steps.
pub(super) fn minimum(
    graph: &Graph,
    inside: &dyn Fn(usize) -> bool,
    read: &dyn Fn(Value) -> bool,
    cost: &dyn Fn(usize) -> i64,
) -> Vec<bool> {
    // Only what the backward pass could be made of takes part.
    let mut needed = vec![false; graph.nodes.len()];
    for index in (0..graph.nodes.len()).rev().filter(|&i| inside(i)) {
        let node = &graph.nodes[index];
        needed[index] |= read(Value(index as u32));
        if needed[index] && is_light(&node.op) {
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
        match is_light(&node.op) {
            true => node.inputs.iter().for_each(|v| network.edge(2 * v.index() + 1, before, INFINITE)),
            false => network.edge(source, before, INFINITE),
        }
        if read(Value(index as u32)) {
            network.edge(behind, sink, INFINITE);
        }
    }
    let side = network.sink_side(source, sink);
    (0..graph.nodes.len()).map(|index| !side[2 * index] && side[2 * index + 1]).collect()
}
