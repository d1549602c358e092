//! Functions of floats: of f32 those of this crate, of f64 those of the platform's library.

use castnet_program::whole::Whole;

use super::lanes::Number;
use super::trigonometric::Reach;
use super::{exponential, trigonometric};

/// What has powers: all numbers.
pub trait Power: Number {
    /// aᵇ.
    fn to_the<const FMA: bool>(self, b: Self) -> Self;
}

impl Power for i32 {
    #[inline(always)]
    fn to_the<const FMA: bool>(self, b: i32) -> i32 {
        self.power(b)
    }
}

impl Power for i64 {
    #[inline(always)]
    fn to_the<const FMA: bool>(self, b: i64) -> i64 {
        self.power(b)
    }
}

impl Power for f32 {
    #[inline(always)]
    fn to_the<const FMA: bool>(self, b: f32) -> f32 {
        exponential::pow::<FMA>(self, b)
    }
}

impl Power for f64 {
    #[inline(always)]
    fn to_the<const FMA: bool>(self, b: f64) -> f64 {
        self.powf(b)
    }
}

macro_rules! float {
    (simple($x:ident) { $($(#[$simple_doc:meta])* $simple:ident = $value:expr;)* } curved { $($(#[$doc:meta])* $name:ident = $double:expr;)* }) => {
        /// Floats.
        pub trait Float: Power {
            $($(#[$simple_doc])* fn $simple(self) -> Self;)*
            $($(#[$doc])* fn $name<const FMA: bool>(self) -> Self;)*
            /// Sine, as far as `far` reaches.
            fn sin<const FMA: bool, R: Reach>(self, far: &mut R) -> Self;
            /// Cosine, as far as `far` reaches.
            fn cos<const FMA: bool, R: Reach>(self, far: &mut R) -> Self;
        }

        impl Float for f32 {
            $(
                #[inline(always)]
                fn $simple(self) -> f32 {
                    let $x = self;
                    $value
                }
            )*
            $(
                #[inline(always)]
                fn $name<const FMA: bool>(self) -> f32 {
                    exponential::$name::<FMA>(self)
                }
            )*
            #[inline(always)]
            fn sin<const FMA: bool, R: Reach>(self, far: &mut R) -> f32 {
                trigonometric::sin::<FMA, R>(self, far)
            }
            #[inline(always)]
            fn cos<const FMA: bool, R: Reach>(self, far: &mut R) -> f32 {
                trigonometric::cos::<FMA, R>(self, far)
            }
        }

        impl Float for f64 {
            $(
                #[inline(always)]
                fn $simple(self) -> f64 {
                    let $x = self;
                    $value
                }
            )*
            $(
                #[inline(always)]
                fn $name<const FMA: bool>(self) -> f64 {
                    ($double)(self)
                }
            )*
            #[inline(always)]
            fn sin<const FMA: bool, R: Reach>(self, _: &mut R) -> f64 {
                f64::sin(self)
            }
            #[inline(always)]
            fn cos<const FMA: bool, R: Reach>(self, _: &mut R) -> f64 {
                f64::cos(self)
            }
        }
    };
}
float! {
    simple(x) {
        /// Square root.
        sqrt = x.sqrt();
        /// 1 / √x.
        rsqrt = 1.0 / x.sqrt();
        /// Towards minus infinity.
        floor = x.floor();
        /// Towards zero.
        trunc = x.trunc();
        /// To the nearest integer, halves to the even one.
        round = x.round_ties_even();
    }
    curved {
        /// eˣ.
        exp = f64::exp;
        /// Natural logarithm.
        log = f64::ln;
        /// log(1 + x).
        log1p = f64::ln_1p;
        /// eˣ - 1.
        expm1 = f64::exp_m1;
        /// Hyperbolic tangent.
        tanh = f64::tanh;
        /// 1 / (1 + e⁻ˣ).
        sigmoid = |x: f64| 1.0 / (1.0 + f64::exp(-x));
        /// Gauss' error function.
        erf = libm::erf;
    }
}
