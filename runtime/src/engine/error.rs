//! What can go wrong with an operation or a wait.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// Any error of an operation's function.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What calls of the engine return. Errors are counted, since one reaches all that depend on the operation that failed.
pub type Result<T, E = Arc<Error>> = std::result::Result<T, E>;

/// An operation, or a call that waits, by its name and where it stands in the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub(super) name: Cow<'static, str>,
    pub(super) location: &'static Location<'static>,
}

impl Origin {
    /// The name that was given to [`Engine::operation`](super::Engine::operation).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the name out.
    pub(super) fn take(&mut self) -> Origin {
        Origin { name: std::mem::take(&mut self.name), location: self.location }
    }

    /// The source line.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}:{})", self.name, self.location.file(), self.location.line())
    }
}

/// What went wrong, and with which operation. `{:?}` prints what `{}` does.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operation's function returned an error.
    #[error("{operation}: {source}")]
    Failed {
        /// The operation.
        operation: Origin,
        /// What it returned.
        source: BoxError,
    },
    /// The operation's function panicked, or the destructor of what it held.
    #[error("{operation} panicked: {message}")]
    Panicked {
        /// The operation.
        operation: Origin,
        /// What the panic said.
        message: String,
    },
    /// The operation was cancelled before it started.
    #[error("{operation} was cancelled before it started")]
    Cancelled {
        /// The operation.
        operation: Origin,
    },
    /// The token by which an asynchronous operation ends was dropped.
    #[error("{operation} never ends: its `OnComplete` was dropped")]
    NeverCompleted {
        /// The operation.
        operation: Origin,
    },
    /// A call inside an operation waits for what can only happen after this operation.
    #[error("{operation} waits for itself: {wait} stands inside it")]
    WaitsForItself {
        /// The operation that is not finished.
        operation: Origin,
        /// The call that waits.
        wait: Origin,
    },
    /// The time of a wait was up; what was waited for goes on.
    #[error("{wait}: not finished within {limit:?}")]
    TimedOut {
        /// The call that waited.
        wait: Origin,
        /// How long it did.
        limit: Duration,
    },
    /// The engine takes no further operations.
    #[error("{operation}: the engine is shut down")]
    ShutDown {
        /// The operation that was not pushed.
        operation: Origin,
    },
    /// The process is a copy of the one that made the engine, whose threads it does not have.
    #[error("{operation}: the engine belongs to the process that this one was forked from; make a new one")]
    Forked {
        /// The operation that was not pushed, or the call that did not wait.
        operation: Origin,
    },
    /// A variable or a queue belongs to another engine.
    #[error("{operation}: a variable or queue of another engine")]
    OtherEngine {
        /// The operation that was not pushed, or the call that did not wait.
        operation: Origin,
    },
    /// There is no memory for another operation.
    #[error("{operation}: no memory for another operation")]
    Memory {
        /// The operation that was not pushed.
        operation: Origin,
    },
}

impl Error {
    /// The operation that is to blame, or the call that it is about.
    pub fn origin(&self) -> &Origin {
        match self {
            Error::Failed { operation, .. }
            | Error::Panicked { operation, .. }
            | Error::Cancelled { operation }
            | Error::NeverCompleted { operation }
            | Error::WaitsForItself { operation, .. }
            | Error::TimedOut { wait: operation, .. }
            | Error::ShutDown { operation }
            | Error::Forked { operation }
            | Error::OtherEngine { operation }
            | Error::Memory { operation } => operation,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The failures that a wait for all operations found, each for the first time.
#[derive(Clone)]
pub struct Failures {
    pub(super) errors: Vec<Arc<Error>>,
    pub(super) left_out: usize,
}

impl Failures {
    /// The errors, in the order in which they happened.
    pub fn errors(&self) -> &[Arc<Error>] {
        &self.errors
    }

    /// How many further ones there were, of which nothing was kept.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

impl From<Error> for Failures {
    fn from(error: Error) -> Failures {
        Failures { errors: vec![Arc::new(error)], left_out: 0 }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            let end = if i + 1 < self.errors.len() || self.left_out > 0 { "\n" } else { "" };
            write!(f, "{error}{end}")?;
        }
        match self.left_out {
            0 => Ok(()),
            n => write!(f, "and {n} more"),
        }
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl StdError for Failures {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.errors.first().map(|error| &**error as &(dyn StdError + 'static))
    }
}

/// What an operation's function may return: nothing, or a `Result` with any error.
pub trait IntoResult {
    /// As a result.
    fn into_result(self) -> Result<(), BoxError>;
}

impl IntoResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> IntoResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}
