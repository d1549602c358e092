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
    // SAFETY: the caller's promise.
    unsafe { crate::transpose::transpose(isa, from, ld, depth, cols, out, PANEL as isize) }
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::PANEL;

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
}
