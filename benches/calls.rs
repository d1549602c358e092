//! What a call costs besides what it computes, and how calls of several threads go side by side: on one network, and steps of two.
//!
//! ```sh
//! cargo bench -p castnet --bench calls -- [--rounds 9] [--seconds 0.5]
//! ```
//!
//! Each call computes on its caller's thread alone (`set_threads(1)`), but for the steps of two networks, which share two threads. All sides run by
//! turns, so that what else the machine does meets them alike; what is shown are medians.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use castnet::prelude::*;
use lexopt::prelude::*;

network! {
    /// Nothing to speak of: what is left is the call.
    pub net Tiny {
        fc: Linear(4);

        pub fn scores(x: f32[B, 4]) -> f32[B, 4] { fc(x) }
        pub train fn loss(x: f32[B, 4], y: f32[B, 4]) -> f32 { scores(x).mse_loss(y) }
    }

    /// What a server might hold.
    pub net Mlp {
        fc1: Linear(512);
        fc2: Linear(512);
        fc3: Linear(10);

        pub fn scores(x: f32[B, 784]) -> f32[B, 10] { fc3(fc2(fc1(x).relu()).relu()) }
        pub train fn loss(x: f32[B, 784], digit: u8[B]) -> f32 { scores(x).cross_entropy(digit) }
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// How often a second each of these can be done, all of them at the same time.
fn rates(window: Duration, all: &mut [&mut (dyn FnMut() + Send)]) -> Vec<f64> {
    let is_over = AtomicBool::new(false);
    let start = Instant::now();
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let is_over = &is_over;
        let count = |one: &mut (dyn FnMut() + Send)| {
            let mut times = 0;
            while !is_over.load(Ordering::Relaxed) {
                one();
                times += 1;
            }
            times
        };
        let threads: Vec<_> = all.iter_mut().map(|one| scope.spawn(move || count(&mut **one))).collect();
        std::thread::sleep(window);
        is_over.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    counts.into_iter().map(|count| count as f64 / seconds).collect()
}

/// Calls a second of so many threads together.
fn rate(callers: usize, window: Duration, call: &(dyn Fn() + Sync)) -> f64 {
    let mut calls: Vec<_> = (0..callers).map(|_| call).collect();
    let mut all: Vec<&mut (dyn FnMut() + Send)> = calls.iter_mut().map(|call| call as _).collect();
    rates(window, &mut all).into_iter().sum()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut rounds, mut seconds) = (9usize, 0.5f64);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => rounds = parser.value()?.parse()?,
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("bench") => {}
            other => return Err(other.unexpected().into()),
        }
    }
    castnet::set_threads(1);
    let window = Duration::from_secs_f64(seconds);

    let mut tiny = Tiny::new(&Device::cpu(), 1)?;
    let (x, y) = (Array::from_slice(&[1, 4], &[1f32, 2., 3., 4.])?, Array::from_slice(&[1, 4], &[0f32; 4])?);
    let call = || drop(tiny.scores(&x));
    let nanoseconds = (0..rounds).map(|_| 1e9 / rate(1, window, &call)).collect();
    println!("Tiny.scores, batch 1          {:8.0} ns a call", median(nanoseconds));
    let mut sgd = Sgd::new(1e-3);
    let mut step = || -> castnet::Result<f64> {
        let (start, mut steps) = (Instant::now(), 0);
        while start.elapsed() < window {
            tiny.loss_step(&mut sgd, &x, &y)?.get()?;
            steps += 1;
        }
        Ok(1e9 * start.elapsed().as_secs_f64() / f64::from(steps))
    };
    let nanoseconds = (0..rounds).map(|_| step()).collect::<castnet::Result<_>>()?;
    println!("Tiny.loss_step, batch 1       {:8.0} ns a step", median(nanoseconds));

    let mlp = Mlp::new(&Device::cpu(), 1)?;
    let x = Array::zeros::<f32>(&[1, 784]);
    let call = || drop(mlp.scores(&x));
    let (mut one, mut ratios) = (vec![], vec![]);
    for _ in 0..rounds {
        let alone = rate(1, window, &call);
        one.push(1e6 / alone);
        ratios.push(rate(2, window, &call) / alone);
    }
    println!(
        "784-512-512-10, batch 1       {:8.1} us a call; two callers do {:.2} times as many",
        median(one),
        median(ratios)
    );

    castnet::set_threads(2);
    let mut trained = vec![];
    for seed in [1, 2] {
        let (x, digit) = (Array::zeros::<f32>(&[64, 784]), Array::zeros::<u8>(&[64]));
        let (mut net, mut sgd) = (Mlp::new(&Device::cpu(), seed)?, Sgd::new(1e-3).momentum(0.9));
        trained.push(move || drop(net.loss_step(&mut sgd, &x, &digit)));
    }
    let [one, other] = &mut trained[..] else { return Ok(()) };
    let (mut sums, mut least) = (vec![], vec![]);
    for _ in 0..rounds {
        let alone = [rates(window, &mut [one])[0], rates(window, &mut [other])[0]];
        let both = rates(window, &mut [one, other]);
        let shares = [both[0] / alone[0], both[1] / alone[1]];
        sums.push(shares[0] + shares[1]);
        least.push(shares[0].min(shares[1]));
    }
    println!(
        "two nets that train, batch 64   together {:.2} of one alone, the slower {:.2}",
        median(sums),
        median(least)
    );
    Ok(())
}
