//! A program that runs: run-time sizes bound, memory allocated, kernels resolved.

mod apart;
mod bind;
mod bound;
mod checks;
mod in_place;
mod phases;
mod rounds;
mod run;
mod states;
mod strides;

use std::sync::Arc;

use castnet_kernels::StepScalars;
use castnet_kernels::isa::Isa;
use castnet_program::program::ending::Placement;
use castnet_program::program::{Named, Place, Program};
use castnet_program::rules::Reason;
use castnet_program::types::DType;

use crate::array::Array;
use crate::error::{Error, Result};
use crate::memory::{Memory, Shared};
use crate::net::Loaded;
use crate::view::{Argument, Given, Output};
use bound::{Bound, Names};
pub(crate) use phases::Phases;
pub(crate) use rounds::EndingPhase;
pub(crate) use run::{Operands, run_ending};

/// How many bindings of run-time sizes a session keeps: enough for the batch, the short last batch and those of evaluation.
const KEPT: usize = 4;

/// One program of a model with the memory that it runs in.
pub(crate) struct Session {
    loaded: Arc<Loaded>,
    function: usize,
    training: bool,
    /// The run-time sizes, behind them the strides that calls tell.
    symbols: Vec<Arc<str>>,
    /// How many of them are sizes.
    sizes: usize,
    /// The values of the present call.
    values: Vec<i64>,
    /// Those of its strides.
    strides: Vec<i64>,
    /// The latest first.
    kept: Vec<Bound>,
    arena: Memory,
    /// The states of the present call.
    states: Memory,
    /// The words of the program's checks, and one of what is not finite.
    checks: Memory,
    /// What this step differs from others in.
    scalars: Memory,
    /// A part for each thread that may take part.
    scratch: Memory,
    /// What all of them share while a launch runs.
    shared: Memory,
    scratch_start: Shared<u8>,
    shared_start: Shared<u8>,
    checks_start: Shared<i64>,
    scalars_start: Shared<StepScalars>,
    /// The addresses of all buffers, in the first rounds of loops.
    addresses: Vec<Shared<u8>>,
    poison: bool,
    /// What the kernels are compiled for.
    isa: Isa,
}

impl Session {
    /// A session of one of the programs of a function; nothing is allocated yet.
    pub(crate) fn new(loaded: &Arc<Loaded>, function: usize, training: bool) -> Result<Session> {
        let program = loaded.program(function, training)?;
        let mut symbols = program.symbols();
        let sizes = symbols.len();
        symbols.extend(program.hidden());
        Ok(Session {
            loaded: loaded.clone(),
            function,
            training,
            symbols,
            sizes,
            values: Vec::new(),
            strides: Vec::new(),
            kept: Vec::new(),
            arena: Memory::default(),
            states: Memory::default(),
            checks: Memory::default(),
            scalars: Memory::default(),
            scratch: Memory::default(),
            shared: Memory::default(),
            scratch_start: Shared::new(std::ptr::null_mut()),
            shared_start: Shared::new(std::ptr::null_mut()),
            checks_start: Shared::new(std::ptr::null_mut()),
            scalars_start: Shared::new(std::ptr::null_mut()),
            addresses: Vec::new(),
            poison: false,
            isa: Isa::detect(),
        })
    }

    /// The program.
    pub(crate) fn program(&self) -> Result<&Program> {
        self.loaded.program(self.function, self.training)
    }

    /// Fills the arena with ones, which as floats are NaN, before every run from now on: what reads before it writes shows.
    pub(crate) fn poison(&mut self, poison: bool) {
        self.poison = poison;
    }

    /// Kernels of another instruction set from now on.
    pub(crate) fn use_instruction_set(&mut self, isa: Isa) {
        self.isa = isa.or_portable();
        self.kept.clear();
    }

    /// Binds the run-time sizes to these arguments and gets everything ready for [`Session::run`]. Allocates nothing for a binding
    /// that it has kept.
    ///
    /// # Errors
    /// If the arguments do not fit, or there is no memory.
    pub(crate) fn prepare(&mut self, args: &[&Array]) -> Result<()> {
        self.prepare_into(args, None)
    }

