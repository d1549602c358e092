//! What a compiled castnet network *is*: sizes, element types, scalar code, programs with their launches and buffers, and nets of them. Complete
//! data that the compiler writes, and all that kernels and the runtime read.

mod bytes;
pub mod function;
pub mod net;
pub mod program;
pub mod reduction;
pub mod routine;
pub mod rules;
pub mod scalar;
pub mod size;
pub mod spelling;
pub mod types;
pub mod update;
pub mod whole;
