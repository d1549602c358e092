//! Any machine: up to 4 rows by 2 vectors of 4.

use super::{Product, Rows, groups};

/// Columns at a time.
const LANES: usize = 8;

pub(super) unsafe fn run(p: &Product) {
    for col in (0..p.cols).step_by(LANES) {
        let cols = (p.cols - col).min(LANES);
        groups(p.rows.len(), 4, |first, n| {
            // SAFETY: the caller's promise.
            unsafe {
                match (n, cols) {
                    (1, LANES) => kernel::<1, true>(p, first, col, cols),
                    (1, _) => kernel::<1, false>(p, first, col, cols),
                    (2, LANES) => kernel::<2, true>(p, first, col, cols),
                    (2, _) => kernel::<2, false>(p, first, col, cols),
                    (3, LANES) => kernel::<3, true>(p, first, col, cols),
                    (3, _) => kernel::<3, false>(p, first, col, cols),
                    (_, LANES) => kernel::<4, true>(p, first, col, cols),
                    _ => kernel::<4, false>(p, first, col, cols),
                }
            }
        });
    }
}

unsafe fn kernel<const MR: usize, const FULL: bool>(p: &Product, first: usize, col: usize, cols: usize) {
    // SAFETY: the caller promises every address; no more than `cols` of a row of `b` are read.
    unsafe {
        let out = p.acc.add(first * p.pitch + col);
        let mut rows = [p.a; MR];
        let mut acc = [[Four::splat(0.0); 2]; MR];
        for i in 0..MR {
            rows[i] = p.a.offset(*p.rows.get_unchecked(first + i));
        }
        let start = p.b.add(col);
        for (k, &step) in p.steps.iter().enumerate() {
            let b = match p.b_rows {
                Rows::Even(ldb) => start.wrapping_add(k.wrapping_mul(ldb)),
                Rows::Table(table) => start.offset(*table.get_unchecked(k)),
            };
            let right = if FULL {
                [Four::load(b), Four::load(b.add(4))]
            } else {
                let mut copy = [0.0; LANES];
                for (v, copy) in copy.iter_mut().enumerate().take(cols) {
                    *copy = *b.add(v);
                }
                [Four::load(copy.as_ptr()), Four::load(copy.as_ptr().add(4))]
            };
            for i in 0..MR {
                let left = Four::splat(*rows[i].offset(step));
                acc[i] = [acc[i][0].add_product(left, right[0]), acc[i][1].add_product(left, right[1])];
            }
        }
        if p.add {
            for i in 0..MR {
                let before = [Four::load(out.add(i * p.pitch)), Four::load(out.add(i * p.pitch + 4))];
                acc[i] = [before[0].add(acc[i][0]), before[1].add(acc[i][1])];
            }
        }
        for i in 0..MR {
            acc[i][0].store(out.add(i * p.pitch));
            acc[i][1].store(out.add(i * p.pitch + 4));
        }
    }
}

/// Four floats. By name where every machine of the target has them: left alone, LLVM groups the sums the wrong way round here.
#[derive(Clone, Copy)]
#[cfg(target_arch = "x86_64")]
struct Four(std::arch::x86_64::__m128);

#[cfg(target_arch = "x86_64")]
impl Four {
    #[inline(always)]
    fn splat(v: f32) -> Four {
        // SAFETY: SSE is part of the target, here and below.
        Four(unsafe { std::arch::x86_64::_mm_set1_ps(v) })
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Four {
        // SAFETY: the caller's promise: four floats.
        Four(unsafe { std::arch::x86_64::_mm_loadu_ps(at) })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above.
        unsafe { std::arch::x86_64::_mm_storeu_ps(at, self.0) }
    }

    #[inline(always)]
    fn add(self, b: Four) -> Four {
        // SAFETY: SSE is part of the target.
        Four(unsafe { std::arch::x86_64::_mm_add_ps(self.0, b.0) })
    }

    #[inline(always)]
    fn add_product(self, a: Four, b: Four) -> Four {
        use std::arch::x86_64::{_mm_add_ps, _mm_mul_ps};
        // SAFETY: SSE is part of the target.
        Four(unsafe { _mm_add_ps(self.0, _mm_mul_ps(a.0, b.0)) })
    }
}

#[derive(Clone, Copy)]
#[cfg(not(target_arch = "x86_64"))]
struct Four([f32; 4]);

#[cfg(not(target_arch = "x86_64"))]
impl Four {
    #[inline(always)]
    fn splat(v: f32) -> Four {
        Four([v; 4])
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Four {
        // SAFETY: the caller's promise: four floats.
        Four(unsafe { at.cast::<[f32; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above.
        unsafe { at.cast::<[f32; 4]>().write(self.0) }
    }

    #[inline(always)]
    fn add(self, b: Four) -> Four {
        Four(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }

    #[inline(always)]
    fn add_product(self, a: Four, b: Four) -> Four {
        // Fused where the target has it in hardware: elsewhere `mul_add` is a slow function.
        let fused = cfg!(target_arch = "aarch64");
        Four(std::array::from_fn(|i| match fused {
            true => a.0[i].mul_add(b.0[i], self.0[i]),
            false => a.0[i] * b.0[i] + self.0[i],
        }))
    }
}
