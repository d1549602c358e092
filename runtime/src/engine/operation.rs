//! An operation while it is described, its handle, and the token that ends an asynchronous one.

use std::borrow::Cow;
use std::cell::Cell;
use std::iter;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::{Awaited, Core, Ended, Request};
use super::dependencies::{Id, Mode};
use super::error::{BoxError, Error, IntoResult, Origin, Result};
use super::task::{Called, Start};
use super::{Queue, Variable};
use crate::panics::message_of;
use crate::sync::thread_local;

thread_local! {
    /// For the next description on this thread: one that was pushed.
    static SPARE: Cell<Option<Box<Request>>> = const { Cell::new(None) };
}

/// An operation that is being described; one of [`push`](Operation::push), [`submit`](Operation::submit) and their asynchronous forms
/// hands it to the engine.
#[must_use = "nothing happens before it is pushed"]
pub struct Operation<'a> {
    core: &'a Arc<Core>,
    /// Boxed, since each of the calls that describe it moves it.
    request: Box<Request>,
}

impl<'a> Operation<'a> {
    #[inline(always)]
    pub(super) fn new(core: &'a Arc<Core>, name: Cow<'static, str>, location: &'static Location<'static>) -> Self {
        let origin = Origin { name, location };
        let request = match SPARE.try_with(Cell::take) {
            Ok(Some(mut request)) => {
                let Request { origin: place, accesses, priority, queue, bytes, foreign } = &mut *request;
                *place = origin;
                accesses.clear();
                (*priority, *queue, *bytes, *foreign) = (0, 0, 0, false);
                request
            }
            Ok(None) | Err(_) => {
                Box::new(Request { origin, accesses: vec![], priority: 0, queue: 0, bytes: 0, foreign: false })
            }
        };
        Operation { core, request }
    }

    /// Variables that it reads: it runs after all earlier operations that write one of them. `&a`, `[&a, &b]` or any iterator.
    #[inline]
    pub fn reads(self, variables: impl IntoIterator<Item = &'a Variable>) -> Self {
        self.with(variables, Mode::Read)
    }

    /// Variables that it writes, and perhaps reads: it runs after all earlier operations that name one of them. One that is read
    /// too counts once.
    #[inline]
    pub fn writes(self, variables: impl IntoIterator<Item = &'a Variable>) -> Self {
        self.with(variables, Mode::Write)
    }

    /// Variables of which it writes all, whatever stood there: it runs even if an operation before it failed to write one of them, and
    /// these are right again once it has.
    #[inline]
    pub fn overwrites(self, variables: impl IntoIterator<Item = &'a Variable>) -> Self {
        self.with(variables, Mode::Overwrite)
    }

    /// Which of several operations that could run comes first: the higher one. All that it waits for has its priority too, if not a
    /// higher one. Waiting for 64 others counts as one more, so that none waits for ever. 0 if left out.
    #[inline]
    pub fn priority(mut self, priority: i32) -> Self {
        self.request.priority = priority;
        self
    }

    /// The queue whose threads run it; the engine's first one if left out.
    #[inline]
    pub fn on(mut self, queue: &Queue) -> Self {
        self.request.queue = queue.number;
        self.request.foreign |= !Arc::ptr_eq(&queue.core, self.core);
        self
    }

