//! AVX2 with FMA: up to 6 rows by 2 vectors of 8; a panel of 32 is done in two halves.

use std::arch::x86_64::*;

use super::{Product, Rows, groups};

#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run(p: &Product) {
    for col in (0..p.cols).step_by(16) {
        let cols = (p.cols - col).min(16);
        groups(p.rows.len(), 6, |first, n| {
            // SAFETY: the caller's promise.
            unsafe {
                match (cols, p.b_rows) {
                    (16, Rows::Even(_)) => rows::<2, false, false>(p, first, n, col, 8),
                    (16, Rows::Table(_)) => rows::<2, false, true>(p, first, n, col, 8),
                    (9..16, Rows::Even(_)) => rows::<2, true, false>(p, first, n, col, cols - 8),
                    (9..16, Rows::Table(_)) => rows::<2, true, true>(p, first, n, col, cols - 8),
                    (_, Rows::Even(_)) => rows::<1, true, false>(p, first, n, col, cols),
                    (_, Rows::Table(_)) => rows::<1, true, true>(p, first, n, col, cols),
                }
            }
        });
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn rows<const NV: usize, const MASK: bool, const TABLE: bool>(
    p: &Product,
    first: usize,
    n: usize,
    col: usize,
    last: usize,
) {
    // SAFETY: as above; `n` rows from `first` on exist.
    unsafe {
        match n {
            1 => kernel::<1, NV, MASK, TABLE>(p, first, col, last),
            2 => kernel::<2, NV, MASK, TABLE>(p, first, col, last),
            3 => kernel::<3, NV, MASK, TABLE>(p, first, col, last),
            4 => kernel::<4, NV, MASK, TABLE>(p, first, col, last),
            5 => kernel::<5, NV, MASK, TABLE>(p, first, col, last),
            _ => kernel::<6, NV, MASK, TABLE>(p, first, col, last),
        }
    }
}

/// `last`: how many lanes of the last vector there are, if `MASK`.
#[target_feature(enable = "avx2,fma")]
unsafe fn kernel<const MR: usize, const NV: usize, const MASK: bool, const TABLE: bool>(
    p: &Product,
    first: usize,
    col: usize,
    last: usize,
) {
    // SAFETY: the caller promises every address; masked lanes are not read.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(last as i32), lanes);
        let out = p.acc.add(first * p.pitch + col);
        let rows: [*const f32; MR] = std::array::from_fn(|i| p.a.offset(*p.rows.get_unchecked(first + i)));
        let mut acc = [[_mm256_setzero_ps(); NV]; MR];
        let (mut b, ldb, table) = p.right::<TABLE>();
        b = b.add(col);
        let start = b;
        for (k, &step) in p.steps.iter().enumerate() {
            if TABLE {
                b = start.offset(*table.add(k));
            }
            let mut right = [_mm256_setzero_ps(); NV];
            for v in 0..NV {
                let at = b.add(8 * v);
                right[v] = if MASK && v + 1 == NV { _mm256_maskload_ps(at, mask) } else { _mm256_loadu_ps(at) };
            }
            for i in 0..MR {
                let left = _mm256_broadcast_ss(&*rows[i].offset(step));
                for v in 0..NV {
                    acc[i][v] = _mm256_fmadd_ps(left, right[v], acc[i][v]);
                }
            }
            if !TABLE {
                b = b.wrapping_add(ldb);
            }
        }
        if p.add {
            for i in 0..MR {
                for v in 0..NV {
                    acc[i][v] = _mm256_add_ps(_mm256_loadu_ps(out.add(i * p.pitch + 8 * v)), acc[i][v]);
                }
            }
        }
        for i in 0..MR {
            for v in 0..NV {
                _mm256_storeu_ps(out.add(i * p.pitch + 8 * v), acc[i][v]);
            }
        }
    }
}
