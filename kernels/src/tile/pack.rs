//! Copies of a right operand into panels `[k][32]`, and transposes.

use super::PANEL;
use crate::isa::Isa;

/// `out[k * 32 + j] = from[k * step + j]`: rows into a panel.
///
/// # Safety
///
/// `from` must hold `depth` rows of `cols`, `out` as many rows of 32.
pub(super) unsafe fn rows(from: *const f32, step: isize, depth: usize, cols: usize, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        for k in 0..depth {
            let (from, to) = (from.offset(k as isize * step), out.add(k * PANEL));
            if cols == PANEL {
                // A constant length: two vectors, no call.
                to.cast::<[f32; PANEL]>().write(from.cast::<[f32; PANEL]>().read());
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
pub(super) unsafe fn gather(from: *const f32, step: isize, col_step: isize, depth: usize, cols: usize, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        for k in 0..depth {
            let from = from.offset(k as isize * step);
            for j in 0..cols {
                *out.add(k * PANEL + j) = *from.offset(j as isize * col_step);
            }
        }
    }
}

/// `out[k * 32 + j] = from[j * ld + k]`: `cols` (at most 32) rows of `depth` floats become the columns of a panel.
///
/// # Safety
///
/// `from` must hold `cols` rows of `depth` floats, `out` `depth` rows of 32.
pub(super) unsafe fn transpose(isa: Isa, from: *const f32, ld: isize, depth: usize, cols: usize, out: *mut f32) {
    // SAFETY: the caller's promise; the instruction set is there.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::transpose_avx512(from, ld, depth, cols, out),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::transpose_avx2(from, ld, depth, cols, out),
            _ => transpose_portable(from, ld, 0, 0, depth, cols, out),
        }
    }
}

