//! Fusion: from the graph of primitives to kernels.
//!
//! ```text
//! Graph ─prepare→ Graph ─group, rederive, group, sums, group→ groups of nodes ─layout→ where each value lies ─lower→ launches over buffers
//! ```
//!
//! A group is one kernel: pointwise nodes over one iteration space, at most one tile (matrix product or convolution) whose write-back
//! they join, or reductions over the same dims with everything that happens between and after them (softmax, cross-entropy with its
//! gradient). Values that no other group reads never reach memory.

use crate::graph::{Graph, Op, Value};
use crate::size::Size;

pub(crate) use crate::primitives::Class;

mod borders;
mod cost;
mod group;
mod layout;
mod lower;
mod prepare;
mod rederive;
mod region;
mod routine;
mod scatter;
mod stage;
mod states;
mod sums;
mod tile;
mod view;

pub use layout::ValueLayout;
pub use lower::{Kernels, lower};
pub(crate) use prepare::conv_panels;

pub(crate) fn class(graph: &Graph, value: Value) -> Class {
    let primitive = graph.node(value).op.primitive();
    match primitive.class {
        // A function of constants and indices alone is made again wherever it is used.
        Class::Point if primitive.is_function && made_of_nothing(graph, value) => Class::Free,
        class => class,
    }
}

/// The parts of joined values: part, whole, and where along which axis it begins.
pub(crate) fn parts(graph: &Graph) -> impl Iterator<Item = (Value, Value, (usize, Size))> + '_ {
    let joined = graph.nodes.iter().enumerate().filter_map(|(i, node)| match node.op {
        Op::Cat(axis) => Some((Value(i as u32), axis, &node.inputs)),
        _ => None,
    });
    joined.flat_map(move |(whole, axis, parts)| {
        parts.iter().scan(Size::default(), move |at, &part| {
            let end = &*at + &graph.shape(part)[axis];
            Some((part, whole, (axis, std::mem::replace(at, end))))
        })
    })
}

/// The most steps that are taken again wherever their result is used.
const FREE: usize = 32;

/// Whether no argument, parameter or reduction stands under the node, and not too much else: a value that is used twice counts twice, so
/// that neither this search nor what is made again has more than a few steps.
fn made_of_nothing(graph: &Graph, value: Value) -> bool {
    fn follow(graph: &Graph, value: Value, steps: &mut usize) -> bool {
        let node = graph.node(value);
        let primitive = node.op.primitive();
        if primitive.is_function && *steps < FREE {
            *steps += 1;
            return node.inputs.iter().all(|v| follow(graph, view::base_of(graph, *v), steps));
        }
        primitive.class == Class::Free
    }
    follow(graph, value, &mut 0)
}

/// Whether the node reads its operands from memory, not element by element from a neighbour in its kernel.
pub(crate) fn needs_memory(op: &Op) -> bool {
    op.primitive().reads_memory
}
