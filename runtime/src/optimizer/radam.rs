//! RAdam.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`RAdam`](super::RAdam): `step` is the learning rate by 1 - β₁ᵗ; `rectified` is √(1 - β₂ᵗ) times the rectification, and 0 while the variance cannot
    /// be told; `mix1` and `mix2` are 1 - β₁ and 1 - β₂, `keep2` is β₂.
    pub rule RAdamRule(parameter, gradient) {
        states { exp_avg, exp_avg_sq }
        scalars { shrink, decay, mix1, keep2, mix2, step, rectified, eps }
        update {
            let shrunk = shrink * parameter;
            let gradient = gradient + decay * parameter;
            exp_avg = exp_avg + mix1 * (gradient - exp_avg);
            exp_avg_sq = keep2 * exp_avg_sq + mix2 * (gradient * gradient);
            let adapted = T::select(rectified.gt(T::of(0.0)), rectified / (exp_avg_sq.sqrt() + eps), T::of(1.0));
            parameter = shrunk - step * (exp_avg * adapted);
        }
    }
}

optimizer! {
    /// RAdam (`torch.optim.RAdam`, with its defaults; its learning rate is 1e-3): Adam that begins as momentum alone, until the mean of squares is
    /// known well enough. The formula is [`RAdamRule`].
    ///
    /// ```
    /// let radam = castnet_runtime::optimizer::RAdam::new(1e-3).betas(0.9, 0.99);
    /// ```
    RAdam { states: 2, weight_decay: 0.0 "Added to the gradient, times the parameter, unless it is decoupled; 0." }
    settings {
        /// The decays of the mean of gradients and of their squares, both in [0, 1); 0.9 and 0.999.
        betas(beta1, beta2): [f64; 2] = [0.9, 0.999], betas;
        /// Added to the root of the mean of squares; 1e-8.
        eps: f64 = 1e-8, not_negative;
        /// The decay shrinks the parameter, as AdamW's, instead of entering the gradient; off.
        decoupled_weight_decay: bool = false, switch;
    }
    cycles(this, "beta1") { this.betas[0] }
    rule(this) { RAdamRule::RULE }
    scalars(this, lr, decay, step) {
        let (beta1, beta2) = (this.common.momentum, this.betas[1]);
        let [shrink, decay] = if this.decoupled_weight_decay { [1.0 - lr * decay, 0.0] } else { [1.0, decay] };
        let [correction1, correction2] = [beta1, beta2].map(|beta| 1.0 - beta.powf(step));
        // The length of the simple moving average, in the limit and now.
        let limit = 2.0 / (1.0 - beta2) - 1.0;
        let length = limit - 2.0 * step * (1.0 - correction2) / correction2;
        let rectification = (length - 4.0) * (length - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * length);
        let rectified = if length > 5.0 { correction2.sqrt() * rectification.sqrt() } else { 0.0 };
        [shrink, decay, 1.0 - beta1, beta2, 1.0 - beta2, lr / correction1, rectified, this.eps]
    }
}
