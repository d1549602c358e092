//! Halves to f32, as operands are copied to scratch: the micro-kernels know f32 and f64 alone.

use castnet_program::types::DType;

use super::element::{At, Element};
use crate::isa::{Isa, per_isa};
use crate::math::half::{from_bf16, from_f16};

/// Two bytes in memory, f32 while they are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    F16,
    BF16,
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
}

/// Where rows of halves begin.
#[derive(Clone, Copy)]
pub(super) enum Spans<'a> {
    /// So many rows, so many numbers from one to the next.
    Even(usize, isize),
    /// An offset for each.
    Table(&'a [isize]),
}

per_isa! {
    /// As [`Element::widen`].
    pub(super) fn widen(half: Half, from: *const u16, rows: Spans<'_>, n: usize, out: *mut f32, pitch: usize) = widen_body;
}

#[inline(always)]
unsafe fn widen_body(half: Half, from: *const u16, rows: Spans<'_>, n: usize, out: *mut f32, pitch: usize) {
    let count = match rows {
        Spans::Even(count, _) => count,
        Spans::Table(table) => table.len(),
    };
    for i in 0..count {
        let offset = match rows {
            Spans::Even(_, step) => i as isize * step,
            Spans::Table(table) => table[i],
        };
        // SAFETY: the caller's promise: `n` numbers are there, and have room.
        unsafe {
            let (from, out) = (from.offset(offset), out.add(i * pitch));
            match half {
                Half::BF16 => row(from_bf16, from, n, out),
                Half::F16 => row(from_f16, from, n, out),
            }
        }
    }
}

/// By lengths that are constant, since short rows are the rule.
#[inline(always)]
unsafe fn row(wide: impl Fn(u16) -> f32, from: *const u16, n: usize, out: *mut f32) {
    #[inline(always)]
    unsafe fn piece<const N: usize>(wide: impl Fn(u16) -> f32, from: *const u16, out: *mut f32) {
        // SAFETY: the caller's promise: `N` numbers.
        unsafe { out.cast::<[f32; N]>().write_unaligned(from.cast::<[u16; N]>().read_unaligned().map(wide)) }
    }
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i + 32 <= n {
            piece::<32>(&wide, from.add(i), out.add(i));
            i += 32;
        }
        while i + 8 <= n {
            piece::<8>(&wide, from.add(i), out.add(i));
            i += 8;
        }
        while i < n {
            *out.add(i) = wide(*from.add(i));
            i += 1;
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

    /// Makes the numbers at `rows[i] + steps[k]` readable: their start, and their offsets from it.
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
        let follows = |pair: &[isize]| pair[1] == pair[0] + 1;
        // SAFETY: the caller's promise.
        unsafe {
            if rows.len() > 1 && rows.windows(2).all(follows) {
                E::widen(isa, half, a.offset(rows[0]), Spans::Table(steps), rows.len(), scratch, self.rows);
                return [&self.numbers[..rows.len()], &self.by_step[..steps.len()]];
            }
            let mut k = 0;
            while k < steps.len() {
                let n = 1 + steps[k..].windows(2).take_while(|pair| follows(pair)).count();
                E::widen(isa, half, a.offset(steps[k]), Spans::Table(rows), n, scratch.add(k), self.pitch);
                k += n;
            }
        }
        [&self.by_row[..rows.len()], &self.numbers[..steps.len()]]
    }
}
