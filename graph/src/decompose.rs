//! Writes primitives by others where a target has no kernel of them; after the gradient, so that theirs is taken of the whole.

use crate::builder::{Builder, Parameters};
use crate::grad::NoRule;
use crate::graph::{Graph, Node, Op, Output, Role, Value};
use rustc_hash::{FxHashMap, FxHashSet};

mod resample;
mod softmax;

pub(crate) use resample::resample;
pub(crate) use softmax::{limits, normalize, softmax};

/// How a primitive is written by others: a graph whose arguments are the node's operands, and whose results those of the node that are read,
/// by their numbers. It is told the graph in which the node stands, the node, and which results are read.
pub(crate) type Decomposition = fn(&Graph, &Node, &[bool]) -> Result<Graph, NoRule>;

/// Whether a target has a kernel of a primitive that has a decomposition.
pub type Has = fn(&Op) -> bool;

/// A target that has nothing but what every one must have.
pub const NOTHING: Has = |_| false;

/// One that has all: the reference.
pub const EVERYTHING: Has = |_| true;

/// The graph without what the target lacks, in the bodies of its loops, too.
///
/// # Errors
///
/// What a decomposition needs and is not there: a mistake of castnet.
pub fn decompose(graph: &Graph, has: &dyn Fn(&Op) -> bool) -> Result<Graph, NoRule> {
    let lacks = |op: &Op| op.primitive().decomposition.is_some() && !has(op);
    let mut graph = graph.clone();
    // What something is written by may be lacking itself.
    while graph.has(&lacks) {
        graph = once(&graph, &lacks)?;
    }
    Ok(graph)
}

/// The graph without what was lacking in it.
fn once(graph: &Graph, lacks: &dyn Fn(&Op) -> bool) -> Result<Graph, NoRule> {
    let mut written = written(graph, lacks)?;
    let mut out = graph.head();
    let mut map: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut made: FxHashMap<Value, Made> = FxHashMap::default();
    for (index, node) in graph.nodes.iter().enumerate() {
        let (value, operands) = (Value(index as u32), &node.inputs);
        let inputs: Vec<Value> = operands.iter().map(|v| map[v.index()]).collect();
        let known = operands.iter().find_map(|v| made.get(v));
        map.push(match (&node.op, written.remove(&value), known) {
            (_, Some(graph), known) => {
                let values = inline(&mut out, &graph, &inputs, known);
                let here = Made { graph, values, operands: inputs };
                let own = here.result(0);
                made.insert(value, here);
                own
            }
            (Op::Get(number), None, Some(made)) => made.result(*number),
            (op, None, _) => {
                let mut op = op.clone();
                if let Op::Repeat(repeat) = &mut op {
                    repeat.body = once(&repeat.body, lacks)?;
                }
                out.push(op, inputs, node.ty.clone(), node.origin.clone())
            }
        });
    }
    let output = |o: &Output| Output { role: o.role.clone(), value: map[o.value.index()] };
    out.outputs = graph.outputs.iter().map(output).collect();
    Ok(out)
}

/// What is written in the place of each node: what is read of it, by nodes that stay or by what others are written by.
fn written(graph: &Graph, lacks: &dyn Fn(&Op) -> bool) -> Result<FxHashMap<Value, Graph>, NoRule> {
    let mut written = FxHashMap::default();
    // Of values, and of further results of nodes.
    let mut read = vec![false; graph.nodes.len()];
    let mut further: FxHashSet<(Value, usize)> = FxHashSet::default();
    graph.outputs.iter().for_each(|o| read[o.value.index()] = true);
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        let value = Value(index as u32);
        match node.op {
            Op::Get(number) if lacks(&graph.node(node.inputs[0]).op) => {
                if read[index] {
                    further.insert((node.inputs[0], number));
                }
            }
            _ if lacks(&node.op) => {
                let results = 0..graph.types(value).len();
                let is_read =
                    results.map(|number| if number == 0 { read[index] } else { further.contains(&(value, number)) });
                let by = decomposition(graph, node, &is_read.collect::<Vec<_>>())?;
                for (argument, uses) in by.nodes.iter().zip(by.use_counts()) {
                    if let Op::Input(number) = argument.op {
                        read[node.inputs[number].index()] |= uses > 0;
                    }
                }
                written.insert(value, by);
            }
            _ => node.inputs.iter().for_each(|v| read[v.index()] = true),
        }
    }
    Ok(written)
}

/// What a node is written by.
pub(crate) fn decomposition(graph: &Graph, node: &Node, read: &[bool]) -> Result<Graph, NoRule> {
    let decomposition = node.op.primitive().decomposition.ok_or_else(|| NoRule::of(node))?;
    decomposition(graph, node, read)
}

/// What a node of one result is written by: what `write` makes of its operands.
fn own(graph: &Graph, node: &Node, write: impl FnOnce(&mut Builder, &[Value]) -> Value) -> Result<Graph, NoRule> {
    let mut none = Parameters::default();
    let mut b = Builder::new("decomposition", &mut none, false);
    b.origin = node.origin.clone();
    let operands: Vec<Value> = node.inputs.iter().map(|v| b.argument("operand", graph.ty(*v).clone())).collect();
    let value = write(&mut b, &operands);
    b.result(value);
    Ok(b.graph)
}

/// What was written in the place of a node.
struct Made {
    graph: Graph,
    /// Where its values stand.
    values: Vec<Value>,
    operands: Vec<Value>,
}

impl Made {
    /// A result; of those that no one reads any value will do.
    fn result(&self, number: usize) -> Value {
        let output = self.graph.outputs.iter().find(|o| o.role == Role::Result(number));
        output.map_or(self.operands[0], |o| self.values[o.value.index()])
    }
}

/// Appends the nodes of a graph over operands; where its values stand. What it begins with as `known` does, over the same operands, is there
/// already: a gradient goes on from what the whole was written by.
fn inline(out: &mut Graph, graph: &Graph, operands: &[Value], known: Option<&Made>) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    if let Some(known) = known {
        let same = |(a, b): &(&Node, &Node)| match (&a.op, &b.op) {
            (Op::Input(i), Op::Input(j)) => operands.get(*i) == known.operands.get(*j),
            _ => a.op == b.op && a.inputs == b.inputs && a.ty == b.ty,
        };
        let shared = graph.nodes.iter().zip(&known.graph.nodes).take_while(same).count();
        values.extend(&known.values[..shared]);
    }
    for node in &graph.nodes[values.len()..] {
        values.push(match node.op {
            Op::Input(number) => operands[number],
            _ => {
                let inputs = node.inputs.iter().map(|v| values[v.index()]).collect();
                out.push(node.op.clone(), inputs, node.ty.clone(), node.origin.clone())
            }
        });
    }
    values
}

/// Appends the nodes of a graph over operands; its results.
pub(crate) fn append(out: &mut Graph, graph: &Graph, operands: &[Value]) -> Vec<Value> {
    let values = inline(out, graph, operands, None);
    graph.outputs.iter().map(|o| values[o.value.index()]).collect()
}
