//! Mixed precision: what may be computed of halves is, by the table of [`crate::autocast`]; the parameters stay f32.
//!
//! A call of an operator or layer computes in f32 inside, as in a net of halves. What changes is what goes in and comes out: what a call of
//! halves takes is rounded, and so is what comes out of one whose result is a half. Other nodes see a half widened again. Where widening and
//! rounding meet nothing happens, products take halves as they are, and views are taken of halves: all that is `optimise`'s.
//!
//! Sums of what flows back to parameters are not rounded: that is the gradient pass's ([`crate::grad`]).

use std::collections::BTreeMap;

use crate::attention::Attention;
use crate::autocast::Autocast;
use crate::graph::{Argument, Graph, Node, Op, Output, Repeat, Role, Value};
use crate::primitives::Class;
use crate::types::{DType, Type};
use rustc_hash::FxHashMap;

/// The graph, which computes in f32, in mixed precision with halves of this type; arguments and results keep their types.
pub fn mixed(graph: &Graph, half: DType) -> Graph {
    let arguments = vec![false; graph.arguments.len()];
    let mut pass = Pass::new(graph, half, &arguments);
    pass.nodes();
    pass.outputs(|_| false);
    pass.out
}

/// The body of a loop whose arguments come as halves where `arguments` says so, and which of its results are halves.
fn body(graph: &Graph, half: DType, states: usize, arguments: &[bool]) -> (Graph, Vec<bool>) {
    let mut pass = Pass::new(graph, half, arguments);
    pass.nodes();
    let results = graph.outputs.iter().take_while(|o| matches!(o.role, Role::Result(_)));
    let halves: Vec<bool> = results.map(|o| pass.is_half(o.value)).collect();
    // What goes round is what it was.
    pass.outputs(|number| arguments[..states].get(number).copied().unwrap_or_else(|| halves[number]));
    (pass.out, halves)
}

/// Whether it is a loop or a result of one: neither is a part of a call here.
fn is_of_loops(graph: &Graph, node: &Node) -> bool {
    match node.op {
        Op::Repeat(_) => true,
        Op::Get(_) => matches!(graph.node(node.inputs[0]).op, Op::Repeat(_)),
        _ => false,
    }
}

/// What a call takes from outside, and whether its results are halves, once somebody asked.
#[derive(Default)]
struct Call {
    autocast: Autocast,
    operands: Vec<Value>,
    is_half: Option<bool>,
}

struct Pass<'g> {
    graph: &'g Graph,
    half: DType,
    out: Graph,
    /// By their numbers.
    calls: BTreeMap<u32, Call>,
    /// Which arguments come as halves.
    arguments: &'g [bool],
    /// Which results of loops are halves.
    of_loops: FxHashMap<Value, Vec<bool>>,
    /// Where each value stands: what its node made.
    made: Vec<Value>,
    /// Values as halves.
    halves: FxHashMap<Value, Value>,
    /// Values that went through a half.
    rounded: FxHashMap<Value, Value>,
}

