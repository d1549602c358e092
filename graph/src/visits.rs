//! How often passes look at nodes: compiling must take time that is near-linear in what is written, and looks can be counted where time
//! cannot. Counted in builds with debug assertions only.

use std::cell::Cell;

thread_local! {
    static VISITS: Cell<u64> = const { Cell::new(0) };
}

/// A look at a node.
#[inline]
pub(crate) fn count() {
    if cfg!(debug_assertions) {
        add(1);
    }
}

/// Looks that another thread took for this one.
pub fn add(more: u64) {
    VISITS.with(|visits| visits.set(visits.get() + more));
}

/// The looks at nodes on this thread so far; 0 in builds without debug assertions.
pub fn visits() -> u64 {
    VISITS.with(Cell::get)
}
