//! Pointwise operators: arithmetic, comparisons, selection, and the functions of one tensor.

use super::Operator;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, optional, required};
use crate::diagnostic::Diagnostic;
use crate::graph::{Op, Value};
use crate::number::{Number, an};
use crate::scalar::{Binary, Unary};
use crate::size::Size;
use crate::types::DType;

const X: Param = required("input", Kind::Tensor);
/// Of a number as of a tensor.
const NUMBER: Param = required("input", Kind::Operand);
const UNARY: &[Param] = &[X];
pub(crate) const OF_NUMBERS: &[Param] = &[NUMBER];
/// Two tensors, or a tensor and a number.
pub(crate) const OPERANDS: &[Param] = &[required("input", Kind::Operand), required("other", Kind::Operand)];

/// The operand, which must be of a floating-point type.
pub(crate) fn float(b: &mut Builder, bound: &Bound, slot: usize) -> Checked<Value> {
    let x = bound.tensor(b, slot, None);
    let ty = b.ty(x).clone();
    if ty.dtype.is_float() {
        return Ok(x);
    }
    let made = b.made_by(x);
    let d = Diagnostic::new(
        "N0202",
        bound.at(slot),
        format!("`{}` needs floating-point elements, found {ty}", bound.callee),
    )
    .note(b.made_at(x), format!("`{made}` is {}", ty.dtype))
    .help(format!("convert it first: `.cast({})`", b.float()));
    b.report(d)
}

/// The operand, which must be of numbers, floats or integers; `instead` is what else a bool may be meant for.
pub(crate) fn number(b: &mut Builder, bound: &Bound, slot: usize, instead: &str) -> Checked<Value> {
    let x = bound.tensor(b, slot, None);
    let ty = b.ty(x).clone();
    if ty.dtype != DType::Bool {
        return Ok(x);
    }
    let d = Diagnostic::new("N0203", bound.at(slot), format!("`{}` needs numbers, found {ty}", bound.callee))
        .note(b.made_at(x), format!("`{}` is {}", b.made_by(x), ty.dtype))
        .help(format!("{instead}convert it: `.cast({})`", b.float()));
    b.report(d)
}

/// Both operands; a number takes the other one's element type, which must have it.
pub(crate) fn operands(b: &mut Builder, bound: &Bound) -> Checked<(Value, Value)> {
    Ok(match (bound.arg(0), bound.arg(1)) {
        (Some(Arg::Tensor(x)), _) => {
            let x = *x;
            (x, operand(b, bound, 1, x)?)
        }
        (_, Some(Arg::Tensor(y))) => {
            let y = *y;
            (operand(b, bound, 0, y)?, y)
        }
        _ => (bound.tensor(b, 0, None), bound.tensor(b, 1, None)),
    })
}

/// An operand in the element type of another one.
fn operand(b: &mut Builder, bound: &Bound, slot: usize, like: Value) -> Checked<Value> {
    fits(b, bound, slot, like)?;
    Ok(bound.tensor(b, slot, Some(like)))
}

/// A number must be one of the type of the tensor beside it.
pub(super) fn fits(b: &mut Builder, bound: &Bound, slot: usize, like: Value) -> Checked<()> {
    let dtype = b.graph.dtype(like);
    let Some(number) = bound.number(slot).filter(|number| !number.fits(dtype) && dtype != DType::Bool) else {
        return Ok(());
    };
    let made = b.made_by(like);
    let wide = match dtype {
        _ if number.f64().fract() != 0.0 && dtype.is_int() => "f32",
        _ if dtype.is_int() && number.fits(DType::I64) => "i64",
        _ if dtype.is_half() && number.fits(DType::F32) => "f32",
        _ => "f64",
    };
    let d = Diagnostic::new("N0207", bound.at(slot), format!("{number} is not {}", an(dtype)))
        .note(b.made_at(like), format!("`{made}` is {dtype}, and a number takes the type of the tensor beside it"))
        .help(format!("convert the tensor first: `.cast({wide})`"));
    b.report(d)
}

