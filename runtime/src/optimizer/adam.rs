//! Adam and AdamW.

use castnet_kernels::isa::Isa;
use castnet_kernels::update::{AdamRule, Real, adam};

use super::{Accumulate, Factors, Footprint, Group, Optimizer, Schedule, Settings, State, UpdateF64, clip_text};
use crate::error::Result;

/// What both are made of.
#[derive(Debug)]
struct Core {
    name: &'static str,
    lr: f64,
    betas: [f64; 2],
    /// Of the present step.
    beta1: f64,
    eps: f64,
    weight_decay: f64,
    decoupled: bool,
    max_norm: Option<f32>,
    rule: Option<AdamRule>,
    /// The bias corrections of every step that some parameter is at, sorted by step.
    corrections: Vec<(u64, [f64; 2])>,
    isa: Isa,
    state: State,
}

impl Core {
    fn new(name: &'static str, lr: f64, weight_decay: f64, decoupled: bool) -> Core {
        Core {
            name,
            lr,
            betas: [0.9, 0.999],
            beta1: 0.9,
            eps: 1e-8,
            weight_decay,
            decoupled,
            max_norm: None,
            rule: None,
            corrections: Vec::new(),
            isa: Isa::detect(),
            state: State::new(),
        }
    }

    fn begin(&mut self) -> Result<()> {
        let settings = Settings(self.name);
        let [beta1, beta2] = self.betas;
        settings.not_negative("lr", self.base_lr())?;
        settings.fraction("beta1", beta1)?;
        settings.fraction("beta2", beta2)?;
        settings.not_negative("eps", self.eps)?;
        settings.not_negative("weight_decay", self.weight_decay)?;
        settings.max_norm(self.max_norm)?;
        let beta1 = self.state.momentum("beta1", beta1)?;
        self.beta1 = beta1;
        self.rule = Some(AdamRule {
            // Each parameter has its own.
            lr: self.base_lr(),
            beta1,
            beta2,
            eps: self.eps,
            weight_decay: self.weight_decay,
            decoupled: self.decoupled,
            bias_correction1: 1.0,
            bias_correction2_sqrt: 1.0,
        });
        self.corrections.clear();
        for step in self.state.parameter_steps().iter().map(|done| done + 1) {
            if let Err(at) = self.corrections.binary_search_by_key(&step, |(known, _)| *known) {
                self.corrections.insert(at, (step, self.correction(step)));
            }
        }
        Ok(())
    }

    /// Before the schedule's factor.
    fn base_lr(&self) -> f64 {
        self.state.lr().unwrap_or(self.lr)
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("lr", format!("{:?}", self.lr)),
            ("betas", format!("{:?}", self.betas)),
            ("eps", format!("{:?}", self.eps)),
            ("weight_decay", format!("{:?}", self.weight_decay)),
            ("clip_norm", clip_text(self.max_norm)),
            ("schedule", self.state.schedule_text()),
        ]
    }

    /// 1 - beta1ᵗ and √(1 - beta2ᵗ) at step t.
    fn correction(&self, step: u64) -> [f64; 2] {
        let (beta1, beta2) = (self.beta1, self.betas[1]);
        [1.0 - beta1.powf(step as f64), (1.0 - beta2.powf(step as f64)).sqrt()]
    }

    fn update<T: Real>(
        &self,
        factors: Factors,
        step: u64,
        parameter: &mut [T],
        gradient: &[T],
        mean: &mut [T],
        square: &mut [T],
    ) {
        if let Some(rule) = &self.rule {
            let rule = self.rule_at(rule, factors, step);
            adam(self.isa, &rule, parameter, gradient, mean, square);
        }
    }

    /// The rule of a parameter at its step.
    fn rule_at(&self, rule: &AdamRule, factors: Factors, step: u64) -> AdamRule {
        let known = self.corrections.binary_search_by_key(&step, |(known, _)| *known);
        let correction = known.map_or_else(|_| self.correction(step), |at| self.corrections[at].1);
        AdamRule {
            lr: factors.lr(rule.lr),
            weight_decay: factors.weight_decay(rule.weight_decay),
            bias_correction1: correction[0],
            bias_correction2_sqrt: correction[1],
            ..*rule
        }
    }
}

