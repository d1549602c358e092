//! What each node of a graph reads, as far as grouping asks.

use std::collections::BTreeSet;

use crate::fuse::view::{Base, strip_reshapes, trace, waits_for};
use crate::fuse::{Class, class, needs_memory};
use crate::graph::{Graph, Op, Value};
use rustc_hash::FxHashMap;

/// A graph with what its nodes read.
pub(super) struct Reads<'g> {
    pub graph: &'g Graph,
    classes: Vec<Class>,
    /// For each computed node, what its operands are views of.
    pub operands: Vec<Vec<Base>>,
    /// Computed nodes whose value a node reads, through any view.
    pub reads: Vec<Vec<Value>>,
    /// The other way round.
    read_by: Vec<Vec<Value>>,
    /// Computed nodes that wait for this one without reading it.
    awaited_by: Vec<Vec<Value>>,
    /// Values that must lie in memory: results, and operands of what reads memory.
    pub hard: BTreeSet<Value>,
}

impl<'g> Reads<'g> {
    pub(super) fn new(graph: &'g Graph) -> Reads<'g> {
        let classes: Vec<Class> = (0..graph.nodes.len()).map(|i| class(graph, Value(i as u32))).collect();
        let computed = |v: Value| classes[v.index()].is_computed();
        let mut operands = vec![vec![]; graph.nodes.len()];
        let mut hard: BTreeSet<Value> = crate::fuse::prepare::roles(graph).into_iter().map(|(v, _)| v).collect();
        let joined = graph.nodes.iter().filter(|node| matches!(node.op, Op::Cat(_)));
        hard.extend(joined.flat_map(|node| &node.inputs));
        let mut reads = vec![vec![]; graph.nodes.len()];
        let mut awaited_by = vec![vec![]; graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            if !computed(Value(index as u32)) {
                continue;
            }
            for &operand in &node.inputs {
                waits_for(graph, operand).iter().for_each(|v| awaited_by[v.index()].push(Value(index as u32)));
                let seen = trace(graph, operand);
                let base = seen.value;
                operands[index].push(seen);
                let memory = strip_reshapes(graph, base);
                if matches!(graph.node(memory).op, Op::Get(_)) {
                    reads[index].push(graph.node(memory).inputs[0]);
                }
                if classes[memory.index()] == Class::Joined {
                    reads[index].extend(&graph.node(memory).inputs);
                }
                if computed(memory) {
                    reads[index].push(memory);
                    if memory != base || needs_memory(&node.op) {
                        hard.insert(memory);
                    }
                }
            }
        }
        // Loops over the same states run in the order in which they were written, as if the later one read what the earlier one makes.
        let mut touched: FxHashMap<usize, Value> = FxHashMap::default();
        for (index, node) in graph.nodes.iter().enumerate() {
            let Op::Repeat(repeat) = &node.op else { continue };
            for state in repeat.states_of_net() {
                let earlier = touched.insert(state, Value(index as u32));
                reads[index].extend(earlier.filter(|e| e.index() != index));
            }
        }
        let mut read_by = vec![vec![]; graph.nodes.len()];
        for (index, values) in reads.iter().enumerate() {
            values.iter().for_each(|v| read_by[v.index()].push(Value(index as u32)));
        }
        Reads { graph, classes, operands, reads, read_by, awaited_by, hard }
    }

    pub(super) fn class(&self, value: Value) -> Class {
        self.classes[value.index()]
    }

    /// The computed nodes.
    pub(super) fn computed(&self) -> impl Iterator<Item = Value> + '_ {
        self.all().filter(|v| self.class(*v).is_computed())
    }

    /// All nodes.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = Value> + Clone + use<> {
        (0..self.graph.nodes.len()).map(|i| Value(i as u32))
    }

    /// The nodes that read a value.
    pub(super) fn readers(&self, value: Value) -> impl Iterator<Item = Value> + '_ {
        self.read_by[value.index()].iter().copied()
    }

    /// The nodes that come after a value: that read it or wait for it.
    pub(super) fn followers(&self, value: Value) -> impl Iterator<Item = Value> + '_ {
        self.readers(value).chain(self.awaited_by[value.index()].iter().copied())
    }

    /// How many nodes and results read each value.
    pub(super) fn reader_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.graph.nodes.len()];
        let roles = crate::fuse::prepare::roles(self.graph).into_iter().map(|(v, _)| v);
        self.reads.iter().flatten().copied().chain(roles).for_each(|v| counts[v.index()] += 1);
        counts
    }
}
