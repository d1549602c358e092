//! Jobs of the pool: every chunk once, no phase before the one before it is over, and the caller comes back.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Guarded, check, check_with, spawn};
use crate::pool::{self, Work};
use crate::set_threads;

/// Phases of so many chunks; each has memory of its own, and reads all of the phase before.
pub(crate) struct Job {
    phases: Vec<Vec<Chunk>>,
}

#[derive(Default)]
struct Chunk {
    guarded: Guarded,
    times: AtomicUsize,
}

impl Job {
    pub(crate) fn new(chunks: &[usize]) -> Job {
        let phase = |chunks: &usize| (0..*chunks).map(|_| Chunk::default()).collect();
        Job { phases: chunks.iter().map(phase).collect() }
    }

    fn run(&self, limit: usize) {
        pool::run(0..self.phases.len(), limit, self).unwrap();
        self.check();
    }

    /// Every chunk has run once, and is seen.
    pub(crate) fn check(&self) {
        for chunk in self.phases.iter().flatten() {
            chunk.guarded.read();
            assert_eq!(chunk.times.load(Ordering::Relaxed), 1);
        }
    }
}

impl Work for Job {
    fn chunks(&self, phase: usize) -> u32 {
        self.phases[phase].len() as u32
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn run(&self, phase: usize, chunk: usize, _: usize) {
        if let Some(before) = phase.checked_sub(1) {
            self.phases[before].iter().for_each(|chunk| chunk.guarded.read());
        }
        self.phases[phase][chunk].guarded.write();
        self.phases[phase][chunk].times.fetch_add(1, Ordering::Relaxed);
    }
}

/// A worker of the crew, who may sleep.
pub fn a_job_with_a_worker() {
    check(|| {
        set_threads(2);
        Job::new(&[2]).run(2);
    });
}

/// The worker goes while a job runs. With three that are stopped it would be millions of orders.
pub fn the_number_of_threads_changes() {
    check_with(2, || {
        set_threads(2);
        let other = spawn(|| set_threads(1));
        Job::new(&[2]).run(2);
        other.join().unwrap();
    });
}