impl UpdateF64 for Core {
    fn update_f64(
        &self,
        factors: Factors,
        step: u64,
        parameter: &mut [f64],
        gradient: &[f64],
        mean: &mut [f64],
        square: &mut [f64],
    ) {
        self.update(factors, step, parameter, gradient, mean, square);
    }
}

macro_rules! adam {
    ($(#[$doc:meta])* $name:ident, $text:literal, decay $decay:literal: $decay_doc:literal, decoupled $decoupled:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Core);

        impl $name {
            /// With this learning rate, at least 0.
            pub fn new(lr: f64) -> $name {
                $name(Core::new($text, lr, $decay, $decoupled))
            }

            /// The decays of the mean of gradients and of their squares, both in [0, 1); 0.9 and 0.999.
            pub fn betas(mut self, beta1: f64, beta2: f64) -> $name {
                self.0.betas = [beta1, beta2];
                self
            }

            /// Added to the root of the mean of squares; 1e-8.
            pub fn eps(mut self, eps: f64) -> $name {
                self.0.eps = eps;
                self
            }

            #[doc = $decay_doc]
            pub fn weight_decay(mut self, weight_decay: f64) -> $name {
                self.0.weight_decay = weight_decay;
                self
            }

            /// Clips the norm of all gradients of a step together; off.
            pub fn clip_norm(mut self, max_norm: f32) -> $name {
                self.0.max_norm = Some(max_norm);
                self
            }

            /// Changes the learning rate from step to step; [`Constant`](super::Constant).
            pub fn schedule(mut self, schedule: impl Schedule + 'static) -> $name {
                self.0.state.set_schedule(schedule);
                self
            }

            /// Other settings for the parameters whose keys match `glob` (see [`Group`]); of several globs that match a key the last one counts.
            pub fn group(mut self, glob: &str, of: impl FnOnce(Group) -> Group) -> $name {
                self.0.state.add_group(glob, of(Group::new()));
                self
            }

            /// Makes one update of the gradients of several batches; off.
            pub fn accumulate(mut self, how: Accumulate) -> $name {
                self.0.state.set_accumulate(how);
                self
            }

            /// Another learning rate from the next step on, still times the schedule's factor.
            pub fn set_lr(&mut self, lr: f64) {
                self.0.state.set_lr(lr);
            }

            /// The learning rate of the next step.
            pub fn lr(&self) -> f64 {
                self.0.state.next_lr(self.0.lr)
            }
        }

        impl Footprint for $name {
            const STATES: usize = 2;
        }

        impl Optimizer for $name {
            fn name(&self) -> &'static str {
                self.0.name
            }

            fn states(&self) -> &'static [&'static str] {
                &["exp_avg", "exp_avg_sq"]
            }

            fn begin(&mut self, _: u64) -> Result<()> {
                self.0.begin()
            }

            fn max_norm(&self) -> Option<f32> {
                self.0.max_norm
            }

            fn update(
                &self,
                factors: Factors,
                step: u64,
                parameter: &mut [f32],
                gradient: &[f32],
                mean: &mut [f32],
                square: &mut [f32],
            ) {
                self.0.update(factors, step, parameter, gradient, mean, square);
            }

            fn f64(&self) -> Option<&dyn UpdateF64> {
                Some(&self.0)
            }

            fn settings(&self) -> Vec<(&'static str, String)> {
                self.0.settings()
            }

            fn state(&self) -> &State {
                &self.0.state
            }

            fn state_mut(&mut self) -> &mut State {
                &mut self.0.state
            }
        }
    };
}

adam! {
    /// Adam (`torch.optim.Adam`, with its defaults): weight decay enters the gradient.
    ///
    /// ```
    /// let adam = castnet_runtime::Adam::new(1e-3).betas(0.9, 0.99);
    /// ```
    Adam, "Adam", decay 0.0: "Added to the gradient, times the parameter; 0.", decoupled false
}

adam! {
    /// AdamW (`torch.optim.AdamW`, with its defaults): weight decay shrinks the parameter.
    ///
    /// ```
    /// use castnet_runtime::{AdamW, Cosine};
    /// let adam = AdamW::new(1e-3).weight_decay(0.01).clip_norm(1.0).schedule(Cosine::new(1000));
    /// ```
    AdamW, "AdamW", decay 0.01: "By how much, times the learning rate, a step shrinks a parameter; 0.01.", decoupled true
}
