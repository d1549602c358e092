//! Adadelta.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`Adadelta`](super::Adadelta): `keep` and `mix` are ρ and 1 - ρ.
    pub rule AdadeltaRule(parameter, gradient) {
        states { square_avg, acc_delta }
        scalars { lr, decay, keep, mix, eps }
        update {
            let gradient = gradient + decay * parameter;
            square_avg = keep * square_avg + mix * (gradient * gradient);
            let delta = (acc_delta + eps).sqrt() / (square_avg + eps).sqrt() * gradient;
            acc_delta = keep * acc_delta + mix * (delta * delta);
            parameter = parameter - lr * delta;
        }
    }
}

optimizer! {
    /// Adadelta (`torch.optim.Adadelta`, with its defaults; its learning rate is 1): gradients in the unit of the steps before. The formula is
    /// [`AdadeltaRule`].
    ///
    /// ```
    /// let adadelta = castnet_runtime::optimizer::Adadelta::new(1.0).rho(0.95);
    /// ```
    Adadelta { states: 2, weight_decay: 0.0 "Added to the gradient, times the parameter; 0." }
    settings {
        /// The decay of both means of squares, in [0, 1]; 0.9.
        rho: f64 = 0.9, share;
        /// Added to the means before their roots; 1e-6.
        eps: f64 = 1e-6, not_negative;
    }
    rule(this) { AdadeltaRule::RULE }
    scalars(this, lr, decay, step) { [lr, decay, this.rho, 1.0 - this.rho, this.eps] }
}