/// The rest of the pointwise operators.
pub(super) const OTHERS: &[Operator] = &[
    Operator {
        name: "ceil",
        doc: "The smallest integer that is not smaller; no gradient flows.",
        signature: OF_NUMBERS,
        build: ceil,
    },
    Operator { name: "isnan", doc: "Whether an element is no number, as bool.", signature: UNARY, build: isnan },
    Operator {
        name: "detach",
        doc: "The input as a constant: no gradient flows through it, in gradients of gradients neither.",
        signature: UNARY,
        build: |b, bound| {
            let x = bound.tensor(b, 0, None);
            Ok(Arg::Tensor(detach(b, x)))
        },
    },
    Operator { name: "logical_not", doc: "`!x`.", signature: UNARY, build: not },
    Operator { name: "relu", doc: "max(x, 0); its gradient at 0 is 0.", signature: UNARY, build: relu },
    Operator {
        name: "leaky_relu",
        doc: "x where x > 0, else negative_slope · x.",
        signature: &[X, optional("negative_slope", Kind::Float, "0.01")],
        build: leaky_relu,
    },
    Operator {
        name: "gelu",
        doc: "x · Φ(x), by the error function, or `approximate = \"tanh\"`.",
        signature: &[X, optional("approximate", Kind::Text, "\"none\"")],
        build: gelu,
    },
    Operator { name: "silu", doc: "x · sigmoid(x).", signature: UNARY, build: silu },
    Operator { name: "square", doc: "x · x.", signature: OF_NUMBERS, build: square },
    Operator { name: "reciprocal", doc: "1 / x.", signature: OF_NUMBERS, build: reciprocal },
    Operator {
        name: "pow",
        doc: "x to the power of a number or of a tensor.",
        signature: &[NUMBER, required("exponent", Kind::Operand)],
        build: pow,
    },
    Operator {
        name: "clamp",
        doc: "Between `min` and `max`, of which one may be left out; no gradient flows where it was held.",
        signature: &[X, optional("min", Kind::Element, "None"), optional("max", Kind::Element, "None")],
        build: clamp,
    },
    Operator {
        name: "where_",
        doc: "`input` where the condition holds, else `other`.",
        signature: &[
            required("condition", Kind::Tensor),
            required("input", Kind::Operand),
            required("other", Kind::Operand),
        ],
        build: where_,
    },
    Operator {
        name: "cast",
        doc: "To another element type; floats to integers are cut towards zero.",
        signature: &[X, required("dtype", Kind::DType)],
        build: cast,
    },
    Operator {
        name: "dropout",
        doc: "In training: 0 with probability p, else x / (1 - p). Counter-based: the same seed drops the same elements.",
        signature: &[X, optional("p", Kind::Float, "0.5")],
        build: dropout,
    },
];

fn not(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    if b.graph.dtype(x) != DType::Bool {
        let ty = b.ty(x).clone();
        return bound.wrong(
            b,
            "N0203",
            0,
            format!("`!` needs a bool operand, found {ty}"),
            "compare first, such as `x > 0.0`",
        );
    }
    Ok(Arg::Tensor(b.unary(Unary::Not, x)))
}

fn ceil(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let floor = [Unary::Neg, Unary::Floor].into_iter().fold(x, |x, f| b.unary(f, x));
    Ok(Arg::Tensor(b.unary(Unary::Neg, floor)))
}

/// NaN alone differs from itself.
fn isnan(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    b.binary(Binary::Ne, x, x).map(Arg::Tensor)
}

/// A value as a constant.
pub(crate) fn detach(b: &mut Builder, x: Value) -> Value {
    let ty = b.ty(x).clone();
    b.push(Op::Detach, vec![x], ty)
}

fn relu(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    Ok(Arg::Tensor(b.binary_const(Binary::Max, x, 0.0)))
}

fn leaky_relu(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let slope = bound.float(1).unwrap_or(0.01);
    let scaled = b.binary_const(Binary::Mul, x, slope);
    let positive = b.binary_const(Binary::Gt, x, 0.0);
    b.select(positive, x, scaled).map(Arg::Tensor)
}

