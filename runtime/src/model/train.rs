//! Steps and gradients. One of the few modules with `unsafe`.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};

use castnet_kernels::random::Mode;
use castnet_program::types::DType;
use half::{bf16, f16};

use super::{Loss, Model, lock};
use crate::array::Array;
use crate::error::{Error, Result};
use crate::flat::{self, Ending, NotFinite, Piece, Target};
use crate::float::{Float, FloatType};
use crate::gradients::Gradients;
use crate::memory::{Memory, Shared};
use crate::net::Loaded;
use crate::optimizer::{self, Optimizer, Sum};
use crate::pool::{self, Work};
use crate::session::{Operands, Session};
use crate::verdict::{RIGHT, Word};

/// What a [`Loss`] can be.
trait Value: Float {
    fn is_of(net: FloatType) -> bool;
    fn of(objective: &Array) -> Result<Self>;
}

impl Value for f32 {
    fn is_of(net: FloatType) -> bool {
        net != FloatType::F64
    }

    fn of(objective: &Array) -> Result<f32> {
        match objective.dtype() {
            DType::F16 => objective.item::<f16>().map(f16::to_f32),
            DType::BF16 => objective.item::<bf16>().map(bf16::to_f32),
            _ => objective.item(),
        }
    }
}

impl Value for f64 {
    fn is_of(net: FloatType) -> bool {
        net == FloatType::F64
    }

    fn of(objective: &Array) -> Result<f64> {
        objective.item()
    }
}

/// The training program of a function with what belongs to it.
pub(super) struct Training {
    pub(super) session: Session,
    /// Gradients of the present step; allocated at first use.
    gradients: Memory,
    /// All that the function reaches.
    reached: Arc<[Piece]>,
    /// Sums of squares, one a piece.
    partials: Vec<AtomicU64>,
}

impl Training {
    pub(super) fn new(loaded: &Arc<Loaded>, function: usize) -> Result<Training> {
        let reached: Arc<[Piece]> = flat::pieces(loaded, &loaded.net.functions[function].reaches).into();
        let partials = reached.iter().map(|_| AtomicU64::new(0)).collect();
        let session = Session::new(loaded, function, true)?;
        Ok(Training { session, gradients: Memory::default(), reached, partials })
    }

    fn gradients(&mut self, loaded: &Loaded) -> Result<Shared<u8>> {
        let bytes = loaded.bytes();
        match self.gradients.grow(bytes) {
            true => Ok(Shared::new(self.gradients.as_mut_ptr())),
            false => Err(Error::Memory { function: loaded.net.name.clone(), bytes }),
        }
    }
}

impl Model {
    /// One step of training: forward, backward and update. After the first steps it allocates nothing.
    ///
    /// An optimizer that accumulates ([`Accumulate`](crate::optimizer::Accumulate)) updates in some of the steps only.
    ///
    /// Where the optimizer does not clip, a parameter is updated as soon as its gradient is finished; the bits are the same.
    ///
    /// # Errors
    /// If the arguments do not fit, a setting of the optimizer is out of its range, or it is another model's (nothing has run then); if
    /// the loss or a gradient is not finite and [`Model::stop_on_nan`] is on (all is as it was). After a panic in a kernel or an
    /// optimizer some parameters may be updated and others not.
    pub fn step(&mut self, function: usize, optimizer: &mut dyn Optimizer, args: &[&Array]) -> Result<Loss> {
        self.train(function, optimizer, args, None)
    }

    /// As [`Model::step`], of a net of f64.
    ///
    /// # Errors
    /// As [`Model::step`].
    pub fn step_f64(&mut self, function: usize, optimizer: &mut dyn Optimizer, args: &[&Array]) -> Result<Loss<f64>> {
        self.train(function, optimizer, args, None)
    }

    /// A step of a net of any float type.
    #[cfg(feature = "check")]
    pub(crate) fn any_step(&mut self, function: usize, optimizer: &mut dyn Optimizer, args: &[&Array]) -> Result<()> {
        match self.loaded.float {
            FloatType::F64 => self.step_f64(function, optimizer, args).map(drop),
            FloatType::F32 | FloatType::F16 | FloatType::BF16 => self.step(function, optimizer, args).map(drop),
        }
    }

