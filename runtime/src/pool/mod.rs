//! The process's one pool of threads.
//!
//! A job is a list of phases, each a number of chunks. Any thread claims any chunk of the current phase; whoever finishes its last chunk
//! opens the next one. The calling thread always takes part and can do everything alone, so that no job waits for a thread that the
//! system does not run. Which thread ran a chunk never shows in the result. A job allocates nothing.
//!
//! Workers that find no chunks run operations of the process's engine.

mod crew;
mod slot;
#[cfg(test)]
mod tests;
mod ticket;

use std::ops::Range;
use std::time::Duration;

pub(crate) use ticket::MAX_CHUNKS;

use crate::sync::{Instant, LOOKS, hint, thread};

/// A hand-over by spinning takes a tenth of a microsecond, waking a sleeper four; beyond this a processor is better left to others.
const SPIN: Duration = Duration::from_micros(20);

/// Inside a job, where the next phase is some chunks away: a few times what a chunk takes (`castnet_kernels` aims at 8 to 30 microseconds).
/// Beyond [`SPIN`] others who want the processor have it first.
const PATIENCE: Duration = Duration::from_micros(200);

/// What the chunks of a job do.
pub(crate) trait Work: Sync {
    /// The chunks of a phase, at most [`MAX_CHUNKS`]. Must not panic.
    fn chunks(&self, phase: usize) -> u32;

    /// Whether a phase has more than one.
    fn is_shared(&self) -> bool;

    /// Does chunk `chunk` of phase `phase`. No two threads with the same `worker` number are in the same job at once; the caller's is 0.
    fn run(&self, phase: usize, chunk: usize, worker: usize);
}

/// What workers do between jobs: operations of the process's engine.
pub(crate) trait Operations: Sync {
    /// Runs those that are ready, until there is none or `enough` holds after one; whether there was one.
    fn run(&self, enough: &dyn Fn() -> bool) -> bool;

    /// A worker that was counted on is not there any more.
    fn hand_over(&self);
}

/// From now on workers run these, too.
pub(crate) fn serve(operations: &'static dyn Operations) {
    crew::serve(operations);
}

/// So many operations are ready, `new` of them since the last call: whether as many workers slept and are awake now. Others come by when they are
/// through with what they do.
pub(crate) fn call_for_operations(ready: usize, new: usize) -> bool {
    crew::call_for_operations(ready, new)
}

/// Sets how many threads compute, the calling thread included, for the whole process; 0 means one for each processor (the default).
///
/// May be called at any time; a job that is running keeps its threads. Results do not depend on it, to the bit.
///
/// ```
/// castnet_runtime::set_threads(2);
/// assert_eq!(castnet_runtime::threads(), 2);
/// ```
pub fn set_threads(threads: usize) {
    crew::set_threads(threads);
}

/// How many threads compute, the calling thread included.
pub fn threads() -> usize {
    crew::threads()
}

/// Runs a job with at most `limit` threads, phase after phase.
///
/// Several threads may do so at the same time. `Err` is the message of the first chunk that panicked; the chunks after it were skipped.
pub(crate) fn run(phases: Range<usize>, limit: usize, work: &dyn Work) -> Result<(), String> {
    let task = slot::Task { work, phases };
    let shared = crew::threads() > 1 && limit > 1 && work.is_shared();
    match shared.then(crew::take_slot).flatten() {
        Some((number, slot)) => {
            let result = slot.run(&task, limit.min(crew::MAX_THREADS) as u32);
            crew::give_slot_back(number);
            result
        }
        // A slot on the stack that nobody else knows of.
        None => slot::Slot::new().run(&task, 1),
    }
}

/// Spins until `done` holds; `false` if it takes too long. `inside`: whether a job is running that may have work soon.
pub(crate) fn spin_until(done: impl Fn() -> bool, inside: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if done() {
                return true;
            }
            hint::spin_loop();
        }
        match Wait::after(start.elapsed(), &inside) {
            Wait::Spin => {}
            Wait::Yield => thread::yield_now(),
            Wait::Sleep => return false,
        }
    }
}

/// What a thread does that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Spin,
    /// Others have the processor first.
    Yield,
    Sleep,
}

impl Wait {
    fn after(waited: Duration, inside: impl FnOnce() -> bool) -> Wait {
        match waited {
            _ if waited <= SPIN => Wait::Spin,
            _ if waited <= PATIENCE && inside() => Wait::Yield,
            _ => Wait::Sleep,
        }
    }
}
