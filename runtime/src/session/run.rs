//! Running a prepared call on the pool. One of the few modules with `unsafe`.

use castnet_graph::program::Place;
use castnet_graph::types::DType;
use castnet_kernels::{Context, Places, Run, Update};

use super::Session;
use super::bound::{Bound, launch_of};
use crate::array::Array;
use crate::error::{Error, Result};
use crate::flat::{Ending, InPlace, Target};
use crate::memory::{Memory, Shared};
use crate::pool::{self, Work};

/// What a call reads and writes besides the session's own memory.
pub(crate) struct Operands<'a> {
    /// The flat arena of parameters, read only (but for in-place updates).
    pub(crate) parameters: Shared<f32>,
    /// The flat arena of gradients; may be null for an inference program.
    pub(crate) gradients: Shared<f32>,
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
    checks: Shared<f32>,
    /// If gradients shall be taken at once where that can be.
    in_place: Option<&'a Target<'a>>,
    ending: Option<&'a Ending<'a>>,
}

impl Work for Execution<'_> {
    fn run(&self, phase: usize, chunk: usize, worker: usize) {
        // SAFETY: the pool runs phases in order; the words are those of this session.
        if unsafe { self.bound.has_failed(phase, self.checks) } {
            return;
        }
        let Some(now) = self.bound.phases.get(phase) else {
            if let Some(ending) = self.ending {
                // SAFETY: the pool runs phases in order and each chunk once; `Session::run` borrows gradients and results all the while.
                unsafe { ending.run(phase - self.bound.phases.len(), chunk) }
            }
            return;
        };
        let bases = self.addresses;
        // SAFETY: `Shared<u8>` is a transparent wrapper of the pointer.
        let bases = unsafe { std::slice::from_raw_parts(bases.as_ptr().cast::<*mut u8>(), bases.len()) };
        let in_place = match (self.in_place, now.update) {
            (Some(target), Some((start, of))) => Some(InPlace { target, start, of }),
            _ => None,
        };
        let update = in_place.as_ref().map(|u| u as &dyn Update);
        let run = Run {
            places: Places::new(bases, &self.bound.strides, &self.bound.rounds[now.rounds.clone()])
                .sharing(self.shared.0),
            context: self.context,
            round: now.round as u64,
            update,
        };
        // SAFETY: the pool gives no worker number to two threads at once, none beyond the limit, and there are as many parts.
        let scratch = unsafe {
            std::slice::from_raw_parts_mut(self.scratch.0.add(worker * self.scratch_stride), self.scratch_stride)
        };
        // SAFETY: `Session::run` computed the addresses of buffers that `Bound::new` found to lie within their places, and all places stay
        // borrowed; the pool runs each chunk once, and phases one after the other.
        unsafe { self.bound.kernels[now.launch].run(now.part, chunk, &run, scratch) }
    }
}

impl Session {
    /// Runs the prepared call, then the phases of `ending`. With `in_place`, phases that can update at once do so. Allocates nothing.
    ///
    /// # Errors
    /// If a value that the program makes fails a check: neither `in_place` nor `ending` has changed anything then. If a kernel (or an
    /// optimizer of the user's) panics.
    ///
    /// # Safety
    /// Arguments are those of [`Session::prepare`], results of the types that it found. `parameters` and, for a training program, `gradients` point to as many floats as the net's flat arena has, which no one else uses
    /// meanwhile, except that parameters may be read by several calls at once if none updates them.
    pub(crate) unsafe fn run(
        &mut self,
        operands: &mut Operands<'_>,
        in_place: Option<&Target<'_>>,
        ending: Option<&Ending<'_>>,
    ) -> Result<()> {
        if self.poison {
            self.arena.slice_mut::<f32>().fill(f32::NAN);
        }
        self.clear_checks();
        self.place(operands);
        if let Some(bound) = self.kept.first_mut() {
            let phases = bound.phases.len();
            bound.counts[phases..].copy_from_slice(&ending.map_or([0; Ending::PHASES], Ending::counts));
        }
        let bound = self.bound()?;
        self.pool(&bound.counts, &operands.context, in_place, ending)?;
        self.verdict()
    }

