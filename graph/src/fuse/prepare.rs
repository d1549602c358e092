//! Brings a graph into the form that grouping expects:
//!
//! - what must lie in memory row-major (below a reshape, as a result, as a weight that is computed) is a node of its own;
//! - a reduction over the outermost and other axes happens in two steps, so that the first has a parallel axis;
//! - the gradient of an overlapping maximum pool goes through the numbers of the winners;
//! - whoever reads a half widens it itself, so that what lies in memory is the half.

use std::collections::HashSet;

use super::borders::{borders, outside, taken as taken_from};
use super::layout::{ValueLayout, by_role};
use super::view::{base_of, is_barrier, same_but_ones, strip_reshapes, trace};
use super::{Class, class, needs_memory};
use crate::graph::{AxisOrder, Border, Graph, Node, Op, Origin, Role, Value};
use crate::net::ForTarget;
use crate::program::Layout;
use crate::types::Type;
use rustc_hash::FxHashMap;

pub(crate) fn prepare(graph: &Graph, lies: &ForTarget, border: &Border) -> Graph {
    let mut out = graph.head();
    let mut map: Vec<Value> = vec![];
    let mut borders = borders(graph, border);
    let asked = asked(graph, lies, border);
    let mut lie = Lie { lies, border, asked: FxHashMap::default() };
    let mut widened = HashSet::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let (value, mut node) = (Value(index as u32), node.clone());
        for input in &mut node.inputs {
            *input = map[input.index()];
            if out.widened(*input).is_some() && !widened.insert(*input) {
                let again = out.node(*input).clone();
                *input = out.push(again.op, again.inputs, again.ty, again.origin);
            }
        }
        if let (Op::Repeat(repeat), Some(border)) = (&mut node.op, borders.remove(&value)) {
            repeat.border = border;
        }
        let new = add(&mut out, node, &mut lie);
        if let Some(layout) = asked.get(&value) {
            lie.asked.insert(new, layout.clone());
        }
        map.push(new);
    }
    let mut taken = HashSet::new();
    for output in &graph.outputs {
        let mut value = map[output.value.index()];
        let memory = strip_reshapes(&out, value);
        let computed = !matches!(class(&out, memory), Class::Leaf | Class::Free | Class::View);
        // A state's memory is what it was before to whoever reads it: who reads what it becomes must find that elsewhere.
        // So must who reads what goes to memory that need not lie side by side.
        let apart = output.role.state().is_some() || is_strided(&output.role, border);
        let read = apart && out.nodes.iter().any(|node| node.inputs.contains(&memory));
        let wanted = by_role(&out, memory, &output.role, lies, border);
        let otherwise = lie.asked.get(&memory).is_some_and(|asked| *asked != wanted);
        // A value that only one result wants, and that stands as it is, is written where the result goes.
        let stands = !otherwise && !read && lies_as(&out, value, &output.role, &lie);
        if !computed || !stands || !taken.insert(memory) {
            value = copy(&mut out, value);
            taken.insert(value);
        }
        out.outputs.push(crate::graph::Output { role: output.role.clone(), value });
    }
    out
}

/// Whether a result lies by strides that the call tells.
fn is_strided(role: &Role, border: &Border) -> bool {
    matches!(role, Role::Result(number) if border.strided.results.contains(number))
}

fn copy(out: &mut Graph, value: Value) -> Value {
    let (ty, origin) = (out.ty(value).clone(), out.node(value).origin.clone());
    out.push(Op::Copy, vec![value], ty, origin)
}

/// How values lie whose place is known before there are kernels.
struct Lie<'a> {
    /// The parameters.
    lies: &'a ForTarget,
    /// The arguments and results.
    border: &'a Border,
    /// What computed values are asked to.
    asked: FxHashMap<Value, ValueLayout>,
}

/// What computed values are asked to: results by their roles, the others row-major where they are reshaped.
fn asked(graph: &Graph, lies: &ForTarget, border: &Border) -> FxHashMap<Value, ValueLayout> {
    let mut asked = FxHashMap::default();
    for (value, role) in roles(graph) {
        let read = || graph.nodes.iter().any(|node| node.inputs.contains(&value));
        if !is_strided(&role, border) || !read() {
            asked.entry(value).or_insert_with(|| by_role(graph, value, &role, lies, border));
        }
    }
    for value in (0..graph.nodes.len()).map(|index| Value(index as u32)).filter(|v| is_barrier(graph, *v)) {
        let memory = strip_reshapes(graph, value);
        asked.entry(memory).or_insert_with(|| ValueLayout::plain(graph.shape(memory).len()));
    }
    asked
}

