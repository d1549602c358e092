//! A program with its run-time sizes bound: what runs, in order, and where everything lies.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use castnet_kernels::isa::Isa;
use castnet_kernels::{Extent, Kernel, Refused, check};
use castnet_program::program::ending::Placement;
use castnet_program::program::{Buffer, Launch, Named, Place, Program, Source};
use castnet_program::scalar::Lane;
use castnet_program::size::Size;
use castnet_program::types::Type;

use super::phases::{Phases, Steps};
use super::places::{StatePlaces, Used};
use super::rounds::{Ends, What};
use crate::array::Array;
use crate::error::{Error, Result};
use crate::net::Loaded;
use crate::pool::MAX_CHUNKS;
use crate::verdict::Watch;

/// Where a buffer lies, in bytes from what its place refers to.
pub(super) struct Home {
    pub(super) place: Place,
    pub(super) start: usize,
    /// Elements in one round.
    pub(super) len: usize,
}

/// A program under one binding of its run-time sizes: nothing in it changes, so calls side by side share it.
pub(crate) struct Binding {
    /// The run-time sizes, in the order of the program's symbols, and behind them its strides.
    pub(crate) values: Vec<i64>,
    pub(super) kernels: Vec<Kernel>,
    /// Whether a part of a launch has more than one chunk.
    pub(super) is_shared: bool,
    /// The program without an ending.
    pub(super) alone: Phases,
    pub(super) steps: Steps,
    /// A home a buffer.
    pub(super) homes: Vec<Home>,
    /// For each buffer, by how many bytes it moves on in each round of the loops around a launch: `depth` numbers.
    pub(super) strides: Vec<isize>,
    pub(super) depth: usize,
    pub(super) arena_bytes: usize,
    pub(super) scratch_bytes: usize,
    /// What all threads share in a phase and the next ones of the same launch.
    pub(super) shared_bytes: usize,
    /// Words of the program's checks.
    pub(super) words: usize,
    /// Shapes of the results.
    pub(super) results: Vec<Vec<usize>>,
    /// Where the states lie that it uses, and the bytes of them all.
    pub(super) states: StatePlaces,
}

/// The names of run-time numbers, in the order of their values.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    /// Run-time sizes, behind them strides that calls tell.
    pub(crate) all: &'a [Arc<str>],
    /// How many are sizes.
    pub(crate) sizes: usize,
}

/// Evaluates sizes, and notes if a name has no value.
pub(super) struct Sizes<'a> {
    pub(super) program: &'a Program,
    names: Names<'a>,
    values: &'a [i64],
    unknown: Cell<bool>,
    /// Something is larger than any memory.
    huge: Cell<bool>,
}

impl<'a> Sizes<'a> {
    pub(super) fn new(program: &'a Program, names: Names<'a>, values: &'a [i64]) -> Sizes<'a> {
        Sizes { program, names, values, unknown: Cell::new(false), huge: Cell::new(false) }
    }

    fn value(&self, name: &str) -> i64 {
        let at = self.names.all.iter().position(|s| **s == *name);
        self.unknown.set(self.unknown.get() || at.is_none());
        at.map_or(1, |i| self.values[i])
    }

    /// Whether a run-time size of this name has a value here.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.names.all.iter().any(|s| **s == *name)
    }

    pub(super) fn eval(&self, size: &Size) -> i64 {
        size.eval_within_limit(&|name| self.value(name)).unwrap_or_else(|| {
            self.huge.set(true);
            0
        })
    }

    /// The value of a size that must not be negative.
    pub(super) fn length(&self, size: &Size, what: &str) -> Result<usize> {
        let found = self.eval(size);
        usize::try_from(found).map_err(|_| {
            let named = self.names.all[..self.names.sizes].iter().zip(self.values);
            let sizes: Vec<_> = named.map(|(s, v)| format!("{s} = {v}")).collect();
            let (function, what) = (self.program.name.clone(), what.to_string());
            Error::NegativeSize { function, sizes: sizes.join(", "), what, found }
        })
    }

    /// The elements of a buffer. What lies by strides has those of its argument or result, however they lie.
    fn extent(&self, buffer: &Buffer, home: &Home) -> Extent {
        let mut elements = 0..home.len as i64;
        if let Some(named) = self.program.strided(buffer) {
            elements = 0..1;
            for (stride, size) in buffer.place.strides(named.ty.rank()).iter().zip(&named.ty.shape) {
                let end = self.eval(stride).saturating_mul((self.eval(size) - 1).max(0));
                elements = elements.start.saturating_add(end.min(0))..elements.end.saturating_add(end.max(0));
            }
        }
        Extent { dtype: buffer.dtype, elements }
    }

