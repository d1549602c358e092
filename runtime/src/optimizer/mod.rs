//! Optimizers: the rule of an update, the state it keeps, and what of it depends on the step.

mod accumulate;
mod adam;
mod groups;
pub mod schedule;
mod scheduled;
mod sgd;

pub use accumulate::Accumulate;
pub(crate) use accumulate::Sum;
pub use adam::{Adam, AdamW};
pub use groups::{Factors, Group};
pub use schedule::{
    Anneal, ChainedScheduler, Constant, ConstantLr, Cosine, CosineAnnealingWarmRestarts, Cycle, CyclicLr,
    ExponentialLr, LinearLr, Mode, MultiStepLr, OneCycleLr, PolynomialLr, ReduceLrOnPlateau, Schedule, SequentialLr,
    StepLr, Then, Threshold, Warmup,
};
pub use sgd::Sgd;

use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};
use crate::float::FloatType;
use crate::gradients::Gradients;
use crate::memory::{Memory, Shared};
use crate::model::Model;
use crate::net::Loaded;

/// A rule that changes parameters by their gradients, element by element.
///
/// Kernels call [`Optimizer::update`] for a tile as soon as its gradient is finished, so an optimizer of your own is as well fused as
/// those of this crate:
///
/// ```
/// use castnet_runtime::{Optimizer, Result, optimizer::{Factors, State}};
///
/// /// Moves every parameter by a fixed length, against the sign of its gradient.
/// struct SignSgd { lr: f64, state: State }
///
/// impl Optimizer for SignSgd {
///     fn name(&self) -> &'static str { "SignSgd" }
///     fn states(&self) -> &'static [&'static str] { &[] }
///     fn begin(&mut self, _step: u64) -> Result<()> { Ok(()) }
///     fn update(&self, factors: Factors, _: u64, parameter: &mut [f32], gradient: &[f32], _: &mut [f32], _: &mut [f32]) {
///         let lr = factors.lr(self.lr) as f32; // By the schedule and the parameter's group.
///         for (p, g) in parameter.iter_mut().zip(gradient) {
///             *p -= lr * g.signum();
///         }
///     }
///     fn state(&self) -> &State { &self.state }
///     fn state_mut(&mut self) -> &mut State { &mut self.state }
/// }
/// ```
pub trait Optimizer: Send + Sync {
    /// The name in messages and checkpoints: `AdamW`.
    fn name(&self) -> &'static str;

    /// The names of the states that each parameter has, at most two: `exp_avg`.
    fn states(&self) -> &'static [&'static str];

    /// Checks the settings and works out what depends on the step only. `step` counts this optimizer's updates from 1.
    ///
    /// # Errors
    /// If a setting is out of its range; nothing has been changed then.
    fn begin(&mut self, step: u64) -> Result<()>;

    /// The norm to which all gradients of a step together are clipped first, if at all.
    fn max_norm(&self) -> Option<f32> {
        None
    }

    /// Updates some elements of a parameter; all slices have the same length, but those of states that there are not are empty. States
    /// are 0 at first. `step` counts the updates of this parameter from 1, as PyTorch does: one that a step does not reach is not updated,
    /// and its count stands still. Several threads do this at once for different elements, so it may depend on nothing but these and the
    /// settings.
    fn update(
        &self,
        factors: Factors,
        step: u64,
        parameter: &mut [f32],
        gradient: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    );

    /// The same rule for nets of f64; without one (as here, unless you write it) their steps are an `Err`. Nets of f16 and bf16 are updated
    /// by [`Optimizer::update`], in f32, and rounded.
    fn f64(&self) -> Option<&dyn UpdateF64> {
        None
    }

    /// What it was made with, by name, as text: `momentum`, `0.9`. A training checkpoint keeps them, and training is resumed by an optimizer
    /// with the same ones only. What changes later belongs to the [`State`], as [`State::set_lr`].
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![]
    }

    /// Where the state is kept.
    fn state(&self) -> &State;

    /// Where the state is kept.
    fn state_mut(&mut self) -> &mut State;

    /// Tells the schedule a metric, such as the validation loss of an epoch: [`ReduceLrOnPlateau`] asks for it.
    ///
    /// # Errors
    /// If the schedule asks for none.
    fn metric(&mut self, metric: f64) -> Result<()> {
        let optimizer = self.name();
        self.state_mut().metric(optimizer, metric)
    }

    /// Updates by what has been [accumulated](Accumulate) so far, although batches are missing, such as at the end of an epoch: by the mean of
    /// those that there are, or their sum. Whether there were any.
    ///
    /// # Errors
    /// As [`Optimizer::apply`].
    fn flush(&mut self, net: &mut dyn AsMut<Model>) -> Result<bool> {
        net.as_mut().flush(&mut Lent(self))
    }

    /// Updates the parameters of a net that `gradients` have been computed for, at once: what is [accumulated](Accumulate) stays as it is.
    ///
    /// # Errors
    /// If the gradients are of another net, the optimizer has the state of another model, or a setting is out of its range.
    fn apply(&mut self, net: &mut dyn AsMut<Model>, gradients: &Gradients) -> Result<()> {
        net.as_mut().apply(&mut Lent(self), gradients)
    }
}

