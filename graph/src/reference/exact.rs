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
        let are_operands = operands.iter().all(|is_exact| *is_exact);
        let is_made_so = match &node.op {
            Op::Input(number) => arguments[*number],
            // A loop before this one may have assigned it.
            Op::RoundState { .. } => false,
            Op::Get(number) => node.inputs.first().and_then(|v| loops.get(v)).map_or(are_operands, |of| of[*number]),
            // What depends on its operands and on nothing else. That some are floats always, their types say.
            Op::Parameter(_) | Op::RoundParameter { .. } | Op::Mirror { .. } | Op::State(_) => are_operands,
            Op::Const(_) | Op::Size(_) | Op::LossScale => are_operands,
            Op::Iota(_) | Op::Random(_) | Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast => are_operands,
            Op::Detach | Op::WithSlope | Op::Softmax(_) | Op::SafeSoftmax(_) | Op::LogSoftmax(_) => are_operands,
            Op::Normalize(_) | Op::Broadcast | Op::Reshape | Op::Permute(_) | Op::Slice { .. } => are_operands,
            Op::Pad { .. } | Op::Cat(_) | Op::Gather { .. } | Op::Scatter { .. } | Op::Reduce(..) => are_operands,
            Op::MatMul { .. } | Op::Conv2d(_) | Op::Conv2dInputGrad(_) | Op::Conv2dWeightGrad(_) => are_operands,
            Op::MaxPool2d(_) | Op::MaxPool2dGrad(_) | Op::SumPool2d(_) | Op::SumPool2dGrad(_) => are_operands,
            Op::MaxPool2dIndex(_) | Op::MaxPool2dScatter(_) | Op::MaxPool2dGather(_) => are_operands,
            Op::Resample { .. } | Op::Attention(_) | Op::AttentionGrad(_) | Op::Copy | Op::After => are_operands,
            Op::Routine(_) | Op::Repeat(_) => are_operands,
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