    /// As [`Model::step`], for a function with further results: they come as new arrays, the loss not among them.
    ///
    /// # Errors
    /// As [`Model::step`].
    pub fn step_with_results(
        &mut self,
        function: usize,
        optimizer: &mut dyn Optimizer,
        args: &[&Array],
    ) -> Result<(Loss, Vec<Array>)> {
        self.train_with_results(function, optimizer, args)
    }

    /// As [`Model::step_with_results`], of a net of f64.
    ///
    /// # Errors
    /// As [`Model::step`].
    pub fn step_with_results_f64(
        &mut self,
        function: usize,
        optimizer: &mut dyn Optimizer,
        args: &[&Array],
    ) -> Result<(Loss<f64>, Vec<Array>)> {
        self.train_with_results(function, optimizer, args)
    }

    fn train_with_results<T: Value>(
        &mut self,
        function: usize,
        optimizer: &mut dyn Optimizer,
        args: &[&Array],
    ) -> Result<(Loss<T>, Vec<Array>)> {
        let mut results = Vec::new();
        let loss = self.train(function, optimizer, args, Some(&mut results))?;
        results.remove(0);
        Ok((loss, results))
    }

    fn train<T: Value>(
        &mut self,
        function: usize,
        optimizer: &mut dyn Optimizer,
        args: &[&Array],
        wanted: Option<&mut Vec<Array>>,
    ) -> Result<Loss<T>> {
        if !T::is_of(self.loaded.float) {
            return Err(Error::ElementType { found: self.loaded.net.float, asked: T::DTYPE });
        }
        let (id, loaded) = (self.id, self.loaded.clone());
        let known = self.training.get_mut(function).and_then(Option::as_mut);
        let Some(training) = known else { return Err(self.not_trainable(function)) };
        training.get_mut().unwrap_or_else(PoisonError::into_inner).session.prepare(args)?;
        optimizer::prepare(optimizer, id, &loaded)?;
        let name = optimizer.name();
        let mut sum = optimizer.state_mut().take_sum(name, &loaded)?;
        let loss = self.run_step(function, optimizer, args, wanted, sum.as_mut());
        let reaches = &loaded.net.functions[function].reaches;
        match sum {
            None => loss.inspect(|_| optimizer.state_mut().advance(reaches.iter().copied())),
            Some(mut sum) => {
                if loss.is_ok() {
                    sum.added(reaches);
                }
                match loss.is_ok() && optimizer.state().is_full(&sum) {
                    true => self.update_by(optimizer, sum)?,
                    false => optimizer.state_mut().give_sum(sum),
                }
                loss
            }
        }
    }

    /// A step by an optimizer that is prepared, whose count is still to advance, or the addition of its gradients to a sum.
    fn run_step<T: Value>(
        &mut self,
        function: usize,
        optimizer: &mut dyn Optimizer,
        args: &[&Array],
        wanted: Option<&mut Vec<Array>>,
        sum: Option<&mut Sum>,
    ) -> Result<Loss<T>> {
        let context = self.calls.context(self.seed, function, Mode::Training);
        let (loaded, guarded) = (self.loaded.clone(), self.stop_on_nan);
        let known = self.training.get_mut(function).and_then(Option::as_mut);
        let Some(training) = known else { return Err(self.not_trainable(function)) };
        let training = training.get_mut().unwrap_or_else(PoisonError::into_inner);
        let gradients = training.gradients(&loaded)?;
        let max_norm = optimizer.max_norm().filter(|_| sum.is_none());
        let in_place = max_norm.is_none() && !guarded && sum.is_none() && optimizer.rule().sums() == 0;
        let pieces = if in_place { training.session.updated_last()? } else { training.reached.clone() };

        // What may fail or panic (the optimizer's methods) comes before the results are taken, or they would be gone.
        let mut copies = if wanted.is_some() { training.session.new_results()? } else { vec![] };
        training.session.take_states(&self.states)?;
        let target = Target::new(optimizer, &loaded, &mut self.parameters);
        let mut results = training.session.take_results();
        let Some(loss) = results.first_mut() else {
            return Err(Error::BadNet {
                net: loaded.net.name.clone(),
                what: "an objective without a value".to_string(),
            });
        };
        let loss_at = Shared::new(loss.as_mut_ptr());
        let ending = Ending {
            target: &target,
            gradients,
            pieces: &pieces,
            partials: &training.partials,
            max_norm,
            guarded,
            loss: Some(loss_at),
            factor: AtomicU64::new(1f64.to_bits()),
            sum: sum.map(|sum| Shared::new(sum.gradients.arena.as_mut_ptr())),
        };
        let parameters = target.parameters();
        let mut operands = Operands { parameters, gradients, args, results: &mut results, context };
        // SAFETY: both arenas have the net's length and are borrowed uniquely for this call.
        let done = unsafe { training.session.run(&mut operands, in_place.then_some(&target), Some(&ending)) };
        let value = T::of(&operands.results[0]);
        let place = match &done {
            Ok(Some(_)) => {
                let states = training.session.take_states(&self.states);
                // SAFETY: as above.
                states.and_then(|()| unsafe { training.session.first_not_finite(&mut operands) })
            }
            _ => Ok(None),
        };
        if let Ok(None) = done {
            training.session.give_states(&mut self.states);
        }
        if let Some(wanted) = wanted {
            copies.clone_from_slice(&results);
            *wanted = copies;
        }
        training.session.give_results_back(results);
        let (stopped, loss, place) = (done?, value?, place?);
        if let Some(what) = stopped {
            let (net, step) = (loaded.net.name.clone(), self.runs + 1);
            return Err(match what {
                NotFinite::Loss => Error::NotFinite { net, step, loss: loss.f64(), place },
                NotFinite::Gradient(parameter) => {
                    let parameter = loaded.net.parameters[parameter].name.clone();
                    Error::GradientNotFinite { net, step, parameter, place }
                }
            });
        }
        self.runs += 1;
        self.calls.advance(function, Mode::Training);
        Ok(Loss(loss))
    }

