//! The gradient of a loop: the loop in the other direction, over what the rounds kept.

use std::collections::HashMap;

use super::{NoRule, Pass};
use crate::builder::Parameters;
use crate::graph::{Argument, Graph, Node, Op, Origin, Output, Repeat, Role, Value};
use crate::scalar::Binary;
use crate::types::Type;

impl Pass<'_> {
    /// `results`: what has arrived at the loop's results, by their number.
    pub(super) fn repeat(
        &mut self,
        node: &Node,
        value: Value,
        repeat: &Repeat,
        results: &[(usize, Value)],
    ) -> Result<(), NoRule> {
        let wanted = |i: usize| i < repeat.states || self.needed[node.inputs[i].index()];
        let joint = Joint::new(repeat, self.updated, &wanted, results)?;
        let back = Backward::new(repeat, &joint);
        let kept: Vec<Value> = back.rows.iter().filter_map(Row::kept).collect();
        let mut stacks = self.stack_results(value, repeat, &kept).into_iter();

        // States: the cotangents of the states, then sums over the rounds for what every round saw.
        let has_gradient = |i: &usize| joint.arguments.contains_key(i);
        let first_row = repeat.states + repeat.shared;
        let sums: Vec<usize> = (repeat.states..first_row).filter(has_gradient).collect();
        let rows: Vec<usize> = (first_row..node.inputs.len()).filter(has_gradient).collect();
        let mut operands = vec![];
        for state in 0..repeat.states {
            let arrived = self.arrived(results, state);
            operands.push(arrived.unwrap_or_else(|| self.b.full(0.0, node.inputs[state])));
        }
        operands.extend(sums.iter().map(|&i| self.b.full(0.0, node.inputs[i])));
        operands.extend(back.shared.iter().map(|&i| node.inputs[i]));
        for row in &back.rows {
            operands.extend(match row {
                Row::Operand(i) => Some(node.inputs[*i]),
                Row::Kept(_) => stacks.next(),
                Row::Cotangent(i) => self.arrived(results, *i),
            });
        }
        let body = back.body(repeat, &joint, &sums, &rows);
        let (count, reverse) = (repeat.count.clone(), !repeat.reverse);
        let other_way = Repeat { count, reverse, states: repeat.states + sums.len(), shared: back.shared.len(), body };
        let ty = self.b.ty(operands[0]).clone();
        let other_way = self.b.push(Op::Repeat(Box::new(other_way)), operands, ty);
        for (result, operand) in (0..repeat.states).chain(sums).chain(rows).enumerate() {
            if self.needed[node.inputs[operand].index()] {
                let ty = self.b.ty(node.inputs[operand]).clone();
                let g = self.b.push(Op::Get(result), vec![other_way], ty);
                self.add(node, operand, g);
            }
        }
        Ok(())
    }

    /// The sum of what has arrived at a result.
    fn arrived(&mut self, results: &[(usize, Value)], result: usize) -> Option<Value> {
        let all: Vec<Value> = results.iter().filter(|(i, _)| *i == result).map(|(_, g)| *g).collect();
        all.into_iter().reduce(|a, b| self.b.pointwise(Binary::Add, a, b))
    }

    /// Lets the forward loop stack these values of its rounds; returns the stacks.
    fn stack_results(&mut self, value: Value, repeat: &Repeat, kept: &[Value]) -> Vec<Value> {
        let before = repeat.body.outputs.iter().filter(|o| matches!(o.role, Role::Result(_))).count();
        let Op::Repeat(forward) = &mut self.b.graph.nodes[value.index()].op else { return vec![] };
        for (i, &value) in kept.iter().enumerate() {
            forward.body.outputs.insert(before + i, Output { role: Role::Result(before + i), value });
        }
        let stack = |(i, v): (usize, &Value)| {
            let mut ty = repeat.body.ty(*v).clone();
            ty.shape.insert(0, repeat.count.clone());
            self.b.push(Op::Get(before + i), vec![value], ty)
        };
        kept.iter().enumerate().map(stack).collect()
    }
}

/// The body with its gradient behind it.
struct Joint {
    graph: Graph,
    /// Nodes of the body itself.
    forward: usize,
    /// Gradients of its arguments.
    arguments: HashMap<usize, Value>,
    gradients: Vec<Output>,
    /// Cotangent arguments: result of the body, node.
    seeds: Vec<(usize, Value)>,
}

impl Joint {
    fn new(
        repeat: &Repeat,
        updated: &dyn Fn(usize) -> bool,
        wanted: &dyn Fn(usize) -> bool,
        results: &[(usize, Value)],
    ) -> Result<Joint, NoRule> {
        let mut none = Parameters::default();
        let forward = repeat.body.nodes.len();
        let mut pass = Pass::new(repeat.body.clone(), &mut none, updated, &|_, node| match node.op {
            Op::RoundParameter { first, .. } => updated(first),
            Op::Input(number) => wanted(number),
            _ => false,
        });
        let mut seeds = vec![];
        for (result, output) in repeat.body.outputs.iter().enumerate() {
            let arrives = result < repeat.states || results.iter().any(|(i, _)| *i == result);
            if arrives && matches!(output.role, Role::Result(_)) {
                let ty = pass.b.ty(output.value).clone();
                let seed = pass.b.argument("cotangent", ty);
                pass.adjoints[output.value.index()].push(seed);
                seeds.push((result, seed));
            }
        }
        pass.sweep(Value(forward as u32 - 1))?;
        let gradients = pass.of_parameters();
        let argument = |(node, g): (&Value, &Value)| match pass.b.graph.node(*node).op {
            Op::Input(number) => Some((number, *g)),
            _ => None,
        };
        let arguments = pass.found.iter().filter_map(argument).collect();
        Ok(Joint { forward, arguments, gradients, seeds, graph: pass.b.graph })
    }