    /// Runs the prepared call of an inference program and returns new arrays. `parameters` is the net's flat arena.
    ///
    /// # Errors
    /// If a kernel panics.
    pub(crate) fn infer(&mut self, parameters: &Memory, args: &[&Array], context: Context) -> Result<Vec<Array>> {
        assert!(!self.training && parameters.len() == 4 * self.loaded.floats, "not this net's parameters");
        let mut results = self.new_results()?;
        let mut operands = Operands {
            parameters: Shared::new(parameters.as_ptr().cast_mut().cast()),
            gradients: Shared::new(std::ptr::null_mut()),
            args,
            results: &mut results,
            context,
        };
        // SAFETY: the arena has the net's length and is only read, as `validate` admits no launch that stores to a parameter, nor an
        // inference program with gradients; arguments and results are those of the prepared call.
        unsafe { self.run(&mut operands, None, None)? };
        Ok(results)
    }

    /// Runs the prepared call again, launch by launch, and says where the first value that is not finite comes from.
    ///
    /// # Safety
    /// As [`Session::run`], of which this is a repetition with the same operands.
    pub(crate) unsafe fn first_not_finite(&mut self, operands: &mut Operands<'_>) -> Result<Option<String>> {
        let loaded = self.loaded.clone();
        for (argument, declared) in operands.args.iter().zip(&self.program()?.arguments) {
            let finite = match argument.dtype() {
                DType::F32 => argument.as_slice::<f32>()?.iter().all(|x| x.is_finite()),
                DType::F64 => argument.as_slice::<f64>()?.iter().all(|x| x.is_finite()),
                _ => true,
            };
            if !finite {
                return Ok(Some(format!("argument `{}`", declared.name)));
            }
        }
        for (parameter, &start) in loaded.net.parameters.iter().zip(&loaded.offsets) {
            // SAFETY: as the caller says.
            let values = unsafe { std::slice::from_raw_parts(operands.parameters.0.add(start), parameter.floats()) };
            if !values.iter().all(|x| x.is_finite()) {
                return Ok(Some(format!("parameter `{}`", parameter.name)));
            }
        }
        self.clear_checks();
        // What is left of the run before must not be taken for a result of this one.
        self.arena.slice_mut::<f32>().fill(0.0);
        self.place(operands);
        let bound = self.bound()?;
        let program = self.program()?;
        let launches = &program.launches;
        // A mask may well be filled with negative infinity, so that alone is the second guess.
        let mut guess = None;
        let mut counts = vec![0; bound.counts.len()];
        for (number, phase) in bound.phases.iter().enumerate() {
            counts[number] = bound.counts[number];
            self.pool(&counts, &operands.context, None, None)?;
            counts[number] = 0;
            let launch = launch_of(launches, phase);
            if phase.part + 1 < bound.kernels[phase.launch].parts() {
                continue;
            }
            for store in &launch.stores {
                let home = &bound.homes[store.buffer];
                if program.buffers[store.buffer].dtype != DType::F32 {
                    continue;
                }
                let start =
                    self.addresses[store.buffer].0.wrapping_offset(bound.moved(store.buffer, phase)).cast_const();
                // SAFETY: the buffer lies within its place, is f32, and no kernel runs now.
                let values = unsafe { std::slice::from_raw_parts(start.cast::<f32>(), home.len) };
                if values.iter().any(|x| x.is_nan() || *x == f32::INFINITY) {
                    return Ok(Some(loaded.place(launch)));
                }
                if guess.is_none() && values.contains(&f32::NEG_INFINITY) {
                    guess = Some(loaded.place(launch));
                }
            }
        }
        Ok(guess)
    }

    /// Writes the address of every buffer.
    fn place(&mut self, operands: &mut Operands<'_>) {
        let Some(bound) = self.kept.first() else { return };
        let (arena, states) = (self.arena.as_mut_ptr(), self.states.as_mut_ptr());
        let checks = self.checks.as_mut_ptr();
        self.checks_start = Shared::new(checks.cast());
        self.scratch_start = Shared::new(self.scratch.as_mut_ptr());
        self.shared_start = Shared::new(self.shared.as_mut_ptr());
        for (address, home) in self.addresses.iter_mut().zip(&bound.homes) {
            let base = match home.place {
                Place::Argument(i) => operands.args[i].as_ptr().cast_mut(),
                Place::Result(i) => operands.results[i].as_mut_ptr(),
                Place::Parameter(_) => operands.parameters.0.cast(),
                Place::Gradient(_) => operands.gradients.0.cast(),
                Place::State(_) => states,
                Place::Check(_) => checks,
                Place::Arena(_) => arena,
            };
            *address = Shared::new(base.wrapping_add(home.start));
        }
    }

    fn pool(
        &self,
        counts: &[u32],
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
        };
        let function = || self.program().map_or_else(|_| String::new(), |p| p.name.clone());
        pool::run(counts, limit, &execution).map_err(|message| Error::Panic { function: function(), message })
    }
}
