//! Adagrad.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`Adagrad`](super::Adagrad): `step` is the learning rate by 1 + (t - 1) · `lr_decay`; `first` is the first value of the sum at the first step,
    /// then 0.
    pub rule AdagradRule(parameter, gradient) {
        states { sum }
        scalars { step, decay, eps, first }
        update {
            let gradient = gradient + decay * parameter;
            sum = (first + sum) + gradient * gradient;
            parameter = parameter - step * (gradient / (sum.sqrt() + eps));
        }
    }
}

optimizer! {
    /// Adagrad (`torch.optim.Adagrad`, with its defaults; its learning rate is 1e-2): the steps of an element shrink as its gradients add up.
    /// The formula is [`AdagradRule`].
    ///
    /// ```
    /// let adagrad = castnet_runtime::optimizer::Adagrad::new(1e-2).initial_accumulator_value(0.1);
    /// ```
    Adagrad { states: 1, weight_decay: 0.0 "Added to the gradient, times the parameter; 0." }
    settings {
        /// The learning rate of step t is divided by 1 + (t - 1) · this; 0.
        lr_decay: f64 = 0.0, not_negative;
        /// What the sums of squares begin with; 0.
        initial_accumulator_value: f64 = 0.0, not_negative;
        /// Added to the root of the sum of squares; 1e-10.
        eps: f64 = 1e-10, not_negative;
    }
    rule(this) { AdagradRule::RULE }
    scalars(this, lr, decay, step) {
        let first = if step == 1.0 { this.initial_accumulator_value } else { 0.0 };
        [lr / (1.0 + (step - 1.0) * this.lr_decay), decay, this.eps, first]
    }
}
