//! What values that a program makes must fulfil: a call that fails a check is an error and changes nothing.

use castnet_program::program::{Check, Must, Place, Program};

use super::Session;
use super::bound::Home;
use super::phases::Phases;
use super::rounds::Schedule;
use crate::ending::Outcome;
use crate::error::{Error, Result};
use crate::memory::Shared;
use crate::validate::writes;
use crate::verdict::{Code, RIGHT, Watch, Word, first};

/// What is watched in a program's runs: its checks, in order.
pub(super) fn watches(program: &Program, homes: &[Home], schedule: &Schedule) -> Vec<Watch> {
    // Of each word: the first phase after what writes it last, and that launch.
    let mut written = vec![(0, 0); program.words()];
    schedule.each(|stand| {
        for buffer in writes(&program.launches[stand.launch]) {
            if let Place::Check(word) = homes[buffer].place {
                written[word] = written[word].max((stand.last() + 1, stand.launch));
            }
        }
    });
    let mut word = 0;
    let each = |check: &Check| {
        let words = word..word + check.words();
        word = words.end;
        let code = match check.must {
            Must::Lie(_) => Code::Index,
            Must::Divide(_) => Code::Divisor,
        };
        let (phase, task) = written[words.clone()].iter().copied().max().unwrap_or_default();
        Watch { code, task, words, phase }
    };
    program.checks.iter().map(each).collect()
}

impl Phases {
    /// Whether something was found wrong before a phase, by a check or by the ending.
    ///
    /// # Safety
    /// `words` are the session's; no earlier phase runs any more.
    pub(super) unsafe fn has_failed(&self, phase: usize, words: Shared<i64>) -> bool {
        let told = self.watches.iter().filter(|watch| watch.phase <= phase);
        // SAFETY: there are as many words, and what writes these has run, as the caller says.
        told.into_iter().any(|watch| !unsafe { self.word(watch.words.start, words).is_right() })
    }

    /// The word of what is not finite.
    ///
    /// # Safety
    /// `words` are the session's.
    pub(super) unsafe fn verdict(&self, words: Shared<i64>) -> Word {
        // The last that is watched is the ending.
        let last = self.watches.last().map_or(0, |watch| watch.words.start);
        // SAFETY: as the caller says.
        unsafe { self.word(last, words) }
    }

    /// # Safety
    /// `words` are the session's.
    unsafe fn word(&self, number: usize, words: Shared<i64>) -> Word {
        // SAFETY: there are as many words.
        Word::new(Shared::new(unsafe { words.0.add(number) }))
    }
}

impl Session {
    /// Says that all is right, until something finds otherwise.
    pub(super) fn clear_checks(&mut self) {
        self.checks.slice_mut::<i64>().fill(RIGHT);
    }

    /// What became of the call.
    ///
    /// # Errors
    /// The mistake that the first check found which found one.
    pub(super) fn verdict(&self, phases: &Phases, scale: f32) -> Result<Outcome> {
        let program = self.program()?;
        match first(&phases.watches, self.checks.slice::<i64>()) {
            None => Ok(Outcome::Done),
            Some((_, Watch { code: Code::NotFinite, .. }, words)) => Ok(Outcome::of(words[0], scale)),
            Some((number, Watch { code: Code::Index | Code::Divisor, .. }, words)) => {
                Err(self.mistake(program, &program.checks[number], words))
            }
        }
    }

    fn mistake(&self, program: &Program, check: &Check, words: &[i64]) -> Error {
        let (places, found) = words.split_at(check.places());
        let places: Vec<usize> = places.iter().map(|place| *place as usize).collect();
        let (rounds, element) = (places[..check.rounds].to_vec(), places[check.rounds..][..check.axes].to_vec());
        let (function, by) = (program.name.clone(), self.loaded.place_at(check.loc, check.must.by()));
        match &check.must {
            Must::Divide(_) => Error::DividedByZero { function, by, element, rounds },
            Must::Lie(below) => {
                let size = |size: &castnet_program::size::Size| size.eval(&|name| self.value(name));
                let range = Box::new(size(&below.least)..size(&below.limit));
                Error::IndexOutOfRange { function, by, element, rounds, found: found[0], range }
            }
        }
    }

    /// The value of a run-time size in the prepared call; `validate` lets checks have no others.
    fn value(&self, name: &str) -> i64 {
        self.values[super::bind::position(&self.symbols, name)]
    }
}
