//! Steps and gradients. One of the few modules with `unsafe`.

use std::sync::Arc;

use castnet_kernels::StepScalars;
use castnet_kernels::random::Mode;
use castnet_program::program::ending::{Demands, Placement};
use castnet_program::types::DType;
use half::{bf16, f16};

use super::{Loss, Model};
use crate::array::Array;
use crate::backend::cpu::EndingAlone;
use crate::call::{Executable, Operands, Ready};
use crate::engine::{Claim, Use};
use crate::error::{Error, Result};
use crate::float::{Float, FloatType};
use crate::gradients::Gradients;
use crate::memory::{Memory, Shared};
use crate::net::Loaded;
use crate::optimizer::{self, Ending, Optimizer, Sum, Target, Trainable};
use crate::verdict::{NotFinite, Outcome};

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
    pub(super) executable: Arc<Executable>,
    /// Gradients of the present step; allocated at first use.
    gradients: Memory,
}

impl Training {
    pub(super) fn new(loaded: &Arc<Loaded>, function: usize) -> Result<Training> {
        let executable = Arc::new(Executable::new(loaded, function, true)?);
        Ok(Training { executable, gradients: Memory::default() })
    }

    /// Of another model, which has gradients of its own.
    pub(super) fn beside(&self) -> Training {
        Training { executable: self.executable.clone(), gradients: Memory::default() }
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
    /// In mixed precision with f16, a step whose gradients overflow updates nothing and changes no state; the next one has half the loss scale
    /// ([`Model::loss_scale`]). Once that is 1, it is an `Err`.
    ///
    /// Where the optimizer does not clip, a parameter is updated as soon as its gradient is finished; the bits are the same.
    ///
    /// # Errors
    /// If the arguments do not fit, a setting of the optimizer is out of its range, or it is another model's (nothing has run then); if
    /// the loss or a gradient is not finite and [`Model::stop_on_nan`] is on (all is as it was). After a panic in a kernel or an
    /// optimizer some parameters may be updated and others not: model and optimizer refuse to go on, with [`Error::Torn`], until a checkpoint is loaded.
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
        self.unread.tell()?;
        if !T::is_of(self.loaded.float) {
            return Err(Error::ElementType { found: self.loaded.net.float, asked: T::DTYPE });
        }
        let (id, loaded) = (self.id, self.loaded.clone());
        let executable = self.trainer(function)?.clone();
        let ready = executable.call().bind(args)?;
        optimizer::prepare(optimizer, id, &loaded)?;
        let name = optimizer.name();
        let mut sum = optimizer.state_mut().take_sum(name, &loaded)?;
        let done = self.run_step(function, ready, optimizer, args, wanted, sum.as_mut());
        self.tear(optimizer, done.as_ref().err());
        let reaches = &loaded.net.functions[function].reaches;
        let is_done = matches!(done, Ok((_, Outcome::Done)));
        match sum {
            None if !is_done => {}
            None => optimizer.state_mut().advance(reaches.iter().copied()),
            Some(mut sum) => {
                if is_done {
                    sum.added(reaches);
                }
                match is_done && optimizer.state().is_full(&sum) {
                    true => self.update_by(optimizer, sum)?,
                    false => optimizer.state_mut().give_sum(sum),
                }
            }
        }
        done.map(|(loss, _)| loss)
    }

    /// The training program of a function.
    fn trainer(&self, function: usize) -> Result<&Arc<Executable>> {
        self.is_whole()?;
        let training = self.training.get(function).and_then(Option::as_ref);
        training.map(|training| &training.executable).ok_or_else(|| self.not_trainable(function))
    }

