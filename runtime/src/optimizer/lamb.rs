//! LAMB.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`LAMB`](super::LAMB): `correction1` and `correction2` are 1 - β₁ᵗ and 1 - β₂ᵗ; `mix1` and `mix2` are 1 - β₁ and 1 - β₂, `keep1` and `keep2` are β₁ and β₂.
    pub rule LAMBRule(parameter, gradient) {
        states { exp_avg, exp_avg_sq }
        scalars { lr, decay, keep1, mix1, keep2, mix2, correction1, correction2, eps }
        begin {
            exp_avg = keep1 * exp_avg + mix1 * gradient;
            exp_avg_sq = keep2 * exp_avg_sq + mix2 * (gradient * gradient);
            let adapted = exp_avg / correction1 / ((exp_avg_sq / correction2).sqrt() + eps);
            let direction = adapted + decay * parameter;
        }
        sums {
            parameters = parameter.wide() * parameter.wide(),
            directions = direction.wide() * direction.wide()
        }
        row {
            trust = W::select(
                parameters.gt(W::of(0.0)) & directions.gt(W::of(0.0)),
                parameters.sqrt() / directions.sqrt(),
                W::of(1.0)
            )
        }
        update { parameter = parameter - lr * trust * direction; }
    }
}

optimizer! {
    /// LAMB (You and others, "Large Batch Optimization for Deep Learning", 2020, algorithm 2, with bias correction): Adam's direction, decay
    /// included, times the norm of the parameter over its own. Updates come after all gradients. The formula is [`LAMBRule`].
    ///
    /// ```
    /// let lamb = castnet_runtime::optimizer::LAMB::new(1e-3).weight_decay(0.01);
    /// ```
    LAMB { states: 2, weight_decay: 0.0 "Added to the direction, times the parameter; 0." }
    settings {
        /// The decays of the mean of gradients and of their squares, both in [0, 1); 0.9 and 0.999.
        betas(beta1, beta2): [f64; 2] = [0.9, 0.999], betas;
        /// Added to the root of the mean of squares; 1e-6.
        eps: f64 = 1e-6, not_negative;
    }
    cycles(this, "beta1") { this.betas[0] }
    rule(this) { LAMBRule::RULE }
    scalars(this, lr, decay, step) {
        let (beta1, beta2) = (this.common.momentum, this.betas[1]);
        let [correction1, correction2] = [beta1, beta2].map(|beta| 1.0 - beta.powf(step));
        [lr, decay, beta1, 1.0 - beta1, beta2, 1.0 - beta2, correction1, correction2, this.eps]
    }
}
