//! AVX-512: up to 8 rows by 2 vectors of 16.

use std::arch::x86_64::*;

use super::{Product, Rows, groups};

#[target_feature(enable = "avx512f")]
pub(super) unsafe fn run(p: &Product) {
    // SAFETY: the caller's promise.
    unsafe {
        let (one, two) = (0xffff >> 16usize.saturating_sub(p.cols), 0xffff >> (32 - p.cols).min(15));
        let count = p.rows.len();
        match (p.cols <= 16, p.b_rows) {
            (true, Rows::Even(_)) => groups(count, 8, |first, n| rows::<1, false>(p, first, n, [one])),
            (true, Rows::Table(_)) => groups(count, 8, |first, n| rows::<1, true>(p, first, n, [one])),
            (false, Rows::Even(_)) => groups(count, 8, |first, n| rows::<2, false>(p, first, n, [one, two])),
            (false, Rows::Table(_)) => groups(count, 8, |first, n| rows::<2, true>(p, first, n, [one, two])),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn rows<const NV: usize, const TABLE: bool>(p: &Product, first: usize, n: usize, mask: [__mmask16; NV]) {
    // SAFETY: as above; `n` rows from `first` on exist.
    unsafe {
        match n {
            1 => kernel::<1, NV, TABLE>(p, first, mask),
            2 => kernel::<2, NV, TABLE>(p, first, mask),
            3 => kernel::<3, NV, TABLE>(p, first, mask),
            4 => kernel::<4, NV, TABLE>(p, first, mask),
            5 => kernel::<5, NV, TABLE>(p, first, mask),
            6 => kernel::<6, NV, TABLE>(p, first, mask),
            7 => kernel::<7, NV, TABLE>(p, first, mask),
            _ => kernel::<8, NV, TABLE>(p, first, mask),
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn kernel<const MR: usize, const NV: usize, const TABLE: bool>(
    p: &Product,
    first: usize,
    mask: [__mmask16; NV],
) {
    // SAFETY: the caller promises every address; masked lanes are not read.
    unsafe {
        let out = p.acc.add(first * p.pitch);
        let rows: [*const f32; MR] = std::array::from_fn(|i| p.a.offset(*p.rows.get_unchecked(first + i)));
        let mut acc = [[_mm512_setzero_ps(); NV]; MR];
        let (mut b, ldb, table) = p.right::<TABLE>();
        for (k, &step) in p.steps.iter().enumerate() {
            if TABLE {
                b = p.b.offset(*table.add(k));
            }
            let mut right = [_mm512_setzero_ps(); NV];
            for v in 0..NV {
                right[v] = _mm512_maskz_loadu_ps(mask[v], b.add(16 * v));
            }
            for i in 0..MR {
                let left = _mm512_set1_ps(*rows[i].offset(step));
                for v in 0..NV {
                    acc[i][v] = _mm512_fmadd_ps(left, right[v], acc[i][v]);
                }
            }
            if !TABLE {
                b = b.wrapping_add(ldb);
            }
        }
        if p.add {
            for i in 0..MR {
                for v in 0..NV {
                    acc[i][v] = _mm512_add_ps(_mm512_loadu_ps(out.add(i * p.pitch + 16 * v)), acc[i][v]);
                }
            }
        }
        for i in 0..MR {
            for v in 0..NV {
                _mm512_storeu_ps(out.add(i * p.pitch + 16 * v), acc[i][v]);
            }
        }
    }
}
