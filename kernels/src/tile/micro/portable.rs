//! The vectors of any machine: 16 bytes.

use super::Vector;

/// Vectors by name where every machine of the target has them: left alone, LLVM groups the sums the wrong way round here.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($(#[$doc:meta])* $name:ident($inner:ident): $lanes:literal of $element:ty, $splat:ident $load:ident $store:ident $add:ident $mul:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in crate::tile) struct $name(std::arch::x86_64::$inner);

        impl $name {
            #[inline(always)]
            fn of(v: [$element; $lanes]) -> $name {
                // SAFETY: SSE2 is part of the target, here and below.
                $name(unsafe { std::arch::x86_64::$load(v.as_ptr()) })
            }

            #[inline(always)]
            fn same(x: $element) -> $name {
                // SAFETY: as above.
                $name(unsafe { std::arch::x86_64::$splat(x) })
            }

            #[inline(always)]
            unsafe fn read(from: *const $element) -> $name {
                // SAFETY: the caller's promise.
                $name(unsafe { std::arch::x86_64::$load(from) })
            }

            #[inline(always)]
            unsafe fn write(self, to: *mut $element) {
                // SAFETY: the caller's promise.
                unsafe { std::arch::x86_64::$store(to, self.0) }
            }

            #[inline(always)]
            fn plus(self, b: $name) -> $name {
                // SAFETY: as above.
                $name(unsafe { std::arch::x86_64::$add(self.0, b.0) })
            }

            #[inline(always)]
            fn plus_product(self, a: $name, b: $name) -> $name {
                // SAFETY: as above.
                $name(unsafe { std::arch::x86_64::$add(self.0, std::arch::x86_64::$mul(a.0, b.0)) })
            }
        }

        portable! { $name: $lanes of $element }
    };
}

#[cfg(not(target_arch = "x86_64"))]
macro_rules! vector {
    ($(#[$doc:meta])* $name:ident($inner:ident): $lanes:literal of $element:ty, $($sse:ident)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in crate::tile) struct $name([$element; $lanes]);

        impl $name {
            #[inline(always)]
            fn of(v: [$element; $lanes]) -> $name {
                $name(v)
            }

            #[inline(always)]
            fn same(x: $element) -> $name {
                $name([x; $lanes])
            }

            #[inline(always)]
            unsafe fn read(from: *const $element) -> $name {
                // SAFETY: the caller's promise.
                $name(unsafe { from.cast::<[$element; $lanes]>().read() })
            }

            #[inline(always)]
            unsafe fn write(self, to: *mut $element) {
                // SAFETY: the caller's promise.
                unsafe { to.cast::<[$element; $lanes]>().write(self.0) }
            }

            #[inline(always)]
            fn plus(self, b: $name) -> $name {
                $name(std::array::from_fn(|i| self.0[i] + b.0[i]))
            }

            #[inline(always)]
            fn plus_product(self, a: $name, b: $name) -> $name {
                // Fused where the target has it in hardware: elsewhere `mul_add` is a slow function.
                let fused = cfg!(target_arch = "aarch64");
                $name(std::array::from_fn(|i| match fused {
                    true => a.0[i].mul_add(b.0[i], self.0[i]),
                    false => a.0[i] * b.0[i] + self.0[i],
                }))
            }
        }

        portable! { $name: $lanes of $element }
    };
}

macro_rules! portable {
    ($name:ident: $lanes:literal of $element:ty) => {
        impl Vector for $name {
            type Element = $element;
            type Mask = usize;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn zero() -> Self {
                $name::same(0.0)
            }

            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                $name::same(x)
            }

            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $name::read(from) }
            }

            #[inline(always)]
            unsafe fn mask(n: usize) -> usize {
                n
            }

            #[inline(always)]
            unsafe fn load_some(from: *const $element, mask: usize) -> Self {
                // SAFETY: the caller's promise.
                $name::of(std::array::from_fn(|i| if i < mask { unsafe { *from.add(i) } } else { 0.0 }))
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: the caller's promise.
                unsafe { self.write(to) }
            }

            #[inline(always)]
            unsafe fn store_some(self, to: *mut $element, mask: usize) {
                let mut all = [0.0; $lanes];
                // SAFETY: the caller's promise.
                unsafe {
                    self.write(all.as_mut_ptr());
                    to.copy_from_nonoverlapping(all.as_ptr(), mask);
                }
            }

            #[inline(always)]
            unsafe fn add(a: Self, b: Self) -> Self {
                a.plus(b)
            }

            #[inline(always)]
            unsafe fn add_product(a: Self, b: Self, c: Self) -> Self {
                c.plus_product(a, b)
            }
        }
    };
}

vector! {
    /// Four of f32.
    Four(__m128): 4 of f32, _mm_set1_ps _mm_loadu_ps _mm_storeu_ps _mm_add_ps _mm_mul_ps
}
vector! {
    /// Two of f64.
    Two(__m128d): 2 of f64, _mm_set1_pd _mm_loadu_pd _mm_storeu_pd _mm_add_pd _mm_mul_pd
}
