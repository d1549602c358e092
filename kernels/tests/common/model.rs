//! Scalar code, one plain expression an instruction.

use castnet_program::scalar::{Binary, Code, Instr, Lane, Literal, Reduction, Unary};
use castnet_program::types::DType;
use half::{bf16, f16};
use {Lane as L, Literal::*};

/// A number, rounded to a lane.
pub fn literal(lane: Lane, value: f64) -> Literal {
    match lane {
        L::F32 => F32(value as f32),
        L::F64 => F64(value),
        L::I32 => I32(value as i64 as i32),
        L::I64 => I64(value as i64),
        L::Bool => Bool(value != 0.0),
    }
}

/// As the nearest number in double precision.
pub fn number(x: Literal) -> f64 {
    match x {
        F32(x) => x.into(),
        F64(x) => x,
        I32(x) => x.into(),
        I64(x) => x as f64,
        Bool(x) => x.into(),
    }
}

/// The values that come out.
pub fn eval(code: &Code, inputs: Vec<Literal>) -> Vec<Literal> {
    let mut slots = inputs;
    for instr in &code.instrs {
        let at = |s: u32| slots[s as usize];
        let value = match *instr {
            Instr::Const(value) => value,
            Instr::Unary(f, a) => unary(f, at(a)),
            Instr::Binary(f, a, b) => binary(f, at(a), at(b)),
            Instr::Select(c, a, b) => at(if at(c) == Bool(true) { a } else { b }),
            Instr::To(dtype, a) => to(dtype, at(a)),
        };
        slots.push(value);
    }
    code.outputs.iter().map(|&s| slots[s as usize]).collect()
}

/// Of floats, rounded from double precision.
pub fn unary(f: Unary, x: Literal) -> Literal {
    let sign = |x: f64| f64::from(x > 0.0) - f64::from(x < 0.0);
    match (f, x) {
        (Unary::Not, Bool(x)) => Bool(!x),
        (Unary::Not, I32(x)) => I32(!x),
        (Unary::Not, I64(x)) => I64(!x),
        (Unary::Neg, I32(x)) => I32(x.wrapping_neg()),
        (Unary::Neg, I64(x)) => I64(x.wrapping_neg()),
        (Unary::Abs, I32(x)) => I32(x.wrapping_abs()),
        (Unary::Abs, I64(x)) => I64(x.wrapping_abs()),
        (Unary::Sign, I32(x)) => I32(x.signum()),
        (Unary::Sign, I64(x)) => I64(x.signum()),
        (_, Bool(_) | I32(_) | I64(_)) => panic!("{f:?} of {x:?}"),
        (_, F32(_) | F64(_)) => {
            let v = number(x);
            literal(
                x.lane(),
                match f {
                    Unary::Neg => -v,
                    Unary::Exp => v.exp(),
                    Unary::Log => v.ln(),
                    Unary::Sqrt => v.sqrt(),
                    Unary::Rsqrt => 1.0 / v.sqrt(),
                    Unary::Abs => v.abs(),
                    Unary::Sign => sign(v),
                    Unary::Tanh => v.tanh(),
                    Unary::Sigmoid => 1.0 / (1.0 + (-v).exp()),
                    Unary::Erf => super::erf::erf(v),
                    Unary::Sin => v.sin(),
                    Unary::Cos => v.cos(),
                    Unary::Floor => v.floor(),
                    Unary::Trunc => v.trunc(),
                    Unary::Round => v.round_ties_even(),
                    Unary::Log1p => v.ln_1p(),
                    Unary::Expm1 => v.exp_m1(),
                    Unary::Atan => v.atan(),
                    Unary::Not => panic!("a bit of a float"),
                },
            )
        }
    }
}

/// Of floats, with the arithmetic of their own type.
pub fn binary(f: Binary, x: Literal, y: Literal) -> Literal {
    macro_rules! float {
        ($F:ident, $x:ident, $y:ident) => {
            match f {
                Binary::Add => $F($x + $y),
                Binary::Sub => $F($x - $y),
                Binary::Mul => $F($x * $y),
                Binary::Div => $F($x / $y),
                Binary::Rem => {
                    let rest = $x % $y;
                    $F(if rest != 0.0 && (rest < 0.0) != ($y < 0.0) { rest + $y } else { rest })
                }
                Binary::Pow => literal(x.lane(), number(x).powf(number(y))),
                Binary::Max if $x.is_nan() || $y.is_nan() => $F($x + $y),
                Binary::Min if $x.is_nan() || $y.is_nan() => $F($x + $y),
                Binary::Max => $F($x.max($y)),
                Binary::Min => $F($x.min($y)),
                _ => compare(f, $x.partial_cmp(&$y)),
            }
        };
    }
    macro_rules! integer {
        ($I:ident, $type:ident, $x:ident, $y:ident) => {
            match f {
                Binary::Add => $I($x.wrapping_add($y)),
                Binary::Sub => $I($x.wrapping_sub($y)),
                Binary::Mul => $I($x.wrapping_mul($y)),
                // In twice as many bits nothing wraps but the result.
                Binary::FloorDivide if $y == 0 => $I(0),
                Binary::FloorDivide => $I(floor_divide($x.into(), $y.into()) as $type),
                Binary::Rem if $y == 0 => $I(0),
                Binary::Rem => $I((i128::from($x) - floor_divide($x.into(), $y.into()) * i128::from($y)) as $type),
                Binary::Pow => $I(power($x.into(), $y.into()) as $type),
                Binary::Max => $I($x.max($y)),
                Binary::Min => $I($x.min($y)),
                Binary::And => $I($x & $y),
                Binary::Or => $I($x | $y),
                Binary::Xor => $I($x ^ $y),
                Binary::ShiftLeft => $I(if (0..$type::BITS as $type).contains(&$y) { $x << $y } else { 0 }),
                Binary::ShiftRight if (0..$type::BITS as $type).contains(&$y) => $I($x >> $y),
                Binary::ShiftRight => $I(if $x < 0 { -1 } else { 0 }),
                _ => compare(f, Some($x.cmp(&$y))),
            }
        };
    }
    match (x, y) {
        (F32(a), F32(b)) => float!(F32, a, b),
        (F64(a), F64(b)) => float!(F64, a, b),
        (I32(a), I32(b)) => integer!(I32, i32, a, b),
        (I64(a), I64(b)) => integer!(I64, i64, a, b),
        (Bool(a), Bool(b)) => match f {
            Binary::And => Bool(a && b),
            Binary::Or => Bool(a || b),
            Binary::Xor => Bool(a != b),
            _ => compare(f, Some(a.cmp(&b))),
        },
        _ => panic!("{f:?} of {x:?} and {y:?}"),
    }
}

