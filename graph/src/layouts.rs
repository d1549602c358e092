//! How parameters lie in memory: one layout for each in a net and on a target, by all that the functions of the net do with it.

use std::collections::BTreeSet;

use crate::fuse::{Class, class};
use crate::graph::{Graph, Op, Value, in_rounds, rounds};
use crate::net::Parameter;
use crate::target::Target;

/// What a function does with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The right operand of a matrix product, transposed: `x · pᵀ`, as of a linear layer.
    ProductTransposed,
    /// The right operand of a matrix product as it is.
    Product,
    /// The weight of a convolution.
    Convolution,
    /// Rows of it are looked up.
    Gather,
    /// Anything else, element by element.
    Elements,
}

/// All uses of a parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Uses {
    /// By the functions as they are called for their results.
    pub inference: BTreeSet<Use>,
    /// By the steps that train it.
    pub training: BTreeSet<Use>,
}

/// Chooses the layout of every parameter. `graphs`: those that will be fused, and whether they train.
pub(crate) fn choose<'g>(
    parameters: &mut [Parameter],
    graphs: impl Iterator<Item = (&'g Graph, bool)>,
    target: &dyn Target,
) {
    let mut uses = vec![Uses::default(); parameters.len()];
    let mut sets: Vec<Vec<usize>> = vec![];
    for (graph, training) in graphs {
        note(graph, &mut vec![], &mut |numbers, of| {
            for &number in &numbers {
                let known = if training { &mut uses[number].training } else { &mut uses[number].inference };
                known.insert(of);
            }
            if numbers.len() > 1 && !sets.contains(&numbers) {
                sets.push(numbers);
            }
        });
    }
    // What the rounds of a loop read one after the other lies alike.
    while sets.iter().any(|set| unite(set, &mut uses)) {}
    for (parameter, uses) in parameters.iter_mut().zip(&uses) {
        parameter.layout = target.layout(&parameter.shape, uses);
    }
}

/// Gives all of a set the uses of all; whether that is news.
fn unite(set: &[usize], uses: &mut [Uses]) -> bool {
    let mut all = Uses::default();
    for &number in set {
        all.inference.extend(&uses[number].inference);
        all.training.extend(&uses[number].training);
    }
    let news = set.iter().any(|number| uses[*number] != all);
    set.iter().for_each(|number| uses[*number] = all.clone());
    news
}

/// Tells of each use of a parameter, or of those that a loop reads one after the other, in the bodies of loops of so many rounds too.
fn note(graph: &Graph, counts: &mut Vec<usize>, found: &mut dyn FnMut(Vec<usize>, Use)) {
    for (index, node) in graph.nodes.iter().enumerate() {
        if let Op::Repeat(repeat) = &node.op {
            counts.push(rounds(repeat));
            note(&repeat.body, counts, found);
            counts.pop();
        }
        // What a view shows is used by whoever reads the view.
        if class(graph, Value(index as u32)) == Class::View {
            continue;
        }
        for (operand, &value) in node.inputs.iter().enumerate() {
            let memory = below(graph, value);
            let of = match (&node.op, operand) {
                (Op::MatMul { tb: true, .. }, 1) if memory == value => Use::ProductTransposed,
                (Op::MatMul { .. }, 1) if memory == value => Use::Product,
                (Op::Conv2d(_) | Op::Conv2dInputGrad(_), 1) => Use::Convolution,
                (Op::Gather { .. }, 0) => Use::Gather,
                _ => Use::Elements,
            };
            match &graph.node(memory).op {
                Op::Parameter(number) => found(vec![*number], of),
                Op::RoundParameter { first, steps } => found(in_rounds(*first, steps, counts), of),
                _ => {}
            }
        }
    }
}

/// What a view shows.
fn below(graph: &Graph, mut value: Value) -> Value {
    while class(graph, value) == Class::View {
        value = graph.node(value).inputs[0];
    }
    value
}
