//! The gradient of a loop: the loop in the other direction, over what the rounds kept.

use super::{NoRule, Pass, made_of_parameters, reaches_sources};
use crate::builder::Parameters;
use crate::decompose::{Has, decompose};
use crate::graph::{Argument, Border, Graph, Node, Op, Origin, Output, Repeat, Role, Value};
use crate::number::Number;
use crate::optimise::{optimise_between_gradients, without_dead_code};
use crate::primitives::Class;
use crate::recompute::recompute;
use crate::scalar::Binary;
use crate::types::Type;
use rustc_hash::FxHashMap;

impl Pass<'_> {
    /// `results`: what has arrived at the loop's results, by their number.
    pub(super) fn repeat(
        &mut self,
        node: &Node,
        value: Value,
        repeat: &Repeat,
        results: &[(usize, Value)],
    ) -> Result<(), NoRule> {
        let wanted = |i: usize| self.needed[node.inputs[i].index()];
        let carried = carried(repeat, self.updated, &wanted);
        let of_parameters = |i: usize| repeat.is_shared(i) && self.of_parameters[node.inputs[i].index()];
        let joint = Joint::new(node, repeat, (self.updated, self.has), &carried, (&wanted, &of_parameters), results)?;
        let reads = Reads::new(repeat, &joint);
        let mut stacks = self.keep(value, repeat, &joint, &reads).into_iter();

        // States: the cotangents of the states, then sums over the rounds for what every round saw.
        let has_gradient = |i: &usize| joint.gradient_of(*i).is_some();
        let first_row = repeat.states + repeat.shared;
        let states: Vec<usize> = (0..repeat.states).filter(|&i| carried[i]).collect();
        let sums: Vec<usize> = (repeat.states..first_row).filter(has_gradient).collect();
        let rows: Vec<usize> = (first_row..node.inputs.len()).filter(has_gradient).collect();
        let mut operands = vec![];
        for &state in &states {
            let arrived = self.arrived(results, state);
            operands.push(arrived.unwrap_or_else(|| self.b.full(0.0, node.inputs[state])));
        }
        for &i in &sums {
            let zero = self.b.constant(0.0, joint.type_of_gradient(i).dtype);
            operands.push(self.b.broadcast_to(zero, &self.b.shape(node.inputs[i])));
        }
        operands.extend(reads.shared.iter().map(|&i| node.inputs[i]));
        for row in &reads.rows {
            operands.extend(match row {
                Row::Operand(i) => Some(node.inputs[*i]),
                Row::Kept(_) => stacks.next(),
                Row::Cotangent(i) => self.arrived(results, *i),
            });
        }
        let body = joint.backward(repeat, &reads, &states, &sums, &rows);
        let (count, reverse, shared) = (repeat.count.clone(), !repeat.reverse, reads.shared.len());
        let (carried, border) = (states.len() + sums.len(), Border::default());
        let other_way = Repeat { count, reverse, states: carried, shared, body, border };
        let ty = operands.first().map_or(Type::new(node.ty.dtype, vec![]), |v| self.b.ty(*v).clone());
        let other_way = self.b.push(Op::Repeat(Box::new(other_way)), operands, ty);
        for (result, operand) in states.into_iter().chain(sums).chain(rows).enumerate() {
            if self.needed[node.inputs[operand].index()] {
                let (dtype, shape) = (joint.type_of_gradient(operand).dtype, self.b.shape(node.inputs[operand]));
                let g = self.b.push(Op::Get(result), vec![other_way], Type::new(dtype, shape));
                self.add(node, operand, g);
            }
        }
        Ok(())
    }

    /// The sum of what has arrived at a result.
    pub(super) fn arrived(&mut self, results: &[(usize, Value)], result: usize) -> Option<Value> {
        let all: Vec<Value> = results.iter().filter(|(i, _)| *i == result).map(|(_, g)| *g).collect();
        all.into_iter().reduce(|a, b| self.b.pointwise(Binary::Add, a, b))
    }

    /// Lets the forward loop stack what the backward loop reads of its rounds; returns the stacks.
    fn keep(&mut self, value: Value, repeat: &Repeat, joint: &Joint, reads: &Reads) -> Vec<Value> {
        let (body, map) = joint.forward_body(repeat);
        let mut forward = Repeat { body, ..repeat.clone() };
        let kept = reads.rows.iter().filter_map(Row::kept).map(|kept| (map[&kept], joint.graph.ty(kept).clone()));
        let stacks: Vec<(usize, Type)> = kept.map(|(kept, ty)| (forward.stack(kept), ty)).collect();
        self.b.graph.nodes[value.index()].op = Op::Repeat(Box::new(forward));
        let stack = |(number, mut ty): (usize, Type)| {
            ty.shape.insert(0, repeat.count.clone());
            self.b.push(Op::Get(number), vec![value], ty)
        };
        stacks.into_iter().map(stack).collect()
    }
}

