//! Where each value lies: the order of its axes in memory, and the order of a kernel's loops.
//!
//! Images lie channels last after the first convolution, since that is what its kernels read and write fastest; everything that is
//! pointwise follows its operands; results and what is reshaped lie row-major.

use std::collections::BTreeSet;

use super::borders::{outside, taken};
use super::group::Group;
use super::prepare::{conv_panels, given_layout, roles};
use super::view::{is_barrier, strip_reshapes, trace};
use super::{Class, class};
use crate::graph::{AxisOrder, Border, Graph, Node, Op, Role, Value};
use crate::net::ForTarget;
use crate::program::{Layout, PANEL};
use crate::recompute::SIZE;
use crate::size::Size;
use rustc_hash::FxHashMap;

/// How a value lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueLayout {
    /// Row-major over the axes in this order.
    Order(Vec<usize>),
    /// As [`Layout::Panels`].
    Panels(Vec<usize>),
    /// By these strides of the axes, which the call tells: of an argument or a result.
    Strided(Vec<Size>),
}

impl ValueLayout {
    /// Row-major over the axes in their own order.
    pub fn plain(rank: usize) -> ValueLayout {
        ValueLayout::Order((0..rank).collect())
    }

    /// In an order.
    pub(crate) fn in_order(order: AxisOrder, rank: usize) -> ValueLayout {
        order.map_or_else(|| ValueLayout::plain(rank), ValueLayout::Order)
    }

    fn of(layout: &Layout, rank: usize) -> ValueLayout {
        match layout {
            Layout::Plain => ValueLayout::plain(rank),
            Layout::Panels(order) => ValueLayout::Panels(order.clone()),
        }
    }

    /// Elements, padding included.
    ///
    /// # Errors
    ///
    /// If it lies in panels of which nobody knows how many there are.
    pub fn elements(&self, shape: &[Size]) -> Result<Size, String> {
        Ok(match self {
            ValueLayout::Order(_) | ValueLayout::Strided(_) => Size::product(shape),
            ValueLayout::Panels(_) => {
                let columns =
                    shape[0].as_const().ok_or_else(|| format!("panels of {} columns: no number", shape[0]))?;
                let padded = Size::constant((columns + PANEL - 1) / PANEL * PANEL);
                &padded * &Size::product(&shape[1..])
            }
        })
    }
}

/// Layouts of all values in memory, and for each group its loops from the outermost to the innermost.
pub(crate) struct Layouts {
    pub values: FxHashMap<Value, ValueLayout>,
    pub orders: Vec<Vec<usize>>,
}

/// How a value lies whose role says so.
pub(super) fn by_role(graph: &Graph, value: Value, role: &Role, lies: &ForTarget, border: &Border) -> ValueLayout {
    let rank = graph.shape(value).len();
    match (role, role.gradient()) {
        (_, Some(_)) if matches!(graph.node(value).op, Op::Conv2dWeightGrad(_)) => ValueLayout::of(&conv_panels(4), 4),
        // A parameter's gradient has the parameter's shape, if only under reshapes.
        (_, Some(number)) => match &lies.layouts[number] {
            Layout::Panels(_) if rank < 2 => ValueLayout::plain(rank),
            layout => ValueLayout::of(layout, rank),
        },
        (Role::Result(number), _) => border.result_layout(*number, rank),
        _ => ValueLayout::plain(rank),
    }
}

/// Of a graph whose arguments and results lie as `border` says.
pub(crate) fn layouts(graph: &Graph, groups: &[Group], lies: &ForTarget, border: &Border) -> Layouts {
    let mut fixed: FxHashMap<Value, ValueLayout> = FxHashMap::default();
    let plain = |v: Value| ValueLayout::plain(graph.shape(v).len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let value = Value(index as u32);
        match &node.op {
            Op::Input(number) => {
                fixed.insert(value, border.argument_layout(*number, node.ty.rank()));
            }
            Op::Get(_) => {
                fixed.insert(value, ValueLayout::in_order(taken(graph, value), node.ty.rank()));
            }
            Op::State(_) | Op::RoundState { .. } | Op::Scatter { .. } => {
                fixed.insert(value, plain(value));
            }
            Op::Routine(_) => {
                fixed.insert(value, plain(value));
                for operand in node.inputs.iter().map(|v| strip_reshapes(graph, *v)) {
                    fixed.insert(operand, plain(operand));
                }
            }
            Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } => {
                let layout = given_layout(node, lies).unwrap_or(&Layout::Plain);
                fixed.insert(value, ValueLayout::of(layout, node.ty.rank()));
            }
            Op::Repeat(repeat) => {
                for (number, &operand) in node.inputs.iter().enumerate() {
                    let memory = strip_reshapes(graph, operand);
                    let order = outside(repeat.border.argument(number), number >= repeat.states + repeat.shared);
                    fixed.insert(memory, ValueLayout::in_order(order, graph.shape(memory).len()));
                }
            }
            Op::Conv2d(_) | Op::Conv2dInputGrad(_) => {
                let weight = node.inputs[1];
                fixed.entry(weight).or_insert(ValueLayout::of(&conv_panels(4), 4));
            }
            _ if is_barrier(graph, value) => {
                let memory = strip_reshapes(graph, value);
                fixed.entry(memory).or_insert_with(|| plain(memory));
            }
            _ => {}
        }
    }
    for (value, role) in roles(graph) {
        let layout = by_role(graph, value, &role, lies, border);
        fixed.insert(value, layout);
    }
    // What is joined lies as the first of its parts.
    let joined: FxHashMap<Value, Value> = super::parts(graph).map(|(part, whole, _)| (part, whole)).collect();
    let mut layouts = Layouts { values: fixed, orders: vec![] };
    for group in groups {
        let order = layouts.loop_order(graph, group);
        for &node in &group.nodes {
            if layouts.values.contains_key(&node) {
                continue;
            }
            let map = &group.maps[&node];
            let mut axes: Vec<usize> = (0..map.len()).collect();
            axes.sort_by_key(|&a| map[a].and_then(|l| order.iter().position(|&o| o == l)).map_or(0, |at| at + 1));
            if let Some(&whole) = joined.get(&node) {
                layouts.values.entry(whole).or_insert(ValueLayout::Order(axes.clone()));
            }
            layouts.values.insert(node, ValueLayout::Order(axes));
        }
        layouts.orders.push(order);
    }
    layouts
}

