//! What values that a program makes must fulfil: a call that fails a check is an error and changes nothing.

use castnet_graph::program::{Check, Must, Place, Program};

use super::Session;
use super::bound::{Bound, launch_of};
use crate::error::{Error, Result};
use crate::memory::Shared;
use crate::validate::writes;

/// When a check is done.
pub(super) struct Done {
    /// Its first word.
    word: usize,
    /// The first phase that runs after it.
    pub(super) phase: usize,
}

/// The checks of a program, by the phase that finds the last word of each.
pub(super) fn done(program: &Program, bound: &Bound) -> Vec<Done> {
    let mut written = vec![0; program.words()];
    for (number, phase) in bound.phases.iter().enumerate() {
        for buffer in writes(launch_of(&program.launches, phase)) {
            if let Place::Check(word) = bound.homes[buffer].place {
                written[word] = number + 1;
            }
        }
    }
    let mut word = 0;
    let each = |check: &Check| {
        let words = word..word + check.words();
        word = words.end;
        Done { word: words.start, phase: written[words].iter().copied().max().unwrap_or(0) }
    };
    program.checks.iter().map(each).collect()
}

impl Bound {
    /// Whether a check that was done before a phase has found a mistake.
    ///
    /// # Safety
    /// `words` are those of the program's checks; no earlier phase runs any more.
    pub(super) unsafe fn has_failed(&self, phase: usize, words: Shared<f32>) -> bool {
        // SAFETY: there are as many words as the checks have, and what writes these has run, as the caller says.
        self.checks.iter().any(|done| done.phase <= phase && unsafe { *words.0.add(done.word) } != f32::INFINITY)
    }
}

impl Session {
    /// Says that all is right, until a check finds otherwise.
    pub(super) fn clear_checks(&mut self) {
        self.checks.slice_mut::<f32>().fill(f32::INFINITY);
    }

    /// The mistake that the first check found which found one.
    pub(super) fn verdict(&self) -> Result<()> {
        let (program, bound) = (self.program()?, self.bound()?);
        let words = self.checks.slice::<f32>();
        for (check, done) in program.checks.iter().zip(&bound.checks) {
            let words = &words[done.word..done.word + check.words()];
            if words[0] != f32::INFINITY {
                return Err(self.mistake(program, check, words));
            }
        }
        Ok(())
    }

    fn mistake(&self, program: &Program, check: &Check, words: &[f32]) -> Error {
        let (places, found) = words.split_at(check.places());
        let places: Vec<usize> = places.iter().map(|place| *place as usize).collect();
        let (rounds, element) = (places[..check.rounds].to_vec(), places[check.rounds..][..check.axes].to_vec());
        let (function, by) = (program.name.clone(), self.loaded.place_at(check.loc, check.must.by()));
        match &check.must {
            Must::Divide(_) => Error::DividedByZero { function, by, element, rounds },
            Must::Lie(below) => {
                let size = |size: &castnet_graph::size::Size| size.eval(&|name| self.value(name));
                let range = Box::new(size(&below.least)..size(&below.limit));
                Error::IndexOutOfRange { function, by, element, rounds, found: found[0], range }
            }
        }
    }

    /// The value of a run-time size in the prepared call.
    fn value(&self, name: &str) -> i64 {
        self.symbols.iter().position(|s| **s == *name).map_or(0, |i| self.values[i])
    }
}
