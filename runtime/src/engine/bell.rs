//! Where threads wait until somebody has something for them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::core::Locked;
use crate::pool::spin_until;
use crate::sync::Condvar;
use crate::sync::atomic::{AtomicU32, Ordering};

/// Who waits, and where they are called. What they wait for is said under the engine's lock, and so are these counts.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) bell: Arc<Bell>,
    /// Threads that will look again by themselves before they sleep.
    pub(super) awake: usize,
    pub(super) asleep: usize,
}

#[derive(Default)]
pub(super) struct Bell {
    /// How often it was rung for those who are awake.
    rung: AtomicU32,
    wake: Condvar,
}

impl Waiting {
    /// Calls those who are awake, and so many of those who sleep.
    pub(super) fn call(&self, sleepers: usize) {
        if self.awake > 0 {
            // Under the lock nobody else does this.
            self.bell.rung.store(self.bell.rung.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        (0..sleepers.min(self.asleep)).for_each(|_| self.bell.wake.notify_one());
    }
}

impl Bell {
    /// How often it was rung.
    pub(super) fn rung(&self) -> u32 {
        self.rung.load(Ordering::Relaxed)
    }

    /// Waits for a short while until it was rung more often than that: to sleep and be woken takes longer than most operations.
    pub(super) fn listen(&self, rung: u32) {
        // Whoever was called locks before it looks, so nothing else is to be seen here.
        spin_until(|| self.rung() != rung, || false);
    }

    /// Lets go of the lock until it is rung, perhaps sooner.
    pub(super) fn sleep<'a>(&self, state: Locked<'a>, limit: Option<Duration>) -> Locked<'a> {
        match limit {
            None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => self.wake.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0,
        }
    }
}