fn gelu(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    match bound.text(1).unwrap_or("none") {
        "none" => {}
        "tanh" => return gelu_tanh(b, x).map(Arg::Tensor),
        other => {
            let message = format!("`gelu` has no approximation {other:?}");
            return bound.wrong(b, "N0306", 1, message, "write `approximate = \"tanh\"`, or leave it out");
        }
    }
    let scaled = b.binary_const(Binary::Mul, x, std::f64::consts::FRAC_1_SQRT_2);
    let erf = b.unary(Unary::Erf, scaled);
    let twice_phi = b.binary_const(Binary::Add, erf, 1.0);
    let half = b.binary_const(Binary::Mul, x, 0.5);
    b.binary(Binary::Mul, half, twice_phi).map(Arg::Tensor)
}

/// ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))): Hendrycks & Gimpel, *Gaussian Error Linear Units*, 2016.
fn gelu_tanh(b: &mut Builder, x: Value) -> Checked<Value> {
    let square = b.binary(Binary::Mul, x, x)?;
    let bent = b.binary_const(Binary::Mul, square, 0.044715);
    let factor = b.binary_const(Binary::Add, bent, 1.0);
    let inner = b.binary(Binary::Mul, x, factor)?;
    let scaled = b.binary_const(Binary::Mul, inner, (2.0 / std::f64::consts::PI).sqrt());
    let tanh = b.unary(Unary::Tanh, scaled);
    let twice_phi = b.binary_const(Binary::Add, tanh, 1.0);
    let half = b.binary_const(Binary::Mul, x, 0.5);
    b.binary(Binary::Mul, half, twice_phi)
}

fn silu(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let sigmoid = b.unary(Unary::Sigmoid, x);
    let y = b.binary(Binary::Mul, x, sigmoid)?;
    // σ + y · (1 - σ): of the factors of a large y one is exactly 0.
    let one = b.full(1.0, x);
    let rest = b.binary(Binary::Sub, one, sigmoid)?;
    let along = b.binary(Binary::Mul, y, rest)?;
    let slope = b.binary(Binary::Add, sigmoid, along)?;
    Ok(Arg::Tensor(b.with_slopes(y, &[(x, slope)])))
}

fn square(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = number(b, bound, 0, "")?;
    b.binary(Binary::Mul, x, x).map(Arg::Tensor)
}

fn reciprocal(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let one = b.constant(1.0, b.graph.dtype(x));
    b.binary(Binary::Div, one, x).map(Arg::Tensor)
}

fn pow(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let dtype = b.graph.dtype(x);
    if dtype.is_int() {
        if let Some(c) = bound.number(1).filter(|c| c.f64() < 0.0) {
            let message = format!("`pow` of {dtype} to {c}, which makes fractions");
            let help = format!("convert the tensor first: `.cast({})`", b.float());
            return bound.wrong(b, "N0207", 1, message, &help);
        }
        let y = operand(b, bound, 1, x)?;
        return b.binary(Binary::Pow, x, y).map(Arg::Tensor);
    }
    let x = float(b, bound, 0)?;
    fits(b, bound, 1, x)?;
    Ok(Arg::Tensor(match bound.float(1) {
        Some(c) => power(b, x, c),
        None => {
            let y = bound.tensor(b, 1, Some(x));
            b.binary(Binary::Pow, x, y)?
        }
    }))
}

/// `x` to the power of a number, by a shorter function where there is one, as in PyTorch: so √-∞ is NaN.
pub(crate) fn power(b: &mut Builder, x: Value, c: f64) -> Value {
    match c {
        1.0 => x,
        2.0 => b.pointwise(Binary::Mul, x, x),
        0.5 => b.unary(Unary::Sqrt, x),
        -0.5 => {
            // The gradient is a power again, which is 0 at -∞, where the root is NaN.
            let root = b.unary(Unary::Rsqrt, x);
            let size = b.unary(Unary::Abs, root);
            let square = b.pointwise(Binary::Mul, root, root);
            let cube = b.pointwise(Binary::Mul, square, size);
            let slope = b.binary_const(Binary::Mul, cube, -0.5);
            let (end, zero) = (b.binary_const(Binary::Eq, x, f64::NEG_INFINITY), b.full(0.0, x));
            let ty = b.ty(x).clone();
            let slope = b.push(Op::Select, vec![end, zero, slope], ty);
            b.with_slopes(root, &[(x, slope)])
        }
        c => b.binary_const(Binary::Pow, x, c),
    }
}

