//! The scores of attention: the product of queries and keys that a softmax turns into weights. They take room by the square of the length,
//! queries and keys only by the length, and those are there for the backward pass anyway; so it makes the scores again (cf. Dao et al.,
//! *FlashAttention*, 2022, section 3.1).

use super::{is_light, is_view};
use crate::graph::{Graph, Op, Value};
use crate::scalar::Reduction;

/// The longest features whose products are made again.
const FEATURES: i64 = 256;

/// For each node, whether it is such a product.
pub(super) fn scores(graph: &Graph) -> Vec<bool> {
    let mut scores = vec![false; graph.nodes.len()];
    // What leads by light steps into the maximum of a softmax's row.
    let mut leads = vec![false; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        let along_rows = |axes: &[usize]| *axes == [graph.ty(node.inputs[0]).rank() - 1];
        match &node.op {
            Op::Reduce(Reduction::Max, axes) if along_rows(axes) => leads[node.inputs[0].index()] = true,
            op if leads[index] && is_light(op) => node.inputs.iter().for_each(|v| leads[v.index()] = true),
            Op::MatMul { ta, .. } if leads[index] => {
                let left = graph.shape(node.inputs[0]);
                let features = left[left.len() - if *ta { 2 } else { 1 }].as_const();
                scores[index] = features.is_some_and(|f| f <= FEATURES)
                    && node.inputs.iter().all(|v| graph.ty(*v).rank() > 2 && !is_parameter(graph, *v));
            }
            _ => {}
        }
    }
    scores
}

fn is_parameter(graph: &Graph, mut value: Value) -> bool {
    while is_view(&graph.node(value).op) {
        value = graph.node(value).inputs[0];
    }
    graph.node(value).op.parameter().is_some()
}
