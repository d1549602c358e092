//! Optimizers: the rule of an update, the state it keeps, and what of it depends on the step.

mod accumulate;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod common;
mod ending;
mod groups;
mod lamb;
mod lars;
mod lion;
mod nadam;
mod radam;
mod rmsprop;
pub mod schedule;
mod scheduled;
mod sgd;
mod slices;
mod target;

pub use accumulate::Accumulate;
pub(crate) use accumulate::Sum;
pub use adadelta::{Adadelta, AdadeltaRule};
pub use adagrad::{Adagrad, AdagradRule};
pub use adam::{Adam, AdamRule, AdamW};
pub use adamax::{Adamax, AdamaxRule};
pub use castnet_kernels::update::{Real, UpdateRule};
pub use castnet_kernels::update_rule;
pub(crate) use ending::{Ending, unscale};
pub use groups::{Factors, Group};
pub use lamb::{LAMB, LAMBRule};
pub use lars::{LARS, LARSRule};
pub use lion::{Lion, LionRule};
pub use nadam::{NAdam, NAdamRule};
pub use radam::{RAdam, RAdamRule};
pub use rmsprop::{RMSprop, RMSpropRule};
pub use schedule::{
    Anneal, ChainedScheduler, Constant, ConstantLr, Cosine, CosineAnnealingWarmRestarts, Cycle, CyclicLr,
    ExponentialLr, LinearLr, Mode, MultiStepLr, OneCycleLr, PolynomialLr, ReduceLrOnPlateau, Schedule, SequentialLr,
    StepLr, Then, Threshold, Warmup,
};
pub use sgd::{Sgd, SgdMomentumRule, SgdRule};
pub(crate) use target::Target;

use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicU64;

use castnet_kernels::update::Elements;
use castnet_program::scalar::Lane;
use castnet_program::types::DType;

use crate::error::{Error, Result};
use crate::float::FloatType;
use crate::gradients::Gradients;
use crate::memory::{Memory, Shared};
use crate::net::Loaded;
use crate::pieces;

/// What changes parameters by their gradients.
///
/// An optimizer has a rule, which [`update_rule!`] makes of a formula, and gives it its numbers. Kernels update a tile of a parameter by it as
/// soon as its gradient is finished, so an optimizer of your own is as well fused as those of this crate:
///
/// ```
/// use castnet_runtime::optimizer::{Factors, Optimizer, Rule, State, update_rule};
/// use castnet_runtime::Result;
///
/// update_rule! {
///     /// Moves every parameter by a fixed length, against the sign of its gradient.
///     pub rule SignRule(parameter, gradient) {
///         states {}
///         scalars { lr }
///         update { parameter = parameter - lr * gradient.sign(); }
///     }
/// }
///
/// struct SignSgd { lr: f64, state: State }
///
/// impl Optimizer for SignSgd {
///     fn name(&self) -> &'static str { "SignSgd" }
///     fn rule(&self) -> Rule<'_> { Rule::Formula(SignRule::RULE) }
///     fn begin(&mut self, _step: u64) -> Result<()> { Ok(()) }
///     fn scalars(&self, factors: Factors, _step: u64, scalars: &mut [f64]) {
///         scalars[0] = factors.lr(self.lr);
///     }
///     fn state(&self) -> &State { &self.state }
///     fn state_mut(&mut self) -> &mut State { &mut self.state }
/// }
/// ```
pub trait Optimizer: Send + Sync {
    /// The name in messages and checkpoints: `AdamW`.
    fn name(&self) -> &'static str;

    /// How parameters change. It depends on nothing but settings.
    fn rule(&self) -> Rule<'_>;

