//! Loops as they are written: the body is built once, as a graph of its own.

use std::ops::Range;

use crate::builder::{Builder, Checked};
use crate::diagnostic::Diagnostic;
use crate::graph::{Argument, Graph, Op, Origin, Output, Repeat, Role, Value};
use crate::types::{DType, Type};

/// What the rounds of a loop have of their own: that of the first round, and behind it in the net's lists as much for each further round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// How many.
    pub count: i64,
    /// The parameters of the first round.
    pub parameters: Range<usize>,
    /// The states of the first round.
    pub states: Range<usize>,
}

/// A body that was built: its graph without outputs, and what it returned.
struct Body<R> {
    graph: Graph,
    /// What it returned.
    result: R,
    /// The parameters outside the rounds' sets that it reads, as nodes of the body.
    outside: Vec<(usize, Value)>,
    /// The net's states outside the rounds' sets: as the body sees them first, and last.
    carried: Vec<(usize, Value, Value)>,
}

impl Builder<'_> {
    /// Whether [`Builder::repeat`] takes these sets of parameters here. If not, the rounds have to be written out one after the other:
    /// in the body of a loop, all sets must belong to the first round of that loop.
    pub fn can_repeat(&self, rounds: &Rounds) -> bool {
        let inside = |outer: &Range<usize>, own: &Range<usize>| {
            let end = own.start + own.len() * rounds.count.max(1) as usize;
            own.is_empty() || outer.start <= own.start && end <= outer.end
        };
        let within = |r: &Rounds| inside(&r.parameters, &rounds.parameters) && inside(&r.states, &rounds.states);
        self.rounds.iter().all(within)
    }

    /// `states = body(states)`, round after round, each with parameters (and states of the net) of its own.
    ///
    /// The body is built once, for the first round: its own parameters stand in round `r` for those `r` sets further in the net's list,
    /// which take their shapes; so do its states. All other parameters are the same in each round, as are `shared` values; other states of
    /// the net go from round to round. Random numbers are drawn anew in each round: where a tensor has n elements, round `r` takes numbers `r · n ..` of its
    /// stream (rounds of loops in loops counted through), and the gradient's rounds the same ones. Returns the states after the last round.
    pub fn repeat(
        &mut self,
        states: &[Value],
        shared: &[Value],
        rounds: Rounds,
        body: impl FnOnce(&mut Builder, &[Value], &[Value]) -> Checked<Vec<Value>>,
    ) -> Checked<Vec<Value>> {
        if rounds.count < 1 {
            return Ok(states.to_vec());
        }
        let count = rounds.count;
        if self.origin.name.is_empty() {
            self.origin.name = "repeat".into();
        }
        let body = self.body(rounds.clone(), &[states, shared].concat(), |inner, arguments| {
            let (states, shared) = arguments.split_at(states.len());
            body(inner, states, shared)
        })?;
        self.check_states(states, &body.graph, &body.result)?;
        self.shape_rounds(&rounds)?;
        let (mut states, mut shared, mut graph, mut result) =
            (states.to_vec(), shared.to_vec(), body.graph, body.result);
        let before = states.len();
        for (number, first, last) in &body.carried {
            insert_argument(&mut graph, *first, states.len());
            states.push(self.state(*number));
            result.push(*last);
        }
        for (number, node) in body.outside {
            shared.push(self.parameter(number));
            insert_argument(&mut graph, node, states.len() + shared.len() - 1);
        }
        let operands = [&states[..], &shared].concat();
        for (i, argument) in graph.arguments.iter().enumerate() {
            for below in &argument.below {
                self.hold_between(operands[i], below, i < states.len())?;
            }
        }
        let as_result = |(i, value): (usize, &Value)| Output { role: Role::Result(i), value: *value };
        // What becomes of the rounds' own states stands behind the results.
        graph.outputs.retain(|o| matches!(o.role, Role::RoundState { .. }));
        graph.outputs.splice(0..0, result.iter().enumerate().map(as_result));
        let types: Vec<Type> = states.iter().map(|v| self.ty(*v).clone()).collect();
        let (states, shared) = (states.len(), shared.len());
        let repeat = Repeat { count: count.into(), reverse: false, states, shared, body: graph };
        let ty = types.first().cloned().unwrap_or(Type::new(DType::F32, vec![]));
        let node = self.push(Op::Repeat(Box::new(repeat)), operands, ty);
        let mut last: Vec<Value> =
            types.into_iter().enumerate().map(|(i, ty)| self.push(Op::Get(i), vec![node], ty)).collect();
        for ((number, first, end), value) in body.carried.into_iter().zip(last.drain(before..)) {
            if first != end {
                self.set_state(number, value)?;
            }
        }
        Ok(last)
    }

    /// Builds a body whose arguments have the types of these values.
    fn body<R>(
        &mut self,
        rounds: Rounds,
        values: &[Value],
        body: impl FnOnce(&mut Builder, &[Value]) -> Checked<R>,
    ) -> Checked<Body<R>> {
        let seen: Vec<(Type, Origin)> =
            values.iter().map(|v| (self.ty(*v).clone(), self.graph.node(*v).origin.clone())).collect();
        let mut inner = Builder::new(format!("{} round", self.graph.name), self.parameters, self.training);
        inner.rounds = [&self.rounds[..], &[rounds]].concat();
        inner.streams = self.streams;
        for (ty, origin) in seen {
            inner.origin = origin.clone();
            inner.argument(&origin.name, ty);
        }
        inner.origin = self.origin.clone();
        let arguments: Vec<Value> = (0..values.len()).map(|i| Value(i as u32)).collect();
        let result = body(&mut inner, &arguments);
        let (graph, diagnostics, streams, last) = (inner.graph, inner.diagnostics, inner.streams, inner.states);
        self.streams = streams;
        self.diagnostics.extend(diagnostics);
        let parameter = |(i, n): (usize, &crate::graph::Node)| match n.op {
            Op::Parameter(number) => Some((number, Value(i as u32))),
            _ => None,
        };
        let outside = graph.nodes.iter().enumerate().filter_map(parameter).collect();
        let state = |(i, n): (usize, &crate::graph::Node)| match n.op {
            Op::State(number) => Some((number, Value(i as u32), *last.get(&number)?)),
            _ => None,
        };
        let carried = graph.nodes.iter().enumerate().filter_map(state).collect();
        Ok(Body { result: result?, graph, outside, carried })
    }

    /// What goes round keeps its type.
    fn check_states(&mut self, states: &[Value], body: &Graph, next: &[Value]) -> Checked<()> {
        let at = self.origin.loc;
        if states.len() != next.len() {
            let message = format!("a round takes {} values and makes {}", states.len(), next.len());
            return self.report(Diagnostic::new("N0109", at, message).help("what goes round must keep its number"));
        }
        for (before, after) in states.iter().zip(next) {
            let (before_ty, after_ty) = (self.ty(*before), body.ty(*after));
            if before_ty != after_ty {
                let made = &body.node(*after).origin;
                let d = Diagnostic::new("N0109", at, format!("a round makes {after_ty} of {before_ty}"))
                    .note(made.loc, format!("what comes out of a round, {after_ty}, is made by `{}`", made.name))
                    .note(
                        self.made_at(*before),
                        format!("what goes in, {before_ty}, comes from `{}`", self.made_by(*before)),
                    )
                    .help("what goes round must keep its shape");
                return self.report(d);
            }
        }
        Ok(())
    }

    /// The parameters of all rounds have the shapes of the first round's.
    fn shape_rounds(&mut self, rounds: &Rounds) -> Checked<()> {
        for number in rounds.states.clone() {
            let ty = self.parameters.states[number].ty.clone();
            for round in 1..rounds.count as usize {
                if let Some(other) = self.parameters.states.get_mut(number + round * rounds.states.len()) {
                    other.ty = ty.clone();
                }
            }
        }
        for number in rounds.parameters.clone() {
            let of_first = self.parameters.list[number].clone();
            for round in 1..rounds.count as usize {
                let Some(other) = self.parameters.list.get_mut(number + round * rounds.parameters.len()) else {
                    continue;
                };
                match (&other.shape, &of_first.shape) {
                    (Some((found, _)), Some((expected, _))) if found != expected => {
                        let message = format!(
                            "`{}` is {found:?} by its first use, `{}` of the same loop is {expected:?}",
                            other.name, of_first.name
                        );
                        let d = Diagnostic::new("N0104", self.origin.loc, message)
                            .note(other.first_use, "the first use, which set the size")
                            .help("the blocks of an array that are applied in turn must have equal sizes");
                        return self.report(d);
                    }
                    (Some(_), _) => {}
                    (None, _) => {
                        other.shape = of_first.shape.clone();
                        other.first_use = of_first.first_use;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Makes argument number `at` of a node that reads something of the net's; the arguments from there on move up.
fn insert_argument(graph: &mut Graph, node: Value, at: usize) {
    for other in &mut graph.nodes {
        if let Op::Input(number) = &mut other.op
            && *number >= at
        {
            *number += 1;
        }
    }
    let (ty, name) = (graph.ty(node).clone(), graph.node(node).origin.name.clone());
    graph.nodes[node.index()].op = Op::Input(at);
    graph.arguments.insert(at, Argument { name, ty, below: vec![] });
}
