//! What the compiler knows of scalar functions beside their rows in `program/src/function.rs`, and of reductions beside theirs in
//! `program/src/reduction.rs`: the operators, the gradients, and how CUDA C has what its prelude lacks.

mod binary;
mod reduction;
mod unary;

pub(crate) use binary::{OPERATORS as BINARIES, gradient_of_first, gradient_of_second};
pub(crate) use reduction::{OPERATORS as REDUCTIONS, gradient_of_reduced, range_of_reduced, stretch};
pub(crate) use unary::{OPERATORS as UNARIES, gradient, of_operator};

/// The definitions in CUDA C, of f32 and f64, of what `emit/cuda/prelude.cu` does not define.
pub(crate) fn in_cuda() -> impl Iterator<Item = &'static str> {
    unary::IN_CUDA.iter().chain(binary::IN_CUDA).copied()
}
