//! What a castnet network *is*: sizes, operators, the graph, its passes, the memory plan and the program. Pure functions over data.

pub mod diagnostic;
pub mod graph;
pub mod program;
pub mod scalar;
pub mod size;
pub mod types;
