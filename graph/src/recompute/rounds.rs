//! The same for loops: what the rounds of a loop stack for the loop that goes back is a minimum cut of its body; the rounds that go back make
//! the rest again.

use super::cut::{SIZE, minimum};
use super::is_view;
use super::replay::Replay;
use crate::graph::{Argument, Graph, Op, Origin, Output, Repeat, Role, Value};
use crate::types::Type;
use rustc_hash::FxHashMap;

/// The graph with less on the stacks between each loop and the one that goes back over its rounds.
pub(super) fn recompute(graph: &Graph) -> Graph {
    let pairs = (0..graph.nodes.len()).filter(|&back| Pair::of(graph, back, true).is_some()).count();
    let mut graph = graph.clone();
    // States that are made again lie there when their own way back begins: that spares room if other loops have theirs.
    while let Some(next) = sparing(&graph, pairs > 1) {
        graph = next;
    }
    graph
}

/// The graph with one more pair of loops that keeps less.
fn sparing(graph: &Graph, replays: bool) -> Option<Graph> {
    let mut pairs = (0..graph.nodes.len()).filter_map(|back| Pair::of(graph, back, replays));
    pairs.find_map(|pair| {
        let kept = pair.kept();
        pair.spares(&kept).then(|| pair.rewrite(&kept))
    })
}

/// A loop and the one that goes back over its rounds.
pub(super) struct Pair<'g> {
    pub graph: &'g Graph,
    pub there: usize,
    pub back: usize,
    pub forward: &'g Repeat,
    pub backward: &'g Repeat,
    /// Rows that the way back reads of what the other one stacks: number of the operand, of the result, the value in the body.
    pub rows: Vec<(usize, usize, Value)>,
    /// Whether states may be made again.
    replays: bool,
}

impl<'g> Pair<'g> {
    pub fn of(graph: &'g Graph, back: usize, replays: bool) -> Option<Pair<'g>> {
        let Op::Repeat(backward) = &graph.nodes[back].op else { return None };
        let inputs = &graph.nodes[back].inputs;
        let first_row = backward.states + backward.shared;
        let stack = |operand: usize| match graph.node(inputs[operand]).op {
            Op::Get(result) => {
                let from = graph.node(inputs[operand]).inputs[0];
                matches!(graph.node(from).op, Op::Repeat(_)).then(|| (from.index(), result))
            }
            _ => None,
        };
        let there = (first_row..inputs.len()).find_map(|i| stack(i).map(|(there, _)| there))?;
        let Op::Repeat(forward) = &graph.nodes[there].op else { return None };
        if forward.count != backward.count || forward.reverse == backward.reverse {
            return None;
        }
        let uses = graph.use_counts();
        let mut readers: FxHashMap<usize, usize> = FxHashMap::default();
        for (node, uses) in graph.nodes.iter().zip(uses) {
            match node.op {
                Op::Get(result) if node.inputs[0].index() == there => *readers.entry(result).or_default() += uses,
                _ => {}
            }
        }
        let rows = (first_row..inputs.len()).filter_map(|operand| {
            let (of, result) = stack(operand)?;
            let mine = of == there && result >= forward.states && readers[&result] == 1;
            mine.then(|| (operand, result, forward.body.outputs[result].value))
        });
        let rows: Vec<_> = rows.collect();
        (!rows.is_empty()).then_some(Pair { graph, there, back, forward, backward, rows, replays })
    }

    /// Elements of a value of the body; 0 for what the rounds that go back can read where it lies.
    fn cost(&self, index: usize) -> i64 {
        let node = &self.forward.body.nodes[index];
        match &node.op {
            Op::Input(number) if *number >= self.forward.states => 0,
            Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } => 0,
            op if is_view(op) => i64::MAX / 4,
            _ => node.ty.len().eval(&|_| SIZE).max(1),
        }
    }

    fn kept(&self) -> Vec<Value> {
        let read = |value: Value| self.rows.iter().any(|(_, _, v)| *v == value);
        let cost = |index: usize| self.cost(index);
        let kept = minimum(&self.forward.body, &|_| true, &read, &cost);
        (0..kept.len()).filter(|&i| kept[i]).map(|i| Value(i as u32)).collect()
    }

    fn spares(&self, kept: &[Value]) -> bool {
        let sum =
            |values: &mut dyn Iterator<Item = Value>| values.map(|v| self.cost(v.index())).fold(0, i64::saturating_add);
        let random = self.forward.body.nodes.iter().any(|n| matches!(n.op, Op::Random(_)));
        let less = || sum(&mut kept.iter().copied()) < sum(&mut self.rows.iter().map(|(_, _, v)| *v));
        !random && (less() || self.replay_of(kept).is_some())
    }

