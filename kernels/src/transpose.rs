//! Transposes: by blocks that fit into registers.

use std::ops::Range;

use crate::isa::Isa;

/// `out[k * pitch + j] = from[j * ld + k]`: `cols` rows of `depth` floats become columns.
///
/// # Safety
///
/// `from` must hold `cols` rows of `depth` floats, `ld` apart; `out` `depth` rows of `cols`, `pitch` apart. The two are apart.
pub(crate) unsafe fn transpose(
    isa: Isa,
    from: *const f32,
    ld: isize,
    depth: usize,
    cols: usize,
    out: *mut f32,
    pitch: isize,
) {
    // SAFETY: the caller's promise; the instruction set is there.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 | Isa::Avx512 => x86::transpose_avx512(from, ld, depth, cols, out, pitch),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::transpose_avx2(from, ld, depth, cols, out, pitch),
            _ => portable(from, ld, 0..depth, 0..cols, out, pitch),
        }
    }
}

/// As [`transpose`], of some columns and rows, whatever they hold.
///
/// # Safety
///
/// As [`transpose`].
pub(crate) unsafe fn portable<T: Copy>(
    from: *const T,
    ld: isize,
    depth: Range<usize>,
    cols: Range<usize>,
    out: *mut T,
    pitch: isize,
) {
    for first in depth.clone().step_by(8) {
        for j in cols.clone() {
            for k in first..depth.end.min(first + 8) {
                // SAFETY: the caller's promise.
                unsafe { *out.offset(k as isize * pitch + j as isize) = *from.offset(j as isize * ld + k as isize) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::portable;

    /// Blocks of 16 x 16; missing rows and columns are masked.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn transpose_avx512(
        from: *const f32,
        ld: isize,
        depth: usize,
        cols: usize,
        out: *mut f32,
        pitch: isize,
    ) {
        for k in (0..depth).step_by(16) {
            for j in (0..cols).step_by(16) {
                // SAFETY: the caller's promise; `block_avx512` touches only the rows and columns that it is told.
                unsafe {
                    let at = from.offset(j as isize * ld + k as isize);
                    block_avx512(
                        at,
                        ld,
                        (depth - k).min(16),
                        (cols - j).min(16),
                        out.offset(k as isize * pitch + j as isize),
                        pitch,
                    );
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn block_avx512(from: *const f32, ld: isize, depth: usize, cols: usize, out: *mut f32, pitch: isize) {
        let mask = 0xffff >> (16 - depth);
        let stored = 0xffff >> (16 - cols);
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
                // SAFETY: `out` has `depth` rows; columns from `cols` on are masked.
                unsafe { _mm512_mask_storeu_ps(out.offset(k as isize * pitch), stored, *a) };
            }
        }
    }

    /// Whole blocks of 8 x 8, the rest one by one.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn transpose_avx2(
        from: *const f32,
        ld: isize,
        depth: usize,
        cols: usize,
        out: *mut f32,
        pitch: isize,
    ) {
        let (whole_depth, whole_cols) = (depth / 8 * 8, cols / 8 * 8);
        for k in (0..whole_depth).step_by(8) {
            for j in (0..whole_cols).step_by(8) {
                // SAFETY: the caller's promise: the block is whole.
                unsafe {
                    block_avx2(
                        from.offset(j as isize * ld + k as isize),
                        ld,
                        out.offset(k as isize * pitch + j as isize),
                        pitch,
                    )
                };
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            portable(from, ld, whole_depth..depth, 0..whole_cols, out, pitch);
            portable(from, ld, 0..depth, whole_cols..cols, out, pitch);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn block_avx2(from: *const f32, ld: isize, out: *mut f32, pitch: isize) {
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
            // SAFETY: the caller promises 8 rows of 8.
            unsafe {
                _mm256_storeu_ps(out.offset(k as isize * pitch), low);
                _mm256_storeu_ps(out.offset((k as isize + 4) * pitch), high);
            }
        }
    }
}
