//! A program with its run-time sizes bound: what runs, in order, and where everything lies.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use castnet_graph::program::{ArenaClass, Launch, Place, Program, Step};
use castnet_graph::size::Size;
use castnet_graph::types::Type;
use castnet_kernels::Kernel;
use castnet_kernels::isa::Isa;

use crate::array::Array;
use crate::error::{Error, Result};
use crate::flat::Piece;
use crate::net::Loaded;
use crate::pool::MAX_CHUNKS;

/// One launch in one round.
pub(super) struct Phase {
    /// Index into the program's launches.
    pub(super) launch: usize,
    /// The round of the repeats around it, counted through; 0 outside.
    pub(super) round: usize,
    /// If its gradient may be taken by an optimizer at once: where the parameter starts in the flat arena.
    pub(super) update: Option<usize>,
}

/// Where a buffer lies, in bytes from what its place refers to.
pub(super) struct Home {
    pub(super) place: Place,
    pub(super) start: usize,
    /// From one round to the next.
    pub(super) stride: isize,
    /// Elements in one round.
    pub(super) len: usize,
}

/// A program under one binding of its run-time sizes.
pub(super) struct Bound {
    /// The run-time sizes, in the order of the program's symbols.
    pub(super) values: Vec<i64>,
    pub(super) kernels: Vec<Kernel>,
    pub(super) phases: Vec<Phase>,
    /// Chunks of each phase, and of those that may be added behind.
    pub(super) counts: Vec<u32>,
    /// A home a buffer.
    pub(super) homes: Vec<Home>,
    pub(super) rounds: usize,
    pub(super) arena_bytes: usize,
    pub(super) scratch_bytes: usize,
    /// Shapes of the results.
    pub(super) results: Vec<Vec<usize>>,
    /// Results that are used again and again.
    pub(super) own_results: Vec<Array>,
    /// The parameters that the function reaches and no phase can update in place.
    pub(super) updated_last: Arc<[Piece]>,
}

/// Evaluates sizes, and notes if a name has no value.
struct Sizes<'a> {
    program: &'a Program,
    symbols: &'a [Arc<str>],
    values: &'a [i64],
    unknown: Cell<bool>,
    /// Something is larger than any memory.
    huge: Cell<bool>,
}

impl Sizes<'_> {
    fn value(&self, name: &str) -> i64 {
        let at = self.symbols.iter().position(|s| **s == *name);
        self.unknown.set(self.unknown.get() || at.is_none());
        at.map_or(1, |i| self.values[i])
    }

    fn eval(&self, size: &Size) -> i64 {
        // Far from the end of i64, so that nothing computed from sizes overflows.
        const LIMIT: f64 = (1u64 << 50) as f64;
        let magnitude = size.terms().iter().map(|(m, c)| {
            let names = m.0.iter().map(|name| self.value(name) as f64);
            (*c as f64).abs() * names.product::<f64>()
        });
        if magnitude.sum::<f64>() > LIMIT {
            self.huge.set(true);
            return 0;
        }
        size.eval(&|name| self.value(name))
    }

    /// Bytes of `floats` floats of a class.
    fn bytes(&self, class: &ArenaClass, floats: i64) -> Result<usize> {
        Ok(4 * self.length(&(&class.monomial * &floats.into()), "the arena")?)
    }

    /// The value of a size that must not be negative.
    fn length(&self, size: &Size, what: &str) -> Result<usize> {
        let found = self.eval(size);
        usize::try_from(found).map_err(|_| {
            let sizes: Vec<_> = self.symbols.iter().zip(self.values).map(|(s, v)| format!("{s} = {v}")).collect();
            let (function, what) = (self.program.name.clone(), what.to_string());
            Error::NegativeSize { function, sizes: sizes.join(", "), what, found }
        })
    }

    fn elements(&self, ty: &Type, what: &str) -> Result<usize> {
        self.length(&ty.len(), what)
    }
}

