//! The functions that the block interpreter calls: one for each instruction and lane.

use castnet_program::scalar::{Instr, Lane};
use castnet_program::types::DType;

/// The kernel of a function of one scalar.
macro_rules! unary_kernel {
    (Angles $name:ident $type:ty) => {
        crate::block_kernel! { $name(x: $type) -> (y: $type) far { let y = $name(x, &mut far); } }
    };
    ($domain:ident $name:ident $type:ty) => {
        crate::block_kernel! { $name(x: $type) -> (y: $type) { let y = $name(x); } }
    };
}

/// The table of functions of one scalar as kernels of a lane, and the choice among them.
macro_rules! unaries {
    (
        $kind:ident $type:ty;
        $($(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal $meaning:tt;)*
    ) => {
        $(if_taken! { $kind $domain { unary_kernel! { $domain $name $type } } {} })*

        fn unary(f: Unary) -> Option<&'static crate::BlockKernel> {
            match f {
                $(Unary::$f => if_taken! { $kind $domain { Some(&$name) } { None } },)*
            }
        }
    };
}

/// The kernel of a function of two scalars.
macro_rules! binary_kernel {
    (Comparisons $name:ident $type:ty) => {
        crate::block_kernel! { $name(a: $type, b: $type) -> (y: bool) { let y = $name(a, b); } }
    };
    ($domain:ident $name:ident $type:ty) => {
        crate::block_kernel! { $name(a: $type, b: $type) -> (y: $type) { let y = $name(a, b); } }
    };
}

/// The same of two.
macro_rules! binaries {
    (
        $kind:ident $type:ty;
        $($(#[$doc:meta])* $f:ident $name:ident $domain:ident $cost:literal $cuda:literal $meaning:tt;)*
    ) => {
        $(if_taken! { $kind $domain { binary_kernel! { $domain $name $type } } {} })*

        fn binary(f: Binary) -> Option<&'static crate::BlockKernel> {
            match f {
                $(Binary::$f => if_taken! { $kind $domain { Some(&$name) } { None } },)*
            }
        }
    };
}

/// The functions of lanes: `choose` finds one of them.
macro_rules! lanes {
    ($($lane:ident: $kind:ident $type:ty;)*) => {$(
        mod $lane {
            use castnet_program::scalar::{Binary, Instr, Unary};

            use crate::math::if_taken;

            castnet_program::with_unaries!(unaries($kind $type;));
            castnet_program::with_binaries!(binaries($kind $type;));
            crate::block_kernel! { pub(super) same(x: $type) -> (y: $type) { let y = x; } }
            crate::block_kernel! { select(c: bool, a: $type, b: $type) -> (y: $type) { let y = select(c, a, b); } }

            pub(super) fn choose(instr: &Instr) -> Option<&'static crate::BlockKernel> {
                match instr {
                    Instr::Unary(f, _) => unary(*f),
                    Instr::Binary(f, ..) => binary(*f),
                    Instr::Select(..) => Some(&select),
                    Instr::Const(_) | Instr::To(..) => None,
                }
            }
        }
    )*};
}
lanes! {
    of_f32: float f32;
    of_f64: float f64;
    of_i32: int i32;
    of_i64: int i64;
    of_bool: bool bool;
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
                (Lane::F32, DType::F32)
                | (Lane::F64, DType::F64)
                | (Lane::I32, DType::I32)
                | (Lane::I64, DType::I64)
                | (Lane::Bool, DType::Bool) => Some(same(from)),
                // These take two steps.
                (Lane::F32 | Lane::F64 | Lane::Bool, DType::I8 | DType::U8 | DType::I16 | DType::I32)
                | (Lane::F32 | Lane::F64 | Lane::I32 | Lane::Bool, DType::U32)
                | (Lane::F64 | Lane::I32 | Lane::I64 | Lane::Bool, DType::F16 | DType::BF16) => None,
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
