//! Stages as compiled functions: what `network!` prints in place of interpreted code.

/// One fused elementwise function: `n` elements, contiguous inputs and outputs, each of its lane and aligned as that needs.
///
/// An output overlaps no input, unless both are the same pointer; outputs do not overlap each other.
pub type BlockFn = unsafe fn(n: usize, inputs: *const *const u8, outputs: *const *mut u8);

/// A stage's code, compiled for each instruction set. Made by [`block_kernel!`](crate::block_kernel).
#[derive(Clone, Copy, Debug)]
pub struct BlockKernel {
    /// For AVX-512.
    pub avx512: BlockFn,
    /// For AVX2 with FMA.
    pub avx2: BlockFn,
    /// For any machine.
    pub portable: BlockFn,
}

impl BlockKernel {
    /// The function for one instruction set.
    pub fn function(&self, isa: crate::isa::Isa) -> BlockFn {
        match isa {
            crate::isa::Isa::Avx512Bf16 | crate::isa::Isa::Avx512 => self.avx512,
            crate::isa::Isa::Avx2 => self.avx2,
            crate::isa::Isa::Portable => self.portable,
        }
    }
}

/// Elements that a block function takes at once: four AVX-512 registers, enough to hide the latency of a polynomial.
#[doc(hidden)]
pub const LANES: usize = 64;

/// The next input's `LANES` elements from `at` on, by way of `pad` if the block ends before.
///
/// # Safety
/// `next` points to a pointer to at least `at + count` elements.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn take<T: Copy>(
    next: &mut *const *const u8,
    at: usize,
    count: usize,
    pad: &mut [T; LANES],
) -> *const [T; LANES] {
    // SAFETY: as the caller says; `count` is at most `LANES`.
    unsafe {
        let from = (**next).cast::<T>().add(at);
        *next = next.add(1);
        if count == LANES {
            return from.cast();
        }
        std::ptr::copy_nonoverlapping(from, pad.as_mut_ptr(), count);
        pad
    }
}

/// Where the next output's `LANES` elements from `at` on go: to `rest` if the block ends before.
///
/// # Safety
/// `next` points to a pointer to at least `at + count` elements.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn room<T>(next: &mut *const *mut u8, at: usize, count: usize, rest: &mut [T; LANES]) -> *mut [T; LANES] {
    // SAFETY: as the caller says.
    unsafe {
        let to = (**next).cast::<T>().add(at);
        *next = next.add(1);
        if count == LANES { to.cast() } else { rest }
    }
}

/// Brings the last `count` elements of the next output from `rest` to their place.
///
/// # Safety
/// `next` points to a pointer to at least `at + count` elements.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn give<T: Copy>(next: &mut *const *mut u8, at: usize, count: usize, rest: &[T; LANES]) {
    // SAFETY: as the caller says; `count` is less than `LANES`.
    unsafe {
        std::ptr::copy_nonoverlapping(rest.as_ptr(), (**next).cast::<T>().add(at), count);
        *next = next.add(1);
    }
}

