//! Loops: how they are built, and the passes over them.

mod build;

pub use build::Rounds;
