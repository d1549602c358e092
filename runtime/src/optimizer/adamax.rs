//! Adamax.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`Adamax`](super::Adamax): `step` is the learning rate by 1 - β₁ᵗ, `mix1` is 1 - β₁, `keep2` is β₂.
    pub rule AdamaxRule(parameter, gradient) {
        states { exp_avg, exp_inf }
        scalars { decay, mix1, keep2, step, eps }
        update {
            let gradient = gradient + decay * parameter;
            exp_avg = exp_avg + mix1 * (gradient - exp_avg);
            exp_inf = (keep2 * exp_inf).max(gradient.abs() + eps);
            parameter = parameter - step * (exp_avg / exp_inf);
        }
    }
}

optimizer! {
    /// Adamax (`torch.optim.Adamax`, with its defaults; its learning rate is 2e-3): Adam with the greatest gradient in place of the mean of squares.
    /// The formula is [`AdamaxRule`].
    ///
    /// ```
    /// let adamax = castnet_runtime::optimizer::Adamax::new(2e-3);
    /// ```
    Adamax { states: 2, weight_decay: 0.0 "Added to the gradient, times the parameter; 0." }
    settings {
        /// The decays of the mean of gradients and of the greatest one, both in [0, 1); 0.9 and 0.999.
        betas(beta1, beta2): [f64; 2] = [0.9, 0.999], betas;
        /// Added to the size of a gradient; 1e-8.
        eps: f64 = 1e-8, not_negative;
    }
    cycles(this, "beta1") { this.betas[0] }
    rule(this) { AdamaxRule::RULE }
    scalars(this, lr, decay, step) {
        let (beta1, beta2) = (this.common.momentum, this.betas[1]);
        [decay, 1.0 - beta1, beta2, lr / (1.0 - beta1.powf(step)), this.eps]
    }
}
