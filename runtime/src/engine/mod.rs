//! A scheduler: operations say which variables they read and write, and run in any order that this allows.
//!
//! Two operations of which one writes what the other names run in the order in which they were pushed; all others may run side by side.
//! A variable is a name only: what it stands for is the user's, data behind a lock, a file, a device. Variables know which operation
//! failed to write them, and whoever reads one is told.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use castnet_runtime::engine::Engine;
//!
//! let engine = Engine::new(2);
//! let (a, b) = (engine.variable(), engine.variable());
//! let text = Arc::new(Mutex::new(String::new()));
//!
//! let shared = text.clone();
//! engine.operation("write").writes(&a).push(move || shared.lock().unwrap().push_str("one"))?;
//! let shared = text.clone();
//! engine.operation("copy").reads(&a).writes(&b).push(move || shared.lock().unwrap().push_str(" two"))?;
//! engine.operation("fail").writes(&a).push(|| Err("no disk"))?;
//! engine.operation("skipped").reads([&a, &b]).push(|| println!("never printed"))?;
//!
//! engine.wait_to_read(&b)?;
//! assert_eq!(*text.lock().unwrap(), "one two");
//! let error = engine.wait_to_read(&a).unwrap_err();
//! assert!(error.to_string().starts_with("`fail` (") && error.to_string().ends_with("): no disk"));
//! assert_eq!(engine.wait_all().unwrap_err().errors().len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bell;
mod core;
mod current;
mod dependencies;
mod error;
mod fork;
mod holders;
mod operation;
mod ready;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod turn;
mod worker;

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use error::{BoxError, Error, Failures, IntoResult, Origin, Result};
pub use operation::{Handle, OnComplete, Operation};

use self::core::Core;
use crate::pool;
use crate::sync::LazyLock;
use dependencies::{Mode, VariableId};
use turn::{Calls, Word};
pub(crate) use turn::{Claim, Turn, Use};
use worker::Crew;

/// A thread that has pushed so many operations that are not finished waits before it pushes another one.
const OPERATIONS: usize = 1024;

/// The same of the bytes that they hold.
const BYTES: u64 = 256 << 20;

/// A scheduler of its own, with threads of its own; clones are the same one.
///
/// When the last clone goes, operations that have not started are cancelled; [`shutdown`](Engine::shutdown) runs them first.
#[derive(Clone)]
pub struct Engine(Arc<Alive>);

/// Closes the engine when the last handle goes.
struct Alive(Arc<Core>);

/// What operations read and write, for the engine: a name for something. Clones are the same one.
#[derive(Clone)]
pub struct Variable(Arc<Named>);

struct Named {
    core: Arc<Core>,
    id: VariableId,
}

/// Threads for some of the operations, so that those that wait for a disk, say, don't hold others up.
#[derive(Clone)]
pub struct Queue {
    core: Arc<Core>,
    number: u32,
}

impl Engine {
    /// An engine with so many threads. Without any, operations run on threads that wait for them.
    pub fn new(workers: usize) -> Engine {
        Engine(Arc::new(Alive(Core::new(workers, false))))
    }

