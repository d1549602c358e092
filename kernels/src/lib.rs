//! The numeric skeletons of castnet: what runs a [`Launch`](castnet_program::program::Launch) on the CPU.
//!
//! [`Kernel::new`] resolves every size of a launch; [`Kernel::run`] then runs one chunk of it, on any thread, without allocating. What a
//! stage computes comes either from the block interpreter or from a [`BlockKernel`] that [`block_kernel!`] printed: both give the same
//! bits. Every hot loop is compiled for each [`isa::Isa`] and chosen at run time.

mod access;
mod check;
mod cost;
mod dims;
mod emitted;
mod epilogue;
mod interpreter;
pub mod isa;
mod kernel;
mod look_up;
mod loops;
pub mod math;
pub mod mirror;
mod operand;
pub mod random;
mod reduce;
mod routines;
mod scatter;
mod split;
mod stage;
mod strided;
mod tile;
mod totals;
mod transfer;
mod transpose;
pub mod update;
mod worker;

#[doc(hidden)]
pub use castnet_program::types::DType as __DType;
pub use check::{Extent, Refused, check};
pub use emitted::{BlockFn, BlockKernel};
#[doc(hidden)]
pub use emitted::{LANES as __LANES, give as __give, room as __room, take as __take};
pub use kernel::{Gradient, Kernel, Places, Run, StepScalars, Update};
pub use tile::multiply_adds;
