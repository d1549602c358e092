//! One call of a function: its run-time sizes are bound ([`Call::bind`]), it begins ([`Ready::start`]), runs ([`Running::run`]), and what it did is
//! taken over ([`Done::commit`]). Each step gives what the next one asks for, so there is no other order. Calls side by side share bindings, in which nothing
//! changes; each runs in a workspace of its own.

mod done;
mod ready;
mod sizes;
mod states;
mod strides;
mod workspaces;

use std::sync::{Arc, Mutex, PoisonError};

use castnet_kernels::isa::Isa;
use castnet_program::program::ending::Placement;
use castnet_program::program::{Named, Program};
use castnet_program::rules::Reason;

use crate::array::Array;
use crate::backend::cpu::{Binding, EndingWork, Names, Phases, Profiling};
use crate::error::{Error, Result};
use crate::net::Loaded;
use crate::pool;
use crate::recorder;
use crate::view::{Argument, Given, Output};
pub(crate) use done::Done;
pub(crate) use ready::{Operands, Ready};
use workspaces::{Held, Lease, Workspace, Workspaces};

/// How many bindings of run-time sizes are kept: enough for the batch, the short last batch and those of evaluation.
const KEPT: usize = 4;

/// One program of a net, ready to be called.
pub(crate) struct Executable {
    loaded: Arc<Loaded>,
    function: usize,
    training: bool,
    /// The run-time sizes, behind them the strides that calls tell.
    symbols: Vec<Arc<str>>,
    /// How many of them are sizes.
    sizes: usize,
    /// The latest first.
    kept: Mutex<Vec<Arc<Binding>>>,
    workspaces: Workspaces,
    poison: bool,
    /// What the kernels are compiled for.
    isa: Isa,
}

impl Executable {
    /// One of the programs of a function; nothing is allocated yet.
    ///
    /// # Errors
    /// If it has none of these.
    pub(crate) fn new(loaded: &Arc<Loaded>, function: usize, training: bool) -> Result<Executable> {
        let program = loaded.program(function, training)?;
        let mut symbols = program.symbols();
        let sizes = symbols.len();
        symbols.extend(program.hidden());
        Ok(Executable {
            loaded: loaded.clone(),
            function,
            training,
            symbols,
            sizes,
            kept: Mutex::default(),
            workspaces: Workspaces::new(),
            poison: false,
            isa: Isa::detect(),
        })
    }

    /// The same anew, by kernels of another instruction set. `poison`: whether the arena is filled with ones, which as floats are NaN, before every
    /// run: what reads before it writes shows.
    pub(crate) fn remade(&self, isa: Isa, poison: bool) -> Result<Executable> {
        let new = Executable::new(&self.loaded, self.function, self.training)?;
        Ok(Executable { isa: isa.or_portable(), poison, ..new })
    }

    /// The instruction set of its kernels.
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poison
    }

    /// The program.
    pub(crate) fn program(&self) -> Result<&Program> {
        self.loaded.program(self.function, self.training)
    }

    /// Begins a call, in a workspace that is idle.
    pub(crate) fn call(&self) -> Call<'_> {
        Call { executable: self, workspace: self.workspaces.lease() }
    }

    fn names(&self) -> Names<'_> {
        Names { all: &self.symbols, sizes: self.sizes }
    }

    /// A call for the profiler.
    #[cold]
    fn profile(
        &self,
        binding: &Binding,
        phases: &Phases,
        placement: Option<Placement>,
        ending: Option<&dyn EndingWork>,
    ) -> Option<recorder::Call> {
        let (loaded, function, training) = (&*self.loaded, self.function, self.training);
        let program = self.program().ok()?;
        let names = self.names();
        Profiling { loaded, function, training, program, names, binding, phases, placement, ending }.begin()
    }

    /// The binding of these values: of several calls that miss it one makes it, and the others wait.
    fn binding(&self, values: &[i64]) -> Result<Arc<Binding>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match kept.iter().position(|binding| binding.values == values) {
            Some(at) => at,
            None => {
                let names = self.names();
                let binding = Binding::new(&self.loaded, self.function, self.training, names, values, self.isa)?;
                kept.truncate(KEPT - 1);
                kept.push(Arc::new(binding));
                kept.len() - 1
            }
        };
        kept[..=at].rotate_right(1);
        Ok(kept[0].clone())
    }

    /// What a buffer of this name, of f32, holds after the last call: as the arena is shared, perhaps what came to lie there later.
    pub(crate) fn intermediate(&self, name: &str) -> Option<Vec<f32>> {
        let buffers = &self.program().ok()?.buffers;
        let number = buffers.iter().position(|b| b.name == name)?;
        let workspace = self.workspaces.lease();
        workspace.frame.intermediate(&workspace.held.first()?.binding, number, buffers[number].dtype)
    }
}

