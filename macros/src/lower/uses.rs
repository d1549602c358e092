//! What the uses of blocks and private functions show: one without mistakes proves its block right; a mistake that all of them make is the block's.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use castnet_graph::diagnostic::{Diagnostic, Loc};

use super::calls::is_inside;
use super::hopeless::{OF_PARAMETERS, holds_no_number};

/// Sizes that should be equal: not what a use says by a rule, an argument out of its range.
const MISMATCHES: [&str; 5] = ["N0101", "N0102", "N0108", "N0506", "N0509"];

/// The uses of every block and private function, by where its name is defined.
#[derive(Default)]
pub(super) struct Uses {
    all: RefCell<HashMap<Loc, Vec<Use>>>,
    /// What is lowered now is a sample, and proves nothing.
    quiet: Cell<bool>,
}

/// A call, wherever it stands; equal elements of an array are one.
struct Use {
    at: Loc,
    /// The mistakes in the body; none, if one of the calls that stand here has none.
    mistakes: Vec<Diagnostic>,
}

impl Uses {
    /// A call at this place made these mistakes in the body.
    pub fn note(&self, definition: Loc, at: Loc, mistakes: &[Diagnostic]) {
        if self.quiet.get() {
            return;
        }
        let mut all = self.all.borrow_mut();
        let uses = all.entry(definition).or_default();
        match uses.iter_mut().find(|one| one.at == at) {
            Some(known) if mistakes.is_empty() => known.mistakes.clear(),
            Some(_) => {}
            None => uses.push(Use { at, mistakes: mistakes.to_vec() }),
        }
    }

    /// Calls in this are samples.
    pub fn quietly<T>(&self, lower: impl FnOnce() -> T) -> T {
        let before = self.quiet.replace(true);
        let result = lower();
        self.quiet.set(before);
        result
    }

    /// Whether there is one.
    pub fn has(&self, definition: Loc) -> bool {
        self.all.borrow().contains_key(&definition)
    }

    /// Everything is to be found out anew.
    pub fn forget(&self) {
        self.all.borrow_mut().clear();
    }

    /// Whether all of them make mistakes.
    pub fn are_wrong(&self, definition: Loc) -> bool {
        self.all.borrow().get(&definition).is_some_and(|uses| uses.iter().all(|one| !one.mistakes.is_empty()))
    }

    /// The mistakes that all uses make at the same places: `nested`, those in what is called there in turn. Of a single use, one that may
    /// be mended by other sizes is the use's; `open`: it has build-time parameters, which may be of the wrong kind.
    pub fn shared(&self, definition: Loc, nested: bool, open: bool) -> Vec<Diagnostic> {
        let all = self.all.borrow();
        let Some([first, others @ ..]) = all.get(&definition).map(Vec::as_slice) else { return vec![] };
        let is_shared = |m: &&Diagnostic| {
            let everywhere = others.iter().all(|one| one.mistakes.iter().any(|d| d.code == m.code && d.at == m.at));
            let certain = match holds_no_number(m) {
                true => !(open && OF_PARAMETERS.contains(&m.code)),
                false => !others.is_empty() && MISMATCHES.contains(&m.code),
            };
            everywhere && certain && is_inside(m) == nested
        };
        let several = |m: &Diagnostic| match others.is_empty() {
            true => m.clone(),
            false => m.clone().note(first.at, "every use shows this; the first one is here"),
        };
        first.mistakes.iter().filter(is_shared).map(several).collect()
    }
}