    /// A step by an optimizer that is prepared, whose count is still to advance, or the addition of its gradients to a sum: the loss, and whether
    /// all is done or gradients overflowed under a loss scale.
    fn run_step<T: Value>(
        &mut self,
        function: usize,
        mut ready: Ready<'_>,
        optimizer: &mut dyn Optimizer,
        args: &[&Array],
        wanted: Option<&mut Vec<Array>>,
        sum: Option<&mut Sum>,
    ) -> Result<(Loss<T>, Outcome)> {
        let scale = self.scales.get(function);
        let (loaded, guarded) = (self.loaded.clone(), self.stop_on_nan);
        let known = self.training.get_mut(function).and_then(Option::as_mut);
        let Some(training) = known else { return Err(self.not_trainable(function)) };
        let gradients = training.gradients(&loaded)?;
        let [max_norm, max_value] =
            [optimizer.max_norm(), optimizer.max_value()].map(|most| most.filter(|_| sum.is_none()));
        let demands = Demands {
            guarded,
            clipped: max_norm.or(max_value).is_some(),
            scaled: scale.is_some(),
            reduced: optimizer.rule().sums() > 0,
            accumulated: sum.is_some(),
        };
        let placement = Placement::new(ready.program(), demands);
        ready.plan(placement)?;

        // What may fail or panic (the optimizer's methods) comes before anything runs.
        let mut copies = if wanted.is_some() { ready.new_results()? } else { vec![] };
        let name = &loaded.net.name;
        let ((states, states_turn), (memory, memory_turn)) =
            (self.states.own_parts(name)?, self.parameters.own_parts(name)?);
        let uses = [Use::write(memory_turn), Use::write(states_turn)];
        let _claim = Claim::take(uses, || loaded.qualified(function)).map_err(Error::Engine)?;
        let target = Target::new(optimizer, &loaded, memory);
        let Some(loss_at) = ready.objective() else {
            return Err(Error::BadNet {
                net: loaded.net.name.clone(),
                what: "an objective without a value".to_string(),
            });
        };
        let ending = Ending {
            target: &target,
            gradients,
            demands,
            max_norm,
            loss: Some(loss_at),
            sum: sum.map(|sum| Shared::new(sum.gradients.arena.as_mut_ptr())),
        };
        let draw = self.calls.begin(self.seed, function, Mode::Training);
        let scale = scale.unwrap_or(1.0);
        let bound = max_value.map_or(f64::INFINITY, |value| f64::from(value) * f64::from(scale));
        let scalars = StepScalars { scale, bound, ..draw.scalars };
        let parameters = target.parameters();
        let mut operands = Operands { parameters, gradients, args, results: None, scalars };
        // SAFETY: both arenas have the net's length and are borrowed uniquely for this call.
        let done = unsafe { ready.start(states)?.run(&mut operands, Some((placement, &ending)))? };
        let (loss, outcome) = (T::of(&done.results()[0])?, done.outcome());
        if let Some(wanted) = wanted {
            copies.clone_from_slice(done.results());
            *wanted = copies;
        }
        self.scales.advance(function, outcome);
        match outcome {
            Outcome::Done => done.commit(states),
            Outcome::Overflow => {}
            Outcome::NotFinite(what) => {
                // SAFETY: as above.
                let place = unsafe { done.first_not_finite(&mut operands, states)? };
                let (net, step) = (loaded.net.name.clone(), self.runs + 1);
                return Err(match what {
                    NotFinite::Loss => Error::NotFinite { net, step, loss: loss.f64(), place },
                    NotFinite::Gradient(parameter) => {
                        let (element, found) = loaded.first_not_finite(parameter, &training.gradients);
                        let parameter = loaded.net.parameters[parameter].name.clone();
                        Error::GradientNotFinite { net, step, parameter, element, found, place }
                    }
                });
            }
        }
        draw.succeed();
        self.runs += 1;
        Ok((Loss(loss), outcome))
    }

