//! The micro-kernels: a few rows by one or two vectors of sums, in registers for a whole piece of the reduction.

// Indexed loops of constant length over arrays become registers; iterators over them not always.
#![allow(clippy::needless_range_loop)]

use crate::isa::Isa;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod depthwise;
mod portable;
mod vector;

/// Where the rows of a right operand lie, as many as there are steps.
#[derive(Clone, Copy)]
pub(super) enum Rows<'a> {
    /// So many floats from one to the next.
    Even(usize),
    /// An offset for each.
    Table(&'a [isize]),
}

/// `acc[i][v] (+)= Σ_k a[rows[i] + steps[k]] · b[b_rows[k] + v]` for `v` in `0..cols`.
pub(super) struct Product<'a> {
    /// The left operand.
    pub a: *const f32,
    /// An offset for each row.
    pub rows: &'a [isize],
    /// An offset for each step of the reduction.
    pub steps: &'a [isize],
    /// The right operand; only the first `cols` of a row are read.
    pub b: *const f32,
    /// Where its rows lie.
    pub b_rows: Rows<'a>,
    /// At most 32.
    pub cols: usize,
    /// The sums; whole vectors of 16 are written.
    pub acc: *mut f32,
    /// Floats from one row of `acc` to the next: at least `cols` rounded up to 16.
    pub pitch: usize,
    /// Adds to what lies there, in place of setting it: the steps are summed up before, so that the error does not grow with all there are.
    pub add: bool,
}

impl Product<'_> {
    /// The start of the right operand, the distance of its rows, and their table if it is `TABLE` that counts.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn right<const TABLE: bool>(&self) -> (*const f32, usize, *const isize) {
        match self.b_rows {
            Rows::Even(ldb) => (self.b, ldb, std::ptr::null()),
            Rows::Table(table) => {
                assert!(table.len() >= self.steps.len());
                (self.b, 0, table.as_ptr())
            }
        }
    }

    /// Computes it.
    ///
    /// # Safety
    ///
    /// All addresses named above must be valid, and the instruction set must be there.
    #[inline]
    pub unsafe fn run(&self, isa: Isa) {
        // SAFETY: the caller's promise.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512::run(self),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2::run(self),
                _ => portable::run(self),
            }
        }
    }
}

/// Calls `f(first, n)` for the rows `0..rows` in groups of nearly the same size, at most `most`: no group is left with a single row, which
/// would wait for every addition.
#[inline(always)]
fn groups(rows: usize, most: usize, mut f: impl FnMut(usize, usize)) {
    let count = rows.div_ceil(most);
    let (small, larger) = (rows / count, rows % count);
    let mut first = 0;
    for i in 0..count {
        let n = small + usize::from(i < larger);
        f(first, n);
        first += n;
    }
}
