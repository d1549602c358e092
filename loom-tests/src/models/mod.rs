//! The models, each a program of few threads. What is looked for: two that touch one thing at once or without having heard of each other, a thread that
//! waits for ever, and what the model itself asserts.

pub mod operations;
pub mod pool;
pub mod turns;

use std::sync::Arc;

use loom::cell::UnsafeCell;

use crate::sync::{Condvar, Mutex};
use crate::{set_threads, sync};

pub(crate) use crate::sync::thread::spawn;
pub use crate::{call as workspaces, job};

/// Runs a model in every order in which at most three threads are stopped where they could go on.
pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
    check_with(3, model);
}

/// The same, with so many that are stopped; `LOOM_MAX_PREEMPTIONS` says otherwise.
pub(crate) fn check_with(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = runs.clone();
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
        // Here what is static ends, which threads of the pool still use.
        set_threads(1);
        sync::thread::wait_for_all();
    });
    println!("{} orders", runs.load(std::sync::atomic::Ordering::Relaxed));
}

/// Memory that many may read, or one may write: loom finds who does so beside another one, or has not heard of him. The lock is none of loom's, and is there
/// for the compiler alone.
#[derive(Default)]
pub(crate) struct Guarded(std::sync::Mutex<UnsafeCell<()>>);

impl Guarded {
    pub(crate) fn read(&self) {
        self.0.lock().unwrap().with(|_| ());
    }

    pub(crate) fn write(&self) {
        self.0.lock().unwrap().with_mut(|_| ());
    }
}

/// Something that a thread waits for without the engine's help.
#[derive(Default)]
pub(crate) struct Event {
    happened: Mutex<usize>,
    wake: Condvar,
}

impl Event {
    pub(crate) fn happen(&self) {
        *self.happened.lock().unwrap() += 1;
        self.wake.notify_all();
    }

    pub(crate) fn wait(&self, times: usize) {
        let mut happened = self.happened.lock().unwrap();
        while *happened < times {
            happened = self.wake.wait(happened).unwrap();
        }
    }
}
