//! Halves to f32, as operands are copied to scratch: the micro-kernels know f32 and f64 alone.

use castnet_program::types::DType;

use super::element::{At, Element};
use super::pairs;
use crate::isa::Isa;
use crate::math::half::{from_bf16, from_f16};

/// Two bytes in memory, f32 while they are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    F16,
    BF16,
    /// bf16 that are not widened: two are a number ([`super::pairs`]).
    Pairs,
}

impl Half {
    /// The half that a type is.
    pub fn of(dtype: DType) -> Option<Half> {
        match dtype {
            DType::F16 => Some(Half::F16),
            DType::BF16 => Some(Half::BF16),
            DType::F32 | DType::F64 => None,
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => None,
        }
    }

    /// How many are one number in scratch.
    pub fn per_number(self) -> usize {
        match self {
            Half::F16 | Half::BF16 => 1,
            Half::Pairs => 2,
        }
    }
}

/// Where rows of halves begin.
#[derive(Clone, Copy)]
pub(super) enum Spans<'a> {
    /// So many rows, so many numbers from one to the next.
    Even(usize, isize),
    /// An offset for each.
    Table(&'a [isize]),
}

impl Spans<'_> {
    pub fn count(self) -> usize {
        match self {
            Spans::Even(count, _) => count,
            Spans::Table(table) => table.len(),
        }
    }

    /// Where row `i` begins.
    #[inline(always)]
    pub fn start(self, i: usize) -> isize {
        match self {
            Spans::Even(_, step) => i as isize * step,
            Spans::Table(table) => table[i],
        }
    }
}

/// As [`Element::widen`].
pub(super) unsafe fn widen(
    isa: Isa,
    half: Half,
    from: *const u16,
    rows: Spans<'_>,
    n: usize,
    out: *mut f32,
    pitch: usize,
) {
    // SAFETY: the caller's promise; the instruction set is there.
    unsafe {
        match (isa, half) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512Bf16 | Isa::Avx512, Half::BF16) => x86::avx512::<true>(from, rows, n, out, pitch),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512Bf16 | Isa::Avx512, Half::F16) => x86::avx512::<false>(from, rows, n, out, pitch),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, Half::BF16) => x86::avx2(from_bf16, from, rows, n, out, pitch),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, Half::F16) => x86::avx2(from_f16, from, rows, n, out, pitch),
            (_, Half::Pairs) => pairs::along(from, rows, n, out.cast(), pitch),
            (_, Half::BF16) => any(from_bf16, from, rows, n, out, pitch),
            (_, Half::F16) => any(from_f16, from, rows, n, out, pitch),
        }
    }
}

/// A plain loop, which becomes vectors.
#[inline(always)]
unsafe fn any(wide: impl Fn(u16) -> f32, from: *const u16, rows: Spans<'_>, n: usize, out: *mut f32, pitch: usize) {
    for i in 0..rows.count() {
        // SAFETY: the caller's promise: `n` numbers, apart from those that are read.
        unsafe {
            let bits = std::slice::from_raw_parts(from.offset(rows.start(i)), n);
            let numbers = std::slice::from_raw_parts_mut(out.add(i * pitch), n);
            for (number, &bits) in numbers.iter_mut().zip(bits) {
                *number = wide(bits);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Spans, any};

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn avx2(
        wide: impl Fn(u16) -> f32,
        from: *const u16,
        rows: Spans<'_>,
        n: usize,
        out: *mut f32,
        pitch: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { any(wide, from, rows, n, out, pitch) }
    }

    /// By masked vectors, as short rows are the rule. The bits of [`from_bf16`] and [`from_f16`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) unsafe fn avx512<const BF16: bool>(
        from: *const u16,
        rows: Spans<'_>,
        n: usize,
        out: *mut f32,
        pitch: usize,
    ) {
        for i in 0..rows.count() {
            // SAFETY: the caller's promise: `n` numbers; lanes behind them are masked.
            unsafe {
                let (from, out) = (from.offset(rows.start(i)), out.add(i * pitch));
                for at in (0..n).step_by(16) {
                    let mask = 0xffff >> (16 - (n - at).min(16));
                    let bits = _mm256_maskz_loadu_epi16(mask, from.add(at).cast());
                    let numbers = match BF16 {
                        true => {
                            let wide = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits));
                            let number = _mm512_castsi512_ps(wide);
                            // Every NaN is a quiet one.
                            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(number, number);
                            _mm512_castsi512_ps(_mm512_mask_or_epi32(wide, nan, wide, _mm512_set1_epi32(0x40_0000)))
                        }
                        false => _mm512_cvtph_ps(bits),
                    };
                    _mm512_mask_storeu_ps(out.add(at), mask, numbers);
                }
            }
        }
    }
}

