//! A vector of floats of each instruction set, for loops that are the same on all.

/// As many floats as a register holds.
pub(super) trait Vector: Copy {
    /// How many.
    const LANES: usize;
    /// All 0.
    unsafe fn zero() -> Self;
    /// From memory, wherever it lies.
    unsafe fn load(from: *const f32) -> Self;
    /// The first `n`, fewer than all; the others are 0 and not read.
    unsafe fn load_some(from: *const f32, n: usize) -> Self;
    /// To memory.
    unsafe fn store(self, to: *mut f32);
    /// `a + b`.
    unsafe fn add(a: Self, b: Self) -> Self;
    /// `a · b + c`.
    unsafe fn add_product(a: Self, b: Self, c: Self) -> Self;
}

impl Vector for [f32; 4] {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        [0.0; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_some(from: *const f32, n: usize) -> Self {
        // SAFETY: the caller's promise.
        std::array::from_fn(|i| if i < n { unsafe { *from.add(i) } } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn add(a: Self, b: Self) -> Self {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn add_product(a: Self, b: Self, c: Self) -> Self {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    impl Vector for __m512 {
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller has the instruction set; so below.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: as above, and its promise.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_some(from: *const f32, n: usize) -> Self {
            // SAFETY: as above; lanes from `n` on are masked.
            unsafe { _mm512_maskz_loadu_ps((1 << n) - 1, from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: as above.
            unsafe { _mm512_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn add(a: Self, b: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm512_add_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn add_product(a: Self, b: Self, c: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
    }

    impl Vector for __m256 {
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller has the instruction set; so below.
            unsafe { _mm256_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: as above, and its promise.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_some(from: *const f32, n: usize) -> Self {
            // SAFETY: as above; lanes from `n` on are masked.
            unsafe {
                let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes))
            }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: as above.
            unsafe { _mm256_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn add(a: Self, b: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm256_add_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn add_product(a: Self, b: Self, c: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
    }
}

/// Compiles a function for the vectors of every instruction set: `fn name(isa, argument)` calls the generic, always inlined body.
macro_rules! per_vector {
    ($(fn $name:ident($argument:ident: $type:ty) = $body:ident;)*) => {$(
        /// # Safety
        /// The machine has `isa`, and what the body asks for.
        #[inline]
        unsafe fn $name(isa: Isa, $argument: $type) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            unsafe fn avx512($argument: $type) {
                // SAFETY: the caller's promise.
                unsafe { $body::<std::arch::x86_64::__m512>($argument) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($argument: $type) {
                // SAFETY: the caller's promise.
                unsafe { $body::<std::arch::x86_64::__m256>($argument) }
            }
            // SAFETY: the caller's promise.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => avx512($argument),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => avx2($argument),
                    _ => $body::<[f32; 4]>($argument),
                }
            }
        }
    )*};
}
pub(super) use per_vector;
