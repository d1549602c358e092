//! The workers: threads of our own that serve every running job.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use super::slot::Slot;
use super::{Operations, spin_until};

/// How many jobs can be shared at once; further ones run on their callers' threads alone.
const SLOTS: usize = 64;

/// More threads than this are never used.
pub(super) const MAX_THREADS: usize = 1024;

/// Who has helped so many jobs in a row looks for operations before the next one, so that these do not wait for ever.
const JOBS_IN_A_ROW: usize = 64;

static JOBS: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];

/// One bit a slot: taken by a caller.
static BUSY: AtomicU64 = AtomicU64::new(0);

/// Threads that take part in a job, its caller included; 0 before the first use.
static TARGET: AtomicUsize = AtomicUsize::new(0);

/// Workers that sleep or are about to.
static SLEEPERS: AtomicU32 = AtomicU32::new(0);
static WAKE: Condvar = Condvar::new();

/// What runs between jobs, once there is an engine.
static OPERATIONS: OnceLock<&dyn Operations> = OnceLock::new();

/// How many operations are ready, as far as was told.
static READY: AtomicUsize = AtomicUsize::new(0);

/// `CREW[i]`: whether worker `i` lives; also the lock of `WAKE`.
static CREW: Mutex<Vec<bool>> = Mutex::new(Vec::new());

/// Sets the number of threads; 0 means one for each processor that the process may use.
pub(super) fn set_threads(threads: usize) {
    start(threads, true);
}

/// The same; not `over` a number that was set before.
fn start(threads: usize, over: bool) {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let threads = threads.min(MAX_THREADS);
    let mut crew = CREW.lock().unwrap_or_else(PoisonError::into_inner);
    if !over && TARGET.load(Ordering::SeqCst) != 0 {
        return;
    }
    TARGET.store(threads, Ordering::SeqCst);
    if crew.len() < threads {
        crew.resize(threads, false);
    }
    for (number, lives) in crew.iter_mut().enumerate().take(threads).skip(1) {
        if !*lives {
            let thread = std::thread::Builder::new().name(format!("castnet-{number}"));
            // Where the system gives no more threads, those that there are do the work.
            *lives = thread.spawn(move || work(number as u32)).is_ok();
        }
    }
    WAKE.notify_all();
}

/// The number of threads that take part in a job, its caller included.
pub(super) fn threads() -> usize {
    match TARGET.load(Ordering::Relaxed) {
        0 => {
            // Of several first callers one starts the workers, and none goes over what is set meanwhile.
            start(0, false);
            TARGET.load(Ordering::Relaxed)
        }
        n => n,
    }
}

/// A slot of one's own until it is given back; `None` if all are taken.
pub(super) fn take_slot() -> Option<(usize, &'static Slot)> {
    let mut busy = BUSY.load(Ordering::Relaxed);
    loop {
        let free = busy.trailing_ones() as usize;
        let slot = JOBS.get(free)?;
        match BUSY.compare_exchange_weak(busy, busy | 1 << free, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => {
                slot.raise_helped(slots(busy).map(Slot::helped).min().unwrap_or(0));
                return Some((free, slot));
            }
            Err(now) => busy = now,
        }
    }
}

/// Gives a slot back.
pub(super) fn give_slot_back(number: usize) {
    BUSY.fetch_and(!(1 << number), Ordering::Release);
}

pub(super) fn serve(operations: &'static dyn Operations) {
    threads();
    OPERATIONS.get_or_init(|| operations);
}

pub(super) fn call_for_operations(ready: usize, new: usize) -> bool {
    READY.store(ready, Ordering::Relaxed);
    new == 0 || wake(new as u32) as usize >= new
}

/// Wakes up to `wanted` workers, and says how many slept; costs next to nothing when none does.
pub(super) fn wake(wanted: u32) -> u32 {
    // Pairs with the fence in `sleep`: either we see the sleeper, or it sees the work.
    fence(Ordering::SeqCst);
    let sleepers = SLEEPERS.load(Ordering::Relaxed);
    if sleepers == 0 {
        return 0;
    }
    drop(CREW.lock().unwrap_or_else(PoisonError::into_inner));
    match wanted < sleepers {
        true => (0..wanted).for_each(|_| WAKE.notify_one()),
        false => WAKE.notify_all(),
    }
    sleepers
}

/// The slots of these bits.
fn slots(busy: u64) -> impl Iterator<Item = &'static Slot> {
    (0..SLOTS).filter(move |i| busy >> i & 1 == 1).map(|i| &JOBS[i])
}

/// The slots in use.
fn jobs() -> impl Iterator<Item = &'static Slot> {
    slots(BUSY.load(Ordering::Acquire))
}

/// The job with work for this worker that was helped least: so jobs side by side share their helpers, phase by phase.
fn least_helped(worker: u32) -> Option<&'static Slot> {
    jobs().filter(|job| job.has_work(worker)).min_by_key(|job| job.helped())
}

/// Whether a job runs in which this worker takes part.
fn runs(worker: u32) -> bool {
    jobs().any(|job| job.is_running_for(worker))
}

/// Whether operations are ready, which may have been told too late to be true.
fn operations() -> Option<&'static dyn Operations> {
    (READY.load(Ordering::Relaxed) > 0).then(|| OPERATIONS.get().copied()).flatten()
}

fn work(worker: u32) {
    let has_chunks = || jobs().any(|job| job.has_work(worker));
    let found = || has_chunks() || operations().is_some();
    loop {
        let mut worked = false;
        for job in std::iter::from_fn(|| least_helped(worker)).take(JOBS_IN_A_ROW) {
            worked |= job.help(worker);
        }
        worked |= operations().is_some_and(|operations| operations.run(&has_chunks));
        if !worked && !spin_until(found, || runs(worker)) && !sleep(worker, found) {
            // It may have been woken for an operation.
            operations().into_iter().for_each(Operations::hand_over);
            return;
        }
    }
}

/// Sleeps until there is work; `false`: this worker is no longer wanted.
fn sleep(worker: u32, found: impl Fn() -> bool) -> bool {
    let retired = || worker as usize >= TARGET.load(Ordering::SeqCst);
    SLEEPERS.fetch_add(1, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    let mut crew = CREW.lock().unwrap_or_else(PoisonError::into_inner);
    while !found() && !retired() {
        crew = WAKE.wait(crew).unwrap_or_else(PoisonError::into_inner);
    }
    SLEEPERS.fetch_sub(1, Ordering::Relaxed);
    if retired() {
        crew[worker as usize] = false;
        return false;
    }
    true
}