    /// Forward and backward, in training mode: all results, the loss first, and new gradients. States advance as in a step.
    ///
    /// # Errors
    /// If the arguments do not fit; nothing has changed then.
    pub fn grad(&mut self, function: usize, args: &[&Array]) -> Result<(Vec<Array>, Gradients)> {
        let mut gradients = Gradients::new(&self.loaded)?;
        let arena = Shared::new(gradients.arena.as_mut_ptr());
        let results = self.backward(function, Some(arena), args)?;
        gradients.reach(&self.net().functions[function].reaches);
        Ok((results, gradients))
    }

    /// As [`Model::grad`], but adds to gradients that there are already; returns the results.
    ///
    /// # Errors
    /// If the arguments do not fit, or the gradients are of another network; nothing has changed then.
    pub fn grad_add(&mut self, function: usize, gradients: &mut Gradients, args: &[&Array]) -> Result<Vec<Array>> {
        self.check_gradients(gradients)?;
        let results = self.backward(function, None, args)?;
        if let Some(training) = self.training[function].as_ref().map(lock) {
            gradients.add_reached(&training.gradients, &training.reached);
        }
        gradients.reach(&self.net().functions[function].reaches);
        Ok(results)
    }

    /// Into these gradients, or into the function's own.
    fn backward(&mut self, function: usize, gradients: Option<Shared<u8>>, args: &[&Array]) -> Result<Vec<Array>> {
        let known = self.training.get_mut(function).and_then(Option::as_mut);
        let Some(training) = known else { return Err(self.not_trainable(function)) };
        let training = training.get_mut().unwrap_or_else(PoisonError::into_inner);
        training.session.prepare(args)?;
        let gradients = match gradients {
            Some(gradients) => gradients,
            None => training.gradients(&self.loaded)?,
        };
        let mut results = training.session.new_results()?;
        let parameters = Shared::new(self.parameters.as_mut_ptr());
        let context = self.calls.context(self.seed, function, Mode::Training);
        training.session.take_states(&self.states)?;
        let mut operands = Operands { parameters, gradients, args, results: &mut results, context };
        // SAFETY: both arenas have the net's length; without a target nothing writes the parameters, and the gradients are the caller's or
        // the function's own.
        unsafe { training.session.run(&mut operands, None, None)? };
        training.session.give_states(&mut self.states);
        self.runs += 1;
        self.calls.advance(function, Mode::Training);
        Ok(results)
    }

