//! What programs are compiled for.

use crate::decompose::{self, Has};
use crate::fuse::conv_panels;
use crate::layouts::{Use, Uses};
use crate::net::Backend;
use crate::program::Layout;

/// A machine that programs are compiled for, as far as passes ask.
pub trait Target {
    /// Who runs the programs.
    fn backend(&self) -> Backend;

    /// Of which primitives it has kernels, beside those that every target must have.
    fn has(&self) -> Has;

    /// How a parameter of this shape lies that is used so.
    fn layout(&self, shape: &[i64], uses: &Uses) -> Layout;

    /// In which other layout it lies besides, for what is done with it so, if in another one at all: such a mirror takes memory, and every
    /// update writes it. Where it is asked for several layouts of one parameter, that of the first use counts.
    fn mirror(&self, _shape: &[i64], _uses: &Uses, _of: Use) -> Option<Layout> {
        None
    }

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

    /// Panels for what products and convolutions read as weights; rows that are looked up lie one behind the other. Steps of training read
    /// weights both ways, so what counts is the way of inference.
    fn layout(&self, shape: &[i64], uses: &Uses) -> Layout {
        let is_used = |of| uses.inference.contains(&of);
        match shape.len() {
            rank @ 3.. if is_used(Use::Convolution) => conv_panels(rank),
            2 if is_used(Use::ProductTransposed) && !is_used(Use::Gather) => Layout::Panels(vec![1]),
            _ => Layout::Plain,
        }
    }

    /// A cache line.
    fn align(&self) -> i64 {
        64
    }
}
