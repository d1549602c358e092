//! RMSprop.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`RMSprop`](super::RMSprop): `keep` and `mix` are α and 1 - α.
    pub rule RMSpropRule<CENTERED, MOMENTUM>(parameter, gradient) {
        states { square_avg, grad_avg if CENTERED, momentum_buffer if MOMENTUM }
        scalars { lr, decay, keep, mix, eps, momentum }
        update {
            let gradient = gradient + decay * parameter;
            square_avg = keep * square_avg + mix * (gradient * gradient);
            if CENTERED { grad_avg = grad_avg + mix * (gradient - grad_avg); };
            let square = if CENTERED { square_avg - grad_avg * grad_avg } else { square_avg };
            let scaled = gradient / (square.sqrt() + eps);
            if MOMENTUM { momentum_buffer = momentum * momentum_buffer + scaled; };
            parameter = parameter - lr * if MOMENTUM { momentum_buffer } else { scaled };
        }
    }
}

optimizer! {
    /// RMSprop (`torch.optim.RMSprop`, with its defaults; its learning rate is 1e-2): gradients by the root of the mean of their squares. The
    /// formula is [`RMSpropRule`].
    ///
    /// ```
    /// let rmsprop = castnet_runtime::optimizer::RMSprop::new(1e-2).centered(true).momentum(0.9);
    /// ```
    RMSprop { states: 3, weight_decay: 0.0 "Added to the gradient, times the parameter; 0." }
    settings {
        /// The decay of the mean of squares, in [0, 1); 0.99.
        alpha: f64 = 0.99, fraction;
        /// Added to the root of the mean of squares; 1e-8.
        eps: f64 = 1e-8, not_negative;
        /// Momentum of what is taken off, in [0, 1); 0.
        momentum: f64 = 0.0, fraction;
        /// Divides by the root of the variance: the mean of gradients is taken off; off.
        centered: bool = false, switch;
    }
    cycles(this, "momentum") { this.momentum }
    rule(this) {
        match (this.centered, this.momentum > 0.0) {
            (false, false) => RMSpropRule::<false, false>::RULE,
            (false, true) => RMSpropRule::<false, true>::RULE,
            (true, false) => RMSpropRule::<true, false>::RULE,
            (true, true) => RMSpropRule::<true, true>::RULE,
        }
    }
    scalars(this, lr, decay, step) { [lr, decay, this.alpha, 1.0 - this.alpha, this.eps, this.common.momentum] }
}
