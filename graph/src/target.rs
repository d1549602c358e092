//! What programs are compiled for.

use crate::decompose::{self, Has};
use crate::net::Backend;

/// A machine that programs are compiled for, as far as passes ask.
pub trait Target {
    /// Who runs the programs.
    fn backend(&self) -> Backend;

    /// Of which primitives it has kernels, beside those that every target must have.
    fn has(&self) -> Has;

    /// How many tasks may run side by side at most. The plan of memory takes fewer if so many cost too much of it.
    fn streams(&self) -> u32 {
        1
    }

    /// Places are multiples of so many bytes where that costs little.
    fn align(&self) -> i64;
}

/// The CPU: chunks of one task side by side, one task after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Target for Cpu {
    fn backend(&self) -> Backend {
        Backend::Cpu
    }

    fn has(&self) -> Has {
        decompose::NOTHING
    }

    /// A cache line.
    fn align(&self) -> i64 {
        64
    }
}
