//! Running a prepared call on the pool. One of the few modules with `unsafe`.

use std::ops::Range;

use castnet_kernels::{Kernel, Places, Run, StepScalars, Update};
use castnet_program::program::Place;
use castnet_program::program::ending::Placement;
use castnet_program::types::DType;

use super::Session;
use super::bound::Names;
use super::in_place::AtOnce;
use super::phases::Phases;
use super::rounds::What;
use crate::array::Array;
use crate::ending::{Ending, Frame, Outcome};
use crate::error::{Error, Result};
use crate::flat::InPlace;
use crate::memory::{Memory, Shared};
use crate::pool::{self, Work};
use crate::verdict::RIGHT;
use crate::view::{Argument, Given, Output};

/// What a call reads and writes besides the session's own memory.
pub(crate) struct Operands<'a> {
    /// The flat arena of parameters and their mirrors, read only (but for in-place updates).
    pub(crate) parameters: Shared<u8>,
    /// The flat arena of gradients; may be null for an inference program.
    pub(crate) gradients: Shared<u8>,
    /// The caller's arrays, checked by [`Session::prepare`].
    pub(crate) args: &'a [&'a Array],
    /// Arrays of the result's types, from the prepared session.
    pub(crate) results: &'a mut [Array],
    /// What this step differs from others in, as it is when the step begins.
    pub(crate) scalars: StepScalars,
}

/// One run, as the pool sees it.
struct Execution<'a> {
    phases: &'a Phases,
    kernels: &'a [Kernel],
    /// Whether a part of a kernel has more than one chunk.
    is_shared: bool,
    /// The addresses of all buffers, in the first rounds of loops.
    addresses: &'a [Shared<u8>],
    /// By how many bytes they move on.
    strides: &'a [isize],
    scalars: Shared<StepScalars>,
    scratch: Shared<u8>,
    scratch_stride: usize,
    shared: Shared<u8>,
    /// The words of checks.
    checks: Shared<i64>,
    /// Of the phases' schedule, if that has one.
    ending: Option<&'a Ending<'a>>,
}

/// How many loops may stand in each other before a chunk allocates to know its rounds.
const FEW: usize = 16;

impl Work for Execution<'_> {
    fn chunks(&self, phase: usize) -> u32 {
        match self.phases.schedule.what(phase, |_, _, _| ()) {
            // `Bound::new` found that no launch has more than the pool can count.
            What::Launch { launch, part } => self.kernels[launch].chunks(part) as u32,
            What::Ending(phase) => self.ending.map_or(0, |ending| ending.chunks(phase)),
        }
    }

    fn is_shared(&self) -> bool {
        self.is_shared || self.phases.most_pieces > 1
    }

    fn run(&self, phase: usize, chunk: usize, worker: usize) {
        // SAFETY: the pool runs phases in order; the words are those of this run.
        if unsafe { self.phases.has_failed(phase, self.checks) } {
            return;
        }
        let schedule = &self.phases.schedule;
        let (mut few, mut many) = ([0; FEW], vec![]);
        let rounds = match schedule.depth() <= FEW {
            true => &mut few[..schedule.depth()],
            false => {
                many.resize(schedule.depth(), 0);
                &mut many[..]
            }
        };
        // The rounds, how many loops there are, and the rounds counted through.
        let (mut depth, mut through) = (0, 0);
        let what = schedule.what(phase, |at, count, round| {
            (rounds[at], depth, through) = (round as u32, at + 1, through * count + round);
        });
        match what {
            What::Launch { launch, part } => {
                let in_place = self.in_place(phase);
                let update = in_place.as_ref().map(|u| u as &dyn Update);
                let places = Places::new(self.bases(), self.strides, &rounds[..depth]).sharing(self.shared.0);
                // SAFETY: the scalars are alive, and no phase of a launch writes them.
                let run = Run { places, scalars: unsafe { &*self.scalars.0 }, round: through as u64, update };
                // SAFETY: the pool gives no worker number to two threads at once, none beyond the limit, and there are as many parts.
                let scratch = unsafe {
                    std::slice::from_raw_parts_mut(
                        self.scratch.0.add(worker * self.scratch_stride),
                        self.scratch_stride,
                    )
                };
                // SAFETY: `Session::run` computed the addresses of buffers that `Bound::new` found to lie within their places, and all places stay
                // borrowed; the pool runs each chunk once, and phases one after the other.
                unsafe { self.kernels[launch].run(part, chunk, &run, scratch) }
            }
            What::Ending(phase) => {
                let Some(ending) = self.ending else { return };
                // SAFETY: the words are those of this run.
                let verdict = unsafe { self.phases.verdict(self.checks) };
                let (pieces, squares) = (self.phases.pieces(), &self.phases.squares[..]);
                let frame = Frame { pieces, squares, scalars: self.scalars, verdict };
                // SAFETY: the pool runs phases in order and each chunk once; whoever calls for the run borrows gradients, results and sum all the
                // while, and scalars and words are those of this run.
                unsafe { ending.run(phase, chunk, &frame) }
            }
        }
    }
}