/// Where gradients in a body are taken: at its parameters, and at the arguments that want one.
fn is_source(node: &Node, updated: &dyn Fn(usize) -> bool, wants: &dyn Fn(usize) -> bool) -> bool {
    match node.op {
        Op::RoundParameter { first, .. } => updated(first),
        Op::Input(number) => wants(number),
        _ => false,
    }
}

/// Which states a gradient flows through, to the operands that want one or to a parameter.
fn carried(repeat: &Repeat, updated: &dyn Fn(usize) -> bool, wanted: &dyn Fn(usize) -> bool) -> Vec<bool> {
    let body = &repeat.body;
    let float = |i: usize| body.arguments[i].ty.dtype.is_float();
    let mut carried: Vec<bool> = (0..repeat.states).map(|i| float(i) && wanted(i)).collect();
    loop {
        let wants = |i: usize| carried.get(i).copied().unwrap_or_else(|| wanted(i));
        let needed = reaches_sources(body, &|_, node| is_source(node, updated, &wants), updated);
        let more = |i: &usize| !carried[*i] && float(*i) && needed[body.outputs[*i].value.index()];
        let more: Vec<usize> = (0..repeat.states).filter(more).collect();
        if more.is_empty() {
            return carried;
        }
        more.into_iter().for_each(|i| carried[i] = true);
    }
}

/// The body with its gradient behind it, simplified, and with what the gradient makes again instead of reading it.
struct Joint {
    graph: Graph,
    /// For each node, whether the body itself needs it, or it is a result of a loop in the body.
    forward: Vec<bool>,
    /// How many outputs are the body's own; the gradients of its arguments and of its parameters follow.
    own: usize,
    /// Cotangent arguments: result of the body, number of the argument.
    seeds: Vec<(usize, usize)>,
}