impl Layouts {
    fn loop_order(&self, graph: &Graph, group: &Group) -> Vec<usize> {
        if let Some(tile) = group.tile {
            return match graph.node(tile).op {
                Op::Conv2d(_) | Op::Conv2dInputGrad(_) => vec![0, 2, 3, 1],
                Op::Conv2dWeightGrad(_) => vec![2, 3, 1, 0],
                _ => (0..group.loops.len()).collect(),
            };
        }
        let mut order = self.as_operands_lie(graph, group);
        if let Some(&last) = order.last().filter(|_| group.reduces()) {
            // Rows if most of what is reduced lies so, else columns.
            let elements = self.side_by_side(graph, group);
            let best = (0..elements.len()).max_by_key(|l| elements[*l]).unwrap_or(last);
            if elements[best] > elements[last] && group.reduced[best] != group.reduced[last] {
                order.retain(|l| *l != best);
                order.push(best);
            }
        }
        order
    }

    /// For each loop of a group, how many of the elements that it reads lie side by side along it.
    fn side_by_side(&self, graph: &Graph, group: &Group) -> Vec<i64> {
        let mut elements = vec![0i64; group.loops.len()];
        for &node in group.nodes.iter().filter(|n| !is_looked_up(graph, **n)) {
            let along = group.operand_axes(graph, node);
            for base in graph.node(node).inputs.iter().map(|operand| trace(graph, *operand)) {
                if group.maps.contains_key(&base.value) || class(graph, base.value) == Class::Free {
                    continue;
                }
                let shape = graph.shape(base.value);
                let order = match self.values.get(&base.value) {
                    Some(ValueLayout::Order(order)) => order.clone(),
                    Some(ValueLayout::Panels(_)) => continue,
                    // Most often row-major. Of a reshape.
                    Some(ValueLayout::Strided(_)) | None => (0..shape.len()).collect(),
                };
                let innermost = order.into_iter().rev().find(|axis| !shape[*axis].is(1));
                let innermost = innermost.map(|axis| &base.axes[axis]).filter(|along| along.step == 1);
                if let Some(l) = innermost.and_then(|base| along[base.axis?]) {
                    elements[l] = elements[l].saturating_add(graph.ty(base.value).len().eval(&|_| SIZE));
                }
            }
        }
        elements
    }

    /// The loops in the order in which an operand lies that does not lie as they are.
    fn as_operands_lie(&self, graph: &Graph, group: &Group) -> Vec<usize> {
        let natural: Vec<usize> = (0..group.loops.len()).collect();
        let inside: BTreeSet<Value> = group.nodes.iter().copied().collect();
        for &node in &group.nodes {
            if is_looked_up(graph, node) {
                continue;
            }
            let along = group.operand_axes(graph, node);
            for &operand in &graph.node(node).inputs {
                let base = trace(graph, operand);
                let Some(ValueLayout::Order(order)) = self.values.get(&base.value) else { continue };
                // What is given row-major has no say.
                let given = class(graph, base.value) == Class::Leaf && order.is_sorted();
                if inside.contains(&base.value) || given || order.len() != base.axes.len() {
                    continue;
                }
                // Loops in the order in which this operand lies, if it runs along all of them.
                let reduces = matches!(graph.node(node).op, Op::Reduce(..));
                if !reduces && base.axes.len() != along.len() {
                    continue;
                }
                let loops: Vec<usize> =
                    order.iter().filter_map(|&a| base.axes[a].axis.and_then(|axis| along[axis])).collect();
                let mut sorted = loops.clone();
                sorted.sort_unstable();
                if sorted == natural && loops != natural {
                    return loops;
                }
            }
        }
        natural
    }
}

/// What is read at indices that are read themselves lies in no order of the loops, unless the indices run along their own axis alone: then all
/// that is beside it is read as it lies.
fn is_looked_up(graph: &Graph, node: Value) -> bool {
    let Node { op, inputs, ty, .. } = graph.node(node);
    match op {
        Op::Gather { axis } => {
            let index = trace(graph, inputs[1]);
            let along = index.axes.iter().filter_map(|along| along.axis);
            graph.shape(inputs[0]).len() != ty.rank() || along.into_iter().any(|a| a != *axis)
        }
        Op::Scatter { .. } => true,
        _ => false,
    }
}
