//! One launch, ready to run.

use castnet_program::program::{Family, Launch};
use castnet_program::types::DType;

use crate::BlockKernel;
use crate::epilogue::Epilogue;
use crate::isa::Isa;
use crate::loops::Loops;
use crate::routines::Rows;
use crate::scatter::Scatter;
use crate::tile::TileKernel;

/// What changes from step to step beside the buffers, in memory that a call's kernels and its ending read: what runs stays the same from one step to
/// the next. The numbers of an optimizer's rule, learning rates among them, lie apart, a row a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct StepScalars {
    /// What the keys of `Source::Random` are made of: [`root`](crate::random::root) of seed, function and mode.
    pub root: u64,
    /// The number of the call, from 0; every call draws other numbers.
    pub call: u64,
    /// By what gradients are multiplied before they update anything. At first 1, or 1 ÷ the batches whose mean they are; the ending divides it by `scale`
    /// and multiplies it by what clips the norm. Kernels do not read it.
    pub factor: f64,
    /// What gradients are clipped to, before they are multiplied by anything: -`bound` to `bound`; infinity where nothing is. Kernels do not read it.
    pub bound: f64,
    /// The loss scale: the gradients are those of the loss times this. A power of 2; 1 where nothing is scaled.
    pub scale: f32,
    /// Nothing: the struct is as long as its alignment asks for, and all of it has a value.
    pub padding: u32,
}

impl StepScalars {
    /// Of a call whose gradients are what they are.
    pub const fn new(root: u64, call: u64) -> StepScalars {
        StepScalars { root, call, factor: 1.0, bound: f64::INFINITY, scale: 1.0, padding: 0 }
    }
}

impl Default for StepScalars {
    fn default() -> StepScalars {
        StepScalars::new(0, 0)
    }
}

/// Updates a contiguous run of a parameter in place of storing its gradient.
pub trait Update: Sync {
    /// Takes `gradient`, which belongs to the elements from number `at` on of parameter number `parameter` (in its master layout).
    ///
    /// # Safety
    /// Each element of the parameter is updated by one call only in a run, and nothing else reads or writes it meanwhile.
    unsafe fn update(&self, parameter: usize, at: usize, gradient: Gradient<'_>);
}

/// A run of a finished gradient, in the parameter's type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gradient<'a> {
    /// Of f32.
    F32(&'a [f32]),
    /// Of f64.
    F64(&'a [f64]),
}

impl<'a> From<&'a [f32]> for Gradient<'a> {
    fn from(run: &'a [f32]) -> Gradient<'a> {
        Gradient::F32(run)
    }
}

impl<'a> From<&'a [f64]> for Gradient<'a> {
    fn from(run: &'a [f64]) -> Gradient<'a> {
        Gradient::F64(run)
    }
}

/// Where the buffers of a program lie in some rounds of its loops. A kernel has no other way to an address, so that none can forget the
/// round.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    bases: &'a [*mut u8],
    strides: &'a [isize],
    rounds: &'a [u32],
    shared: *mut u8,
}

// SAFETY: the pointers are only used by `Kernel::run`, whose caller vouches for what lies there and for exclusive access by chunk.
unsafe impl Send for Places<'_> {}
// SAFETY: as above.
unsafe impl Sync for Places<'_> {}

impl<'a> Places<'a> {
    /// `bases`: the start of every buffer in the first rounds of all loops. `strides`: the bytes by which each buffer moves on from one round
    /// to the next; for each buffer as many numbers, one for each loop around a launch, outermost first; empty if the program has no loops.
    /// `rounds`: the round of each loop around the launch.
    pub fn new(bases: &'a [*mut u8], strides: &'a [isize], rounds: &'a [u32]) -> Places<'a> {
        Places { bases, strides, rounds, shared: std::ptr::null_mut() }
    }

    /// With memory of [`Kernel::shared_bytes`] that all chunks of the launch share, on a cache line; what is in it at first means nothing.
    pub fn sharing(self, shared: *mut u8) -> Places<'a> {
        Places { shared, ..self }
    }

    /// Where a buffer starts in this round.
    #[inline]
    pub(crate) fn base(&self, buffer: usize) -> *mut u8 {
        let depth = self.strides.len() / self.bases.len().max(1);
        let strides = &self.strides[buffer * depth..][..depth];
        let moved = strides.iter().zip(self.rounds).map(|(stride, round)| stride * *round as isize).sum();
        self.bases[buffer].wrapping_offset(moved)
    }
}

/// The operands of a run, the same for all its chunks.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Where the buffers lie.
    pub places: Places<'a>,
    /// What changes from step to step.
    pub scalars: &'a StepScalars,
    /// The round of the loops around the launch, counted through; 0 outside.
    pub round: u64,
    /// What takes the gradient where [`Kernel::updates_in_place`] says so; `None`: it is stored.
    pub update: Option<&'a dyn Update>,
}

impl Run<'_> {
    /// Where a buffer starts in this round.
    #[inline]
    pub(crate) fn base(&self, buffer: usize) -> *mut u8 {
        self.places.base(buffer)
    }

    /// What all chunks of the launch share.
    pub(crate) fn shared(&self) -> *mut u8 {
        self.places.shared
    }
}

/// One launch with all sizes resolved.
#[derive(Debug)]
pub struct Kernel(Kind);

#[derive(Debug)]
enum Kind {
    Loops(Box<Loops>),
    Tile(Box<(TileKernel, Epilogue)>),
    Scatter(Box<Scatter>),
    Rows(Box<Rows>),
}

