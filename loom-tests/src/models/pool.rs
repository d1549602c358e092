//! Jobs of the pool: every chunk once, no phase before the one before it is over, and the caller comes back.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Guarded, check, spawn};
use crate::pool::{self, Work};
use crate::set_threads;

/// Phases of so many chunks; each has memory of its own, and reads all of the phase before.
struct Job {
    phases: Vec<Vec<Chunk>>,
    panics: Option<(usize, usize)>,
}

#[derive(Default)]
struct Chunk {
    guarded: Guarded,
    times: AtomicUsize,
}

impl Job {
    fn new(chunks: &[usize]) -> Job {
        let phase = |chunks: &usize| (0..*chunks).map(|_| Chunk::default()).collect();
        Job { phases: chunks.iter().map(phase).collect(), panics: None }
    }

    fn run(&self, phases: Range<usize>, limit: usize) -> Result<(), String> {
        pool::run(phases, limit, self)
    }

    fn check(&self, limit: usize) {
        self.run(0..self.phases.len(), limit).unwrap();
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
        assert_ne!(self.panics, Some((phase, chunk)), "on purpose");
    }
}

/// A job of two phases with a worker.
pub fn phases_come_one_after_the_other() {
    check(|| {
        set_threads(2);
        Job::new(&[2, 2]).check(2);
    });
}

/// Phases of one chunk, and of none.
pub fn short_phases() {
    check(|| {
        set_threads(2);
        Job::new(&[2, 0, 1, 2]).check(2);
    });
}

/// The worker may come late, with what it saw of the first job.
pub fn jobs_one_after_the_other() {
    check(|| {
        set_threads(2);
        Job::new(&[2]).check(2);
        Job::new(&[2]).check(2);
    });
}

/// Two workers.
pub fn two_workers() {
    check(|| {
        set_threads(3);
        Job::new(&[3]).check(3);
    });
}

/// Two callers, for whom there is one slot.
pub fn two_callers() {
    check(|| {
        set_threads(2);
        let caller = spawn(|| Job::new(&[2]).check(2));
        Job::new(&[2]).check(2);
        caller.join().unwrap();
    });
}

/// A chunk panics: the caller is told, and the next job is right.
pub fn a_panic_is_told() {
    check(|| {
        set_threads(2);
        let job = Job { panics: Some((0, 1)), ..Job::new(&[2, 1]) };
        assert!(job.run(0..2, 2).unwrap_err().contains("on purpose"));
        Job::new(&[2]).check(2);
    });
}

/// Workers come and go while a job runs.
pub fn the_number_of_threads_changes() {
    check(|| {
        set_threads(2);
        let other = spawn(|| set_threads(1));
        Arc::new(Job::new(&[2, 2])).check(2);
        other.join().unwrap();
    });
}