/// An optimizer's rule over parameters of f64: see [`Optimizer::f64`].
pub trait UpdateF64 {
    /// As [`Optimizer::update`], in double precision.
    fn update_f64(
        &self,
        factors: Factors,
        step: u64,
        parameter: &mut [f64],
        gradient: &[f64],
        first: &mut [f64],
        second: &mut [f64],
    );
}

/// What refers to an optimizer is one: `Box<dyn Optimizer>`, for one that is chosen while the program runs.
macro_rules! refers {
    ($($ty:ty),*) => {$(
        impl<O: Optimizer + ?Sized> Optimizer for $ty {
            fn name(&self) -> &'static str {
                (**self).name()
            }

            fn states(&self) -> &'static [&'static str] {
                (**self).states()
            }

            fn begin(&mut self, step: u64) -> Result<()> {
                (**self).begin(step)
            }

            fn max_norm(&self) -> Option<f32> {
                (**self).max_norm()
            }

            fn update(
                &self,
                factors: Factors,
                step: u64,
                parameter: &mut [f32],
                gradient: &[f32],
                first: &mut [f32],
                second: &mut [f32],
            ) {
                (**self).update(factors, step, parameter, gradient, first, second)
            }

            fn f64(&self) -> Option<&dyn UpdateF64> {
                (**self).f64()
            }

            fn settings(&self) -> Vec<(&'static str, String)> {
                (**self).settings()
            }

            fn state(&self) -> &State {
                (**self).state()
            }

            fn state_mut(&mut self) -> &mut State {
                (**self).state_mut()
            }

            fn flush(&mut self, net: &mut dyn AsMut<Model>) -> Result<bool> {
                (**self).flush(net)
            }

            fn apply(&mut self, net: &mut dyn AsMut<Model>, gradients: &Gradients) -> Result<()> {
                (**self).apply(net, gradients)
            }
        }
    )*};
}

refers!(Box<O>, Lent<'_, O>);

/// An optimizer of any kind, of a size that is known: what a `dyn Optimizer` is made of.
struct Lent<'a, O: ?Sized>(&'a mut O);

impl<O: ?Sized> Deref for Lent<'_, O> {
    type Target = O;

    fn deref(&self) -> &O {
        self.0
    }
}

impl<O: ?Sized> DerefMut for Lent<'_, O> {
    fn deref_mut(&mut self) -> &mut O {
        self.0
    }
}

/// How much an optimizer remembers, known when you build: for `LeNet::loss_step_memory::<AdamW>(n)`.
pub trait Footprint: Optimizer {
    /// Numbers for each element of a parameter, at most: the length of [`Optimizer::states`].
    const STATES: usize;
}

/// What every optimizer has, its schedule and groups among it, and what it remembers of one model: a number for each parameter element and
/// state, allocated at first use.
#[derive(Debug, Default)]
pub struct State {
    /// The model, and the name of its net.
    owner: Option<(u64, String)>,
    steps: u64,
    /// The learning rate, where one was set by hand.
    lr: Option<f64>,
    /// Updates of each parameter.
    parameter_steps: Vec<u64>,
    arenas: Vec<Memory>,
    scheduled: scheduled::Scheduled,
    groups: groups::Groups,
    accumulated: accumulate::Accumulated,
}

impl State {
    /// Nothing yet.
    pub fn new() -> State {
        State::default()
    }

    /// Updates done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The learning rate that was set by [`State::set_lr`]: it is saved and restored with the state.
    pub fn lr(&self) -> Option<f64> {
        self.lr
    }

    /// Notes a learning rate other than that which the optimizer was made with.
    pub fn set_lr(&mut self, lr: f64) {
        self.lr = Some(lr);
    }

    /// Updates done of each parameter, in the net's order: fewer than [`State::steps`] where some steps do not reach it. Empty before the
    /// first use.
    pub fn parameter_steps(&self) -> &[u64] {
        &self.parameter_steps
    }

