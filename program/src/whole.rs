//! What integers give where it is not plain: quotients and remainders that are rounded down, powers, shifts. One definition, for constants that are
//! folded and for kernels.

/// Integers of a lane.
pub trait Whole: Copy {
    /// The quotient, rounded down; by 0 it is 0.
    fn floor_divide(self, by: Self) -> Self;
    /// The remainder with the sign of the divisor; by 0 it is 0.
    fn remainder(self, by: Self) -> Self;
    /// To a power, wrapping; with a negative exponent what 1 / xⁿ truncates to, of 0, 0.
    fn power(self, exponent: Self) -> Self;
    /// To the left, wrapping; 0 unless by 0 and less than the width.
    fn shift_left(self, by: Self) -> Self;
    /// To the right, keeping the sign; only the sign is left unless by 0 and less than the width.
    fn shift_right(self, by: Self) -> Self;
}

macro_rules! whole {
    ($($type:ident)*) => {$(
        impl Whole for $type {
            #[inline(always)]
            fn floor_divide(self, by: Self) -> Self {
                if by == 0 {
                    return 0;
                }
                let (quotient, rest) = (self.wrapping_div(by), self.wrapping_rem(by));
                if rest != 0 && (rest < 0) != (by < 0) { quotient - 1 } else { quotient }
            }

            #[inline(always)]
            fn remainder(self, by: Self) -> Self {
                if by == 0 {
                    return 0;
                }
                let rest = self.wrapping_rem(by);
                if rest != 0 && (rest < 0) != (by < 0) { rest + by } else { rest }
            }

            #[inline(always)]
            fn power(self, exponent: Self) -> Self {
                if exponent < 0 {
                    return match self {
                        1 => 1,
                        -1 if exponent % 2 == 0 => 1,
                        -1 => -1,
                        _ => 0,
                    };
                }
                let (mut result, mut base, mut rest): (Self, Self, Self) = (1, self, exponent);
                while rest > 0 {
                    if rest & 1 == 1 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    rest >>= 1;
                }
                result
            }

            #[inline(always)]
            fn shift_left(self, by: Self) -> Self {
                if (0..$type::BITS as $type).contains(&by) { self.wrapping_shl(by as u32) } else { 0 }
            }

            #[inline(always)]
            fn shift_right(self, by: Self) -> Self {
                let most = $type::BITS as $type - 1;
                self >> if (0..=most).contains(&by) { by } else { most }
            }
        }
    )*};
}
whole! { i32 i64 }
