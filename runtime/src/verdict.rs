//! The verdict of a call: what its fallible tasks found wrong. One of the few modules with `unsafe`.
//!
//! Whatever can fail while a program runs says so here and in no other way: it is *watched* ([`Watch`]) for one thing ([`Code`]), by one task,
//! which leaves words in the memory of the call's frame. The first word is [`RIGHT`], the greatest number, while nothing is wrong; else the words
//! are the smallest position of what is, in row-major order, and behind it what stands there. They are minima, so they are the same on any
//! number of threads. No phase that comes after a task with bad news does anything ([`Word::is_right`]): updates of parameters and what the
//! call gives to the model, its states, come after all of them.

use std::ops::Range;

use crate::memory::Shared;

/// What a word is while nothing is wrong: kernels make it the minimum of the places of what is.
pub(crate) const RIGHT: i64 = i64::MAX;

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// An index lies outside of what it names an element of.
    Index,
    /// An integer is divided by 0.
    Divisor,
    /// The loss, or the gradient of a parameter, is not finite. The position is -1 or the number of the parameter, and nothing stands behind it.
    NotFinite,
}

/// One thing that may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) code: Code,
    /// The task that says the last of its words: the number of a launch, or of the first one behind them for what follows the program.
    pub(crate) task: usize,
    /// Which words of the frame are about it.
    pub(crate) words: Range<usize>,
    /// The first phase that runs after that task.
    pub(crate) phase: usize,
}

/// The first of the things watched that is wrong, by number, with its words.
pub(crate) fn first<'v>(watches: &'v [Watch], words: &'v [i64]) -> Option<(usize, &'v Watch, &'v [i64])> {
    let told = watches.iter().enumerate().map(|(number, watch)| (number, watch, &words[watch.words.clone()]));
    told.into_iter().find(|(_, _, words)| words[0] != RIGHT)
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// All is done.
    Done,
    /// Gradients under a loss scale are not finite. Nothing has changed: another scale may do.
    Overflow,
    /// Something is not finite. Nothing has changed.
    NotFinite(NotFinite),
}

/// What is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NotFinite {
    Loss,
    /// The gradient of the parameter with this number: of several the first one.
    Gradient(usize),
}

/// The loss as a place: it comes before all parameters.
pub(crate) const LOSS: i64 = -1;

impl Outcome {
    /// By the word of the verdict, under a loss scale.
    pub(crate) fn of(word: i64, scale: f32) -> Outcome {
        match word {
            RIGHT => Outcome::Done,
            LOSS => Outcome::NotFinite(NotFinite::Loss),
            _ if scale != 1.0 => Outcome::Overflow,
            parameter => Outcome::NotFinite(NotFinite::Gradient(parameter as usize)),
        }
    }
}

/// One word, while the phases of a call run.
#[derive(Clone, Copy)]
pub(crate) struct Word(Shared<i64>);

impl Word {
    /// Wraps an address.
    pub(crate) fn new(word: Shared<i64>) -> Word {
        Word(word)
    }

    /// Whether nothing is wrong: what must not happen otherwise asks this first.
    ///
    /// # Safety
    /// The word is alive, and whatever writes it has run.
    pub(crate) unsafe fn is_right(self) -> bool {
        // SAFETY: as the caller says.
        unsafe { *self.0.0 == RIGHT }
    }

    /// Says where something is wrong, or that nothing is.
    ///
    /// # Safety
    /// The word is alive, and nobody else uses it meanwhile.
    pub(crate) unsafe fn set(self, place: i64) {
        // SAFETY: as the caller says.
        unsafe { *self.0.0 = place }
    }
}
