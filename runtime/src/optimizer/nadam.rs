//! NAdam.

use castnet_kernels::update_rule;

use super::common::optimizer;

update_rule! {
    /// [`NAdam`](super::NAdam): `now` is the learning rate · (1 - μₜ) / (1 - Π μ), `next` the learning rate · μₜ₊₁ / (1 - Π μ · μₜ₊₁), `correction` is
    /// 1 - β₂ᵗ; `mix1` and `mix2` are 1 - β₁ and 1 - β₂, `keep2` is β₂.
    pub rule NAdamRule(parameter, gradient) {
        states { exp_avg, exp_avg_sq }
        scalars { shrink, decay, mix1, keep2, mix2, correction, eps, now, next }
        update {
            let shrunk = shrink * parameter;
            let gradient = gradient + decay * parameter;
            exp_avg = exp_avg + mix1 * (gradient - exp_avg);
            exp_avg_sq = keep2 * exp_avg_sq + mix2 * (gradient * gradient);
            let root = (exp_avg_sq / correction).sqrt() + eps;
            parameter = shrunk - now * (gradient / root) - next * (exp_avg / root);
        }
    }
}

optimizer! {
    /// NAdam (`torch.optim.NAdam`, with its defaults; its learning rate is 2e-3): Adam with Nesterov's momentum. The formula is [`NAdamRule`].
    ///
    /// ```
    /// let nadam = castnet_runtime::optimizer::NAdam::new(2e-3).weight_decay(0.01).decoupled_weight_decay(true);
    /// ```
    NAdam { states: 2, weight_decay: 0.0 "Added to the gradient, times the parameter, unless it is decoupled; 0." }
    settings {
        /// The decays of the mean of gradients and of their squares, both in [0, 1); 0.9 and 0.999.
        betas(beta1, beta2): [f64; 2] = [0.9, 0.999], betas;
        /// Added to the root of the mean of squares; 1e-8.
        eps: f64 = 1e-8, not_negative;
        /// How fast the momentum μₜ = β₁ · (1 - 0.96^(t · this) / 2) grows to β₁; 4e-3.
        momentum_decay: f64 = 4e-3, not_negative;
        /// The decay shrinks the parameter, as AdamW's, instead of entering the gradient; off.
        decoupled_weight_decay: bool = false, switch;
    }
    keeps { products: Products = Products::default() }
    begin(this, _settings) {
        let momentum = |step| momentum(this.betas[0], this.momentum_decay, step);
        this.products.reach(this.common.state.parameter_steps(), momentum);
    }
    rule(this) { NAdamRule::RULE }
    scalars(this, lr, decay, step) {
        let [beta1, beta2] = this.betas;
        let [shrink, decay] = if this.decoupled_weight_decay { [1.0 - lr * decay, 0.0] } else { [1.0, decay] };
        let [mu, next] = [step, step + 1.0].map(|step| momentum(beta1, this.momentum_decay, step));
        let product = this.products.at(step as u64);
        let correction = 1.0 - beta2.powf(step);
        let (now, next) = (lr * (1.0 - mu) / (1.0 - product), lr * next / (1.0 - product * next));
        [shrink, decay, 1.0 - beta1, beta2, 1.0 - beta2, correction, this.eps, now, next]
    }
}

/// μₜ.
fn momentum(beta1: f64, decay: f64, step: f64) -> f64 {
    beta1 * (1.0 - 0.5 * 0.96f64.powf(step * decay))
}

/// The products of all μ up to each step that some parameter is at, sorted by step: they have no short formula.
#[derive(Debug, Default)]
struct Products(Vec<(u64, f64)>);

impl Products {
    /// Makes them for the steps behind those that are done, from those of the step before.
    fn reach(&mut self, done: &[u64], momentum: impl Fn(f64) -> f64) {
        for step in done.iter().map(|done| done + 1) {
            let Err(at) = self.0.binary_search_by_key(&step, |(known, _)| *known) else { continue };
            let (known, product) = at.checked_sub(1).map_or((0, 1.0), |before| self.0[before]);
            let product = (known + 1..=step).fold(product, |product, step| product * momentum(step as f64));
            self.0.insert(at, (step, product));
        }
        // Of what nobody is at any more, nothing is asked again.
        self.0.retain(|(step, _)| done.iter().any(|done| (*done..=done + 1).contains(step)));
    }

    /// That of a step; NaN if nobody is at it.
    fn at(&self, step: u64) -> f64 {
        self.0.binary_search_by_key(&step, |(known, _)| *known).map_or(f64::NAN, |at| self.0[at].1)
    }
}