impl Bound {
    /// Resolves everything. Allocates; done once a binding.
    pub(super) fn new(
        loaded: &Loaded,
        function: usize,
        training: bool,
        symbols: &[Arc<str>],
        values: &[i64],
    ) -> Result<Bound> {
        let program = loaded.program(function, training)?;
        let sizes = Sizes { program, symbols, values, unknown: Cell::new(false), huge: Cell::new(false) };
        let mut phases = Vec::new();
        flatten(&program.schedule, 0, &mut phases);
        let rounds = phases.iter().map(|p| p.round + 1).max().unwrap_or(1);

        let mut class_starts = Vec::with_capacity(program.arena.len() + 1);
        let mut arena_bytes = 0;
        for class in &program.arena {
            class_starts.push(arena_bytes);
            arena_bytes += sizes.bytes(class, class.height)?;
        }
        class_starts.push(arena_bytes);

        let mut homes = Vec::with_capacity(program.buffers.len());
        for buffer in &program.buffers {
            let width = buffer.dtype.bytes();
            let start = match buffer.place {
                Place::Argument(_) | Place::Result(_) => 0,
                Place::Parameter(i) | Place::Gradient(i) => 4 * loaded.offsets[i],
                Place::Arena { class, offset } => class_starts[class] + sizes.bytes(&program.arena[class], offset)?,
            };
            let home = Home {
                place: buffer.place.clone(),
                start,
                stride: sizes.eval(&buffer.round_stride) as isize * width as isize,
                len: sizes.length(&buffer.size, &buffer.name)?,
            };
            let whole = match buffer.place {
                Place::Argument(i) => sizes.elements(&program.arguments[i].ty, &buffer.name)? * width,
                Place::Result(i) => sizes.elements(&program.results[i].ty, &buffer.name)? * width,
                Place::Parameter(_) | Place::Gradient(_) => 4 * loaded.floats,
                Place::Arena { class, .. } => class_starts[class + 1],
            };
            let last = home.stride * (rounds as isize - 1);
            let first = home.start as isize + last.min(0);
            let end = home.start as isize + last.max(0) + (home.len * width) as isize;
            if first < 0 || end > whole as isize {
                let what = format!("{}: buffer `{}` ends beyond its place", program.name, buffer.name);
                return Err(Error::BadNet { net: loaded.net.name.clone(), what });
            }
            homes.push(home);
        }

        for launch in &program.launches {
            for size in launch.space.iter().chain(&launch.reduce) {
                sizes.length(size, &launch.name)?;
            }
        }
        let results = |named: &castnet_graph::program::Named| {
            named.ty.shape.iter().map(|s| sizes.length(s, &named.name)).collect::<Result<Vec<_>>>()
        };
        let results = program.results.iter().map(results).collect::<Result<Vec<_>>>()?;
        let bad = |what: String| Error::BadNet { net: loaded.net.name.clone(), what };
        if sizes.unknown.get() {
            return Err(bad(format!("{} has a run-time size that no argument has", program.name)));
        }
        if sizes.huge.get() {
            return Err(Error::Memory { function: program.name.clone(), bytes: usize::MAX });
        }

        let dtypes: Vec<_> = program.buffers.iter().map(|b| b.dtype).collect();
        let isa = Isa::detect();
        let mut kernels = Vec::with_capacity(program.launches.len());
        for (number, launch) in program.launches.iter().enumerate() {
            let emitted = loaded.emitted(function, training, number);
            let kernel = || Kernel::new(launch, &dtypes, isa, &emitted, &|name| sizes.value(name));
            // A launch that the kernels do not take can only come from a program made by hand.
            let kernel = catch_unwind(AssertUnwindSafe(kernel));
            kernels.push(kernel.map_err(|_| bad(format!("launch `{}` is not valid", launch.name)))?);
        }

        let mut counts: Vec<u32> = Vec::with_capacity(phases.len() + super::ENDING_PHASES);
        for phase in &phases {
            let chunks = kernels[phase.launch].chunks();
            let fits = u32::try_from(chunks).ok().filter(|&c| c <= MAX_CHUNKS);
            counts.push(
                fits.ok_or_else(|| {
                    bad(format!("launch `{}` has {chunks} chunks", program.launches[phase.launch].name))
                })?,
            );
        }
        counts.resize(phases.len() + super::ENDING_PHASES, 0);

        let mut bound = Bound {
            values: values.to_vec(),
            scratch_bytes: kernels.iter().map(Kernel::scratch_bytes).max().unwrap_or(0),
            kernels,
            phases,
            counts,
            homes,
            rounds,
            arena_bytes,
            own_results: Vec::new(),
            results,
            updated_last: Arc::new([]),
        };
        bound.own_results = bound.new_results(program);
        super::in_place::choose(loaded, &loaded.net.functions[function].reaches, &program.launches, &mut bound);
        Ok(bound)
    }

    /// Arrays for the results.
    pub(super) fn new_results(&self, program: &Program) -> Vec<Array> {
        program.results.iter().zip(&self.results).map(|(r, shape)| Array::zeros_of(r.ty.dtype, shape)).collect()
    }

    /// The floats of the flat arena of parameters (or gradients) on which a buffer lies in a round.
    pub(super) fn floats(&self, buffer: usize, round: usize) -> (usize, usize) {
        let home = &self.homes[buffer];
        let start = (home.start as isize + home.stride * round as isize) as usize / 4;
        (start, start + home.len)
    }
}

/// The schedule with its repeats rolled out; `round` is that of the repeats around it.
fn flatten(schedule: &[Step], round: usize, phases: &mut Vec<Phase>) {
    for step in schedule {
        match step {
            Step::Launch(launch) => phases.push(Phase { launch: *launch, round, update: None }),
            Step::Repeat { count, reverse, body } => {
                let count = *count as usize;
                for i in 0..count {
                    let i = if *reverse { count - 1 - i } else { i };
                    flatten(body, round * count + i, phases);
                }
            }
        }
    }
}

/// The launch of a phase.
pub(super) fn launch_of<'p>(launches: &'p [Launch], phase: &Phase) -> &'p Launch {
    &launches[phase.launch]
}
