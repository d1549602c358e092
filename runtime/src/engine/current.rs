//! What the engine knows of the thread that it runs on.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};

use super::dependencies::Id;
use crate::sync::thread_local;

thread_local! {
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    static OPEN: Cell<Option<Open>> = const { Cell::new(None) };
    /// Calls that this thread is inside of and that the engine knows nothing of.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// An operation that runs on this thread, the innermost one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// The engine, by its address.
    pub(super) core: NonZero<usize>,
    pub(super) id: Id,
}

/// A number that no other thread has or will have; not 0.
#[inline]
pub(super) fn thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NUMBER.with(|number| match number.get() {
        0 => {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
            number.get()
        }
        known => known,
    })
}

#[inline]
pub(super) fn open() -> Option<Open> {
    OPEN.get()
}

/// A call begins of which the engine knows nothing.
#[inline]
pub(super) fn begin_call() {
    CALLS.set(CALLS.get() + 1);
}

#[inline]
pub(super) fn end_call() {
    CALLS.set(CALLS.get() - 1);
}

/// Whether this thread is inside such a call.
pub(super) fn is_in_call() -> bool {
    CALLS.get() > 0
}

/// Notes that an operation runs here until the guard is dropped.
#[inline]
pub(super) fn enter(open: Open) -> Left {
    Left(OPEN.replace(Some(open)))
}

pub(super) struct Left(Option<Open>);

impl Drop for Left {
    #[inline]
    fn drop(&mut self) {
        OPEN.set(self.0);
    }
}
