//! What floats have no part in.

use std::collections::HashMap;

use crate::graph::{Graph, Op, Repeat, Value};

/// For each output whether it is made of integers and truth values alone: then it is the same however floats are rounded.
pub fn exact(graph: &Graph) -> Vec<bool> {
    outputs(graph, &vec![true; graph.arguments.len()])
}

/// The same where some of the arguments are not.
fn outputs(graph: &Graph, arguments: &[bool]) -> Vec<bool> {
    let mut values: Vec<bool> = vec![];
    let mut loops: HashMap<Value, Vec<bool>> = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let operands: Vec<bool> = node.inputs.iter().map(|v| values[v.index()]).collect();
        if let Op::Repeat(repeat) = &node.op {
            loops.insert(Value(index as u32), of_loop(repeat, operands.clone()));
        }
        let is_made_so = match (&node.op, node.inputs.first().and_then(|v| loops.get(v))) {
            (Op::Input(number), _) => arguments[*number],
            // A loop before this one may have assigned it.
            (Op::RoundState { .. }, _) => false,
            (Op::Get(number), Some(results)) => results[*number],
            // Whatever it is, it depends on nothing else.
            (_, _) => operands.iter().all(|is_exact| *is_exact),
        };
        values.push(is_made_so && !node.ty.dtype.is_float());
    }
    graph.outputs.iter().map(|o| values[o.value.index()]).collect()
}

/// Of the results of a loop: a carried value is only if all are that it is in turn.
fn of_loop(repeat: &Repeat, mut arguments: Vec<bool>) -> Vec<bool> {
    loop {
        let mut results = outputs(&repeat.body, &arguments);
        let carried = &mut arguments[..repeat.states];
        results.iter_mut().zip(&*carried).for_each(|(next, now)| *next &= now);
        if results.starts_with(carried) {
            return results;
        }
        carried.copy_from_slice(&results[..repeat.states]);
    }
}
