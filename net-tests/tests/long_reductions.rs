//! Reductions of much to few numbers, which threads share by pieces: the right values, the same bits on any number of threads, inside
//! loops too.

#![forbid(unsafe_code)]

use castnet::prelude::*;
use castnet::{check, set_threads};

network! {
    pub net Long {
        const D: usize = 8;
        norm: BatchNorm2d(3);
        param shift: f32[D] = zeros;
        param bias: f32[3] = zeros;

        pub fn sums(x: f32[N, D]) -> (f32, f32[D], f32[D], f32) {
            (x.mean(), x.sum(0), x.amax(0), x.var())
        }

        /// Two rows over much.
        pub fn rows(x: f32[2, N]) -> (f32[2, N], f32[2, N], f32[2]) {
            (x.softmax(1), x.layer_norm(), x.logsumexp(1))
        }

        pub train fn channels(x: f32[N, 3, H, H]) -> f32 {
            (norm(x) * x + bias.reshape([3, 1, 1])).square().mean()
        }

        /// Each round takes a long mean and adds to the gradient of a shift.
        pub train fn rounds(x: f32[T, N, D]) -> (f32, f32[T]) {
            let (_, means) = scan(x, zeros([]), |last, x| {
                let next = ((x + shift).square().mean() + 0.5 * last).tanh();
                (next, next)
            });
            (means.sum(), means)
        }
    }
}

/// Numbers in [-0.25, 0.75) that repeat late.
fn spread(shape: &[usize]) -> castnet::Result<Array> {
    let number = |i: usize| (i.wrapping_mul(2_654_435_761) >> 8 & 0xff_ffff) as f32 / 16_777_216.0 - 0.25;
    Array::from_vec(shape, (0..shape.iter().product()).map(number).collect())
}

/// The bits of everything that the functions give, and of the gradients.
fn outcome(threads: usize) -> castnet::Result<Vec<Vec<f32>>> {
    set_threads(threads);
    let mut net = Long::new(&Device::cpu(), 1)?;
    let (x, rows) = (spread(&[60_000, 8])?, spread(&[2, 400_000])?);
    let (images, sequence) = (spread(&[16, 3, 128, 128])?, spread(&[3, 50_000, 8])?);
    let (mean, sums, greatest, variance) = net.sums(&x)?;
    let (softmax, normed, logs) = net.rows(&rows)?;
    let mut all = vec![mean, sums, greatest, variance, softmax, normed, logs];
    let (_, channels) = net.channels_grad(&images)?;
    let ((_, means), rounds) = net.rounds_grad(&sequence)?;
    all.push(means);
    let gradients = [(&channels, "norm.weight"), (&channels, "bias"), (&rounds, "shift")];
    for (gradients, name) in gradients {
        all.push(gradients.parameter(name)?);
    }
    all.iter().map(|array| Ok(array.as_slice::<f32>()?.to_vec())).collect()
}

fn near(found: &[f32], exact: impl IntoIterator<Item = f64>, tolerance: f64) {
    for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
        let off = (f64::from(*found) - exact).abs();
        assert!(off <= tolerance * exact.abs().max(1e-3), "number {i}: {found}, not {exact}");
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() -> castnet::Result<()> {
    let one = outcome(1)?;
    for threads in [2, 3, 5] {
        let many = outcome(threads)?;
        let bits =
            |all: &[Vec<f32>]| all.iter().map(|a| a.iter().map(|x| x.to_bits()).collect()).collect::<Vec<Vec<_>>>();
        assert!(bits(&one) == bits(&many), "{threads} threads");
    }
    let x: Vec<f64> = spread(&[60_000, 8])?.as_slice::<f32>()?.iter().map(|&x| x.into()).collect();
    let column = |j: usize| x.iter().skip(j).step_by(8);
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    near(&one[0], [mean], 1e-5);
    near(&one[1], (0..8).map(|j| column(j).sum()), 1e-5);
    near(&one[2], (0..8).map(|j| column(j).fold(-1.0, |most, &x| x.max(most))), 0.0);
    near(&one[3], [x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)], 1e-6);

    let rows: Vec<f64> = spread(&[2, 400_000])?.as_slice::<f32>()?.iter().map(|&x| x.into()).collect();
    for (row, (softmax, normed)) in rows.chunks(400_000).zip(one[4].chunks(400_000).zip(one[5].chunks(400_000))) {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        near(softmax, row.iter().map(|x| x.exp() / sum), 1e-6);
        let mean = row.iter().sum::<f64>() / 4e5;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4e5;
        near(normed, row.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt()), 1e-3);
    }
    near(&one[6], rows.chunks(400_000).map(|row| row.iter().map(|x| x.exp()).sum::<f64>().ln()), 1e-6);

    let sequence: Vec<f64> = spread(&[3, 50_000, 8])?.as_slice::<f32>()?.iter().map(|&x| x.into()).collect();
    let mut means = vec![];
    for round in sequence.chunks(400_000) {
        let mean = round.iter().map(|x| x * x).sum::<f64>() / 4e5;
        means.push((mean + 0.5 * means.last().unwrap_or(&0.0)).tanh());
    }
    near(&one[7], means.iter().copied(), 1e-5);

    // The weight of the norm is 1 at first, its bias and `bias` are 0.
    let images: Vec<f64> = spread(&[16, 3, 128, 128])?.as_slice::<f32>()?.iter().map(|&x| x.into()).collect();
    let channel = |c: usize| images.chunks(128 * 128).skip(c).step_by(3).flatten();
    let (count, all) = ((16 * 128 * 128) as f64, images.len() as f64);
    let statistics = |c: usize| {
        let mean = channel(c).sum::<f64>() / count;
        (mean, (channel(c).map(|x| (x - mean).powi(2)).sum::<f64>() / count + 1e-5).sqrt())
    };
    let gradient = |c: usize, of: &dyn Fn(f64, f64) -> f64| {
        let (mean, deviation) = statistics(c);
        channel(c).map(|&x| of((x - mean) / deviation, x)).sum::<f64>() * 2.0 / all
    };
    near(&one[8], (0..3).map(|c| gradient(c, &|y, x| (x * y).powi(2))), 1e-5);
    near(&one[9], (0..3).map(|c| gradient(c, &|y, x| x * y)), 1e-5);
    Ok(())
}

#[test]
fn as_written() {
    check!(Long);
}
