//! A call that has run: what became of it, and what the model takes over. One of the few modules with `unsafe`.

use castnet_program::program::ending::Placement;
use castnet_program::program::{Check, Must};
use castnet_program::size::Size;
use castnet_program::types::DType;

use super::ready::{Operands, Running};
use super::sizes;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::states::States;
use crate::verdict::{Code, Outcome, Watch, first};

/// A call that has run to its end.
pub(crate) struct Done<'e> {
    call: Running<'e>,
    outcome: Outcome,
}

impl<'e> Done<'e> {
    /// By what its tasks say, under a loss scale.
    ///
    /// # Errors
    /// The mistake that the first check found which found one.
    pub(super) fn new(call: Running<'e>, placement: Option<Placement>, scale: f32) -> Result<Done<'e>> {
        let watches = call.binding().watches(placement);
        let outcome = match first(watches, call.0.workspace.frame.words()) {
            None => Outcome::Done,
            Some((_, Watch { code: Code::NotFinite, .. }, words)) => Outcome::of(words[0], scale),
            Some((number, Watch { code: Code::Index | Code::Divisor, .. }, words)) => {
                return Err(mistake(&call, &call.0.program.checks[number], words));
            }
        };
        Ok(Done { call, outcome })
    }

    /// Whether all is done.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The results, if the workspace's own arrays were used.
    pub(crate) fn results(&self) -> &[Array] {
        &self.call.0.workspace.held[0].results
    }

    /// Gives the states that the call assigned to the model.
    pub(crate) fn commit(mut self, states: &mut States) {
        self.call.0.workspace.commit_states(states);
    }

    /// Runs the call again, launch by launch and without an ending, and says where the first value that is not finite comes from.
    ///
    /// # Safety
    /// As [`Running::run`], of which this is a repetition with the same operands.
    pub(crate) unsafe fn first_not_finite(
        mut self,
        operands: &mut Operands<'_>,
        states: &States,
    ) -> Result<Option<String>> {
        let call = &mut self.call;
        let (program, loaded) = (call.0.program, &call.0.executable.loaded);
        for (argument, declared) in operands.args.iter().zip(&program.arguments) {
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
        call.0.workspace.take_states(states)?;
        // What is left of the run before must not be taken for a result of this one.
        call.0.workspace.frame.begin(operands.scalars, Some(0));
        call.place(operands);
        // A mask may well be filled with negative infinity, so that alone is the second guess.
        let mut guess = None;
        let mut rounds = vec![];
        let phases = call.binding().phases(None).map_or(0, |phases| phases.len());
        for phase in 0..phases {
            // SAFETY: as the caller says.
            unsafe { call.phases(None, Some(phase..phase + 1), None)? };
            let Some(launch) = call.binding().ends(phase, &mut rounds) else { continue };
            let launch = &program.launches[launch];
            for store in &launch.stores {
                let (dtype, frame) = (program.buffers[store.buffer].dtype, &call.0.workspace.frame);
                let start = frame.address(call.binding(), store.buffer, &rounds);
                // SAFETY: the buffer lies within its place, is of this type, and no kernel runs now.
                let worst = unsafe { worst(dtype, start, call.binding().length(store.buffer)) };
                match worst {
                    Worst::NegativeInfinity if guess.is_none() => guess = Some(loaded.place(launch)),
                    Worst::NegativeInfinity | Worst::Finite => {}
                    Worst::NotFinite => return Ok(Some(loaded.place(launch))),
                }
            }
        }
        Ok(guess)
    }
}

fn mistake(call: &Running<'_>, check: &Check, words: &[i64]) -> Error {
    let (places, found) = words.split_at(check.places());
    let places: Vec<usize> = places.iter().map(|place| *place as usize).collect();
    let (rounds, element) = (places[..check.rounds].to_vec(), places[check.rounds..][..check.axes].to_vec());
    let (function, by) = (call.0.program.name.clone(), call.0.executable.loaded.place_at(check.loc, check.must.by()));
    match &check.must {
        Must::Divide(_) => Error::DividedByZero { function, by, element, rounds },
        Must::Lie(below) => {
            // `validate` lets checks have no other names than those of run-time sizes.
            let value = |name: &str| call.0.workspace.values[sizes::position(&call.0.executable.symbols, name)];
            let size = |size: &Size| size.eval(&value);
            let range = Box::new(size(&below.least)..size(&below.limit));
            Error::IndexOutOfRange { function, by, element, rounds, found: found[0], range }
        }
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