    /// Updates the parameters that the gradients were computed for; what [`Optimizer::apply`] does.
    ///
    /// # Errors
    /// As [`Optimizer::apply`].
    pub fn apply(&mut self, optimizer: &mut dyn Optimizer, gradients: &Gradients) -> Result<()> {
        self.check_gradients(gradients)?;
        optimizer::prepare(optimizer, self.id, &self.loaded)?;
        let pieces = gradients.pieces();
        let partials: Vec<_> = pieces.iter().map(|_| AtomicU64::new(0)).collect();
        self.update(optimizer, gradients, (&pieces, &partials), 1.0)
    }

    /// Updates by what an optimizer has added up, if anything; what [`Optimizer::flush`] does.
    ///
    /// # Errors
    /// As [`Optimizer::flush`].
    pub fn flush(&mut self, optimizer: &mut dyn Optimizer) -> Result<bool> {
        if optimizer.state().sum().is_none() {
            return Ok(false);
        }
        optimizer::prepare(optimizer, self.id, &self.loaded)?;
        let Some(sum) = optimizer.state_mut().take_rest() else { return Ok(false) };
        self.update_by(optimizer, sum).map(|()| true)
    }

    /// Updates by a sum of gradients, which is 0 again afterwards, by an optimizer that is prepared.
    fn update_by(&mut self, optimizer: &mut dyn Optimizer, mut sum: Sum) -> Result<()> {
        sum.begin_update();
        let scale = optimizer.state().scale(&sum);
        let done = self.update(optimizer, &sum.gradients, (&sum.pieces, &sum.partials), scale);
        sum.clear();
        optimizer.state_mut().give_sum(sum);
        done
    }

    /// Updates by gradients that are multiplied by `scale` first; a number each piece is for the sums of squares.
    fn update(
        &mut self,
        optimizer: &mut dyn Optimizer,
        gradients: &Gradients,
        (pieces, partials): (&[Piece], &[AtomicU64]),
        scale: f64,
    ) -> Result<()> {
        let max_norm = optimizer.max_norm();
        let target = Target::new(optimizer, &self.loaded, &mut self.parameters);
        let ending = Ending {
            target: &target,
            gradients: Shared::new(gradients.arena.as_ptr().cast_mut()),
            pieces,
            partials,
            max_norm,
            guarded: self.stop_on_nan,
            loss: None,
            factor: AtomicU64::new(scale.to_bits()),
            sum: None,
        };
        let panic = |message| Error::Panic { function: format!("{}.apply", self.loaded.net.name), message };
        let mut verdict = RIGHT;
        let apply = Apply(&ending, Word::new(Shared::new(&raw mut verdict)));
        pool::run(0..Ending::PHASES, usize::MAX, &apply).map_err(panic)?;
        let state = optimizer.state_mut();
        if let Some(NotFinite::Gradient(parameter)) = NotFinite::at(verdict) {
            let (net, step) = (self.loaded.net.name.clone(), state.steps() + 1);
            let parameter = self.loaded.net.parameters[parameter].name.clone();
            return Err(Error::GradientNotFinite { net, step, parameter, place: None });
        }
        state.advance(gradients.reached_ones());
        Ok(())
    }

    fn check_gradients(&self, gradients: &Gradients) -> Result<()> {
        let (ours, theirs) = (&self.loaded, &gradients.loaded);
        if Arc::ptr_eq(ours, theirs) || ours.net.name == theirs.net.name && ours.lies_alike(theirs) {
            return Ok(());
        }
        let (left, right) = (ours.net.name.clone(), theirs.net.name.clone());
        Err(Error::DifferentNets { what: "gradients", left, right })
    }

    fn not_trainable(&self, function: usize) -> Error {
        match self.loaded.program(function, true) {
            Err(error) => error,
            Ok(_) => self.no_function(function),
        }
    }
}

/// The phases of an ending on their own, with the word of their verdict.
struct Apply<'a>(&'a Ending<'a>, Word);

impl Work for Apply<'_> {
    fn chunks(&self, phase: usize) -> u32 {
        self.0.counts()[phase]
    }

    fn is_shared(&self) -> bool {
        self.0.counts().iter().any(|&chunks| chunks > 1)
    }

    fn run(&self, phase: usize, chunk: usize, _: usize) {
        // SAFETY: the pool runs phases in order and each chunk once; `Model::apply` keeps gradients and word all the while.
        unsafe {
            if phase < Ending::DECIDED || self.1.is_right() {
                self.0.run(phase, chunk, self.1);
            }
        }
    }
}
