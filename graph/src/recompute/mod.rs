//! What the backward pass makes again in place of reading it from memory.
//!
//! A value of the forward pass that follows from others by pointwise steps and views alone (GELU from its input, a dropout mask from its
//! counter), or of attention's queries and keys, can be made again in the backward pass, mostly inside the very kernel that reads it. Which values are kept, so that all others
//! follow from them, is a minimum cut (`cut`); `rebuild` then writes the graph with the others cloned.

use crate::graph::{Graph, Op, Role, Value};
use crate::primitives::Weight;

mod attention;
mod cut;
mod products;
mod rebuild;
mod replay;
mod rounds;
mod segments;

pub(crate) use cut::SIZE;
pub use segments::Segments;

/// The graph with what is not kept cloned before its first backward use.
pub fn recompute(graph: &Graph) -> Graph {
    let graph = products::recompute(&rounds::recompute(graph));
    let phases = Phases::of(&graph);
    let kept = cut::kept(&graph, &phases);
    rebuild::rebuild(&graph, &phases, &kept)
}

/// How a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Needed for the function's results or states, or made of such values where the way back begins.
    Forward,
    /// A slope: made of forward values alone, by pointwise steps. It can be made wherever it is needed.
    Slope,
    /// Made of gradients.
    Backward,
}

struct Phases(Vec<Phase>);

impl Phases {
    fn of(graph: &Graph) -> Phases {
        let mut phases = Phases(vec![Phase::Backward; graph.nodes.len()]);
        let is_forward = |role: &Role| matches!(role, Role::Result(_) | Role::Check(_)) || role.state().is_some();
        for output in graph.outputs.iter().filter(|o| is_forward(&o.role)) {
            phases.0[output.value.index()] = Phase::Forward;
        }
        for index in (0..graph.nodes.len()).rev() {
            if phases.0[index] == Phase::Forward {
                graph.nodes[index].inputs.iter().for_each(|v| phases.0[v.index()] = Phase::Forward);
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            // What a loop of the forward pass stacks.
            if matches!(node.op, Op::Get(_)) && phases.0[node.inputs[0].index()] == Phase::Forward {
                phases.0[index] = Phase::Forward;
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let light = is_light(&node.op) || is_free(&node.op) && !matches!(node.op, Op::Random(_));
            if phases.0[index] == Phase::Backward && light && !node.inputs.iter().any(|v| phases.is_backward(*v)) {
                phases.0[index] = Phase::Slope;
            }
        }
        // Where no gradient has arrived yet, forward and backward pass meet in one kernel: nothing is made again there.
        for index in 0..graph.nodes.len() {
            let node = &graph.nodes[index];
            if phases.0[index] == Phase::Backward && !node.inputs.iter().any(|v| phases.is_backward(*v)) {
                node.inputs.iter().for_each(|v| phases.pin(graph, *v));
            }
        }
        graph.outputs.iter().for_each(|o| phases.pin(graph, o.value));
        phases
    }

    fn is_backward(&self, value: Value) -> bool {
        self.0[value.index()] == Phase::Backward
    }

    /// A slope and what it is made of are made in the forward pass.
    fn pin(&mut self, graph: &Graph, value: Value) {
        if self.0[value.index()] == Phase::Slope {
            self.0[value.index()] = Phase::Forward;
            graph.node(value).inputs.iter().for_each(|v| self.pin(graph, *v));
        }
    }
}

/// Whether the node is an index into its operand's elements.
fn is_view(op: &Op) -> bool {
    op.primitive().weight == Weight::View
}

/// Whether the node costs next to nothing where its operands are at hand.
fn is_light(op: &Op) -> bool {
    matches!(op.primitive().weight, Weight::View | Weight::Light)
}

/// Whether the node needs no operands and no memory: constants, indices, random numbers by counter.
fn is_free(op: &Op) -> bool {
    op.primitive().weight == Weight::Free
}

/// Whether the value lies in memory all through the program: arguments, parameters, and states, which are assigned after all reads.
fn is_given(op: &Op) -> bool {
    op.primitive().weight == Weight::Given
}