    fn rewrite(&self, kept: &[Value]) -> Graph {
        let replay = self.replay_of(kept);
        let (backward, operands) = self.going_back(kept);
        let is_replayed = |value: &Value| match self.forward.body.node(*value).op {
            Op::Input(number) => replay.as_ref().is_some_and(|r| r.states.contains(&number)),
            _ => false,
        };
        let kept: Vec<Value> = kept.iter().copied().filter(|value| !is_replayed(value)).collect();
        let (forward, numbers) = self.stacking(&kept);
        let mut out = self.graph.head();
        let mut map: Vec<Value> = vec![];
        let mut stacks = FxHashMap::default();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let mut op = node.op.clone();
            let mut inputs: Vec<Value> = node.inputs.iter().map(|v| map[v.index()]).collect();
            match &op {
                Op::Get(result) if node.inputs[0].index() == self.there => match numbers.old.get(result) {
                    Some(&number) => op = Op::Get(number),
                    None => {
                        // Only the way back read it.
                        map.push(map[self.there]);
                        continue;
                    }
                },
                _ if index == self.there => op = Op::Repeat(Box::new(forward.clone())),
                _ if index == self.back => {
                    if let Some(replay) = &replay {
                        self.replay(replay, &mut out, &map, inputs[0], &mut stacks);
                    }
                    let operand = |o: &Operand| match o {
                        Operand::AsBefore(i) => inputs[*i],
                        Operand::Forward(i) => map[self.graph.nodes[self.there].inputs[*i].index()],
                        Operand::Stack(value) => stacks[value],
                    };
                    inputs = operands.iter().map(operand).collect();
                    op = Op::Repeat(Box::new(backward.clone()));
                }
                _ => {}
            }
            map.push(out.push(op, inputs, node.ty.clone(), node.origin.clone()));
            if index == self.there {
                for (&value, &number) in kept.iter().zip(&numbers.kept) {
                    let Some(number) = number else { continue };
                    let mut ty = self.forward.body.ty(value).clone();
                    ty.shape.insert(0, self.forward.count.clone());
                    let origin = self.forward.body.node(value).origin.clone();
                    stacks.insert(value, out.push(Op::Get(number), vec![map[index]], ty, origin));
                }
            }
        }
        out.outputs = self.graph.outputs.iter().map(|o| Output { value: map[o.value.index()], ..o.clone() }).collect();
        out
    }

    /// A scan has many short rounds: to go through them again costs more than a state.
    fn replay_of(&self, kept: &[Value]) -> Option<Replay> {
        let is_scan = self.forward.count.as_const().is_none();
        // A loop that makes states again already would be replaced by itself, without end.
        let mut first = self.graph.nodes[self.there].inputs[..self.forward.states].iter();
        let is_replay = first.any(|v| matches!(self.graph.node(*v).op, Op::After));
        if self.replays && !is_scan && !is_replay { Replay::of(self.forward, kept) } else { None }
    }

    /// Puts a loop that makes states again into the graph, once the first gradient of the way back is there; its stacks are those of the
    /// states.
    fn replay(
        &self,
        replay: &Replay,
        out: &mut Graph,
        map: &[Value],
        gradient: Value,
        stacks: &mut FxHashMap<Value, Value>,
    ) {
        let node = &self.graph.nodes[self.there];
        let from = |number: &usize| map[node.inputs[*number].index()];
        let mut operands: Vec<Value> = vec![];
        for first in replay.states.iter().map(from) {
            let (ty, origin) = (out.ty(first).clone(), out.node(first).origin.clone());
            operands.push(out.push(Op::After, vec![first, gradient], ty, origin));
        }
        operands.extend(replay.given.iter().map(from));
        operands.extend(replay.kept.iter().map(|value| stacks[value]));
        let again =
            out.push(Op::Repeat(Box::new(replay.repeat.clone())), operands, node.ty.clone(), node.origin.clone());
        for (number, state) in replay.states.iter().enumerate() {
            let value = self.forward.body.nodes.iter().position(|n| n.op == Op::Input(*state));
            let Some(value) = value.map(|index| Value(index as u32)) else { continue };
            let mut ty = self.forward.body.ty(value).clone();
            ty.shape.insert(0, self.forward.count.clone());
            let origin = self.forward.body.node(value).origin.clone();
            let result = Op::Get(replay.states.len() + number);
            stacks.insert(value, out.push(result, vec![again], ty, origin));
        }
    }

    /// Whether the rounds that go back read the value where it lies.
    fn lies_there(&self, value: Value) -> bool {
        self.cost(value.index()) == 0
    }

    /// The loop with what is kept on its stacks, and the new numbers of its results.
    fn stacking(&self, kept: &[Value]) -> (Repeat, Numbers) {
        let (mut forward, mut numbers) = (self.forward.clone(), Numbers::default());
        let outputs = std::mem::take(&mut forward.body.outputs);
        let is_result = |o: &&Output| matches!(o.role, Role::Result(_));
        let mut results: Vec<Value> = vec![];
        for (number, output) in outputs.iter().filter(is_result).enumerate() {
            if !self.rows.iter().any(|(_, result, _)| *result == number) {
                numbers.old.insert(number, results.len());
                results.push(output.value);
            }
        }
        for &value in kept {
            numbers.kept.push((!self.lies_there(value)).then_some(results.len()));
            if !self.lies_there(value) {
                results.push(value);
            }
        }
        let result = |(number, value): (usize, Value)| Output { role: Role::Result(number), value };
        forward.body.outputs = results.into_iter().enumerate().map(result).collect();
        forward.body.outputs.extend(outputs.iter().filter(|o| !is_result(o)).cloned());
        (forward, numbers)
    }

    /// The loop that goes back, which makes the rest again, and its operands.
    fn going_back(&self, kept: &[Value]) -> (Repeat, Vec<Operand>) {
        let (old, first_row) = (self.backward, self.backward.states + self.backward.shared);
        let made_again = |operand: &usize| self.rows.iter().any(|(row, ..)| row == operand);
        let mut body = Body {
            old: &old.body,
            there: &self.forward.body,
            out: Graph::new(&old.body.name),
            inputs: FxHashMap::default(),
            again: FxHashMap::default(),
        };
        let mut operands = vec![];
        for operand in 0..first_row {
            body.argument(operand);
            operands.push(Operand::AsBefore(operand));
        }
        let given = |shared: bool| {
            kept.iter().filter_map(move |&value| match self.forward.body.node(value).op {
                Op::Input(i)
                    if i >= self.forward.states && (i < self.forward.states + self.forward.shared) == shared =>
                {
                    Some((value, i))
                }
                _ => None,
            })
        };
        let mut shared = old.shared;
        for (value, i) in given(true) {
            body.of_forward(value);
            operands.push(Operand::Forward(i));
            shared += 1;
        }
        for operand in (first_row..old.body.arguments.len()).filter(|o| !made_again(o)) {
            body.argument(operand);
            operands.push(Operand::AsBefore(operand));
        }
        for (value, i) in given(false) {
            body.of_forward(value);
            operands.push(Operand::Forward(i));
        }
        for &value in kept.iter().filter(|v| !self.lies_there(**v)) {
            body.of_forward(value);
            operands.push(Operand::Stack(value));
        }
        let values: FxHashMap<usize, Value> = self.rows.iter().map(|(operand, _, value)| (*operand, *value)).collect();
        let out = body.finish(&values);
        (Repeat { shared, body: out, ..old.clone() }, operands)
    }
}