    fn too_much_work(&self, launch: &Launch, chunks: usize) -> Error {
        let (function, launch) = (self.program.name.clone(), launch.name.clone());
        Error::TooMuchWork { function, launch, chunks, most: MAX_CHUNKS as usize }
    }

    fn elements(&self, ty: &Type, what: &str) -> Result<usize> {
        self.length(&ty.len(), what)
    }
}

impl Binding {
    /// Resolves everything. Allocates; done once a binding.
    pub(crate) fn new(
        loaded: &Loaded,
        function: usize,
        training: bool,
        names: Names<'_>,
        values: &[i64],
        isa: Isa,
    ) -> Result<Binding> {
        let program = loaded.program(function, training)?;
        let sizes = Sizes::new(program, names, values);
        let depth = program.buffers.iter().map(|b| b.strides.len()).max().unwrap_or(0);
        let mut arena_bytes = 0;
        for bytes in &program.arena {
            arena_bytes = arena_bytes.max(sizes.length(bytes, "the arena")?);
        }

        let states = StatePlaces::new(loaded, program, &sizes)?;
        let mut homes = Vec::with_capacity(program.buffers.len());
        let mut strides = Vec::with_capacity(program.buffers.len() * depth);
        for buffer in &program.buffers {
            let width = buffer.dtype.bytes();
            let place = match &buffer.place {
                Place::Argument(_) | Place::Result(_) => 0,
                Place::State(i) => states.starts[*i],
                Place::Check(i) => 8 * i,
                Place::Parameter(i) | Place::Gradient(i) => loaded.float.bytes() * loaded.offsets[*i],
                // `validate` found that there is one.
                Place::Mirror(i) => loaded.mirror(*i, buffer.dtype).unwrap_or(loaded.model_bytes()),
                Place::Arena(offset) => sizes.length(offset, &buffer.name)?,
            };
            if place % width != 0 {
                let what = format!("{}: buffer `{}` lies at byte {place}, between elements", program.name, buffer.name);
                return Err(Error::BadNet { net: loaded.net.name.clone(), what });
            }
            let start = place + sizes.length(&buffer.start, &buffer.name)? * width;
            homes.push(Home { place: buffer.place.clone(), start, len: sizes.length(&buffer.size, &buffer.name)? });
            let moves = buffer.strides.iter().map(|stride| match buffer.place {
                Place::State(i) => states.stride(i, sizes.eval(stride)),
                Place::Parameter(i) | Place::Gradient(i) => loaded.stride(i, sizes.eval(stride)) * width as isize,
                Place::Mirror(i) => loaded.mirror_stride(i, sizes.eval(stride), buffer.dtype),
                _ => sizes.eval(stride) as isize * width as isize,
            });
            strides.extend(moves.chain(std::iter::repeat(0)).take(depth));
        }
        // The bytes of each buffer's place.
        let wholes: Result<Vec<usize>> = program
            .buffers
            .iter()
            .map(|buffer| {
                Ok(match buffer.place {
                    Place::Argument(i) => {
                        sizes.elements(&program.arguments[i].ty, &buffer.name)? * buffer.dtype.bytes()
                    }
                    Place::Result(i) => sizes.elements(&program.results[i].ty, &buffer.name)? * buffer.dtype.bytes(),
                    Place::Parameter(_) | Place::Gradient(_) => loaded.bytes(),
                    Place::Mirror(_) => loaded.model_bytes(),
                    Place::State(_) => states.bytes,
                    Place::Check(_) => 8 * program.words(),
                    Place::Arena(_) => arena_bytes,
                })
            })
            .collect();
        let ends = Ends { sizes: &sizes, homes: &homes, strides: &strides, depth, wholes: &wholes? };
        if let Some(buffer) = ends.beyond(&program.schedule, &mut vec![])? {
            let what = format!("{}: buffer `{}` ends beyond its place", program.name, program.buffers[buffer].name);
            return Err(Error::BadNet { net: loaded.net.name.clone(), what });
        }
        super::apart::check(loaded, &sizes, &homes, &strides, depth)?;

        for launch in &program.launches {
            let dims = launch.space.iter().chain(&launch.reduce).map(|size| sizes.length(size, &launch.name));
            let dims = dims.collect::<Result<Vec<_>>>()?;
            let inputs = launch.stages.iter().flat_map(|stage| stage.inputs.iter().zip(&stage.code.inputs));
            for (source, &lane) in inputs {
                let Source::Index(dim) = source else { continue };
                // `validate` found that there is such a dim.
                if lane == Lane::I32 && dims[*dim] > i32::MAX as usize {
                    let (function, launch) = (program.name.clone(), launch.name.clone());
                    return Err(Error::LongIndex { function, launch, size: dims[*dim] });
                }
            }
        }
        let results =
            |named: &Named| named.ty.shape.iter().map(|s| sizes.length(s, &named.name)).collect::<Result<Vec<_>>>();
        let results = program.results.iter().map(results).collect::<Result<Vec<_>>>()?;
        let bad = |what: String| Error::BadNet { net: loaded.net.name.clone(), what };
        if sizes.unknown.get() {
            return Err(bad(format!("{} has a run-time size that no argument has", program.name)));
        }
        if sizes.huge.get() {
            return Err(Error::Memory { function: program.name.clone(), bytes: usize::MAX });
        }

        let dtypes: Vec<_> = program.buffers.iter().map(|b| b.dtype).collect();
        let mut kernels = Vec::with_capacity(program.launches.len());
        let extents: Vec<Extent> = program.buffers.iter().zip(&homes).map(|(b, home)| sizes.extent(b, home)).collect();
        for (number, launch) in program.launches.iter().enumerate() {
            check(launch, &extents, &|name| sizes.value(name)).map_err(|refused| match refused {
                Refused::Invalid(what) => bad(format!("{}: launch `{}`: {what}", program.name, launch.name)),
                Refused::TooLarge => sizes.too_much_work(launch, usize::MAX),
            })?;
            let emitted = loaded.emitted(function, training, number);
            let kernel = Kernel::new(launch, &dtypes, isa, &emitted, &|name| sizes.value(name));
            kernels.push(if loaded.is_vouched() { kernel } else { kernel.loose() });
        }

        let alone = Phases::new(loaded, &sizes, &kernels, &homes, &program.schedule)?;
        // Of each launch, the most chunks of a part.
        let chunks = |kernel: &Kernel| (0..kernel.parts()).map(|part| kernel.chunks(part)).max().unwrap_or(0);
        let chunks: Vec<usize> = kernels.iter().map(chunks).collect();
        // A launch of more than the pool can count, and how many those are.
        let beyond = chunks.iter().position(|&chunks| chunks > MAX_CHUNKS as usize).map(|at| (at, chunks[at]));

        let binding = Binding {
            values: values.to_vec(),
            scratch_bytes: kernels.iter().map(Kernel::scratch_bytes).max().unwrap_or(0),
            shared_bytes: kernels.iter().map(Kernel::shared_bytes).max().unwrap_or(0),
            kernels,
            is_shared: chunks.iter().any(|&chunks| chunks > 1),
            alone,
            steps: Steps::default(),
            homes,
            strides,
            depth,
            arena_bytes,
            words: program.words(),
            results,
            states,
        };
        if let Some((launch, chunks)) = beyond {
            // Most often there is no memory for what it makes either, which says more.
            binding.new_results(program)?;
            return Err(sizes.too_much_work(&program.launches[launch], chunks));
        }
        Ok(binding)
    }