    /// How much memory it holds until it is finished, for the window that holds back a thread that pushes too much.
    #[inline]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.request.bytes = bytes;
        self
    }

    #[inline]
    fn with(mut self, variables: impl IntoIterator<Item = &'a Variable>, mode: Mode) -> Self {
        for variable in variables {
            self.request.foreign |= !Arc::ptr_eq(&variable.0.core, self.core);
            self.request.accesses.push((variable.0.id, mode));
        }
        self
    }

    /// Hands the operation to the engine. Its function runs once, on any thread, when all earlier operations that it conflicts with are
    /// finished; what it captures is dropped then. What goes wrong in it is told to whoever waits for a variable that it writes, or for
    /// all.
    ///
    /// A thread that has pushed 1,024 operations, or 256 MiB, that are not finished waits here until a quarter is; not inside an
    /// operation.
    ///
    /// # Errors
    ///
    /// Nothing is pushed if the engine is shut down, the process was forked, a variable belongs to another engine, or there is no memory.
    #[inline]
    pub fn push<R: IntoResult>(self, f: impl FnOnce() -> R + Send + 'static) -> Result<()> {
        self.push_task(None, move |_: &Start<'_>| Called::Returned(f().into_result())).map(drop)
    }

    /// [`push`](Operation::push), with a handle to wait for it and to cancel it.
    ///
    /// # Errors
    ///
    /// As `push`.
    pub fn submit<R: IntoResult>(self, f: impl FnOnce() -> R + Send + 'static) -> Result<Handle> {
        let (core, ended) = (self.core.clone(), Arc::new(Ended::new()));
        let task = move |_: &Start<'_>| Called::Returned(f().into_result());
        let id = self.push_task(Some(ended.clone()), task)?;
        Ok(Handle { core, id, ended })
    }

    /// Runs a function here, on this thread, as this operation: waits until all earlier operations that it conflicts with are finished, and later ones wait for
    /// it. It may borrow, and what it returns is returned. It is for calls that must be over when they return; priority, queue and
    /// bytes mean nothing to it.
    ///
    /// If the function panics, so does this call, and what it writes is not to be relied on.
    ///
    /// ```
    /// use castnet_runtime::engine::Engine;
    ///
    /// let engine = Engine::new(1);
    /// let total = engine.variable();
    /// let mut sum = 0;
    /// engine.operation("earlier").writes(&total).push(|| ())?;
    /// let now = engine.operation("add").writes(&total).run(|| { sum += 2; sum })?;
    /// assert_eq!((now, sum), (2, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What went wrong in an operation that wrote one of the variables; as [`push`](Operation::push); [`Error::WaitsForItself`] inside an operation that must be
    /// finished first. The function has not run then.
    pub fn run<R>(mut self, f: impl FnOnce() -> R) -> Result<R> {
        let request = &mut self.request;
        if request.foreign {
            return Err(Arc::new(Error::OtherEngine { operation: request.origin.take() }));
        }
        let mut here = self.core.begin_here(request.origin.take(), &request.accesses)?;
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => Ok(value),
            Err(payload) => {
                here.failed = Some(message_of(payload.as_ref()));
                drop(here);
                resume_unwind(payload)
            }
        }
    }

    /// Hands an operation to the engine that goes on when its function has returned: it ends when the token is told so.
    ///
    /// # Errors
    ///
    /// As `push`.
    pub fn push_async(self, f: impl FnOnce(OnComplete) + Send + 'static) -> Result<()> {
        self.push_task(None, move |start: &Start<'_>| asynchronous(start, f)).map(drop)
    }

    /// [`push_async`](Operation::push_async), with a handle.
    ///
    /// # Errors
    ///
    /// As `push`.
    pub fn submit_async(self, f: impl FnOnce(OnComplete) + Send + 'static) -> Result<Handle> {
        let (core, ended) = (self.core.clone(), Arc::new(Ended::new()));
        let task = move |start: &Start<'_>| asynchronous(start, f);
        let id = self.push_task(Some(ended.clone()), task)?;
        Ok(Handle { core, id, ended })
    }

    #[inline]
    fn push_task<F>(mut self, handle: Option<Arc<Ended>>, f: F) -> Result<Id>
    where
        F: FnOnce(&Start<'_>) -> Called + Send + 'static,
    {
        let pushed = self.core.push(&mut self.request, handle, f);
        // A thread that ends has none left.
        _ = SPARE.try_with(|spare| spare.set(Some(self.request)));
        pushed
    }
}

fn asynchronous(start: &Start<'_>, f: impl FnOnce(OnComplete)) -> Called {
    f(OnComplete { core: start.core.clone(), id: start.id, told: false });
    Called::Pending
}

/// One variable where several may stand.
impl<'a> IntoIterator for &'a Variable {
    type Item = &'a Variable;
    type IntoIter = iter::Once<&'a Variable>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self)
    }
}

/// An operation that was handed to the engine. Dropping it changes nothing.
pub struct Handle {
    core: Arc<Core>,
    pub(super) id: Id,
    ended: Arc<Ended>,
}

impl Handle {
    /// Waits until the operation is finished.
    ///
    /// # Errors
    ///
    /// What went wrong in it, or in the operation because of which it was skipped. [`Error::WaitsForItself`] inside an operation
    /// that this one waits for.
    #[track_caller]
    pub fn wait(&self) -> Result<()> {
        self.wait_until(None, Location::caller()).map(drop)
    }

    /// The same, for at most so long.
    ///
    /// # Errors
    ///
    /// As [`wait`](Handle::wait), or [`Error::TimedOut`].
    #[track_caller]
    pub fn wait_timeout(&self, limit: Duration) -> Result<()> {
        let location = Location::caller();
        match self.wait_until(Instant::now().checked_add(limit), location)? {
            true => Ok(()),
            false => Err(Arc::new(Error::TimedOut { wait: Origin { name: "wait".into(), location }, limit })),
        }
    }

    fn wait_until(&self, deadline: Option<Instant>, location: &'static Location<'static>) -> Result<bool> {
        if let Some(result) = self.ended.get() {
            return result.clone().map(|()| true);
        }
        let wait = || Origin { name: "wait".into(), location };
        if self.core.is_forked() {
            return Err(Arc::new(Error::Forked { operation: wait() }));
        }
        let _gate = self.core.gate();
        let in_time = self.core.wait_by(self.core.lock(), &Awaited::Operation(self.id), deadline, wait).1?;
        self.ended.get().map_or(Ok(in_time), |result| result.clone().map(|()| true))
    }

    /// Whether the operation is finished, well or not.
    pub fn is_finished(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Cancels the operation if it has not started; `false` if it has. A cancelled operation counts as failed for those that read what
    /// it would have written. What it holds is dropped at once.
    pub fn cancel(&self) -> bool {
        self.core.cancel(self.id)
    }
}

/// Ends an asynchronous operation, from any thread. If it is dropped, the operation fails.
pub struct OnComplete {
    core: Arc<Core>,
    id: Id,
    told: bool,
}

impl OnComplete {
    /// The operation is finished, or has failed.
    pub fn complete(mut self, result: impl IntoResult) {
        self.told = true;
        let result: Result<(), BoxError> = result.into_result();
        self.core.end(self.id, |operation| result.map_err(|source| Arc::new(Error::Failed { operation, source })));
    }
}

impl Drop for OnComplete {
    fn drop(&mut self) {
        if !self.told {
            self.core.end(self.id, |operation| Err(Arc::new(Error::NeverCompleted { operation })));
        }
    }
}
