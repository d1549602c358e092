//! How values lie at the borders of loops: what a loop reads, carries and keeps lies as its rounds would have it if they were written out.
//!
//! Before there are kernels, each value is given the order in which its kernel would most likely write it: images that a convolution makes
//! lie channels last, what is pointwise follows its operands. A state lies as a round leaves it. What a loop reads lies as it was made.

use super::layout::ValueLayout;
use super::region::{Stack, stacks};
use super::view::{is_barrier, strip_reshapes, trace};
use super::{Class, class};
use crate::graph::{AxisOrder, Border, Graph, Op, Repeat, Role, Value};
use crate::program::Place;
use rustc_hash::{FxHashMap, FxHashSet};

/// How often the states of a loop may change before those that still do lie row-major.
const TRIES: usize = 3;

impl Border {
    /// How argument `number` of the body lies.
    pub(crate) fn argument(&self, number: usize) -> AxisOrder {
        self.arguments.get(number).cloned().flatten()
    }

    /// How result `number` of the body lies.
    pub(crate) fn result(&self, number: usize) -> AxisOrder {
        self.results.get(number).cloned().flatten()
    }

    /// How argument `number` lies in memory.
    pub(super) fn argument_layout(&self, number: usize, rank: usize) -> ValueLayout {
        match self.strided.arguments.contains(&number) {
            true => ValueLayout::Strided(Place::Argument(number).strides(rank)),
            false => ValueLayout::in_order(self.argument(number), rank),
        }
    }

    /// How result `number` lies in memory.
    pub(super) fn result_layout(&self, number: usize, rank: usize) -> ValueLayout {
        match self.strided.results.contains(&number) {
            true => ValueLayout::Strided(Place::Result(number).strides(rank)),
            false => ValueLayout::in_order(self.result(number), rank),
        }
    }
}

/// How operand `number` of a loop lies, or what [`Op::Get`] takes of it: a stack has the rounds outermost.
pub(crate) fn outside(order: AxisOrder, is_stack: bool) -> AxisOrder {
    match is_stack {
        true => order.map(|rows| std::iter::once(0).chain(rows.iter().map(|axis| axis + 1)).collect()),
        false => order,
    }
}

/// How the result of a loop that a node takes lies.
pub(crate) fn taken(graph: &Graph, get: Value) -> AxisOrder {
    let node = graph.node(get);
    match (&node.op, node.inputs.first().map(|from| &graph.node(*from).op)) {
        (Op::Get(number), Some(Op::Repeat(repeat))) => outside(repeat.border.result(*number), *number >= repeat.states),
        _ => None,
    }
}

/// The borders of all loops of a graph whose arguments lie so.
pub(crate) fn borders(graph: &Graph, border: &Border) -> FxHashMap<Value, Border> {
    match graph.nodes.iter().any(|node| matches!(node.op, Op::Repeat(_))) {
        true => Orders::new(graph, border, &row_major(graph, true)).borders,
        false => FxHashMap::default(),
    }
}

/// What must lie row-major in memory: what is reshaped, states, and if asked what the graph's results are.
fn row_major(graph: &Graph, results: bool) -> FxHashSet<Value> {
    let is_fixed = |role: &Role| results || !matches!(role, Role::Result(_));
    let outputs = graph.outputs.iter().filter(|o| is_fixed(&o.role)).map(|o| strip_reshapes(graph, o.value));
    let all = (0..graph.nodes.len()).map(|index| Value(index as u32));
    outputs.chain(all.filter(|v| is_barrier(graph, *v)).map(|v| strip_reshapes(graph, v))).collect()
}

/// The order in which each value would lie.
struct Orders<'g> {
    graph: &'g Graph,
    of: Vec<AxisOrder>,
    borders: FxHashMap<Value, Border>,
}

