//! Groups while they grow.

use std::collections::BTreeSet;

use super::reads::Reads;
use super::sequence::{Sequence, leads_to, order};
use super::{Group, Grouped, MOST};
use crate::fuse::view::strip_reshapes;
use crate::fuse::{Class, cost, needs_memory};
use crate::graph::Value;
use rustc_hash::FxHashMap;

/// The groups of a graph so far.
pub(super) struct Grouping<'g> {
    pub reads: Reads<'g>,
    /// The group of each computed node.
    of: Vec<Option<usize>>,
    groups: Vec<Option<Group>>,
    sequence: Sequence,
}

impl<'g> Grouping<'g> {
    /// Each computed node alone.
    pub(super) fn new(reads: Reads<'g>) -> Grouping<'g> {
        let mut of = vec![None; reads.graph.nodes.len()];
        let mut groups = vec![];
        for value in reads.computed() {
            of[value.index()] = Some(groups.len());
            groups.push(Some(reads.single(value)));
        }
        // Operands come first.
        let sequence = Sequence::new(groups.len());
        Grouping { reads, of, groups, sequence }
    }

    /// Tries each edge between two groups that `wanted` says.
    pub(super) fn pass(
        &mut self,
        consumers: impl Iterator<Item = Value>,
        wanted: impl Fn(&Self, Value, Value) -> bool,
    ) {
        for consumer in consumers {
            if self.of[consumer.index()].is_none() || needs_memory(&self.reads.graph.node(consumer).op) {
                continue;
            }
            // Of two tiles whose sum one kernel could end with, the last: it is made later, when the other one's operands are free.
            for operand in (0..self.reads.operands[consumer.index()].len()).rev() {
                let base = self.reads.operands[consumer.index()][operand].value;
                if self.of[base.index()].is_some() && wanted(self, base, consumer) {
                    self.try_merge(base, consumer);
                }
            }
        }
    }

    /// The group of a node, with its number.
    pub(super) fn group(&self, node: Value) -> Option<(usize, &Group)> {
        let id = self.of[node.index()]?;
        self.groups[id].as_ref().map(|g| (id, g))
    }

    /// Makes the two groups one if they may be and it is worth it.
    fn try_merge(&mut self, producer: Value, consumer: Value) {
        let (Some((p, pg)), Some((c, cg))) = (self.group(producer), self.group(consumer)) else { return };
        if p == c || pg.nodes.len() + cg.nodes.len() > MOST {
            return;
        }
        let Some(merged) = self.reads.merged(pg, cg, producer, consumer) else { return };
        if !self.reads.is_worth(&merged) || self.reads_memory_of(c, p) {
            return;
        }
        let is_stored = |node: Value| {
            self.reads.hard.contains(&node) || self.reads.readers(node).any(|reader| !merged.maps.contains_key(&reader))
        };
        if !cost::is_worth(self.reads.graph, &merged, &is_stored) {
            return;
        }
        let Some(between) = self.between(p, c) else { return };
        self.sequence.move_behind(p, c, &between);
        for node in &merged.nodes {
            self.of[node.index()] = Some(c);
        }
        self.groups[p] = None;
        self.groups[c] = Some(merged);
    }

    /// The groups between the two in the order that follow the producer's; `None` if one of them leads to the consumer's: merged, the two
    /// would wait for it and it for them.
    fn between(&self, p: usize, c: usize) -> Option<BTreeSet<usize>> {
        let end = self.sequence.place(c);
        let next = |group: usize| {
            let nodes = self.groups[group].iter().flat_map(|g| &g.nodes);
            let groups = nodes.flat_map(|n| self.reads.followers(*n)).filter_map(|r| self.of[r.index()]);
            groups.filter(move |&g| g != group && self.sequence.place(g) <= end)
        };
        let mut seen = BTreeSet::new();
        let mut open: Vec<usize> = next(p).filter(|&s| s != c).collect();
        while let Some(group) = open.pop() {
            if group == c {
                return None;
            }
            if seen.insert(group) {
                open.extend(next(group));
            }
        }
        Some(seen)
    }

    /// Whether the consumer's group reads from memory what the producer's makes.
    fn reads_memory_of(&self, c: usize, p: usize) -> bool {
        // An operand that must lie in memory cannot be made by the kernel that reads it.
        let reads_memory = |node: &Value| needs_memory(&self.reads.graph.node(*node).op);
        let reader = self.groups[c].iter().flat_map(|g| &g.nodes).filter(|n| reads_memory(n));
        reader.flat_map(|n| &self.reads.reads[n.index()]).any(|v| self.of[v.index()] == Some(p))
            || self.reshaped_between(p, c)
    }

    /// Whether the consumer's group reads the producer's through a reshape that no index follows, or from where its parts are joined.
    fn reshaped_between(&self, p: usize, c: usize) -> bool {
        let nodes = self.groups[c].iter().flat_map(|g| &g.nodes);
        nodes.flat_map(|n| &self.reads.operands[n.index()]).map(|operand| operand.value).any(|base| {
            let memory = strip_reshapes(self.reads.graph, base);
            match self.reads.class(memory) {
                Class::Joined => {
                    self.reads.graph.node(memory).inputs.iter().any(|part| self.of[part.index()] == Some(p))
                }
                _ => base != memory && self.of[memory.index()] == Some(p),
            }
        })
    }

    fn successors(&self) -> Vec<BTreeSet<usize>> {
        let mut successors = vec![BTreeSet::new(); self.groups.len()];
        for index in 0..self.reads.graph.nodes.len() {
            let Some(from) = self.of[index] else { continue };
            for to in self.reads.followers(Value(index as u32)).filter_map(|v| self.of[v.index()]) {
                if from != to {
                    successors[from].insert(to);
                }
            }
        }
        successors
    }

    /// For each parameter and each state, by number, the groups that read it.
    fn readers_of_memory(&self) -> FxHashMap<(Option<usize>, Option<usize>), BTreeSet<usize>> {
        let mut readers: FxHashMap<_, BTreeSet<usize>> = FxHashMap::default();
        for index in 0..self.reads.graph.nodes.len() {
            let Some(group) = self.of[index] else { continue };
            for operand in &self.reads.operands[index] {
                let op = &self.reads.graph.node(operand.value).op;
                if op.parameter().is_some() || op.state().is_some() {
                    readers.entry((op.parameter(), op.state())).or_default().insert(group);
                }
            }
        }
        readers
    }

    /// The groups in order; what updates a parameter waits for its readers where it can (gradients of a product of two parameters read
    /// each other's: then the update comes at the end of the step).
    pub(super) fn finish(self) -> Grouped {
        let mut successors = self.successors();
        let readers = self.readers_of_memory();
        for (value, role) in crate::fuse::prepare::roles(self.reads.graph) {
            let Some(last) = self.of[value.index()] else { continue };
            let changed = (role.gradient(), role.state());
            for &reader in readers.get(&changed).into_iter().flatten() {
                if !leads_to(&successors, last, reader) {
                    successors[reader].insert(last);
                }
            }
        }
        let mut groups = self.groups;
        let first: Vec<Option<Value>> = groups.iter().map(|g| Some(g.as_ref()?.nodes[0])).collect();
        let order = order(&first, &successors);
        let groups = order.into_iter().filter_map(|id| groups[id].take()).collect();
        Grouped { groups, hard: self.reads.hard, reads: self.reads.reads }
    }
}
