//! What a step does once gradients are known, as a backend sees it. One of the few modules with `unsafe`.

use std::sync::atomic::AtomicU64;

use castnet_kernels::{Gradient, StepScalars, Update};
use castnet_program::program::cost::Cost;
use castnet_program::program::ending::EndingKind;

use super::rounds::EndingPhase;
use crate::memory::Shared;
use crate::net::{Loaded, Updated};
use crate::pieces::Piece;
use crate::verdict::Word;

/// The chunks of an ending, and updates in place of storing a gradient.
pub(crate) trait EndingWork: Sync {
    /// Chunks of a phase.
    fn chunks(&self, phase: &EndingPhase) -> u32;

    /// Runs one chunk.
    ///
    /// # Safety
    /// The phases run in the order of a schedule, each chunk once; gradients, sum and loss are alive, of the net's float type, and hold all pieces;
    /// what `own` refers to is alive, and nobody else writes it.
    unsafe fn run(&self, phase: &EndingPhase, chunk: usize, own: &EndingRun<'_>);

    /// Updates elements of a parameter, from number `start` of the flat arena on, by their gradient.
    ///
    /// # Safety
    /// No other thread uses these elements or their mirrors meanwhile.
    unsafe fn update(&self, of: Updated, start: usize, gradient: Gradient<'_>);

    /// The net whose parameters these are.
    fn loaded(&self) -> &Loaded;

    /// The optimizer's name, and how many numbers it remembers of each element.
    fn optimizer(&self) -> (&'static str, usize);

    /// What a task about so many elements costs.
    fn cost(&self, kind: EndingKind, elements: usize) -> Cost;
}

/// What the tasks of an ending share in a call.
pub(crate) struct EndingRun<'a> {
    /// What they are about.
    pub(crate) pieces: &'a [Piece],
    /// The bits of a sum of squares for each.
    pub(crate) squares: &'a [AtomicU64],
    /// Of these they write the factor alone.
    pub(crate) scalars: Shared<StepScalars>,
    /// Right at first; what comes after [`EndingKind::Factor`] is to run only if it still is.
    pub(crate) verdict: Word,
}

/// Updates one parameter in place of storing its gradient.
pub(super) struct InPlace<'a> {
    pub(super) ending: &'a dyn EndingWork,
    /// Where the parameter starts in the flat arena.
    pub(super) start: usize,
    pub(super) of: Updated,
}

impl Update for InPlace<'_> {
    unsafe fn update(&self, _: usize, at: usize, gradient: Gradient<'_>) {
        // SAFETY: the kernel hands over each element of the parameter once, and `in_place` made sure that no other launch reads it.
        unsafe { self.ending.update(self.of, self.start + at, gradient) }
    }
}
