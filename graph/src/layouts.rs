//! How parameters and their mirrors lie in memory: one layout for each in a net and on a target, by all that the functions of the net do with it.

use std::collections::BTreeSet;

use crate::fuse::{Class, class};
use crate::graph::{Graph, Node, Op, Value, in_rounds, rounds};
use crate::net::{ForTarget, Mirror, Parameter};
use crate::target::Target;
use crate::types::DType;

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

impl Uses {
    fn extend(&mut self, other: &Uses) {
        self.inference.extend(&other.inference);
        self.training.extend(&other.training);
    }
}

/// How a parameter is read: itself, and each of its mirrors.
#[derive(Clone, Debug, Default)]
struct Reads {
    own: Uses,
    mirrors: Vec<(DType, Uses)>,
}

impl Reads {
    /// What is done with the mirror of a type.
    fn mirror(&mut self, dtype: DType) -> &mut Uses {
        let at = self.mirrors.iter().position(|(known, _)| *known == dtype).unwrap_or_else(|| {
            self.mirrors.push((dtype, Uses::default()));
            self.mirrors.len() - 1
        });
        &mut self.mirrors[at].1
    }

    fn extend(&mut self, other: &Reads) {
        self.own.extend(&other.own);
        other.mirrors.iter().for_each(|(dtype, uses)| self.mirror(*dtype).extend(uses));
    }

    /// What is done with the parameter or with a mirror of it.
    fn all(&self) -> Uses {
        let mut all = self.own.clone();
        self.mirrors.iter().for_each(|(_, uses)| all.extend(uses));
        all
    }
}

/// What a function does with a parameter, or with those that a loop reads one after the other.
struct Found {
    numbers: Vec<usize>,
    /// The mirror's type, if it is one.
    mirror: Option<DType>,
    /// `None`: it is there.
    of: Option<Use>,
}

/// How a target has the parameters, without programs; and which uses of which parameters are to read a mirror in the parameter's own type. `graphs`: those that will be fused, and whether they
/// train.
pub(crate) fn choose<'g>(
    parameters: &[Parameter],
    float: DType,
    graphs: impl Iterator<Item = (&'g Graph, bool)>,
    target: &dyn Target,
) -> (ForTarget, BTreeSet<(usize, Use)>) {
    let mut reads = vec![Reads::default(); parameters.len()];
    let mut sets: Vec<BTreeSet<usize>> = vec![];
    for (graph, training) in graphs {
        note(graph, &mut vec![], &mut |Found { numbers, mirror, of }| {
            for &number in &numbers {
                let uses = match mirror {
                    None => &mut reads[number].own,
                    Some(dtype) => reads[number].mirror(dtype),
                };
                if training { &mut uses.training } else { &mut uses.inference }.extend(of);
            }
            join(numbers, &mut sets);
        });
    }
    // What the rounds of a loop read one after the other lies alike.
    for set in &sets {
        let mut all = Reads::default();
        set.iter().for_each(|&number| all.extend(&reads[number]));
        set.iter().for_each(|&number| reads[number] = all.clone());
    }

    let mut lies = ForTarget { target: target.backend(), layouts: vec![], mirrors: vec![], programs: vec![] };
    let mut elsewhere = BTreeSet::new();
    for (number, (parameter, reads)) in parameters.iter().zip(&mut reads).enumerate() {
        let all = reads.all();
        let master = target.layout(&parameter.shape, &all);
        let mut other = None;
        for &of in all.inference.union(&all.training) {
            let asked = target.mirror(&parameter.shape, &all, of).filter(|layout| *layout != master);
            if asked.is_some() && (other.is_none() || other == asked) {
                elsewhere.insert((number, of));
                other = asked;
            }
        }
        lies.layouts.push(master);
        let halves = reads.mirrors.iter().map(|(dtype, uses)| (*dtype, target.layout(&parameter.shape, uses)));
        let mirrors = halves.chain(other.map(|layout| (float, layout)));
        lies.mirrors.extend(mirrors.map(|(dtype, layout)| Mirror { parameter: number, dtype, layout }));
    }
    // Mirrors of such a set lie one behind the other, so that each round finds its own as far from the one before.
    let set = |number: usize| sets.iter().position(|set| set.contains(&number)).unwrap_or(sets.len());
    lies.mirrors.sort_by_key(|mirror| (set(mirror.parameter), mirror.dtype.name(), mirror.parameter));
    (lies, elsewhere)
}

/// Adds a set, joined with those that it has a number in common with.
fn join(numbers: Vec<usize>, sets: &mut Vec<BTreeSet<usize>>) {
    let mut set = BTreeSet::from_iter(numbers);
    if set.len() > 1 && !sets.iter().any(|known| known.is_superset(&set)) {
        let (met, apart) = std::mem::take(sets).into_iter().partition(|known| !known.is_disjoint(&set));
        let met: Vec<BTreeSet<usize>> = met;
        set.extend(met.into_iter().flatten());
        *sets = apart;
        sets.push(set);
    }
}

/// Tells of each use of a parameter, or of those that a loop reads one after the other, in the bodies of loops of so many rounds too; and of
/// each mirror.
fn note(graph: &Graph, counts: &mut Vec<usize>, found: &mut dyn FnMut(Found)) {
    for (index, node) in graph.nodes.iter().enumerate() {
        match &node.op {
            Op::Repeat(repeat) => {
                counts.push(rounds(repeat));
                note(&repeat.body, counts, found);
                counts.pop();
            }
            Op::Mirror { .. } => found(read(node, counts, None)),
            _ => {}
        }
        // What a view shows is used by whoever reads the view.
        if class(graph, Value(index as u32)) == Class::View {
            continue;
        }
        for operand in 0..node.inputs.len() {
            let (memory, of) = of_operand(graph, node, operand);
            let memory = graph.node(memory);
            if memory.op.parameter().is_some() {
                found(read(memory, counts, Some(of)));
            }
        }
    }
}

/// A node that is a parameter or a mirror, as it is read in loops of so many rounds.
fn read(node: &Node, counts: &[usize], of: Option<Use>) -> Found {
    let (numbers, mirror) = match &node.op {
        Op::RoundParameter { first, steps } => (in_rounds(*first, steps, counts), None),
        Op::Mirror { first, steps } => (in_rounds(*first, steps, counts), Some(node.ty.dtype)),
        op => (op.parameter().into_iter().collect(), None),
    };
    Found { numbers, mirror, of }
}

/// What lies under an operand, and what the node does with it.
pub(crate) fn of_operand(graph: &Graph, node: &Node, operand: usize) -> (Value, Use) {
    let value = node.inputs[operand];
    let memory = below(graph, value);
    let of = match (&node.op, operand) {
        (Op::MatMul { tb: true, .. }, 1) if memory == value => Use::ProductTransposed,
        (Op::MatMul { .. }, 1) if memory == value => Use::Product,
        (Op::Conv2d(_) | Op::Conv2dInputGrad(_), 1) => Use::Convolution,
        (Op::Gather { .. }, 0) => Use::Gather,
        _ => Use::Elements,
    };
    (memory, of)
}

/// What a view shows.
fn below(graph: &Graph, mut value: Value) -> Value {
    while class(graph, value) == Class::View {
        value = graph.node(value).inputs[0];
    }
    value
}
