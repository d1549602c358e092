//! What calls run in, kept for the next ones. One of the few modules with `unsafe`.

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::{Arc, PoisonError};

use crate::array::Array;
use crate::backend::cpu::{Binding, Frame};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicPtr, Ordering};

/// So many calls in a row without need of an idle workspace, and its memory is given back.
const PATIENCE: u64 = 1024;

/// All that one call needs of its own, so that as many of them run side by side as there are workspaces.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) frame: Frame,
    /// The run-time sizes of the present call, and behind them its strides.
    pub(super) values: Vec<i64>,
    /// The strides alone.
    pub(super) strides: Vec<i64>,
    /// The states that start anew in the present call, by number, with where they will lie in the model.
    pub(super) new_states: Vec<(usize, Array)>,
    /// Bindings of the latest calls, the latest first.
    pub(super) held: Vec<Held>,
    calls: u64,
}

/// A binding with arrays for its results that are used again and again; none where each call has new ones.
pub(super) struct Held {
    pub(super) binding: Arc<Binding>,
    pub(super) results: Vec<Array>,
}

/// The workspaces that no call uses, the one that was used last at hand without a lock. A new one is made only while all others are in use, so there are
/// never more than threads that called at the same time.
pub(super) struct Workspaces {
    at_hand: AtomicPtr<Workspace>,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    #[expect(clippy::vec_box, reason = "a workspace goes to and fro as the box that it is")]
    idle: Vec<Box<Workspace>>,
    /// How many have been idle since the last time that some were given back.
    unused: usize,
}

impl Workspaces {
    pub(super) fn new() -> Workspaces {
        Workspaces { at_hand: AtomicPtr::new(ptr::null_mut()), rest: Mutex::default() }
    }

    /// One that nobody else uses, until it is dropped; a new one if there is none idle.
    pub(super) fn lease(&self) -> Lease<'_> {
        Lease { from: self, workspace: ManuallyDrop::new(self.take()) }
    }

    fn take(&self) -> Box<Workspace> {
        if let Some(workspace) = self.swap(None) {
            return workspace;
        }
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = rest.idle.pop();
        rest.unused = rest.unused.min(rest.idle.len());
        drop(rest);
        idle.unwrap_or_default()
    }

    /// Gives one back.
    fn give(&self, mut workspace: Box<Workspace>) {
        workspace.calls += 1;
        let has_waited = workspace.calls.is_multiple_of(PATIENCE);
        let before = self.swap(Some(workspace));
        if before.is_none() && !has_waited {
            return;
        }
        let mut gone = vec![];
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.idle.extend(before);
        if has_waited {
            let unused = rest.unused.min(rest.idle.len());
            gone.extend(rest.idle.drain(..unused));
            rest.unused = rest.idle.len();
        }
        drop(rest);
        // Their memory is freed without the lock.
        drop(gone);
    }

    fn swap(&self, new: Option<Box<Workspace>>) -> Option<Box<Workspace>> {
        let new = new.map_or(ptr::null_mut(), Box::into_raw);
        let old = self.at_hand.swap(new, Ordering::AcqRel);
        // SAFETY: what is at hand came from `Box::into_raw` here, and whoever swaps it out is its one owner.
        (!old.is_null()).then(|| unsafe { Box::from_raw(old) })
    }
}

/// A workspace that is one's own.
pub(super) struct Lease<'w> {
    from: &'w Workspaces,
    workspace: ManuallyDrop<Box<Workspace>>,
}

impl Deref for Lease<'_> {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Workspace {
        &mut self.workspace
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody looks at it any more.
        let workspace = unsafe { ManuallyDrop::take(&mut self.workspace) };
        self.from.give(workspace);
    }
}

impl Drop for Workspaces {
    fn drop(&mut self) {
        drop(self.swap(None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(workspace: &Workspace) -> i64 {
        workspace.values.first().copied().unwrap_or(0)
    }

    fn marked(workspaces: &Workspaces, mark: i64) -> Box<Workspace> {
        let mut workspace = workspaces.take();
        assert_eq!(number(&workspace), 0);
        workspace.values.push(mark);
        workspace
    }

    /// However many calls overlap, and however many threads compute: none makes what is there already.
    #[test]
    fn as_many_are_kept_as_were_used_at_once() {
        let workspaces = Workspaces::new();
        let all: Vec<_> = (1..=5).map(|mark| marked(&workspaces, mark)).collect();
        all.into_iter().for_each(|workspace| workspaces.give(workspace));
        for _ in 0..3 {
            let all: Vec<_> = (0..5).map(|_| workspaces.take()).collect();
            let mut marks: Vec<_> = all.iter().map(|workspace| number(workspace)).collect();
            marks.sort_unstable();
            assert_eq!(marks, [1, 2, 3, 4, 5]);
            all.into_iter().for_each(|workspace| workspaces.give(workspace));
        }
    }

    #[test]
    fn what_nobody_needs_is_given_back() {
        let workspaces = Workspaces::new();
        let both = [marked(&workspaces, 1), marked(&workspaces, 2)];
        both.into_iter().for_each(|workspace| workspaces.give(workspace));
        for _ in 0..3 * PATIENCE {
            let one = workspaces.take();
            assert_eq!(number(&one), 2);
            workspaces.give(one);
        }
        assert!(workspaces.rest.lock().unwrap().idle.is_empty());
    }

    /// Nobody has what somebody else has.
    #[test]
    fn threads_take_and_give() {
        let workspaces = Workspaces::new();
        let rounds = if cfg!(miri) { 20 } else { 2000 };
        std::thread::scope(|scope| {
            for thread in 1..=4 {
                let workspaces = &workspaces;
                scope.spawn(move || {
                    for _ in 0..rounds {
                        let mut own = workspaces.take();
                        own.values.clear();
                        own.values.push(thread);
                        std::hint::spin_loop();
                        assert_eq!(number(&own), thread);
                        workspaces.give(own);
                    }
                });
            }
        });
        // With the one at hand no more than there are threads.
        assert!(workspaces.rest.lock().unwrap().idle.len() < 4);
    }
}
