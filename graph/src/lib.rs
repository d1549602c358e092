//! What a castnet network *is*: sizes, operators, the graph, its passes, the memory plan and the program. Pure functions over data.

pub mod arith;
pub mod attention;
pub mod budget;
pub mod builder;
pub mod bytes;
pub mod call;
pub mod check;
mod checks;
pub mod compile;
pub mod cuda;
pub mod decompose;
pub mod diagnostic;
pub mod explain;
mod functions;
pub mod fuse;
pub mod grad;
pub mod graph;
mod indices;
pub mod layers;
pub mod loops;
pub mod number;
pub mod ops;
pub mod optimise;
pub mod plan;
mod primitives;
pub mod printer;
mod ranges;
pub mod recompute;
pub mod reference;
pub(crate) mod routines;
pub mod text;
pub mod verify;
pub mod visits;

pub use castnet_program::{net, program, routine, rules, scalar, size, spelling, types};
