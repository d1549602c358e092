//! The phases of a call as the pool sees them: chunks. One of the few modules with `unsafe`.

use std::sync::atomic::AtomicU64;

use castnet_kernels::{Kernel, Places, Run, StepScalars, Update};

use super::ending::{EndingRun, EndingWork, InPlace};
use super::in_place::AtOnce;
use super::phases::Phases;
use super::rounds::What;
use crate::memory::Shared;
use crate::pool::Work;

/// One run, as the pool sees it.
pub(super) struct Execution<'a> {
    pub(super) phases: &'a Phases,
    pub(super) kernels: &'a [Kernel],
    /// Whether a part of a kernel has more than one chunk.
    pub(super) is_shared: bool,
    /// The addresses of all buffers, in the first rounds of loops.
    pub(super) addresses: &'a [Shared<u8>],
    /// By how many bytes they move on.
    pub(super) strides: &'a [isize],
    /// Room for sums of squares, one a piece of the ending.
    pub(super) squares: &'a [AtomicU64],
    pub(super) scalars: Shared<StepScalars>,
    pub(super) scratch: Shared<u8>,
    pub(super) scratch_stride: usize,
    pub(super) shared: Shared<u8>,
    /// The words of checks.
    pub(super) checks: Shared<i64>,
    /// Of the phases' schedule, if that has one.
    pub(super) ending: Option<&'a dyn EndingWork>,
}

/// How many loops may stand in each other before a chunk allocates to know its rounds.
const FEW: usize = 16;

impl Work for Execution<'_> {
    fn chunks(&self, phase: usize) -> u32 {
        match self.phases.schedule.what(phase, |_, _, _| ()) {
            // `Binding::new` found that no launch has more than the pool can count.
            What::Launch { launch, part } => self.kernels[launch].chunks(part) as u32,
            What::Ending(phase) => self.ending.map_or(0, |ending| ending.chunks(phase)),
        }
    }

    fn is_shared(&self) -> bool {
        self.is_shared || self.phases.most_pieces > 1
    }

    fn run(&self, phase: usize, chunk: usize, worker: usize) {
        // SAFETY: the pool runs phases in order; the words are those of this run.
        if unsafe { self.phases.has_failed(phase, self.checks) } {
            return;
        }
        let schedule = &self.phases.schedule;
        let (mut few, mut many) = ([0; FEW], vec![]);
        let rounds = match schedule.depth() <= FEW {
            true => &mut few[..schedule.depth()],
            false => {
                many.resize(schedule.depth(), 0);
                &mut many[..]
            }
        };
        // The rounds, how many loops there are, and the rounds counted through.
        let (mut depth, mut through) = (0, 0);
        let what = schedule.what(phase, |at, count, round| {
            (rounds[at], depth, through) = (round as u32, at + 1, through * count + round);
        });
        match what {
            What::Launch { launch, part } => {
                let in_place = self.in_place(phase);
                let update = in_place.as_ref().map(|u| u as &dyn Update);
                let places = Places::new(self.bases(), self.strides, &rounds[..depth]).sharing(self.shared.0);
                // SAFETY: the scalars are alive, and no phase of a launch writes them.
                let run = Run { places, scalars: unsafe { &*self.scalars.0 }, round: through as u64, update };
                // SAFETY: the pool gives no worker number to two threads at once, none beyond the limit, and there are as many parts.
                let scratch = unsafe {
                    std::slice::from_raw_parts_mut(
                        self.scratch.0.add(worker * self.scratch_stride),
                        self.scratch_stride,
                    )
                };
                // SAFETY: `Frame::place` computed the addresses of buffers that `Binding::new` found to lie within their places, and all places stay
                // borrowed; the pool runs each chunk once, and phases one after the other.
                unsafe { self.kernels[launch].run(part, chunk, &run, scratch) }
            }
            What::Ending(phase) => {
                let Some(ending) = self.ending else { return };
                // SAFETY: the words are those of this run.
                let verdict = unsafe { self.phases.verdict(self.checks) };
                let (pieces, squares) = (self.phases.pieces(), self.squares);
                let own = EndingRun { pieces, squares, scalars: self.scalars, verdict };
                // SAFETY: the pool runs phases in order and each chunk once; whoever calls for the run borrows gradients, results and sum all the
                // while, and scalars and words are those of this run.
                unsafe { ending.run(phase, chunk, &own) }
            }
        }
    }
}

impl Execution<'_> {
    /// What takes the gradient that a phase makes, if its update is fused into it.
    fn in_place(&self, phase: usize) -> Option<InPlace<'_>> {
        let (ending, at_once) = (self.ending?, &self.phases.at_once);
        let at = at_once.binary_search_by_key(&phase, |update| update.phase).ok()?;
        let AtOnce { start, of, .. } = at_once[at];
        Some(InPlace { ending, start, of })
    }

    fn bases(&self) -> &[*mut u8] {
        let bases = self.addresses;
        // SAFETY: `Shared<u8>` is a transparent wrapper of the pointer.
        unsafe { std::slice::from_raw_parts(bases.as_ptr().cast::<*mut u8>(), bases.len()) }
    }
}
