//! Of functions of two scalars: the operators, the gradients, and what CUDA's prelude lacks.

use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::ops::{OPERANDS, Operator, detach, operands, power};
use crate::scalar::{Binary, Domain, Unary};
use crate::types::DType;

fn binary(b: &mut Builder, bound: &Bound, f: Binary) -> Checked<Arg> {
    let (mut x, mut y) = operands(b, bound)?;
    let arithmetic = !f.is_comparison() && !matches!(f, Binary::And | Binary::Or);
    for v in [x, y] {
        let bool_like = b.graph.dtype(v) == DType::Bool;
        if arithmetic == bool_like && !f.is_comparison() {
            let (ty, made, at) = (b.ty(v).clone(), b.made_by(v), b.made_at(v));
            let wanted = if arithmetic { "numbers" } else { "bool operands" };
            let help = match arithmetic {
                true => format!("convert it: `.cast({})`", b.float()),
                false => "compare first, such as `x > 0.0`".to_string(),
            };
            let d = Diagnostic::new("N0203", bound.at, format!("`{}` needs {wanted}, found {ty}", bound.callee))
                .note(at, format!("`{made}` is {}", ty.dtype))
                .help(help);
            return b.report(d);
        }
    }
    for v in [x, y] {
        let dtype = b.graph.dtype(v);
        if f.domain() == Domain::Floats && dtype.is_int() {
            let message = format!("`{}` of integers, {dtype}, has no result of that type", bound.callee);
            let d = Diagnostic::new("N0207", bound.at, message)
                .note(b.made_at(v), format!("`{}` is {dtype}", b.made_by(v)))
                .help(match f {
                    Binary::Div => format!("convert first: `.cast({})`, or round down: `.floor_divide(…)`", b.float()),
                    _ => format!("convert first: `.cast({})`", b.float()),
                });
            return b.report(d);
        }
    }
    if matches!(f, Binary::Max | Binary::Min) {
        // Ties are shared with a number, too; relu's are not, whose gradient knows it by its constant.
        for v in [&mut x, &mut y] {
            if b.graph.dtype(*v).is_float() && b.graph.as_const(*v).is_some() {
                *v = detach(b, *v);
            }
        }
    }
    let result = b.binary(f, x, y)?;
    if f == Binary::Rem && b.graph.dtype(y).is_int() {
        b.divides(y, bound.at)?;
    }
    Ok(Arg::Tensor(result))
}

macro_rules! operators {
    ($($name:literal $f:ident $doc:literal;)*) => {
        /// One function of two tensors, with broadcasting.
        pub(crate) const OPERATORS: &[Operator] = &[$(Operator {
            name: $name,
            doc: $doc,
            signature: OPERANDS,
            build: |b, bound| binary(b, bound, Binary::$f),
        }),*];
    };
}

operators! {
    "add" Add "`x + y`.";
    "sub" Sub "`x - y`.";
    "mul" Mul "`x * y`.";
    "div" Div "`x / y`.";
    "remainder" Rem "`x % y` with the sign of the divisor.";
    "maximum" Max "The larger of two; ties share the gradient.";
    "minimum" Min "The smaller of two; ties share the gradient.";
    "lt" Lt "`x < y`.";
    "le" Le "`x <= y`.";
    "gt" Gt "`x > y`.";
    "ge" Ge "`x >= y`.";
    "eq" Eq "`x == y`.";
    "ne" Ne "`x != y`.";
    "logical_and" And "`x & y`.";
    "logical_or" Or "`x | y`.";
}

/// As for functions of one scalar.
pub(super) const IN_CUDA: &[&str] = &[];

