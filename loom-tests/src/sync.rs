//! What stands in `runtime/src/sync.rs`, by loom; with sizes that are small enough for all orders to be tried.

use std::cell::Cell;
use std::sync::OnceLock as StdOnceLock;
use std::time::Duration;

use atomic::{AtomicBool, Ordering};
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
use loom::thread::{AccessError, LocalKey};

pub(crate) const LOOKS: u32 = 1;

pub(crate) const SLOTS: usize = 1;

/// Whoever looks at the clock has waited long enough, so that threads are seen to sleep.
pub(crate) struct Instant;

impl Instant {
    pub(crate) fn now() -> Instant {
        Instant
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::MAX
    }
}

pub(crate) mod hint {
    /// Loom's would have all others go first, and so hide what happens if they do not.
    pub(crate) fn spin_loop() {}
}

pub(crate) mod thread {
    use std::io;

    use super::{Condvar, Mutex};
    pub(crate) use loom::thread::{JoinHandle, current, spawn, yield_now};

    loom::lazy_static! {
        /// How many threads of the runtime's own there are.
        static ref RUNNING: std::sync::Arc<(Mutex<usize>, Condvar)> = Default::default();
    }

    /// Waits until no thread of the runtime's own is left: no longer than they do, there is what is static.
    pub(crate) fn wait_for_all() {
        let (count, ended) = &**RUNNING;
        let mut running = count.lock().unwrap();
        while *running > 0 {
            running = ended.wait(running).unwrap();
        }
    }

    pub(crate) struct Builder(loom::thread::Builder);

    impl Builder {
        pub(crate) fn new() -> Builder {
            Builder(loom::thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Builder {
            Builder(self.0.name(name))
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            f: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            let running = RUNNING.clone();
            *running.0.lock().unwrap() += 1;
            self.0.spawn(move || {
                let result = f();
                *running.0.lock().unwrap() -= 1;
                running.1.notify_all();
                result
            })
        }
    }
}

/// A value for each execution.
pub(crate) struct LazyLock<T>(loom::lazy_static::Lazy<T>);

impl<T: 'static> LazyLock<T> {
    pub(crate) const fn new(init: fn() -> T) -> LazyLock<T> {
        LazyLock(loom::lazy_static::Lazy { init, _p: std::marker::PhantomData })
    }

    pub(crate) fn force(this: &'static LazyLock<T>) -> &'static T {
        this.0.get()
    }
}

/// Loom has none.
pub(crate) struct OnceLock<T> {
    lock: Mutex<()>,
    is_set: AtomicBool,
    value: StdOnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> OnceLock<T> {
        OnceLock { lock: Mutex::new(()), is_set: AtomicBool::new(false), value: StdOnceLock::new() }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get().filter(|_| self.is_set.load(Ordering::Acquire))
    }

    pub(crate) fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _guard = self.lock.lock().unwrap();
        if self.get().is_none() {
            // Nobody waits for another thread inside.
            let value = f();
            assert!(self.value.set(value).is_ok());
            self.is_set.store(true, Ordering::Release);
        }
        self.get().unwrap()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let _guard = self.lock.lock().unwrap();
        let result = self.value.set(value);
        self.is_set.store(true, Ordering::Release);
        result
    }
}

/// A `thread_local` with what the standard library's has for cells.
pub(crate) struct Local<T: 'static>(pub(crate) &'static LocalKey<T>);

impl<T: 'static> Local<T> {
    pub(crate) fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.0.with(f)
    }

    pub(crate) fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        self.0.try_with(f)
    }
}

impl<T: 'static> Local<Cell<T>> {
    pub(crate) fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub(crate) fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub(crate) fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

macro_rules! thread_locals {
    ($($(#[$about:meta])* static $name:ident: $type:ty = const { $init:expr };)*) => {
        $($(#[$about])* static $name: crate::sync::Local<$type> = {
            loom::thread_local! { static KEY: $type = $init; }
            crate::sync::Local(&KEY)
        };)*
    };
}
pub(crate) use thread_locals as thread_local;