impl<'g> Orders<'g> {
    fn new(graph: &'g Graph, border: &Border, row_major: &FxHashSet<Value>) -> Orders<'g> {
        let mut orders = Orders { graph, of: Vec::with_capacity(graph.nodes.len()), borders: FxHashMap::default() };
        for (index, node) in graph.nodes.iter().enumerate() {
            let value = Value(index as u32);
            if let Op::Repeat(repeat) = &node.op {
                let border = orders.border(repeat, &node.inputs);
                orders.borders.insert(value, border);
            }
            let order = match &node.op {
                Op::Input(number) => border.argument(*number),
                Op::Get(number) => orders.get(node.inputs[0], *number),
                _ if row_major.contains(&value) => None,
                _ => orders.order(value),
            };
            orders.of.push(order);
        }
        orders
    }

    fn get(&self, from: Value, number: usize) -> AxisOrder {
        let Op::Repeat(repeat) = &self.graph.node(from).op else { return None };
        outside(self.borders.get(&from)?.result(number), number >= repeat.states)
    }

    /// The order in which a kernel would write a value that it computes.
    fn order(&self, value: Value) -> AxisOrder {
        let node = self.graph.node(value);
        match (class(self.graph, value), &node.op) {
            (Class::Tile, Op::Conv2d(_) | Op::Conv2dInputGrad(_)) => Some(vec![0, 2, 3, 1]),
            (Class::Point, Op::Gather { .. }) => None,
            (Class::Point, _) => node.inputs.iter().find_map(|operand| self.along(value, *operand, &|axis| Some(axis))),
            (Class::Reduce, Op::Reduce(_, over)) => {
                let kept = |axis: usize| match over.contains(&axis) {
                    true => None,
                    false => Some(axis - over.iter().filter(|reduced| **reduced < axis).count()),
                };
                self.along(value, node.inputs[0], &kept)
            }
            (Class::Joined, _) => self.of[node.inputs[0].index()].clone(),
            _ => None,
        }
    }

    /// The order of a node that runs along all of its axes as an operand lies; `kept`: the node's axis for one of the operand's.
    fn along(&self, value: Value, operand: Value, kept: &dyn Fn(usize) -> Option<usize>) -> AxisOrder {
        let base = trace(self.graph, operand);
        let order = self.of[base.value.index()].as_ref()?;
        let axes: Vec<usize> = order.iter().filter_map(|&axis| base.axes[axis].axis).filter_map(kept).collect();
        // Axes of size 1 lie anywhere.
        let shape = self.graph.shape(value);
        let mut all: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
        if !all.iter().all(|&axis| shape[axis].is(1)) {
            return None;
        }
        all.extend(axes);
        Some(all).filter(|order| !order.is_sorted())
    }

    /// The border of a loop over these operands.
    fn border(&self, repeat: &Repeat, operands: &[Value]) -> Border {
        let (body, first_row) = (&repeat.body, repeat.states + repeat.shared);
        let reshaped = row_major(body, false);
        let is_reshaped = |number: usize| reshaped.iter().any(|value| body.node(*value).op == Op::Input(number));
        let argument = |(number, operand): (usize, &Value)| {
            let order = self.of[operand.index()].clone();
            match number {
                _ if number < repeat.states => order,
                // Rather once out here than in every round.
                _ if number < first_row => order.filter(|_| !is_reshaped(number)),
                _ => {
                    let rows = order.filter(|order| order[0] == 0)?;
                    Some(rows[1..].iter().map(|axis| axis - 1).collect())
                }
            }
        };
        let arguments = operands.iter().enumerate().map(argument).collect();
        let mut border = Border { arguments, ..Border::default() };
        for left in (0..=TRIES).rev() {
            border.results = self.results(repeat, &border, &reshaped);
            let states = border.arguments.iter_mut().zip(&border.results).take(repeat.states);
            let mut changes = states.filter(|(now, next)| now != next).peekable();
            if left == 0 || changes.peek().is_none() {
                break;
            }
            changes.for_each(|(now, next)| *now = next.clone().filter(|_| left > 1));
        }
        border.results[..repeat.states].clone_from_slice(&border.arguments[..repeat.states]);
        for (number, stack) in stacks(repeat).into_iter().enumerate() {
            if let Stack::Before(state) | Stack::After(state) = stack {
                border.results[repeat.states + number] = border.arguments[state].clone();
            }
        }
        border
    }

    /// How a round would leave its results.
    fn results(&self, repeat: &Repeat, border: &Border, reshaped: &FxHashSet<Value>) -> Vec<AxisOrder> {
        let orders = Orders::new(&repeat.body, border, reshaped);
        let results = repeat.body.outputs.iter().filter(|o| matches!(o.role, Role::Result(_)));
        results.map(|o| orders.of[o.value.index()].clone()).collect()
    }
}
