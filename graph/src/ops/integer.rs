//! Operators of bits and whole quotients.

use super::Operator;
use super::pointwise::{OPERANDS, operands};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, required};
use crate::graph::Value;
use crate::scalar::{Binary, Unary};
use crate::types::DType;

const X: Param = required("input", Kind::Tensor);

/// Bits of integers and truth values, and quotients rounded down.
pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "floor_divide",
        doc: "The exact quotient, rounded down, so that `y * x.floor_divide(y) + x % y` is `x`; of integers by 0 the call is an error.",
        signature: OPERANDS,
        build: floor_divide,
    },
    Operator {
        name: "bitwise_and",
        doc: "Every bit that is set in both; of truth values `x & y`.",
        signature: OPERANDS,
        build: |b, bound| bits(b, bound, Binary::And),
    },
    Operator {
        name: "bitwise_or",
        doc: "Every bit that is set in one; of truth values `x | y`.",
        signature: OPERANDS,
        build: |b, bound| bits(b, bound, Binary::Or),
    },
    Operator {
        name: "bitwise_xor",
        doc: "Every bit that is set in one of both; of truth values whether they differ.",
        signature: OPERANDS,
        build: |b, bound| bits(b, bound, Binary::Xor),
    },
    Operator {
        name: "bitwise_not",
        doc: "Every bit the other way round; of truth values `!x`.",
        signature: &[X],
        build: bitwise_not,
    },
    Operator {
        name: "bitwise_left_shift",
        doc: "`x` with its bits moved to the left: times 2 to the power of `other`, wrapping; 0 from the type's width on.",
        signature: OPERANDS,
        build: |b, bound| shift(b, bound, Binary::ShiftLeft),
    },
    Operator {
        name: "bitwise_right_shift",
        doc: "`x` with its bits moved to the right: by 2 to the power of `other`, rounded down.",
        signature: OPERANDS,
        build: |b, bound| shift(b, bound, Binary::ShiftRight),
    },
];

fn floor_divide(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (x, y) = operands(b, bound)?;
    let dtype = b.graph.dtype(x);
    if dtype == DType::Bool {
        return wrong(b, bound, dtype, "numbers", "convert it: `.cast(i64)`");
    }
    if dtype.is_float() {
        return Ok(Arg::Tensor(floor_divide_floats(b, x, y)?));
    }
    let result = b.binary(Binary::FloorDivide, x, y)?;
    b.divides(y, bound.at)?;
    Ok(Arg::Tensor(result))
}

/// The rounded quotient may be a whole number that the exact one is not: 1 / 0.1 is below 10. So it is made of the remainder, which is exact, as
/// Python's and PyTorch's.
fn floor_divide_floats(b: &mut Builder, x: Value, y: Value) -> Checked<Value> {
    let (x, y) = b.broadcast_pair(x, y)?;
    let [negative_x, negative_y] = [x, y].map(|v| b.binary_const(Binary::Lt, v, 0.0));
    let signs_differ = b.pointwise(Binary::Xor, negative_x, negative_y);
    let [of_x, of_y] = [x, y].map(|v| b.unary(Unary::Abs, v));
    let rest = b.pointwise(Binary::Rem, of_x, of_y);
    let whole = b.pointwise(Binary::Sub, of_x, rest);
    let quotient = b.pointwise(Binary::Div, whole, of_y);
    let quotient = b.unary(Unary::Round, quotient);
    let opposite = b.unary(Unary::Neg, quotient);
    let below = b.binary_const(Binary::Sub, opposite, 1.0);
    let is_whole = b.binary_const(Binary::Eq, rest, 0.0);
    let negative = b.select(is_whole, opposite, below)?;
    let quotient = b.select(signs_differ, negative, quotient)?;
    // Of 0, and by 0: ±0, ±∞, NaN.
    let [no_x, no_y] = [x, y].map(|v| b.binary_const(Binary::Eq, v, 0.0));
    let special = b.pointwise(Binary::Or, no_x, no_y);
    let plain = b.pointwise(Binary::Div, x, y);
    let plain = b.unary(Unary::Floor, plain);
    b.select(special, plain, quotient)
}

fn bits(b: &mut Builder, bound: &Bound, f: Binary) -> Checked<Arg> {
    let (x, y) = operands(b, bound)?;
    for value in [x, y] {
        let dtype = b.graph.dtype(value);
        if dtype.is_float() {
            return wrong(b, bound, dtype, "integers or bool operands", "convert it: `.cast(i64)`");
        }
    }
    b.binary(f, x, y).map(Arg::Tensor)
}

fn bitwise_not(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let x = bound.tensor(b, 0, None);
    let dtype = b.graph.dtype(x);
    if dtype.is_float() {
        return wrong(b, bound, dtype, "integers or bool operands", "convert it: `.cast(i64)`");
    }
    Ok(Arg::Tensor(b.unary(Unary::Not, x)))
}

fn shift(b: &mut Builder, bound: &Bound, f: Binary) -> Checked<Arg> {
    let (x, y) = operands(b, bound)?;
    for value in [x, y] {
        let dtype = b.graph.dtype(value);
        if !dtype.is_int() {
            return wrong(b, bound, dtype, "integers", "convert it: `.cast(i64)`");
        }
    }
    b.binary(f, x, y).map(Arg::Tensor)
}

fn wrong(b: &mut Builder, bound: &Bound, found: DType, wanted: &str, help: &str) -> Checked<Arg> {
    let message = format!("`{}` needs {wanted}, found {found}", bound.callee);
    bound.wrong(b, "N0203", 0, message, help)
}