fn add(out: &mut Graph, mut node: Node, lie: &mut Lie) -> Value {
    let lies = lie.lies;
    match &node.op {
        Op::Reshape => {
            let mut below = node.inputs[0];
            while out.node(below).op == Op::Reshape {
                below = out.node(below).inputs[0];
            }
            let value = out.push(Op::Reshape, vec![below], node.ty.clone(), node.origin.clone());
            if is_barrier(out, value) && !lies_plain(out, strip_reshapes(out, below), lie) {
                let laid = copy(out, below);
                return out.push(Op::Reshape, vec![laid], node.ty, node.origin);
            }
            return value;
        }
        Op::Reduce(f, axes) if axes.len() > 1 && axes[0] == 0 => {
            let (f, inner, mut ty) = (*f, axes[1..].to_vec(), node.ty.clone());
            let shape = out.shape(node.inputs[0]);
            ty.shape.insert(0, shape[0].clone());
            if !shape[0].is(1) && !inner.iter().all(|&a| shape[a].is(1)) {
                let partial = out.push(Op::Reduce(f, inner), node.inputs.clone(), ty, node.origin.clone());
                return out.push(Op::Reduce(f, vec![0]), vec![partial], node.ty, node.origin);
            }
        }
        Op::MaxPool2dGrad(window) if !window.tiles_image(out.shape(node.inputs[0])) => {
            let operand = in_memory(out, node.inputs[0]);
            let ty = Type::new(window.tap_type(), out.shape(node.inputs[1]).to_vec());
            let index = out.push(Op::MaxPool2dIndex(*window), vec![operand], ty, node.origin.clone());
            let dy = in_memory(out, node.inputs[1]);
            return out.push(Op::MaxPool2dScatter(*window), vec![index, dy], node.ty, node.origin);
        }
        _ => {}
    }
    if let Op::Cat(_) = node.op {
        // Each part is a node of its own: it is stored where it belongs by the kernel that makes it.
        node.inputs.iter_mut().for_each(|part| *part = copy(out, *part));
    }
    if needs_memory(&node.op) {
        let weight = match node.op {
            Op::Conv2d(_) | Op::Conv2dInputGrad(_) => Some(1),
            _ => None,
        };
        for i in 0..node.inputs.len() {
            let operand = node.inputs[i];
            node.inputs[i] = match (&node.op, weight == Some(i)) {
                (_, true) => as_conv_weight(out, operand, lies),
                (Op::Gather { axis }, _) if i == 0 => gathered(out, operand, *axis, lies),
                (Op::Pad { .. } | Op::Gather { .. } | Op::Scatter { .. }, _) => addressed(out, operand, lies),
                (Op::MatMul { .. }, _) => as_matrix(out, operand, i == 1 && out.shape(operand).len() == 2, lies),
                (Op::Routine(_), _) => laid_out(out, operand, None, lie),
                (Op::Repeat(repeat), _) => {
                    let is_stack = i >= repeat.states + repeat.shared;
                    laid_out(out, operand, outside(repeat.border.argument(i), is_stack), lie)
                }
                _ => in_memory(out, operand),
            };
        }
    }
    out.push(node.op, node.inputs, node.ty, node.origin)
}

/// Whether a computed value can lie as its role asks: the gradient of a convolution's weight comes in panels.
fn lies_as(out: &Graph, value: Value, role: &Role, lie: &Lie) -> bool {
    let (memory, layouts) = (strip_reshapes(out, value), &lie.lies.layouts);
    if let Role::Result(number) = role
        && (lie.border.result(*number).is_some() || is_strided(role, lie.border))
    {
        return memory == value && can_be_asked(out, value);
    }
    match (&out.node(memory).op, role) {
        (Op::Conv2dWeightGrad(_), role) => {
            role.gradient().is_some_and(|number| is_conv_weight(out, memory, value, &layouts[number]))
        }
        (Op::Scatter { .. } | Op::Routine(_) | Op::Cat(_), role) => {
            role.gradient().is_none_or(|number| layouts[number] == Layout::Plain)
        }
        // A gradient in panels has the parameter's own axes.
        (_, role) => memory == value || role.gradient().is_none_or(|number| layouts[number] == Layout::Plain),
    }
}

/// Whether `view`, which lies so, lies as the weight of a convolution must: `weight` is the same, with an axis of size 1 more or less.
fn is_conv_weight(out: &Graph, weight: Value, view: Value, layout: &Layout) -> bool {
    let (weight, view) = (out.shape(weight), out.shape(view));
    view.len() > 2 && weight[..2] == view[..2] && same_but_ones(weight, view) && *layout == conv_panels(view.len())
}

/// Whether a value lies row-major in memory, or can be asked to.
fn lies_plain(out: &Graph, value: Value, lie: &Lie) -> bool {
    let plain = ValueLayout::plain(out.shape(value).len());
    match &out.node(value).op {
        Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } => {
            given_layout(out.node(value), lie.lies) == Some(&Layout::Plain)
        }
        Op::Input(number) => lie.border.argument(*number).is_none() && !lie.border.strided.arguments.contains(number),
        Op::Get(_) => taken_from(out, value).is_none(),
        op => match class(out, value) {
            Class::View | Class::Free => false,
            _ => !matches!(op, Op::Conv2dWeightGrad(_)) && lie.asked.get(&value).is_none_or(|asked| *asked == plain),
        },
    }
}

