//! The element types, as routines see them.

use std::cmp::Ordering;

use castnet_program::types::DType;

use crate::math::half::{from_bf16, from_f16, to_bf16, to_f16};
use crate::math::{BF16, F16};

/// A truth value in memory: 0 or 1.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Truth(u8);

/// An element of an array: any bits are one.
pub(super) trait Element: Copy + 'static {
    /// Its type.
    const DTYPE: DType;
    /// In which totals are kept: f64 of floats, i64 of integers.
    type Total: Total;
    /// Its value.
    fn total(self) -> Self::Total;
    /// The nearest element.
    fn of(total: Self::Total) -> Self;
    /// PyTorch's order: NaN behind all numbers, and all of them equal.
    fn order(self, other: Self) -> Ordering {
        self.total().order(other.total())
    }
}

/// What totals are kept in.
pub(super) trait Total: Copy {
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn order(self, other: Self) -> Ordering;
    /// `None` if one of them is NaN.
    fn compare(self, other: Self) -> Option<Ordering>;
    /// As f64, and back.
    fn float(self) -> f64;
    fn of_float(x: f64) -> Self;
}

impl Total for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;

    fn plus(self, other: f64) -> f64 {
        self + other
    }

    fn times(self, other: f64) -> f64 {
        self * other
    }

    #[inline(always)]
    fn order(self, other: f64) -> Ordering {
        self.partial_cmp(&other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
    }

    fn compare(self, other: f64) -> Option<Ordering> {
        self.partial_cmp(&other)
    }

    fn float(self) -> f64 {
        self
    }

    fn of_float(x: f64) -> f64 {
        x
    }
}

impl Total for i64 {
    const ZERO: i64 = 0;
    const ONE: i64 = 1;

    fn plus(self, other: i64) -> i64 {
        self.wrapping_add(other)
    }

    fn times(self, other: i64) -> i64 {
        self.wrapping_mul(other)
    }

    #[inline(always)]
    fn order(self, other: i64) -> Ordering {
        self.cmp(&other)
    }

    fn compare(self, other: i64) -> Option<Ordering> {
        Some(self.cmp(&other))
    }

    fn float(self) -> f64 {
        self as f64
    }

    fn of_float(x: f64) -> i64 {
        x as i64
    }
}

macro_rules! elements {
    ($($element:ty, $dtype:ident, $total:ty, $x:ident => $to:expr, $y:ident => $from:expr;)*) => {$(
        impl Element for $element {
            const DTYPE: DType = DType::$dtype;
            type Total = $total;

            #[inline(always)]
            fn total(self) -> $total {
                let $x = self;
                $to
            }

            #[inline(always)]
            fn of($y: $total) -> $element {
                $from
            }
        }
    )*};
}

elements! {
    f32, F32, f64, x => x.into(), y => y as f32;
    f64, F64, f64, x => x, y => y;
    F16, F16, f64, x => from_f16(x.0).into(), y => F16(to_f16(y as f32));
    BF16, BF16, f64, x => from_bf16(x.0).into(), y => BF16(to_bf16(y as f32));
    i8, I8, i64, x => x.into(), y => y as i8;
    u8, U8, i64, x => x.into(), y => y as u8;
    i16, I16, i64, x => x.into(), y => y as i16;
    i32, I32, i64, x => x.into(), y => y as i32;
    u32, U32, i64, x => x.into(), y => y as u32;
    i64, I64, i64, x => x, y => y;
    Truth, Bool, i64, x => x.0.into(), y => Truth(u8::from(y != 0));
}
