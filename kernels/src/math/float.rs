//! Functions of floats, as the table of scalar functions has them: of f32 those of this crate, of f64 those of the platform's
//! library, but for the error function.

use castnet_program::whole::Whole;

use super::lanes::Number;
use super::trigonometric::Reach;
use super::{double, exponential, single};

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

/// A method of the trait, or of a float.
macro_rules! method {
    (declared Floats $name:ident $(#[$doc:meta])*) => {
        $(#[$doc])*
        fn $name<const FMA: bool>(self) -> Self;
    };
    (declared Angles $name:ident $(#[$doc:meta])*) => {
        $(#[$doc])*
        fn $name<const FMA: bool, R: Reach>(self, far: &mut R) -> Self;
    };
    // Those of all numbers and of bits are in `lanes`.
    (declared $domain:ident $($rest:tt)*) => {};
    (f32 Floats $name:ident) => {
        #[inline(always)]
        fn $name<const FMA: bool>(self) -> f32 {
            single::$name::<FMA>(self)
        }
    };
    (f32 Angles $name:ident) => {
        #[inline(always)]
        fn $name<const FMA: bool, R: Reach>(self, far: &mut R) -> f32 {
            single::$name::<FMA, R>(self, far)
        }
    };
    (f64 Floats $name:ident) => {
        #[inline(always)]
        fn $name<const FMA: bool>(self) -> f64 {
            double::$name(self)
        }
    };
    (f64 Angles $name:ident) => {
        #[inline(always)]
        fn $name<const FMA: bool, R: Reach>(self, _: &mut R) -> f64 {
            double::$name(self)
        }
    };
    ($float:ident $domain:ident $name:ident) => {};
}

macro_rules! float {
    ($($(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal $meaning:tt;)*) => {
        /// Floats.
        pub trait Float: Power {
            $(method! { declared $domain $name $(#[$doc])* })*
        }

        impl Float for f32 {
            $(method! { f32 $domain $name })*
        }

        impl Float for f64 {
            $(method! { f64 $domain $name })*
        }
    };
}
castnet_program::with_unaries!(float);

/// The same of two.
macro_rules! pair_method {
    (declared Floats $name:ident $(#[$doc:meta])*) => {
        $(#[$doc])*
        fn $name<const FMA: bool>(self, other: Self) -> Self;
    };
    (declared $domain:ident $($rest:tt)*) => {};
    (f32 Floats $name:ident) => {
        #[inline(always)]
        fn $name<const FMA: bool>(self, other: f32) -> f32 {
            single::$name::<FMA>(self, other)
        }
    };
    (f64 Floats $name:ident) => {
        #[inline(always)]
        fn $name<const FMA: bool>(self, other: f64) -> f64 {
            double::$name(self, other)
        }
    };
    ($float:ident $domain:ident $name:ident) => {};
}

macro_rules! pair {
    ($($(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal $meaning:tt;)*) => {
        /// Floats, two at a time.
        pub trait Pair: Float {
            $(pair_method! { declared $domain $name $(#[$doc])* })*
        }

        impl Pair for f32 {
            $(pair_method! { f32 $domain $name })*
        }

        impl Pair for f64 {
            $(pair_method! { f64 $domain $name })*
        }
    };
}
castnet_program::with_binaries!(pair);
