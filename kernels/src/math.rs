//! Scalar functions without branches or calls, so that loops over them vectorise.
//!
//! Each is generic over whether fused multiply-add may be used: under an instruction set that has it, [`f32::mul_add`] is one
//! instruction; elsewhere it would be a call into the C library. The facades [`fused`] and [`plain`] fix that choice; generated code and
//! the block interpreter use the same facade, hence give the same bits. Errors are bounded by tests against `f64`.

/// Functions of doubles that others have written.
macro_rules! doubles {
    ($($name:ident = $value:expr;)*) => {$(
        #[inline(always)]
        pub fn $name(x: f64) -> f64 {
            ($value)(x)
        }
    )*};
}
use doubles;

/// The first of two if there is a function of that domain of the kind of lane, else the second.
macro_rules! if_taken {
    (float Integers $then:tt { $($else:tt)* }) => { $($else)* };
    (float Bits $then:tt { $($else:tt)* }) => { $($else)* };
    (int Floats $then:tt { $($else:tt)* }) => { $($else)* };
    (int Angles $then:tt { $($else:tt)* }) => { $($else)* };
    (bool Numbers $then:tt { $($else:tt)* }) => { $($else)* };
    (bool Floats $then:tt { $($else:tt)* }) => { $($else)* };
    (bool Angles $then:tt { $($else:tt)* }) => { $($else)* };
    (bool Integers $then:tt { $($else:tt)* }) => { $($else)* };
    ($kind:ident $domain:ident { $($then:tt)* } $else:tt) => { $($then)* };
}
pub(crate) use if_taken;

mod exponential;
mod float;
pub(crate) mod half;
mod instructions;
mod lanes;
mod trigonometric;

pub use float::{Float, Pair, Power};
pub use half::{BF16, F16};
pub use lanes::{Bits, Number, Scalar};
pub use trigonometric::{Anywhere, Near, Reach};

/// What there is of f32, by name.
mod single {
    pub use super::{exponential::*, instructions::*, trigonometric::*};
}

/// What there is of f64, by name.
mod double {
    pub use super::{exponential::double::*, instructions::double::*, trigonometric::double::*};
}

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

/// A function of the facade: where every lane has it, it comes from `lanes`.
macro_rules! function {
    ($fma:literal Floats $name:ident $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[inline(always)]
        pub fn $name<T: super::Float>(x: T) -> T {
            super::Float::$name::<$fma>(x)
        }
    };
    ($fma:literal Angles $name:ident $(#[$doc:meta])*) => {
        $(#[$doc])*
        ///
        /// As far as `far` reaches.
        #[inline(always)]
        pub fn $name<T: super::Float, R: super::Reach>(x: T, far: &mut R) -> T {
            super::Float::$name::<$fma, R>(x, far)
        }
    };
    ($fma:literal $domain:ident $name:ident $(#[$doc:meta])*) => {};
}

/// The same of two; `pow` is of integers, too.
macro_rules! pair_function {
    ($fma:literal Floats $name:ident $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[inline(always)]
        pub fn $name<T: super::Pair>(x: T, y: T) -> T {
            super::Pair::$name::<$fma>(x, y)
        }
    };
    ($fma:literal $domain:ident $name:ident $(#[$doc:meta])*) => {};
}

macro_rules! functions {
    (
        $each:ident $fma:literal
        $($(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal $meaning:tt;)*
    ) => {
        $($each! { $fma $domain $name $(#[$doc])* })*
    };
}

macro_rules! facade {
    ($fma:literal) => {
        pub use super::lanes::*;

        castnet_program::with_unaries!(functions(function $fma));
        castnet_program::with_binaries!(functions(pair_function $fma));

        /// xʸ with the special cases of C; in f32 the relative error is below 2e-7. Of integers it wraps.
        #[inline(always)]
        pub fn pow<T: super::Power>(x: T, y: T) -> T {
            x.to_the::<$fma>(y)
        }
    };
}

/// With fused multiply-add: call only under a `target_feature` that has it.
pub mod fused {
    facade!(true);
}

/// Without fused multiply-add.
pub mod plain {
    facade!(false);
}
