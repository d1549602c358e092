//! Functions that every lane has, as far as it has them: an instruction or two each. Integers wrap.

use castnet_program::scalar::Lane;
use castnet_program::whole::Whole;

use super::half;

/// What scalar code computes with.
pub trait Scalar: Copy + Default + PartialOrd + Send + Sync + 'static {
    /// Its lane.
    const LANE: Lane;
    /// As f32, rounded once.
    fn f32(self) -> f32;
    /// As f64, rounded once.
    fn f64(self) -> f64;
    /// As an integer: floats are truncated and held inside the range, NaN is 0.
    fn i64(self) -> i64;
    /// Whether it is not 0.
    fn bool(self) -> bool;
}

macro_rules! scalars {
    ($($type:ty: $lane:ident)*) => {$(
        impl Scalar for $type {
            const LANE: Lane = Lane::$lane;
            #[inline(always)]
            fn f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn bool(self) -> bool {
                self != (0 as $type)
            }
        }
    )*};
}
scalars! { f32: F32 f64: F64 i32: I32 i64: I64 }

impl Scalar for bool {
    const LANE: Lane = Lane::Bool;
    #[inline(always)]
    fn f32(self) -> f32 {
        if self { 1.0 } else { 0.0 }
    }
    #[inline(always)]
    fn f64(self) -> f64 {
        if self { 1.0 } else { 0.0 }
    }
    #[inline(always)]
    fn i64(self) -> i64 {
        i64::from(self)
    }
    #[inline(always)]
    fn bool(self) -> bool {
        self
    }
}

macro_rules! conversions {
    ($($(#[$doc:meta])* $name:ident -> $lane:ty: |$x:ident| $value:expr;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name<T: Scalar>($x: T) -> $lane {
            $value
        }
    )*};
}
conversions! {
    /// To f32.
    to_f32 -> f32: |x| x.f32();
    /// To f64.
    to_f64 -> f64: |x| x.f64();
    /// To the nearest f16, by way of f32.
    to_f16 -> f32: |x| half::from_f16(half::to_f16(x.f32()));
    /// To the nearest bf16, by way of f32.
    to_bf16 -> f32: |x| half::from_bf16(half::to_bf16(x.f32()));
    /// To the values of i8, wrapping.
    to_i8 -> i32: |x| x.i64() as i8 as i32;
    /// To the values of u8, wrapping.
    to_u8 -> i32: |x| x.i64() as u8 as i32;
    /// To the values of i16, wrapping.
    to_i16 -> i32: |x| x.i64() as i16 as i32;
    /// To i32, wrapping.
    to_i32 -> i32: |x| x.i64() as i32;
    /// To the values of u32, wrapping.
    to_u32 -> i64: |x| x.i64() as u32 as i64;
    /// To i64.
    to_i64 -> i64: |x| x.i64();
    /// Whether it is not 0.
    to_bool -> bool: |x| x.bool();
}

/// Numbers: every lane but truth values.
pub trait Number: Scalar {
    /// `a + b`.
    fn plus(self, b: Self) -> Self;
    /// `a - b`.
    fn minus(self, b: Self) -> Self;
    /// `a · b`.
    fn times(self, b: Self) -> Self;
    /// `-a`.
    fn negated(self) -> Self;
    /// `|a|`.
    fn absolute(self) -> Self;
    /// -1, 0 or 1; 0 of NaN.
    fn signum(self) -> Self;
    /// The greater; NaN if either is.
    fn greater(self, b: Self) -> Self;
    /// The lesser; NaN if either is.
    fn lesser(self, b: Self) -> Self;
    /// The remainder with the sign of the divisor; of integers by 0 it is 0.
    fn remainder(self, b: Self) -> Self;
}