    /// The names of the states that each parameter has: `exp_avg`.
    fn states(&self) -> Vec<&'static str> {
        self.rule().states().map(|(name, _)| name).collect()
    }

    /// Checks the settings and works out what depends on the step only. `step` counts this optimizer's updates from 1.
    ///
    /// # Errors
    /// If a setting is out of its range; nothing has been changed then.
    fn begin(&mut self, step: u64) -> Result<()>;

    /// The numbers that a formula is given for one parameter, in its order: what of settings, factors and the step enters it. `step` counts the
    /// updates of this parameter from 1, as PyTorch does: one that a step does not reach is not updated, and its count stands still.
    ///
    /// A number that is not finite is an `Err` of the step. All are NaN before.
    fn scalars(&self, factors: Factors, step: u64, scalars: &mut [f64]) {
        let _ = (factors, step, scalars);
    }

    /// The norm to which all gradients of a step together are clipped first, if at all.
    fn max_norm(&self) -> Option<f32> {
        None
    }

    /// The greatest absolute value of each gradient, to which it is clipped before the norm is, if at all.
    fn max_value(&self) -> Option<f32> {
        None
    }

    /// Whether parameters move along their gradients, to make an objective greater.
    fn maximizes(&self) -> bool {
        false
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
    fn flush(&mut self, net: &mut dyn Trainable) -> Result<bool> {
        net.flush_by(&mut Lent(self))
    }

    /// Updates the parameters of a net that `gradients` have been computed for, at once: what is [accumulated](Accumulate) stays as it is. Those that
    /// [overflowed](Gradients::overflowed) update nothing.
    ///
    /// # Errors
    /// If the gradients are of another net, the optimizer has the state of another model, or a setting is out of its range.
    fn apply(&mut self, net: &mut dyn Trainable, gradients: &Gradients) -> Result<()> {
        net.apply_by(&mut Lent(self), gradients)
    }
}

/// What an optimizer updates apart from steps: a model, or a net of `network!`.
pub trait Trainable {
    /// As [`Optimizer::flush`].
    ///
    /// # Errors
    /// As that.
    fn flush_by(&mut self, optimizer: &mut dyn Optimizer) -> Result<bool>;

    /// As [`Optimizer::apply`].
    ///
    /// # Errors
    /// As that.
    fn apply_by(&mut self, optimizer: &mut dyn Optimizer, gradients: &Gradients) -> Result<()>;
}

/// How an optimizer changes a parameter.
#[derive(Clone, Copy)]
pub enum Rule<'a> {
    /// By a formula that [`update_rule!`] made: data and compiled functions, for every float type.
    Formula(&'a UpdateRule),
    /// By functions over slices, on the CPU alone; they are called for tiles as formulas are.
    Slices {
        /// The names of the states, at most 8.
        states: &'a [&'static str],
        /// In f32; f16 and bf16 are widened for it, and rounded after it.
        f32: &'a dyn UpdateSlices<f32>,
        /// In f64; without one, steps of nets of f64 are an `Err`.
        f64: Option<&'a dyn UpdateSlices<f64>>,
    },
}

impl<'a> Rule<'a> {
    /// Name and type of each state; `None`: the net's float type.
    pub fn states(self) -> impl Iterator<Item = (&'static str, Option<DType>)> + 'a {
        let (typed, named): (&[_], &[_]) = match self {
            Rule::Formula(rule) => (rule.states(), &[]),
            Rule::Slices { states, .. } => (&[], states),
        };
        typed.iter().copied().chain(named.iter().map(|name| (*name, None)))
    }

    /// The formula, if it is one.
    pub(crate) fn formula(self) -> Option<&'a UpdateRule> {
        match self {
            Rule::Formula(rule) => Some(rule),
            Rule::Slices { .. } => None,
        }
    }

    /// Whether something of a whole parameter must be known before it is updated.
    pub(crate) fn sums(self) -> usize {
        self.formula().map_or(0, UpdateRule::sums)
    }
}

/// A rule as a function over slices: see [`Rule::Slices`].
///
/// ```
/// use castnet_runtime::optimizer::{Factors, Optimizer, Rule, State, UpdateSlices};
/// use castnet_runtime::Result;
///
/// struct SignSgd { lr: f32, state: State }
///
/// impl UpdateSlices<f32> for SignSgd {
///     fn update(&self, factors: Factors, _: u64, parameter: &mut [f32], gradient: &[f32], _: &mut [&mut [f32]]) {
///         let lr = factors.lr(self.lr.into()) as f32;
///         parameter.iter_mut().zip(gradient).for_each(|(p, g)| *p -= lr * g.signum());
///     }
/// }
///
/// impl Optimizer for SignSgd {
///     fn name(&self) -> &'static str { "SignSgd" }
///     fn rule(&self) -> Rule<'_> { Rule::Slices { states: &[], f32: self, f64: None } }
///     fn begin(&mut self, _step: u64) -> Result<()> { Ok(()) }
///     fn state(&self) -> &State { &self.state }
///     fn state_mut(&mut self) -> &mut State { &mut self.state }
/// }
/// ```
pub trait UpdateSlices<T>: Sync {
    /// Updates some elements of a parameter; all slices have the same length, those of states too, which are 0 at first. `step` is that of
    /// [`Optimizer::scalars`]. Several threads do this at once for different elements, so it may depend on nothing but these and the settings.
    fn update(&self, factors: Factors, step: u64, parameter: &mut [T], gradient: &[T], states: &mut [&mut [T]]);
}

