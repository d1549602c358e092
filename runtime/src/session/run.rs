//! Running a prepared call on the pool. One of the few modules with `unsafe`.

use std::ops::Range;

use castnet_kernels::{Context, Places, Run, Update};
use castnet_program::program::Place;
use castnet_program::types::DType;

use super::Session;
use super::bound::{AtOnce, Bound};
use crate::array::Array;
use crate::error::{Error, Result};
use crate::flat::{Ending, InPlace, NotFinite, Target};
use crate::memory::{Memory, Shared};
use crate::pool::{self, Work};
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
    /// Root and call of random numbers.
    pub(crate) context: Context,
}

/// One run, as the pool sees it.
struct Execution<'a> {
    bound: &'a Bound,
    /// The addresses of all buffers, in the first rounds of loops.
    addresses: &'a [Shared<u8>],
    context: &'a Context,
    scratch: Shared<u8>,
    scratch_stride: usize,
    shared: Shared<u8>,
    /// The words of checks.
    checks: Shared<i64>,
    /// If gradients shall be taken at once where that can be.
    in_place: Option<&'a Target<'a>>,
    ending: Option<&'a Ending<'a>>,
    /// Chunks of the phases of the ending.
    ending_chunks: [u32; Ending::PHASES],
}

/// How many loops may stand in each other before a chunk allocates to know its rounds.
const FEW: usize = 16;

