//! An update rule of a user's own, in the crate of his network: called from kernels, with the bits of a pass over all gradients.

use std::sync::atomic::{AtomicU64, Ordering};

use castnet::optimizer::{Factors, Rule, State};
use castnet::prelude::*;
use castnet::{Result, set_threads, update_rule};

network! {
    pub net Rows {
        hidden: Linear(37);
        out:    Linear(5);
        pub train fn loss(x: f32[N, 70], y: f32[N, 5]) -> f32 { out(hidden(x).tanh()).mse_loss(y) }
    }
}

/// How many elements may still be updated.
static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Counts an element.
fn count() {
    assert!(LEFT.fetch_sub(1, Ordering::Relaxed) > 0, "enough");
}

update_rule! {
    /// Moves along the sign of a running mean, which has a type of its own.
    pub rule SignumRule(parameter, gradient) {
        states { mean as f64 }
        scalars { lr, keep }
        update {
            count();
            mean = keep * mean + (T::of(1.0) - keep) * gradient;
            parameter = parameter - lr * mean.sign();
        }
    }
}

#[derive(Default)]
struct Signum(State);

impl Optimizer for Signum {
    fn name(&self) -> &'static str {
        "Signum"
    }
    fn rule(&self) -> Rule<'_> {
        Rule::Formula(SignumRule::RULE)
    }
    fn begin(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
    fn scalars(&self, factors: Factors, _: u64, scalars: &mut [f64]) {
        scalars.copy_from_slice(&[factors.lr(0.01), 0.9]);
    }
    fn state(&self) -> &State {
        &self.0
    }
    fn state_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

const PARAMETERS: [&str; 4] = ["hidden.weight", "hidden.bias", "out.weight", "out.bias"];

fn values(net: &Rows) -> [Array; 4] {
    PARAMETERS.map(|name| net.parameter(name).unwrap())
}

fn step(net: &mut Rows, signum: &mut Signum, guarded: bool) -> Result<()> {
    net.stop_on_nan(guarded);
    let row = |n: usize, by: f32| Array::from_vec(&[9, n], (0..9 * n).map(|i| (i as f32 * by).sin()).collect());
    net.loss_step(signum, &row(70, 0.37)?, &row(5, 0.73)?).map(|_| ())
}

/// What a step changes that is allowed so many elements.
fn changed_by(elements: u64, guarded: bool) -> Vec<&'static str> {
    let (mut net, mut signum) = (Rows::new(&Device::cpu(), 1).unwrap(), Signum::default());
    let before = values(&net);
    LEFT.store(elements, Ordering::Relaxed);
    let error = step(&mut net, &mut signum, guarded).unwrap_err().to_string();
    assert!(error.ends_with("a kernel or an optimizer panicked: enough"), "{error}");
    let after = values(&net);
    (0..4).filter(|&p| before[p] != after[p]).map(|p| PARAMETERS[p]).collect()
}

#[test]
fn tiles_update_by_a_rule_of_ones_own() -> Result<()> {
    let trained = |guarded: bool| -> Result<[Array; 4]> {
        let (mut net, mut signum) = (Rows::new(&Device::cpu(), 1)?, Signum::default());
        (0..5).try_for_each(|_| step(&mut net, &mut signum, guarded))?;
        Ok(values(&net))
    };
    assert_eq!(trained(false)?, trained(true)?);
    // All else is updated before the first layer's weight, whose gradient is the last one: it stops within that. A pass over all gradients takes them in
    // order.
    set_threads(1);
    assert_eq!(changed_by(300, false), ["hidden.bias", "out.weight", "out.bias"]);
    assert_eq!(changed_by(300, true), ["hidden.weight"]);
    LEFT.store(u64::MAX, Ordering::Relaxed);
    set_threads(0);
    Ok(())
}