impl Kernel {
    /// Resolves `launch` under a binding of the run-time sizes, of which [`check`](crate::check) let it pass: it may panic else.
    ///
    /// `dtypes` are those of all buffers of the program. `emitted[stage]` is a faster function for that stage, else (also where the slice
    /// is too short) the block interpreter runs it.
    pub fn new(
        launch: &Launch,
        dtypes: &[DType],
        isa: Isa,
        emitted: &[Option<BlockKernel>],
        value: &dyn Fn(&str) -> i64,
    ) -> Kernel {
        let isa = isa.or_portable();
        Kernel(match &launch.family {
            Family::Tile(tile) => {
                let tile = TileKernel::new(tile, &launch.space, dtypes, isa, value);
                let emitted = emitted.first().copied().flatten();
                let epilogue = Epilogue::new(launch, tile.lane(), dtypes, isa, emitted, value);
                Kind::Tile(Box::new((tile, epilogue)))
            }
            Family::Routine { routine, reverse } => {
                Kind::Rows(Box::new(Rows::new(*routine, *reverse, launch, dtypes, value)))
            }
            Family::Scatter(axis) => Kind::Scatter(Box::new(Scatter::new(launch, *axis, dtypes, isa, value))),
            Family::Flat | Family::Row | Family::Column => {
                Kind::Loops(Box::new(Loops::new(launch, dtypes, isa, emitted, value)))
            }
        })
    }

    /// The same over memory in which truth values may be any bytes, as that of a program which nobody vouches for: the lowest bit of each counts.
    pub fn loose(mut self) -> Kernel {
        match &mut self.0 {
            Kind::Loops(loops) => loops.stages.iter_mut().for_each(|stage| stage.loosen()),
            Kind::Tile(both) => both.1.loosen(),
            // Sums are of numbers, and routines take any bytes.
            Kind::Scatter(_) | Kind::Rows(_) => {}
        }
        self
    }

    /// How many parts the launch has, which run one after the other: more than one only where a long reduction is split. Depends on sizes
    /// only, never on threads.
    pub fn parts(&self) -> usize {
        match &self.0 {
            Kind::Loops(loops) => loops.parts(),
            Kind::Tile(_) | Kind::Scatter(_) | Kind::Rows(_) => 1,
        }
    }

    /// The number of pieces of a part that may run side by side: depends on sizes only, never on threads.
    pub fn chunks(&self, part: usize) -> usize {
        match &self.0 {
            Kind::Loops(loops) => loops.chunks(part),
            Kind::Tile(both) => both.0.chunks(),
            Kind::Scatter(scatter) => scatter.chunks(),
            Kind::Rows(rows) => rows.chunks(),
        }
    }

    /// Bytes of scratch that one thread needs.
    pub fn scratch_bytes(&self) -> usize {
        match &self.0 {
            Kind::Loops(loops) => loops.scratch_bytes(),
            Kind::Tile(both) => both.0.scratch_bytes().next_multiple_of(64) + both.1.scratch_bytes(),
            Kind::Scatter(_) | Kind::Rows(_) => 0,
        }
    }

    /// Bytes of memory that all chunks of all parts share: what is reduced so far.
    pub fn shared_bytes(&self) -> usize {
        match &self.0 {
            Kind::Loops(loops) => loops.shared_bytes(),
            Kind::Tile(_) | Kind::Scatter(_) | Kind::Rows(_) => 0,
        }
    }

    /// Whether the kernel hands its result to [`Run::update`] if there is one.
    pub fn updates_in_place(&self) -> bool {
        match &self.0 {
            Kind::Loops(_) | Kind::Scatter(_) | Kind::Rows(_) => false,
            Kind::Tile(both) => both.1.updates_in_place(),
        }
    }

    /// Runs one chunk of a part. Never allocates.
    ///
    /// # Safety
    /// [`check`](crate::check) let the launch pass. `run.places` are buffers of the extents that it was told in this round, aligned as their type
    /// needs; where truth values are read, bytes are 0 or 1 unless it is [`Kernel::loose`]; what is written shares no memory with what else the launch touches, but where
    /// it lies alike and each element is read only where it is written. Chunks of one part may run at the
    /// same time on several threads, each with its own scratch of at least [`Kernel::scratch_bytes`], 64-byte aligned; those of the next part once all
    /// of them are done. What [`Places::sharing`] was
    /// given is the same for all parts and belongs to this run of the launch.
    pub unsafe fn run(&self, part: usize, chunk: usize, run: &Run<'_>, scratch: &mut [u8]) {
        assert!(
            part < self.parts() && chunk < self.chunks(part) && scratch.len() >= self.scratch_bytes(),
            "no such chunk, or too little scratch"
        );
        assert!(self.shared_bytes() == 0 || !run.shared().is_null(), "no memory to share");
        assert!(scratch.as_ptr().cast::<[f32; 16]>().addr().is_multiple_of(64), "scratch is not on a cache line");
        let scratch = scratch.as_mut_ptr();
        // SAFETY: the caller's promise.
        unsafe {
            match &self.0 {
                Kind::Loops(loops) => loops.run(part, chunk, run, scratch),
                Kind::Scatter(scatter) => scatter.run(chunk, run),
                Kind::Rows(rows) => rows.run(chunk, run),
                Kind::Tile(both) => {
                    let (tile, epilogue) = &**both;
                    let own = tile.scratch_bytes();
                    let sink = epilogue.sink(run, scratch.add(own.next_multiple_of(64)));
                    let own = std::slice::from_raw_parts_mut(scratch, own);
                    tile.run(chunk, &|buffer| run.base(buffer), own, &sink);
                }
            }
        }
    }
}
