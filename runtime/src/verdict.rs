//! The verdict of a call: a word for each thing that may be wrong, which says whether it is and where it stands first. One of the few modules
//! with `unsafe`.

use crate::memory::Shared;

/// What a word is while nothing is wrong: kernels make it the minimum of the places of what is.
pub(crate) const RIGHT: i64 = i64::MAX;

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