fn clamp(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let mut x = bound.tensor(b, 0, None);
    let (min, max) = (bound.float(1), bound.float(2));
    let dtype = b.graph.dtype(x);
    if dtype == DType::Bool {
        float(b, bound, 0)?;
    }
    match (min, max) {
        (None, None) => {
            return bound.wrong(b, "N0306", 0, "`clamp` needs `min`, `max` or both", "write `clamp(0.0, 1.0)`");
        }
        (Some(lo), Some(hi)) if lo > hi => {
            return bound.wrong(
                b,
                "N0306",
                1,
                format!("`clamp` from {lo} to {hi} holds nothing"),
                "give the smaller one first",
            );
        }
        _ => {}
    }
    let given = x;
    let mut inside = None;
    let mut hold = |b: &mut Builder, f: Binary, c: Option<Number>| {
        if let Some(c) = c {
            x = b.binary_const(f, x, c);
            let strictly = b.binary_const(if f == Binary::Max { Binary::Gt } else { Binary::Lt }, x, c);
            inside = Some(inside.map_or(strictly, |also| b.pointwise(Binary::And, also, strictly)));
        }
    };
    // As they are written: of i64 not every number is one of f64.
    hold(b, Binary::Max, bound.number(1));
    hold(b, Binary::Min, bound.number(2));
    // No gradient flows through NaN, as in PyTorch: it is not inside.
    Ok(Arg::Tensor(match inside {
        Some(inside) if dtype.is_float() => {
            let slope = b.cast(inside, dtype);
            b.with_slopes(x, &[(given, slope)])
        }
        _ => x,
    }))
}

fn where_(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let condition = bound.tensor(b, 0, None);
    let (x, y) = match (bound.arg(1), bound.arg(2)) {
        (Some(Arg::Tensor(x)), _) => {
            let x = *x;
            (x, operand(b, bound, 2, x)?)
        }
        (_, Some(Arg::Tensor(y))) => {
            let y = *y;
            (operand(b, bound, 1, y)?, y)
        }
        _ => (bound.tensor(b, 1, None), bound.tensor(b, 2, None)),
    };
    b.select(condition, x, y).map(Arg::Tensor)
}

fn cast(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let dtype = bound.dtype(1).unwrap_or(b.float());
    Ok(Arg::Tensor(b.cast(x, dtype)))
}

fn dropout(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = float(b, bound, 0)?;
    let p = bound.float(1).unwrap_or(0.5);
    if !(0.0..=1.0).contains(&p) {
        return bound.wrong(
            b,
            "N0306",
            1,
            format!("`dropout` with p = {p}: a probability lies between 0 and 1"),
            "write `dropout(0.5)`",
        );
    }
    drop_out(b, x, p).map(Arg::Tensor)
}

/// Dropout as primitives; the identity outside training.
pub(crate) fn drop_out(b: &mut Builder, x: Value, p: f64) -> Checked<Value> {
    let shape = b.shape(x);
    drop_out_over(b, x, p, shape)
}

/// The same with one draw for all elements that a shape of `drawn` is stretched to.
pub(crate) fn drop_out_over(b: &mut Builder, x: Value, p: f64, drawn: Vec<Size>) -> Checked<Value> {
    if !b.training || p == 0.0 {
        return Ok(x);
    }
    if p == 1.0 {
        return Ok(b.binary_const(Binary::Mul, x, 0.0));
    }
    let uniform = b.uniform(drawn);
    let keep = b.binary_const(Binary::Ge, uniform, p);
    let scaled = b.binary_const(Binary::Mul, x, 1.0 / (1.0 - p));
    let zero = b.constant(0.0, b.graph.dtype(x));
    b.select(keep, scaled, zero)
}