impl Work for Execution<'_> {
    fn chunks(&self, phase: usize) -> u32 {
        let phases = self.bound.schedule.phases();
        match phase.checked_sub(phases) {
            None => {
                let (launch, part) = self.bound.schedule.launch(phase, |_, _, _| ());
                // `Bound::new` found that no launch has more than the pool can count.
                self.bound.kernels[launch].chunks(part) as u32
            }
            Some(behind) => self.ending_chunks[behind],
        }
    }

    fn is_shared(&self) -> bool {
        self.bound.is_shared || self.ending_chunks.iter().any(|&chunks| chunks > 1)
    }

    fn run(&self, phase: usize, chunk: usize, worker: usize) {
        // SAFETY: the pool runs phases in order; the words are those of this session.
        if unsafe { self.bound.has_failed(phase, self.checks) } {
            return;
        }
        let schedule = &self.bound.schedule;
        if let Some(behind) = phase.checked_sub(schedule.phases()) {
            if let Some(ending) = self.ending {
                // SAFETY: the pool runs phases in order and each chunk once; `Session::run` borrows gradients and results all the while, and the
                // words are those of this session.
                unsafe { ending.run(behind, chunk, self.bound.guard(self.checks)) }
            }
            return;
        }
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
        let (launch, part) = schedule.launch(phase, |at, count, round| {
            (rounds[at], depth, through) = (round as u32, at + 1, through * count + round);
        });
        let bases = self.addresses;
        // SAFETY: `Shared<u8>` is a transparent wrapper of the pointer.
        let bases = unsafe { std::slice::from_raw_parts(bases.as_ptr().cast::<*mut u8>(), bases.len()) };
        let in_place = self.in_place.and_then(|target| {
            let at_once = &self.bound.at_once;
            let at = at_once.binary_search_by_key(&phase, |update| update.phase).ok()?;
            let AtOnce { start, of, .. } = at_once[at];
            Some(InPlace { target, start, of })
        });
        let update = in_place.as_ref().map(|u| u as &dyn Update);
        let run = Run {
            places: Places::new(bases, &self.bound.strides, &rounds[..depth]).sharing(self.shared.0),
            context: self.context,
            round: through as u64,
            update,
        };
        // SAFETY: the pool gives no worker number to two threads at once, none beyond the limit, and there are as many parts.
        let scratch = unsafe {
            std::slice::from_raw_parts_mut(self.scratch.0.add(worker * self.scratch_stride), self.scratch_stride)
        };
        // SAFETY: `Session::run` computed the addresses of buffers that `Bound::new` found to lie within their places, and all places stay
        // borrowed; the pool runs each chunk once, and phases one after the other.
        unsafe { self.bound.kernels[launch].run(part, chunk, &run, scratch) }
    }
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
    /// Runs the prepared call, then the phases of `ending`. With `in_place`, phases that can update at once do so. Allocates nothing. What is not
    /// finite, if `ending` stopped at it, is given back: it has changed nothing then.
    ///
    /// # Errors
    /// If a value that the program makes fails a check: neither `in_place` nor `ending` has changed anything then. If a kernel (or an
    /// optimizer of the user's) panics.
    ///
    /// # Safety
    /// Arguments are those of [`Session::prepare`], results of the types that it found. `parameters` points to the memory of a model of the net and, for a training program, `gradients` to the bytes of a flat arena, which no one else uses
    /// meanwhile, except that parameters may be read by several calls at once if none updates them.
    pub(crate) unsafe fn run(
        &mut self,
        operands: &mut Operands<'_>,
        in_place: Option<&Target<'_>>,
        ending: Option<&Ending<'_>>,
    ) -> Result<Option<NotFinite>> {
        self.place(operands);
        self.run_placed(&operands.context, in_place, ending)
    }

    /// Runs what was placed.
    fn run_placed(
        &mut self,
        context: &Context,
        in_place: Option<&Target<'_>>,
        ending: Option<&Ending<'_>>,
    ) -> Result<Option<NotFinite>> {
        if self.poison {
            self.arena.slice_mut::<u8>().fill(u8::MAX);
        }
        self.clear_checks();
        let phases = self.bound()?.schedule.phases() + Ending::PHASES;
        self.pool(0..phases, context, in_place, ending)?;
        self.verdict()
    }

    /// Runs the prepared call of an inference program and returns new arrays. `parameters` is the memory of a model.
    ///
    /// # Errors
    /// If a kernel panics.
    pub(crate) fn infer(&mut self, parameters: &Memory, args: &[&Array], context: Context) -> Result<Vec<Array>> {
        assert!(!self.training && parameters.len() == self.loaded.model_bytes(), "not this net's parameters");
        let mut results = self.new_results()?;
        let mut operands = Operands {
            parameters: Shared::new(parameters.as_ptr().cast_mut()),
            gradients: Shared::new(std::ptr::null_mut()),
            args,
            results: &mut results,
            context,
        };
        // SAFETY: the memory has a model's length and is only read, as `validate` admits no launch that stores to a parameter or a mirror, nor an
        // inference program with gradients; arguments and results are those of the prepared call.
        unsafe { self.run(&mut operands, None, None)? };
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
        context: Context,
    ) -> Result<()> {
        assert!(!self.training && parameters.len() == self.loaded.model_bytes(), "not this net's parameters");
        let result = |i: usize| match &results[i] {
            Output::Write(view) => view.first(),
            Output::Donated(argument) => args[*argument].first(),
        };
        let parameters = Shared::new(parameters.as_ptr().cast_mut());
        self.place_at(parameters, Shared::new(std::ptr::null_mut()), &|i| args[i].first(), &mut |i| result(i));
        self.run_placed(&context, None, None).map(drop)
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
        self.clear_checks();
        // What is left of the run before must not be taken for a result of this one.
        self.arena.slice_mut::<u8>().fill(0);
        self.place(operands);
        let bound = self.bound()?;
        let program = self.program()?;
        // A mask may well be filled with negative infinity, so that alone is the second guess.
        let mut guess = None;
        let mut rounds = vec![];
        for phase in 0..bound.schedule.phases() {
            self.pool(phase..phase + 1, &operands.context, None, None)?;
            rounds.clear();
            let (launch, part) = bound.schedule.launch(phase, |_, _, round| rounds.push(round as u32));
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

    fn pool(
        &self,
        phases: Range<usize>,
        context: &Context,
        in_place: Option<&Target<'_>>,
        ending: Option<&Ending<'_>>,
    ) -> Result<()> {
        let bound = self.bound()?;
        let scratch_stride = Session::scratch_stride(bound);
        // A kernel without scratch leaves the number of threads open.
        let limit = self.scratch.len().checked_div(scratch_stride).unwrap_or(usize::MAX);
        let execution = Execution {
            bound,
            addresses: &self.addresses,
            context,
            scratch: self.scratch_start,
            scratch_stride,
            shared: self.shared_start,
            checks: self.checks_start,
            in_place,
            ending,
            ending_chunks: ending.map_or([0; Ending::PHASES], Ending::counts),
        };
        let function = || self.program().map_or_else(|_| String::new(), |p| p.name.clone());
        pool::run(phases, limit, &execution).map_err(|message| Error::Panic { function: function(), message })
    }
}
