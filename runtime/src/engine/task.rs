//! A function to be called once, held in place if it is small. One of the few modules with `unsafe`.

use std::mem::{MaybeUninit, align_of, size_of};
use std::sync::Arc;

use super::core::Core;
use super::dependencies::Id;
use super::error::BoxError;

/// What a function captures lies in the record of its operation up to so many bytes; more is boxed, which takes 20 to 100 ns.
pub(super) const INLINE: usize = 96;

#[repr(C, align(16))]
struct Storage([MaybeUninit<u8>; INLINE]);

/// What an operation's function is given.
pub(super) struct Start<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) id: Id,
}

/// How the call of an operation's function ended.
pub(super) enum Called {
    Returned(Result<(), BoxError>),
    /// The operation ends when somebody says so.
    Pending,
}

/// The two things that can be done with what lies in a storage, by its type.
struct Table {
    call: unsafe fn(*mut Storage, &Start<'_>) -> Called,
    drop: unsafe fn(*mut Storage),
}

/// A function of any type, or none.
pub(super) struct Task {
    storage: Storage,
    table: Option<&'static Table>,
}

impl Task {
    /// None.
    #[inline]
    pub(super) fn none() -> Task {
        Task { storage: Storage([MaybeUninit::uninit(); INLINE]), table: None }
    }

    pub(super) fn is_some(&self) -> bool {
        self.table.is_some()
    }

    /// Holds `f` from now on, boxed if it does not fit.
    #[inline]
    pub(super) fn fill<F: FnOnce(&Start<'_>) -> Called + Send + 'static>(&mut self, f: F) {
        if size_of::<F>() <= INLINE && align_of::<F>() <= align_of::<Storage>() {
            self.fill_in_place(f);
        } else {
            let boxed = Box::new(f);
            self.fill_in_place(move |start: &Start<'_>| boxed(start));
        }
    }

    #[inline]
    fn fill_in_place<F: FnOnce(&Start<'_>) -> Called + Send + 'static>(&mut self, f: F) {
        const { assert!(size_of::<Box<u8>>() <= INLINE) };
        self.clear();
        // SAFETY: `fill` has checked size and alignment; a box fits.
        unsafe { (&raw mut self.storage).cast::<F>().write(f) };
        self.table = Some(&Types::<F>::TABLE);
    }

    /// Takes the function out.
    #[inline]
    pub(super) fn take(&mut self) -> Task {
        // What is left behind is of no use without its table, and need not be overwritten.
        Task { storage: Storage(self.storage.0), table: self.table.take() }
    }

    /// Calls it, once; nothing where there is none.
    #[inline]
    pub(super) fn call(&mut self, start: &Start<'_>) -> Called {
        match self.table.take() {
            // SAFETY: the table is that of the type that lies there, and nobody uses it afterwards, since the table is gone.
            Some(table) => unsafe { (table.call)(&raw mut self.storage, start) },
            None => Called::Returned(Ok(())),
        }
    }

    /// Drops the function without a call.
    #[inline]
    pub(super) fn clear(&mut self) {
        if let Some(table) = self.table.take() {
            // SAFETY: the table is that of the type that lies there, and nobody uses it afterwards, since the table is gone.
            unsafe { (table.drop)(&raw mut self.storage) }
        }
    }
}

impl Drop for Task {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}

struct Types<F>(F);

impl<F: FnOnce(&Start<'_>) -> Called + Send + 'static> Types<F> {
    const TABLE: Table = Table { call: Self::call, drop: Self::drop };

    /// # Safety
    ///
    /// An `F` lies there, and is not used afterwards.
    unsafe fn call(storage: *mut Storage, start: &Start<'_>) -> Called {
        // SAFETY: see above; it is moved out, so a panic drops it once.
        let f = unsafe { storage.cast::<F>().read() };
        f(start)
    }

    /// # Safety
    ///
    /// An `F` lies there, and is not used afterwards.
    unsafe fn drop(storage: *mut Storage) {
        // SAFETY: see above.
        unsafe { storage.cast::<F>().drop_in_place() }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[repr(align(64))]
    struct Aligned(u8);

    fn task<F: FnOnce(&Start<'_>) -> Called + Send + 'static>(f: F) -> Task {
        let mut place = Task::none();
        place.fill(|_| Called::Pending);
        place.fill(f);
        let task = place.take();
        assert!(!place.is_some() && task.is_some());
        task
    }

    fn start(mut task: Task) -> Called {
        let core = Core::new(0, false);
        task.call(&Start { core: &core, id: Id { index: 0, ticket: 1 } })
    }

    /// Whatever is captured is there when the function is called, and is dropped once, by the call or without it.
    fn check<T: Send + 'static>(value: T, read: fn(&T) -> u8) {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut value = Some(value);
        for call in [false, true] {
            let counted = Counted(dropped.clone());
            let task = match value.take() {
                Some(value) => task(move |_: &Start<'_>| {
                    let counted = counted;
                    assert_eq!(read(&value), 7);
                    drop(counted);
                    Called::Returned(Ok(()))
                }),
                None => task(move |_: &Start<'_>| {
                    let _counted = counted;
                    Called::Pending
                }),
            };
            // Moved to and fro before.
            let moved = [Some(task)];
            let [task] = moved;
            let before = dropped.load(Ordering::Relaxed);
            match (call, task) {
                (true, Some(task)) => _ = start(task),
                (_, task) => drop(task),
            }
            assert_eq!(dropped.load(Ordering::Relaxed), before + 1);
        }
    }

    #[test]
    fn captures_of_every_size_and_alignment() {
        check((), |()| 7);
        check(7u8, |&byte| byte);
        check([7u8; 80], |bytes| bytes[79]);
        check([7u8; 88], |bytes| bytes[87]);
        check([7u8; 89], |bytes| bytes[88]);
        check([7u8; 5000], |bytes| bytes[4999]);
        check(Aligned(7), |aligned| aligned.0);
        check(u128::from(7u8), |&wide| wide as u8);
        check(String::from("\u{7}"), |text| text.as_bytes()[0]);
    }

    #[test]
    fn a_call_gets_what_was_captured() {
        for size in [1usize, 90, 200] {
            let bytes = vec![1u8; size];
            let wide = [1u8; 200];
            let task = match size {
                200 => task(move |_: &Start<'_>| Called::Returned(Err(wide.iter().sum::<u8>().to_string().into()))),
                _ => task(move |_: &Start<'_>| Called::Returned(Err(bytes.len().to_string().into()))),
            };
            assert!(matches!(start(task), Called::Returned(Err(text)) if text.to_string() == size.to_string()));
        }
    }

    #[test]
    fn a_panic_drops_what_was_captured_once() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counted = Counted(dropped.clone());
        let task = task(move |_: &Start<'_>| {
            let _counted = &counted;
            panic!("on purpose")
        });
        assert!(catch_unwind(AssertUnwindSafe(|| start(task))).is_err());
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}
