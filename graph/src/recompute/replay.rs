//! States of a loop that are made again for the way back: a round's state is what the next round's gradient reads, but where it follows from
//! what the loop keeps by light steps alone (the sum of a residual block), the rounds are gone through once more without the rest, right before
//! the way back, and the forward pass keeps the first state only.

use rustc_hash::{FxHashMap, FxHashSet};

use super::attention::scores;
use super::{is_free, is_given, is_light};
use crate::graph::{Argument, Border, Graph, Op, Origin, Output, Repeat, Role, Value};

/// A loop that makes states again.
pub(super) struct Replay {
    /// It stacks the states before its rounds, in the order of `states`.
    pub repeat: Repeat,
    /// Numbers of the states.
    pub states: Vec<usize>,
    /// Arguments of the body it was made of that every round sees the same, then those of which it sees a row.
    pub given: Vec<usize>,
    /// Then rows of what that loop stacks of these values of its body.
    pub kept: Vec<Value>,
}

impl Replay {
    /// Of a loop that keeps these values of its body; `None` if none of its states follows from the others.
    pub fn of(forward: &Repeat, kept: &[Value]) -> Option<Replay> {
        let body = &forward.body;
        let state = |v: &Value| match body.node(*v).op {
            Op::Input(number) if number < forward.states => Some(number),
            _ => None,
        };
        let states: Vec<usize> = kept.iter().filter_map(state).collect();
        // Arguments and parameters lie there for any loop.
        let rest: FxHashSet<Value> = kept.iter().copied().filter(|v| !is_given(&body.node(*v).op)).collect();
        let mut needs =
            Needs { forward, rest: &rest, states: &states, scores: scores(body), seen: FxHashSet::default() };
        // A next state that is kept is a row of the same stack as the state.
        if states.iter().any(|&number| rest.contains(&body.outputs[number].value)) {
            return None;
        }
        let follows = states.iter().all(|&number| needs.follow(body.outputs[number].value));
        if states.is_empty() || !follows {
            return None;
        }
        let seen = needs.seen;
        let given = |shared: bool| {
            (forward.states..body.arguments.len()).filter(move |i| (*i < forward.states + forward.shared) == shared)
        };
        let is_seen = |number: &usize| seen.iter().any(|v| body.node(*v).op == Op::Input(*number));
        let shared: Vec<usize> = given(true).filter(is_seen).collect();
        let rows = given(false).filter(is_seen);
        let mut out = Graph::new(&body.name);
        let mut map: FxHashMap<Value, Value> = FxHashMap::default();
        let all: Vec<usize> = states.iter().copied().chain(shared.iter().copied()).chain(rows).collect();
        let mut argument = |out: &mut Graph, value: Value| {
            let node = body.node(value);
            let name = node.origin.name.to_string();
            let number = out.arguments.len();
            out.arguments.push(Argument { name: name.as_str().into(), ty: node.ty.clone(), below: vec![] });
            let origin = Origin { name: name.as_str().into(), ..node.origin.clone() };
            let new = out.push(Op::Input(number), vec![], node.ty.clone(), origin);
            map.insert(value, new);
        };
        for &number in &all {
            let inputs = body.nodes.iter().position(|n| n.op == Op::Input(number));
            argument(&mut out, Value(inputs? as u32));
        }
        let mut stacked: Vec<Value> = rest.into_iter().filter(|v| seen.contains(v)).collect();
        stacked.sort();
        stacked.iter().for_each(|&v| argument(&mut out, v));
        for (index, node) in body.nodes.iter().enumerate() {
            let value = Value(index as u32);
            if seen.contains(&value) && !map.contains_key(&value) {
                let inputs = node.inputs.iter().map(|v| map[v]).collect();
                let new = out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone());
                map.insert(value, new);
            }
        }
        let next = states.iter().map(|&number| map[&body.outputs[number].value]);
        let before = (0..states.len()).map(|number| Value(number as u32));
        let result = |(number, value)| Output { role: Role::Result(number), value };
        out.outputs = next.chain(before).enumerate().map(result).collect();
        let repeat = Repeat {
            count: forward.count.clone(),
            reverse: forward.reverse,
            states: states.len(),
            shared: shared.len(),
            body: out,
            border: Border::default(),
        };
        Some(Replay { repeat, given: all[states.len()..].to_vec(), states, kept: stacked })
    }
}

/// What a state's next value follows from.
struct Needs<'r> {
    forward: &'r Repeat,
    rest: &'r FxHashSet<Value>,
    states: &'r [usize],
    scores: Vec<bool>,
    seen: FxHashSet<Value>,
}

impl Needs<'_> {
    fn follow(&mut self, value: Value) -> bool {
        let node = self.forward.body.node(value);
        if !self.seen.insert(value) || self.rest.contains(&value) {
            return true;
        }
        match node.op {
            Op::Input(number) => number >= self.forward.states || self.states.contains(&number),
            Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } => true,
            Op::Random(_) => false,
            _ if is_free(&node.op) => true,
            _ if self.scores[value.index()] => false,
            _ => is_light(&node.op) && node.inputs.iter().all(|v| self.follow(*v)),
        }
    }
}
