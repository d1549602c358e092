//! Reductions of blocks, in an order that depends on the sizes only.

use castnet_program::scalar::Reduction;

use crate::isa::per_isa;
use crate::math::plain::{max, min};

per_isa! {
    /// Reduces each row of a contiguous block of `rows` x `cols` and combines it with `totals[row]`.
    pub(crate) fn along_rows(op: Reduction, block: *const f32, rows: usize, cols: usize, totals: *mut f32) = along_rows_body;
    /// Combines the rows of a contiguous block, one after the other, with `totals[col]`.
    pub(crate) fn along_cols(op: Reduction, block: *const f32, rows: usize, cols: usize, totals: *mut f32) = along_cols_body;
    /// Adds `n` sums to totals, of which `rests` is what rounding has taken off; the sums begin at 0 again.
    pub(crate) fn carry(sums: *mut f32, totals: *mut f32, rests: *mut f32, n: usize) = carry_body;
    /// Sets `n` sums to totals and rests.
    pub(crate) fn settle(sums: *mut f32, totals: *const f32, rests: *const f32, n: usize) = settle_body;
}

/// What combined with x gives x.
pub(crate) fn identity(op: Reduction) -> f32 {
    match op {
        Reduction::Sum => 0.0,
        Reduction::Max => f32::NEG_INFINITY,
        Reduction::Min => f32::INFINITY,
    }
}

/// Knuth's sum of two numbers and what is lost in it (*The Art of Computer Programming*, 4.2.2, theorem B).
#[inline(always)]
unsafe fn carry_body(sums: *mut f32, totals: *mut f32, rests: *mut f32, n: usize) {
    for i in 0..n {
        // SAFETY: the caller's promise: three runs that are apart.
        unsafe {
            let (sum, total) = (*sums.add(i), *totals.add(i));
            let both = total + sum;
            let taken = both - total;
            *rests.add(i) += (total - (both - taken)) + (sum - taken);
            *totals.add(i) = both;
            *sums.add(i) = 0.0;
        }
    }
}

#[inline(always)]
unsafe fn settle_body(sums: *mut f32, totals: *const f32, rests: *const f32, n: usize) {
    for i in 0..n {
        // SAFETY: as above.
        unsafe {
            let (total, rest) = (*totals.add(i), *rests.add(i));
            // Beside an infinity the rest is NaN.
            *sums.add(i) = if total.abs() < f32::INFINITY { total + rest } else { total };
        }
    }
}

#[inline(always)]
unsafe fn along_rows_body(op: Reduction, block: *const f32, rows: usize, cols: usize, totals: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match op {
            Reduction::Sum => rows_by(|a, b| a + b, 0.0, block, rows, cols, totals),
            Reduction::Max => rows_by(max, f32::NEG_INFINITY, block, rows, cols, totals),
            Reduction::Min => rows_by(min, f32::INFINITY, block, rows, cols, totals),
        }
    }
}

#[inline(always)]
unsafe fn rows_by(
    op: impl Fn(f32, f32) -> f32,
    identity: f32,
    block: *const f32,
    rows: usize,
    cols: usize,
    totals: *mut f32,
) {
    for r in 0..rows {
        // SAFETY: the caller's promise.
        unsafe {
            let row = block.add(r * cols);
            let sum = match cols {
                128.. => lanes::<64>(&op, row, cols),
                16.. => lanes::<16>(&op, row, cols),
                _ => (0..cols).fold(identity, |sum, c| op(sum, *row.add(c))),
            };
            *totals.add(r) = op(*totals.add(r), sum);
        }
    }
}

/// Lane by lane, then a tree. At least `N` columns.
#[inline(always)]
unsafe fn lanes<const N: usize>(op: &impl Fn(f32, f32) -> f32, row: *const f32, cols: usize) -> f32 {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = row.cast::<[f32; N]>().read_unaligned();
        let mut at = N;
        while at + N <= cols {
            let next = row.add(at).cast::<[f32; N]>().read_unaligned();
            for lane in 0..N {
                sums[lane] = op(sums[lane], next[lane]);
            }
            at += N;
        }
        for (lane, sum) in sums[..cols - at].iter_mut().enumerate() {
            *sum = op(*sum, *row.add(at + lane));
        }
        let mut width = N / 2;
        while width > 0 {
            for lane in 0..width {
                sums[lane] = op(sums[lane], sums[lane + width]);
            }
            width /= 2;
        }
        sums[0]
    }
}

#[inline(always)]
unsafe fn along_cols_body(op: Reduction, block: *const f32, rows: usize, cols: usize, totals: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match op {
            Reduction::Sum => cols_by(|a, b| a + b, block, rows, cols, totals),
            Reduction::Max => cols_by(max, block, rows, cols, totals),
            Reduction::Min => cols_by(min, block, rows, cols, totals),
        }
    }
}

#[inline(always)]
unsafe fn cols_by(op: impl Fn(f32, f32) -> f32, block: *const f32, rows: usize, cols: usize, totals: *mut f32) {
    let mut at = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while at + 64 <= cols {
            strip::<64>(&op, block.add(at), rows, cols, totals.add(at));
            at += 64;
        }
        while at + 16 <= cols {
            strip::<16>(&op, block.add(at), rows, cols, totals.add(at));
            at += 16;
        }
        while at + 4 <= cols {
            strip::<4>(&op, block.add(at), rows, cols, totals.add(at));
            at += 4;
        }
        while at < cols {
            strip::<1>(&op, block.add(at), rows, cols, totals.add(at));
            at += 1;
        }
    }
}

/// Rows of a block that are added before their sum joins the total: of many, what is added to what does not grow with all.
const GROUP: usize = 16;

/// `N` columns, whose totals stay in registers.
#[inline(always)]
unsafe fn strip<const N: usize>(
    op: &impl Fn(f32, f32) -> f32,
    block: *const f32,
    rows: usize,
    pitch: usize,
    totals: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = totals.cast::<[f32; N]>().read_unaligned();
        let mut r = 0;
        while r < rows {
            let end = rows.min(r + GROUP);
            let mut group = block.add(r * pitch).cast::<[f32; N]>().read_unaligned();
            for r in r + 1..end {
                let next = block.add(r * pitch).cast::<[f32; N]>().read_unaligned();
                for lane in 0..N {
                    group[lane] = op(group[lane], next[lane]);
                }
            }
            for lane in 0..N {
                sums[lane] = op(sums[lane], group[lane]);
            }
            r = end;
        }
        totals.cast::<[f32; N]>().write_unaligned(sums);
    }
}
