//! What threads share and wait by: the standard library's here, and loom's in `loom-tests`, which checks the same code in every order in which threads
//! can go.

pub(crate) use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, OnceLock, atomic};
pub(crate) use std::thread_local;
pub(crate) use std::time::Instant;
pub(crate) use std::{hint, thread};

/// How often a thread that waits awake looks before it asks how late it is.
pub(crate) const LOOKS: u32 = 32;

/// How many jobs can be shared at once.
pub(crate) const SLOTS: usize = 64;
