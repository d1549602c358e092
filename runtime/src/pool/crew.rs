//! The workers: threads of our own that serve every running job.

use std::sync::PoisonError;

use super::slot::Slot;
use super::{Operations, spin_until};
use crate::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{Condvar, LazyLock, Mutex, OnceLock, SLOTS, thread};

/// More threads than this are never used.
pub(super) const MAX_THREADS: usize = 1024;

/// Who has helped so many jobs in a row looks for operations before the next one, so that these do not wait for ever.
const JOBS_IN_A_ROW: usize = 64;

/// What workers and those who call them share.
struct Crew {
    /// Where jobs run; further ones run on their callers' threads alone.
    slots: [Slot; SLOTS],
    /// One bit a slot: taken by a caller.
    busy: AtomicU64,
    /// Threads that take part in a job, its caller included; 0 before the first use.
    target: AtomicUsize,
    /// Workers that sleep or are about to.
    sleepers: AtomicU32,
    wake: Condvar,
    /// What runs between jobs, once there is an engine.
    operations: OnceLock<&'static dyn Operations>,
    /// How many operations are ready, as far as was told.
    ready: AtomicUsize,
    /// Whether each worker lives, by its number; also the lock of `wake`.
    lives: Mutex<Vec<bool>>,
}

/// The process's.
fn crew() -> &'static Crew {
    static CREW: LazyLock<Crew> = LazyLock::new(|| Crew {
        slots: std::array::from_fn(|_| Slot::new()),
        busy: AtomicU64::new(0),
        target: AtomicUsize::new(0),
        sleepers: AtomicU32::new(0),
        wake: Condvar::new(),
        operations: OnceLock::new(),
        ready: AtomicUsize::new(0),
        lives: Mutex::new(vec![]),
    });
    LazyLock::force(&CREW)
}

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
    let crew = crew();
    let mut all = crew.lives.lock().unwrap_or_else(PoisonError::into_inner);
    if !over && crew.target.load(Ordering::SeqCst) != 0 {
        return;
    }
    crew.target.store(threads, Ordering::SeqCst);
    if all.len() < threads {
        all.resize(threads, false);
    }
    for (number, lives) in all.iter_mut().enumerate().take(threads).skip(1) {
        if !*lives {
            let thread = thread::Builder::new().name(format!("castnet-{number}"));
            // Where the system gives no more threads, those that there are do the work.
            *lives = thread.spawn(move || work(number as u32)).is_ok();
        }
    }
    crew.wake.notify_all();
}

/// The number of threads that take part in a job, its caller included.
pub(super) fn threads() -> usize {
    let target = &crew().target;
    match target.load(Ordering::Relaxed) {
        0 => {
            // Of several first callers one starts the workers, and none goes over what is set meanwhile.
            start(0, false);
            target.load(Ordering::Relaxed)
        }
        n => n,
    }
}

/// A slot of one's own until it is given back; `None` if all are taken.
pub(super) fn take_slot() -> Option<(usize, &'static Slot)> {
    let crew = crew();
    let mut busy = crew.busy.load(Ordering::Relaxed);
    loop {
        let free = busy.trailing_ones() as usize;
        let slot = crew.slots.get(free)?;
        match crew.busy.compare_exchange_weak(busy, busy | 1 << free, Ordering::AcqRel, Ordering::Relaxed) {
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
    crew().busy.fetch_and(!(1 << number), Ordering::Release);
}

pub(super) fn serve(operations: &'static dyn Operations) {
    threads();
    crew().operations.get_or_init(|| operations);
}

pub(super) fn call_for_operations(ready: usize, new: usize) -> bool {
    crew().ready.store(ready, Ordering::Relaxed);
    new == 0 || wake(new as u32) as usize >= new
}

/// Wakes up to `wanted` workers, and says how many slept; costs next to nothing when none does.
pub(super) fn wake(wanted: u32) -> u32 {
    // Pairs with the fence in `sleep`: either we see the sleeper, or it sees the work.
    fence(Ordering::SeqCst);
    let crew = crew();
    let sleepers = crew.sleepers.load(Ordering::Relaxed);
    if sleepers == 0 {
        return 0;
    }
    drop(crew.lives.lock().unwrap_or_else(PoisonError::into_inner));
    match wanted < sleepers {
        true => (0..wanted).for_each(|_| crew.wake.notify_one()),
        false => crew.wake.notify_all(),
    }
    sleepers
}

/// The slots of these bits.
fn slots(busy: u64) -> impl Iterator<Item = &'static Slot> {
    let all = crew().slots.iter().enumerate();
    all.filter(move |(i, _)| busy >> i & 1 == 1).map(|(_, slot)| slot)
}

/// The slots in use.
fn jobs() -> impl Iterator<Item = &'static Slot> {
    slots(crew().busy.load(Ordering::Acquire))
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
    let crew = crew();
    (crew.ready.load(Ordering::Relaxed) > 0).then(|| crew.operations.get().copied()).flatten()
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
    let crew = crew();
    let retired = || worker as usize >= crew.target.load(Ordering::SeqCst);
    crew.sleepers.fetch_add(1, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    let mut lives = crew.lives.lock().unwrap_or_else(PoisonError::into_inner);
    while !found() && !retired() {
        lives = crew.wake.wait(lives).unwrap_or_else(PoisonError::into_inner);
    }
    crew.sleepers.fetch_sub(1, Ordering::Relaxed);
    if retired() {
        lives[worker as usize] = false;
        return false;
    }
    true
}
