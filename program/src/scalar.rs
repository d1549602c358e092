//! Scalar code: straight-line SSA over scalars, the body of every kernel.
//!
//! The same code is printed as Rust, run by the block interpreter of `castnet-kernels`, and printed as CUDA C.
//! Every slot has a [`Lane`], which is that of what it is made of. What is stored in a narrower type is computed in a wider lane: integers
//! wrap where an operation ends ([`Instr::To`]), halves are rounded where the graph says so, never by a store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::function::{Binary, Domain, Unary};
pub use crate::reduction::Reduction;
use crate::types::DType;

/// What a scalar is while it is computed; in memory, the element type of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)] // The names say it all.
pub enum Lane {
    F32,
    F64,
    I32,
    I64,
    Bool,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Lane; 5] = [Lane::F32, Lane::F64, Lane::I32, Lane::I64, Lane::Bool];

    /// The element type that has its values.
    pub fn dtype(self) -> DType {
        match self {
            Lane::F32 => DType::F32,
            Lane::F64 => DType::F64,
            Lane::I32 => DType::I32,
            Lane::I64 => DType::I64,
            Lane::Bool => DType::Bool,
        }
    }

    /// Bytes of one scalar.
    pub fn bytes(self) -> usize {
        self.dtype().bytes()
    }

    /// The lane in which a tile sums the products of two element types: f32 of f32 and halves, in any combination, f64 of f64 alone.
    /// `None`: there is no such tile.
    pub fn of_products(a: DType, b: DType) -> Option<Lane> {
        (a.is_float() && b.is_float() && a.lane() == b.lane()).then(|| a.lane())
    }

    /// `f32` or `f64`.
    pub const fn is_float(self) -> bool {
        matches!(self, Lane::F32 | Lane::F64)
    }

    /// `i32` or `i64`.
    pub const fn is_int(self) -> bool {
        matches!(self, Lane::I32 | Lane::I64)
    }
}

impl DType {
    /// The lane in which elements of this type are computed.
    pub fn lane(self) -> Lane {
        match self {
            DType::F32 | DType::F16 | DType::BF16 => Lane::F32,
            DType::F64 => Lane::F64,
            DType::I8 | DType::U8 | DType::I16 | DType::I32 => Lane::I32,
            DType::U32 | DType::I64 => Lane::I64,
            DType::Bool => Lane::Bool,
        }
    }
}

/// A number with its lane.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The names say it all.
pub enum Literal {
    F32(f32),
    F64(f64),
    I32(i32),
    I64(i64),
    Bool(bool),
}

impl Literal {
    /// Its lane.
    pub fn lane(self) -> Lane {
        match self {
            Literal::F32(_) => Lane::F32,
            Literal::F64(_) => Lane::F64,
            Literal::I32(_) => Lane::I32,
            Literal::I64(_) => Lane::I64,
            Literal::Bool(_) => Lane::Bool,
        }
    }

    /// Its bits: equal exactly if the literals are the same, -0 and NaN included (of one lane).
    pub fn bits(self) -> u64 {
        match self {
            Literal::F32(x) => x.to_bits().into(),
            Literal::F64(x) => x.to_bits(),
            Literal::I32(x) => x as u32 as u64,
            Literal::I64(x) => x as u64,
            Literal::Bool(x) => x.into(),
        }
    }
}

/// A number with its lane behind it, but f32, which is the rule: `0.5`, `3i64`, `true`.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::F32(x) => write!(f, "{x:?}"),
            Literal::F64(x) => write!(f, "{x:?}f64"),
            Literal::I32(x) => write!(f, "{x}i32"),
            Literal::I64(x) => write!(f, "{x}i64"),
            Literal::Bool(x) => write!(f, "{x}"),
        }
    }
}

impl FromStr for Literal {
    type Err = String;

    /// Reads what `Display` prints.
    fn from_str(text: &str) -> Result<Literal, String> {
        let wrong = || format!("`{text}` is no number");
        let read = match text.len().checked_sub(3).and_then(|at| text.split_at_checked(at)) {
            Some((number, "f64")) => number.parse().ok().map(Literal::F64),
            Some((number, "i32")) => number.parse().ok().map(Literal::I32),
            Some((number, "i64")) => number.parse().ok().map(Literal::I64),
            _ => text.parse().ok().map(Literal::Bool).or_else(|| text.parse().ok().map(Literal::F32)),
        };
        read.ok_or_else(wrong)
    }
}

/// An index of a value inside one [`Code`]: first the inputs, then the results of the instructions.
pub type Slot = u32;

/// One instruction; its result is the next slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The names are the functions'.
pub enum Instr {
    Const(Literal),
    Unary(Unary, Slot),
    Binary(Binary, Slot, Slot),
    /// `condition ? a : b`; the condition is a truth value, the others have one lane.
    Select(Slot, Slot, Slot),
    /// To the values of an element type, in its lane. Integers wrap to the width; floats are truncated and held inside i64 (NaN is 0) before
    /// they do; a truth value is 0 or 1, and a number is true unless it is 0. To `f16` and `bf16` a number is rounded to the nearest, ties to
    /// even, by way of f32.
    To(DType, Slot),
}

/// A function from `inputs.len()` scalars to `outputs.len()` scalars, applied element by element.
///
/// Floating-point operations are done exactly as written: no contraction to fused multiply-add, no reordering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Code {
    /// The lanes of the inputs: slots `0..inputs.len()`.
    pub inputs: Vec<Lane>,
    /// In order; operands are inputs or earlier results.
    pub instrs: Vec<Instr>,
    /// The slots that come out.
    pub outputs: Vec<Slot>,
}

impl Code {
    /// Appends an instruction; the slot of its result.
    pub fn push(&mut self, instr: Instr) -> Slot {
        self.instrs.push(instr);
        (self.inputs.len() + self.instrs.len() - 1) as Slot
    }

    /// The lanes of all slots.
    ///
    /// # Errors
    ///
    /// What is wrong with an instruction: an operand that comes later, or lanes that do not fit.
    pub fn lanes(&self) -> Result<Vec<Lane>, String> {
        let mut lanes = self.inputs.clone();
        for instr in &self.instrs {
            let lane = instr.lane(&lanes).ok_or_else(|| format!("{instr:?} does not fit lanes {lanes:?}"))?;
            lanes.push(lane);
        }
        match self.outputs.iter().find(|&&slot| slot as usize >= lanes.len()) {
            Some(slot) => Err(format!("there is no slot {slot}")),
            None => Ok(lanes),
        }
    }
}

impl Instr {
    /// The lane of the result, if those of the operands fit.
    fn lane(&self, lanes: &[Lane]) -> Option<Lane> {
        let of = |slot: &Slot| lanes.get(*slot as usize).copied();
        match self {
            Instr::Const(literal) => Some(literal.lane()),
            Instr::Unary(f, x) => of(x).filter(|lane| f.takes(*lane)),
            Instr::Binary(f, x, y) => {
                let lane = of(x).filter(|lane| Some(*lane) == of(y) && f.takes(*lane))?;
                Some(if f.is_comparison() { Lane::Bool } else { lane })
            }
            Instr::Select(c, x, y) => of(x).filter(|lane| of(c) == Some(Lane::Bool) && of(y) == Some(*lane)),
            Instr::To(dtype, x) => of(x).map(|_| dtype.lane()),
        }
    }
}