    /// As [`Session::prepare`], with what a call gives for its arguments and, if it does, for its results, which were found to be of their types.
    fn prepare_into<A: Given>(&mut self, args: &[A], results: Option<&[Output<'_>]>) -> Result<()> {
        let program = self.loaded.program(self.function, self.training)?;
        let place = |reason: &Reason| self.loaded.place_at(reason.loc, &reason.name);
        let symbols = &self.symbols[..self.sizes];
        bind::bind(program, symbols, args, &mut self.values)?;
        // Before the rules: that there is nothing says more than what nothing breaks.
        if let Some(error) = bind::zero(program, symbols, args, &self.values) {
            return Err(error);
        }
        let mut strides = std::mem::take(&mut self.strides);
        strides.clear();
        let bound =
            strides::bind(program, args, results, &|name| self.values[bind::position(symbols, name)], &mut strides);
        self.strides = strides;
        bound?;
        bind::check(program, symbols, args, &self.values, false, &place)?;
        self.values.extend_from_slice(&self.strides);
        let at = match self.kept.iter().position(|b| b.values == self.values) {
            Some(at) => at,
            None => {
                let names = Names { all: &self.symbols, sizes: self.sizes };
                let bound = Bound::new(&self.loaded, self.function, self.training, names, &self.values, self.isa)?;
                self.kept.truncate(KEPT - 1);
                self.kept.push(bound);
                self.kept.len() - 1
            }
        };
        self.kept[..=at].rotate_right(1);
        let bound = &self.kept[0];
        let (arena, scratch) = (bound.arena_bytes, self.threads().saturating_mul(Session::scratch_stride(bound)));
        let (shared, states, checks) = (bound.shared_bytes, bound.states.bytes, 8 * (program.words() + 1));
        for (memory, bytes) in [
            (&mut self.arena, arena),
            (&mut self.scratch, scratch),
            (&mut self.shared, shared),
            (&mut self.states, states),
            (&mut self.checks, checks),
            (&mut self.scalars, size_of::<StepScalars>()),
        ] {
            if !memory.grow(bytes) {
                // With the memory of its results.
                self.kept.remove(0);
                return Err(Error::Memory { function: program.name.clone(), bytes });
            }
        }
        self.addresses.resize(bound.homes.len(), Shared::new(std::ptr::null_mut()));
        Ok(())
    }

    /// The results of a call of which nothing is to be computed, as all of them are empty: a run-time size is 0, or no element is left of a
    /// part, such as `x[1..]` of one.
    ///
    /// # Errors
    /// If the arguments do not fit.
    pub(crate) fn empty_results<A: Given>(&mut self, args: &[A]) -> Result<Option<Vec<Array>>> {
        let program = self.loaded.program(self.function, self.training)?;
        let symbols = &self.symbols[..self.sizes];
        if !args.iter().any(|array| array.is_empty()) && !program.rules.iter().any(|rule| rule.not_empty) {
            return Ok(None);
        }
        let place = |reason: &Reason| self.loaded.place_at(reason.loc, &reason.name);
        bind::bind(program, symbols, args, &mut self.values)?;
        let Some(shapes) = bind::empty_results(program, symbols, &self.values) else { return Ok(None) };
        bind::check(program, symbols, args, &self.values, true, &place)?;
        let array = |(named, shape): (&Named, Vec<usize>)| Array::try_zeros_of(named.ty.dtype, &shape);
        program.results.iter().zip(shapes).map(array).collect::<Result<_>>().map(Some)
    }

    /// Binds the run-time sizes and strides of a call that says where its results go, as [`Session::prepare`] does.
    ///
    /// # Errors
    /// If arguments, places for results or donations do not fit, or there is no memory.
    pub(crate) fn prepare_views(&mut self, args: &[Argument<'_>], results: &[Output<'_>]) -> Result<()> {
        self.check_views(args, results)?;
        self.prepare_into(args, Some(results))
    }

    /// That a call's places for results are of their types, and its donations such as the program takes.
    ///
    /// # Errors
    /// If one is not, or the arguments do not fit.
    pub(crate) fn check_views(&mut self, args: &[Argument<'_>], results: &[Output<'_>]) -> Result<()> {
        let program = self.loaded.program(self.function, self.training)?;
        let symbols = &self.symbols[..self.sizes];
        bind::bind(program, symbols, args, &mut self.values)?;
        strides::check_outputs(program, args, results, &|name| self.values[bind::position(symbols, name)])
    }

    fn threads(&self) -> usize {
        crate::pool::threads()
    }

    /// Scratch of one thread; no two threads share a cache line or the line that is fetched beside it.
    fn scratch_stride(bound: &Bound) -> usize {
        bound.scratch_bytes.next_multiple_of(128)
    }

    /// New arrays for the results of the prepared call.
    pub(crate) fn new_results(&self) -> Result<Vec<Array>> {
        let program = self.program()?;
        self.bound()?.new_results(program)
    }

    /// The session's own arrays for the results; to be given back after the run.
    pub(crate) fn take_results(&mut self) -> Vec<Array> {
        self.kept.first_mut().map(|b| std::mem::take(&mut b.own_results)).unwrap_or_default()
    }

    /// Gives the arrays of [`Session::take_results`] back.
    pub(crate) fn give_results_back(&mut self, results: Vec<Array>) {
        if let Some(bound) = self.kept.first_mut() {
            bound.own_results = results;
        }
    }

    /// What a buffer of this name, of f32, holds after a run: as the arena is shared, perhaps what came to lie there later.
    pub(crate) fn intermediate(&self, name: &str) -> Option<Vec<f32>> {
        let program = self.program().ok()?;
        let number = program.buffers.iter().position(|b| b.name == name)?;
        let home = &self.kept.first()?.homes[number];
        match (&home.place, program.buffers[number].dtype) {
            (Place::Arena(_), DType::F32) => {
                self.arena.slice().get(home.start / 4..home.start / 4 + home.len).map(<[f32]>::to_vec)
            }
            _ => None,
        }
    }

    fn bound(&self) -> Result<&Bound> {
        self.kept.first().ok_or_else(|| self.not_prepared("a call"))
    }

    /// What runs in the prepared call, with an ending of this place or without one.
    fn phases(&self, placement: Option<Placement>) -> Result<&Phases> {
        self.bound()?.phases(placement).ok_or_else(|| self.not_prepared("an ending"))
    }

    fn not_prepared(&self, what: &str) -> Error {
        Error::BadNet { net: self.loaded.net.name.clone(), what: format!("{what} that was not prepared") }
    }
}
