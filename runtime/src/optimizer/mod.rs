//! Optimizers: the rule of an update, the state it keeps, and what of it depends on the step.

mod adam;
mod schedule;
mod sgd;

pub use adam::{Adam, AdamW};
pub use schedule::{Constant, Cosine, Schedule, Then, Warmup};
pub use sgd::Sgd;

use crate::error::{Error, Result};
use crate::gradients::Gradients;
use crate::memory::{Memory, Shared};
use crate::model::Model;

/// A rule that changes parameters by their gradients, element by element.
///
/// Kernels call [`Optimizer::update`] for a tile as soon as its gradient is finished, so an optimizer of your own is as well fused as
/// those of this crate:
///
/// ```
/// use castnet_runtime::{Optimizer, Result, optimizer::{Factors, State}};
///
/// /// Moves every parameter by a fixed length, against the sign of its gradient.
/// struct SignSgd { lr: f32, state: State }
///
/// impl Optimizer for SignSgd {
///     fn name(&self) -> &'static str { "SignSgd" }
///     fn states(&self) -> &'static [&'static str] { &[] }
///     fn begin(&mut self, _step: u64) -> Result<()> { Ok(()) }
///     fn update(&self, factors: Factors, parameter: &mut [f32], gradient: &[f32], _: &mut [f32], _: &mut [f32]) {
///         for (p, g) in parameter.iter_mut().zip(gradient) {
///             *p -= self.lr * factors.lr * g.signum();
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
    /// are 0 at first. Several threads do this at once for different elements, so it may depend on nothing but these and the settings.
    fn update(&self, factors: Factors, parameter: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]);

    /// Where the state is kept.
    fn state(&self) -> &State;

    /// Where the state is kept.
    fn state_mut(&mut self) -> &mut State;

    /// Updates the parameters of a net that `gradients` have been computed for.
    ///
    /// # Errors
    /// If the gradients are of another net, the optimizer has the state of another model, or a setting is out of its range.
    fn apply<N: AsMut<Model>>(&mut self, net: &mut N, gradients: &Gradients) -> Result<()>
    where
        Self: Sized,
    {
        net.as_mut().apply(self, gradients)
    }
}

/// How much an optimizer remembers, known when you build: for `LeNet::loss_step_memory::<AdamW>(n)`.
pub trait Footprint: Optimizer {
    /// Numbers for each element of a parameter, at most: the length of [`Optimizer::states`].
    const STATES: usize;
}

/// By what the settings are multiplied for one parameter: the attributes before its layer, as PyTorch's parameter groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Of the whole update, decay included.
    pub lr: f32,
    /// Of the decay.
    pub wd: f32,
}

/// What an optimizer remembers of one model: a number for each parameter element and state, allocated at first use.
#[derive(Debug, Default)]
pub struct State {
    /// The model, and the name of its net.
    owner: Option<(u64, String)>,
    steps: u64,
    arenas: Vec<Memory>,
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

    /// # Errors
    /// If it is the state of another model.
    pub(crate) fn check_owner(&self, optimizer: &'static str, owner: u64) -> Result<()> {
        match &self.owner {
            Some((known, net)) if *known != owner => Err(Error::OptimizerInUse { optimizer, net: net.clone() }),
            _ => Ok(()),
        }
    }

    /// The arenas as addresses; a state that there is not is `None`.
    pub(crate) fn arenas(&mut self, floats: usize) -> [Option<Shared<f32>>; 2] {
        let mut arenas = self.arenas.iter_mut().filter(|a| a.len() >= 4 * floats);
        std::array::from_fn(|_| arenas.next().map(|a| Shared::new(a.as_mut_ptr().cast())))
    }

    /// The floats of state number `state`.
    pub(crate) fn arena(&self, state: usize) -> Option<&[f32]> {
        self.arenas.get(state).map(Memory::slice)
    }

    /// Takes what a checkpoint holds.
    pub(crate) fn restore(&mut self, model: &Model, steps: u64, arenas: Vec<Memory>) {
        // A state that was never used goes to whoever uses it first.
        let owner = (steps > 0).then(|| (model.id(), model.name().to_string()));
        *self = State { owner, steps, arenas };
    }

    /// One more update is done.
    pub(crate) fn advance(&mut self) {
        self.steps += 1;
    }
}

/// Gets an optimizer ready for its next update of the model with this identity: settings checked, state there.
pub(crate) fn prepare(optimizer: &mut dyn Optimizer, owner: u64, net: &str, floats: usize) -> Result<()> {
    let (name, states) = (optimizer.name(), optimizer.states().len().min(2));
    optimizer.state().check_owner(name, owner)?;
    let step = optimizer.state().steps + 1;
    optimizer.begin(step)?;
    let state = optimizer.state_mut();
    if state.owner.is_none() {
        let bytes = floats.saturating_mul(4);
        let arena =
            || Memory::zeroed(bytes).ok_or_else(|| Error::Memory { function: format!("{name} of {net}"), bytes });
        state.arenas = (0..states).map(|_| arena()).collect::<Result<_>>()?;
        state.owner = Some((owner, net.to_string()));
    }
    Ok(())
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
