//! Optimizer rules over contiguous runs of a parameter: the formulas of PyTorch, term by term.
//!
//! Every element is computed on its own without contraction, so the bits depend neither on the instruction set nor on how a parameter is
//! cut into runs. Settings are doubles, as in PyTorch, where `1 - beta2` is taken before it is rounded to the parameter's precision.

use std::ops::{Add, AddAssign, Div, Mul, Sub, SubAssign};

use crate::isa::{Isa, per_isa};
use crate::math::Float;

/// What updates are computed in: f32 and f64.
pub trait Real:
    Float + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + AddAssign + SubAssign
{
    /// The nearest number.
    fn rounded(x: f64) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn rounded(x: f64) -> f32 {
        x as f32
    }
}

impl Real for f64 {
    #[inline(always)]
    fn rounded(x: f64) -> f64 {
        x
    }
}

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
pub fn sgd<T: Real>(isa: Isa, rule: &SgdRule, w: &mut [T], g: &[T], buf: &mut [T]) {
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
pub fn adam<T: Real>(isa: Isa, rule: &AdamRule, w: &mut [T], g: &[T], m: &mut [T], v: &mut [T]) {
    assert!(w.len() == g.len() && w.len() == m.len() && w.len() == v.len(), "lengths of Adam's runs differ");
    // SAFETY: the machine has the instruction set.
    unsafe { adam_isa(isa.or_portable(), rule, w, g, m, v) }
}

/// Σ x², in double precision and in an order that depends on the length only.
pub fn sum_of_squares<T: Real>(isa: Isa, x: &[T]) -> f64 {
    // SAFETY: the machine has the instruction set.
    unsafe { squares_isa(isa.or_portable(), x) }
}

per_isa! {
    /// SGD without momentum.
    fn plain_isa<T: Real>(rule: &SgdRule, w: &mut [T], g: &[T]) = plain;
    /// SGD with momentum.
    fn momentum_isa<T: Real>(rule: &SgdRule, w: &mut [T], g: &[T], buf: &mut [T]) = momentum;
    /// Adam.
    fn adam_isa<T: Real>(rule: &AdamRule, w: &mut [T], g: &[T], m: &mut [T], v: &mut [T]) = adam_body;
    /// Sum of squares.
    fn squares_isa<T: Real>(x: &[T]) -> f64 = squares;
}

#[inline(always)]
fn plain<T: Real>(rule: &SgdRule, w: &mut [T], g: &[T]) {
    let (lr, decay) = (T::rounded(rule.lr), T::rounded(rule.weight_decay));
    for (w, &g) in w.iter_mut().zip(g) {
        *w -= lr * (g + decay * *w);
    }
}

#[inline(always)]
fn momentum<T: Real>(rule: &SgdRule, w: &mut [T], g: &[T], buf: &mut [T]) {
    let (lr, decay) = (T::rounded(rule.lr), T::rounded(rule.weight_decay));
    let (zero, one) = (T::rounded(0.0), T::rounded(1.0));
    let (keep, new) = match rule.first_step {
        true => (zero, one),
        false => (T::rounded(rule.momentum), T::rounded(1.0 - rule.dampening)),
    };
    if rule.first_step {
        // What lies there may be NaN.
        buf.fill(zero);
    }
    // Along the buffer, or a further step of momentum ahead of it.
    let (along, ahead) = if rule.nesterov { (T::rounded(rule.momentum), one) } else { (one, zero) };
    for ((w, &g), b) in w.iter_mut().zip(g).zip(buf) {
        let g = g + decay * *w;
        let moved = keep * *b + new * g;
        *b = moved;
        *w -= lr * (along * moved + ahead * g);
    }
}

#[inline(always)]
fn adam_body<T: Real>(rule: &AdamRule, w: &mut [T], g: &[T], m: &mut [T], v: &mut [T]) {
    let (shrink, decay) = match rule.decoupled {
        true => (T::rounded(1.0 - rule.lr * rule.weight_decay), T::rounded(0.0)),
        false => (T::rounded(1.0), T::rounded(rule.weight_decay)),
    };
    let (mix1, keep2, mix2) = (T::rounded(1.0 - rule.beta1), T::rounded(rule.beta2), T::rounded(1.0 - rule.beta2));
    let (step, root, eps) =
        (T::rounded(rule.lr / rule.bias_correction1), T::rounded(rule.bias_correction2_sqrt), T::rounded(rule.eps));
    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
        let shrunk = *w * shrink;
        let g = g + decay * *w;
        *m += mix1 * (g - *m);
        *v = keep2 * *v + mix2 * (g * g);
        *w = shrunk - step * (*m / (v.sqrt::<false>() / root + eps));
    }
}

#[inline(always)]
fn squares<T: Real>(x: &[T]) -> f64 {
    const LANES: usize = 16;
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut sums = [0f64; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane].f64() * chunk[lane].f64();
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x.f64() * x.f64();
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
