//! A slot in which a job runs: static memory, so that a late worker may look at it at any time. One of the few modules with `unsafe`.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use super::ticket::Ticket;
use super::{Work, crew, spin_until};
use crate::panics::panic_message;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{Condvar, Mutex};

/// What the chunks of a job do, on the stack of the thread that called for it.
pub(super) struct Task<'a> {
    /// The chunks.
    pub(super) work: &'a dyn Work,
    pub(super) phases: Range<usize>,
}

/// One running job, or none.
#[repr(align(128))]
pub(super) struct Slot {
    ticket: Ticket,
    /// The claimed chunks that are finished, in this phase.
    done: AtomicU32,
    /// The phase, its number of chunks, the task: fixed while a claimed chunk is not done.
    phase: AtomicUsize,
    chunks: AtomicU32,
    task: AtomicPtr<Task<'static>>,
    /// Workers with this number or a higher one do not take part.
    limit: AtomicU32,
    /// In how many phases workers have helped the jobs that were here.
    helped: AtomicU64,
    finished: AtomicBool,
    panicked: AtomicBool,
    panic: Mutex<Option<String>>,
    /// The caller sleeps here when all chunks left are in other hands.
    waiting: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Slot {
    /// An empty slot.
    pub(super) fn new() -> Slot {
        Slot {
            ticket: Ticket::new(),
            done: AtomicU32::new(0),
            phase: AtomicUsize::new(0),
            chunks: AtomicU32::new(0),
            task: AtomicPtr::new(std::ptr::null_mut()),
            limit: AtomicU32::new(0),
            helped: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            panic: Mutex::new(None),
            waiting: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Whether worker `worker` could claim a chunk now.
    pub(super) fn has_work(&self, worker: u32) -> bool {
        self.ticket.left() > 0 && worker < self.limit.load(Ordering::Acquire)
    }

    /// In how many phases workers have helped the jobs that were here.
    pub(super) fn helped(&self) -> u64 {
        self.helped.load(Ordering::Relaxed)
    }

    /// Counts as helped so often at least: whoever had nothing to be helped with has no claim to more help now.
    pub(super) fn raise_helped(&self, floor: u64) {
        self.helped.fetch_max(floor, Ordering::Relaxed);
    }

    /// Runs chunks of the present phase as `worker`, until none is left for it; `false` if there was none.
    pub(super) fn help(&self, worker: u32) -> bool {
        let phase = self.ticket.openings();
        if !self.work_once(worker) {
            return false;
        }
        self.helped.fetch_add(1, Ordering::Relaxed);
        while self.ticket.openings() == phase && self.work_once(worker) {}
        true
    }

    /// Whether a job is here, not yet finished, in which worker `worker` takes part.
    pub(super) fn is_running_for(&self, worker: u32) -> bool {
        !self.finished.load(Ordering::Relaxed) && worker < self.limit.load(Ordering::Relaxed)
    }

    /// Runs a job as its caller, with number 0, together with whoever comes by; the slot must belong to this thread.
    ///
    /// `Err` is the message of the first chunk that panicked.
    pub(super) fn run(&self, task: &Task<'_>, limit: u32) -> Result<(), String> {
        let task_pointer: *const Task<'_> = task;
        self.task.store(task_pointer.cast_mut().cast(), Ordering::Relaxed);
        self.limit.store(limit, Ordering::Release);
        self.finished.store(false, Ordering::Relaxed);
        self.panicked.store(false, Ordering::Relaxed);
        self.open_from(task, task.phases.start);
        // Not before `finished` may this function be left, by no path: others hold the pointer. Nothing below unwinds.
        loop {
            while self.work_once(0) {}
            let changed = || self.finished.load(Ordering::Acquire) || self.ticket.left() > 0;
            if !spin_until(changed, || true) {
                self.sleep_until(changed);
            }
            if self.finished.load(Ordering::Acquire) {
                break;
            }
        }
        match self.panicked.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(self.panic.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()),
        }
    }

    /// Claims and runs one chunk as `worker`; `false` if there is none for it.
    pub(super) fn work_once(&self, worker: u32) -> bool {
        let Some(left) = self.ticket.claim(|| worker < self.limit.load(Ordering::Acquire)) else { return false };
        let (phase, chunks) = (self.phase.load(Ordering::Relaxed), self.chunks.load(Ordering::Relaxed));
        // SAFETY: the claim succeeded, so the job is running and cannot finish before this chunk is counted in `done`; until then its
        // caller stays in `run`, and the task with all that it borrows stays alive.
        let task = unsafe { &*self.task.load(Ordering::Relaxed) };
        if !self.panicked.load(Ordering::Relaxed) {
            let chunk = (chunks - left) as usize;
            let run = AssertUnwindSafe(|| task.work.run(phase, chunk, worker as usize));
            if let Err(payload) = catch_unwind(run) {
                self.note_panic(panic_message(payload));
            }
        }
        // Release what this chunk wrote; the last one acquires what all of them wrote and hands it on when it opens the next phase.
        if self.done.fetch_add(1, Ordering::AcqRel) + 1 == chunks {
            self.open_from(task, phase + 1);
        }
        true
    }

    /// Opens the first phase from number `phase` on that has chunks, or finishes the job.
    fn open_from(&self, task: &Task<'_>, phase: usize) {
        let chunks = |phase: usize| Some((phase, task.work.chunks(phase))).filter(|(_, chunks)| *chunks > 0);
        let Some((next, chunks)) = (phase..task.phases.end).find_map(chunks) else {
            // From here on `task` may be gone.
            self.finished.store(true, Ordering::Release);
            self.wake_caller();
            return;
        };
        self.done.store(0, Ordering::Relaxed);
        self.phase.store(next, Ordering::Relaxed);
        self.chunks.store(chunks, Ordering::Relaxed);
        self.ticket.open(chunks);
        self.wake_caller();
        if chunks > 1 && self.limit.load(Ordering::Relaxed) > 1 {
            crew::wake(chunks - 1);
        }
    }

    fn note_panic(&self, message: String) {
        let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.panicked.swap(true, Ordering::Relaxed) {
            *first = Some(message);
        }
    }

    fn sleep_until(&self, changed: impl Fn() -> bool) {
        self.waiting.store(true, Ordering::Relaxed);
        // Pairs with the fence in `wake_caller`: either it sees `waiting`, or the check below sees the change.
        fence(Ordering::SeqCst);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !changed() {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.waiting.store(false, Ordering::Relaxed);
    }

    fn wake_caller(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) {
            // Taking the lock waits until the caller really sleeps.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_one();
        }
    }
}
