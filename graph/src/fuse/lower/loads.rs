//! What a launch reads.

use crate::program::{Access, Index};
use rustc_hash::FxHashMap;

/// What a launch reads, each access once.
#[derive(Default)]
pub(super) struct Loads {
    pub list: Vec<Access>,
    /// The numbers of those with a buffer and an index: a window may have a thousand.
    known: FxHashMap<(usize, Vec<Index>), Vec<usize>>,
}

impl Loads {
    /// The number of an access.
    pub(super) fn add(&mut self, access: Access) -> usize {
        let alike = self.known.entry((access.buffer, access.index.clone())).or_default();
        if let Some(&number) = alike.iter().find(|&&number| self.list[number] == access) {
            return number;
        }
        alike.push(self.list.len());
        self.list.push(access);
        self.list.len() - 1
    }
}