impl Execution<'_> {
    /// What takes the gradient that a phase makes, if its update is fused into it.
    fn in_place(&self, phase: usize) -> Option<InPlace<'_>> {
        let (ending, at_once) = (self.ending?, &self.phases.at_once);
        let at = at_once.binary_search_by_key(&phase, |update| update.phase).ok()?;
        let AtOnce { start, of, .. } = at_once[at];
        Some(InPlace { target: ending.target, start, of })
    }

    fn bases(&self) -> &[*mut u8] {
        let bases = self.addresses;
        // SAFETY: `Shared<u8>` is a transparent wrapper of the pointer.
        unsafe { std::slice::from_raw_parts(bases.as_ptr().cast::<*mut u8>(), bases.len()) }
    }
}

/// Runs an ending without a program ([`Phases::of_ending`]). What is not finite, if it stopped at that, is given back: it has changed nothing then.
///
/// # Errors
/// The message of an optimizer of the user's that panics.
///
/// # Safety
/// Gradients are alive and as long as the parameters, as is the sum if there is one.
pub(crate) unsafe fn run_ending(
    phases: &Phases,
    ending: &Ending<'_>,
    scalars: &mut StepScalars,
) -> Result<Outcome, String> {
    let (none, mut word, scale) = (Shared::new(std::ptr::null_mut()), RIGHT, scalars.scale);
    let checks = Shared::new(&raw mut word);
    let execution = Execution {
        phases,
        kernels: &[],
        is_shared: false,
        addresses: &[],
        strides: &[],
        scalars: Shared::new(&raw mut *scalars),
        scratch: none,
        scratch_stride: 0,
        shared: none,
        checks,
        ending: Some(ending),
    };
    pool::run(0..phases.schedule.phases(), usize::MAX, &execution)?;
    // SAFETY: nothing runs any more.
    Ok(Outcome::of(unsafe { *checks.0 }, scale))
}

/// What is the least finite among some values.
enum Worst {
    Finite,
    NegativeInfinity,
    /// NaN, or positive infinity.
    NotFinite,
}

/// # Safety
/// `len` elements of this type lie at `start`, and nobody writes them.
unsafe fn worst(dtype: DType, start: *const u8, len: usize) -> Worst {
    /// # Safety
    /// As [`worst`].
    unsafe fn of<T: Copy>(start: *const u8, len: usize, float: impl Fn(T) -> f64) -> Worst {
        // SAFETY: as the caller says.
        let values = unsafe { std::slice::from_raw_parts(start.cast::<T>(), len) };
        let worst = |x: T| match float(x) {
            x if x.is_finite() => 0,
            f64::NEG_INFINITY => 1,
            _ => 2,
        };
        match values.iter().map(|x| worst(*x)).max().unwrap_or(0) {
            0 => Worst::Finite,
            1 => Worst::NegativeInfinity,
            _ => Worst::NotFinite,
        }
    }
    // SAFETY: as the caller says.
    unsafe {
        match dtype {
            DType::F32 => of::<f32>(start, len, f64::from),
            DType::F64 => of::<f64>(start, len, |x| x),
            DType::F16 => of::<half::f16>(start, len, f64::from),
            DType::BF16 => of::<half::bf16>(start, len, f64::from),
            DType::I8 | DType::U8 | DType::I16 | DType::I32 | DType::U32 | DType::I64 | DType::Bool => Worst::Finite,
        }
    }
}

impl Session {
    /// Plans steps of the prepared call that update at this place. Allocates nothing for what it has planned.
    ///
    /// # Errors
    /// If there are too many rounds.
    pub(crate) fn plan(&mut self, placement: Placement) -> Result<()> {
        let program = self.loaded.program(self.function, self.training)?;
        let Some(bound) = self.kept.first_mut() else { return Ok(()) };
        let names = Names { all: &self.symbols, sizes: self.sizes };
        bound.plan(&self.loaded, program, names, &self.loaded.net.functions[self.function].reaches, placement)
    }

