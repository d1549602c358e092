//! In which order groups may run.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::graph::Value;

/// An order in which groups may run while they are merged; what was merged into another one stands in it without meaning.
pub(super) struct Sequence {
    order: Vec<usize>,
    /// Where each group stands in it.
    place: Vec<usize>,
}

impl Sequence {
    /// One after the other.
    pub(super) fn new(groups: usize) -> Sequence {
        Sequence { order: (0..groups).collect(), place: (0..groups).collect() }
    }

    /// Where a group stands.
    pub(super) fn place(&self, group: usize) -> usize {
        self.place[group]
    }

    /// Keeps the order one in which the groups may run when the producer's takes the consumer's place: what follows it comes behind (cf.
    /// Pearce & Kelly, *A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs*, 2006).
    pub(super) fn move_behind(&mut self, p: usize, c: usize, between: &BTreeSet<usize>) {
        let places: Range<usize> = self.place[p]..self.place[c] + 1;
        let (behind, before): (Vec<usize>, Vec<usize>) =
            self.order[places.clone()].iter().partition(|group| between.contains(group));
        for (place, group) in places.zip(before.into_iter().chain(behind)) {
            self.order[place] = group;
            self.place[group] = place;
        }
    }
}

/// An order in which groups may run, by Kahn's algorithm, the one with the earliest first node first; those without one are left out.
pub(crate) fn order(first: &[Option<Value>], successors: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut waiting = vec![0; first.len()];
    successors.iter().flatten().for_each(|&s| waiting[s] += 1);
    let key = |id: usize| first[id].map(|first| (first, id));
    let mut ready: BTreeSet<(Value, usize)> = (0..first.len()).filter(|&id| waiting[id] == 0).filter_map(key).collect();
    let mut order = vec![];
    while let Some((_, id)) = ready.pop_first() {
        order.push(id);
        for &next in &successors[id] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.extend(key(next));
            }
        }
    }
    order
}

/// Whether a path leads from one group to another, or they are the same.
pub(super) fn leads_to(successors: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let (mut seen, mut open) = (vec![false; successors.len()], vec![from]);
    while let Some(group) = open.pop() {
        if group == to {
            return true;
        }
        if !std::mem::replace(&mut seen[group], true) {
            open.extend(&successors[group]);
        }
    }
    false
}
