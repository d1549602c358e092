//! Optimizer rules over contiguous runs of a parameter: the formulas of PyTorch, term by term.
//!
//! Every element is computed on its own without contraction, so the bits depend neither on the instruction set nor on how a parameter is
//! cut into runs. Settings are doubles, as in PyTorch, where `1 - beta2` is taken before it is rounded to single precision.

use crate::isa::{Isa, per_isa};

/// Stochastic gradient descent (`torch.optim.SGD`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdRule {
    /// Learning rate.
    pub lr: f64,
    /// Momentum; 0: the buffer is not used and may be empty.
    pub momentum: f64,
    /// What is taken off the new gradient in the buffer.
    pub dampening: f64,
    /// Added to the gradient, times the parameter.
    pub weight_decay: f64,
    /// Looks ahead along the buffer.
    pub nesterov: bool,
    /// The buffer holds nothing yet: it becomes the gradient, undampened.
    pub first_step: bool,
}

/// Adam and, decoupled, AdamW (`torch.optim.Adam`, `torch.optim.AdamW`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamRule {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root.
    pub eps: f64,
    /// Decay of the parameter.
    pub weight_decay: f64,
    /// The decay shrinks the parameter (AdamW) instead of entering the gradient.
    pub decoupled: bool,
    /// 1 - beta1ᵗ at step t = 1, 2, …
    pub bias_correction1: f64,
    /// √(1 - beta2ᵗ).
    pub bias_correction2_sqrt: f64,
}

/// One step of SGD: `w` and `buf` change. `buf` may be empty where momentum is 0.
///
/// # Panics
/// If the lengths differ.
pub fn sgd(isa: Isa, rule: &SgdRule, w: &mut [f32], g: &[f32], buf: &mut [f32]) {
    assert_eq!(w.len(), g.len(), "a gradient has the length of its parameter");
    // SAFETY: the machine has the instruction set.
    unsafe {
        if rule.momentum == 0.0 {
            plain_isa(isa.or_portable(), rule, w, g);
        } else {
            assert_eq!(w.len(), buf.len(), "a momentum buffer has the length of its parameter");
            momentum_isa(isa.or_portable(), rule, w, g, buf);
        }
    }
}

/// One step of Adam or AdamW: `w`, `m` and `v` change.
///
/// # Panics
/// If the lengths differ.
pub fn adam(isa: Isa, rule: &AdamRule, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    assert!(w.len() == g.len() && w.len() == m.len() && w.len() == v.len(), "lengths of Adam's runs differ");
    // SAFETY: the machine has the instruction set.
    unsafe { adam_isa(isa.or_portable(), rule, w, g, m, v) }
}

/// Σ x², in double precision and in an order that depends on the length only.
pub fn sum_of_squares(isa: Isa, x: &[f32]) -> f64 {
    // SAFETY: the machine has the instruction set.
    unsafe { squares_isa(isa.or_portable(), x) }
}

/// x ← factor · x.
pub fn scale(x: &mut [f32], factor: f32) {
    x.iter_mut().for_each(|x| *x *= factor);
}

/// x ← x + y.
pub fn add(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "runs to add differ in length");
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// x ← x + weight · (y - x).
pub fn lerp(x: &mut [f32], y: &[f32], weight: f32) {
    assert_eq!(x.len(), y.len(), "runs to mix differ in length");
    x.iter_mut().zip(y).for_each(|(x, y)| *x += weight * (y - *x));
}

per_isa! {
    /// SGD without momentum.
    fn plain_isa(rule: &SgdRule, w: &mut [f32], g: &[f32]) = plain;
    /// SGD with momentum.
    fn momentum_isa(rule: &SgdRule, w: &mut [f32], g: &[f32], buf: &mut [f32]) = momentum;
    /// Adam.
    fn adam_isa(rule: &AdamRule, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) = adam_body;
    /// Sum of squares.
    fn squares_isa(x: &[f32]) -> f64 = squares;
}

#[inline(always)]
fn plain(rule: &SgdRule, w: &mut [f32], g: &[f32]) {
    let (lr, decay) = (rule.lr as f32, rule.weight_decay as f32);
    for (w, &g) in w.iter_mut().zip(g) {
        *w -= lr * (g + decay * *w);
    }
}

#[inline(always)]
fn momentum(rule: &SgdRule, w: &mut [f32], g: &[f32], buf: &mut [f32]) {
    let (lr, decay) = (rule.lr as f32, rule.weight_decay as f32);
    let (keep, new) = match rule.first_step {
        true => (0.0, 1.0),
        false => (rule.momentum as f32, (1.0 - rule.dampening) as f32),
    };
    if rule.first_step {
        // What lies there may be NaN.
        buf.fill(0.0);
    }
    // Along the buffer, or a further step of momentum ahead of it.
    let (along, ahead) = if rule.nesterov { (rule.momentum as f32, 1.0) } else { (1.0, 0.0) };
    for ((w, &g), b) in w.iter_mut().zip(g).zip(buf) {
        let g = g + decay * *w;
        let moved = keep * *b + new * g;
        *b = moved;
        *w -= lr * (along * moved + ahead * g);
    }
}

#[inline(always)]
fn adam_body(rule: &AdamRule, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    let (shrink, decay) = match rule.decoupled {
        true => ((1.0 - rule.lr * rule.weight_decay) as f32, 0.0),
        false => (1.0, rule.weight_decay as f32),
    };
    let (mix1, keep2, mix2) = ((1.0 - rule.beta1) as f32, rule.beta2 as f32, (1.0 - rule.beta2) as f32);
    let (step, root, eps) =
        ((rule.lr / rule.bias_correction1) as f32, rule.bias_correction2_sqrt as f32, rule.eps as f32);
    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
        let shrunk = *w * shrink;
        let g = g + decay * *w;
        *m += mix1 * (g - *m);
        *v = keep2 * *v + mix2 * (g * g);
        *w = shrunk - step * (*m / (v.sqrt() / root + eps));
    }
}

#[inline(always)]
fn squares(x: &[f32]) -> f64 {
    const LANES: usize = 16;
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut sums = [0f64; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += f64::from(chunk[lane]) * f64::from(chunk[lane]);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += f64::from(*x) * f64::from(*x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}