fn compare(f: Binary, order: Option<std::cmp::Ordering>) -> Literal {
    use std::cmp::Ordering::*;
    Bool(match f {
        Binary::Lt => order == Some(Less),
        Binary::Le => matches!(order, Some(Less | Equal)),
        Binary::Gt => order == Some(Greater),
        Binary::Ge => matches!(order, Some(Greater | Equal)),
        Binary::Eq => order == Some(Equal),
        Binary::Ne => order != Some(Equal),
        _ => panic!("{f:?} compares nothing"),
    })
}

fn floor_divide(x: i128, y: i128) -> i128 {
    let quotient = x / y;
    if quotient * y != x && (x < 0) != (y < 0) { quotient - 1 } else { quotient }
}

fn power(x: i128, y: i128) -> i128 {
    match x {
        _ if y >= 0 => (0..128).rev().fold(1i128, |p, bit| {
            let square = p.wrapping_mul(p);
            if y >> bit & 1 == 1 { square.wrapping_mul(x) } else { square }
        }),
        1 => 1,
        -1 if y % 2 == 0 => 1,
        -1 => -1,
        _ => 0,
    }
}

/// A conversion.
pub fn to(dtype: DType, x: Literal) -> Literal {
    let float = || match x {
        F32(x) => x,
        F64(x) => x as f32,
        I32(x) => x as f32,
        I64(x) => x as f32,
        Bool(x) => x.into(),
    };
    let whole = || match x {
        F32(x) => x as i64,
        F64(x) => x as i64,
        I32(x) => x.into(),
        I64(x) => x,
        Bool(x) => x.into(),
    };
    match dtype {
        DType::F32 => F32(float()),
        DType::F16 => F32(f16::from_f32(float()).to_f32()),
        DType::BF16 => F32(bf16::from_f32(float()).to_f32()),
        DType::F64 => F64(number(x)),
        DType::I8 => I32((whole() as i8).into()),
        DType::U8 => I32((whole() as u8).into()),
        DType::I16 => I32((whole() as i16).into()),
        DType::I32 => I32(whole() as i32),
        DType::U32 => I64((whole() as u32).into()),
        DType::I64 => I64(whole()),
        DType::Bool => Bool(number(x) != 0.0),
    }
}

/// What a reduction starts with.
pub fn identity(op: Reduction, lane: Lane) -> Literal {
    match (op, lane) {
        (Reduction::Sum | Reduction::Xor, _) => literal(lane, 0.0),
        (Reduction::Prod, _) => literal(lane, 1.0),
        (Reduction::Max, L::I32) => I32(i32::MIN),
        (Reduction::Max, L::I64) => I64(i64::MIN),
        (Reduction::Min, L::I32) => I32(i32::MAX),
        (Reduction::Min, L::I64) => I64(i64::MAX),
        (Reduction::Max, L::Bool) => Bool(false),
        (Reduction::Min, L::Bool) => Bool(true),
        (Reduction::Max, L::F32 | L::F64) => literal(lane, f64::NEG_INFINITY),
        (Reduction::Min, L::F32 | L::F64) => literal(lane, f64::INFINITY),
    }
}

/// One step of a reduction.
pub fn reduce(op: Reduction, x: Literal, y: Literal) -> Literal {
    let f = match (op, x.lane()) {
        (Reduction::Sum, _) => Binary::Add,
        (Reduction::Prod, _) => Binary::Mul,
        (Reduction::Xor, _) => Binary::Xor,
        (Reduction::Max, L::Bool) => Binary::Or,
        (Reduction::Min, L::Bool) => Binary::And,
        (Reduction::Max, _) => Binary::Max,
        (Reduction::Min, _) => Binary::Min,
    };
    binary(f, x, y)
}