    /// The process's engine, on which loaders, checkpoints and networks put their work; it is there until the process ends.
    ///
    /// Its threads are those that networks compute with, all but one of [`set_threads`](crate::set_threads): they run operations where no network
    /// has work for them. With one thread, operations run on threads that wait for them, and on queues of their own.
    pub fn global() -> &'static Engine {
        static GLOBAL: LazyLock<Engine> = LazyLock::new(|| {
            if Calls::of_process() == Calls::Serial {
                return Engine::serial();
            }
            let core = Core::for_crew();
            pool::serve(Box::leak(Box::new(Crew(core.clone()))));
            Engine(Arc::new(Alive(core)))
        });
        LazyLock::force(&GLOBAL)
    }

    /// An engine that runs each operation while it is pushed, one after the other: for finding out whether a mistake has to do with
    /// order. What an operation pushes runs after it. Errors are told as by other engines.
    pub fn serial() -> Engine {
        Engine(Arc::new(Alive(Core::new(0, true))))
    }

    fn core(&self) -> &Arc<Core> {
        &self.0.0
    }

    fn variable_of(&self, word: &Arc<Word>) -> Variable {
        let core = self.core();
        let id = if core.is_forked() { VariableId(0) } else { core.variable_of(word) };
        Variable(Arc::new(Named { core: core.clone(), id }))
    }

    /// A new variable.
    pub fn variable(&self) -> Variable {
        let core = self.core();
        // In a forked process nobody can push an operation that names it.
        let id = if core.is_forked() { VariableId(0) } else { core.lock().dependencies.variable() };
        Variable(Arc::new(Named { core: core.clone(), id }))
    }

    /// A queue with so many threads of its own, for [`Operation::on`]; in a serial engine, with none.
    pub fn queue(&self, workers: usize) -> Queue {
        let core = self.core();
        let workers = if core.is_serial() { 0 } else { workers };
        let number = if core.is_forked() { 0 } else { core.add_queue(workers) };
        Queue { core: core.clone(), number }
    }

    /// Begins to describe an operation. Errors name it and the line of this call.
    #[track_caller]
    #[inline]
    pub fn operation(&self, name: impl Into<Cow<'static, str>>) -> Operation<'_> {
        Operation::new(self.core(), name.into(), Location::caller())
    }

    /// Waits until all operations pushed before this call that write the variable are finished.
    ///
    /// # Errors
    ///
    /// What went wrong in the operation because of which the variable is not as it should be: each time, until it is overwritten.
    /// [`Error::WaitsForItself`] inside an operation that must be finished first.
    #[track_caller]
    pub fn wait_to_read(&self, variable: &Variable) -> Result<()> {
        self.wait(variable, Mode::Read, None, "wait_to_read", Location::caller())
    }

    /// The same, for at most so long.
    ///
    /// # Errors
    ///
    /// As [`wait_to_read`](Engine::wait_to_read), or [`Error::TimedOut`].
    #[track_caller]
    pub fn wait_to_read_timeout(&self, variable: &Variable, limit: Duration) -> Result<()> {
        self.wait(variable, Mode::Read, Some(limit), "wait_to_read", Location::caller())
    }

    /// Waits until all operations pushed before this call that read or write the variable are finished.
    ///
    /// # Errors
    ///
    /// As [`wait_to_read`](Engine::wait_to_read).
    #[track_caller]
    pub fn wait_to_write(&self, variable: &Variable) -> Result<()> {
        self.wait(variable, Mode::Write, None, "wait_to_write", Location::caller())
    }

    /// The same, for at most so long.
    ///
    /// # Errors
    ///
    /// As [`wait_to_read_timeout`](Engine::wait_to_read_timeout).
    #[track_caller]
    pub fn wait_to_write_timeout(&self, variable: &Variable, limit: Duration) -> Result<()> {
        self.wait(variable, Mode::Write, Some(limit), "wait_to_write", Location::caller())
    }

    fn wait(
        &self,
        variable: &Variable,
        mode: Mode,
        limit: Option<Duration>,
        name: &'static str,
        location: &'static Location<'static>,
    ) -> Result<()> {
        let wait = || Origin { name: name.into(), location };
        if !Arc::ptr_eq(&variable.0.core, self.core()) {
            return Err(Arc::new(Error::OtherEngine { operation: wait() }));
        }
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        match (self.core().wait_for_variable(variable.0.id, mode, deadline, wait)?, limit) {
            (false, Some(limit)) => Err(Arc::new(Error::TimedOut { wait: wait(), limit })),
            (true | false, _) => Ok(()),
        }
    }

    /// Waits until all operations pushed before this call are finished, and all that these push.
    ///
    /// # Errors
    ///
    /// What went wrong in operations since the last such call; those that were skipped or cancelled are not told of.
    /// [`Error::WaitsForItself`] inside an operation.
    #[track_caller]
    pub fn wait_all(&self) -> Result<(), Failures> {
        self.wait_all_until(None, Location::caller())
    }

    /// The same, for at most so long.
    ///
    /// # Errors
    ///
    /// As [`wait_all`](Engine::wait_all), or [`Error::TimedOut`].
    #[track_caller]
    pub fn wait_all_timeout(&self, limit: Duration) -> Result<(), Failures> {
        self.wait_all_until(Some(limit), Location::caller())
    }

    fn wait_all_until(&self, limit: Option<Duration>, location: &'static Location<'static>) -> Result<(), Failures> {
        let wait = || Origin { name: "wait_all".into(), location };
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        match (self.core().wait_all(deadline, wait)?, limit) {
            (false, Some(limit)) => Err(Error::TimedOut { wait: wait(), limit }.into()),
            (true | false, _) => Ok(()),
        }
    }

    /// Takes no further operations, waits for all that there are, and ends the threads.
    ///
    /// # Errors
    ///
    /// As [`wait_all`](Engine::wait_all). Inside an operation the engine goes on taking operations.
    #[track_caller]
    pub fn shutdown(&self) -> Result<(), Failures> {
        let location = Location::caller();
        let wait = || Origin { name: "shutdown".into(), location };
        let core = self.core();
        if core.is_forked() {
            return Err(Error::Forked { operation: wait() }.into());
        }
        if let Some(operation) = core.open_here() {
            return Err(Error::WaitsForItself { operation, wait: wait() }.into());
        }
        core.close(false);
        let result = core.wait_all(None, wait);
        core.dismiss();
        result.map(drop)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // The threads end by themselves: this may be one of them.
        if !self.0.is_forked() {
            self.0.close(true);
        }
    }
}

impl Variable {
    /// How many operations that write it have run, well or not.
    pub fn version(&self) -> u64 {
        if self.0.core.is_forked() { 0 } else { self.0.core.lock().dependencies.version(self.0.id) }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variable").field(&self.0.id.0).finish()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if !self.core.is_forked() {
            self.core.release(self.id);
        }
    }
}
