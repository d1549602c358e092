//! The passes that let a graph read copies of parameters that lie ready in another type or layout.

use std::collections::BTreeSet;

use crate::fuse::{Class, class};
use crate::graph::{Graph, Node, Op, Output, Value};
use crate::layouts::{Use, of_operand};
use crate::types::{DType, Type};
use rustc_hash::FxHashMap;

/// The graph that reads parameters of f32 as halves where it converted them to halves at every use; `None` if it does so nowhere.
pub(crate) fn halves(graph: &Graph, float: DType) -> Option<Graph> {
    (float == DType::F32 && converts(graph)).then(|| read_halves(graph))
}

fn converts(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| match &node.op {
        Op::Repeat(repeat) => converts(&repeat.body),
        _ => parameter_of(graph, node).is_some(),
    })
}

/// The parameter that a node converts to halves, as a whole or through a view.
fn parameter_of(graph: &Graph, cast: &Node) -> Option<Value> {
    if cast.op != Op::Cast || !matches!(cast.ty.dtype, DType::F16 | DType::BF16) {
        return None;
    }
    let mut below = cast.inputs[0];
    while let ([shown], Class::View) = (&graph.node(below).inputs[..], class(graph, below)) {
        below = *shown;
    }
    matches!(graph.node(below).op, Op::Parameter(_) | Op::RoundParameter { .. }).then_some(below)
}

fn read_halves(graph: &Graph) -> Graph {
    rebuilt(graph, &read_halves, &mut |out, node, inputs| match parameter_of(graph, node) {
        Some(_) => as_halves(out, graph, node.inputs[0], node.ty.dtype),
        None => out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone()),
    })
}

/// A parameter, or a view of it, of the mirror of a type.
fn as_halves(out: &mut Graph, graph: &Graph, value: Value, dtype: DType) -> Value {
    let node = graph.node(value);
    let ty = Type { dtype, ..node.ty.clone() };
    match mirror(&node.op) {
        Some(op) => out.push(op, vec![], ty, node.origin.clone()),
        None => {
            let below = as_halves(out, graph, node.inputs[0], dtype);
            out.push(node.op.clone(), vec![below], ty, node.origin.clone())
        }
    }
}

/// The mirror of a parameter.
fn mirror(op: &Op) -> Option<Op> {
    match op {
        Op::Parameter(first) => Some(Op::Mirror { first: *first, steps: vec![] }),
        Op::RoundParameter { first, steps } => Some(Op::Mirror { first: *first, steps: steps.clone() }),
        _ => None,
    }
}

/// The graph in which these uses of these parameters read the mirror in the parameter's own type.
pub(crate) fn elsewhere(graph: &Graph, uses: &BTreeSet<(usize, Use)>) -> Graph {
    let mut known: FxHashMap<Value, Value> = FxHashMap::default();
    rebuilt(graph, &|body| elsewhere(body, uses), &mut |out, node, mut inputs| {
        for (operand, input) in inputs.iter_mut().enumerate() {
            let (memory, of) = of_operand(graph, node, operand);
            let Node { op, ty, origin, .. } = graph.node(memory);
            let asked = op.parameter().is_some_and(|number| uses.contains(&(number, of)));
            if let Some(op) = mirror(op).filter(|_| asked && memory == node.inputs[operand]) {
                *input = *known.entry(memory).or_insert_with(|| out.push(op, vec![], ty.clone(), origin.clone()));
            }
        }
        out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone())
    })
}

/// The graph with `body` of the bodies of its loops, and of each node what `add` makes of it and of its new operands.
fn rebuilt(
    graph: &Graph,
    body: &dyn Fn(&Graph) -> Graph,
    add: &mut dyn FnMut(&mut Graph, &Node, Vec<Value>) -> Value,
) -> Graph {
    let mut out = graph.head();
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let inputs = node.inputs.iter().map(|v| map[v.index()]).collect();
        map.push(match &node.op {
            Op::Repeat(repeat) => {
                let mut repeat = repeat.clone();
                repeat.body = body(&repeat.body);
                out.push(Op::Repeat(repeat), inputs, node.ty.clone(), node.origin.clone())
            }
            _ => add(&mut out, node, inputs),
        });
    }
    let output = |o: &Output| Output { role: o.role.clone(), value: map[o.value.index()] };
    out.outputs = graph.outputs.iter().map(output).collect();
    out
}
