//! What a loop carries for nothing goes: results that nobody reads, states that feed only themselves, states that stay as they are,
//! operands that no round reads or that come twice. Parameters of the net are read in the body itself.

use crate::graph::{Argument, Graph, Op, Repeat, Role, Value};
use crate::number::Number;
use crate::optimise::without_dead_code;
use rustc_hash::FxHashMap;

/// The graph with simpler loops; every node must be one that a result needs.
pub(crate) fn simplify(graph: &Graph) -> Graph {
    let mut used: FxHashMap<Value, Vec<usize>> = FxHashMap::default();
    for node in &graph.nodes {
        if let Op::Get(number) = node.op {
            used.entry(node.inputs[0]).or_default().push(number);
        }
    }
    let mut out = Graph { outputs: graph.outputs.clone(), ..graph.head() };
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut results: FxHashMap<Value, Vec<Result>> = FxHashMap::default();
    for (index, node) in graph.nodes.iter().enumerate() {
        let mut node = node.clone();
        node.inputs.iter_mut().for_each(|v| *v = map[v.index()]);
        let value = match &node.op {
            Op::Repeat(repeat) => {
                let used = used.get(&Value(index as u32)).map_or(&[][..], |used| used);
                let (simpler, operands, numbers) = simpler(repeat, used, &node.inputs, &out);
                let value = out.push(Op::Repeat(Box::new(simpler)), operands, node.ty, node.origin);
                results.insert(value, numbers);
                value
            }
            Op::Get(number) => match results.get(&node.inputs[0]).map(|results| results[*number]) {
                Some(Result::Operand(operand)) => operand,
                Some(Result::Number(number)) => out.push(Op::Get(number), node.inputs, node.ty, node.origin),
                _ => out.push(node.op, node.inputs, node.ty, node.origin),
            },
            _ => out.push(node.op, node.inputs, node.ty, node.origin),
        };
        map.push(value);
    }
    out.outputs.iter_mut().for_each(|output| output.value = map[output.value.index()]);
    out
}

/// What became of a result of a loop.
#[derive(Clone, Copy)]
enum Result {
    /// It has this number now.
    Number(usize),
    /// It is an operand of the loop.
    Operand(Value),
    /// Nobody read it.
    Gone,
}

/// What becomes of an argument of a body.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Gone,
    State,
    Shared,
    Row,
}

fn simpler(repeat: &Repeat, used: &[usize], operands: &[Value], outer: &Graph) -> (Repeat, Vec<Value>, Vec<Result>) {
    let body = &repeat.body;
    let stays = |i: usize| body.node(body.outputs[i].value).op == Op::Input(i);
    let uses = uses(repeat, used, &stays);
    let mut new = Repeat { states: 0, shared: 0, ..repeat.clone() };
    new.body.arguments.clear();
    new.body.outputs.clear();
    let mut kept: Vec<(usize, Value)> = vec![];
    let mut inputs: FxHashMap<usize, Op> = FxHashMap::default();
    let mut add = |new: &mut Repeat, i: usize, alike: &mut Vec<(Value, usize)>, may_join: bool| {
        let known = alike.iter().find(|(operand, _)| may_join && *operand == operands[i]).map(|(_, number)| *number);
        let number = known.unwrap_or_else(|| {
            new.body.arguments.push(Argument::clone(&body.arguments[i]));
            kept.push((i, operands[i]));
            alike.push((operands[i], kept.len() - 1));
            kept.len() - 1
        });
        inputs.insert(i, Op::Input(number));
    };
    let of = |wanted: Use| (0..operands.len()).filter(|i| uses[*i] == wanted).collect::<Vec<_>>();
    let mut alike = vec![];
    of(Use::State).into_iter().for_each(|i| add(&mut new, i, &mut alike, false));
    let mut alike = vec![];
    let (parameters, shared): (Vec<usize>, Vec<usize>) =
        of(Use::Shared).into_iter().partition(|&i| outer.node(operands[i]).op.parameter().is_some());
    shared.into_iter().for_each(|i| add(&mut new, i, &mut alike, true));
    let shared = alike.len();
    let mut alike = vec![];
    of(Use::Row).into_iter().for_each(|i| add(&mut new, i, &mut alike, true));
    for i in parameters {
        let op = match outer.node(operands[i]).op.clone() {
            // The same in all rounds of this loop.
            Op::RoundParameter { first, steps } => Op::RoundParameter { first, steps: [&steps[..], &[0]].concat() },
            Op::Mirror { first, steps } if !steps.is_empty() => {
                Op::Mirror { first, steps: [&steps[..], &[0]].concat() }
            }
            op => op,
        };
        inputs.insert(i, op);
    }
    for node in &mut new.body.nodes {
        if let Op::Input(i) = node.op {
            node.op = inputs.get(&i).cloned().unwrap_or(Op::Const(Number::Float(0.0)));
        }
    }
    let mut numbers = vec![];
    for (i, output) in body.outputs.iter().enumerate() {
        let is_result = matches!(output.role, Role::Result(_));
        let state = i < repeat.states;
        let keep = if state { uses[i] == Use::State } else { !is_result || used.contains(&i) };
        if is_result {
            numbers.push(match keep {
                true => Result::Number(new.body.outputs.len()),
                false if state && stays(i) => Result::Operand(operands[i]),
                false => Result::Gone,
            });
        }
        if keep {
            let mut output = output.clone();
            if is_result {
                output.role = Role::Result(new.body.outputs.len());
            }
            new.body.outputs.push(output);
        }
    }
    (new.states, new.shared) = (of(Use::State).len(), shared);
    new.body = without_dead_code(&new.body);
    (new, kept.into_iter().map(|(_, operand)| operand).collect(), numbers)
}

/// What a round needs its arguments for.
fn uses(repeat: &Repeat, used: &[usize], stays: &dyn Fn(usize) -> bool) -> Vec<Use> {
    let body = &repeat.body;
    let mut needed = vec![false; body.nodes.len()];
    let mut uses = vec![Use::Gone; body.arguments.len()];
    let wanted = |(i, o): &(usize, &crate::graph::Output)| !matches!(o.role, Role::Result(_)) || used.contains(i);
    let mut open: Vec<Value> = body.outputs.iter().enumerate().filter(wanted).map(|(_, o)| o.value).collect();
    for i in (0..repeat.states).filter(|i| used.contains(i) && !stays(*i)) {
        uses[i] = Use::State;
    }
    while let Some(value) = open.pop() {
        if std::mem::replace(&mut needed[value.index()], true) {
            continue;
        }
        open.extend(&body.node(value).inputs);
        match body.node(value).op {
            Op::Input(i) if i < repeat.states && !stays(i) => {
                uses[i] = Use::State;
                open.push(body.outputs[i].value);
            }
            Op::Input(i) if i < repeat.states + repeat.shared => uses[i] = Use::Shared,
            Op::Input(i) => uses[i] = Use::Row,
            _ => {}
        }
    }
    uses
}