    /// Runs the prepared call, with an ending if one is given, which updates at a place that was [planned](Session::plan). Allocates nothing.
    ///
    /// # Errors
    /// If a value that the program makes fails a check: no parameter has changed then. If a kernel (or an optimizer of the user's) panics.
    ///
    /// # Safety
    /// Arguments are those of [`Session::prepare`], results of the types that it found. `parameters` points to the memory of a model of the net and, for a training program, `gradients` to the bytes of a flat arena, which no one else uses
    /// meanwhile, except that parameters may be read by several calls at once if none updates them.
    pub(crate) unsafe fn run(
        &mut self,
        operands: &mut Operands<'_>,
        ending: Option<(Placement, &Ending<'_>)>,
    ) -> Result<Outcome> {
        self.place(operands);
        self.run_placed(operands.scalars, ending)
    }

    /// Runs what was placed.
    fn run_placed(&mut self, scalars: StepScalars, ending: Option<(Placement, &Ending<'_>)>) -> Result<Outcome> {
        if self.poison {
            self.arena.slice_mut::<u8>().fill(u8::MAX);
        }
        self.begin(scalars);
        let phases = self.phases(ending.map(|(placement, _)| placement))?;
        self.pool(phases, 0..phases.schedule.phases(), ending.map(|(_, ending)| ending))?;
        self.verdict(phases, scalars.scale)
    }

    /// Gets the frame ready: nothing is wrong yet, and the step begins with these scalars.
    fn begin(&mut self, scalars: StepScalars) {
        self.clear_checks();
        let frame: *mut StepScalars = self.scalars.as_mut_ptr().cast();
        // SAFETY: `prepare` made room for it, on a cache line.
        unsafe { frame.write(scalars) };
        self.scalars_start = Shared::new(frame);
    }

    /// Runs the prepared call of an inference program and returns new arrays. `parameters` is the memory of a model.
    ///
    /// # Errors
    /// If a kernel panics.
    pub(crate) fn infer(&mut self, parameters: &Memory, args: &[&Array], scalars: StepScalars) -> Result<Vec<Array>> {
        assert!(!self.training && parameters.len() == self.loaded.model_bytes(), "not this net's parameters");
        let mut results = self.new_results()?;
        let mut operands = Operands {
            parameters: Shared::new(parameters.as_ptr().cast_mut()),
            gradients: Shared::new(std::ptr::null_mut()),
            args,
            results: &mut results,
            scalars,
        };
        // SAFETY: the memory has a model's length and is only read, as `validate` admits no launch that stores to a parameter or a mirror, nor an
        // inference program with gradients; arguments and results are those of the prepared call.
        unsafe { self.run(&mut operands, None)? };
        Ok(results)
    }

    /// Runs the call of [`Session::prepare_views`] of an inference program. `parameters` is the memory of a model.
    ///
    /// # Errors
    /// If a value that the program makes fails a check, or a kernel panics: what was to be written is undefined then.
    pub(crate) fn infer_into(
        &mut self,
        parameters: &Memory,
        args: &mut [Argument<'_>],
        results: &mut [Output<'_>],
        scalars: StepScalars,
    ) -> Result<()> {
        assert!(!self.training && parameters.len() == self.loaded.model_bytes(), "not this net's parameters");
        let result = |i: usize| match &results[i] {
            Output::Write(view) => view.first(),
            Output::Donated(argument) => args[*argument].first(),
        };
        let parameters = Shared::new(parameters.as_ptr().cast_mut());
        self.place_at(parameters, Shared::new(std::ptr::null_mut()), &|i| args[i].first(), &mut |i| result(i));
        self.run_placed(scalars, None).map(drop)
    }

    /// Runs the prepared call again, launch by launch, and says where the first value that is not finite comes from.
    ///
    /// # Safety
    /// As [`Session::run`], of which this is a repetition with the same operands.
    pub(crate) unsafe fn first_not_finite(&mut self, operands: &mut Operands<'_>) -> Result<Option<String>> {
        let loaded = self.loaded.clone();
        for (argument, declared) in operands.args.iter().zip(&self.program()?.arguments) {
            if !argument.is_finite() {
                return Ok(Some(format!("argument `{}`", declared.name)));
            }
        }
        for (number, (parameter, &start)) in loaded.net.parameters.iter().zip(&loaded.offsets).enumerate() {
            // SAFETY: as the caller says.
            let worst = unsafe {
                let start = operands.parameters.0.add(start * loaded.float.bytes());
                worst(loaded.net.float, start, loaded.net.padded_len(number))
            };
            if !matches!(worst, Worst::Finite) {
                return Ok(Some(format!("parameter `{}`", parameter.name)));
            }
        }
        self.begin(operands.scalars);
        // What is left of the run before must not be taken for a result of this one.
        self.arena.slice_mut::<u8>().fill(0);
        self.place(operands);
        let bound = self.bound()?;
        let program = self.program()?;
        // A mask may well be filled with negative infinity, so that alone is the second guess.
        let mut guess = None;
        let mut rounds = vec![];
        let phases = self.phases(None)?;
        for phase in 0..phases.schedule.phases() {
            self.pool(phases, phase..phase + 1, None)?;
            rounds.clear();
            let what = phases.schedule.what(phase, |_, _, round| rounds.push(round as u32));
            let What::Launch { launch, part } = what else { continue };
            if part + 1 < bound.kernels[launch].parts() {
                continue;
            }
            let launch = &program.launches[launch];
            for store in &launch.stores {
                let home = &bound.homes[store.buffer];
                let start =
                    self.addresses[store.buffer].0.wrapping_offset(bound.moved(store.buffer, &rounds)).cast_const();
                // SAFETY: the buffer lies within its place, is of this type, and no kernel runs now.
                let worst = unsafe { worst(program.buffers[store.buffer].dtype, start, home.len) };
                match worst {
                    Worst::NegativeInfinity if guess.is_none() => guess = Some(loaded.place(launch)),
                    Worst::NegativeInfinity | Worst::Finite => {}
                    Worst::NotFinite => return Ok(Some(loaded.place(launch))),
                }
            }
        }
        Ok(guess)
    }

    /// Writes the address of every buffer.
    fn place(&mut self, operands: &mut Operands<'_>) {
        let (args, parameters, gradients) = (operands.args, operands.parameters, operands.gradients);
        self.place_at(parameters, gradients, &|i| args[i].first(), &mut |i| {
            Shared::new(operands.results[i].as_mut_ptr())
        });
    }

    /// The same, of operands that lie there.
    fn place_at(
        &mut self,
        parameters: Shared<u8>,
        gradients: Shared<u8>,
        argument: &dyn Fn(usize) -> Shared<u8>,
        result: &mut dyn FnMut(usize) -> Shared<u8>,
    ) {
        let Some(bound) = self.kept.first() else { return };
        let (arena, states) = (self.arena.as_mut_ptr(), self.states.as_mut_ptr());
        let checks = self.checks.as_mut_ptr();
        self.checks_start = Shared::new(checks.cast());
        self.scratch_start = Shared::new(self.scratch.as_mut_ptr());
        self.shared_start = Shared::new(self.shared.as_mut_ptr());
        for (address, home) in self.addresses.iter_mut().zip(&bound.homes) {
            let base = match home.place {
                Place::Argument(i) => argument(i).0,
                Place::Result(i) => result(i).0,
                Place::Parameter(_) | Place::Mirror(_) => parameters.0,
                Place::Gradient(_) => gradients.0,
                Place::State(_) => states,
                Place::Check(_) => checks,
                Place::Arena(_) => arena,
            };
            *address = Shared::new(base.wrapping_add(home.start));
        }
    }

    fn pool(&self, phases: &Phases, some: Range<usize>, ending: Option<&Ending<'_>>) -> Result<()> {
        let bound = self.bound()?;
        let scratch_stride = Session::scratch_stride(bound);
        // A kernel without scratch leaves the number of threads open.
        let limit = self.scratch.len().checked_div(scratch_stride).unwrap_or(usize::MAX);
        let execution = Execution {
            phases,
            kernels: &bound.kernels,
            is_shared: bound.is_shared,
            addresses: &self.addresses,
            strides: &bound.strides,
            scalars: self.scalars_start,
            scratch: self.scratch_start,
            scratch_stride,
            shared: self.shared_start,
            checks: self.checks_start,
            ending,
        };
        let function = || self.program().map_or_else(|_| String::new(), |p| p.name.clone());
        pool::run(some, limit, &execution).map_err(|message| Error::Panic { function: function(), message })
    }
}
