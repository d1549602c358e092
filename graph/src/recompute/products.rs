//! Products of the rounds of a scan that are made again for all rounds at once: what a round makes of its state by one product with a weight
//! (the gates of an LSTM) is larger than the state, and the states of all rounds lie there for the way back anyway. Of several scans whose
//! ways back are still to come, only the one that goes back first keeps such products: the others make them, from the stack of their states,
//! in one long product right before their own way back.
//!
//! The flops of one more forward pass of all scans but one, as one large product each, for the memory of the gates of all but one.

use super::rounds::Pair;
use super::{is_free, is_light, is_view};
use crate::graph::{Graph, Node, Op, Origin, Role, Value};
use crate::loops::simplify;
use crate::optimise::without_dead_code;
use crate::size::Size;
use crate::types::Type;
use rustc_hash::FxHashMap;

/// The graph whose scans, but for the first that goes back, make such products again.
pub(super) fn recompute(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    while let Some(next) = one_more(&graph) {
        graph = simplify(&without_dead_code(&next));
    }
    graph
}

/// The graph with one more such scan.
fn one_more(graph: &Graph) -> Option<Graph> {
    let pairs: Vec<Pair> = (0..graph.nodes.len()).filter_map(|back| Pair::of(graph, back, false)).collect();
    pairs.iter().zip(pairs.iter().skip(1)).find_map(|(earlier, pair)| {
        let is_scan = pair.forward.count.as_const().is_none();
        if is_scan { Again::new(pair, earlier.back).rewrite() } else { None }
    })
}

/// A value of the body for all rounds: their values one below the other, along the first axis, or what is the same in each of them.
#[derive(Clone, Copy)]
struct Lifted {
    value: Value,
    stacked: bool,
}

/// A scan whose products are made again, while the graph is written.
struct Again<'p, 'g> {
    pair: &'p Pair<'g>,
    out: Graph,
    map: Vec<Value>,
    /// A gradient that is there once the way back of an earlier scan has been gone.
    gradient: Option<Value>,
    /// The node whose loop's way back must have been gone.
    earlier: usize,
    lifted: FxHashMap<Value, Lifted>,
    /// Operands of the scan that are made again.
    outside: FxHashMap<Value, Value>,
}

impl<'p, 'g> Again<'p, 'g> {
    fn new(pair: &'p Pair<'g>, earlier: usize) -> Again<'p, 'g> {
        let (lifted, outside) = (FxHashMap::default(), FxHashMap::default());
        Again { pair, out: pair.graph.head(), map: vec![], gradient: None, earlier, lifted, outside }
    }

    fn rewrite(mut self) -> Option<Graph> {
        let graph = self.pair.graph;
        let again: Vec<(usize, Value)> = self
            .pair
            .rows
            .iter()
            .filter(|(_, _, v)| self.is_made_again(*v))
            .map(|(operand, _, v)| (*operand, *v))
            .collect();
        if again.is_empty() {
            return None;
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let mut inputs: Vec<Value> = node.inputs.iter().map(|v| self.map[v.index()]).collect();
            if index == self.pair.back {
                for &(operand, value) in &again {
                    let rows = self.lift(value)?.value;
                    inputs[operand] = self.shaped(rows, graph.shape(node.inputs[operand]).to_vec(), &node.origin);
                }
                let first_row = self.pair.backward.states + self.pair.backward.shared;
                for (operand, &given) in node.inputs.iter().enumerate().skip(first_row) {
                    if self.is_given_to_both(given) {
                        inputs[operand] = self.outside(given)?;
                    }
                }
            }
            let value = self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
            self.map.push(value);
            if index == self.earlier {
                self.gradient = Some(self.get(value)?);
            }
        }
        self.out.outputs = graph.outputs.clone();
        self.out.outputs.iter_mut().for_each(|o| o.value = self.map[o.value.index()]);
        Some(self.out)
    }

    /// A result of a loop.
    fn get(&mut self, of: Value) -> Option<Value> {
        let Op::Repeat(repeat) = &self.out.node(of).op else { return None };
        let first = repeat.body.outputs.first().filter(|o| o.role == Role::Result(0))?;
        let mut ty = repeat.body.ty(first.value).clone();
        if repeat.states == 0 {
            ty.shape.insert(0, repeat.count.clone());
        }
        let origin = self.out.node(of).origin.clone();
        Some(self.out.push(Op::Get(0), vec![of], ty, origin))
    }

