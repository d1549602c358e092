//! Loops as they are written: the body is built once, as a graph of its own.

use std::ops::Range;

use crate::builder::{Builder, Checked};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Argument, Border, Graph, Op, Origin, Output, Repeat, Role, Value};
use crate::program::Below;
use crate::size::Size;
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

impl Rounds {
    /// The states of all rounds.
    fn all_states(&self) -> Range<usize> {
        self.states.start..self.states.start + self.states.len() * self.count.max(1) as usize
    }
}

/// A body that was built, and what it returned.
struct Body<R> {
    /// Its outputs are assigned states and the words of checks only.
    graph: Graph,
    /// What its arguments must fulfil, and where that is asked for.
    asked: Vec<(usize, Below, Loc)>,
    /// What it returned.
    result: R,
    /// The net's states outside the rounds' sets: as the body sees them first, and last.
    carried: Vec<(usize, Value, Value)>,
}

/// A loop but for its body.
struct Loop<'v> {
    count: Size,
    reverse: bool,
    states: &'v [Value],
    shared: &'v [Value],
    rows: &'v [Value],
}

impl Builder<'_> {
    /// Whether [`Builder::repeat`] takes these sets of parameters here. If not, the rounds have to be written out one after the other:
    /// in the body of a loop, all sets must belong to the first round of that loop; and states of the rounds are used in loops only.
    pub fn can_repeat(&self, rounds: &Rounds) -> bool {
        let inside = |outer: &Range<usize>, own: &Range<usize>| {
            let end = own.start + own.len() * rounds.count.max(1) as usize;
            own.is_empty() || outer.start <= own.start && end <= outer.end
        };
        let within = |r: &Rounds| inside(&r.parameters, &rounds.parameters) && inside(&r.states, &rounds.states);
        let mut states = rounds.all_states();
        self.rounds.iter().all(within) && !states.any(|s| self.states.contains_key(&s) || self.apart.contains(&s))
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
        let arguments = self.seen(&[states, shared].concat());
        let body = self.body(rounds.clone(), arguments, states.len(), |inner, arguments| {
            let (states, shared) = arguments.split_at(states.len());
            body(inner, states, shared)
        })?;
        let Body { result, graph, asked, carried } = body;
        self.check_states(states, &graph, &result)?;
        self.shape_rounds(&rounds)?;
        self.looped.extend(rounds.all_states());
        let repeat = Loop { count: count.into(), reverse: false, states, shared, rows: &[] };
        Ok(self.run(repeat, graph, &asked, &carried, &result, &[])?.0)
    }

    /// Over an axis of `xs`: `(states, outputs) = body(states, rows)`, where the rows come without the axis and the outputs are stacked on
    /// it. With `reverse`, from the last row to the first. The length of the axis may be a run-time size. Returns the last states and the
    /// stacked outputs.
    #[allow(clippy::too_many_arguments)] // What the language has.
    pub fn scan(
        &mut self,
        xs: &[Value],
        init: &[Value],
        shared: &[Value],
        axis: usize,
        reverse: bool,
        body: impl FnOnce(&mut Builder, &[Value], &[Value], &[Value]) -> Checked<(Vec<Value>, Vec<Value>)>,
    ) -> Checked<(Vec<Value>, Vec<Value>)> {
        let count = self.check_rows(xs, axis)?;
        if self.origin.name.is_empty() {
            self.origin.name = "scan".into();
        }
        let rows: Vec<Value> = xs.iter().map(|x| self.move_axis(*x, axis, 0)).collect();
        let mut arguments = self.seen(&[init, shared, &rows].concat());
        arguments[init.len() + shared.len()..].iter_mut().for_each(|(ty, _)| drop(ty.shape.remove(0)));
        let rounds = Rounds { count: 0, parameters: 0..0, states: 0..0 };
        let body = self.body(rounds, arguments, init.len(), |inner, arguments| {
            let (states, rest) = arguments.split_at(init.len());
            let (shared, rows) = rest.split_at(shared.len());
            body(inner, states, rows, shared)
        })?;
        let (next, outputs) = body.result;
        self.check_states(init, &body.graph, &next)?;
        if let Some(&flat) = outputs.iter().find(|v| body.graph.shape(**v).len() < axis) {
            let (ty, origin) = (body.graph.ty(flat).clone(), body.graph.node(flat).origin.clone());
            let message = format!("`scan` stacks its outputs on axis {axis}, and an output is {ty}");
            let d = Diagnostic::new("N0105", self.origin.loc, message)
                .note(origin.loc, format!("the output is made by `{}`", origin.name))
                .help("stack on axis 0, or give the output more axes with `.unsqueeze`");
            return self.report(d);
        }
        let repeat = Loop { count, reverse, states: init, shared, rows: &rows };
        let (last, stacks) = self.run(repeat, body.graph, &body.asked, &body.carried, &next, &outputs)?;
        Ok((last, stacks.into_iter().map(|stack| self.move_axis(stack, 0, axis)).collect()))
    }

    /// The length of an axis that all of these values have.
    fn check_rows(&mut self, xs: &[Value], axis: usize) -> Checked<Size> {
        let at = self.origin.loc;
        let Some(&first) = xs.first() else {
            let d = Diagnostic::new("N0105", at, "`scan` has nothing to run over");
            return self.report(d.help("give it at least one tensor"));
        };
        for &x in xs {
            let (ty, made_by, made_at) = (self.ty(x).clone(), self.made_by(x), self.made_at(x));
            if ty.rank() <= axis {
                let d = Diagnostic::new("N0105", at, format!("`scan` runs over axis {axis}, and `{made_by}` is {ty}"))
                    .note(made_at, format!("`{made_by}` comes from here"))
                    .help("give it a tensor that has this axis, or write another `dim`");
                return self.report(d);
            }
            let expected = &self.graph.shape(first)[axis];
            if ty.shape[axis] != *expected {
                let message =
                    format!("`scan` runs over axis {axis}: {} and {ty} have different lengths", self.ty(first));
                let d = Diagnostic::new("N0101", at, message)
                    .note(self.made_at(first), format!("{expected} rows come from `{}`", self.made_by(first)))
                    .note(made_at, format!("{} rows come from `{made_by}`", ty.shape[axis]))
                    .help("all tensors that a scan runs over have the same length on its axis");
                return self.report(d);
            }
        }
        Ok(self.graph.shape(first)[axis].clone())
    }

    /// The value with an axis in another place.
    fn move_axis(&mut self, x: Value, from: usize, to: usize) -> Value {
        if from == to {
            return x;
        }
        let mut order: Vec<usize> = (0..self.rank(x)).collect();
        let axis = order.remove(from);
        order.insert(to, axis);
        self.permute(x, &order)
    }

    /// Appends the loop over a body that was built; its last states, its stacks. `asked`, `carried`: see [`Body`].
    fn run(
        &mut self,
        repeat: Loop,
        mut body: Graph,
        asked: &[(usize, Below, Loc)],
        carried: &[(usize, Value, Value)],
        next: &[Value],
        outputs: &[Value],
    ) -> Checked<(Vec<Value>, Vec<Value>)> {
        let Loop { count, reverse, states, shared, rows } = repeat;
        let checks = std::mem::take(&mut body.checks);
        let mut operands = [states, shared, rows].concat();
        for (number, below, at) in asked {
            self.hold_between(operands[*number], below, *at)?;
        }
        let mut types: Vec<Type> = states.iter().map(|v| self.ty(*v).clone()).collect();
        let stack = |v: &Value| {
            let ty = body.ty(*v);
            Type::new(ty.dtype, [std::slice::from_ref(&count), &ty.shape].concat())
        };
        // The words of its checks stand in stacks behind the others.
        let count_of_words: usize = checks.iter().map(|(_, check)| check.words()).sum();
        let words = (0..count_of_words)
            .map(Role::Check)
            .filter_map(|word| body.outputs.iter().find(|o| o.role == word))
            .map(|o| o.value);
        let outputs: Vec<Value> = outputs.iter().copied().chain(words).collect();
        let stacks: Vec<Type> = outputs.iter().map(stack).collect();
        // What becomes of the rounds' own states stands behind the results.
        let as_result = |(i, value): (usize, &Value)| Output { role: Role::Result(i), value: *value };
        body.outputs.retain(|o| matches!(o.role, Role::RoundState { .. }));
        body.outputs.splice(0..0, next.iter().chain(&outputs).enumerate().map(as_result));
        let own = states.len();
        let mut repeat = Repeat { count, reverse, states: own, shared: shared.len(), body, border: Border::default() };
        for &(number, first, last) in carried {
            let before = self.state(number);
            let node = repeat.body.node(first);
            let argument = Argument { name: node.origin.name.clone(), ty: node.ty.clone(), below: vec![] };
            types.push(argument.ty.clone());
            let input = repeat.carry(&mut operands, argument, before, last);
            repeat.body.nodes[first.index()].op = Op::Input(input);
        }
        self.share_parameters(&mut repeat, &mut operands);
        let states = repeat.states;
        let types: Vec<Type> = types.into_iter().chain(stacks).collect();
        let ty = types.first().cloned().unwrap_or(Type::new(DType::F32, vec![]));
        let node = self.push(Op::Repeat(Box::new(repeat)), operands, ty);
        let mut results: Vec<Value> =
            types.into_iter().enumerate().map(|(i, ty)| self.push(Op::Get(i), vec![node], ty)).collect();
        let mut stacks = results.split_off(states);
        let mut words = stacks.split_off(stacks.len() - count_of_words);
        for (at, check) in checks {
            let rest = words.split_off(check.words());
            self.check_rounds(at, check, &words);
            words = rest;
        }
        for (&(number, first, last), value) in carried.iter().zip(results.drain(own..)) {
            if first != last {
                self.set_state(number, value)?;
            }
        }
        Ok((results, stacks))
    }

    /// What every round reads of the net's parameters comes in from outside.
    fn share_parameters(&mut self, repeat: &mut Repeat, operands: &mut Vec<Value>) {
        for index in 0..repeat.body.nodes.len() {
            let node = &repeat.body.nodes[index];
            if let Op::Parameter(number) = node.op {
                let argument = Argument { name: node.origin.name.clone(), ty: node.ty.clone(), below: vec![] };
                let value = self.parameter(number);
                let input = repeat.share(operands, argument, value);
                repeat.body.nodes[index].op = Op::Input(input);
            }
        }
    }

    /// What arguments of these values look like: type, and where they come from.
    fn seen(&self, values: &[Value]) -> Vec<(Type, Origin)> {
        values.iter().map(|v| (self.ty(*v).clone(), self.graph.node(*v).origin.clone())).collect()
    }

    /// Builds a body with these arguments, the first `states` of which are others in each round.
    fn body<R>(
        &mut self,
        rounds: Rounds,
        arguments: Vec<(Type, Origin)>,
        states: usize,
        body: impl FnOnce(&mut Builder, &[Value]) -> Checked<R>,
    ) -> Checked<Body<R>> {
        let count = arguments.len() as u32;
        let mut inner = Builder::new(format!("{} round", self.graph.name), self.parameters, self.training);
        inner.rounds = [&self.rounds[..], &[rounds]].concat();
        inner.streams = self.streams;
        inner.changing = states;
        inner.apart = self.apart.clone();
        for (ty, origin) in arguments {
            inner.origin = origin.clone();
            inner.argument(&origin.name, ty);
        }
        inner.origin = self.origin.clone();
        let arguments: Vec<Value> = (0..count).map(Value).collect();
        let result = body(&mut inner, &arguments);
        let (graph, diagnostics, streams, last) = (inner.graph, inner.diagnostics, inner.streams, inner.states);
        let (mixed, asked) = (inner.mixed, inner.asked);
        self.streams = streams;
        self.diagnostics.extend(diagnostics);
        self.mixed.extend(mixed);
        let state = |(i, n): (usize, &crate::graph::Node)| match n.op {
            Op::State(number) => Some((number, Value(i as u32), *last.get(&number)?)),
            _ => None,
        };
        let carried = graph.nodes.iter().enumerate().filter_map(state).collect();
        Ok(Body { result: result?, graph, asked, carried })
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
