//! What tiles compute with, f32 or f64, and how their operands are stored: as they are, or as halves, which are summed in f32.

use castnet_program::scalar::Lane;
use castnet_program::types::DType;

use super::micro::{self, Vector};
use super::widen::{Half, Spans};
use crate::isa::Isa;

/// The numbers of a tile's sums. Nobody else implements it.
pub(super) trait Element: Copy + Default + std::ops::AddAssign + 'static {
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Element = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Element = Self>;
    type Portable: Vector<Element = Self>;

    /// `out[k * pitch + j] = from[j * ld + k]`.
    ///
    /// # Safety
    ///
    /// As [`crate::transpose::transpose`].
    unsafe fn transpose(
        isa: Isa,
        from: *const Self,
        ld: isize,
        depth: usize,
        cols: usize,
        out: *mut Self,
        pitch: isize,
    );

    /// Rows of halves, each of `n` side by side, to rows `pitch` apart; of pairs, to half as many numbers.
    ///
    /// # Safety
    ///
    /// `from` must hold the rows, `out` have room for them; the machine has `isa`.
    unsafe fn widen(isa: Isa, half: Half, from: *const u16, rows: Spans<'_>, n: usize, out: *mut Self, pitch: usize);

    /// Computes a product of pairs.
    ///
    /// # Safety
    ///
    /// As [`micro::Product::run`]; the machine has [`Isa::Avx512Bf16`].
    #[cfg(target_arch = "x86_64")]
    unsafe fn sum_pairs(product: &micro::Product<'_, Self>);
}

impl Element for f32 {
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256;
    type Portable = micro::Four;

    unsafe fn transpose(isa: Isa, from: *const f32, ld: isize, depth: usize, cols: usize, out: *mut f32, pitch: isize) {
        // SAFETY: the caller's promise.
        unsafe { crate::transpose::transpose(isa, from, ld, depth, cols, out, pitch) }
    }

    unsafe fn widen(isa: Isa, half: Half, from: *const u16, rows: Spans<'_>, n: usize, out: *mut f32, pitch: usize) {
        // SAFETY: the caller's promise.
        unsafe { super::widen::widen(isa, half, from, rows, n, out, pitch) }
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn sum_pairs(product: &micro::Product<'_, f32>) {
        // SAFETY: the caller's promise.
        unsafe { micro::avx512_bf16::run::<Self::Avx512>(product) }
    }
}

impl Element for f64 {
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512d;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256d;
    type Portable = micro::Two;

    unsafe fn transpose(_: Isa, from: *const f64, ld: isize, depth: usize, cols: usize, out: *mut f64, pitch: isize) {
        // SAFETY: the caller's promise.
        unsafe { crate::transpose::portable(from, ld, 0..depth, 0..cols, out, pitch) }
    }

    unsafe fn widen(_: Isa, _: Half, _: *const u16, _: Spans<'_>, _: usize, _: *mut f64, _: usize) {
        unreachable!("halves are summed in f32")
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn sum_pairs(_: &micro::Product<'_, f64>) {
        unreachable!("halves are summed in f32")
    }
}

/// The lane of a tile's sums.
pub(super) fn sums([a, b]: [DType; 2]) -> Lane {
    Lane::of_products(a, b).unwrap_or_else(|| panic!("a tile of {a} and {b}"))
}

/// A buffer that a tile reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    buffer: usize,
    /// If it holds other numbers than are summed.
    half: Option<Half>,
}

impl Operand {
    pub fn new(buffer: usize, dtypes: &[DType]) -> Operand {
        Operand { buffer, half: Half::of(dtypes[buffer]) }
    }

    /// Whether it can only be read through a copy in scratch.
    pub fn is_half(self) -> bool {
        self.half.is_some()
    }

    /// For a tile of pairs: to be paired in scratch.
    pub fn paired(self) -> Operand {
        Operand { half: Some(Half::Pairs), ..self }
    }

    /// For a tile of pairs: they lie as they are summed, and places are counted in pairs.
    pub fn of_pairs(self) -> Operand {
        Operand { half: None, ..self }
    }

    /// Where it begins. `base` gives the start of a buffer.
    pub fn start<E: Element>(self, base: &dyn Fn(usize) -> *mut u8) -> At<E> {
        let start = base(self.buffer).cast_const();
        match self.half {
            None => At::Own(start.cast()),
            Some(half) => At::Half(half, start.cast()),
        }
    }
}

/// The address of a number of an operand.
#[derive(Clone, Copy)]
pub(super) enum At<E> {
    /// As it is summed.
    Own(*const E),
    /// To be widened.
    Half(Half, *const u16),
}

impl<E: Element> At<E> {
    /// So many numbers further on. Nothing is read yet, so the address may be outside.
    #[inline(always)]
    pub fn offset(self, numbers: isize) -> At<E> {
        match self {
            At::Own(at) => At::Own(at.wrapping_offset(numbers)),
            At::Half(half, at) => At::Half(half, at.wrapping_offset(numbers)),
        }
    }

    /// The number there.
    ///
    /// # Safety
    ///
    /// It must be there.
    #[inline(always)]
    pub unsafe fn read(self) -> E {
        // SAFETY: the caller's promise; a single number needs no instruction set.
        unsafe {
            match self {
                At::Own(at) => *at,
                At::Half(half, at) => {
                    let mut number = E::default();
                    E::widen(Isa::Portable, half, at, Spans::Even(1, 0), 1, &mut number, 0);
                    number
                }
            }
        }
    }
}
