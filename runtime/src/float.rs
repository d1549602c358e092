//! The float type of a net: what its parameters, gradients and optimizer states are stored as.

use castnet_kernels::isa::Isa;
use castnet_kernels::math::Scalar;
use castnet_kernels::update::{Real, sum_of_squares};
use castnet_program::types::DType;
use half::{bf16, f16};

use crate::array::Element;

/// A float type known only when the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatType {
    F32,
    F64,
    F16,
    BF16,
}

impl FloatType {
    /// `None`: it is no float type.
    pub(crate) fn of(dtype: DType) -> Option<FloatType> {
        match dtype {
            DType::F32 => Some(FloatType::F32),
            DType::F64 => Some(FloatType::F64),
            DType::F16 => Some(FloatType::F16),
            DType::BF16 => Some(FloatType::BF16),
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => None,
        }
    }

    pub(crate) fn dtype(self) -> DType {
        with_float!(self, T => T::DTYPE)
    }

    /// Bytes of an element.
    pub(crate) fn bytes(self) -> usize {
        self.dtype().bytes()
    }
}

/// `with_float!(float, T => body)`: the body, in which `T` is the Rust type of a [`FloatType`].
macro_rules! with_float {
    ($of:expr, $T:ident => $body:expr) => {
        match $of {
            $crate::float::FloatType::F32 => {
                type $T = f32;
                $body
            }
            $crate::float::FloatType::F64 => {
                type $T = f64;
                $body
            }
            $crate::float::FloatType::F16 => {
                type $T = ::half::f16;
                $body
            }
            $crate::float::FloatType::BF16 => {
                type $T = ::half::bf16;
                $body
            }
        }
    };
}
pub(crate) use with_float;

/// A float type, and how its numbers are computed with: halves in f32, rounded once.
pub(crate) trait Float: Element + Default {
    /// What is computed in.
    type Wide: Real + Scalar;
    fn wide(self) -> Self::Wide;
    /// The nearest number.
    fn rounded(x: Self::Wide) -> Self;
    /// Of a number that f32 holds.
    fn of_f32(x: f32) -> Self;
    /// The nearest number.
    fn of_f64(x: f64) -> Self;
    /// Σ x², in double precision and in an order that depends on the length only.
    fn sum_of_squares(isa: Isa, x: &[Self]) -> f64;

    fn f64(self) -> f64 {
        Scalar::f64(self.wide())
    }
}

impl Float for f32 {
    type Wide = f32;

    fn wide(self) -> f32 {
        self
    }

    fn rounded(x: f32) -> f32 {
        x
    }

    fn of_f32(x: f32) -> f32 {
        x
    }

    fn of_f64(x: f64) -> f32 {
        x as f32
    }

    fn sum_of_squares(isa: Isa, x: &[f32]) -> f64 {
        sum_of_squares(isa, x)
    }
}

impl Float for f64 {
    type Wide = f64;

    fn wide(self) -> f64 {
        self
    }

    fn rounded(x: f64) -> f64 {
        x
    }

    fn of_f32(x: f32) -> f64 {
        x.into()
    }

    fn of_f64(x: f64) -> f64 {
        x
    }

    fn sum_of_squares(isa: Isa, x: &[f64]) -> f64 {
        sum_of_squares(isa, x)
    }
}

/// Halves that are widened at once.
pub(crate) const BLOCK: usize = 256;

macro_rules! halves {
    ($($type:ty)*) => {$(
        impl Float for $type {
            type Wide = f32;

            fn wide(self) -> f32 {
                self.to_f32()
            }

            fn rounded(x: f32) -> $type {
                <$type>::from_f32(x)
            }

            fn of_f32(x: f32) -> $type {
                <$type>::from_f32(x)
            }

            fn of_f64(x: f64) -> $type {
                <$type>::from_f64(x)
            }

            fn sum_of_squares(isa: Isa, x: &[$type]) -> f64 {
                let mut wide = [0.0; BLOCK];
                x.chunks(BLOCK).map(|x| sum_of_squares(isa, widen(x, &mut wide))).sum()
            }
        }
    )*};
}
halves! { f16 bf16 }