/// Scratch for a block of a left operand of halves: some rows by some steps of the reduction, as the micro-kernel wants them.
#[derive(Debug)]
pub(super) struct Widened {
    /// The most rows.
    rows: usize,
    /// From row to row, where the steps of each lie side by side.
    pitch: usize,
    /// `0, 1, 2, …`.
    numbers: Vec<isize>,
    /// `0, pitch, …`.
    by_row: Vec<isize>,
    /// `0, rows, …`: of steps, where the rows of each lie side by side.
    by_step: Vec<isize>,
}

impl Widened {
    /// For at most so many rows and steps; for none at all if nothing is to be widened.
    pub fn new(is_half: bool, rows: usize, steps: usize) -> Widened {
        let (rows, steps) = if is_half { (rows, steps) } else { (0, 0) };
        let table = |n: usize, step: usize| (0..n).map(|i| (i * step) as isize).collect::<Vec<_>>();
        // Rows a power of two apart would meet in few sets of the cache.
        let pitch = steps.next_multiple_of(16) + 16;
        let numbers = table(rows.max(steps), 1);
        Widened { rows, pitch, numbers, by_row: table(rows, pitch), by_step: table(steps, rows) }
    }

    /// Numbers of scratch.
    pub fn scratch(&self) -> usize {
        // The pitch is more than there are steps, so either form has room.
        (self.rows * self.pitch).next_multiple_of(16)
    }

    /// Makes the numbers at `rows[i] + steps[k]` readable: their start, and their offsets from it. Of pairs, two steps become one.
    ///
    /// # Safety
    ///
    /// The numbers must be there, no more than the tables have, and the scratch.
    #[inline]
    pub unsafe fn open<'a, E: Element>(
        &'a self,
        isa: Isa,
        a: At<E>,
        rows: &'a [isize],
        steps: &'a [isize],
        scratch: *mut E,
    ) -> (*const E, &'a [isize], &'a [isize]) {
        match a {
            At::Own(a) => (a, rows, steps),
            At::Half(half, a) => {
                // SAFETY: the caller's promise.
                let [rows, steps] = unsafe { self.copy(isa, half, a, rows, steps, scratch) };
                (scratch.cast_const(), rows, steps)
            }
        }
    }

    unsafe fn copy<E: Element>(
        &self,
        isa: Isa,
        half: Half,
        a: *const u16,
        rows: &[isize],
        steps: &[isize],
        scratch: *mut E,
    ) -> [&[isize]; 2] {
        let unit = half.per_number();
        let follows = |pair: &[isize]| pair[1] == pair[0] + 1;
        let rows_follow = rows.len() > 1 && rows.windows(2).all(follows);
        // SAFETY: the caller's promise.
        unsafe {
            if half == Half::Pairs && rows_follow {
                let cols = Spans::Even(rows.len(), 1);
                pairs::across(a.offset(rows[0]), Spans::Table(steps), cols, scratch.cast(), self.rows);
                return [&self.numbers[..rows.len()], &self.by_step[..steps.len().div_ceil(2)]];
            }
            if rows_follow {
                E::widen(isa, half, a.offset(rows[0]), Spans::Table(steps), rows.len(), scratch, self.rows);
                return [&self.numbers[..rows.len()], &self.by_step[..steps.len()]];
            }
            let mut k = 0;
            while k < steps.len() {
                let mut n = 1 + steps[k..].windows(2).take_while(|pair| follows(pair)).count();
                let out = scratch.add(k / unit);
                if k + n < steps.len() {
                    n -= n % unit;
                }
                if n > 0 {
                    E::widen(isa, half, a.offset(steps[k]), Spans::Table(rows), n, out, self.pitch);
                } else {
                    // A pair whose numbers lie apart.
                    n = unit;
                    for (i, &row) in rows.iter().enumerate() {
                        let (pair, out) = (Spans::Table(&steps[k..k + n]), out.add(i * self.pitch));
                        pairs::across(a.offset(row), pair, Spans::Even(1, 1), out.cast(), 1);
                    }
                }
                k += n;
            }
        }
        [&self.by_row[..rows.len()], &self.numbers[..steps.len().div_ceil(unit)]]
    }
}
