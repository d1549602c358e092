//! Lion.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`Lion`](super::Lion): `shrink` is 1 - learning rate · decay, `mix1` and `mix2` are 1 - β₁ and 1 - β₂.
    pub rule LionRule(parameter, gradient) {
        states { exp_avg }
        scalars { shrink, lr, keep1, mix1, keep2, mix2 }
        update {
            let direction = keep1 * exp_avg + mix1 * gradient;
            parameter = shrink * parameter - lr * direction.sign();
            exp_avg = keep2 * exp_avg + mix2 * gradient;
        }
    }
}

optimizer! {
    /// Lion (Chen and others, "Symbolic Discovery of Optimization Algorithms", 2023): steps of one length along the sign of a mean of gradients.
    /// Learning rates are a third to a tenth of AdamW's, decays as many times greater. The formula is [`LionRule`].
    ///
    /// ```
    /// let lion = castnet_runtime::optimizer::Lion::new(1e-4).weight_decay(0.1);
    /// ```
    Lion { states: 1, weight_decay: 0.0 "By how much, times the learning rate, a step shrinks a parameter; 0." }
    settings {
        /// The weight of the mean in the direction, and its decay, both in [0, 1); 0.9 and 0.99.
        betas(beta1, beta2): [f64; 2] = [0.9, 0.99], betas;
    }
    cycles(this, "beta1") { this.betas[0] }
    rule(this) { LionRule::RULE }
    scalars(this, lr, decay, step) {
        let (beta1, beta2) = (this.common.momentum, this.betas[1]);
        [1.0 - lr * decay, lr, beta1, 1.0 - beta1, beta2, 1.0 - beta2]
    }
}