/// Adds row `i` of `n` (at most 32) floats, 32 apart, to `sums + offsets[i]`.
///
/// # Safety
///
/// `block` must hold the rows, `sums` their places.
pub(super) unsafe fn add_rows(isa: Isa, block: *const f32, sums: *mut f32, offsets: &[isize], n: usize) {
    // SAFETY: the caller's promise; the instruction set is there.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::add_rows_avx512(block, sums, offsets, n),
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

/// As [`transpose`], from row `col0` and column `k0` on.
unsafe fn transpose_portable(
    from: *const f32,
    ld: isize,
    k0: usize,
    col0: usize,
    depth: usize,
    cols: usize,
    out: *mut f32,
) {
    for k1 in (k0..depth).step_by(8) {
        for j in col0..cols {
            for k in k1..depth.min(k1 + 8) {
                // SAFETY: the caller's promise.
                unsafe { *out.add(k * PANEL + j) = *from.offset(j as isize * ld + k as isize) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{PANEL, transpose_portable};

    /// Blocks of 16 x 16; missing rows and columns are masked.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn transpose_avx512(from: *const f32, ld: isize, depth: usize, cols: usize, out: *mut f32) {
        for k in (0..depth).step_by(16) {
            for j in (0..cols).step_by(16) {
                // SAFETY: the caller's promise; `block_avx512` touches only the rows and columns that it is told.
                unsafe {
                    let at = from.offset(j as isize * ld + k as isize);
                    block_avx512(at, ld, (depth - k).min(16), (cols - j).min(16), out.add(k * PANEL + j));
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn block_avx512(from: *const f32, ld: isize, depth: usize, cols: usize, out: *mut f32) {
        let mask = 0xffff >> (16 - depth);
        let mut a = [_mm512_setzero_ps(); 16];
        for (j, a) in a.iter_mut().enumerate() {
            if j < cols {
                // SAFETY: row `j` exists, columns from `depth` on are masked.
                *a = unsafe { _mm512_maskz_loadu_ps(mask, from.offset(j as isize * ld)) };
            }
        }
        // Pairs of rows, pairs of pairs, then the 128-bit lanes in two steps.
        let mut b = a;
        for i in (0..16).step_by(2) {
            b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
            b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
        }
        let pd = |x| _mm512_castps_pd(x);
        for i in (0..16).step_by(4) {
            a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(pd(b[i]), pd(b[i + 2])));
            a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(pd(b[i]), pd(b[i + 2])));
            a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(pd(b[i + 1]), pd(b[i + 3])));
            a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(pd(b[i + 1]), pd(b[i + 3])));
        }
        for i in 0..4 {
            b[i] = _mm512_shuffle_f32x4::<0x88>(a[i], a[i + 4]);
            b[i + 4] = _mm512_shuffle_f32x4::<0xdd>(a[i], a[i + 4]);
            b[i + 8] = _mm512_shuffle_f32x4::<0x88>(a[i + 8], a[i + 12]);
            b[i + 12] = _mm512_shuffle_f32x4::<0xdd>(a[i + 8], a[i + 12]);
        }
        for i in 0..8 {
            a[i] = _mm512_shuffle_f32x4::<0x88>(b[i], b[i + 8]);
            a[i + 8] = _mm512_shuffle_f32x4::<0xdd>(b[i], b[i + 8]);
        }
        for (k, a) in a.iter().enumerate() {
            if k < depth {
                // SAFETY: `out` has `depth` rows; a block starts at column 0 or 16, so 16 more fit.
                unsafe { _mm512_storeu_ps(out.add(k * PANEL), *a) };
            }
        }
    }

    /// As [`super::add_rows`], by masked vectors.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn add_rows_avx512(block: *const f32, sums: *mut f32, offsets: &[isize], n: usize) {
        let masks: [__mmask16; 2] = if n <= 16 { [0xffff >> (16 - n), 0] } else { [0xffff, 0xffff >> (32 - n)] };
        for (i, &offset) in offsets.iter().enumerate() {
            // SAFETY: the caller's promise: lanes from `n` on are masked.
            unsafe {
                let (from, to) = (block.add(i * PANEL), sums.offset(offset));
                let low = _mm512_add_ps(_mm512_maskz_loadu_ps(masks[0], from), _mm512_maskz_loadu_ps(masks[0], to));
                _mm512_mask_storeu_ps(to, masks[0], low);
                if n > 16 {
                    let (from, to) = (from.add(16), to.add(16));
                    let high =
                        _mm512_add_ps(_mm512_maskz_loadu_ps(masks[1], from), _mm512_maskz_loadu_ps(masks[1], to));
                    _mm512_mask_storeu_ps(to, masks[1], high);
                }
            }
        }
    }

    /// Whole blocks of 8 x 8, the rest one by one.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn transpose_avx2(from: *const f32, ld: isize, depth: usize, cols: usize, out: *mut f32) {
        let (whole_depth, whole_cols) = (depth / 8 * 8, cols / 8 * 8);
        for k in (0..whole_depth).step_by(8) {
            for j in (0..whole_cols).step_by(8) {
                // SAFETY: the caller's promise: the block is whole.
                unsafe { block_avx2(from.offset(j as isize * ld + k as isize), ld, out.add(k * PANEL + j)) };
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            transpose_portable(from, ld, whole_depth, 0, depth, whole_cols, out);
            transpose_portable(from, ld, 0, whole_cols, depth, cols, out);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn block_avx2(from: *const f32, ld: isize, out: *mut f32) {
        let mut a = [_mm256_setzero_ps(); 8];
        for (j, a) in a.iter_mut().enumerate() {
            // SAFETY: the caller promises 8 rows of 8.
            *a = unsafe { _mm256_loadu_ps(from.offset(j as isize * ld)) };
        }
        let mut b = a;
        for i in (0..8).step_by(2) {
            b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
            b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
        }
        for i in [0, 1, 4, 5] {
            let at = i / 4 * 4 + i % 2 * 2;
            a[at] = _mm256_shuffle_ps::<0x44>(b[i], b[i + 2]);
            a[at + 1] = _mm256_shuffle_ps::<0xee>(b[i], b[i + 2]);
        }
        for k in 0..4 {
            let (low, high) =
                (_mm256_permute2f128_ps::<0x20>(a[k], a[k + 4]), _mm256_permute2f128_ps::<0x31>(a[k], a[k + 4]));
            // SAFETY: the caller promises 8 rows of a panel.
            unsafe {
                _mm256_storeu_ps(out.add(k * PANEL), low);
                _mm256_storeu_ps(out.add((k + 4) * PANEL), high);
            }
        }
    }
}
