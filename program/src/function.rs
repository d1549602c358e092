//! Functions of one scalar and of two. The one table of each.
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
            /// Arc tangent.
            Atan atan Floats 12 "cn::atan" (f64::atan);
            /// Of a truth value the other one, of an integer every bit.
            Not not Bits 1 "cn::not" (|x| 1.0 - x, |x| !x);
        }
    };
}

/// Hands the table of functions of two scalars of one lane to a macro, behind what is given in brackets.
///
/// A row is one of [`with_unaries!`]. In CUDA C what is no name stands between the two.
#[macro_export]
macro_rules! with_binaries {
    ($each:ident $(($($given:tt)*))?) => {
        $each! {
            $($($given)*)?
            /// x + y.
            Add add Numbers 1 "+" (|x, y| x + y, i64::wrapping_add);
            /// x - y.
            Sub sub Numbers 1 "-" (|x, y| x - y, i64::wrapping_sub);
            /// x · y.
            Mul mul Numbers 1 "*" (|x, y| x * y, i64::wrapping_mul);
            /// x / y.
            Div div Floats 4 "/" (|x, y| x / y);
            /// The quotient, rounded down. By 0 it is 0: a check makes the call an error.
            FloorDivide floor_divide Integers 8 "cn::floor_divide" (|x, y| (x / y).floor(), $crate::whole::Whole::floor_divide);
            /// Python's and PyTorch's remainder: the sign of the divisor; of integers by 0 it is 0.
            Rem rem Numbers 8 "cn::rem" (remainder, $crate::whole::Whole::remainder);
            /// Of integers with a negative exponent: what the quotient 1 / xⁿ truncates to; of 0, 0.
            Pow pow Numbers 40 "cn::pow" (f64::powf, $crate::whole::Whole::power);
            /// NaN if either is NaN, as `torch.maximum`.
            Max max Numbers 1 "cn::max" (|x, y| if x.is_nan() || y.is_nan() { f64::NAN } else { x.max(y) }, Ord::max);
            /// NaN if either is NaN, as `torch.minimum`.
            Min min Numbers 1 "cn::min" (|x, y| if x.is_nan() || y.is_nan() { f64::NAN } else { x.min(y) }, Ord::min);
            /// x < y.
            Lt lt Comparisons 1 "<" (|x, y| truth(x < y), |x, y| i64::from(x < y));
            /// x ≤ y.
            Le le Comparisons 1 "<=" (|x, y| truth(x <= y), |x, y| i64::from(x <= y));
            /// x > y.
            Gt gt Comparisons 1 ">" (|x, y| truth(x > y), |x, y| i64::from(x > y));
            /// x ≥ y.
            Ge ge Comparisons 1 ">=" (|x, y| truth(x >= y), |x, y| i64::from(x >= y));
            /// x = y.
            Eq eq Comparisons 1 "==" (|x, y| truth(x == y), |x, y| i64::from(x == y));
            /// x ≠ y.
            Ne ne Comparisons 1 "!=" (|x, y| truth(x != y), |x, y| i64::from(x != y));
            /// Of truth values, or of every bit of integers; so are the next two.
            And and Bits 1 "&" (|x, y| truth(x != 0.0 && y != 0.0), |x, y| x & y);
            /// One of them at least.
            Or or Bits 1 "|" (|x, y| truth(x != 0.0 || y != 0.0), |x, y| x | y);
            /// One of them and not the other.
            Xor xor Bits 1 "^" (|x, y| truth((x != 0.0) != (y != 0.0)), |x, y| x ^ y);
            /// To the left by 0 and more; by more than the width, or less than 0, it is 0.
            ShiftLeft shift_left Integers 1 "cn::shift_left" (no_bits, $crate::whole::Whole::shift_left);
            /// Keeping the sign; by more than the width, or less than 0, only the sign is left.
            ShiftRight shift_right Integers 1 "cn::shift_right" (no_bits, $crate::whole::Whole::shift_right);
        }
    };
}

