//! The functions that the block interpreter calls: one for each instruction and lane.

use castnet_program::scalar::{Instr, Lane};
use castnet_program::types::DType;

/// The functions of a lane: `choose` finds one of them.
macro_rules! lane {
    (
        $lane:ident: $type:ty;
        unary { $($unary:ident $one:ident)* }
        turns { $($turn:ident $wave:ident)* }
        binary { $($binary:ident $two:ident)* }
    ) => {
        mod $lane {
            use castnet_program::scalar::{Binary, Instr, Unary};

            $(crate::block_kernel! { $one(x: $type) -> (y: $type) { let y = $one(x); } })*
            $(crate::block_kernel! { $wave(x: $type) -> (y: $type) far { let y = $wave(x, &mut far); } })*
            $(crate::block_kernel! { $two(a: $type, b: $type) -> (y: $type) { let y = $two(a, b); } })*
            lane! { @comparisons $type: Lt lt Le le Gt gt Ge ge Eq eq Ne ne }
            crate::block_kernel! { pub(super) same(x: $type) -> (y: $type) { let y = x; } }
            crate::block_kernel! { select(c: bool, a: $type, b: $type) -> (y: $type) { let y = select(c, a, b); } }

            pub(super) fn choose(instr: &Instr) -> Option<&'static crate::BlockKernel> {
                match instr {
                    $(Instr::Unary(Unary::$unary, _) => Some(&$one),)*
                    $(Instr::Unary(Unary::$turn, _) => Some(&$wave),)*
                    $(Instr::Binary(Binary::$binary, ..) => Some(&$two),)*
                    Instr::Binary(f, ..) => comparison(*f),
                    Instr::Select(..) => Some(&select),
                    Instr::Const(_) | Instr::Unary(..) | Instr::To(..) => None,
                }
            }
        }
    };
    (@comparisons $type:ty: $($binary:ident $two:ident)*) => {
        $(crate::block_kernel! { $two(a: $type, b: $type) -> (y: bool) { let y = $two(a, b); } })*

        fn comparison(f: Binary) -> Option<&'static crate::BlockKernel> {
            match f {
                $(Binary::$binary => Some(&$two),)*
                _ => None,
            }
        }
    };
}

lane! {
    of_f32: f32;
    unary {
        Neg neg Exp exp Log log Sqrt sqrt Rsqrt rsqrt Abs abs Sign sign Tanh tanh Sigmoid sigmoid Erf erf Floor floor
        Trunc trunc Round round Log1p log1p Expm1 expm1
    }
    turns { Sin sin Cos cos }
    binary { Add add Sub sub Mul mul Div div Rem rem Pow pow Max max Min min }
}
lane! {
    of_f64: f64;
    unary {
        Neg neg Exp exp Log log Sqrt sqrt Rsqrt rsqrt Abs abs Sign sign Tanh tanh Sigmoid sigmoid Erf erf Floor floor
        Trunc trunc Round round Log1p log1p Expm1 expm1
    }
    turns { Sin sin Cos cos }
    binary { Add add Sub sub Mul mul Div div Rem rem Pow pow Max max Min min }
}
lane! {
    of_i32: i32;
    unary { Neg neg Abs abs Sign sign Not not }
    turns {}
    binary {
        Add add Sub sub Mul mul FloorDivide floor_divide Rem rem Pow pow Max max Min min And and Or or Xor xor
        ShiftLeft shift_left ShiftRight shift_right
    }
}
lane! {
    of_i64: i64;
    unary { Neg neg Abs abs Sign sign Not not }
    turns {}
    binary {
        Add add Sub sub Mul mul FloorDivide floor_divide Rem rem Pow pow Max max Min min And and Or or Xor xor
        ShiftLeft shift_left ShiftRight shift_right
    }
}
lane! {
    of_bool: bool;
    unary { Not not }
    turns {}
    binary { And and Or or Xor xor }
}

/// The conversions of which [`in_short_steps`](super::in_short_steps) makes all.
macro_rules! conversions {
    ($($name:ident: $from:ident $from_type:ty => $to:ident $to_type:ty, $function:ident;)*) => {
        mod convert {
            $(crate::block_kernel! { pub(super) $name(x: $from_type) -> (y: $to_type) { let y = $function(x); } })*
        }

        fn conversion(from: Lane, to: DType) -> Option<&'static crate::BlockKernel> {
            match (from, to) {
                $((Lane::$from, DType::$to) => Some(&convert::$name),)*
                (lane, dtype) if lane.dtype() == dtype => Some(same(lane)),
                _ => None,
            }
        }
    };
}
conversions! {
    f32_to_f64: F32 f32 => F64 f64, to_f64;
    f32_to_i64: F32 f32 => I64 i64, to_i64;
    f32_to_bool: F32 f32 => Bool bool, to_bool;
    f32_to_f16: F32 f32 => F16 f32, to_f16;
    f32_to_bf16: F32 f32 => BF16 f32, to_bf16;
    f64_to_f32: F64 f64 => F32 f32, to_f32;
    f64_to_i64: F64 f64 => I64 i64, to_i64;
    f64_to_bool: F64 f64 => Bool bool, to_bool;
    i32_to_f32: I32 i32 => F32 f32, to_f32;
    i32_to_f64: I32 i32 => F64 f64, to_f64;
    i32_to_i64: I32 i32 => I64 i64, to_i64;
    i32_to_bool: I32 i32 => Bool bool, to_bool;
    i32_to_i8: I32 i32 => I8 i32, to_i8;
    i32_to_u8: I32 i32 => U8 i32, to_u8;
    i32_to_i16: I32 i32 => I16 i32, to_i16;
    i64_to_f32: I64 i64 => F32 f32, to_f32;
    i64_to_f64: I64 i64 => F64 f64, to_f64;
    i64_to_i32: I64 i64 => I32 i32, to_i32;
    i64_to_bool: I64 i64 => Bool bool, to_bool;
    i64_to_i8: I64 i64 => I8 i32, to_i8;
    i64_to_u8: I64 i64 => U8 i32, to_u8;
    i64_to_i16: I64 i64 => I16 i32, to_i16;
    i64_to_u32: I64 i64 => U32 i64, to_u32;
    bool_to_f32: Bool bool => F32 f32, to_f32;
    bool_to_f64: Bool bool => F64 f64, to_f64;
    bool_to_i64: Bool bool => I64 i64, to_i64;
}

/// Hands on what it gets.
pub(super) fn same(lane: Lane) -> &'static crate::BlockKernel {
    match lane {
        Lane::F32 => &of_f32::same,
        Lane::F64 => &of_f64::same,
        Lane::I32 => &of_i32::same,
        Lane::I64 => &of_i64::same,
        Lane::Bool => &of_bool::same,
    }
}

/// The function of an instruction on operands of a lane.
pub(super) fn function(instr: &Instr, lane: Lane) -> &'static crate::BlockKernel {
    let found = match (instr, lane) {
        (Instr::To(dtype, _), lane) => conversion(lane, *dtype),
        (_, Lane::F32) => of_f32::choose(instr),
        (_, Lane::F64) => of_f64::choose(instr),
        (_, Lane::I32) => of_i32::choose(instr),
        (_, Lane::I64) => of_i64::choose(instr),
        (_, Lane::Bool) => of_bool::choose(instr),
    };
    found.unwrap_or_else(|| unreachable!("{instr:?} of {lane:?}, which the verifier lets pass"))
}
