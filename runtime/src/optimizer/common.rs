//! What all optimizers of this crate have, and the macro that writes them.

use super::{Settings, State, clip_text};
use crate::error::Result;

/// The settings that all have.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) lr: f64,
    pub(super) weight_decay: f64,
    pub(super) maximize: bool,
    pub(super) max_norm: Option<f32>,
    pub(super) max_value: Option<f32>,
    /// Of the present step: the schedule's, or the optimizer's own.
    pub(super) momentum: f64,
    pub(super) state: State,
}

impl Common {
    pub(super) fn new(lr: f64, weight_decay: f64) -> Common {
        Common {
            lr,
            weight_decay,
            maximize: false,
            max_norm: None,
            max_value: None,
            momentum: 0.0,
            state: State::new(),
        }
    }

    /// Checks them, and notes the momentum: the setting of this name, which is `own` without a schedule that says it.
    pub(super) fn begin(&mut self, settings: &Settings, (called, own): (&'static str, f64)) -> Result<()> {
        settings.not_negative("lr", self.state.lr().unwrap_or(self.lr))?;
        settings.not_negative("weight_decay", self.weight_decay)?;
        settings.clips_at("clip_norm", self.max_norm)?;
        settings.clips_at("clip_value", self.max_value)?;
        self.momentum = self.state.momentum(called, own)?;
        Ok(())
    }

    /// With the settings of one optimizer, by name.
    pub(super) fn settings(&self, own: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        let mut all = vec![("lr", format!("{:?}", self.lr))];
        all.extend(own);
        all.extend([
            ("weight_decay", format!("{:?}", self.weight_decay)),
            ("maximize", format!("{:?}", self.maximize)),
            ("clip_norm", clip_text(self.max_norm)),
            ("clip_value", clip_text(self.max_value)),
            ("schedule", self.state.schedule_text()),
        ]);
        all
    }
}

/// The method that changes a setting.
macro_rules! setter {
    ($(#[$doc:meta])* $setting:ident($($part:ident),+): $type:ty) => {
        $(#[$doc])*
        pub fn $setting(mut self, $($part: f64),+) -> Self {
            self.$setting = [$($part),+];
            self
        }
    };
    ($(#[$doc:meta])* $setting:ident: $type:ty) => {
        $(#[$doc])*
        pub fn $setting(mut self, $setting: $type) -> Self {
            self.$setting = $setting;
            self
        }
    };
}

/// Writes an optimizer: a type with a method a setting, those of [`Common`] among them, and `Optimizer`.
///
/// A setting has a type, a default and the method of [`Settings`] that checks it. Then: what else is kept, the momentum that a schedule may say
/// (`common.momentum` is that of the present step), what else a step begins with, the rule, and the numbers that it is given, in the order of
/// its scalars, by learning rate, decay and step of a parameter.
macro_rules! optimizer {
    (
        $(#[$doc:meta])*
        $name:ident { states: $states:literal, weight_decay: $decay:literal $decay_doc:literal }
        settings {
            $($(#[$setting_doc:meta])* $setting:ident $(($($part:ident),+))?: $type:ty = $default:expr, $check:ident;)*
        }
        $(keeps { $kept:ident: $kept_type:ty = $first:expr })?
        $(cycles($cycled:ident, $called:literal) $momentum:block)?
        $(begin($begun:ident, $checks:ident) $begin:block)?
        rule($ruled:ident) { $rule:expr }
        scalars($this:ident, $lr:ident, $wd:ident, $step:ident) $scalars:block
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            common: $crate::optimizer::common::Common,
            $($setting: $type,)*
            $($kept: $kept_type,)?
        }

        impl $name {
            /// With this learning rate, at least 0.
            pub fn new(lr: f64) -> $name {
                let common = $crate::optimizer::common::Common::new(lr, $decay);
                $name { common, $($setting: $default,)* $($kept: $first,)? }
            }

            $($crate::optimizer::common::setter! { $(#[$setting_doc])* $setting $(($($part),+))?: $type })*

            #[doc = $decay_doc]
            pub fn weight_decay(mut self, weight_decay: f64) -> $name {
                self.common.weight_decay = weight_decay;
                self
            }

            /// Makes the objective greater, not less: parameters move along their gradients; off.
            pub fn maximize(mut self, maximize: bool) -> $name {
                self.common.maximize = maximize;
                self
            }

            /// Clips the norm of all gradients of a step together; off.
            pub fn clip_norm(mut self, max_norm: f32) -> $name {
                self.common.max_norm = Some(max_norm);
                self
            }

            /// Clips each gradient of a step to `-max_value` to `max_value`, before the norm of all of them is clipped; off.
            pub fn clip_value(mut self, max_value: f32) -> $name {
                self.common.max_value = Some(max_value);
                self
            }

            /// Changes the learning rate from step to step; [`Constant`]($crate::Constant).
            pub fn schedule(mut self, schedule: impl $crate::optimizer::Schedule + 'static) -> $name {
                self.common.state.set_schedule(schedule);
                self
            }

            /// Other settings for the parameters whose keys match `glob` (see [`Group`]($crate::optimizer::Group)); of several globs that match a key
            /// the last one counts.
            pub fn group(
                mut self,
                glob: &str,
                of: impl FnOnce($crate::optimizer::Group) -> $crate::optimizer::Group,
            ) -> $name {
                self.common.state.add_group(glob, of($crate::optimizer::Group::new()));
                self
            }

            /// Makes one update of the gradients of several batches; off.
            pub fn accumulate(mut self, how: $crate::optimizer::Accumulate) -> $name {
                self.common.state.set_accumulate(how);
                self
            }

            /// Another learning rate from the next step on, still times the schedule's factor.
            pub fn set_lr(&mut self, lr: f64) {
                self.common.state.set_lr(lr);
            }

            /// The learning rate of the next step.
            pub fn lr(&self) -> f64 {
                self.common.state.next_lr(self.common.lr)
            }
        }

        impl $crate::optimizer::Footprint for $name {
            const STATES: usize = $states;
        }

        impl $crate::optimizer::Optimizer for $name {
            fn name(&self) -> &'static str {
                stringify!($name)
            }

            #[allow(unused_variables)]
            fn rule(&self) -> $crate::optimizer::Rule<'_> {
                let $ruled = self;
                $crate::optimizer::Rule::Formula($rule)
            }

            fn begin(&mut self, _: u64) -> $crate::error::Result<()> {
                let settings = $crate::optimizer::Settings(stringify!($name));
                $(let $cycled = &*self;)?
                let momentum = [$(($called, $momentum),)? ("momentum", 0.0)][0];
                self.common.begin(&settings, momentum)?;
                $(settings.$check(stringify!($setting), self.$setting)?;)*
                $({
                    let ($begun, $checks) = (&mut *self, &settings);
                    $begin
                })?
                Ok(())
            }

            #[allow(unused_variables)]
            fn scalars(&self, factors: $crate::optimizer::Factors, step: u64, scalars: &mut [f64]) {
                let ($this, $step) = (self, step as f64);
                let ($lr, $wd) = (factors.lr(self.common.lr), factors.weight_decay(self.common.weight_decay));
                let numbers = $scalars;
                scalars.iter_mut().zip(numbers).for_each(|(scalar, number)| *scalar = number);
            }

            fn max_norm(&self) -> Option<f32> {
                self.common.max_norm
            }

            fn max_value(&self) -> Option<f32> {
                self.common.max_value
            }

            fn maximizes(&self) -> bool {
                self.common.maximize
            }

            fn settings(&self) -> Vec<(&'static str, String)> {
                self.common.settings(vec![$((stringify!($setting), format!("{:?}", self.$setting))),*])
            }

            fn state(&self) -> &$crate::optimizer::State {
                &self.common.state
            }

            fn state_mut(&mut self) -> &mut $crate::optimizer::State {
                &mut self.common.state
            }
        }
    };
}

pub(super) use {optimizer, setter};