    /// # Errors
    /// If it is the state of another model.
    pub(crate) fn check_owner(&self, optimizer: &'static str, owner: u64) -> Result<()> {
        match &self.owner {
            Some((known, net)) if *known != owner => Err(Error::OptimizerInUse { optimizer, net: net.clone() }),
            _ => Ok(()),
        }
    }

    /// The arenas as addresses; a state that there is not is `None`.
    pub(crate) fn arenas(&mut self, bytes: usize) -> [Option<Shared<u8>>; 2] {
        let mut arenas = self.arenas.iter_mut().filter(|a| a.len() >= bytes);
        std::array::from_fn(|_| arenas.next().map(|a| Shared::new(a.as_mut_ptr())))
    }

    /// State number `state`, which lies as the parameters do.
    pub(crate) fn arena(&self, state: usize) -> Option<&Memory> {
        self.arenas.get(state)
    }

    /// Takes what a checkpoint holds.
    pub(crate) fn restore(&mut self, model: &Model, from: Restored) {
        let Restored { steps, parameter_steps, lr, arenas, schedule, sum } = from;
        // A state that was never used goes to whoever uses it first.
        let owner = (steps > 0 || sum.is_some()).then(|| (model.id(), model.name().to_string()));
        self.scheduled.restore(&schedule);
        self.accumulated.restore(sum);
        *self = State { owner, steps, lr, parameter_steps, arenas, ..std::mem::take(self) };
    }

    /// One more update is done, of these parameters.
    pub(crate) fn advance(&mut self, reached: impl IntoIterator<Item = usize>) {
        self.steps += 1;
        reached.into_iter().for_each(|p| self.parameter_steps[p] += 1);
    }
}

/// The state of an optimizer as a checkpoint holds it.
pub(crate) struct Restored {
    pub(crate) steps: u64,
    /// One a parameter.
    pub(crate) parameter_steps: Vec<u64>,
    pub(crate) lr: Option<f64>,
    pub(crate) arenas: Vec<Memory>,
    /// Empty where the schedule keeps what it has.
    pub(crate) schedule: Vec<f64>,
    pub(crate) sum: Option<Sum>,
}

/// Gets an optimizer ready for its next update of the model with this identity: settings checked, state there.
pub(crate) fn prepare(optimizer: &mut dyn Optimizer, owner: u64, loaded: &Loaded) -> Result<()> {
    let (name, states) = (optimizer.name(), optimizer.states().len().min(2));
    optimizer.state().check_owner(name, owner)?;
    if loaded.float == FloatType::F64 && optimizer.f64().is_none() {
        return Err(Error::NoRuleForF64 { optimizer: name, net: loaded.net.name.clone() });
    }
    let state = optimizer.state_mut();
    let (step, is_new) = (state.steps + 1, state.owner.is_none());
    if is_new {
        state.parameter_steps.clear();
        state.parameter_steps.resize(loaded.net.parameters.len(), 0);
    }
    state.begin_groups(name, &loaded.net, is_new)?;
    state.begin_schedule(name)?;
    optimizer.begin(step)?;
    if is_new {
        let bytes = loaded.bytes();
        let function = || format!("{name} of {}", loaded.net.name);
        let arena = || Memory::zeroed(bytes).ok_or_else(|| Error::Memory { function: function(), bytes });
        let arenas = (0..states).map(|_| arena()).collect::<Result<_>>()?;
        let state = optimizer.state_mut();
        state.arenas = arenas;
        state.owner = Some((owner, loaded.net.name.clone()));
    }
    Ok(())
}

/// A norm to clip to, as a setting.
fn clip_text(max_norm: Option<f32>) -> String {
    max_norm.map_or_else(|| "off".to_string(), |norm| format!("{norm:?}"))
}

/// Checks settings of one optimizer.
struct Settings(&'static str);

impl Settings {
    fn check(&self, setting: &'static str, value: f64, allowed: &'static str, holds: bool) -> Result<()> {
        match holds {
            true => Ok(()),
            false => Err(Error::Setting { optimizer: self.0, setting, value, allowed }),
        }
    }

    /// At least 0 and finite.
    fn not_negative(&self, setting: &'static str, value: f64) -> Result<()> {
        self.check(setting, value, "a finite number of at least 0", value >= 0.0 && (value as f32).is_finite())
    }

    /// In [0, 1).
    fn fraction(&self, setting: &'static str, value: f64) -> Result<()> {
        self.check(setting, value, "in [0, 1)", (0.0..1.0).contains(&value))
    }

    fn max_norm(&self, value: Option<f32>) -> Result<()> {
        value.map_or(Ok(()), |v| self.check("clip_norm", v.into(), "a number above 0", v > 0.0))
    }
}
