//! Views: which element of which value in memory belongs to an index.

use crate::graph::{Graph, Op, Value};
use crate::program::Index;
use crate::size::Size;

/// What a chain of views ends at: a node that is no view, or a reshape that changes more than axes of size 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Base {
    /// The node.
    pub value: Value,
    /// For each axis of that node, the axis of the view that runs along it (`None`: index 0).
    pub axes: Vec<Option<usize>>,
}

/// Follows broadcasts, permutations and reshapes of axes of size 1.
pub(crate) fn trace(graph: &Graph, view: Value) -> Base {
    let mut value = view;
    let mut axes: Vec<Option<usize>> = (0..graph.shape(view).len()).map(Some).collect();
    loop {
        let node = graph.node(value);
        let Some(&below) = node.inputs.first() else { return Base { value, axes } };
        let (to, from) = (&node.ty.shape, graph.shape(below));
        axes = match &node.op {
            Op::Broadcast => {
                let lead = to.len() - from.len();
                let axis = |(i, s): (usize, &Size)| if s.is(1) { None } else { axes[i + lead] };
                from.iter().enumerate().map(axis).collect()
            }
            Op::Permute(order) => {
                let mut out = vec![None; from.len()];
                order.iter().zip(&axes).for_each(|(&axis, &view_axis)| out[axis] = view_axis);
                out
            }
            Op::Reshape if same_but_ones(from, to) => {
                let mut long = axes.iter().zip(to).filter(|(_, s)| !s.is(1)).map(|(a, _)| *a);
                from.iter().map(|s| if s.is(1) { None } else { long.next().flatten() }).collect()
            }
            Op::After => axes,
            _ => return Base { value, axes },
        };
        value = below;
    }
}

/// Whether two shapes differ by axes of size 1 only.
pub(crate) fn same_but_ones(a: &[Size], b: &[Size]) -> bool {
    a.iter().filter(|s| !s.is(1)).eq(b.iter().filter(|s| !s.is(1)))
}

/// The node whose memory a value's memory is: under reshapes.
pub(crate) fn strip_reshapes(graph: &Graph, mut value: Value) -> Value {
    while matches!(graph.node(value).op, Op::Reshape | Op::After) {
        value = graph.node(value).inputs[0];
    }
    value
}

/// What must be there before the operand is read: the second operands of the [`Op::After`]s among its views.
pub(crate) fn waits_for(graph: &Graph, operand: Value) -> Vec<Value> {
    let (mut waits, mut value) = (vec![], operand);
    while super::class(graph, value) == super::Class::View {
        let node = graph.node(value);
        if node.op == Op::After {
            let awaited = strip_reshapes(graph, trace(graph, node.inputs[1]).value);
            let is_part = matches!(graph.node(awaited).op, Op::Get(_));
            waits.push(if is_part { graph.node(awaited).inputs[0] } else { awaited });
        }
        value = node.inputs[0];
    }
    waits
}

/// Whether the node is a reshape through which no index can be followed.
pub(crate) fn is_barrier(graph: &Graph, value: Value) -> bool {
    let node = graph.node(value);
    node.op == Op::Reshape && !same_but_ones(graph.shape(node.inputs[0]), &node.ty.shape)
}

/// Indices along the axes of a base, from those along the axes of the view.
pub(crate) fn follow(base: &Base, coordinates: &[Index]) -> Vec<Index> {
    base.axes.iter().map(|a| a.map_or_else(Index::zero, |axis| coordinates[axis].clone())).collect()
}
