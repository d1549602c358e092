//! Optimizer rules against their formulas in double precision, and the same bits however a parameter is cut.

mod common;

use castnet_kernels::isa::Isa;
use castnet_kernels::update::{AdamRule, SgdRule, adam, sgd, sum_of_squares};
use common::Random;

fn floats(n: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..n).map(|_| random.unit() as f32).collect()
}

fn near(got: &[f32], want: &[f64]) {
    for (g, w) in got.iter().zip(want) {
        assert!((f64::from(*g) - w).abs() <= 2e-6 * (1.0 + w.abs()), "{g}, not {w}");
    }
}

fn nearer(got: &[f64], want: &[f64]) {
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= 1e-14 * (1.0 + w.abs()), "{g}, not {w}");
    }
}

fn doubles(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x.into()).collect()
}

const N: usize = 1003;

#[test]
fn sgd_as_in_pytorch() {
    for (momentum, dampening, weight_decay, nesterov) in [
        (0.0, 0.0, 0.0, false),
        (0.0, 0.0, 0.1, false),
        (0.9, 0.0, 0.0, false),
        (0.9, 0.3, 0.05, false),
        (0.8, 0.0, 0.01, true),
    ] {
        for isa in Isa::available() {
            let mut w = floats(N, 1);
            let mut buf = vec![f32::NAN; if momentum == 0.0 { 0 } else { N }];
            let (mut w64, mut buf64) = (doubles(&w), vec![0.0; N]);
            let (mut wide, mut wide_buf) = (doubles(&w), vec![f64::NAN; buf.len()]);
            for step in 0..4 {
                let g = floats(N, 10 + step);
                let rule = SgdRule { lr: 0.1, momentum, dampening, weight_decay, nesterov, first_step: step == 0 };
                sgd(isa, &rule, &mut w, &g, &mut buf);
                sgd(isa, &rule, &mut wide, &doubles(&g), &mut wide_buf);
                for i in 0..N {
                    let mut d = f64::from(g[i]) + weight_decay * w64[i];
                    if momentum != 0.0 {
                        buf64[i] = if step == 0 { d } else { momentum * buf64[i] + (1.0 - dampening) * d };
                        d = if nesterov { d + momentum * buf64[i] } else { buf64[i] };
                    }
                    w64[i] -= 0.1 * d;
                }
                near(&w, &w64);
                nearer(&wide, &w64);
            }
        }
    }
}

#[test]
fn adam_as_in_pytorch() {
    for (weight_decay, decoupled) in [(0.0, false), (0.1, false), (0.1, true)] {
        for isa in Isa::available() {
            let (mut w, mut m, mut v) = (floats(N, 2), vec![0.0; N], vec![0.0; N]);
            let (mut w64, mut m64, mut v64) = (doubles(&w), vec![0.0; N], vec![0.0; N]);
            let (mut wide, mut wide_m, mut wide_v) = (doubles(&w), vec![0.0; N], vec![0.0; N]);
            let (lr, beta1, beta2, eps) = (0.01, 0.9, 0.999, 1e-8);
            for step in 1..5 {
                let g = floats(N, 20 + step as u64);
                let bias = [1.0 - f64::powi(beta1, step), 1.0 - f64::powi(beta2, step)];
                let rule = AdamRule {
                    lr,
                    beta1,
                    beta2,
                    eps,
                    weight_decay,
                    decoupled,
                    bias_correction1: bias[0],
                    bias_correction2_sqrt: bias[1].sqrt(),
                };
                adam(isa, &rule, &mut w, &g, &mut m, &mut v);
                adam(isa, &rule, &mut wide, &doubles(&g), &mut wide_m, &mut wide_v);
                for i in 0..N {
                    let mut d = f64::from(g[i]);
                    if decoupled {
                        w64[i] *= 1.0 - lr * weight_decay;
                    } else {
                        d += weight_decay * w64[i];
                    }
                    m64[i] = beta1 * m64[i] + (1.0 - beta1) * d;
                    v64[i] = beta2 * v64[i] + (1.0 - beta2) * d * d;
                    w64[i] -= lr / bias[0] * m64[i] / (f64::sqrt(v64[i]) / bias[1].sqrt() + eps);
                }
                near(&w, &w64);
                nearer(&wide, &w64);
            }
        }
    }
}

/// Tiles and flat passes update the same parameter by different runs, on machines of all kinds.
#[test]
fn the_same_bits_in_any_pieces() {
    let (g, rule) = (
        floats(N, 4),
        SgdRule { lr: 0.1, momentum: 0.9, dampening: 0.1, weight_decay: 0.2, nesterov: true, first_step: false },
    );
    let mut results = vec![];
    for isa in Isa::available() {
        for piece in [N, 1, 32, 100] {
            let (mut w, mut buf) = (floats(N, 5), floats(N, 6));
            for ((w, g), buf) in w.chunks_mut(piece).zip(g.chunks(piece)).zip(buf.chunks_mut(piece)) {
                sgd(isa, &rule, w, g, buf);
            }
            results.push((w, buf));
        }
    }
    assert!(results.iter().all(|r| *r == results[0]));
}

#[test]
fn sums_of_squares() {
    let x = floats(N, 7);
    let want: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let sums: Vec<f64> = Isa::available().into_iter().map(|isa| sum_of_squares(isa, &x)).collect();
    assert!(sums.iter().all(|s| (s - want).abs() < 1e-12 * want && s.to_bits() == sums[0].to_bits()));
}
