//! Scalar functions without branches or calls, so that loops over them vectorise.
//!
//! Each is generic over whether fused multiply-add may be used: under an instruction set that has it, [`f32::mul_add`] is one
//! instruction; elsewhere it would be a call into the C library. The facades [`fused`] and [`plain`] fix that choice; generated code and
//! the block interpreter use the same facade, hence give the same bits. Errors are bounded by tests against `f64`.

mod exponential;
mod simple;
mod trigonometric;

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
            pub use super::simple::*;

            facade! { @unary $fma,
                /// eˣ; relative error below 2e-7, also where the result is subnormal to within one unit there.
                exponential::exp
                /// Natural logarithm; relative error below 2e-7.
                exponential::log
                /// log(1 + x); relative error below 3e-7, also near 0.
                exponential::log1p
                /// eˣ - 1; relative error below 3e-7, also near 0.
                exponential::expm1
                /// Hyperbolic tangent; relative error below 6e-7.
                exponential::tanh
                /// 1 / (1 + e⁻ˣ); relative error below 4e-7.
                exponential::sigmoid
                /// Gauss' error function; relative error below 1e-6.
                exponential::erf
            }

            /// Sine, as far as `far` reaches; absolute error below 2e-7.
            #[inline(always)]
            pub fn sin<R: super::Reach>(x: f32, far: &mut R) -> f32 {
                super::trigonometric::sin::<$fma, R>(x, far)
            }

            /// Cosine; as the sine.
            #[inline(always)]
            pub fn cos<R: super::Reach>(x: f32, far: &mut R) -> f32 {
                super::trigonometric::cos::<$fma, R>(x, far)
            }

            /// xʸ with the special cases of C; relative error below 2e-7.
            #[inline(always)]
            pub fn pow(x: f32, y: f32) -> f32 {
                super::exponential::pow::<$fma>(x, y)
            }
        }
    };
    (@unary $fma:expr, $($(#[$doc:meta])* $file:ident :: $function:ident)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $function(x: f32) -> f32 {
            super::$file::$function::<$fma>(x)
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
