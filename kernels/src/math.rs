//! Scalar functions without branches or calls, so that loops over them vectorise.
//!
//! Each is generic over whether fused multiply-add may be used: under an instruction set that has it, [`f32::mul_add`] is one
//! instruction; elsewhere it would be a call into the C library. The facades [`fused`] and [`plain`] fix that choice; generated code and
//! the block interpreter use the same facade, hence give the same bits. Errors are bounded by tests against `f64`.

mod exponential;
mod float;
pub(crate) mod half;
mod lanes;
mod trigonometric;

pub use float::{Float, Power};
pub use half::{BF16, F16};
pub use lanes::{Bits, Number, Scalar};
pub use trigonometric::{Anywhere, Near, Reach};

/// `a · b + c`, rounded once or twice.
#[inline(always)]
fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `a · b + c` in double precision.
#[inline(always)]
fn fma64<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// A polynomial, highest coefficient first.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut y = coefficients[0];
    let mut i = 1;
    while i < N {
        y = fma::<FMA>(y, x, coefficients[i]);
        i += 1;
    }
    y
}

/// A polynomial in double precision, highest coefficient first.
#[inline(always)]
fn polynomial64<const FMA: bool, const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut y = coefficients[0];
    let mut i = 1;
    while i < N {
        y = fma64::<FMA>(y, x, coefficients[i]);
        i += 1;
    }
    y
}

macro_rules! facade {
    ($(#[$doc:meta])* $name:ident, $fma:expr) => {
        $(#[$doc])*
        pub mod $name {
            use super::Float;
            pub use super::lanes::*;

            facade! { @simple
                /// Square root.
                sqrt
                /// 1 / √x.
                rsqrt
                /// Towards minus infinity.
                floor
                /// Towards zero.
                trunc
                /// To the nearest integer, halves to the even one.
                round
            }

            facade! { @curved $fma,
                /// eˣ; in f32 the relative error is below 2e-7, also where the result is subnormal to within one unit there.
                exp
                /// Natural logarithm; in f32 the relative error is below 2e-7.
                log
                /// log(1 + x); in f32 the relative error is below 3e-7, also near 0.
                log1p
                /// eˣ - 1; in f32 the relative error is below 3e-7, also near 0.
                expm1
                /// Hyperbolic tangent; in f32 the relative error is below 6e-7.
                tanh
                /// 1 / (1 + e⁻ˣ); in f32 the relative error is below 4e-7.
                sigmoid
                /// Gauss' error function; in f32 the relative error is below 1e-6.
                erf
            }

            /// Sine, as far as `far` reaches; in f32 the absolute error is below 2e-7.
            #[inline(always)]
            pub fn sin<T: Float, R: super::Reach>(x: T, far: &mut R) -> T {
                Float::sin::<$fma, R>(x, far)
            }

            /// Cosine; as the sine.
            #[inline(always)]
            pub fn cos<T: Float, R: super::Reach>(x: T, far: &mut R) -> T {
                Float::cos::<$fma, R>(x, far)
            }

            /// xʸ with the special cases of C; in f32 the relative error is below 2e-7. Of integers it wraps.
            #[inline(always)]
            pub fn pow<T: super::Power>(x: T, y: T) -> T {
                x.to_the::<$fma>(y)
            }
        }
    };
    (@simple $($(#[$doc:meta])* $function:ident)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $function<T: Float>(x: T) -> T {
            Float::$function(x)
        }
    )*};
    (@curved $fma:expr, $($(#[$doc:meta])* $function:ident)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $function<T: Float>(x: T) -> T {
            Float::$function::<$fma>(x)
        }
    )*};
}

facade! {
    /// With fused multiply-add: call only under a `target_feature` that has it.
    fused, true
}
facade! {
    /// Without fused multiply-add.
    plain, false
}
