//! Loops as they are written: the body is built once, as a graph of its own.

use std::ops::Range;

use crate::builder::{Builder, Checked};
use crate::diagnostic::Diagnostic;
use crate::graph::{Argument, Graph, Op, Origin, Output, Repeat, Role, Value};
use crate::types::{DType, Type};

/// The parameters of a loop's rounds: those of the first round, and behind them as many for each further round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// The first parameter of the first round.
    pub first: usize,
    /// Parameters of a round.
    pub set: usize,
    /// Rounds.
    pub count: usize,
}

impl Rounds {
    /// The parameters of the first round.
    pub fn first_set(&self) -> Range<usize> {
        self.first..self.first + self.set
    }
}

/// A body that was built: its graph without outputs, and what it returned.
struct Body<R> {
    graph: Graph,
    /// What it returned.
    result: R,
    /// The parameters outside the rounds' sets that it reads, as nodes of the body.
    outside: Vec<(usize, Value)>,
}

impl Builder<'_> {
    /// Whether [`Builder::repeat`] takes these sets of parameters here. If not, the rounds have to be written out one after the other:
    /// in the body of a loop, all sets must belong to the first round of that loop.
    pub fn can_repeat(&self, count: i64, first: usize, set: usize) -> bool {
        let last = first + set * count.max(1) as usize - 1;
        self.rounds.iter().all(|outer| outer.first_set().contains(&first) && outer.first_set().contains(&last))
    }

    /// `states = body(states)`, `count` times, each round with a set of parameters of its own.
    ///
    /// The body is built once, for the first round: parameters `first .. first + set` are its own ones, and in round `r` stand for those
    /// `r · set` further in the net's list, which take their shapes. All other parameters are the same in each round, as are `shared`
    /// values. Random numbers are drawn anew in each round: where a tensor has n elements, round `r` takes numbers `r · n ..` of its
    /// stream (rounds of loops in loops counted through), and the gradient's rounds the same ones. Returns the states after the last round.
    pub fn repeat(
        &mut self,
        count: i64,
        states: &[Value],
        shared: &[Value],
        first: usize,
        set: usize,
        body: impl FnOnce(&mut Builder, &[Value], &[Value]) -> Checked<Vec<Value>>,
    ) -> Checked<Vec<Value>> {
        if count < 1 {
            return Ok(states.to_vec());
        }
        let rounds = Rounds { first, set, count: count as usize };
        if self.origin.name.is_empty() {
            self.origin.name = "repeat".into();
        }
        let body = self.body(rounds.clone(), &[states, shared].concat(), |inner, arguments| {
            let (states, shared) = arguments.split_at(states.len());
            body(inner, states, shared)
        })?;
        self.check_states(states, &body.graph, &body.result)?;
        self.shape_rounds(&rounds)?;
        let mut operands = [states, shared].concat();
        let mut graph = body.graph;
        for (number, node) in body.outside {
            let value = self.parameter(number);
            operands.push(value);
            let (ty, name) = (graph.ty(node).clone(), graph.node(node).origin.name.clone());
            graph.nodes[node.index()].op = Op::Input(graph.arguments.len());
            graph.arguments.push(Argument { name, ty, below: None });
        }
        for (i, argument) in graph.arguments.iter().enumerate() {
            argument.below.iter().for_each(|&limit| self.numbers_below(operands[i], limit));
        }
        let result = |(i, value): (usize, &Value)| Output { role: Role::Result(i), value: *value };
        graph.outputs = body.result.iter().enumerate().map(result).collect();
        let (states, shared) = (states.len(), operands.len() - states.len());
        let types: Vec<Type> = operands[..states].iter().map(|v| self.ty(*v).clone()).collect();
        let repeat = Repeat { count: count.into(), reverse: false, states, shared, body: graph };
        let ty = types.first().cloned().unwrap_or(Type::new(DType::F32, vec![]));
        let node = self.push(Op::Repeat(Box::new(repeat)), operands, ty);
        Ok(types.into_iter().enumerate().map(|(i, ty)| self.push(Op::Get(i), vec![node], ty)).collect())
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
        let (graph, diagnostics, streams) = (inner.graph, inner.diagnostics, inner.streams);
        self.streams = streams;
        self.diagnostics.extend(diagnostics);
        let parameter = |(i, n): (usize, &crate::graph::Node)| match n.op {
            Op::Parameter(number) => Some((number, Value(i as u32))),
            _ => None,
        };
        let outside = graph.nodes.iter().enumerate().filter_map(parameter).collect();
        Ok(Body { result: result?, graph, outside })
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
        for number in rounds.first_set() {
            let of_first = self.parameters.list[number].clone();
            for round in 1..rounds.count {
                let Some(other) = self.parameters.list.get_mut(number + round * rounds.set) else { continue };
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