/// The gradient of `z = f(x, y)` for `x`, if `g` has arrived at `z`. `None`: there is none.
pub(crate) fn gradient_of_first(f: Binary, b: &mut Builder, [x, y]: [Value; 2], z: Value, g: Value) -> Option<Value> {
    use Binary::*;
    Some(match f {
        Add | Sub | Rem => g,
        Mul => b.pointwise(Mul, g, y),
        Div => b.pointwise(Div, g, y),
        Pow => {
            // 0 where the exponent is 0, also at x = 0.
            let (slope, zero_exponent) = match b.graph.as_const(y) {
                Some(0.0) => return None,
                Some(c) => {
                    let power = power(b, x, c - 1.0);
                    (b.binary_const(Mul, power, c), None)
                }
                None => {
                    let lower = b.binary_const(Sub, y, 1.0);
                    let power = b.pointwise(Pow, x, lower);
                    (b.pointwise(Mul, y, power), Some(b.binary_const(Eq, y, 0.0)))
                }
            };
            let d = b.pointwise(Mul, g, slope);
            match zero_exponent {
                None => d,
                Some(is_zero) => {
                    let zero = b.full(0.0, d);
                    choose(b, [is_zero, zero, d])
                }
            }
        }
        Max | Min => extreme(b, f, [x, y], z, g),
        // Of integers and truth values, or steps.
        FloorDivide | Lt | Le | Gt | Ge | Eq | Ne | And | Or | Xor | ShiftLeft | ShiftRight => return None,
    })
}

/// The same for `y`.
pub(crate) fn gradient_of_second(f: Binary, b: &mut Builder, [x, y]: [Value; 2], z: Value, g: Value) -> Option<Value> {
    use Binary::*;
    Some(match f {
        Add => g,
        Sub => b.unary(Unary::Neg, g),
        Mul => b.pointwise(Mul, g, x),
        Div => {
            let part = b.pointwise(Mul, g, z);
            let part = b.pointwise(Div, part, y);
            b.unary(Unary::Neg, part)
        }
        Rem => {
            // ⌊x / y⌋ by the remainder, as x / y may be rounded to the next whole number; -1 where all of y remains.
            let taken = b.pointwise(Sub, x, z);
            let ratio = b.pointwise(Div, taken, y);
            let above = b.binary_const(Add, ratio, 0.5);
            let whole = b.unary(Unary::Floor, above);
            let (all, minus) = (b.pointwise(Eq, z, y), b.full(-1.0, y));
            let turns = choose(b, [all, minus, whole]);
            let (none, infinite) = (b.binary_const(Eq, y, 0.0), b.pointwise(Div, x, y));
            let turns = choose(b, [none, infinite, turns]);
            let part = b.pointwise(Mul, g, turns);
            b.unary(Unary::Neg, part)
        }
        Pow => {
            // x^y · log x, and 0 where x is 0 and y ≥ 0, where the power is flat in y.
            let log = b.unary(Unary::Log, x);
            let slope = b.pointwise(Mul, z, log);
            let d = b.pointwise(Mul, g, slope);
            let (base, exponent) = (b.binary_const(Eq, x, 0.0), b.binary_const(Ge, y, 0.0));
            let (flat, zero) = (b.pointwise(And, base, exponent), b.full(0.0, d));
            choose(b, [flat, zero, d])
        }
        Max | Min => extreme(b, f, [y, x], z, g),
        // Of integers and truth values, or steps.
        FloorDivide | Lt | Le | Gt | Ge | Eq | Ne | And | Or | Xor | ShiftLeft | ShiftRight => return None,
    })
}

/// `condition ? x : y` of what has one type.
fn choose(b: &mut Builder, [condition, x, y]: [Value; 3]) -> Value {
    let ty = b.ty(x).clone();
    b.push(Op::Select, vec![condition, x, y], ty)
}

/// The gradient of `z = max(x, other)` for `x`: against a constant by the result alone (0 at the tie, as relu in PyTorch); of two
/// tensors, ties share (as torch.maximum). It flows through what is NaN.
fn extreme(b: &mut Builder, f: Binary, [x, other]: [Value; 2], z: Value, g: Value) -> Value {
    let zero = b.full(0.0, g);
    if b.graph.as_const(other).is_some() {
        let held = b.pointwise(if f == Binary::Max { Binary::Le } else { Binary::Ge }, z, other);
        return choose(b, [held, zero, g]);
    }
    let half = b.binary_const(Binary::Mul, g, 0.5);
    let lost = b.pointwise(if f == Binary::Max { Binary::Lt } else { Binary::Gt }, x, other);
    let tie = b.pointwise(Binary::Eq, x, other);
    let rest = choose(b, [tie, half, g]);
    choose(b, [lost, zero, rest])
}
