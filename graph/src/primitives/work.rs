//! Floating-point operations of a node: two a product-and-sum, one an element of everything pointwise or reduced.

use crate::graph::{Graph, Node, Op};
use crate::size::Size;

/// Nothing is computed, or others do it by the time that they are counted.
pub(super) fn none(_: &Graph, _: &Node) -> Size {
    Size::constant(0)
}

/// One an element of the result.
pub(super) fn each(_: &Graph, node: &Node) -> Size {
    node.ty.len()
}

/// One an element of the first operand.
pub(super) fn of_operand(graph: &Graph, node: &Node) -> Size {
    graph.ty(node.inputs[0]).len()
}

/// One a tap of each window.
pub(super) fn windows(_: &Graph, node: &Node) -> Size {
    let taps = node.op.primitive().window.map_or(1, |(w, _)| w.kernel[0] * w.kernel[1]);
    &node.ty.len() * &taps.into()
}

/// Of a matrix product: each element of the left operand meets each column of the result.
pub(super) fn product(graph: &Graph, node: &Node) -> Size {
    let columns = node.ty.shape.last().cloned().unwrap_or_else(|| 1.into());
    &(&graph.ty(node.inputs[0]).len() * &columns) * &2.into()
}

/// Of products over all pairs of queries and keys: so many along the features, so many along the width of a value.
fn pairs(graph: &Graph, node: &Node, along_features: i64, along_width: i64) -> Size {
    let [query, key, value] = [0, 1, 2].map(|i| graph.shape(node.inputs[i]));
    let last = |shape: &[Size], back: usize| shape.len().checked_sub(back).map_or(1.into(), |at| shape[at].clone());
    let each = &(&last(query, 1) * &(2 * along_features).into()) + &(&last(value, 1) * &(2 * along_width).into());
    let queries = Size::product(&query[..query.len().saturating_sub(1)]);
    &(&queries * &last(key, 2)) * &each
}

/// Scores and weighted values.
pub(super) fn attention(graph: &Graph, node: &Node) -> Size {
    pairs(graph, node, 1, 1)
}

/// The scores once more, the gradients of the weights, and those of query, key and value.
pub(super) fn attention_grad(graph: &Graph, node: &Node) -> Size {
    pairs(graph, node, 3, 2)
}

/// Of a convolution: each element of what stands in the place of its output meets a filter.
fn filters(output: &Size, weight: &[Size]) -> Size {
    &(output * &Size::product(&weight[1..])) * &2.into()
}

pub(super) fn conv(graph: &Graph, node: &Node) -> Size {
    filters(&node.ty.len(), graph.shape(node.inputs[1]))
}

pub(super) fn conv_input_grad(graph: &Graph, node: &Node) -> Size {
    filters(&graph.ty(node.inputs[0]).len(), graph.shape(node.inputs[1]))
}

pub(super) fn conv_weight_grad(graph: &Graph, node: &Node) -> Size {
    filters(&graph.ty(node.inputs[1]).len(), &node.ty.shape)
}

/// What the routine says.
pub(super) fn routine(graph: &Graph, node: &Node) -> Size {
    match &node.op {
        Op::Routine(call) => {
            let operands: Vec<_> = node.inputs.iter().map(|v| graph.ty(*v)).collect();
            call.flops(&operands)
        }
        _ => Size::constant(0),
    }
}

/// Those of the body, in every round.
pub(super) fn rounds(_: &Graph, node: &Node) -> Size {
    match &node.op {
        Op::Repeat(repeat) => &flops(&repeat.body) * &repeat.count,
        _ => Size::constant(0),
    }
}

/// Floating-point operations of all nodes.
pub(crate) fn flops(graph: &Graph) -> Size {
    graph.nodes.iter().fold(Size::constant(0), |sum, node| &sum + &(node.op.primitive().flops)(graph, node))
}
