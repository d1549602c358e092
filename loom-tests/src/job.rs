//! A job's slot by itself, with threads that come by once: fewer orders than with the pool's workers, who sleep and wake.

use std::sync::Arc;

use crate::models::check;
use crate::models::pool::Job;
use crate::pool::{Work, spin_until};
use crate::sync::thread::spawn;

#[path = "../../runtime/src/pool/slot.rs"]
#[allow(dead_code)]
mod slot;
#[path = "../../runtime/src/pool/ticket.rs"]
mod ticket;

/// Nobody sleeps here but the caller.
mod crew {
    pub(super) fn wake(_: u32) {}
}

use slot::{Slot, Task};

/// Runs jobs of these phases one after the other in one slot, while so many others come by.
fn run(jobs: &'static [&'static [usize]], helpers: u32) {
    check(move || {
        let slot = Arc::new(Slot::new());
        let help = |worker| {
            let slot = slot.clone();
            spawn(move || _ = slot.help(worker))
        };
        let threads: Vec<_> = (1..=helpers).map(help).collect();
        for phases in jobs {
            let job = Job::new(phases);
            slot.run(&Task { work: &job, phases: 0..phases.len() }, helpers + 1).unwrap();
            job.check();
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Two phases, and one that comes by.
pub fn phases_come_one_after_the_other() {
    run(&[&[2, 2]], 1);
}

/// Phases of one chunk, and of none.
pub fn short_phases() {
    run(&[&[2, 0, 1]], 1);
}

/// Who comes by may come late, with what he saw of the first job.
pub fn jobs_one_after_the_other() {
    run(&[&[2], &[2]], 1);
}

/// Two that come by.
pub fn two_helpers() {
    run(&[&[2]], 2);
}
