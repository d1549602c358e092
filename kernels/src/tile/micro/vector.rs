//! A vector of numbers of each instruction set, for loops that are the same on all.

use crate::tile::element::Element;

/// As many numbers as a register holds.
pub(in crate::tile) trait Vector: Copy {
    type Element: Element;
    /// Which lanes there are.
    type Mask: Copy;
    /// How many numbers.
    const LANES: usize;
    /// All 0.
    unsafe fn zero() -> Self;
    /// The same in every lane.
    unsafe fn splat(x: Self::Element) -> Self;
    /// From memory, wherever it lies.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// The first `n` lanes, at most all.
    unsafe fn mask(n: usize) -> Self::Mask;
    /// From memory; lanes that are not in the mask are 0 and not read.
    unsafe fn load_some(from: *const Self::Element, mask: Self::Mask) -> Self;
    /// To memory.
    unsafe fn store(self, to: *mut Self::Element);
    /// To memory, the lanes in the mask only.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // Only its kernels store what is masked.
    unsafe fn store_some(self, to: *mut Self::Element, mask: Self::Mask);
    /// `a + b`.
    unsafe fn add(a: Self, b: Self) -> Self;
    /// `a · b + c`.
    unsafe fn add_product(a: Self, b: Self, c: Self) -> Self;
    /// The same of numbers whose bits are two bf16: `a₀ · b₀ + a₁ · b₁ + c`.
    unsafe fn add_pairs(_: Self, _: Self, _: Self) -> Self {
        unreachable!("no pairs without the instruction")
    }
}

/// The vectors of an instruction set, by its functions. Their caller has it, and what they read and write.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    (
        $vector:ty: $lanes:literal of $element:ty, $zero:ident $splat:ident $load:ident $store:ident $add:ident $add_product:ident;
        mask($n:ident) -> $mask:ty = $of:expr;
        load($from:ident, $some:ident) = $load_some:expr;
        store($to:ident, $these:ident, $value:ident) = $store_some:expr;
        $(pairs($a:ident, $b:ident, $c:ident) = $pairs:expr;)?
    ) => {
        impl Vector for $vector {
            type Element = $element;
            type Mask = $mask;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has the instruction set; so below.
                unsafe { $zero() }
            }

            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                // SAFETY: as above.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: as above, and the caller's promise.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn mask($n: usize) -> $mask {
                // SAFETY: as above.
                #[allow(unused_unsafe)]
                unsafe {
                    $of
                }
            }

            #[inline(always)]
            unsafe fn load_some($from: *const $element, $some: $mask) -> Self {
                // SAFETY: as above; other lanes are masked.
                unsafe { $load_some }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: as above.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn store_some(self, $to: *mut $element, $these: $mask) {
                let $value = self;
                // SAFETY: as above.
                unsafe { $store_some }
            }

            #[inline(always)]
            unsafe fn add(a: Self, b: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(a, b) }
            }

            #[inline(always)]
            unsafe fn add_product(a: Self, b: Self, c: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add_product(a, b, c) }
            }
            $(
                #[inline(always)]
                unsafe fn add_pairs($a: Self, $b: Self, $c: Self) -> Self {
                    // SAFETY: as above; the three types are bits of the same length.
                    unsafe { $pairs }
                }
            )?
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use super::Vector;

    vector! {
        __m512: 16 of f32, _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_fmadd_ps;
        mask(n) -> __mmask16 = ((1u32 << n) - 1) as u16;
        load(from, mask) = _mm512_maskz_loadu_ps(mask, from);
        store(to, mask, v) = _mm512_mask_storeu_ps(to, mask, v);
        pairs(a, b, c) = _mm512_dpbf16_ps(c, transmute::<__m512, __m512bh>(a), transmute::<__m512, __m512bh>(b));
    }
    vector! {
        __m512d: 8 of f64, _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_fmadd_pd;
        mask(n) -> __mmask8 = ((1u32 << n) - 1) as u8;
        load(from, mask) = _mm512_maskz_loadu_pd(mask, from);
        store(to, mask, v) = _mm512_mask_storeu_pd(to, mask, v);
    }
    vector! {
        __m256: 8 of f32, _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_fmadd_ps;
        mask(n) -> __m256i = _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        load(from, mask) = _mm256_maskload_ps(from, mask);
        store(to, mask, v) = _mm256_maskstore_ps(to, mask, v);
    }
    vector! {
        __m256d: 4 of f64, _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_fmadd_pd;
        mask(n) -> __m256i = _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3));
        load(from, mask) = _mm256_maskload_pd(from, mask);
        store(to, mask, v) = _mm256_maskstore_pd(to, mask, v);
    }
}