    /// Forward and backward, in training mode: all results, the loss first, and new gradients. States advance as in a step.
    ///
    /// In mixed precision with f16 the gradients are divided by the loss scale; if they overflowed, [`Gradients::overflowed`] says so, and no state has
    /// changed.
    ///
    /// # Errors
    /// If the arguments do not fit; nothing has changed then.
    pub fn grad(&mut self, function: usize, args: &[&Array]) -> Result<(Vec<Array>, Gradients)> {
        let mut gradients = Gradients::new(&self.loaded)?;
        let arena = Shared::new(gradients.arena.as_mut_ptr());
        let (results, overflowed) = self.backward(function, Some(arena), args)?;
        gradients.overflow(overflowed);
        gradients.reach(&self.net().functions[function].reaches);
        Ok((results, gradients))
    }

    /// As [`Model::grad`], but adds to gradients that there are already; returns the results.
    ///
    /// # Errors
    /// If the arguments do not fit, or the gradients are of another network; nothing has changed then.
    pub fn grad_add(&mut self, function: usize, gradients: &mut Gradients, args: &[&Array]) -> Result<Vec<Array>> {
        self.check_gradients(gradients)?;
        let (results, overflowed) = self.backward(function, None, args)?;
        gradients.overflow(overflowed);
        if let Some(training) = &self.training[function] {
            gradients.add(&training.gradients, &self.net().functions[function].reaches);
        }
        gradients.reach(&self.net().functions[function].reaches);
        Ok(results)
    }

    /// Into these gradients, or into the function's own. Whether they overflowed under a loss scale, by which they are divided.
    fn backward(
        &mut self,
        function: usize,
        gradients: Option<Shared<u8>>,
        args: &[&Array],
    ) -> Result<(Vec<Array>, bool)> {
        self.unread.tell()?;
        let executable = self.trainer(function)?.clone();
        let ready = executable.call().bind(args)?;
        let known = self.training.get_mut(function).and_then(Option::as_mut);
        let Some(training) = known else { return Err(self.not_trainable(function)) };
        let gradients = match gradients {
            Some(gradients) => gradients,
            None => training.gradients(&self.loaded)?,
        };
        let mut results = ready.new_results()?;
        let (states, turn) = self.states.own_parts(&self.loaded.net.name)?;
        let uses = [Use::read(self.parameters.turn()), Use::write(turn)];
        let _claim = Claim::take(uses, || self.loaded.qualified(function)).map_err(Error::Engine)?;
        // No ending writes them.
        let parameters = Shared::new(self.parameters.as_ptr().cast_mut());
        let (scale, draw) = (self.scales.get(function), self.calls.begin(self.seed, function, Mode::Training));
        let scalars = StepScalars { scale: scale.unwrap_or(1.0), ..draw.scalars };
        let mut operands = Operands { parameters, gradients, args, results: Some(&mut results), scalars };
        // SAFETY: both arenas have the net's length; without an ending nothing writes the parameters, and the gradients are the caller's or
        // the function's own.
        let done = unsafe { ready.start(states)?.run(&mut operands, None)? };
        let mut outcome = Outcome::Done;
        if scale.is_some() {
            // SAFETY: the gradients have the net's length and are nobody else's here.
            let is_finite = unsafe { optimizer::unscale(&self.loaded, function, gradients, scalars.scale) };
            outcome = if is_finite { Outcome::Done } else { Outcome::Overflow };
        }
        if outcome == Outcome::Done {
            done.commit(states);
        }
        self.scales.advance(function, outcome);
        draw.succeed();
        self.runs += 1;
        Ok((results, outcome == Outcome::Overflow))
    }

    /// Updates the parameters that the gradients were computed for; what [`Optimizer::apply`] does.
    ///
    /// # Errors
    /// As [`Optimizer::apply`].
    pub fn apply(&mut self, optimizer: &mut dyn Optimizer, gradients: &Gradients) -> Result<()> {
        self.unread.tell()?;
        self.is_whole()?;
        self.check_gradients(gradients)?;
        if gradients.overflowed() {
            return Ok(());
        }
        optimizer::prepare(optimizer, self.id, &self.loaded)?;
        let alone = EndingAlone::new(&self.loaded, &gradients.reached())?;
        self.update(optimizer, gradients, &alone, 1.0)
    }

