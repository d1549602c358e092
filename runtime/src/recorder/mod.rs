//! What the profiler is told while it is on, and where it is kept: at the bottom, so that everything may be recorded.

mod programs;
mod session;

use std::borrow::Cow;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use programs::{About, Call, ProgramKey, TaskInfo};
pub(crate) use session::{Event, Figures, Kind, Name, OperationKey, Outcome, Recorded, Session, What};

/// The number of the session that records, 0 if none does.
static ON: AtomicU64 = AtomicU64::new(0);

/// The session between a start and its stop, whether it is paused or not.
static SESSION: Mutex<Option<Arc<Session>>> = Mutex::new(None);

/// Whether something is recorded now.
#[inline(always)]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

/// Records from now on; `false`: that was so already.
pub(crate) fn start(events: usize) -> bool {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    if session.is_some() {
        return false;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    *session = Some(Arc::new(Session::new(number, events)));
    ON.store(number, Ordering::Release);
    true
}

/// Records, or not for the time being; `None`: it was not started.
pub(crate) fn set(on: bool) -> Option<()> {
    let session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    let number = session.as_ref()?.number();
    ON.store(if on { number } else { 0 }, Ordering::Release);
    Some(())
}

/// Ends it: what was recorded, if it was started.
pub(crate) fn stop() -> Option<Recorded> {
    let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    let session = session.take()?;
    ON.store(0, Ordering::Release);
    Some(session.close())
}

/// The session that records.
#[cold]
pub(crate) fn session() -> Option<Arc<Session>> {
    let number = ON.load(Ordering::Acquire);
    if number == 0 {
        return None;
    }
    Session::known(number).or_else(|| {
        let session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().filter(|session| session.number() == number).cloned()
    })
}

/// A call begins, if something is recorded: to be asked after [`is_on`].
pub(crate) fn call(about: &About<'_>) -> Option<Call> {
    Some(Call::begin(session()?, about))
}

/// An operation that runs.
pub(crate) struct Operation {
    session: Arc<Session>,
    operation: OperationKey,
    number: u32,
    name: Arc<Name>,
    start: u64,
}

/// An operation is pushed: to be asked after [`is_on`].
#[cold]
pub(crate) fn pushed(operation: OperationKey, name: Cow<'static, str>, location: &'static Location<'static>) {
    let Some(session) = session() else { return };
    let (name, _) = session.name(Kind::Operation, name, Some(location));
    let now = session.now();
    session.record(Event { start: now, end: now, what: What::Push { operation, name } });
}

/// An operation's function begins: to be asked after [`is_on`].
#[cold]
pub(crate) fn operation(
    operation: OperationKey,
    name: Cow<'static, str>,
    location: &'static Location<'static>,
) -> Option<Operation> {
    let session = session()?;
    let (number, name) = session.name(Kind::Operation, name, Some(location));
    let start = session.now();
    Some(Operation { session, operation, number, name, start })
}

impl Operation {
    /// It has returned.
    #[cold]
    pub(crate) fn end(self, outcome: Outcome) {
        let Operation { session, operation, number, name, start } = self;
        let end = session.now();
        session.record(Event { start, end, what: What::Operation { operation, name: number, outcome } });
        if outcome != Outcome::Skipped {
            name.figures.add(end - start, outcome == Outcome::Failed);
        }
    }
}

/// An operation is finished whose function had returned before: to be asked after [`is_on`].
#[cold]
pub(crate) fn completed(operation: OperationKey, failed: bool) {
    let Some(session) = session() else { return };
    let now = session.now();
    session.record(Event { start: now, end: now, what: What::Completed { operation, failed } });
}
