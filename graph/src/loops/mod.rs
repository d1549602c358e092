//! Loops: how they are built, and the passes over them.

mod build;
mod separate;
mod simplify;

pub use build::Rounds;
pub(crate) use separate::separate;
pub(crate) use simplify::simplify;
