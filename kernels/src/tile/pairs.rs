//! Tiles of pairs: two bf16 that follow each other along the reduction are one number of 32 bits, the former in its lower half, and one
//! instruction multiplies and adds both. Where a reduction ends with one, the second is 0.
//!
//! For [`Isa::Avx512Bf16`](crate::isa::Isa) alone. Its instruction takes what is smaller than 2⁻¹²⁶ for 0, and gives 0 for it.

use super::widen::Spans;

/// As a step: neither it nor its number is there, and 0 stands for it.
pub(super) const OUTSIDE: isize = isize::MIN;

/// `out[k * pitch + j]` is the pair of `from[steps[2k] + cols[j]]` and `from[steps[2k + 1] + cols[j]]`.
///
/// # Safety
///
/// All that is named must be there; the machine has AVX-512.
pub(super) unsafe fn across(from: *const u16, steps: Spans<'_>, cols: Spans<'_>, out: *mut u32, pitch: usize) {
    let n = steps.count();
    // SAFETY: the caller's promise; a step that is not there is not read.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if let Spans::Even(cols, 1) = cols {
            return x86::across(from, steps, cols, out, pitch);
        }
        for k in (0..n).step_by(2) {
            for j in 0..cols.count() {
                let is_there = |k: usize| k < n && steps.start(k) != OUTSIDE;
                let number = |k: usize| u32::from(*from.offset(steps.start(k) + cols.start(j)));
                let [low, high] = [k, k + 1].map(|k| if is_there(k) { number(k) } else { 0 });
                *out.add(k / 2 * pitch + j) = low | high << 16;
            }
        }
    }
}

/// Rows of `n` bf16 side by side become rows of half as many pairs, `pitch` apart.
///
/// # Safety
///
/// As [`across`].
pub(super) unsafe fn along(from: *const u16, rows: Spans<'_>, n: usize, out: *mut u32, pitch: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        x86::along(from, rows, n, out, pitch);
        #[cfg(not(target_arch = "x86_64"))]
        for i in 0..rows.count() {
            across(from.offset(rows.start(i)), Spans::Even(n, 1), Spans::Even(1, 0), out.add(i * pitch), 1);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{OUTSIDE, Spans};

    /// As [`super::across`], of columns side by side.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) unsafe fn across(from: *const u16, steps: Spans<'_>, cols: usize, out: *mut u32, pitch: usize) {
        for j in (0..cols).step_by(16) {
            let mask = 0xffff >> (16 - (cols - j).min(16));
            let (from, out) = (from.wrapping_add(j), out.wrapping_add(j));
            // SAFETY: the caller's promise; lanes behind the columns are masked.
            unsafe {
                match steps {
                    Spans::Even(n, step) => columns(from, n, |k| (k as isize * step, mask), mask, out, pitch),
                    Spans::Table(steps) => {
                        let start = |k: usize| {
                            let step = *steps.get_unchecked(k);
                            if step == OUTSIDE { (0, 0) } else { (step, mask) }
                        };
                        columns(from, steps.len(), start, mask, out, pitch);
                    }
                }
            }
        }
    }

    /// The columns in the mask; `start`: where a step begins, and which columns it has.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn columns(
        from: *const u16,
        n: usize,
        start: impl Fn(usize) -> (isize, u16),
        mask: u16,
        out: *mut u32,
        pitch: usize,
    ) {
        // SAFETY: the caller's promise: the steps before `n` are there.
        let load = |k: usize| unsafe {
            let (at, mask) = start(k);
            _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from.wrapping_offset(at).cast()))
        };
        for k in 0..n / 2 {
            let pairs = _mm512_or_si512(load(2 * k), _mm512_slli_epi32::<16>(load(2 * k + 1)));
            // SAFETY: the caller's promise: `out` has the row.
            unsafe { _mm512_mask_storeu_epi32(out.add(k * pitch).cast(), mask, pairs) };
        }
        if n % 2 == 1 {
            // SAFETY: as above.
            unsafe { _mm512_mask_storeu_epi32(out.add(n / 2 * pitch).cast(), mask, load(n - 1)) };
        }
    }

    /// As [`super::along`].
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn along(from: *const u16, rows: Spans<'_>, n: usize, out: *mut u32, pitch: usize) {
        for i in 0..rows.count() {
            // SAFETY: the caller's promise; what is behind the row is masked.
            unsafe {
                let (from, out) = (from.offset(rows.start(i)), out.add(i * pitch));
                for at in (0..n).step_by(32) {
                    let n = (n - at).min(32);
                    let bits = _mm512_maskz_loadu_epi16(u32::MAX >> (32 - n), from.add(at).cast());
                    _mm512_mask_storeu_epi32(out.add(at / 2).cast(), 0xffff >> (16 - n.div_ceil(2)), bits);
                }
            }
        }
    }
}
