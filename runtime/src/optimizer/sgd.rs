//! Stochastic gradient descent.

use castnet_kernels::isa::Isa;
use castnet_kernels::update::{SgdRule, sgd};

use super::{Accumulate, Factors, Footprint, Group, Optimizer, Schedule, Settings, State, UpdateF64, clip_text};
use crate::error::Result;

/// Stochastic gradient descent (`torch.optim.SGD`, with its defaults): no momentum, no decay.
///
/// ```
/// use castnet_runtime::{Cosine, Sgd};
/// let sgd = Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(5e-4).schedule(Cosine::new(1000));
/// ```
#[derive(Debug)]
pub struct Sgd {
    lr: f64,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    weight_decay: f64,
    max_norm: Option<f32>,
    rule: SgdRule,
    isa: Isa,
    state: State,
}

impl Sgd {
    /// With this learning rate, at least 0.
    pub fn new(lr: f64) -> Sgd {
        let rule = SgdRule { lr, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, first_step: false };
        Sgd {
            lr,
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            max_norm: None,
            rule,
            isa: Isa::detect(),
            state: State::new(),
        }
    }

    /// Momentum, in [0, 1); 0.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// What is taken off a new gradient when it enters the momentum; 0.
    pub fn dampening(mut self, dampening: f64) -> Sgd {
        self.dampening = dampening;
        self
    }

    /// Nesterov's momentum; needs a momentum and no dampening; off.
    pub fn nesterov(mut self, nesterov: bool) -> Sgd {
        self.nesterov = nesterov;
        self
    }

    /// Added to the gradient, times the parameter; 0.
    pub fn weight_decay(mut self, weight_decay: f64) -> Sgd {
        self.weight_decay = weight_decay;
        self
    }

    /// Clips the norm of all gradients of a step together; off.
    pub fn clip_norm(mut self, max_norm: f32) -> Sgd {
        self.max_norm = Some(max_norm);
        self
    }

    /// Changes the learning rate from step to step; [`Constant`](super::Constant).
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Sgd {
        self.state.set_schedule(schedule);
        self
    }

    /// Other settings for the parameters whose keys match `glob` (see [`Group`]); of several globs that match a key the last one counts.
    pub fn group(mut self, glob: &str, of: impl FnOnce(Group) -> Group) -> Sgd {
        self.state.add_group(glob, of(Group::new()));
        self
    }

    /// Makes one update of the gradients of several batches; off.
    pub fn accumulate(mut self, how: Accumulate) -> Sgd {
        self.state.set_accumulate(how);
        self
    }

    /// Another learning rate from the next step on, still times the schedule's factor.
    pub fn set_lr(&mut self, lr: f64) {
        self.state.set_lr(lr);
    }

    /// Before the schedule's factor.
    fn base_lr(&self) -> f64 {
        self.state.lr().unwrap_or(self.lr)
    }

    /// The rule of a parameter at its step.
    fn rule_at(&self, factors: Factors, step: u64) -> SgdRule {
        SgdRule {
            lr: factors.lr(self.rule.lr),
            weight_decay: factors.weight_decay(self.rule.weight_decay),
            first_step: step == 1,
            ..self.rule
        }
    }

    /// The learning rate of the next step.
    pub fn lr(&self) -> f64 {
        self.state.next_lr(self.lr)
    }
}

impl Footprint for Sgd {
    const STATES: usize = 1;
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "Sgd"
    }

    fn states(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }
    }

    fn begin(&mut self, _: u64) -> Result<()> {
        let settings = Settings(self.name());
        settings.not_negative("lr", self.base_lr())?;
        settings.fraction("momentum", self.momentum)?;
        settings.check("dampening", self.dampening, "in [0, 1]", (0.0..=1.0).contains(&self.dampening))?;
        settings.not_negative("weight_decay", self.weight_decay)?;
        settings.max_norm(self.max_norm)?;
        let plain = self.momentum > 0.0 && self.dampening == 0.0;
        settings.check("nesterov", 1.0, "allowed without momentum or with dampening", !self.nesterov || plain)?;
        self.rule = SgdRule {
            // Each parameter has its own.
            lr: self.base_lr(),
            momentum: self.state.momentum("momentum", self.momentum)?,
            dampening: self.dampening,
            weight_decay: self.weight_decay,
            nesterov: self.nesterov,
            first_step: false,
        };
        Ok(())
    }

    fn max_norm(&self) -> Option<f32> {
        self.max_norm
    }

    fn update(
        &self,
        factors: Factors,
        step: u64,
        parameter: &mut [f32],
        gradient: &[f32],
        buffer: &mut [f32],
        _: &mut [f32],
    ) {
        sgd(self.isa, &self.rule_at(factors, step), parameter, gradient, buffer);
    }

    fn f64(&self) -> Option<&dyn UpdateF64> {
        Some(self)
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("lr", format!("{:?}", self.lr)),
            ("momentum", format!("{:?}", self.momentum)),
            ("dampening", format!("{:?}", self.dampening)),
            ("nesterov", format!("{:?}", self.nesterov)),
            ("weight_decay", format!("{:?}", self.weight_decay)),
            ("clip_norm", clip_text(self.max_norm)),
            ("schedule", self.state.schedule_text()),
        ]
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl UpdateF64 for Sgd {
    fn update_f64(
        &self,
        factors: Factors,
        step: u64,
        parameter: &mut [f64],
        gradient: &[f64],
        buffer: &mut [f64],
        _: &mut [f64],
    ) {
        sgd(self.isa, &self.rule_at(factors, step), parameter, gradient, buffer);
    }
}
