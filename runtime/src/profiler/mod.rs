//! What a program spends its time on: calls of networks with every task of their programs, operations of engines, and spans of one's own, as a trace and
//! as a table.
//!
//! ```
//! use castnet_runtime::profiler;
//!
//! profiler::start()?;
//! {
//!     let _span = profiler::span("prepare");
//!     // …
//! }
//! let profile = profiler::stop()?;
//! println!("{}", profile.table());
//! assert_eq!(profile.rows()[0].name, "prepare");
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("trace.json");
//! profile.write_trace(&path)?; // for <https://ui.perfetto.dev>
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There is one for the whole process: it sees all threads. While it is off, a call of a network or a push to an engine looks at one number in memory, and that
//! is all that it costs.

mod machine;
mod profile;
mod programs;
mod session;
mod table;
mod trace;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use machine::{Machine, machine};
pub use profile::{Profile, Row, RowKind};
pub(crate) use programs::{About, Call, ProgramKey, TaskInfo};
use session::{Event, Kind, Name, Session, What};
pub(crate) use session::{OperationKey, Outcome};
pub use table::Table;

use crate::error::{Error, Result};

/// The number of the session that records, 0 if none does.
static ON: AtomicU64 = AtomicU64::new(0);

/// The session between a start and its stop, whether it is paused or not.
static SESSION: Mutex<Option<Arc<Session>>> = Mutex::new(None);

/// So many events are kept if nobody says otherwise: 64 MiB at most.
const EVENTS: usize = 1 << 20;

/// Whether something is recorded now.
#[inline(always)]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

/// Records from now on, until [`stop`]: the latest 2²⁰ events, and all figures of the table.
///
/// # Errors
/// [`Error::Profiler`] if it records already.
pub fn start() -> Result<()> {
    start_with(EVENTS)
}

/// The same with another number of events that are kept, for the trace: when there are more, the oldest go. The table counts all.
///
/// # Errors
/// As [`start`].
pub fn start_with(events: usize) -> Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    if session.is_some() {
        return Err(Error::Profiler { what: "it was started and not stopped yet" });
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    *session = Some(Arc::new(Session::new(number, events)));
    ON.store(number, Ordering::Release);
    Ok(())
}

/// Records nothing until [`resume`]; calls that run are recorded to their end. May be called several times.
///
/// # Errors
/// [`Error::Profiler`] if it was not started.
pub fn pause() -> Result<()> {
    set(|_| 0)
}

/// Goes on after [`pause`].
///
/// # Errors
/// [`Error::Profiler`] if it was not started.
pub fn resume() -> Result<()> {
    set(Session::number)
}

fn set(number: impl FnOnce(&Session) -> u64) -> Result<()> {
    let session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    let session = session.as_ref().ok_or(Error::Profiler { what: OFF })?;
    ON.store(number(session), Ordering::Release);
    Ok(())
}

const OFF: &str = "it was not started";

/// Stops, and returns what was recorded. Calls, operations and spans that have not ended are not among it; tasks that such a call has done are.
///
/// # Errors
/// [`Error::Profiler`] if it was not started.
pub fn stop() -> Result<Profile> {
    let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    let session = session.take().ok_or(Error::Profiler { what: OFF })?;
    ON.store(0, Ordering::Release);
    Ok(Profile::new(session.close()))
}

/// The session that records.
#[cold]
fn session() -> Option<Arc<Session>> {
    let number = ON.load(Ordering::Acquire);
    if number == 0 {
        return None;
    }
    Session::known(number).or_else(|| {
        let session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().filter(|session| session.number() == number).cloned()
    })
}

/// A part of the program, from [`span`] until it is dropped.
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    open: Option<(Arc<Session>, u32, Arc<Name>, u64)>,
    /// It ends on the thread on which it began.
    here: PhantomData<*const ()>,
}

/// A span of one's own, in the trace and in the table. While nothing is recorded it is nothing; one that has not ended when the profiler stops is not
/// recorded. Names are kept once each, so one that says a number of the step is a row of its own.
///
/// ```
/// # use castnet_runtime::profiler;
/// let _span = profiler::span("evaluate");
/// ```
#[track_caller]
pub fn span(name: impl Into<Cow<'static, str>>) -> Span {
    let location = Location::caller();
    let open = |session: Arc<Session>| {
        let (number, name) = session.name(Kind::Span, name.into(), Some(location));
        let start = session.now();
        (session, number, name, start)
    };
    Span { open: if is_on() { session().map(open) } else { None }, here: PhantomData }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some((session, number, name, start)) = self.open.take() else { return };
        let end = session.now();
        session.record(Event { start, end, what: What::Span { name: number } });
        name.figures.add(end - start, false);
    }
}

/// Notes a moment, in the trace.
#[track_caller]
pub fn mark(name: impl Into<Cow<'static, str>>) {
    instant(Kind::Mark, name.into(), Location::caller(), |name| What::Mark { name });
}

/// Notes a number, of which the trace draws a curve: a loss, a length of a queue.
#[track_caller]
pub fn counter(name: impl Into<Cow<'static, str>>, value: f64) {
    instant(Kind::Counter, name.into(), Location::caller(), |name| What::Counter { name, value });
}

fn instant(kind: Kind, name: Cow<'static, str>, location: &'static Location<'static>, what: impl FnOnce(u32) -> What) {
    if is_on()
        && let Some(session) = session()
    {
        let (number, _) = session.name(kind, name, Some(location));
        let now = session.now();
        session.record(Event { start: now, end: now, what: what(number) });
    }
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