/// Of which lanes there is a function, whose result has that lane, too, unless it says otherwise. Integers wrap at the width of their lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Of all but truth values.
    Numbers,
    /// Of floats.
    Floats,
    /// Of floats that are turns round a circle: kernels ask how far (`castnet_kernels::math::Reach`).
    Angles,
    /// Of integers.
    Integers,
    /// Of integers and truth values.
    Bits,
    /// Of all; they give truth values.
    Comparisons,
}

impl Domain {
    /// Whether a lane belongs to it.
    pub const fn has(self, lane: Lane) -> bool {
        match self {
            Domain::Numbers => !matches!(lane, Lane::Bool),
            Domain::Floats | Domain::Angles => lane.is_float(),
            Domain::Integers => lane.is_int(),
            Domain::Bits => !lane.is_float(),
            Domain::Comparisons => true,
        }
    }
}

/// What the tables have in common: the type, its names, and a function that finds what a row says.
macro_rules! functions {
    (
        $Function:ident($($x:ident),+) $about:literal
        $($(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal ($real:expr $(, $whole:expr)?);)*
    ) => {
        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $Function {
            $($(#[$doc])* $f,)*
        }

        impl $Function {
            /// Every one.
            pub const ALL: &[$Function] = &[$($Function::$f),*];

            /// `floor_divide`: in Rust, of its kernel, and of the operator if it has one of its own.
            pub const fn name(self) -> &'static str {
                match self {
                    $($Function::$f => stringify!($name),)*
                }
            }

            /// The function of this name.
            pub fn from_name(name: &str) -> Option<$Function> {
                $Function::ALL.iter().copied().find(|f| f.name() == name)
            }

            /// Of which lanes there is one.
            pub const fn domain(self) -> Domain {
                match self {
                    $($Function::$f => Domain::$domain,)*
                }
            }

            /// Whether there is such a function of this lane.
            pub const fn takes(self, lane: Lane) -> bool {
                self.domain().has(lane)
            }

            /// What an element costs, roughly, in sixteenths of a nanosecond on vectors of 16 floats.
            pub const fn cost(self) -> i64 {
                match self {
                    $($Function::$f => $cost,)*
                }
            }

            /// Its name in CUDA C: `cn::tanh` is the prelude's, of every lane; what is C's own, of f64, has an `f` behind it of f32.
            pub const fn cuda(self) -> &'static str {
                match self {
                    $($Function::$f => $cuda,)*
                }
            }

            /// What it means of floats; a truth value is 0 or 1.
            pub fn of_f64(self, $($x: f64),+) -> f64 {
                let f: fn($(number!($x f64)),+) -> f64 = match self {
                    $($Function::$f => $real,)*
                };
                f($($x),+)
            }

            /// What it means of integers, if it has them.
            pub fn of_i64(self, $($x: i64),+) -> Option<i64> {
                let f: Option<fn($(number!($x i64)),+) -> i64> = match self {
                    $($Function::$f => None$(.or(Some($whole)))?,)*
                };
                f.map(|f| f($($x),+))
            }
        }
    };
}

/// A type for each operand.
macro_rules! number {
    ($x:ident $type:ty) => {
        $type
    };
}

/// With the sign of the divisor; exact, as the quotient is not rounded first.
fn remainder(x: f64, y: f64) -> f64 {
    let rest = x % y;
    if rest != 0.0 && (y < 0.0) != (rest < 0.0) { rest + y } else { rest }
}

fn truth(x: bool) -> f64 {
    f64::from(u8::from(x))
}

fn no_bits(_: f64, _: f64) -> f64 {
    unreachable!("floats have no bits")
}

with_unaries!(functions(Unary(x) "Functions of one scalar, of the operand's lane."));
with_binaries!(functions(Binary(x, y) "Functions of two scalars of one lane. The result has it, too, but of comparisons."));

pub use erf::erf;

impl Binary {
    /// Whether the result is a truth value.
    pub fn is_comparison(self) -> bool {
        self.domain() == Domain::Comparisons
    }
}
