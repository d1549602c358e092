//! What values that a program makes must fulfil: a call that fails a check is an error and changes nothing.

use castnet_program::program::{Check, Must, Place, Program};

use super::binding::Home;
use super::phases::Phases;
use super::rounds::Schedule;
use crate::memory::Shared;
use crate::validate::writes;
use crate::verdict::{Code, Watch, Word};

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
    /// `words` are the frame's; no earlier phase runs any more.
    pub(super) unsafe fn has_failed(&self, phase: usize, words: Shared<i64>) -> bool {
        let told = self.watches.iter().filter(|watch| watch.phase <= phase);
        // SAFETY: there are as many words, and what writes these has run, as the caller says.
        told.into_iter().any(|watch| !unsafe { self.word(watch.words.start, words).is_right() })
    }

    /// The word of what is not finite.
    ///
    /// # Safety
    /// `words` are the frame's.
    pub(super) unsafe fn verdict(&self, words: Shared<i64>) -> Word {
        // The last that is watched is the ending.
        let last = self.watches.last().map_or(0, |watch| watch.words.start);
        // SAFETY: as the caller says.
        unsafe { self.word(last, words) }
    }

    /// # Safety
    /// `words` are the frame's.
    unsafe fn word(&self, number: usize, words: Shared<i64>) -> Word {
        // SAFETY: there are as many words.
        Word::new(Shared::new(unsafe { words.0.add(number) }))
    }
}