    /// Arrays for the results.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(crate) fn new_results(&self, program: &Program) -> Result<Vec<Array>> {
        let array = |(r, shape): (&Named, &Vec<usize>)| Array::zeros_for(r.ty.dtype, shape, || program.name.clone());
        program.results.iter().zip(&self.results).map(array).collect()
    }

    /// What may be found wrong in a call with an ending of this place, or without one.
    pub(crate) fn watches(&self, placement: Option<Placement>) -> &[Watch] {
        self.phases(placement).map_or(&[], |phases| &phases.watches)
    }

    /// The launch that is done when a phase has run without an ending, if one is, and the rounds in which it was.
    pub(crate) fn ends(&self, phase: usize, rounds: &mut Vec<u32>) -> Option<usize> {
        rounds.clear();
        match self.alone.schedule.what(phase, |_, _, round| rounds.push(round as u32)) {
            What::Launch { launch, part } => (part + 1 == self.kernels[launch].parts()).then_some(launch),
            What::Ending(_) => None,
        }
    }

    /// The states that the program uses, with where each lies in the frame's.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&Used, Range<usize>)> {
        self.states.used()
    }

    /// How many elements a buffer has in one round.
    pub(crate) fn length(&self, buffer: usize) -> usize {
        self.homes[buffer].len
    }

    /// By how many bytes a buffer moves on in each round of the loops around a launch.
    pub(super) fn strides(&self, buffer: usize) -> &[isize] {
        &self.strides[buffer * self.depth..][..self.depth]
    }

    /// The bytes by which a buffer has moved on in these rounds.
    pub(super) fn moved(&self, buffer: usize, rounds: &[u32]) -> isize {
        self.strides(buffer).iter().zip(rounds).map(|(stride, round)| stride * *round as isize).sum()
    }

    /// The elements of the flat arena of parameters (or gradients), each of so many bytes, on which a buffer lies in these rounds.
    pub(super) fn elements(&self, buffer: usize, rounds: &[u32], bytes: usize) -> (usize, usize) {
        let home = &self.homes[buffer];
        let start = (home.start as isize + self.moved(buffer, rounds)) as usize / bytes;
        (start, start + home.len)
    }
}