/// The most states of [`Rule::Slices`].
pub(crate) const MAX_SLICES: usize = 8;

/// What refers to an optimizer is one: `Box<dyn Optimizer>`, for one that is chosen while the program runs.
macro_rules! refers {
    ($($ty:ty),*) => {$(
        impl<O: Optimizer + ?Sized> Optimizer for $ty {
            fn name(&self) -> &'static str {
                (**self).name()
            }

            fn rule(&self) -> Rule<'_> {
                (**self).rule()
            }

            fn begin(&mut self, step: u64) -> Result<()> {
                (**self).begin(step)
            }

            fn max_norm(&self) -> Option<f32> {
                (**self).max_norm()
            }

            fn max_value(&self) -> Option<f32> {
                (**self).max_value()
            }

            fn maximizes(&self) -> bool {
                (**self).maximizes()
            }

            fn scalars(&self, factors: Factors, step: u64, scalars: &mut [f64]) {
                (**self).scalars(factors, step, scalars)
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

            fn flush(&mut self, net: &mut dyn Trainable) -> Result<bool> {
                (**self).flush(net)
            }

            fn apply(&mut self, net: &mut dyn Trainable, gradients: &Gradients) -> Result<()> {
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
    /// Numbers for each element of a parameter: the number of its states, at most; that of AMSGrad comes on top.
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
    /// What went wrong in the midst of an update.
    torn: Option<String>,
    now: Now,
}

/// What of the state is made anew for each step.
#[derive(Debug, Default)]
struct Now {
    /// The arenas as addresses.
    elements: Vec<Elements>,
    /// Of each parameter, the numbers of a formula: its scalars, then what is made of its sums; in the lane that the net is computed in.
    numbers: Memory,
    numbers_at: Option<Shared<u8>>,
    /// The scalars of one parameter.
    scalars: Vec<f64>,
    /// What a formula sums over each piece of all parameters.
    sums: Vec<AtomicU64>,
}

/// What an update needs of the state, while nobody changes it.
pub(crate) struct Placed<'a> {
    pub(crate) states: &'a [Elements],
    /// Of all parameters.
    pub(crate) numbers: Shared<u8>,
    pub(crate) sums: &'a [AtomicU64],
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

    /// Notes where the arenas and numbers lie, which [`prepare`] has got ready.
    pub(crate) fn place(&mut self) {
        let Now { elements, numbers, numbers_at, .. } = &mut self.now;
        for (elements, arena) in elements.iter_mut().zip(&mut self.arenas) {
            elements.base = arena.as_mut_ptr();
        }
        *numbers_at = Some(Shared::new(numbers.as_mut_ptr()));
    }

    /// What [`State::place`] has noted.
    pub(crate) fn placed(&self) -> Placed<'_> {
        let Now { elements, numbers_at, sums, .. } = &self.now;
        let none = Shared::new(std::ptr::null_mut());
        Placed { states: elements, numbers: numbers_at.unwrap_or(none), sums }
    }

    /// State number `state`, which lies as the parameters do.
    pub(crate) fn arena(&self, state: usize) -> Option<&Memory> {
        self.arenas.get(state)
    }

    /// Takes what a checkpoint holds.
    pub(crate) fn restore(&mut self, (id, net): (u64, &str), from: Restored) {
        let Restored { steps, parameter_steps, lr, arenas, schedule, sum } = from;
        // A state that was never used goes to whoever uses it first.
        let owner = (steps > 0 || sum.is_some()).then(|| (id, net.to_string()));
        self.scheduled.restore(&schedule);
        self.accumulated.restore(sum);
        let (torn, now) = (None, Now::default());
        *self = State { owner, steps, lr, parameter_steps, arenas, torn, now, ..std::mem::take(self) };
    }

    /// An update has stopped half-way.
    pub(crate) fn tear(&mut self, message: &str) {
        self.torn = Some(message.to_string());
    }

    /// # Errors
    /// If an update stopped half-way, and nothing has been loaded since.
    pub(crate) fn is_whole(&self, optimizer: &'static str) -> Result<()> {
        let Some(message) = &self.torn else { return Ok(()) };
        let of = self.owner.as_ref().map_or(String::new(), |(_, net)| format!(" of {net}"));
        Err(Error::Torn { net: format!("{optimizer}{of}"), message: message.clone() })
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

/// Gets an optimizer ready for its next update of the model with this identity: settings checked, state there, the numbers of its formula worked
/// out. After the first time it allocates nothing.
pub(crate) fn prepare(optimizer: &mut dyn Optimizer, owner: u64, loaded: &Loaded) -> Result<()> {
    let name = optimizer.name();
    optimizer.state().check_owner(name, owner)?;
    optimizer.state().is_whole(name)?;
    if let Rule::Slices { states, f64, .. } = optimizer.rule() {
        if loaded.float == FloatType::F64 && f64.is_none() {
            return Err(Error::NoRuleForF64 { optimizer: name, net: loaded.net.name.clone() });
        }
        if states.len() > MAX_SLICES {
            return Err(Error::TooManyStates { optimizer: name, states: states.len(), most: MAX_SLICES });
        }
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
    let mut now = std::mem::take(&mut optimizer.state_mut().now);
    let numbers = now.prepare(optimizer, loaded);
    let arenas = is_new.then(|| {
        let arena = |dtype| {
            loaded.arena_of(dtype).map_err(|error| match error {
                Error::Memory { bytes, .. } => {
                    Error::Memory { function: format!("{name} of {}", loaded.net.name), bytes }
                }
                error => error,
            })
        };
        optimizer.rule().states().map(|(_, dtype)| arena(dtype)).collect::<Result<_>>()
    });
    let state = optimizer.state_mut();
    state.now = now;
    numbers?;
    if let Some(arenas) = arenas {
        state.arenas = arenas?;
        state.owner = Some((owner, loaded.net.name.clone()));
    }
    Ok(())
}

impl Now {
    fn prepare(&mut self, optimizer: &dyn Optimizer, loaded: &Loaded) -> Result<()> {
        let rule = optimizer.rule();
        let states = rule.states().map(|(_, dtype)| dtype.unwrap_or(loaded.net.float));
        self.elements.clear();
        self.elements.extend(states.map(|dtype| Elements { base: std::ptr::null_mut(), dtype }));
        let Some(formula) = rule.formula() else { return Ok(()) };
        self.sums.resize_with(formula.sums() * pieces::most_pieces(loaded), AtomicU64::default);
        let (lane, count) = (loaded.net.float.lane(), formula.numbers());
        let bytes = loaded.net.parameters.len() * count * lane.bytes();
        if !self.numbers.grow(bytes) {
            return Err(Error::Memory { function: format!("{} of {}", optimizer.name(), loaded.net.name), bytes });
        }
        self.scalars.resize(formula.scalars().len(), 0.0);
        let steps = optimizer.state().parameter_steps();
        for (parameter, done) in steps.iter().enumerate() {
            self.scalars.fill(f64::NAN);
            let factors = optimizer.state().factors(loaded.updated(parameter));
            optimizer.scalars(factors, done + 1, &mut self.scalars);
            for (number, (&value, &setting)) in self.scalars.iter().zip(formula.scalars()).enumerate() {
                let at = parameter * count + number;
                let finite = match lane {
                    Lane::F64 => {
                        self.numbers.slice_mut::<f64>()[at] = value;
                        value.is_finite()
                    }
                    Lane::F32 | Lane::I32 | Lane::I64 | Lane::Bool => {
                        self.numbers.slice_mut::<f32>()[at] = value as f32;
                        (value as f32).is_finite()
                    }
                };
                Settings(optimizer.name()).check(setting, value, "a finite number", finite)?;
            }
        }
        Ok(())
    }
}

/// What is clipped to, as a setting.
fn clip_text(most: Option<f32>) -> String {
    most.map_or_else(|| "off".to_string(), |most| format!("{most:?}"))
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

    /// In [0, 1].
    fn share(&self, setting: &'static str, value: f64) -> Result<()> {
        self.check(setting, value, "in [0, 1]", (0.0..=1.0).contains(&value))
    }

    fn betas(&self, _: &'static str, [beta1, beta2]: [f64; 2]) -> Result<()> {
        self.fraction("beta1", beta1)?;
        self.fraction("beta2", beta2)
    }

    /// Both are allowed.
    fn switch(&self, _: &'static str, _: bool) -> Result<()> {
        Ok(())
    }

    fn clips_at(&self, setting: &'static str, value: Option<f32>) -> Result<()> {
        value.map_or(Ok(()), |v| self.check(setting, v.into(), "a number above 0", v > 0.0))
    }
}
