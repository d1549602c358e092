//! The memory in which one call runs. One of the few modules with `unsafe`.

use std::ops::Range;
use std::sync::atomic::AtomicU64;

use castnet_kernels::StepScalars;
use castnet_program::program::Place;
use castnet_program::program::ending::Placement;
use castnet_program::types::DType;

use super::binding::Binding;
use super::ending::EndingWork;
use super::phases::Phases;
use super::profiled::Profiled;
use super::run::Execution;
use crate::memory::{Memory, Shared};
use crate::pool;
use crate::recorder::Call;
use crate::verdict::RIGHT;

/// Where the operands of a call lie.
pub(crate) struct Bases<'a> {
    /// The memory of a model: the flat arena of parameters, and their mirrors.
    pub(crate) parameters: Shared<u8>,
    /// The flat arena of gradients; null for an inference program.
    pub(crate) gradients: Shared<u8>,
    pub(crate) argument: &'a dyn Fn(usize) -> Shared<u8>,
    pub(crate) result: &'a mut dyn FnMut(usize) -> Shared<u8>,
}

/// Memory for a call of any binding: it grows, and is used again by later calls.
#[derive(Default)]
pub(crate) struct Frame {
    arena: Memory,
    /// The states of the call.
    states: Memory,
    /// The words of the program's checks, and one of what is not finite.
    checks: Memory,
    /// What this step differs from others in.
    scalars: Memory,
    /// A part for each thread that may take part.
    scratch: Memory,
    /// What all of them share while a launch runs.
    shared: Memory,
    /// Room for the sums of squares of an ending.
    squares: Vec<AtomicU64>,
    /// The addresses of all buffers, in the first rounds of loops.
    addresses: Vec<Shared<u8>>,
}

/// Scratch of one thread; no two threads share a cache line or the line that is fetched beside it.
fn scratch_stride(binding: &Binding) -> usize {
    binding.scratch_bytes.next_multiple_of(128)
}

impl Frame {
    /// Makes room for a call by at most so many threads. Allocates nothing if there is.
    ///
    /// # Errors
    /// How many bytes are not to be had.
    pub(crate) fn make_room(&mut self, binding: &Binding, threads: usize) -> Result<(), usize> {
        for (memory, bytes) in [
            (&mut self.arena, binding.arena_bytes),
            (&mut self.scratch, threads.saturating_mul(scratch_stride(binding))),
            (&mut self.shared, binding.shared_bytes),
            (&mut self.states, binding.states.bytes),
            (&mut self.checks, 8 * (binding.words + 1)),
            (&mut self.scalars, size_of::<StepScalars>()),
        ] {
            if !memory.grow(bytes) {
                return Err(bytes);
            }
        }
        self.addresses.resize(binding.homes.len(), Shared::new(std::ptr::null_mut()));
        Ok(())
    }

    /// Makes room for an ending.
    pub(crate) fn make_room_for_ending(&mut self, binding: &Binding, placement: Placement) {
        let pieces = binding.phases(Some(placement)).map_or(0, |phases| phases.pieces().len());
        if self.squares.len() < pieces {
            self.squares.resize_with(pieces, AtomicU64::default);
        }
    }

    /// The states of the call, which lie where the binding says.
    pub(crate) fn states(&self) -> &[u8] {
        self.states.slice()
    }

    /// The same, to be written before it runs.
    pub(crate) fn states_mut(&mut self) -> &mut [u8] {
        self.states.slice_mut()
    }

    /// Gets ready for a run: nothing is wrong yet, and it begins with these scalars. `fill`: a byte for all of the arena.
    pub(crate) fn begin(&mut self, scalars: StepScalars, fill: Option<u8>) {
        if let Some(byte) = fill {
            self.arena.slice_mut::<u8>().fill(byte);
        }
        self.checks.slice_mut::<i64>().fill(RIGHT);
        let frame: *mut StepScalars = self.scalars.as_mut_ptr().cast();
        // SAFETY: `make_room` made room for it, on a cache line.
        unsafe { frame.write(scalars) };
    }

    /// Writes the address of every buffer.
    pub(crate) fn place(&mut self, binding: &Binding, bases: Bases<'_>) {
        let (arena, states, checks) = (self.arena.as_mut_ptr(), self.states.as_mut_ptr(), self.checks.as_mut_ptr());
        for (address, home) in self.addresses.iter_mut().zip(&binding.homes) {
            let base = match home.place {
                Place::Argument(i) => (bases.argument)(i).0,
                Place::Result(i) => (bases.result)(i).0,
                Place::Parameter(_) | Place::Mirror(_) => bases.parameters.0,
                Place::Gradient(_) => bases.gradients.0,
                Place::State(_) => states,
                Place::Check(_) => checks,
                Place::Arena(_) => arena,
            };
            *address = Shared::new(base.wrapping_add(home.start));
        }
    }

    /// Runs some phases on the pool, with an ending if they have one, as a call that is recorded if it is. Allocates nothing.
    ///
    /// # Errors
    /// The message of a kernel (or an optimizer of the user's) that panics.
    ///
    /// # Safety
    /// All was [placed](Frame::place) for this binding where it still is: parameters as long as a model's, gradients as a flat arena, arguments and
    /// results of the types that the binding is of. Nobody else uses what is written; parameters may be read by several calls at once if
    /// none updates them.
    pub(crate) unsafe fn run(
        &mut self,
        binding: &Binding,
        phases: &Phases,
        some: Range<usize>,
        ending: Option<&dyn EndingWork>,
        call: Option<&Call>,
    ) -> Result<(), String> {
        let scratch_stride = scratch_stride(binding);
        // A kernel without scratch leaves the number of threads open.
        let limit = self.scratch.len().checked_div(scratch_stride).unwrap_or(usize::MAX);
        let execution = Execution {
            phases,
            kernels: &binding.kernels,
            is_shared: binding.is_shared,
            addresses: &self.addresses,
            strides: &binding.strides,
            squares: &self.squares,
            scalars: Shared::new(self.scalars.as_mut_ptr().cast()),
            scratch: Shared::new(self.scratch.as_mut_ptr()),
            scratch_stride,
            shared: Shared::new(self.shared.as_mut_ptr()),
            checks: Shared::new(self.checks.as_mut_ptr().cast()),
            ending,
        };
        match call {
            None => pool::run(some, limit, &execution),
            Some(call) => Profiled::new(&execution, call).run(some, limit),
        }
    }

    /// What the tasks of the last run say: the words of checks, and of what is not finite.
    pub(crate) fn words(&self) -> &[i64] {
        self.checks.slice()
    }

    /// Where a buffer lies in these rounds.
    pub(crate) fn address(&self, binding: &Binding, buffer: usize, rounds: &[u32]) -> *const u8 {
        self.addresses[buffer].0.wrapping_offset(binding.moved(buffer, rounds)).cast_const()
    }

    /// What a buffer of f32 in the arena holds after a run: as the arena is shared, perhaps what came to lie there later.
    pub(crate) fn intermediate(&self, binding: &Binding, buffer: usize, dtype: DType) -> Option<Vec<f32>> {
        let home = &binding.homes[buffer];
        match (&home.place, dtype) {
            (Place::Arena(_), DType::F32) => {
                self.arena.slice().get(home.start / 4..home.start / 4 + home.len).map(<[f32]>::to_vec)
            }
            _ => None,
        }
    }
}