/// Compiles an elementwise function for every instruction set, as a `static` [`BlockKernel`].
///
/// ```
/// castnet_kernels::block_kernel! {
///     /// `tanh(acc + bias)`, and where it is positive.
///     pub conv1_tanh(acc: f32, bias: f32) -> (t1: f32, t2: bool) {
///         let t0 = acc + bias;
///         let t1 = tanh(t0);
///         let t2 = gt(t1, 0.0);
///     }
/// }
/// # let _ = conv1_tanh;
/// ```
///
/// With `const` before the name it is a constant, and the functions are compiled where it is used: not at all if nobody does.
///
/// Every value is of a [lane](castnet_program::scalar::Lane): those of inputs and results are named. In scope are the functions of
/// [`math::fused`](crate::math::fused). The results are named after the arrow; no name stands there twice, and none is an input's.
///
/// What takes sines or cosines has a name behind the results, which they are handed ([`math::Reach`](crate::math::Reach)):
///
/// ```
/// castnet_kernels::block_kernel! {
///     /// `sin(x + phase)`.
///     pub wave(x: f32, phase: f32) -> (t1: f32) far {
///         let t0 = x + phase;
///         let t1 = sin(t0, &mut far);
///     }
/// }
/// # let _ = wave;
/// ```
#[macro_export]
macro_rules! block_kernel {
    ($(#[$attribute:meta])* $visibility:vis const $name:ident $($kernel:tt)*) => {
        $(#[$attribute])*
        #[allow(non_upper_case_globals)]
        $visibility const $name: $crate::BlockKernel = $crate::__block_functions! { (#[inline]) $($kernel)* };
    };
    ($(#[$attribute:meta])* $visibility:vis $name:ident $($kernel:tt)*) => {
        $(#[$attribute])*
        #[allow(non_upper_case_globals)]
        $visibility static $name: $crate::BlockKernel = $crate::__block_functions! { (#[inline(never)]) $($kernel)* };
    };
}

/// The functions of a [`BlockKernel`], one an instruction set.
#[doc(hidden)]
#[macro_export]
macro_rules! __block_functions {
    (
        (#[$inline:meta]) ($($input:ident: $in:ty),* $(,)?) -> ($($output:ident: $out:ty),+ $(,)?) $($far:ident)?
        { $($body:tt)* }
    ) => {{
        $crate::__block_function! {
            #[$inline]
            #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))]
            avx512 fused ($($input $in)*) ($($output $out)*) ($($far)?) { $($body)* }
        }
        $crate::__block_function! {
            #[$inline]
            #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
            avx2 fused ($($input $in)*) ($($output $out)*) ($($far)?) { $($body)* }
        }
        $crate::__block_function! {
            #[$inline]
            portable plain ($($input $in)*) ($($output $out)*) ($($far)?) { $($body)* }
        }
        $crate::BlockKernel { avx512, avx2, portable }
    }};
}

/// One function of a [`BlockKernel`].
#[doc(hidden)]
#[macro_export]
macro_rules! __block_function {
    (
        $(#[$attribute:meta])* $name:ident $math:ident ($($input:ident $in:ty)*) ($($output:ident $out:ty)*) $far:tt
        { $($body:tt)* }
    ) => {
        $(#[$attribute])*
        #[allow(unused_variables, unused_mut, unused_assignments, unused_imports, clippy::all)]
        unsafe fn $name(n: usize, inputs: *const *const u8, outputs: *const *mut u8) {
            use $crate::math::$math::*;
            $(let mut $input = [<$in as ::core::default::Default>::default(); $crate::__LANES];)*
            let mut pads = ($(&mut $input,)*);
            let mut rests = $crate::__rests!($($out),*);
            let mut at = 0;
            while at < n {
                let count = if n - at < $crate::__LANES { n - at } else { $crate::__LANES };
                let mut next = inputs;
                let ($($input,)*) = &mut pads;
                // SAFETY: the caller gives `n` elements for every input.
                $(let $input = unsafe { &*$crate::__take::<$in>(&mut next, at, count, $input) };)*
                // Collected apart, so that the loop vectorises also where an output is an input.
                $(let mut $output = [<$out as ::core::default::Default>::default(); $crate::__LANES];)*
                {
                    let mut results = $crate::__results!($($output)*);
                    $crate::__block_lanes! { $far results ($($input)*) ($($output)*) { $($body)* } }
                }
                let mut next = outputs;
                // SAFETY: the caller gives room for `n` elements at every output. The results are written as a whole, so that they stay in
                // registers.
                unsafe {
                    $crate::__write_results!((rests) next at count $($output)*);
                }
                at += count;
            }
            let count = n % $crate::__LANES;
            if count != 0 {
                let mut next = outputs;
                // SAFETY: as above.
                unsafe {
                    $crate::__give_rests!((rests) next (n - count) count $($output)*);
                }
            }
        }
    };
}

/// The results, one in the other.
#[doc(hidden)]
#[macro_export]
macro_rules! __results {
    () => { () };
    ($first:ident $($rest:ident)*) => { (&mut $first, $crate::__results!($($rest)*)) };
}

/// Where the results of the last elements lie before they are brought to their place, one behind the other.
#[doc(hidden)]
#[macro_export]
macro_rules! __rests {
    () => { () };
    ($first:ty $(, $rest:ty)*) => {
        ([<$first as ::core::default::Default>::default(); $crate::__LANES], $crate::__rests!($($rest),*))
    };
}

/// Writes the results to the outputs, or to what is there for the last ones.
#[doc(hidden)]
#[macro_export]
macro_rules! __write_results {
    (($rests:expr) $next:ident $at:ident $count:ident) => {};
    (($rests:expr) $next:ident $at:ident $count:ident $first:ident $($rest:ident)*) => {
        $crate::__room(&mut $next, $at, $count, &mut ($rests).0).write_unaligned($first);
        $crate::__write_results!((($rests).1) $next $at $count $($rest)*);
    };
}

/// Brings the last results to the outputs.
#[doc(hidden)]
#[macro_export]
macro_rules! __give_rests {
    (($rests:expr) $next:ident $at:tt $count:ident) => {};
    (($rests:expr) $next:ident $at:tt $count:ident $first:ident $($rest:ident)*) => {
        $crate::__give(&mut $next, $at, $count, &($rests).0);
        $crate::__give_rests!((($rests).1) $next $at $count $($rest)*);
    };
}

/// Sets one lane of the results.
#[doc(hidden)]
#[macro_export]
macro_rules! __set_results {
    (($results:expr) $lane:ident) => {};
    (($results:expr) $lane:ident $first:ident $($rest:ident)*) => {
        ($results).0[$lane] = $first;
        $crate::__set_results!((($results).1) $lane $($rest)*);
    };
}

/// The lanes of a [`BlockKernel`]; if arguments lay too far for `$far`, once more.
#[doc(hidden)]
#[macro_export]
macro_rules! __block_lanes {
    (($far:ident) $results:ident $inputs:tt $outputs:tt $body:tt) => {
        let mut $far = $crate::math::Near::default();
        $crate::__block_lanes! { () $results $inputs $outputs $body }
        if $far.is_passed() {
            let mut $far = $crate::math::Anywhere;
            $crate::__block_lanes! { () $results $inputs $outputs $body }
        }
    };
    (() $results:ident ($($input:ident)*) ($($output:ident)*) { $($body:tt)* }) => {
        for lane in 0..$crate::__LANES {
            $(let $input = $input[lane];)*
            $($body)*
            $crate::__set_results!(($results) lane $($output)*);
        }
    };
}
