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
mod table;
mod trace;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

pub use machine::{Machine, machine};
pub use profile::{Profile, Row, RowKind};
pub use table::Table;

use crate::error::{Error, Result};
pub use crate::recorder::is_on;
use crate::recorder::{self, Event, Kind, Name, Session, What, session};

/// So many events are kept if nobody says otherwise: 64 MiB at most.
const EVENTS: usize = 1 << 20;

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
    match recorder::start(events) {
        true => Ok(()),
        false => Err(Error::Profiler { what: "it was started and not stopped yet" }),
    }
}

/// Records nothing until [`resume`]; calls that run are recorded to their end. May be called several times.
///
/// # Errors
/// [`Error::Profiler`] if it was not started.
pub fn pause() -> Result<()> {
    recorder::set(false).ok_or(Error::Profiler { what: OFF })
}

/// Goes on after [`pause`].
///
/// # Errors
/// [`Error::Profiler`] if it was not started.
pub fn resume() -> Result<()> {
    recorder::set(true).ok_or(Error::Profiler { what: OFF })
}

const OFF: &str = "it was not started";

/// Stops, and returns what was recorded. Calls, operations and spans that have not ended are not among it; tasks that such a call has done are.
///
/// # Errors
/// [`Error::Profiler`] if it was not started.
pub fn stop() -> Result<Profile> {
    recorder::stop().map(Profile::new).ok_or(Error::Profiler { what: OFF })
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