/// Whether a value is computed by a kernel that stores it in any order.
fn can_be_asked(out: &Graph, value: Value) -> bool {
    let any = matches!(class(out, value), Class::Point | Class::Reduce | Class::Tile | Class::Joined);
    any && !matches!(out.node(value).op, Op::Conv2dWeightGrad(_))
}

/// The value, or a copy if there is nothing in memory under it, or not as floats, or with a slice in between.
fn in_memory(out: &mut Graph, value: Value) -> Value {
    let base = trace(out, value);
    match class(out, base.value) != Class::Free && base.is_whole() {
        true => value,
        false => copy(out, value),
    }
}

/// The value, or a copy if an element of it cannot be found by its index alone: there is none in memory, or it lies in panels.
fn addressed(out: &mut Graph, value: Value, lies: &ForTarget) -> Value {
    let base = base_of(out, value);
    match class(out, base) != Class::Free && layout_in_panels(out, base, lies).is_none() {
        true => value,
        false => copy(out, value),
    }
}

/// As [`addressed`], with all of `axis` in memory.
fn gathered(out: &mut Graph, value: Value, axis: usize, lies: &ForTarget) -> Value {
    let base = trace(out, value);
    match base.covers(out, axis, &out.shape(value)[axis]).is_some() {
        true => addressed(out, value, lies),
        false => copy(out, value),
    }
}

/// The layout of a value under which no slice of it is plain.
fn layout_in_panels(out: &Graph, base: Value, lies: &ForTarget) -> Option<Layout> {
    match &out.node(base).op {
        Op::Conv2dWeightGrad(_) => Some(conv_panels(out.shape(base).len())),
        _ => given_layout(out.node(base), lies).filter(|layout| **layout != Layout::Plain).cloned(),
    }
}

/// How a parameter or a mirror lies.
pub(crate) fn given_layout<'l>(node: &Node, lies: &'l ForTarget) -> Option<&'l Layout> {
    match &node.op {
        Op::Mirror { first, .. } => lies.mirror(*first, node.ty.dtype).map(|mirror| &mirror.layout),
        op => lies.layouts.get(op.parameter()?),
    }
}

/// The operand of a loop: in memory of its own shape, in an order.
fn laid_out(out: &mut Graph, value: Value, order: AxisOrder, lie: &mut Lie) -> Value {
    let memory = strip_reshapes(out, value);
    let layout = ValueLayout::in_order(order.clone(), out.shape(if order.is_none() { memory } else { value }).len());
    let stands = match (&order, &out.node(value).op) {
        (None, _) => lies_plain(out, memory, lie),
        (_, Op::Input(number)) => lie.border.argument(*number) == order,
        (_, Op::Get(_)) => taken_from(out, value) == order,
        _ => can_be_asked(out, value) && lie.asked.get(&value).is_none_or(|asked| *asked == layout),
    };
    let value = if stands { value } else { copy(out, value) };
    lie.asked.insert(strip_reshapes(out, value), layout);
    value
}

/// An operand of a matrix product: read by strides, or (on the right) panels as they lie.
fn as_matrix(out: &mut Graph, value: Value, right: bool, lies: &ForTarget) -> Value {
    let base = trace(out, value);
    let strided = class(out, base.value) != Class::Free && base.axes.iter().all(|along| along.step > 0);
    let usable = match layout_in_panels(out, base.value, lies) {
        Some(layout) => right && base.value == value && layout == Layout::Panels(vec![1]),
        None => true,
    };
    match strided && usable {
        true => value,
        false => copy(out, value),
    }
}

/// The weight of a convolution: panels. A parameter lies so; anything else is laid out by a copy.
fn as_conv_weight(out: &mut Graph, value: Value, lies: &ForTarget) -> Value {
    let memory = strip_reshapes(out, value);
    match given_layout(out.node(memory), lies) {
        Some(layout) if is_conv_weight(out, value, memory, layout) => memory,
        _ => {
            let origin = Origin { ..out.node(value).origin.clone() };
            let ty = out.ty(value).clone();
            out.push(Op::Copy, vec![value], ty, origin)
        }
    }
}

/// Of a weight of so many axes: rows over (kernel row, kernel column, input channel), columns over output channels.
pub(crate) fn conv_panels(rank: usize) -> Layout {
    Layout::Panels((2..rank).chain([1]).collect())
}

/// The values whose role fixes where and how they lie: results and gradients, by the node that makes them.
pub(crate) fn roles(graph: &Graph) -> Vec<(Value, Role)> {
    graph.outputs.iter().map(|o| (strip_reshapes(graph, o.value), o.role.clone())).collect()
}