    fn body(&self) -> &'g Graph {
        &self.pair.forward.body
    }

    /// Whether a value of the body follows from states that lie on stacks, from rows, and from weights by one product and light steps.
    fn is_made_again(&self, value: Value) -> bool {
        let mut products = 0;
        !matches!(self.body().node(value).op, Op::Input(_)) && self.follows(value, &mut products) && products == 1
    }

    fn follows(&self, value: Value, products: &mut usize) -> bool {
        let node = self.body().node(value);
        match &node.op {
            Op::Input(number) if *number < self.pair.forward.states => self.stack_of(value).is_some(),
            Op::Input(_) => true,
            op if parameter_outside(op).is_some() => true,
            Op::Const(_) | Op::Size(_) => true,
            Op::MatMul { ta: false, .. } => {
                *products += 1;
                let is_weight = !self.varies(node.inputs[1]) && self.body().ty(node.inputs[1]).rank() == 2;
                let is_row = self.body().ty(node.inputs[0]).rank() == 2;
                is_weight && is_row && node.inputs.iter().all(|v| self.follows(*v, products))
            }
            op => {
                let along_rows = match op {
                    Op::Slice { axis, .. } => *axis > 0,
                    op => !is_view(op),
                };
                let fits = is_light(op) && (along_rows || !self.varies(value));
                fits && node.inputs.iter().all(|v| self.follows(*v, products))
            }
        }
    }

    /// Whether a value of the body is another one in each round.
    fn varies(&self, value: Value) -> bool {
        let node = self.body().node(value);
        match node.op {
            Op::Input(number) => {
                !(self.pair.forward.states..self.pair.forward.states + self.pair.forward.shared).contains(&number)
            }
            _ => node.inputs.iter().any(|v| self.varies(*v)),
        }
    }

    /// The result of the scan that is the stack of a value of its body, if there is one.
    fn stack_of(&self, value: Value) -> Option<Value> {
        let Pair { graph, there, back, forward, .. } = self.pair;
        let mut stacks = forward.body.outputs.iter().enumerate().skip(forward.states);
        let (number, _) = stacks.find(|(_, o)| o.value == value && matches!(o.role, Role::Result(_)))?;
        let is_it = |node: &Node| node.op == Op::Get(number) && node.inputs[0].index() == *there;
        let index = graph.nodes[..*back].iter().position(is_it)?;
        Some(Value(index as u32))
    }

    /// The value for all rounds at once, made once the earlier gradient is there.
    fn lift(&mut self, value: Value) -> Option<Lifted> {
        if let Some(&known) = self.lifted.get(&value) {
            return Some(known);
        }
        let node = self.body().node(value);
        let (states, shared) = (self.pair.forward.states, self.pair.forward.shared);
        let lifted = match &node.op {
            Op::Input(number) if *number < states => {
                let stack = self.map[self.stack_of(value)?.index()];
                let stack = self.after(stack)?;
                Lifted { value: self.below(stack, node), stacked: true }
            }
            Op::Input(number) => {
                let given = self.pair.graph.nodes[self.pair.there].inputs[*number];
                let stacked = *number >= states + shared;
                if stacked {
                    let stack = self.outside(given)?;
                    Lifted { value: self.below(stack, node), stacked }
                } else {
                    Lifted { value: self.map[given.index()], stacked }
                }
            }
            _ => self.step(node)?,
        };
        self.lifted.insert(value, lifted);
        Some(lifted)
    }

    fn step(&mut self, node: &Node) -> Option<Lifted> {
        let mut operands = vec![];
        for &operand in &node.inputs {
            operands.push(self.lift(operand)?);
        }
        let stacked = operands.iter().any(|o| o.stacked);
        let mut values: Vec<Value> = operands.iter().map(|o| o.value).collect();
        let mut ty = node.ty.clone();
        if stacked {
            ty.shape[0] = &self.pair.forward.count * &ty.shape[0];
            if !matches!(node.op, Op::MatMul { .. }) {
                for (value, _) in values.iter_mut().zip(&operands).filter(|(_, o)| !o.stacked) {
                    *value = self.in_all_rounds(*value, &node.origin);
                }
            }
        }
        let op = parameter_outside(&node.op).unwrap_or_else(|| node.op.clone());
        Some(Lifted { value: self.out.push(op, values, ty, node.origin.clone()), stacked })
    }

    /// The value that is the same in each round, below itself as often as there are rounds.
    fn in_all_rounds(&mut self, value: Value, origin: &Origin) -> Value {
        let (dtype, shape) = (self.out.dtype(value), self.out.shape(value).to_vec());
        let mut below = shape.clone();
        below[0] = &self.pair.forward.count * &below[0];
        let node = self.out.node(value);
        let stretched = if node.op == Op::Broadcast { node.inputs[0] } else { value };
        let own = self.out.shape(stretched);
        if own.len() < shape.len() || own[0].is(1) {
            return self.out.push(Op::Broadcast, vec![stretched], Type::new(dtype, below), origin.clone());
        }
        let stack = Type::new(dtype, [std::slice::from_ref(&self.pair.forward.count), &shape].concat());
        let stack = self.out.push(Op::Broadcast, vec![value], stack, origin.clone());
        self.shaped(stack, below, origin)
    }

    /// The rows of a stack of values of a node of the body, one below the other.
    fn below(&mut self, stack: Value, node: &Node) -> Value {
        let mut shape = node.ty.shape.to_vec();
        shape[0] = &self.pair.forward.count * &shape[0];
        self.shaped(stack, shape, &node.origin)
    }

    fn shaped(&mut self, value: Value, shape: Vec<Size>, origin: &Origin) -> Value {
        let node = self.out.node(value);
        let before = if node.op == Op::Reshape { node.inputs[0] } else { value };
        match self.out.shape(before) == shape {
            true => before,
            false => self.out.push(Op::Reshape, vec![value], Type::new(node.ty.dtype, shape), origin.clone()),
        }
    }

    /// The value, once the earlier gradient is there.
    fn after(&mut self, value: Value) -> Option<Value> {
        let node = self.out.node(value);
        let (ty, origin) = (node.ty.clone(), node.origin.clone());
        Some(self.out.push(Op::After, vec![value, self.gradient?], ty, origin))
    }

    /// Whether both ways of the scan see rows of a value.
    fn is_given_to_both(&self, value: Value) -> bool {
        let Pair { graph, there, forward, .. } = self.pair;
        graph.nodes[*there].inputs[forward.states + forward.shared..].contains(&value)
    }

    /// A value of the graph around the scan: if it follows by one product with a parameter from what the way back reads anyway, it is made
    /// again.
    fn outside(&mut self, value: Value) -> Option<Value> {
        let mut products = 0;
        match self.is_made_outside(value, &mut products) && products == 1 {
            true => self.again_outside(value),
            false => Some(self.map[value.index()]),
        }
    }

    fn is_made_outside(&self, value: Value, products: &mut usize) -> bool {
        let graph = self.pair.graph;
        let node = graph.node(value);
        if lies_there(node) || *products > 0 && self.is_read_later(value) {
            return true;
        }
        match &node.op {
            Op::MatMul { .. } => *products += 1,
            op if is_light(op) => {}
            _ => return false,
        }
        node.inputs.iter().all(|v| self.is_made_outside(*v, products))
    }

    /// Whether the way back, but for this scan's own, reads a value.
    fn is_read_later(&self, value: Value) -> bool {
        let graph = self.pair.graph;
        graph.nodes[self.pair.back + 1..].iter().any(|node| node.inputs.contains(&value))
    }

    fn again_outside(&mut self, value: Value) -> Option<Value> {
        if let Some(&known) = self.outside.get(&value) {
            return Some(known);
        }
        let node = self.pair.graph.node(value);
        let new = if is_free(&node.op) || node.op.parameter().is_some() {
            self.map[value.index()]
        } else if lies_there(node) || self.is_read_later(value) {
            self.after(self.map[value.index()])?
        } else {
            let mut inputs = vec![];
            for &operand in &node.inputs {
                inputs.push(self.again_outside(operand)?);
            }
            self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone())
        };
        self.outside.insert(value, new);
        Some(new)
    }
}

/// Whether a value of the graph is at hand anywhere.
fn lies_there(node: &Node) -> bool {
    super::is_given(&node.op) || is_free(&node.op)
}

/// The parameter that all rounds read, as the graph around them names it.
fn parameter_outside(op: &Op) -> Option<Op> {
    match op {
        Op::Parameter(_) => Some(op.clone()),
        Op::Mirror { steps, .. } if steps.is_empty() => Some(op.clone()),
        Op::Mirror { first, steps } => match steps.split_last() {
            Some((0, outer)) if !outer.is_empty() => Some(Op::Mirror { first: *first, steps: outer.to_vec() }),
            _ => None,
        },
        Op::RoundParameter { first, steps } => match steps.split_last() {
            Some((0, outer)) if !outer.is_empty() => Some(Op::RoundParameter { first: *first, steps: outer.to_vec() }),
            _ => None,
        },
        _ => None,
    }
}
