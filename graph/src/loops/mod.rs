//! Loops: how they are built, and the passes over them.

mod build;
mod collect;
mod separate;
mod simplify;

pub use build::Rounds;
pub(crate) use collect::collect;
pub(crate) use separate::separate;
pub(crate) use simplify::simplify;
