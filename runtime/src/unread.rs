//! Errors of saves in the background that nobody has read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// What went wrong in saves of a model whose handles were dropped. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<Errors>);

#[derive(Default)]
struct Errors {
    some: AtomicBool,
    all: Mutex<Vec<Error>>,
}

impl Unread {
    pub(crate) fn keep(&self, error: Error) {
        let mut all = self.0.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(error);
        self.0.some.store(true, Ordering::Release);
    }

    /// # Errors
    /// The first of them, once.
    pub(crate) fn tell(&self) -> Result<()> {
        if !self.0.some.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut all = self.0.all.lock().unwrap_or_else(PoisonError::into_inner);
        let first = (!all.is_empty()).then(|| all.remove(0));
        self.0.some.store(!all.is_empty(), Ordering::Release);
        first.map_or(Ok(()), Err)
    }
}