    /// Updates by what an optimizer has added up, if anything; what [`Optimizer::flush`] does.
    ///
    /// # Errors
    /// As [`Optimizer::flush`].
    pub fn flush(&mut self, optimizer: &mut dyn Optimizer) -> Result<bool> {
        self.unread.tell()?;
        if optimizer.state().sum().is_none() {
            return Ok(false);
        }
        self.is_whole()?;
        optimizer::prepare(optimizer, self.id, &self.loaded)?;
        let Some(sum) = optimizer.state_mut().take_rest() else { return Ok(false) };
        self.update_by(optimizer, sum).map(|()| true)
    }

    /// Updates by a sum of gradients, which is 0 again afterwards, by an optimizer that is prepared.
    fn update_by(&mut self, optimizer: &mut dyn Optimizer, mut sum: Sum) -> Result<()> {
        let factor = optimizer.state().factor(&sum);
        let done = sum.ending().and_then(|(gradients, alone)| self.update(optimizer, gradients, alone, factor));
        sum.clear();
        optimizer.state_mut().give_sum(sum);
        done
    }

    /// Updates by gradients that are multiplied by a factor first.
    fn update(
        &mut self,
        optimizer: &mut dyn Optimizer,
        gradients: &Gradients,
        alone: &EndingAlone,
        factor: f64,
    ) -> Result<()> {
        let done = self.run_update(optimizer, gradients, alone, factor);
        self.tear(optimizer, done.as_ref().err());
        done
    }

    /// Notes that an update has stopped half-way, if it has.
    fn tear(&mut self, optimizer: &mut dyn Optimizer, error: Option<&Error>) {
        if let Some(Error::Panic { message, .. }) = error {
            self.torn = Some(message.clone());
            optimizer.state_mut().tear(message);
        }
    }

