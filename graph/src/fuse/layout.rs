//! Where each value lies: the order of its axes in memory, and the order of a kernel's loops.
//!
//! Images lie channels last after the first convolution, since that is what its kernels read and write fastest; everything that is
//! pointwise follows its operands; results and what is reshaped lie row-major.

use std::collections::BTreeSet;

use super::group::Group;
use super::prepare::{conv_panels, roles};
use super::view::{is_barrier, strip_reshapes, trace};
use super::{Class, class};
use crate::graph::{Graph, Op, Value};
use crate::hash::HashMap;
use crate::program::{Layout, PANEL};
use crate::size::Size;

/// How a value lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueLayout {
    /// Row-major over the axes in this order.
    Order(Vec<usize>),
    /// As [`Layout::Panels`].
    Panels(Vec<usize>),
}

impl ValueLayout {
    /// Row-major over the axes in their own order.
    pub fn plain(rank: usize) -> ValueLayout {
        ValueLayout::Order((0..rank).collect())
    }

    fn of(layout: &Layout, rank: usize) -> ValueLayout {
        match layout {
            Layout::Plain => ValueLayout::plain(rank),
            Layout::Panels(order) => ValueLayout::Panels(order.clone()),
        }
    }

    /// Elements, padding included.
    pub fn elements(&self, shape: &[Size]) -> Size {
        match self {
            ValueLayout::Order(_) => Size::product(shape),
            ValueLayout::Panels(_) => {
                let columns = shape[0].as_const().unwrap_or(0);
                let padded = Size::constant((columns + PANEL - 1) / PANEL * PANEL);
                &padded * &Size::product(&shape[1..])
            }
        }
    }
}

/// Layouts of all values in memory, and for each group its loops from the outermost to the innermost.
pub(crate) struct Layouts {
    pub values: HashMap<Value, ValueLayout>,
    pub orders: Vec<Vec<usize>>,
}

pub(crate) fn layouts(graph: &Graph, groups: &[Group], parameters: &dyn Fn(usize) -> Layout) -> Layouts {
    let mut fixed: HashMap<Value, ValueLayout> = HashMap::default();
    let plain = |v: Value| ValueLayout::plain(graph.shape(v).len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let value = Value(index as u32);
        match &node.op {
            Op::Input(_) | Op::State(_) | Op::RoundState { .. } | Op::Get(_) | Op::Scatter { .. } => {
                drop(fixed.insert(value, plain(value)))
            }
            Op::Parameter(number) | Op::RoundParameter { first: number, .. } => {
                fixed.insert(value, ValueLayout::of(&parameters(*number), node.ty.rank()));
            }
            Op::Repeat(_) => {
                for &operand in &node.inputs {
                    let memory = strip_reshapes(graph, operand);
                    fixed.insert(memory, plain(memory));
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
        let layout = match role.gradient() {
            Some(number) => {
                // A parameter's gradient has the parameter's shape, if only under reshapes.
                let rank = graph.shape(value).len();
                let layout = parameters(number);
                if matches!(graph.node(value).op, Op::Conv2dWeightGrad(_)) {
                    ValueLayout::of(&conv_panels(4), 4)
                } else if matches!(layout, Layout::Panels(_)) && rank < 2 {
                    plain(value)
                } else {
                    ValueLayout::of(&layout, rank)
                }
            }
            None => plain(value),
        };
        fixed.insert(value, layout);
    }
    // What is joined lies as the first of its parts.
    let joined: HashMap<Value, Value> = super::parts(graph).map(|(part, whole, _)| (part, whole)).collect();
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
        let natural: Vec<usize> = (0..group.loops.len()).collect();
        let inside: BTreeSet<Value> = group.nodes.iter().copied().collect();
        for &node in &group.nodes {
            let along = group.operand_axes(graph, node);
            // What is read at indices that are read themselves lies in no order of the loops.
            if matches!(graph.node(node).op, Op::Gather { .. } | Op::Scatter { .. }) {
                continue;
            }
            for &operand in &graph.node(node).inputs {
                let base = trace(graph, operand);
                let external = !inside.contains(&base.value) && class(graph, base.value) != Class::Leaf;
                let Some(ValueLayout::Order(order)) = self.values.get(&base.value) else { continue };
                if !external || order.len() != base.axes.len() {
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
