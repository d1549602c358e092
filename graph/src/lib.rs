//! What a castnet network *is*: sizes, operators, the graph, its passes, the memory plan and the program. Pure functions over data.

pub mod arith;
pub mod builder;
pub mod call;
pub mod check;
pub mod compile;
pub mod diagnostic;
pub mod explain;
mod float;
pub mod fuse;
pub mod grad;
pub mod graph;
pub mod layers;
pub mod loops;
pub mod net;
pub mod ops;
pub mod optimise;
pub mod plan;
pub mod printer;
pub mod program;
pub mod recompute;
pub mod reference;
pub mod rules;
pub mod scalar;
pub mod size;
pub mod text;
pub mod types;
pub mod verify;
