//! Stochastic gradient descent.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`Sgd`](super::Sgd) without momentum.
    pub rule SgdRule(parameter, gradient) {
        states {}
        scalars { lr, decay }
        update { parameter = parameter - lr * (gradient + decay * parameter); }
    }
}

update_rule! {
    /// [`Sgd`](super::Sgd) with momentum: `keep` is 0 and `new` is 1 at the first step; `along` and `ahead` are 1 and 0, with Nesterov's the
    /// momentum and 1.
    pub rule SgdMomentumRule(parameter, gradient) {
        states { momentum_buffer }
        scalars { lr, decay, keep, new, along, ahead }
        update {
            let gradient = gradient + decay * parameter;
            momentum_buffer = keep * momentum_buffer + new * gradient;
            parameter = parameter - lr * (along * momentum_buffer + ahead * gradient);
        }
    }
}

optimizer! {
    /// Stochastic gradient descent (`torch.optim.SGD`, with its defaults): no momentum, no decay. The formula is [`SgdRule`] or
    /// [`SgdMomentumRule`].
    ///
    /// ```
    /// use castnet_runtime::{Cosine, Sgd};
    /// let sgd = Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(5e-4).schedule(Cosine::new(1000));
    /// ```
    Sgd { states: 1, weight_decay: 0.0 "Added to the gradient, times the parameter; 0." }
    settings {
        /// Momentum, in [0, 1); 0.
        momentum: f64 = 0.0, fraction;
        /// What is taken off a new gradient when it enters the momentum, in [0, 1]; 0.
        dampening: f64 = 0.0, share;
        /// Nesterov's momentum; needs a momentum and no dampening; off.
        nesterov: bool = false, switch;
    }
    cycles(this, "momentum") { this.momentum }
    begin(this, settings) {
        let plain = this.momentum > 0.0 && this.dampening == 0.0;
        settings.check("nesterov", 1.0, "allowed without momentum or with dampening", !this.nesterov || plain)?;
    }
    rule(this) { if this.momentum == 0.0 { SgdRule::RULE } else { SgdMomentumRule::RULE } }
    scalars(this, lr, decay, step) {
        let (keep, new) = if step == 1.0 { (0.0, 1.0) } else { (this.common.momentum, 1.0 - this.dampening) };
        // Along the buffer, or a further step of momentum ahead of it.
        let (along, ahead) = if this.nesterov { (this.common.momentum, 1.0) } else { (1.0, 0.0) };
        [lr, decay, keep, new, along, ahead]
    }
}