    fn run_update(
        &mut self,
        optimizer: &mut dyn Optimizer,
        gradients: &Gradients,
        alone: &EndingAlone,
        factor: f64,
    ) -> Result<()> {
        let (max_norm, max_value) = (optimizer.max_norm(), optimizer.max_value());
        let demands = Demands {
            guarded: self.stop_on_nan,
            clipped: max_norm.or(max_value).is_some(),
            scaled: false,
            reduced: optimizer.rule().sums() > 0,
            accumulated: false,
        };
        let mut memory = self.parameters.own(&self.loaded.net.name)?;
        let target = Target::new(optimizer, &self.loaded, &mut memory);
        let gradients_at = Shared::new(gradients.arena.as_ptr().cast_mut());
        let ending = Ending { target: &target, gradients: gradients_at, demands, max_norm, loss: None, sum: None };
        let bound = max_value.map_or(f64::INFINITY, |value| f64::from(value) / factor);
        let mut scalars = StepScalars { factor, bound, ..StepScalars::default() };
        // SAFETY: the gradients are of this net, as `check_gradients` found or as the sum was made.
        let done = unsafe { alone.run(&ending, &mut scalars) };
        let panic = |message| Error::Panic { function: format!("{}.apply", self.loaded.net.name), message };
        let (outcome, state) = (done.map_err(panic)?, optimizer.state_mut());
        match outcome {
            Outcome::Done => state.advance(gradients.reached_ones()),
            Outcome::Overflow | Outcome::NotFinite(NotFinite::Loss) => {}
            Outcome::NotFinite(NotFinite::Gradient(parameter)) => {
                let (net, step) = (self.loaded.net.name.clone(), state.steps() + 1);
                let (element, found) = self.loaded.first_not_finite(parameter, &gradients.arena);
                let parameter = self.loaded.net.parameters[parameter].name.clone();
                return Err(Error::GradientNotFinite { net, step, parameter, element, found, place: None });
            }
        }
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

impl<N: AsMut<Model>> Trainable for N {
    fn flush_by(&mut self, optimizer: &mut dyn Optimizer) -> Result<bool> {
        self.as_mut().flush(optimizer)
    }

    fn apply_by(&mut self, optimizer: &mut dyn Optimizer, gradients: &Gradients) -> Result<()> {
        self.as_mut().apply(optimizer, gradients)
    }
}

#[cfg(test)]
mod tests {
    use castnet_graph::builder::{Declared, DeclaredState, Parameters};
    use castnet_graph::compile::{Source, SourceFunction, compile};
    use castnet_graph::text;
    use castnet_program::net::Init;
    use castnet_program::types::Type;

    use super::*;
    use crate::device::Device;
    use crate::optimizer::{Accumulate, AdamW};

    /// The sum of x · w; and a state that becomes x.
    const GRAPH: &str = "graph F.f(x: f32[4]) {
    %0 = argument 0   f32[4]  x
    %1 = parameter 0  f32[4]  w
    %2 = mul(%0, %1)  f32[4]  product
    %3 = sum[0](%2)   f32[]   loss
    result 0 = %3
    state 0 = %0
}
";

    fn model() -> Model {
        let graph = text::read(GRAPH).unwrap_or_else(|error| panic!("{error}"));
        let weight = Declared { shape: Some((vec![4], Init::Constant(0.5))), ..Declared::new("w") };
        let ty = Type::new(DType::F32, vec![4.into()]);
        let state = DeclaredState { name: "last".into(), ty: Some(ty), init: Init::Constant(0.0) };
        let parameters = Parameters { list: vec![weight], states: vec![state], ..Parameters::default() };
        // All of it is f32; what the precision gives it is a loss scale.
        let precision = Some(DType::F16);
        let function = SourceFunction { precision, ..SourceFunction::new("f", graph.clone(), Some(graph)) };
        let source = Source { name: "F".into(), parameters, functions: vec![function] };
        Model::from_net(compile(source).unwrap_or_else(|e| panic!("{e:?}")).net, &Device::cpu(), 1).unwrap()
    }

    fn x(last: f32) -> Array {
        Array::from_vec(&[4], vec![1.0, 2.0, 3.0, last]).unwrap()
    }

    /// What is there after a step, to the bit.
    fn all(model: &Model) -> Vec<u32> {
        let arrays = [model.parameter("w").unwrap(), model.state("last").unwrap().unwrap()];
        arrays.iter().flat_map(|array| array.as_slice::<f32>().unwrap().to_vec()).map(f32::to_bits).collect()
    }

    /// Runs count, updates do not; what follows goes on as if the step had not been.
    #[test]
    fn a_step_whose_scaled_gradients_overflow_is_skipped() {
        for batches in [1, 2] {
            let [mut skipping, mut plain] =
                [(); 2].map(|()| (model(), AdamW::new(0.1).accumulate(Accumulate::Mean(batches))));
            for number in 0..4 {
                let x = x(number as f32);
                for (model, adam) in [&mut skipping, &mut plain] {
                    model.step(0, adam, &[&x]).unwrap();
                }
                let before = all(&skipping.0);
                let (model, adam) = &mut skipping;
                let (runs, steps, batches) = (model.steps(), adam.state().steps(), adam.state().accumulated());
                let infinity = self::x(f32::INFINITY);
                model.stop_on_nan(number == 3);
                let loss = model.step(0, adam, &[&infinity]);
                match number {
                    3 => assert!(matches!(loss, Err(Error::NotFinite { .. }))),
                    _ => assert_eq!(loss.unwrap().get().unwrap(), f32::INFINITY),
                }
                let counted = u64::from(number != 3);
                assert_eq!((model.steps(), adam.state().steps()), (runs + counted, steps));
                assert_eq!(adam.state().accumulated(), batches);
                assert_eq!(all(model), before);
                assert_eq!(before, all(&plain.0));
            }
            assert_eq!(skipping.1.state().steps(), 4 / batches);
        }
    }
}