impl Joint {
    fn new(
        node: &Node,
        repeat: &Repeat,
        (updated, has): (&dyn Fn(usize) -> bool, Has),
        carried: &[bool],
        (wanted, of_parameters): (&dyn Fn(usize) -> bool, &dyn Fn(usize) -> bool),
        results: &[(usize, Value)],
    ) -> Result<Joint, NoRule> {
        let mut none = Parameters::default();
        let wants = |i: usize| carried.get(i).copied().unwrap_or_else(|| wanted(i));
        let source = |_: Value, node: &Node| is_source(node, updated, &wants);
        let mut pass = Pass::new(repeat.body.clone(), &mut none, updated, has, &source);
        pass.of_parameters = made_of_parameters(&repeat.body, of_parameters);
        let mut seeds = vec![];
        for (result, output) in repeat.body.outputs.iter().enumerate() {
            let arrives = match carried.get(result) {
                Some(carried) => *carried,
                None => results.iter().any(|(i, _)| *i == result),
            };
            if arrives && matches!(output.role, Role::Result(_)) {
                let ty = pass.b.ty(output.value).clone();
                seeds.push((result, pass.b.graph.arguments.len()));
                let seed = pass.b.argument("cotangent", ty);
                pass.adjoints[output.value.index()].push(seed);
            }
        }
        pass.sweep(Value(repeat.body.nodes.len() as u32 - 1))?;
        let gradients = pass.of_parameters();
        let in_several_rounds = |role: &Role| matches!(role, Role::RoundGradient { steps, .. } if steps.contains(&0));
        if gradients.iter().any(|o| in_several_rounds(&o.role)) {
            return Err(NoRule::of(node));
        }
        let argument = |(node, g): (&Value, &Value)| match pass.b.graph.node(*node).op {
            Op::Input(number) => Some((number, *g)),
            _ => None,
        };
        let mut arguments: Vec<(usize, Value)> = pass.found.iter().filter_map(argument).collect();
        arguments.sort();
        let mut graph = pass.b.graph;
        let own = graph.outputs.len();
        graph.outputs.extend(arguments.into_iter().map(|(i, value)| Output { role: Role::Gradient(i), value }));
        graph.outputs.extend(gradients);
        // What may be differentiated again keeps a gradient of its own kind.
        let graph = decompose(&graph, &|op| has(op) || matches!(op, Op::Resample { .. }))?;
        let graph = optimise_between_gradients(&graph);
        let graph = without_dead_code(&recompute(&graph));
        let mut forward = vec![false; graph.nodes.len()];
        graph.outputs[..own].iter().for_each(|o| forward[o.value.index()] = true);
        for index in (0..graph.nodes.len()).rev() {
            if forward[index] {
                graph.nodes[index].inputs.iter().for_each(|v| forward[v.index()] = true);
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            forward[index] |= matches!(node.op, Op::Get(_)) && forward[node.inputs[0].index()];
        }
        Ok(Joint { graph, forward, own, seeds })
    }

    /// The gradient of an argument of the body.
    fn gradient_of(&self, argument: usize) -> Option<Value> {
        let mut gradients = self.graph.outputs[self.own..].iter();
        gradients.find(|o| o.role == Role::Gradient(argument)).map(|o| o.value)
    }

    /// The type of that, or of the argument if it has none.
    fn type_of_gradient(&self, argument: usize) -> &Type {
        self.gradient_of(argument).map_or(&self.graph.arguments[argument].ty, |g| self.graph.ty(g))
    }

    /// The body alone, and where its values stand there.
    fn forward_body(&self, repeat: &Repeat) -> (Graph, FxHashMap<Value, Value>) {
        let mut body = Graph { arguments: repeat.body.arguments.clone(), ..Graph::new(&*repeat.body.name) };
        let mut map = FxHashMap::default();
        for (index, node) in self.graph.nodes.iter().enumerate().filter(|(i, _)| self.forward[*i]) {
            let mut node = node.clone();
            node.inputs.iter_mut().for_each(|v| *v = map[v]);
            map.insert(Value(index as u32), Value(body.nodes.len() as u32));
            body.nodes.push(node);
        }
        let output = |o: &Output| Output { role: o.role.clone(), value: map[&o.value] };
        body.outputs = self.graph.outputs[..self.own].iter().map(output).collect();
        (body, map)
    }

    /// The body of the backward loop.
    fn backward(&self, repeat: &Repeat, reads: &Reads, states: &[usize], sums: &[usize], rows: &[usize]) -> Graph {
        let mut out = Graph::new(format!("{} backward", repeat.body.name));
        // What the body reads as its arguments: by the number of an argument of the joint, or by the value that was kept.
        let (mut arguments, mut map): (FxHashMap<usize, Value>, FxHashMap<Value, Value>) = Default::default();
        let seed_of = |result: usize| self.seeds.iter().find(|(r, _)| *r == result).map(|(_, argument)| *argument);
        let declared = |i: usize| &self.graph.arguments[i];
        for &state in states {
            let value = argument(&mut out, "cotangent", &declared(state).ty);
            arguments.extend(seed_of(state).map(|seed| (seed, value)));
        }
        let partial: Vec<Value> = sums.iter().map(|&i| argument(&mut out, "sum", self.type_of_gradient(i))).collect();
        for &i in &reads.shared {
            arguments.insert(i, argument(&mut out, &declared(i).name, &declared(i).ty));
        }
        for row in &reads.rows {
            let number = match row {
                Row::Kept(value) => {
                    let node = self.graph.node(*value);
                    map.insert(*value, argument(&mut out, &node.origin.name, &node.ty));
                    continue;
                }
                Row::Operand(i) => Some(*i),
                Row::Cotangent(result) => seed_of(*result),
            };
            if let Some(number) = number {
                arguments.insert(number, argument(&mut out, &declared(number).name, &declared(number).ty));
            }
        }
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let value = Value(index as u32);
            match node.op {
                _ if map.contains_key(&value) => {}
                Op::Input(i) => map.extend(arguments.get(&i).map(|known| (value, *known))),
                _ if self.forward[index] && !reads.again.contains(&value) => {}
                _ => {
                    let inputs = node.inputs.iter().map(|v| map[v]).collect();
                    map.insert(value, out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone()));
                }
            }
        }
        for &state in states {
            let value = match self.gradient_of(state) {
                Some(g) => map[&g],
                // Nothing flows on through this state.
                None => zeros(&mut out, &declared(state).ty),
            };
            result(&mut out, value);
        }
        for (&i, &before) in sums.iter().zip(&partial) {
            let Some(g) = self.gradient_of(i) else { continue };
            let ty = self.type_of_gradient(i).clone();
            let total = out.push(Op::Binary(Binary::Add), vec![before, map[&g]], ty, Origin::default());
            result(&mut out, total);
        }
        for g in rows.iter().filter_map(|&i| self.gradient_of(i)) {
            result(&mut out, map[&g]);
        }
        for output in self.graph.outputs[self.own..].iter().filter(|o| !matches!(o.role, Role::Gradient(_))) {
            out.outputs.push(Output { role: output.role.clone(), value: map[&output.value] });
        }
        out
    }
}