macro_rules! floats {
    ($($type:ty)*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self + b
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self - b
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self * b
            }
            #[inline(always)]
            fn negated(self) -> Self {
                -self
            }
            #[inline(always)]
            fn absolute(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn signum(self) -> Self {
                let truth = |x: bool| if x { 1.0 } else { 0.0 };
                truth(self > 0.0) - truth(self < 0.0)
            }
            #[inline(always)]
            fn greater(self, b: Self) -> Self {
                if (self > b) | self.is_nan() { self } else { b }
            }
            #[inline(always)]
            fn lesser(self, b: Self) -> Self {
                if (self < b) | self.is_nan() { self } else { b }
            }
            // Exact: a call for each element, for the remainder of floats has no short formula.
            #[inline(always)]
            fn remainder(self, b: Self) -> Self {
                let rest = self % b;
                if (rest != 0.0) & ((b < 0.0) != (rest < 0.0)) { rest + b } else { rest }
            }
        }
    )*};
}
floats! { f32 f64 }

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl Number for $type {
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            #[inline(always)]
            fn negated(self) -> Self {
                self.wrapping_neg()
            }
            #[inline(always)]
            fn absolute(self) -> Self {
                self.wrapping_abs()
            }
            #[inline(always)]
            fn signum(self) -> Self {
                <$type>::signum(self)
            }
            #[inline(always)]
            fn greater(self, b: Self) -> Self {
                self.max(b)
            }
            #[inline(always)]
            fn lesser(self, b: Self) -> Self {
                self.min(b)
            }
            #[inline(always)]
            fn remainder(self, b: Self) -> Self {
                Whole::remainder(self, b)
            }
        }
    )*};
}
integers! { i32 i64 }

/// What has bits: truth values and integers.
pub trait Bits: Scalar {
    /// Both.
    fn both(self, b: Self) -> Self;
    /// One of them.
    fn either(self, b: Self) -> Self;
    /// One and not the other.
    fn one_of(self, b: Self) -> Self;
    /// The other way round.
    fn inverted(self) -> Self;
}

macro_rules! bits {
    ($($type:ty)*) => {$(
        impl Bits for $type {
            #[inline(always)]
            fn both(self, b: Self) -> Self {
                self & b
            }
            #[inline(always)]
            fn either(self, b: Self) -> Self {
                self | b
            }
            #[inline(always)]
            fn one_of(self, b: Self) -> Self {
                self ^ b
            }
            #[inline(always)]
            fn inverted(self) -> Self {
                !self
            }
        }
    )*};
}
bits! { bool i32 i64 }

macro_rules! functions {
    ($trait:ident: $($(#[$doc:meta])* $name:ident($($argument:ident),*) = $method:ident)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name<T: $trait>($($argument: T),*) -> T {
            $trait::$method($($argument),*)
        }
    )*};
}
functions! { Number:
    /// `a + b`.
    add(a, b) = plus
    /// `a - b`.
    sub(a, b) = minus
    /// `a · b`.
    mul(a, b) = times
    /// `-a`.
    neg(a) = negated
    /// Absolute value.
    abs(a) = absolute
    /// -1, 0 or 1; 0 of NaN.
    sign(a) = signum
    /// The greater; NaN if either is.
    max(a, b) = greater
    /// The lesser; NaN if either is.
    min(a, b) = lesser
    /// Remainder with the sign of the divisor; of integers by 0 it is 0.
    rem(a, b) = remainder
}
functions! { Whole:
    /// The quotient, rounded down; by 0 it is 0.
    floor_divide(a, b) = floor_divide
    /// To the left by 0 and more; by more than the width, or less than 0, it is 0.
    shift_left(a, b) = shift_left
    /// To the right, keeping the sign; by more than the width, or less than 0, only the sign is left.
    shift_right(a, b) = shift_right
}
functions! { Bits:
    /// Both are true, or bit by bit.
    and(a, b) = both
    /// One of them is true, or bit by bit.
    or(a, b) = either
    /// One of them is true and not the other, or bit by bit.
    xor(a, b) = one_of
    /// Not true, or bit by bit.
    not(a) = inverted
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $operator:tt)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name<T: Scalar>(a: T, b: T) -> bool {
            a $operator b
        }
    )*};
}
comparisons! {
    /// a < b.
    lt <
    /// a ≤ b.
    le <=
    /// a > b.
    gt >
    /// a ≥ b.
    ge >=
    /// a = b.
    eq ==
    /// a ≠ b.
    ne !=
}

/// `condition ? a : b`.
#[inline(always)]
pub fn select<T: Scalar>(condition: bool, a: T, b: T) -> T {
    if condition { a } else { b }
}