    /// The body's argument number `i`, as a node.
    fn argument(&self, i: usize) -> Option<Value> {
        let at = self.graph.nodes[..self.forward].iter().position(|n| n.op == Op::Input(i));
        at.map(|at| Value(at as u32))
    }

    fn seed(&self, result: usize) -> Option<Value> {
        self.seeds.iter().find(|(i, _)| *i == result).map(|(_, v)| *v)
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

/// What the backward loop's body reads.
struct Backward {
    shared: Vec<usize>,
    rows: Vec<Row>,
}

impl Backward {
    fn new(repeat: &Repeat, joint: &Joint) -> Backward {
        let backward = &joint.graph.nodes[joint.forward..];
        let mut reads: Vec<Value> = backward.iter().flat_map(|n| n.inputs.iter().copied()).collect();
        reads.extend(joint.arguments.values().chain(joint.gradients.iter().map(|o| &o.value)));
        reads.retain(|v| v.index() < joint.forward);
        reads.sort();
        reads.dedup();
        let mut back = Backward { shared: vec![], rows: vec![] };
        for value in reads {
            match joint.graph.node(value).op {
                Op::Input(i) if i < repeat.states => back.rows.push(Row::Kept(value)),
                Op::Input(i) if i < repeat.states + repeat.shared => back.shared.push(i),
                Op::Input(i) => back.rows.push(Row::Operand(i)),
                _ if repeats_itself(&joint.graph, value) => {}
                _ => back.rows.push(Row::Kept(value)),
            }
        }
        let stacked = joint.seeds.iter().filter(|(i, _)| *i >= repeat.states);
        back.rows.extend(stacked.map(|(i, _)| Row::Cotangent(*i)));
        back
    }

    fn body(&self, repeat: &Repeat, joint: &Joint, sums: &[usize], rows: &[usize]) -> Graph {
        let mut out = Graph::new(format!("{} backward", repeat.body.name));
        let mut map: HashMap<Value, Value> = HashMap::new();
        let declared = |i: usize| &repeat.body.arguments[i];
        for state in 0..repeat.states {
            let value = argument(&mut out, "cotangent", &declared(state).ty);
            map.extend(joint.seed(state).map(|seed| (seed, value)));
        }
        let partial: Vec<Value> = sums.iter().map(|&i| argument(&mut out, "sum", &declared(i).ty)).collect();
        for &i in &self.shared {
            let value = argument(&mut out, &declared(i).name, &declared(i).ty);
            map.extend(joint.argument(i).map(|v| (v, value)));
        }
        for row in &self.rows {
            let known = match row {
                Row::Operand(i) => joint.argument(*i),
                Row::Kept(value) => Some(*value),
                Row::Cotangent(i) => joint.seed(*i),
            };
            let Some(known) = known else { continue };
            let node = joint.graph.node(known);
            map.insert(known, argument(&mut out, &node.origin.name, &node.ty));
        }
        for (index, node) in joint.graph.nodes.iter().enumerate() {
            let value = Value(index as u32);
            let wanted = index >= joint.forward || repeats_itself(&joint.graph, value);
            if map.contains_key(&value) || !wanted {
                continue;
            }
            let inputs = node.inputs.iter().map(|v| map[v]).collect();
            map.insert(value, out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone()));
        }
        for state in 0..repeat.states {
            let value = match joint.arguments.get(&state) {
                Some(g) => map[g],
                // Nothing flows on through this state.
                None => zeros(&mut out, &declared(state).ty),
            };
            result(&mut out, value);
        }
        for (&i, &before) in sums.iter().zip(&partial) {
            let operands = vec![before, map[&joint.arguments[&i]]];
            let total = out.push(Op::Binary(Binary::Add), operands, declared(i).ty.clone(), Origin::default());
            result(&mut out, total);
        }
        for i in rows {
            result(&mut out, map[&joint.arguments[i]]);
        }
        for gradient in &joint.gradients {
            out.outputs.push(Output { role: gradient.role.clone(), value: map[&gradient.value] });
        }
        out
    }
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
    let zero = out.push(Op::Const(0.0), vec![], Type::new(ty.dtype, vec![]), Origin::default());
    out.push(Op::Broadcast, vec![zero], ty.clone(), Origin::default())
}

/// Parameters of the round, and what is made of nothing: had again in the backward round.
fn repeats_itself(graph: &Graph, value: Value) -> bool {
    let node = graph.node(value);
    match node.op {
        Op::Const(_) | Op::Size(_) | Op::Iota(_) | Op::Parameter(_) | Op::RoundParameter { .. } => true,
        Op::Broadcast | Op::Reshape | Op::Permute(_) | Op::Slice { .. } => repeats_itself(graph, node.inputs[0]),
        _ => false,
    }
}
