//! The micro-kernels of f32 and f64: a few rows by one or two vectors of sums, in registers for a whole piece of the reduction.

// Indexed loops of constant length over arrays become registers; iterators over them not always.
#![allow(clippy::needless_range_loop)]

use super::element::Element;
use crate::isa::Isa;

pub(super) mod depthwise;
mod peak;
mod portable;
mod product;
mod vector;

pub use peak::multiply_adds;
pub(super) use portable::{Four, Two};
#[cfg(target_arch = "x86_64")]
pub(super) use product::avx512_bf16;
pub(super) use vector::Vector;

/// Where the rows of a right operand lie, as many as there are steps.
#[derive(Clone, Copy)]
pub(super) enum Rows<'a> {
    /// So many numbers from one to the next.
    Even(usize),
    /// An offset for each.
    Table(&'a [isize]),
}

/// `acc[i][v] (+)= Σ_k a[rows[i] + steps[k]] · b[b_rows[k] + v]` for `v` in `0..cols`.
///
/// With [`Isa::Avx512Bf16`] the numbers of `a` and `b` are pairs of bf16, those of `b` in even rows.
pub(super) struct Product<'a, E> {
    /// The left operand.
    pub a: *const E,
    /// An offset for each row.
    pub rows: &'a [isize],
    /// An offset for each step of the reduction.
    pub steps: &'a [isize],
    /// The right operand; only the first `cols` of a row are read.
    pub b: *const E,
    /// Where its rows lie.
    pub b_rows: Rows<'a>,
    /// At most 32.
    pub cols: usize,
    /// The sums; whole vectors are written, of 16 numbers at most.
    pub acc: *mut E,
    /// Numbers from one row of `acc` to the next: at least `cols` rounded up to 16.
    pub pitch: usize,
    /// Adds to what lies there, in place of setting it: the steps are summed up before, so that the error does not grow with all there are.
    pub add: bool,
}

impl<E: Element> Product<'_, E> {
    /// Computes it.
    ///
    /// # Safety
    ///
    /// All addresses named above must be valid, and the instruction set must be there.
    #[inline]
    pub unsafe fn run(&self, isa: Isa) {
        // SAFETY: the caller's promise.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Bf16 => E::sum_pairs(self),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => product::avx512::run::<E::Avx512>(self),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => product::avx2::run::<E::Avx2>(self),
                _ => product::portable::run::<E::Portable>(self),
            }
        }
    }
}

/// Compiles a function for the vectors of every instruction set: `fn name(isa, argument)` calls the generic, always inlined body.
macro_rules! per_vector {
    ($($visibility:vis fn $name:ident($argument:ident: $type:ident) = $body:ident;)*) => {$(
        /// # Safety
        /// The machine has `isa`, and what the body asks for.
        #[inline]
        $visibility unsafe fn $name<E: Element>(isa: Isa, $argument: &$type<'_, E>) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            unsafe fn avx512<E: Element>($argument: &$type<'_, E>) {
                // SAFETY: the caller's promise.
                unsafe { $body::<E::Avx512>($argument) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<E: Element>($argument: &$type<'_, E>) {
                // SAFETY: the caller's promise.
                unsafe { $body::<E::Avx2>($argument) }
            }
            // SAFETY: the caller's promise.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512Bf16 | Isa::Avx512 => avx512($argument),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => avx2($argument),
                    _ => $body::<E::Portable>($argument),
                }
            }
        }
    )*};
}
use per_vector;
