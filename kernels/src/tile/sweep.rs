//! The loops around the micro-kernel: all rows of a block against one panel, over the whole reduction.

use super::element::{At, Element};
use super::micro::{Product, Rows};
use super::widen::Widened;
use super::{BLOCK, PANEL, Run};

/// Where the sums of some rows and one panel come from.
pub(super) struct Sweep<'a, E> {
    /// The left operand.
    pub a: At<E>,
    /// Scratch for a block of it, if it is widened.
    pub widened: (&'a Widened, *mut E),
    /// An offset for each row.
    pub rows: &'a [isize],
    /// The reduction.
    pub steps: Steps<'a>,
    /// Number of the first row, as the sink counts.
    pub first_row: usize,
    /// The first column.
    pub first_col: usize,
    /// Columns of this panel, at most 32.
    pub cols: usize,
}

/// Offsets of the left operand along a reduction.
#[derive(Clone, Copy)]
pub(super) struct Steps<'a> {
    /// All offsets, or those of a piece if there is a `stride`.
    pub table: &'a [isize],
    /// How far they are from each other, if that is the same everywhere.
    pub stride: Option<isize>,
    /// Offsets of a step: two where the left operand is yet to be paired.
    pub each: usize,
    /// Offsets of all steps, of which the last may lack one.
    pub len: usize,
    /// Steps of a piece, from [`depth`].
    pub depth: usize,
}

/// How long the pieces are that a reduction of this length is done in: a multiple of 32 unless there is one only.
pub(super) fn depth(len: usize, most: usize) -> usize {
    let pieces = len.div_ceil(most);
    if pieces == 1 { len } else { len.div_ceil(pieces).next_multiple_of(PANEL) }
}

/// Numbers of scratch for the sums of `rows` rows.
pub(super) fn acc_len(len: usize, depth: usize, rows: usize) -> usize {
    PANEL * if len == depth { BLOCK.min(rows) } else { rows }
}

/// Numbers from one row of sums to the next.
pub(super) fn pitch(cols: usize) -> usize {
    cols.next_multiple_of(16)
}

impl<E: Element> Sweep<'_, E> {
    /// Computes all sums and hands them to the sink. `right(from, to)` says where these rows of the right operand lie, and how far from each
    /// other; it may pack them.
    ///
    /// # Safety
    ///
    /// All addresses must be valid; `acc` must have [`acc_len`] numbers.
    pub unsafe fn run(&self, run: &Run, acc: *mut E, mut right: impl FnMut(usize, usize) -> (*const E, usize)) {
        let (Steps { each, depth, .. }, pitch) = (self.steps, pitch(self.cols));
        let len = self.steps.len.div_ceil(each);
        let mut done = 0;
        while done < len {
            let to = len.min(done + depth);
            let (b, ldb) = right(done, to);
            let (first, last) = (done * each, self.steps.len.min(to * each));
            let (shift, steps) = match self.steps.stride {
                None => (0, &self.steps.table[first..last]),
                Some(stride) => (first as isize * stride, &self.steps.table[..last - first]),
            };
            for (block, rows) in self.rows.chunks(BLOCK).enumerate() {
                // With several pieces all sums stay in scratch; with one, each block goes on while it is in the L1 cache.
                let at = if depth == len { 0 } else { block * BLOCK * pitch };
                // SAFETY: the caller's promise; `acc` holds all rows, or a block if there is one piece.
                unsafe {
                    let (a, acc) = (self.a.offset(shift), acc.add(at));
                    let (widened, scratch) = self.widened;
                    let (a, rows, steps) = widened.open(run.isa, a, rows, steps, scratch);
                    Product { a, rows, steps, b, b_rows: Rows::Even(ldb), cols: self.cols, acc, pitch, add: done > 0 }
                        .run(run.isa);
                    if to == len {
                        let first = (self.first_row + block * BLOCK) as i64;
                        run.sink.run_rows(first, rows.len(), self.first_col as i64, self.cols, acc.cast(), pitch);
                    }
                }
            }
            done = to;
        }
    }
}