/// What the rows of the backward loop's stacks are.
enum Row {
    /// Of an operand of the forward loop.
    Operand(usize),
    /// Of a value that the forward loop keeps.
    Kept(Value),
    /// Of what arrived at a stacked result.
    Cotangent(usize),
}

impl Row {
    fn kept(&self) -> Option<Value> {
        if let Row::Kept(value) = self { Some(*value) } else { None }
    }
}

/// What the backward loop's body reads of the forward one.
struct Reads {
    shared: Vec<usize>,
    rows: Vec<Row>,
    /// Forward values that it makes again: of nothing, or views of what it reads.
    again: Vec<Value>,
}

impl Reads {
    fn new(repeat: &Repeat, joint: &Joint) -> Reads {
        let graph = &joint.graph;
        let backward = graph.nodes.iter().enumerate().filter(|(i, _)| !joint.forward[*i]);
        let mut open: Vec<Value> = backward.flat_map(|(_, n)| n.inputs.iter().copied()).collect();
        open.extend(graph.outputs[joint.own..].iter().map(|o| o.value));
        open.retain(|v| joint.forward[v.index()]);
        let mut seen = vec![false; graph.nodes.len()];
        let mut values = vec![];
        while let Some(value) = open.pop() {
            if std::mem::replace(&mut seen[value.index()], true) {
                continue;
            }
            values.push(value);
            if repeats_itself(graph, value) {
                open.extend(&graph.node(value).inputs);
            }
        }
        values.sort();
        let mut reads = Reads { shared: vec![], rows: vec![], again: vec![] };
        for value in values {
            match graph.node(value).op {
                Op::Input(i) if i < repeat.states => reads.rows.push(Row::Kept(value)),
                Op::Input(i) if i < repeat.states + repeat.shared => reads.shared.push(i),
                Op::Input(i) => reads.rows.push(Row::Operand(i)),
                _ if repeats_itself(graph, value) => reads.again.push(value),
                _ => reads.rows.push(Row::Kept(value)),
            }
        }
        let stacked = joint.seeds.iter().filter(|(i, _)| *i >= repeat.states);
        reads.rows.extend(stacked.map(|(i, _)| Row::Cotangent(*i)));
        reads
    }
}

/// Parameters, what is made of nothing (in each round the same random numbers), and views: had again in the backward round.
fn repeats_itself(graph: &Graph, value: Value) -> bool {
    let op = &graph.node(value).op;
    let is_view = op.primitive().class == Class::View && *op != Op::After;
    is_view || op.primitive().class == Class::Free || op.parameter().is_some()
}

fn argument(out: &mut Graph, name: &str, ty: &Type) -> Value {
    out.arguments.push(Argument { name: name.into(), ty: ty.clone(), below: vec![] });
    let number = out.arguments.len() - 1;
    out.push(Op::Input(number), vec![], ty.clone(), Origin { name: name.into(), ..Origin::default() })
}

fn result(out: &mut Graph, value: Value) {
    let role = Role::Result(out.outputs.len());
    out.outputs.push(Output { role, value });
}

fn zeros(out: &mut Graph, ty: &Type) -> Value {
    let zero =
        out.push(Op::Const(Number::from(0.0).to(ty.dtype)), vec![], Type::new(ty.dtype, vec![]), Origin::default());
    out.push(Op::Broadcast, vec![zero], ty.clone(), Origin::default())
}
