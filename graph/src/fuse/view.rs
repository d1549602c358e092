//! Views: which element of which value in memory belongs to an index.

use crate::graph::{Graph, Op, Value};
use crate::program::Index;
use crate::size::Size;

/// What a chain of views ends at: a node that is no view, or a reshape that changes more than axes of size 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Base {
    /// The node.
    pub value: Value,
    /// For each axis of that node, how the view runs along it.
    pub axes: Vec<Along>,
}

/// An index along an axis of a base: `offset + step · index along an axis of the view`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Along {
    /// The axis of the view (`None`: the offset alone).
    pub axis: Option<usize>,
    /// From one element of the view to the next.
    pub step: i64,
    /// Where the view begins.
    pub offset: Size,
}

impl Along {
    /// Along an axis of the view, from its beginning.
    fn axis(axis: usize) -> Along {
        Along { axis: Some(axis), step: 1, offset: Size::default() }
    }

    /// Index 0.
    fn zero() -> Along {
        Along { axis: None, step: 1, offset: Size::default() }
    }

    /// Whether the index is that of the view, or 0.
    fn is_plain(&self) -> bool {
        self.step == 1 && self.offset.is_zero()
    }
}

impl Base {
    /// Whether no slice lies between the view and the node.
    pub fn is_whole(&self) -> bool {
        self.axes.iter().all(Along::is_plain)
    }

    /// The axis of the node that is all of this axis of the view, which has this size.
    pub fn covers(&self, graph: &Graph, axis: usize, size: &Size) -> Option<usize> {
        let shape = graph.shape(self.value);
        let whole = |(at, along): &(usize, &Along)| along.axis == Some(axis) && along.is_plain() && shape[*at] == *size;
        self.axes.iter().enumerate().find(whole).map(|(at, _)| at)
    }
}

/// Follows broadcasts, permutations, slices and reshapes of axes of size 1.
pub(crate) fn trace(graph: &Graph, view: Value) -> Base {
    let mut value = view;
    let mut axes: Vec<Along> = (0..graph.shape(view).len()).map(Along::axis).collect();
    loop {
        let node = graph.node(value);
        let Some(&below) = node.inputs.first() else { return Base { value, axes } };
        let (to, from) = (&node.ty.shape, graph.shape(below));
        axes = match &node.op {
            Op::Broadcast => {
                let lead = to.len() - from.len();
                let axis = |(i, s): (usize, &Size)| if s.is(1) { Along::zero() } else { axes[i + lead].clone() };
                from.iter().enumerate().map(axis).collect()
            }
            Op::Permute(order) => {
                let mut out = vec![Along::zero(); from.len()];
                order.iter().zip(axes).for_each(|(&axis, along)| out[axis] = along);
                out
            }
            Op::Slice { axis, start, step } => {
                let along = &mut axes[*axis];
                along.offset = &(&along.offset * &(*step).into()) + start;
                along.step *= step;
                if to[*axis].is(1) {
                    along.axis = None;
                }
                axes
            }
            Op::Reshape if same_but_ones(from, to) => {
                let mut long = axes.into_iter().zip(to).filter(|(_, s)| !s.is(1)).map(|(a, _)| a);
                let zero = |s: &Size| if s.is(1) { None } else { long.next() };
                from.iter().map(zero).map(|along| along.unwrap_or(Along::zero())).collect()
            }
            Op::After => axes,
            _ => return Base { value, axes },
        };
        value = below;
    }
}

/// The node that [`trace`] ends at.
pub(crate) fn base_of(graph: &Graph, view: Value) -> Value {
    let mut value = view;
    loop {
        let node = graph.node(value);
        let follows = match node.op {
            Op::Broadcast | Op::Permute(_) | Op::Slice { .. } | Op::After => true,
            Op::Reshape => same_but_ones(graph.shape(node.inputs[0]), &node.ty.shape),
            _ => false,
        };
        match follows {
            true => value = node.inputs[0],
            false => return value,
        }
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
            let awaited = strip_reshapes(graph, base_of(graph, node.inputs[1]));
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
    let index = |along: &Along| match along.axis {
        Some(axis) if along.is_plain() => coordinates[axis].clone(),
        Some(axis) => coordinates[axis].clone().times(along.step).plus(&along.offset),
        None => Index::zero().plus(&along.offset),
    };
    base.axes.iter().map(index).collect()
}
