//! Copies of a right operand into panels `[k][32]`, and transposes.

use std::mem::MaybeUninit;

use super::element::{At, Element};
use super::widen::{Half, Spans};
use super::{PANEL, pairs};
use crate::isa::Isa;

/// Halves are widened, or paired, so many at a time before they are turned.
const SIDE: usize = 32;

/// `out[k * 32 + j] = from[k * step + j]`: rows into a panel. Of pairs, here and below, two steps become one.
///
/// # Safety
///
/// `from` must hold `depth` rows of `cols`, `out` as many rows of 32.
pub(super) unsafe fn rows<E: Element>(isa: Isa, from: At<E>, step: isize, depth: usize, cols: usize, out: *mut E) {
    // SAFETY: the caller's promise.
    unsafe {
        let from = match from {
            At::Own(from) => from,
            At::Half(Half::Pairs, from) => {
                return pairs::across(from, Spans::Even(depth, step), Spans::Even(cols, 1), out.cast(), PANEL);
            }
            At::Half(half, from) => {
                // Rows of a panel follow each other: one run.
                let follow = cols == PANEL && step == PANEL as isize;
                let (rows, n) = if follow { (1, depth * PANEL) } else { (depth, cols) };
                return E::widen(isa, half, from, Spans::Even(rows, step), n, out, PANEL);
            }
        };
        for k in 0..depth {
            let (from, to) = (from.offset(k as isize * step), out.add(k * PANEL));
            if cols == PANEL {
                // A constant length: whole vectors, no call.
                to.cast::<[E; PANEL]>().write(from.cast::<[E; PANEL]>().read());
            } else {
                for j in 0..cols {
                    *to.add(j) = *from.add(j);
                }
            }
        }
    }
}

/// `out[k * 32 + j] = from[k * step + j * col_step]`: any matrix into a panel.
///
/// # Safety
///
/// `from` must hold the elements named, `out` `depth` rows of 32.
pub(super) unsafe fn gather<E: Element>(
    from: At<E>,
    step: isize,
    col_step: isize,
    depth: usize,
    cols: usize,
    out: *mut E,
) {
    if let At::Half(Half::Pairs, from) = from {
        let (steps, cols) = (Spans::Even(depth, step), Spans::Even(cols, col_step));
        // SAFETY: the caller's promise.
        return unsafe { pairs::across(from, steps, cols, out.cast(), PANEL) };
    }
    for k in 0..depth {
        let from = from.offset(k as isize * step);
        for j in 0..cols {
            // SAFETY: the caller's promise.
            unsafe { *out.add(k * PANEL + j) = from.offset(j as isize * col_step).read() };
        }
    }
}

/// `out[k * pitch + j] = from[j * ld + k]`: `cols` rows of `depth` numbers become columns.
///
/// # Safety
///
/// `from` must hold `cols` rows of `depth` numbers, `out` `depth` rows of `cols`, `pitch` apart.
pub(super) unsafe fn transpose<E: Element>(
    isa: Isa,
    from: At<E>,
    ld: isize,
    depth: usize,
    cols: usize,
    out: *mut E,
    pitch: usize,
) {
    // SAFETY: the caller's promise; a block has room for the rows that are widened.
    unsafe {
        let (half, from) = match from {
            At::Own(from) => return E::transpose(isa, from, ld, depth, cols, out, pitch as isize),
            At::Half(half, from) => (half, from),
        };
        let unit = half.per_number();
        let mut block = MaybeUninit::<[E; SIDE * SIDE]>::uninit();
        let block = block.as_mut_ptr().cast::<E>();
        for j in (0..cols).step_by(SIDE) {
            for k in (0..depth).step_by(SIDE) {
                let (cols, depth) = ((cols - j).min(SIDE), (depth - k).min(SIDE));
                let from = from.offset(j as isize * ld + k as isize);
                E::widen(isa, half, from, Spans::Even(cols, ld), depth, block, SIDE);
                let (depth, out) = (depth.div_ceil(unit), out.add(k / unit * pitch + j));
                E::transpose(isa, block, SIDE as isize, depth, cols, out, pitch as isize);
            }
        }
    }
}

/// `out[x * c + j]` is the pair of `from[x * right + 2j * deep]` and `from[x * right + (2j + 1) * deep]`: `n` columns of `c` pairs of channels.
///
/// # Safety
///
/// `from` must hold the elements named, `out` as many pairs.
pub(super) unsafe fn turn_pairs<E: Element>(
    isa: Isa,
    from: *const u16,
    [right, deep]: [isize; 2],
    n: usize,
    c: usize,
    out: *mut E,
) {
    // SAFETY: the caller's promise; a block has room for the pairs that are made.
    unsafe {
        let mut block = MaybeUninit::<[E; SIDE * SIDE]>::uninit();
        let block = block.as_mut_ptr().cast::<E>();
        for x in (0..n).step_by(SIDE) {
            for j in (0..c).step_by(SIDE) {
                let (n, pairs) = ((n - x).min(SIDE), (c - j).min(SIDE));
                let from = from.offset(x as isize * right + 2 * j as isize * deep);
                pairs::across(from, Spans::Even(2 * pairs, deep), Spans::Even(n, right), block.cast(), SIDE);
                E::transpose(isa, block, SIDE as isize, n, pairs, out.add(x * c + j), c as isize);
            }
        }
    }
}

/// Adds row `i` of `n` (at most 32) numbers, 32 apart, to `sums + offsets[i]`.
///
/// # Safety
///
/// `block` must hold the rows, `sums` their places.
pub(super) unsafe fn add_rows<E: Element>(isa: Isa, block: *const E, sums: *mut E, offsets: &[isize], n: usize) {
    // SAFETY: the caller's promise; the instruction set is there.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 | Isa::Avx512 => x86::add_rows_avx512::<E::Avx512>(block, sums, offsets, n),
            _ => {
                for (i, &offset) in offsets.iter().enumerate() {
                    let (from, to) = (block.add(i * PANEL), sums.offset(offset));
                    for j in 0..n {
                        *to.add(j) += *from.add(j);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::PANEL;
    use crate::tile::micro::Vector;

    /// As [`super::add_rows`], by masked vectors.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn add_rows_avx512<V: Vector>(
        block: *const V::Element,
        sums: *mut V::Element,
        offsets: &[isize],
        n: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match n.div_ceil(V::LANES) {
                1 => add::<V, 1>(block, sums, offsets, n),
                2 => add::<V, 2>(block, sums, offsets, n),
                _ => add::<V, 4>(block, sums, offsets, n),
            }
        }
    }

    /// Rows of at most `NV` vectors.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn add<V: Vector, const NV: usize>(
        block: *const V::Element,
        sums: *mut V::Element,
        offsets: &[isize],
        n: usize,
    ) {
        // SAFETY: the caller's promise: lanes from `n` on are masked.
        unsafe {
            let masks: [V::Mask; NV] = std::array::from_fn(|v| V::mask(n.saturating_sub(v * V::LANES).min(V::LANES)));
            for (i, &offset) in offsets.iter().enumerate() {
                let (from, to) = (block.add(i * PANEL), sums.offset(offset));
                for (v, &mask) in masks.iter().enumerate() {
                    let (from, to) = (from.wrapping_add(v * V::LANES), to.wrapping_add(v * V::LANES));
                    V::store_some(V::add(V::load_some(from, mask), V::load_some(to, mask)), to, mask);
                }
            }
        }
    }
}
