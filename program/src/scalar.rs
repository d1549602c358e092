//! Scalar code: straight-line SSA over scalars, the body of every kernel.
//!
//! The same code is printed as Rust, run by the block interpreter of `castnet-kernels`, and printed as CUDA C.
//! Every value is an `f32` lane; a truth value is 1 or 0, an integer its exact value.

use serde::{Deserialize, Serialize};

/// Functions of one scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names are the functions'.
pub enum Unary {
    Neg,
    Exp,
    Log,
    Sqrt,
    /// 1 / √x.
    Rsqrt,
    Abs,
    /// -1, 0 or 1.
    Sign,
    Tanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// Gauss' error function.
    Erf,
    Sin,
    Cos,
    Floor,
    /// Towards zero.
    Trunc,
    /// To the nearest integer, halves to the even one.
    Round,
    /// log(1 + x), exact near 0.
    Log1p,
    /// eˣ - 1, exact near 0.
    Expm1,
    /// 1 - x, of a truth value.
    Not,
}

/// Functions of two scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names are the functions'.
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// Python's and PyTorch's remainder: the sign of the divisor.
    Rem,
    Pow,
    /// NaN if either is NaN, as `torch.maximum`.
    Max,
    Min,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Or,
}

impl Binary {
    /// Whether the result is a truth value.
    pub fn is_comparison(self) -> bool {
        use Binary::*;
        matches!(self, Lt | Le | Gt | Ge | Eq | Ne)
    }
}

/// Associative functions that reduce many scalars to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names are the functions'.
pub enum Reduction {
    Sum,
    Max,
    Min,
}

/// An index of a value inside one [`Code`]: first the inputs, then the results of the instructions.
pub type Slot = u32;

/// One instruction; its result is the next slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names are the functions'.
pub enum Instr {
    Const(#[serde(with = "crate::float")] f32),
    Unary(Unary, Slot),
    Binary(Binary, Slot, Slot),
    /// `condition ? a : b`.
    Select(Slot, Slot, Slot),
}

/// A function from `inputs` scalars to `outputs.len()` scalars, applied element by element.
///
/// Floating-point operations are done exactly as written: no contraction to fused multiply-add, no reordering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Code {
    /// The number of inputs: slots `0..inputs`.
    pub inputs: Slot,
    /// In order; operands are inputs or earlier results.
    pub instrs: Vec<Instr>,
    /// The slots that come out.
    pub outputs: Vec<Slot>,
}
