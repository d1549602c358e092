//! Adam and AdamW.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`Adam`](super::Adam), where `shrink` is 1, and [`AdamW`](super::AdamW), where `decay` is 0. `step` is the learning rate by 1 - β₁ᵗ, `root` is
    /// √(1 - β₂ᵗ); `mix1` and `mix2` are 1 - β₁ and 1 - β₂, `keep2` is β₂.
    pub rule AdamRule<AMSGRAD>(parameter, gradient) {
        states { exp_avg, exp_avg_sq, max_exp_avg_sq if AMSGRAD }
        scalars { shrink, decay, mix1, keep2, mix2, step, root, eps }
        update {
            let shrunk = shrink * parameter;
            let gradient = gradient + decay * parameter;
            exp_avg = exp_avg + mix1 * (gradient - exp_avg);
            exp_avg_sq = keep2 * exp_avg_sq + mix2 * (gradient * gradient);
            if AMSGRAD { max_exp_avg_sq = max_exp_avg_sq.max(exp_avg_sq); };
            let square = if AMSGRAD { max_exp_avg_sq } else { exp_avg_sq };
            parameter = shrunk - step * (exp_avg / (square.sqrt() / root + eps));
        }
    }
}

/// The scalars of [`AdamRule`], by how a step shrinks the parameter and by the decay that enters the gradient.
fn scalars([shrink, decay]: [f64; 2], lr: f64, [beta1, beta2]: [f64; 2], eps: f64, step: f64) -> [f64; 8] {
    let [correction1, correction2] = [beta1, beta2].map(|beta| 1.0 - beta.powf(step));
    [shrink, decay, 1.0 - beta1, beta2, 1.0 - beta2, lr / correction1, correction2.sqrt(), eps]
}

macro_rules! adam {
    ($(#[$doc:meta])* $name:ident, decay $decay:literal: $decay_doc:literal, $both:expr) => {
        optimizer! {
            $(#[$doc])*
            $name { states: 2, weight_decay: $decay $decay_doc }
            settings {
                /// The decays of the mean of gradients and of their squares, both in [0, 1); 0.9 and 0.999.
                betas(beta1, beta2): [f64; 2] = [0.9, 0.999], betas;
                /// Added to the root of the mean of squares; 1e-8.
                eps: f64 = 1e-8, not_negative;
                /// Divides by the root of the greatest mean of squares so far (AMSGrad), which is one more state; off.
                amsgrad: bool = false, switch;
            }
            cycles(this, "beta1") { this.betas[0] }
            rule(this) { if this.amsgrad { AdamRule::<true>::RULE } else { AdamRule::<false>::RULE } }
            scalars(this, lr, decay, step) { scalars($both(lr, decay), lr, [this.common.momentum, this.betas[1]], this.eps, step) }
        }
    };
}

adam! {
    /// Adam (`torch.optim.Adam`, with its defaults): weight decay enters the gradient. The formula is [`AdamRule`].
    ///
    /// ```
    /// let adam = castnet_runtime::Adam::new(1e-3).betas(0.9, 0.99);
    /// ```
    Adam, decay 0.0: "Added to the gradient, times the parameter; 0.", |_, decay| [1.0, decay]
}

adam! {
    /// AdamW (`torch.optim.AdamW`, with its defaults): weight decay shrinks the parameter. The formula is [`AdamRule`].
    ///
    /// ```
    /// use castnet_runtime::{AdamW, Cosine};
    /// let adam = AdamW::new(1e-3).weight_decay(0.01).clip_norm(1.0).schedule(Cosine::new(1000));
    /// ```
    AdamW, decay 0.01: "By how much, times the learning rate, a step shrinks a parameter; 0.01.",
    |lr: f64, decay: f64| [1.0 - lr * decay, 0.0]
}
