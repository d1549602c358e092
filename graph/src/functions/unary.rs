//! Of functions of one scalar: the operators, the gradients, and what CUDA's prelude lacks.

use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound};
use crate::graph::Value;
use crate::ops::{OF_NUMBERS, Operator, float, number};
use crate::scalar::{Binary, Unary};

/// Of floats.
fn apply(b: &mut Builder, bound: &Bound, f: Unary) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    Ok(Arg::Tensor(b.unary(f, x)))
}

/// Of numbers of any type, floats or integers.
fn apply_any(b: &mut Builder, bound: &Bound, f: Unary) -> Checked<Arg> {
    let instead = if f == Unary::Neg { "write `!x` for the other truth value, or " } else { "" };
    let x = number(b, bound, 0, instead)?;
    Ok(Arg::Tensor(b.unary(f, x)))
}

macro_rules! operators {
    ($($f:ident $rule:ident $doc:literal;)*) => {
        /// One function of one tensor or number, by the function's own name.
        pub(crate) const OPERATORS: &[Operator] = &[$(Operator {
            name: Unary::$f.name(),
            doc: $doc,
            signature: OF_NUMBERS,
            build: |b, bound| $rule(b, bound, Unary::$f),
        }),*];
    };
}

operators! {
    Neg apply_any "`-x`.";
    Abs apply_any "The absolute value; its gradient at 0 is 0.";
    Sign apply_any "-1, 0 or 1.";
    Exp apply "eˣ.";
    Log apply "The natural logarithm.";
    Sqrt apply "√x.";
    Rsqrt apply "1 / √x.";
    Tanh apply "The hyperbolic tangent.";
    Sigmoid apply "1 / (1 + e⁻ˣ).";
    Erf apply "Gauss' error function.";
    Sin apply "The sine of an angle in radians.";
    Cos apply "The cosine of an angle in radians.";
    Floor apply "The largest integer that is not larger; no gradient flows.";
    Trunc apply "Rounded towards zero; no gradient flows.";
    Round apply "The nearest integer, of two the even one; no gradient flows.";
    Log1p apply "log(1 + x), exact near 0.";
    Expm1 apply "eˣ - 1, exact near 0.";
    Atan apply "The arc tangent, an angle in radians between -π/2 and π/2.";
}

/// The scalar function that an operator is, element by element.
pub(crate) fn of_operator(name: &str) -> Option<Unary> {
    Unary::from_name(name).filter(|_| OPERATORS.iter().any(|operator| operator.name == name))
}

/// The definitions in CUDA C, of f32 and f64, of what `emit/cuda/prelude.cu` does not define: those of the kernels, operation by operation.
pub(super) const IN_CUDA: &[&str] = &[r"
CN_FN double atan(double x) { return ::atan(x); }
CN_FN float atan(float x) {
    const float a = fabsf(x);
    const bool far = a > 2.4142137f, near = a <= 0.41421357f;
    const float r = near ? a : (far ? -1.0f : a - 1.0f) / (far ? a : a + 1.0f);
    const float start = near ? 0.0f : far ? 1.5707964f : 0.7853982f;
    const float z = r * r;
    float p = 8.053745e-2f;
    p = p * z - 1.3877686e-1f;
    p = p * z + 1.9977711e-1f;
    p = p * z - 3.333295e-1f;
    return copysignf(start + (p * z * r + r), x);
}"];

/// The gradient of `y = f(x)` for `x`, if `g` has arrived at `y`; by the result where that can be, so that only it must be kept. `None`: there
/// is none.
pub(crate) fn gradient(f: Unary, b: &mut Builder, x: Value, y: Value, g: Value) -> Option<Value> {
    use Binary::*;
    Some(match f {
        Unary::Neg => b.unary(Unary::Neg, g),
        Unary::Exp => b.pointwise(Mul, g, y),
        Unary::Log => b.pointwise(Div, g, x),
        Unary::Log1p => {
            let above = b.binary_const(Add, x, 1.0);
            b.pointwise(Div, g, above)
        }
        // By x, not by y + 1, in which small slopes drown.
        Unary::Expm1 => {
            let slope = b.unary(Unary::Exp, x);
            b.pointwise(Mul, g, slope)
        }
        Unary::Sqrt => {
            let half = b.binary_const(Mul, g, 0.5);
            b.pointwise(Div, half, y)
        }
        Unary::Rsqrt => {
            let square = b.pointwise(Mul, y, y);
            let cube = b.pointwise(Mul, square, y);
            let scaled = b.binary_const(Mul, cube, -0.5);
            b.pointwise(Mul, g, scaled)
        }
        Unary::Abs => {
            let sign = b.unary(Unary::Sign, x);
            b.pointwise(Mul, g, sign)
        }
        Unary::Tanh => {
            let square = b.pointwise(Mul, y, y);
            let one = b.full(1.0, y);
            let slope = b.pointwise(Sub, one, square);
            b.pointwise(Mul, g, slope)
        }
        Unary::Sigmoid => {
            let one = b.full(1.0, y);
            let rest = b.pointwise(Sub, one, y);
            let slope = b.pointwise(Mul, y, rest);
            b.pointwise(Mul, g, slope)
        }
        Unary::Erf => {
            let square = b.pointwise(Mul, x, x);
            let negative = b.unary(Unary::Neg, square);
            let exp = b.unary(Unary::Exp, negative);
            let slope = b.binary_const(Mul, exp, std::f64::consts::FRAC_2_SQRT_PI);
            b.pointwise(Mul, g, slope)
        }
        Unary::Sin => {
            let cos = b.unary(Unary::Cos, x);
            b.pointwise(Mul, g, cos)
        }
        Unary::Cos => {
            let sin = b.unary(Unary::Sin, x);
            let slope = b.unary(Unary::Neg, sin);
            b.pointwise(Mul, g, slope)
        }
        Unary::Atan => {
            let square = b.pointwise(Mul, x, x);
            let above = b.binary_const(Add, square, 1.0);
            b.pointwise(Div, g, above)
        }
        // Steps: flat wherever they have a derivative.
        Unary::Sign | Unary::Floor | Unary::Trunc | Unary::Round | Unary::Not => return None,
    })
}
