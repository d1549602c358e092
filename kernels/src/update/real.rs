//! What formulas are written over.

use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use crate::math::{Number, Scalar};

/// The numbers of a formula ([`update_rule!`](crate::update_rule)): f32, f64, or what notes the operations. Beside the methods here there are
/// `+`, `-`, `*` and `/`. All of them are exact or rounded once, and none is contracted, so the bits are the same on every machine.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// What comparisons give.
    type Truth: Copy + BitAnd<Output = Self::Truth> + BitOr<Output = Self::Truth> + Not<Output = Self::Truth>;
    /// In which sums over a whole parameter are made: f64.
    type Wide: Real<Wide = Self::Wide>;

    /// The nearest number to a constant.
    fn of(x: f64) -> Self;
    /// The same number in double precision.
    fn wide(self) -> Self::Wide;
    /// The nearest number to one of double precision.
    fn narrow(x: Self::Wide) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// -1, 0 or 1; 0 of NaN.
    fn sign(self) -> Self;
    /// The greater; NaN if either is.
    fn max(self, other: Self) -> Self;
    /// The lesser; NaN if either is.
    fn min(self, other: Self) -> Self;
    /// Whether it is less.
    fn lt(self, other: Self) -> Self::Truth;
    /// Whether it is less or equal.
    fn le(self, other: Self) -> Self::Truth;
    /// Whether it is greater.
    fn gt(self, other: Self) -> Self::Truth;
    /// Whether it is greater or equal.
    fn ge(self, other: Self) -> Self::Truth;
    /// The first number where the condition holds, else the second.
    fn select(condition: Self::Truth, then: Self, other: Self) -> Self;
}

macro_rules! reals {
    ($($type:ty)*) => {$(
        impl Real for $type {
            type Truth = bool;
            type Wide = f64;

            #[inline(always)]
            fn of(x: f64) -> $type {
                x as $type
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                Scalar::f64(self)
            }

            #[inline(always)]
            fn narrow(x: f64) -> $type {
                x as $type
            }

            #[inline(always)]
            fn sqrt(self) -> $type {
                <$type>::sqrt(self)
            }

            #[inline(always)]
            fn abs(self) -> $type {
                Number::absolute(self)
            }

            #[inline(always)]
            fn sign(self) -> $type {
                Number::signum(self)
            }

            #[inline(always)]
            fn max(self, other: $type) -> $type {
                Number::greater(self, other)
            }

            #[inline(always)]
            fn min(self, other: $type) -> $type {
                Number::lesser(self, other)
            }

            #[inline(always)]
            fn lt(self, other: $type) -> bool {
                self < other
            }

            #[inline(always)]
            fn le(self, other: $type) -> bool {
                self <= other
            }

            #[inline(always)]
            fn gt(self, other: $type) -> bool {
                self > other
            }

            #[inline(always)]
            fn ge(self, other: $type) -> bool {
                self >= other
            }

            #[inline(always)]
            fn select(condition: bool, then: $type, other: $type) -> $type {
                if condition { then } else { other }
            }
        }
    )*};
}
reals! { f32 f64 }