/// A call of which nothing is known yet.
pub(crate) struct Call<'e> {
    executable: &'e Executable,
    workspace: Lease<'e>,
}

impl<'e> Call<'e> {
    /// Binds the run-time sizes to these arguments. Allocates nothing for a binding that the workspace has kept.
    ///
    /// # Errors
    /// If the arguments do not fit, or there is no memory.
    pub(crate) fn bind(self, args: &[&Array]) -> Result<Ready<'e>> {
        self.bind_into(args, None)
    }

    /// The same of a call that says where its results go.
    ///
    /// # Errors
    /// If arguments, places for results or donations do not fit, or there is no memory.
    pub(crate) fn bind_views(mut self, args: &[Argument<'_>], results: &[Output<'_>]) -> Result<Ready<'e>> {
        self.check_views(args, results)?;
        self.bind_into(args, Some(results))
    }

    /// `results`: where they go, if the call says so; they were found to be of their types.
    fn bind_into<A: Given>(mut self, args: &[A], results: Option<&[Output<'_>]>) -> Result<Ready<'e>> {
        let executable = self.executable;
        let (program, loaded) = (executable.program()?, &executable.loaded);
        let place = |reason: &Reason| loaded.place_at(reason.loc, &reason.name);
        let symbols = &executable.symbols[..executable.sizes];
        let Workspace { frame, values, strides, held, .. } = &mut *self.workspace;
        sizes::bind(program, symbols, args, values)?;
        // Before the rules: that there is nothing says more than what nothing breaks.
        if let Some(error) = sizes::zero(program, symbols, args, values) {
            return Err(error);
        }
        strides.clear();
        strides::bind(program, args, results, &|name| values[sizes::position(symbols, name)], strides)?;
        sizes::check(program, symbols, args, values, false, &place)?;
        values.extend_from_slice(strides);
        let at = match held.iter().position(|held| held.binding.values == *values) {
            Some(at) => at,
            None => {
                let binding = executable.binding(values)?;
                // A step's results are not the caller's.
                let results = if executable.training { binding.new_results(program)? } else { vec![] };
                held.truncate(KEPT - 1);
                held.push(Held { binding, results });
                held.len() - 1
            }
        };
        held[..=at].rotate_right(1);
        let binding = &held[0].binding;
        if let Err(bytes) = frame.make_room(binding, pool::threads()) {
            // With the memory of its results.
            held.remove(0);
            executable.forget(values);
            return Err(Error::Memory { function: program.name.clone(), bytes });
        }
        Ok(Ready::new(executable, program, self.workspace))
    }

    /// The results of a call of which nothing is to be computed, as all of them are empty: a run-time size is 0, or no element is left of a
    /// part, such as `x[1..]` of one.
    ///
    /// # Errors
    /// If the arguments do not fit.
    pub(crate) fn empty_results<A: Given>(&mut self, args: &[A]) -> Result<Option<Vec<Array>>> {
        let executable = self.executable;
        let (program, symbols) = (executable.program()?, &executable.symbols[..executable.sizes]);
        if !args.iter().any(|array| array.is_empty()) && !program.rules.iter().any(|rule| rule.not_empty) {
            return Ok(None);
        }
        let place = |reason: &Reason| executable.loaded.place_at(reason.loc, &reason.name);
        let values = &mut self.workspace.values;
        sizes::bind(program, symbols, args, values)?;
        let Some(shapes) = sizes::empty_results(program, symbols, values) else { return Ok(None) };
        sizes::check(program, symbols, args, values, true, &place)?;
        let array = |(named, shape): (&Named, Vec<usize>)| Array::try_zeros_of(named.ty.dtype, &shape);
        program.results.iter().zip(shapes).map(array).collect::<Result<_>>().map(Some)
    }

    /// That a call's places for results are of their types, and its donations such as the program takes.
    ///
    /// # Errors
    /// If one is not, or the arguments do not fit.
    pub(crate) fn check_views(&mut self, args: &[Argument<'_>], results: &[Output<'_>]) -> Result<()> {
        let executable = self.executable;
        let (program, symbols) = (executable.program()?, &executable.symbols[..executable.sizes]);
        let values = &mut self.workspace.values;
        sizes::bind(program, symbols, args, values)?;
        strides::check_outputs(program, args, results, &|name| values[sizes::position(symbols, name)])
    }
}

impl Executable {
    /// Lets the memory of a binding go.
    fn forget(&self, values: &[i64]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|binding| binding.values != values);
    }
}
