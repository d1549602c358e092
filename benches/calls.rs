//! What a call costs besides what it computes, and how calls of several threads on one network go side by side.
//!
//! ```sh
//! cargo bench -p castnet --bench calls -- [--rounds 9] [--seconds 0.5]
//! ```
//!
//! Each call computes on its caller's thread alone (`set_threads(1)`). One and two callers run by turns, so that what else the machine does meets
//! them alike; what is shown are medians.

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
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Calls a second of so many threads together.
fn rate(callers: usize, window: Duration, call: &(dyn Fn() + Sync)) -> f64 {
    let is_over = AtomicBool::new(false);
    let start = Instant::now();
    let calls: usize = std::thread::scope(|scope| {
        let count = || {
            let mut calls = 0;
            while !is_over.load(Ordering::Relaxed) {
                call();
                calls += 1;
            }
            calls
        };
        let all: Vec<_> = (0..callers).map(|_| scope.spawn(count)).collect();
        std::thread::sleep(window);
        is_over.store(true, Ordering::Relaxed);
        all.into_iter().map(|caller| caller.join().unwrap_or(0)).sum()
    });
    calls as f64 / start.elapsed().as_secs_f64()
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
    Ok(())
}
