//! LARS.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`LARS`](super::LARS).
    pub rule LARSRule(parameter, gradient) {
        states { momentum_buffer }
        scalars { lr, decay, momentum, coefficient }
        sums {
            parameters = parameter.wide() * parameter.wide(),
            gradients = gradient.wide() * gradient.wide()
        }
        row {
            trust = W::select(
                parameters.gt(W::of(0.0)) & gradients.gt(W::of(0.0)),
                coefficient * parameters.sqrt() / (gradients.sqrt() + decay * parameters.sqrt()),
                W::of(1.0)
            )
        }
        update {
            momentum_buffer = momentum * momentum_buffer + lr * trust * (gradient + decay * parameter);
            parameter = parameter - momentum_buffer;
        }
    }
}

optimizer! {
    /// LARS (You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017, algorithm 1): momentum with a learning rate for each
    /// parameter, by its norm over that of its gradient and decay. Where either norm is 0, it is 1. Updates come after all gradients. The formula is
    /// [`LARSRule`].
    ///
    /// ```
    /// let lars = castnet_runtime::optimizer::LARS::new(0.1).weight_decay(5e-4).trust_coefficient(0.02);
    /// ```
    LARS { states: 1, weight_decay: 0.0 "Added to the gradient, times the parameter; 0." }
    settings {
        /// Momentum, in [0, 1); 0.9.
        momentum: f64 = 0.9, fraction;
        /// How much of a parameter's norm a step may change; 0.001.
        trust_coefficient: f64 = 0.001, not_negative;
    }
    cycles(this, "momentum") { this.momentum }
    rule(this) { LARSRule::RULE }
    scalars(this, lr, decay, step) { [lr, decay, this.common.momentum, this.trust_coefficient] }
}
