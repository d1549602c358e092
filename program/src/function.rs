//! Functions of one scalar. The one table of them.
//!
//! What has to be known of one in every room stands in its row here; everybody expands the table, so that nothing else lists them. Beside
//! the row a function has its operator and its gradient in `graph/src/functions.rs`, and what computes it in `kernels/src/math/`.

use serde::{Deserialize, Serialize};

use crate::scalar::Lane;

mod erf;

/// Hands the table of functions to a macro, behind what is given in brackets.
///
/// A row: what it is; variant; name in text, in Rust and of its kernel; of which lanes there is one ([`Domain`]); what it costs
/// ([`Unary::cost`]); its name in CUDA C ([`Unary::cuda`]); and what it means: of a number in f64, behind that of an integer if it has one.
#[macro_export]
macro_rules! with_unaries {
    ($each:ident $(($($given:tt)*))?) => {
        $each! {
            $($($given)*)?
            /// The same number with the other sign.
            Neg neg Numbers 1 "cn::neg" (|x| -x, i64::wrapping_neg);
            /// eˣ.
            Exp exp Floats 12 "cn::exp" (f64::exp);
            /// The natural logarithm.
            Log log Floats 12 "cn::log" (f64::ln);
            /// Square root.
            Sqrt sqrt Floats 4 "sqrt" (f64::sqrt);
            /// 1 / √x.
            Rsqrt rsqrt Floats 4 "cn::rsqrt" (|x| 1.0 / x.sqrt());
            /// Absolute value.
            Abs abs Numbers 1 "fabs" (f64::abs, i64::wrapping_abs);
            /// -1, 0 or 1.
            Sign sign Numbers 1 "cn::sign" (|x| if x == 0.0 || x.is_nan() { x } else { x.signum() }, i64::signum);
            /// Hyperbolic tangent.
            Tanh tanh Floats 16 "cn::tanh" (f64::tanh);
            /// 1 / (1 + e⁻ˣ).
            Sigmoid sigmoid Floats 12 "cn::sigmoid" (|x| 1.0 / (1.0 + (-x).exp()));
            /// Gauss' error function.
            Erf erf Floats 16 "cn::erf" ($crate::function::erf);
            /// Sine.
            Sin sin Angles 16 "cn::sin" (f64::sin);
            /// Cosine.
            Cos cos Angles 16 "cn::cos" (f64::cos);
            /// Towards minus infinity.
            Floor floor Floats 1 "floor" (f64::floor, |x| x);
            /// Towards zero.
            Trunc trunc Floats 1 "trunc" (f64::trunc, |x| x);
            /// To the nearest integer, halves to the even one.
            Round round Floats 1 "rint" (f64::round_ties_even, |x| x);
            /// log(1 + x), exact near 0.
            Log1p log1p Floats 16 "cn::log1p" (f64::ln_1p);
            /// eˣ - 1, exact near 0.
            Expm1 expm1 Floats 12 "cn::expm1" (f64::exp_m1);
            /// Of a truth value the other one, of an integer every bit.
            Not not Bits 1 "cn::not" (|x| 1.0 - x, |x| !x);
        }
    };
}

/// Of which lanes there is a function. Integers wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Of all but truth values.
    Numbers,
    /// Of floats.
    Floats,
    /// Of floats that are turns round a circle: kernels ask how far (`castnet_kernels::math::Reach`).
    Angles,
    /// Of integers and truth values.
    Bits,
}

impl Domain {
    /// Whether a lane belongs to it.
    pub fn has(self, lane: Lane) -> bool {
        match self {
            Domain::Numbers => lane != Lane::Bool,
            Domain::Floats | Domain::Angles => lane.is_float(),
            Domain::Bits => !lane.is_float(),
        }
    }
}

macro_rules! unaries {
    ($(
        $(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal ($real:expr $(, $whole:expr)?);
    )*) => {
        /// Functions of one scalar, of the operand's lane.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Unary {
            $($(#[$doc])* $f,)*
        }

        impl Unary {
            /// Every one.
            pub const ALL: &[Unary] = &[$(Unary::$f),*];

            /// `tanh`: in text, in Rust, and of the operator if there is one.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Unary::$f => stringify!($name),)*
                }
            }

            /// Of which lanes there is one.
            pub const fn domain(self) -> Domain {
                match self {
                    $(Unary::$f => Domain::$domain,)*
                }
            }

            /// What an element costs, roughly, in sixteenths of a nanosecond on vectors of 16 floats.
            pub const fn cost(self) -> i64 {
                match self {
                    $(Unary::$f => $cost,)*
                }
            }

            /// Its name in CUDA C: `cn::tanh` is the prelude's, of every lane; what is C's own, of f64, has an `f` behind it of f32.
            pub const fn cuda(self) -> &'static str {
                match self {
                    $(Unary::$f => $cuda,)*
                }
            }

            /// What it means of a float; a truth value is 0 or 1.
            pub fn of_f64(self, x: f64) -> f64 {
                let f: fn(f64) -> f64 = match self {
                    $(Unary::$f => $real,)*
                };
                f(x)
            }

            /// What it means of an integer, if it has one.
            pub fn of_i64(self, x: i64) -> Option<i64> {
                let f: Option<fn(i64) -> i64> = match self {
                    $(Unary::$f => None$(.or(Some($whole)))?,)*
                };
                f.map(|f| f(x))
            }
        }
    };
}
with_unaries!(unaries);

pub use erf::erf;

impl Unary {
    /// The function of this name.
    pub fn from_name(name: &str) -> Option<Unary> {
        Unary::ALL.iter().copied().find(|f| f.name() == name)
    }

    /// Whether there is such a function of this lane.
    pub fn takes(self, lane: Lane) -> bool {
        self.domain().has(lane)
    }
}
