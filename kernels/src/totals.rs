//! The values that an element stage reduces into, and how those of long reductions are summed.

use castnet_program::scalar::{Lane, Reduction};

use crate::reduce;
use crate::stage::{Output, Stage};
use crate::worker::Worker;

/// Rows whose sums are collected apart before they join the total; sums of a long reduction that are added before they join one that
/// keeps what rounding takes off, so that the error does not grow with the length.
pub(crate) const GROUP: i64 = 16;
/// The longest reduction whose sums join the total as they come.
pub(crate) const SHORT: i64 = 1024;

/// The reductions among a stage's outputs.
pub(crate) fn reductions(stage: &Stage) -> impl Iterator<Item = (Reduction, usize, Lane)> {
    stage.outputs.iter().filter_map(|output| match output {
        Output::Reduce(op, slot, lane) => Some((*op, *slot, *lane)),
        Output::Store(_) | Output::Row(..) => None,
    })
}

/// Sets the row values that a stage reduces into to the identity, from value number `at` on.
///
/// # Safety
/// Slots have room for them.
pub(crate) unsafe fn start(stage: &Stage, worker: &Worker<'_>, at: usize, n: usize) {
    for (op, slot, lane) in reductions(stage) {
        // SAFETY: the caller's promise.
        unsafe { reduce::fill_identity(op, lane, worker.values(slot).add(at * lane.bytes()), n) };
    }
}

/// The sums of a stage's long reductions, carried to totals part by part.
pub(crate) struct Totals<'a, 'w> {
    stage: &'a Stage,
    worker: &'a Worker<'w>,
    /// The first value of each slot that is carried, and how many.
    at: usize,
    n: usize,
    /// How many sums were added since; none of a short reduction, whose sums stay where they are.
    pending: Option<i64>,
}

impl<'a, 'w> Totals<'a, 'w> {
    /// # Safety
    /// Of a long reduction, slots have room for three times `n` values from number `at` on.
    pub(crate) unsafe fn new(
        long: bool,
        stage: &'a Stage,
        worker: &'a Worker<'w>,
        at: usize,
        n: usize,
    ) -> Totals<'a, 'w> {
        if long {
            for (sums, lane) in sums(stage, worker, at) {
                // SAFETY: the caller's promise.
                unsafe { reduce::fill_identity(Reduction::Sum, lane, sums.add(n * lane.bytes()), 2 * n) };
            }
        }
        Totals { stage, worker, at, n, pending: long.then_some(0) }
    }

    /// Something was added to each sum.
    ///
    /// # Safety
    /// As [`Totals::new`].
    pub(crate) unsafe fn added(&mut self) {
        let Some(pending) = &mut self.pending else { return };
        *pending += 1;
        if *pending == GROUP {
            *pending = 0;
            // SAFETY: the caller's promise.
            unsafe { self.carry() };
        }
    }

    unsafe fn carry(&self) {
        for (sums, lane) in sums(self.stage, self.worker, self.at) {
            let bytes = self.n * lane.bytes();
            // SAFETY: the caller's promise.
            unsafe { reduce::carry(self.worker.isa, lane, sums, sums.add(bytes), sums.add(2 * bytes), self.n) };
        }
    }

    /// Puts the totals in the place of the sums.
    ///
    /// # Safety
    /// As [`Totals::new`].
    pub(crate) unsafe fn settle(&self) {
        if self.pending.is_none() {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            self.carry();
            for (sums, lane) in sums(self.stage, self.worker, self.at) {
                let bytes = self.n * lane.bytes();
                reduce::settle(self.worker.isa, lane, sums, sums.add(bytes), sums.add(2 * bytes), self.n);
            }
        }
    }
}

/// Where those sums among a stage's reductions lie that rounding takes something off, from value number `at` on.
fn sums(stage: &Stage, worker: &Worker<'_>, at: usize) -> impl Iterator<Item = (*mut u8, Lane)> {
    let sums = reductions(stage).filter(|(op, _, lane)| *op == Reduction::Sum && lane.is_float());
    // SAFETY: a slot has more values than a unit has points.
    sums.map(move |(_, slot, lane)| unsafe { (worker.values(slot).add(at * lane.bytes()), lane) })
}
