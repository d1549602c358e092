//! The pool under load; every test uses the process's one pool, at the same time as the others.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{Wait, Work, set_threads};

/// What each chunk does, in phases of so many chunks.
struct Job<'a, F>(&'a [u32], F);

impl<F: Fn(usize, usize, usize) + Sync> Work for Job<'_, F> {
    fn chunks(&self, phase: usize) -> u32 {
        self.0[phase]
    }

    fn is_shared(&self) -> bool {
        self.0.iter().any(|&chunks| chunks > 1)
    }

    fn run(&self, phase: usize, chunk: usize, worker: usize) {
        self.1(phase, chunk, worker);
    }
}

fn run(counts: &[u32], limit: usize, chunk: impl Fn(usize, usize, usize) + Sync) -> Result<(), String> {
    super::run(0..counts.len(), limit, &Job(counts, chunk))
}

/// Counts how often each chunk ran, and that no phase began before the one before it was over.
struct Count {
    counts: Vec<u32>,
    seen: Vec<AtomicU32>,
    finished: AtomicU64,
}

impl Count {
    fn new(counts: &[u32]) -> Count {
        let total: u32 = counts.iter().sum();
        let seen = (0..total).map(|_| AtomicU32::new(0)).collect();
        Count { counts: counts.to_vec(), seen, finished: AtomicU64::new(0) }
    }

    fn before(&self, phase: usize) -> u64 {
        self.counts[..phase].iter().map(|&c| u64::from(c)).sum()
    }

    fn check(&self) {
        run(&self.counts, usize::MAX, |phase, chunk, _| self.run(phase, chunk)).unwrap();
        assert!(self.seen.iter().all(|s| s.load(Ordering::Relaxed) == 1));
    }
}

impl Count {
    fn run(&self, phase: usize, chunk: usize) {
        let finished = self.finished.load(Ordering::Relaxed);
        assert!(finished >= self.before(phase), "phase {phase} began early");
        self.seen[self.before(phase) as usize + chunk].fetch_add(1, Ordering::Relaxed);
        self.finished.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn thousands_of_tiny_phases() {
    set_threads(4);
    let counts: Vec<u32> = (0..20_000).map(|i| i % 7).collect();
    Count::new(&counts).check();
    Count::new(&[]).check();
    Count::new(&[0, 0]).check();
    Count::new(&[100_000]).check();
}

#[test]
fn many_jobs_at_once() {
    set_threads(4);
    // More callers than slots.
    std::thread::scope(|scope| {
        for caller in 0..80 {
            scope.spawn(move || {
                for round in 0..30 {
                    let counts: Vec<u32> = (0..50).map(|i| (i * caller + round) % 5).collect();
                    Count::new(&counts).check();
                }
            });
        }
    });
}

#[test]
fn the_number_of_threads_may_change_at_any_time() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in (0..200).map(|i| i % 6 + 1) {
                set_threads(n);
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
            set_threads(4);
        });
        for _ in 0..300 {
            Count::new(&[3, 50, 1, 8]).check();
        }
    });
}

#[test]
fn sleeping_workers_are_woken() {
    set_threads(4);
    for _ in 0..50 {
        std::thread::sleep(std::time::Duration::from_millis(1));
        Count::new(&[4, 4, 1, 16]).check();
    }
}

#[test]
fn worker_numbers_are_exclusive_and_limited() {
    set_threads(4);
    for limit in [1, 2, 3] {
        let inside: Vec<AtomicU32> = (0..limit).map(|_| AtomicU32::new(0)).collect();
        // Chunks that take a while, with a number for each thread.
        let slow = |_: usize, _: usize, worker: usize| {
            assert_eq!(inside[worker].fetch_add(1, Ordering::SeqCst), 0, "two threads with one number");
            std::thread::sleep(Duration::from_micros(100));
            inside[worker].fetch_sub(1, Ordering::SeqCst);
        };
        run(&[20, 1, 20], limit, slow).unwrap();
    }
}

#[test]
fn a_panic_becomes_an_error_and_the_pool_survives() {
    set_threads(4);
    for threads in [1, usize::MAX] {
        let panics = |phase, chunk, _: usize| assert!((phase, chunk) != (1, 6), "chunk {chunk} of phase {phase}");
        let error = run(&[5, 8, 3], threads, panics).unwrap_err();
        assert_eq!(error, "chunk 6 of phase 1");
        Count::new(&[10, 10]).check();
    }
}

#[test]
fn a_job_inside_a_chunk_is_no_dead_lock() {
    set_threads(4);
    run(&[8, 8], usize::MAX, |_, _, _| Count::new(&[3, 2]).check()).unwrap();
}

#[test]
fn some_phases_of_many() {
    set_threads(4);
    let ran = AtomicU64::new(0);
    let chunk = |phase: usize, chunk: usize, _: usize| {
        ran.fetch_add((100 * phase + chunk) as u64, Ordering::Relaxed);
    };
    super::run(1..3, usize::MAX, &Job(&[7, 2, 3, 9], chunk)).unwrap();
    assert_eq!(ran.into_inner(), 100 + 101 + 200 + 201 + 202);
}

#[test]
fn nobody_sleeps_inside_a_job_while_its_phases_are_short() {
    let after = |micros: u64, inside: bool| Wait::after(Duration::from_micros(micros), || inside);
    // The gates of a recurrent net's round took 28 to 65 microseconds.
    assert!([1, 20, 28, 65, 199].iter().all(|&waited| after(waited, true) != Wait::Sleep));
    assert_eq!(after(201, true), Wait::Sleep);
    // Between jobs a processor is left to others soon.
    assert_eq!([after(20, false), after(21, false)], [Wait::Spin, Wait::Sleep]);
}