/// The new numbers of a loop's results.
#[derive(Default)]
struct Numbers {
    old: FxHashMap<usize, usize>,
    /// Of each kept value, if it is stacked.
    kept: Vec<Option<usize>>,
}

/// An operand of the loop that goes back.
enum Operand {
    /// The one of this number.
    AsBefore(usize),
    /// The one of this number of the other loop.
    Forward(usize),
    /// What the other loop stacks of a value.
    Stack(Value),
}

/// The body of the loop that goes back while it is written.
struct Body<'g> {
    old: &'g Graph,
    there: &'g Graph,
    out: Graph,
    /// Old arguments.
    inputs: FxHashMap<usize, Value>,
    /// Values of the other loop's body.
    again: FxHashMap<Value, Value>,
}

impl Body<'_> {
    fn input(&mut self, name: &str, ty: &Type) -> Value {
        let number = self.out.arguments.len();
        self.out.arguments.push(Argument { name: name.into(), ty: ty.clone(), below: vec![] });
        let origin = Origin { name: name.into(), ..Origin::default() };
        self.out.push(Op::Input(number), vec![], ty.clone(), origin)
    }

    fn argument(&mut self, number: usize) {
        let old = &self.old.arguments[number];
        let (name, ty) = (old.name.clone(), old.ty.clone());
        let value = self.input(&name, &ty);
        self.inputs.insert(number, value);
    }

    fn of_forward(&mut self, value: Value) {
        let node = self.there.node(value);
        let new = self.input(&node.origin.name.clone(), &node.ty.clone());
        self.again.insert(value, new);
    }

    fn again(&mut self, value: Value) -> Value {
        if let Some(&known) = self.again.get(&value) {
            return known;
        }
        let node = self.there.node(value);
        let inputs = node.inputs.iter().map(|v| self.again(*v)).collect();
        let new = self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
        self.again.insert(value, new);
        new
    }

    /// The nodes; `values`: which value of the other loop's body an old argument was.
    fn finish(mut self, values: &FxHashMap<usize, Value>) -> Graph {
        let mut map: Vec<Value> = vec![];
        for node in &self.old.nodes {
            let new = match node.op {
                Op::Input(number) => match values.get(&number) {
                    Some(&value) => self.again(value),
                    None => self.inputs[&number],
                },
                _ => {
                    let inputs = node.inputs.iter().map(|v| map[v.index()]).collect();
                    self.out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone())
                }
            };
            map.push(new);
        }
        let outputs = self.old.outputs.iter();
        self.out.outputs = outputs.map(|o| Output { value: map[o.value.index()], ..o.clone() }).collect();
        self.out
    }
}
