//! Files that are written while the program goes on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::contents::{Contents, Snapshot};
use crate::engine::{self, Engine, Queue, Variable};
use crate::error::{Error, Result};
use crate::unread::Unread;

/// A save that goes on while the program does something else: what `save_async` and `save_training_async` return.
///
/// Dropped, it waits. What went wrong is then what the next call returns that saves or trains this model; only [`wait`](SaveHandle::wait) is
/// sure to tell it, also of the last save of a program.
#[must_use = "dropping it waits for the file: keep it, and `wait` tells whether the file was written"]
pub struct SaveHandle {
    path: PathBuf,
    /// Gone once it was waited for.
    operation: Option<engine::Handle>,
    written: Arc<Mutex<Option<Result<()>>>>,
    unread: Unread,
}

impl SaveHandle {
    /// Waits until the file is written.
    ///
    /// # Errors
    /// As the call that writes while the program waits: the old file is as it was.
    pub fn wait(mut self) -> Result<()> {
        self.end()
    }

    /// Whether the file is written, or could not be.
    pub fn is_finished(&self) -> bool {
        self.operation.as_ref().is_none_or(engine::Handle::is_finished)
    }

    fn end(&mut self) -> Result<()> {
        let ended = self.operation.take().map_or(Ok(()), |operation| operation.wait());
        match lock(&self.written).take() {
            Some(written) => written,
            // It was waited for before, or never ran.
            None => ended.map_err(|error| unwritten(&self.path, &error)),
        }
    }
}

impl Drop for SaveHandle {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            self.unread.keep(error);
        }
    }
}

impl fmt::Debug for SaveHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_finished() { "finished" } else { "under way" };
        write!(f, "SaveHandle({}, {state})", self.path.display())
    }
}

/// Who writes: a queue of the process's engine with one thread, one file after the other in the order of the calls.
struct Writer {
    queue: Queue,
    files: Variable,
}

static WRITER: OnceLock<Writer> = OnceLock::new();

/// Writes a snapshot later.
pub(super) fn write(path: &Path, contents: Contents<'_>, unread: &Unread) -> Result<SaveHandle> {
    let engine = Engine::global();
    let writer = WRITER.get_or_init(|| Writer { queue: engine.queue(1), files: engine.variable() });
    let (path, written) = (path.to_path_buf(), Arc::new(Mutex::new(None)));
    let (to, done, snapshot) = (path.clone(), written.clone(), contents.snapshot()?);
    let write = move || {
        let result = Snapshot::write(snapshot, &to);
        *lock(&done) = Some(result);
    };
    // What goes wrong is told by the handle, and holds no other save up.
    let operation = engine.operation("save").overwrites(&writer.files).on(&writer.queue).submit(write);
    let operation = operation.map_err(|error| unwritten(&path, &error))?;
    Ok(SaveHandle { path, operation: Some(operation), written, unread: unread.clone() })
}

/// Waits for all files that are to be written: what is read or written now comes after them.
pub(super) fn settle() {
    if let Some(writer) = WRITER.get() {
        // They have handles of their own, which tell what went wrong.
        let _ = Engine::global().wait_to_write(&writer.files);
    }
}

fn unwritten(path: &Path, error: &engine::Error) -> Error {
    Error::CannotBeSaved { path: path.to_path_buf(), reason: error.to_string() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
