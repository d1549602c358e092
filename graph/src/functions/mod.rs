//! What the compiler knows of scalar functions beside their rows in `program/src/function.rs`: the operators, the gradients, and how CUDA C
//! has what its prelude lacks.

mod binary;
mod unary;

pub(crate) use binary::{OPERATORS as BINARIES, gradient_of_first, gradient_of_second};
pub(crate) use unary::{OPERATORS as UNARIES, gradient, of_operator};

/// The definitions in CUDA C, of f32 and f64, of what `cuda/prelude.cu` does not define.
pub(crate) fn in_cuda() -> impl Iterator<Item = &'static str> {
    unary::IN_CUDA.iter().chain(binary::IN_CUDA).copied()
}
