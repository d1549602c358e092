//! Which buffers may lie in the same memory, as an element is read where it is written.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Access, Buffer, Family, Index, Launch, Level, Source, Target};
use crate::size::Size;

impl Launch {
    /// Pairs (read, written) of buffers whose elements are read only at points that write the same element, and are as wide: others would lie on
    /// their neighbours. Of strided operands it holds if their strides are equal, which is for the call to see.
    pub fn in_place(&self, buffers: &[Buffer]) -> Vec<(usize, usize)> {
        self.pairs(buffers, &|level| level == Level::Element)
    }

    /// The same where what is written may have one element a row, too: such pairs no plan asks for, but they do no harm.
    pub fn may_lie_alike(&self, buffers: &[Buffer]) -> Vec<(usize, usize)> {
        self.pairs(buffers, &|_| true)
    }

    fn pairs(&self, buffers: &[Buffer], levels: &dyn Fn(Level) -> bool) -> Vec<(usize, usize)> {
        if matches!(self.family, Family::Scatter(_) | Family::Routine { .. }) {
            return vec![];
        }
        let mut positions = Positions::default();
        // Where each buffer is read, and in which stage last: of each the number of its position.
        let mut read: Vec<(usize, Vec<usize>, usize)> = vec![];
        let mut number_of: FxHashMap<usize, usize> = FxHashMap::default();
        for load in &self.loads {
            let number = *number_of.entry(load.buffer).or_insert_with(|| {
                read.push((load.buffer, vec![], 0));
                read.len() - 1
            });
            read[number].1.push(positions.number(load));
        }
        let mut written: Vec<Option<usize>> = vec![None; self.stores.len()];
        for (at, stage) in self.stages.iter().enumerate() {
            for input in &stage.inputs {
                let loads = match input {
                    Source::Load(load) => [Some(load), None],
                    Source::Gather { from, index, .. } => [Some(from), Some(index)],
                    Source::Acc | Source::Row(_) | Source::Index(_) | Source::Size(_) => [None, None],
                    Source::LossScale | Source::Random { .. } => [None, None],
                };
                for load in loads.into_iter().flatten() {
                    read[number_of[&self.loads[*load].buffer]].2 = at;
                }
            }
            for output in &stage.outputs {
                if let Target::Store(store) = output {
                    written[*store].get_or_insert(at);
                }
            }
        }
        let mut stored: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
        for store in &self.stores {
            stored.entry(store.buffer).or_default().push(positions.number(store));
        }
        let operands = self.operands();
        let mut seen: FxHashSet<(usize, usize)> = FxHashSet::default();
        let mut pairs = vec![];
        for (store, at) in self.stores.iter().zip(written) {
            let Some(at) = at.filter(|&at| levels(self.stages[at].level)) else { continue };
            let stored = &stored[&store.buffer];
            for (from, positions, last) in &read {
                // Every stage goes over all elements of a row before the next one does.
                let same_places = *last <= at && positions.iter().all(|position| stored.contains(position));
                let alike = same_places && buffers[*from].dtype.bytes() == buffers[store.buffer].dtype.bytes();
                if alike && !operands.contains(from) && seen.insert((*from, store.buffer)) {
                    pairs.push((*from, store.buffer));
                }
            }
        }
        pairs
    }
}

/// Numbers for the places of accesses: equal ones for those of which each element lies where the other one's does.
#[derive(Default)]
struct Positions<'a>(FxHashMap<Vec<(&'a Size, &'a Index)>, usize>);

impl<'a> Positions<'a> {
    fn number(&mut self, access: &'a Access) -> usize {
        let next = self.0.len();
        *self.0.entry(access.long_axes().collect()).or_insert(next)
    }
}
