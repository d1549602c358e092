//! Whether the process is a copy that `fork` made of another one. One of the few modules with `unsafe`.

/// How often this process and those that it comes from were forked on the way to it.
#[cfg(all(unix, not(miri)))]
pub(super) fn forks() -> u32 {
    imp::FORKS.load(std::sync::atomic::Ordering::Relaxed)
}

/// Nothing forks here.
#[cfg(not(all(unix, not(miri))))]
pub(super) fn forks() -> u32 {
    0
}

/// Begins to count; costs nothing when it already does.
pub(super) fn watch() {
    #[cfg(all(unix, not(miri)))]
    imp::WATCHED.call_once(|| {
        // SAFETY: the function is POSIX's, and what it is given does no more than add to an atomic, which is allowed after a fork.
        unsafe { imp::pthread_atfork(None, None, Some(imp::in_child)) };
    });
}

#[cfg(all(unix, not(miri)))]
mod imp {
    use std::ffi::c_int;
    use std::sync::Once;
    use std::sync::atomic::{AtomicU32, Ordering};

    type Handler = Option<unsafe extern "C" fn()>;

    pub(super) static FORKS: AtomicU32 = AtomicU32::new(0);
    pub(super) static WATCHED: Once = Once::new();

    unsafe extern "C" {
        pub(super) fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
    }

    /// Asking for the process's number would be a system call at each push.
    pub(super) extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
}