/// As f32, in the front of `wide`.
pub(crate) fn widen<'a, T: Float<Wide = f32>>(x: &[T], wide: &'a mut [f32; BLOCK]) -> &'a mut [f32] {
    let wide = &mut wide[..x.len()];
    wide.iter_mut().zip(x).for_each(|(wide, x)| *wide = x.wide());
    wide
}

pub(crate) fn round<T: Float<Wide = f32>>(wide: &[f32], to: &mut [T]) {
    to.iter_mut().zip(wide).for_each(|(to, x)| *to = T::rounded(*x));
}

/// The nearest number from `-bound` to `bound`; NaN of NaN.
pub(crate) fn clamped<T: Float>(x: T, bound: T::Wide) -> T {
    T::rounded(Real::max(Real::min(x.wide(), bound), -bound))
}

/// x ← factor · x.
pub(crate) fn scale<T: Float>(x: &mut [T], factor: T::Wide) {
    x.iter_mut().for_each(|x| *x = T::rounded(factor * x.wide()));
}

/// x ← x + y.
pub(crate) fn add<T: Float>(x: &mut [T], y: &[T]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x = T::rounded(x.wide() + y.wide()));
}

/// x ← x + factor · y.
pub(crate) fn add_scaled<T: Float>(x: &mut [T], y: &[T], factor: f64) {
    if factor == 1.0 {
        return add(x, y);
    }
    let factor = T::Wide::of(factor);
    x.iter_mut().zip(y).for_each(|(x, y)| *x = T::rounded(x.wide() + factor * y.wide()));
}

/// x ← x + weight · (y - x).
pub(crate) fn lerp<T: Float>(x: &mut [T], y: &[T], weight: T::Wide) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x = T::rounded(x.wide() + weight * (y.wide() - x.wide())));
}

#[cfg(test)]
mod tests {
    use super::*;
    /// Sums, products and mixtures of halves are those of f32, rounded once; longer than a block.
    #[test]
    fn halves_are_rounded_once() {
        fn check<T: Float<Wide = f32> + PartialEq>(dtype: DType) {
            let number = |i: usize, by: f32| T::of_f32((i as f32 * by).sin());
            let x: Vec<T> = (0..2 * BLOCK + 3).map(|i| number(i, 0.7)).collect();
            let y: Vec<T> = (0..x.len()).map(|i| number(i, 0.3)).collect();
            let each = |f: &dyn Fn(f32, f32) -> f32| -> Vec<T> {
                x.iter().zip(&y).map(|(x, y)| T::of_f32(f(x.wide(), y.wide()))).collect()
            };
            let mut found = x.clone();
            add(&mut found, &y);
            assert_eq!(found, each(&|x, y| x + y), "{dtype}");
            found.clone_from(&x);
            scale(&mut found, 0.3);
            assert_eq!(found, each(&|x, _| 0.3 * x), "{dtype}");
            found.clone_from(&x);
            lerp(&mut found, &y, 0.25);
            assert_eq!(found, each(&|x, y| x + 0.25 * (y - x)), "{dtype}");
            let squares: f64 = x.iter().map(|x| x.f64() * x.f64()).sum();
            assert!((T::sum_of_squares(Isa::detect(), &x) - squares).abs() < 1e-12 * squares);
        }
        check::<f16>(DType::F16);
        check::<bf16>(DType::BF16);
    }

    #[test]
    fn every_float_type_is_one() {
        for dtype in DType::ALL {
            assert_eq!(FloatType::of(dtype).is_some(), dtype.is_float(), "{dtype}");
            assert!(FloatType::of(dtype).is_none_or(|float| float.dtype() == dtype));
        }
    }
}
