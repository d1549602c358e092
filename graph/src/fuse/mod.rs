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

mod borders;
mod cost;
mod group;
mod layout;
mod lower;
mod prepare;
mod rederive;
mod region;
mod scatter;
mod stage;
mod states;
mod sums;
mod tile;
mod view;

pub use layout::ValueLayout;
pub use lower::{Kernels, lower};

/// How a node takes part in fusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// An argument or parameter: read from memory.
    Leaf,
    /// Made of nothing: constants, indices, random numbers; repeated wherever it is used.
    Free,
    /// Another index into the same elements.
    View,
    /// Element by element, also a pool over operands in memory.
    Point,
    /// A reduction over axes.
    Reduce,
    /// A matrix product or a convolution: operands in memory.
    Tile,
    /// Its operands one after the other: each is stored there by the kernel that makes it.
    Joined,
    /// A kernel with nothing else in it: operands in memory.
    Alone,
    /// A loop with a body of its own: operands and results in memory.
    Region,
}

pub(crate) fn class(graph: &Graph, value: Value) -> Class {
    match graph.node(value).op {
        Op::Input(_) | Op::Parameter(_) | Op::RoundParameter { .. } | Op::Get(_) => Class::Leaf,
        Op::State(_) | Op::RoundState { .. } => Class::Leaf,
        Op::Const(_) | Op::Size(_) | Op::Iota(_) | Op::Random(_) => Class::Free,
        Op::Broadcast | Op::Reshape | Op::Permute(_) | Op::Slice { .. } | Op::After => Class::View,
        Op::Cat(_) => Class::Joined,
        Op::Scatter { .. } => Class::Alone,
        // A function of constants and indices alone is made again wherever it is used.
        Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast if made_of_nothing(graph, value) => Class::Free,
        Op::Reduce(..) => Class::Reduce,
        Op::MatMul { .. } | Op::Conv2d(_) | Op::Conv2dInputGrad(_) | Op::Conv2dWeightGrad(_) => Class::Tile,
        Op::Repeat(_) => Class::Region,
        Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast | Op::Detach | Op::WithSlope | Op::Copy => Class::Point,
        Op::Softmax(_) | Op::SafeSoftmax(_) | Op::LogSoftmax(_) | Op::Normalize(_) | Op::Resample { .. } => {
            Class::Point
        }
        Op::Pad { .. } | Op::Gather { .. } => Class::Point,
        Op::MaxPool2d(_) | Op::MaxPool2dGrad(_) | Op::SumPool2d(_) | Op::SumPool2dGrad(_) => Class::Point,
        Op::MaxPool2dIndex(_) | Op::MaxPool2dScatter(_) | Op::MaxPool2dGather(_) => Class::Point,
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
        match node.op {
            Op::Const(_) | Op::Size(_) | Op::Iota(_) | Op::Random(_) => true,
            Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast if *steps < FREE => {
                *steps += 1;
                node.inputs.iter().all(|v| follow(graph, view::base_of(graph, *v), steps))
            }
            _ => false,
        }
    }
    follow(graph, value, &mut 0)
}

/// Whether the node reads its operands from memory, not element by element from a neighbour in its kernel.
pub(crate) fn needs_memory(op: &Op) -> bool {
    matches!(
        op,
        Op::MatMul { .. }
            | Op::Conv2d(_)
            | Op::Conv2dInputGrad(_)
            | Op::Conv2dWeightGrad(_)
            | Op::MaxPool2d(_)
            | Op::MaxPool2dGrad(_)
            | Op::MaxPool2dIndex(_)
            | Op::MaxPool2dScatter(_)
            | Op::MaxPool2dGather(_)
            | Op::SumPool2d(_)
            | Op::SumPool2dGrad(_)
            | Op::Pad { .. }
            | Op::Gather { .. }
            | Op::Scatter { .. }
            | Op::Repeat(_)
    )
}
