//! Numbers that are known while a net is built: floats as f64, integers exactly. What they make of each other is what kernels compute.

use std::cmp::Ordering;
use std::fmt;
use std::num::ParseFloatError;
use std::str::FromStr;

use crate::scalar::{Binary, Lane, Literal, Unary};
use crate::types::DType;
use castnet_program::whole::Whole;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Of a float type. Rounded to that type where it is used, halves where they are made.
    Float(f64),
    /// Of an integer type; of truth values, 0 or 1.
    Int(i64),
}

/// A float has a point, an exponent or a name: `1.0`, `1e-5`, `inf`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Float(x) => write!(f, "{x:?}"),
            Number::Int(x) => write!(f, "{x}"),
        }
    }
}

impl FromStr for Number {
    type Err = ParseFloatError;

    fn from_str(text: &str) -> Result<Number, ParseFloatError> {
        text.parse().map(Number::Int).or_else(|_| text.parse().map(Number::Float))
    }
}

impl From<f64> for Number {
    fn from(x: f64) -> Number {
        Number::Float(x)
    }
}

impl From<i64> for Number {
    fn from(x: i64) -> Number {
        Number::Int(x)
    }
}

impl From<Literal> for Number {
    fn from(x: Literal) -> Number {
        match x {
            Literal::F32(x) => Number::Float(x.into()),
            Literal::F64(x) => Number::Float(x),
            Literal::I32(x) => Number::Int(x.into()),
            Literal::I64(x) => Number::Int(x),
            Literal::Bool(x) => Number::Int(x.into()),
        }
    }
}

impl Number {
    /// As a float.
    pub fn f64(self) -> f64 {
        match self {
            Number::Float(x) => x,
            Number::Int(x) => x as f64,
        }
    }

    /// As an integer: floats are truncated and held inside i64, NaN is 0.
    pub fn i64(self) -> i64 {
        match self {
            Number::Float(x) => x as i64,
            Number::Int(x) => x,
        }
    }

    /// What distinguishes numbers of one type: 0 and -0 are two.
    pub fn bits(self) -> u64 {
        match self {
            Number::Float(x) => x.to_bits(),
            Number::Int(x) => x as u64,
        }
    }

    /// The value that it has in an element type: as [`Instr::To`](crate::scalar::Instr::To), but that f32 is not rounded yet.
    pub fn to(self, dtype: DType) -> Number {
        match dtype {
            DType::F32 | DType::F64 => Number::Float(self.f64()),
            DType::F16 => Number::Float(half::f16::from_f32(self.f64() as f32).to_f64()),
            DType::BF16 => Number::Float(half::bf16::from_f32(self.f64() as f32).to_f64()),
            DType::Bool => Number::Int(i64::from(self != Number::Int(0) && self.f64() != 0.0)),
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 => {
                Number::Int(wrapped(self.i64(), dtype))
            }
        }
    }

    /// As a literal of the lane of an element type.
    pub fn literal(self, dtype: DType) -> Literal {
        match dtype.lane() {
            Lane::F32 => Literal::F32(self.f64() as f32),
            Lane::F64 => Literal::F64(self.f64()),
            Lane::I32 => Literal::I32(self.i64() as i32),
            Lane::I64 => Literal::I64(self.i64()),
            Lane::Bool => Literal::Bool(self.f64() != 0.0),
        }
    }

    /// Whether an element type has exactly this value; any float is taken to be one of every float type that does not make it infinite.
    pub fn fits(self, dtype: DType) -> bool {
        match self {
            Number::Float(x) if dtype.is_float() => !x.is_finite() || self.finite_in(dtype),
            Number::Float(x) => x.fract() == 0.0 && x.abs() < 9.3e18 && Number::Int(x as i64).fits(dtype),
            Number::Int(x) if dtype.is_int() => wrapped(x, dtype) == x,
            Number::Int(x) if dtype == DType::Bool => x == 0 || x == 1,
            Number::Int(x) => Number::Float(x as f64).finite_in(dtype),
        }
    }

    fn finite_in(self, dtype: DType) -> bool {
        match (dtype, self.to(dtype)) {
            (DType::F32, number) => (number.f64() as f32).is_finite(),
            (_, number) => number.f64().is_finite(),
        }
    }
}

/// An element type with its article: `an f32`, `a u8`.
pub fn an(dtype: DType) -> String {
    match dtype {
        DType::F32 | DType::F16 | DType::F64 | DType::I8 | DType::I16 | DType::I32 | DType::I64 => {
            format!("an {dtype}")
        }
        DType::BF16 | DType::U8 | DType::U32 | DType::Bool => format!("a {dtype}"),
    }
}

/// An integer in the width of an integer type.
pub(crate) fn wrapped(x: i64, dtype: DType) -> i64 {
    match dtype {
        DType::I8 => i64::from(x as i8),
        DType::U8 => i64::from(x as u8),
        DType::I16 => i64::from(x as i16),
        DType::I32 => i64::from(x as i32),
        DType::U32 => i64::from(x as u32),
        DType::I64 | DType::Bool | DType::F32 | DType::F64 | DType::F16 | DType::BF16 => x,
    }
}

/// `f(x)` in an element type.
pub(crate) fn unary(f: Unary, dtype: DType, x: Number) -> Number {
    match (f, x) {
        (Unary::Not, Number::Int(x)) if dtype == DType::Bool => Number::Int(i64::from(x == 0)),
        (_, Number::Int(x)) => {
            let y = f.of_i64(x).unwrap_or_else(|| unreachable!("number: {f:?} of an integer"));
            Number::Int(wrapped(y, dtype))
        }
        (_, Number::Float(x)) => Number::Float(f.of_f64(x)),
    }
}

/// `f(x, y)` of two numbers of an element type.
pub(crate) fn binary(f: Binary, dtype: DType, x: Number, y: Number) -> Number {
    match (x, y) {
        (Number::Int(x), Number::Int(y)) => Number::Int(wrapped(integers(f, dtype, x, y), dtype)),
        (x, y) if f.is_comparison() => Number::Int(f.of_f64(x.f64(), y.f64()) as i64),
        (x, y) => Number::Float(f.of_f64(x.f64(), y.f64())),
    }
}

fn integers(f: Binary, dtype: DType, x: i64, y: i64) -> i64 {
    match (f, dtype.lane()) {
        // The width is that of the lane.
        (Binary::ShiftLeft, Lane::I32) => (x as i32).shift_left(y as i32).into(),
        (Binary::ShiftRight, Lane::I32) => (x as i32).shift_right(y as i32).into(),
        _ => f.of_i64(x, y).unwrap_or_else(|| unreachable!("number: {f:?} of integers")),
    }
}

/// Which of two numbers of an element type is greater; of NaN nobody knows.
pub(crate) fn order(x: Number, y: Number) -> Option<Ordering> {
    match (x, y) {
        (Number::Int(x), Number::Int(y)) => Some(x.cmp(&y)),
        (x, y) => x.f64().partial_cmp(&y.f64()),
    }
}