impl<'g> Pass<'g> {
    fn new(graph: &'g Graph, half: DType, arguments: &'g [bool]) -> Pass<'g> {
        let mut calls: BTreeMap<u32, Call> = BTreeMap::new();
        for node in &graph.nodes {
            let caller = node.origin.caller;
            if caller.is_whole() && !is_of_loops(graph, node) {
                let call = calls.entry(caller.number).or_default();
                call.autocast = caller.autocast;
                let outside = |v: &&Value| graph.node(**v).origin.caller.number != caller.number;
                call.operands.extend(node.inputs.iter().filter(outside).filter(|v| graph.dtype(**v) == DType::F32));
            }
        }
        let out = Graph { nodes: vec![], outputs: vec![], ..graph.clone() };
        let (of_loops, halves, rounded) = Default::default();
        Pass { graph, half, out, calls, arguments, of_loops, made: vec![], halves, rounded }
    }

    fn nodes(&mut self) {
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let value = Value(index as u32);
            let made = match &node.op {
                Op::Repeat(repeat) => self.repeat(value, node, repeat),
                Op::Get(number) if self.of_loops.contains_key(&node.inputs[0]) => {
                    let dtype = if self.is_half(value) { self.half } else { node.ty.dtype };
                    let (inputs, ty) =
                        (vec![self.made[node.inputs[0].index()]], Type::new(dtype, node.ty.shape.clone()));
                    self.out.push(Op::Get(*number), inputs, ty, node.origin.clone())
                }
                Op::Input(number) if self.arguments[*number] => {
                    let ty = Type::new(self.half, node.ty.shape.clone());
                    self.out.arguments[*number].ty = ty.clone();
                    self.out.push(node.op.clone(), vec![], ty, node.origin.clone())
                }
                _ => {
                    let inputs = node.inputs.iter().map(|v| self.operand(node, *v)).collect();
                    let op = match &node.op {
                        Op::Attention(of) => Op::Attention(Attention { half: Some(self.half), ..*of }),
                        op => op.clone(),
                    };
                    self.out.push(op, inputs, node.ty.clone(), node.origin.clone())
                }
            };
            self.made.push(made);
            if self.out.dtype(made) == self.half && node.ty.dtype == DType::F32 {
                self.halves.insert(value, made);
            }
        }
    }

    /// Results as halves where `is_half` says so, all else in the type that it had.
    fn outputs(&mut self, is_half: impl Fn(usize) -> bool) {
        for output in &self.graph.outputs {
            let value = match output.role {
                Role::Result(number) if is_half(number) => self.as_half(output.value),
                _ => self.seen(output.value),
            };
            self.out.outputs.push(Output { role: output.role.clone(), value });
        }
    }

    /// A value as the node takes it.
    fn operand(&mut self, node: &Node, value: Value) -> Value {
        let (caller, other) = (node.origin.caller, self.graph.node(value));
        if other.ty.dtype != DType::F32 {
            return self.made[value.index()];
        }
        let of_halves = caller.is_whole() && caller.autocast == Autocast::Half;
        let is_product = node.op.primitive().class == Class::Tile && (of_halves || !caller.is_whole());
        let is_inner = caller.is_whole() && other.origin.caller == caller && !is_of_loops(self.graph, other);
        match is_inner {
            _ if is_product => self.through_half(value),
            true => self.made[value.index()],
            false if of_halves => self.through_half(value),
            false => self.seen(value),
        }
    }

    /// A value as all see it that do not take part in the call that makes it.
    fn seen(&mut self, value: Value) -> Value {
        if self.is_half(value) { self.through_half(value) } else { self.made[value.index()] }
    }

    fn through_half(&mut self, value: Value) -> Value {
        if let Some(&known) = self.rounded.get(&value) {
            return known;
        }
        let half = self.as_half(value);
        let (shape, origin) = (self.out.shape(half).to_vec(), self.graph.node(value).origin.clone());
        let wide = self.out.push(Op::Cast, vec![half], Type::new(DType::F32, shape), origin);
        self.rounded.insert(value, wide);
        wide
    }

    fn as_half(&mut self, value: Value) -> Value {
        if let Some(&known) = self.halves.get(&value) {
            return known;
        }
        let (made, node) = (self.made[value.index()], self.graph.node(value));
        let ty = Type::new(self.half, node.ty.shape.clone());
        let half = self.out.push(Op::Cast, vec![made], ty, node.origin.clone());
        self.halves.insert(value, half);
        half
    }

    /// Whether others see the value as a half.
    fn is_half(&mut self, value: Value) -> bool {
        let (graph, node) = (self.graph, self.graph.node(value));
        if node.ty.dtype != DType::F32 {
            return false;
        }
        match &node.op {
            Op::Input(number) => self.arguments[*number],
            Op::Get(number) if self.of_loops.contains_key(&node.inputs[0]) => self.of_loops[&node.inputs[0]][*number],
            _ if is_of_loops(graph, node) => false,
            _ if node.origin.caller.is_whole() => self.call_is_half(node.origin.caller.number),
            // A view that nobody called for is what it shows.
            op if op.primitive().class == Class::View => match node.inputs[..] {
                [shown] if graph.dtype(shown) == DType::F32 => self.is_half(shown),
                _ => false,
            },
            _ => false,
        }
    }

    fn call_is_half(&mut self, number: u32) -> bool {
        let Some(call) = self.calls.get_mut(&number) else { return false };
        if let Some(known) = call.is_half {
            return known;
        }
        // Whoever asks for it on the way comes before it.
        call.is_half = Some(false);
        let (autocast, mut operands) = (call.autocast, call.operands.clone());
        let graph = self.graph;
        let is_given = |v: &Value| graph.node(*v).op.parameter().is_some() || graph.node(*v).op.state().is_some();
        if autocast == Autocast::Input {
            operands.retain(|v| !is_given(v));
        }
        // As in PyTorch, a scalar has no say where others have.
        if operands.iter().any(|v| !graph.shape(*v).is_empty()) {
            operands.retain(|v| !graph.shape(*v).is_empty());
        }
        let is_half = match autocast {
            Autocast::Half => true,
            Autocast::Single => false,
            Autocast::Follow | Autocast::Input | Autocast::Inner => {
                !operands.is_empty() && operands.into_iter().all(|v| self.is_half(v))
            }
        };
        if let Some(call) = self.calls.get_mut(&number) {
            call.is_half = Some(is_half);
        }
        is_half
    }

    /// A loop: what goes round is a half if it begins as one, or as the same number everywhere, and every round makes one of it.
    fn repeat(&mut self, value: Value, node: &Node, repeat: &Repeat) -> Value {
        let mut arguments: Vec<bool> = node.inputs.iter().map(|v| self.is_half(*v)).collect();
        for (argument, v) in arguments.iter_mut().zip(&node.inputs).take(repeat.states) {
            *argument |= self.graph.dtype(*v) == DType::F32 && self.graph.as_number(*v).is_some();
        }
        let (body, mut halves) = loop {
            let (body, halves) = body(&repeat.body, self.half, repeat.states, &arguments);
            let Some(wide) = (0..repeat.states).find(|&state| arguments[state] && !halves[state]) else {
                break (body, halves);
            };
            arguments[wide] = false;
        };
        halves[..repeat.states].copy_from_slice(&arguments[..repeat.states]);
        let operand = |(v, half): (&Value, &bool)| if *half { self.as_half(*v) } else { self.seen(*v) };
        let mut inputs: Vec<Value> = node.inputs.iter().zip(&arguments).map(operand).collect();
        let mut repeat = Repeat { body, ..repeat.clone() };
        self.share_halves(&mut repeat, node, &mut inputs);
        let ty = repeat.types().first().cloned().unwrap_or_else(|| node.ty.clone());
        self.of_loops.insert(value, halves);
        self.out.push(Op::Repeat(Box::new(repeat)), inputs, ty, node.origin.clone())
    }

    /// What every round would round anew is rounded once, outside.
    fn share_halves(&mut self, repeat: &mut Repeat, node: &Node, inputs: &mut Vec<Value>) {
        let shared = repeat.states..repeat.states + repeat.shared;
        for index in 0..repeat.body.nodes.len() {
            let inner = repeat.body.nodes[index].clone();
            let (Op::Cast, true) = (&inner.op, inner.ty.dtype == self.half) else { continue };
            let Op::Input(number) = repeat.body.node(inner.inputs[0]).op else { continue };
            if shared.contains(&number) {
                let argument = Argument { name: inner.origin.name.clone(), ty: inner.ty.clone(), below: vec![] };
                let number = repeat.share(inputs, argument, self.as_half(node.inputs[number]));
                repeat.body.nodes[index] = Node { op: Op::Input(number), inputs: vec![], ..inner };
            }
        }
    }
}
