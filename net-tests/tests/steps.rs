//! What a step promises beside its numbers: the same bits on any number of threads and next to any other work, and mistakes that change
//! nothing.

#[path = "../../tests/nets/mod.rs"]
mod nets;

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use castnet::prelude::*;
use nets::{Example, LeNet, Mlp, Third};
use rayon::prelude::*;

/// Held while a test depends on the number of threads, which is the process's.
fn with_threads(threads: usize) -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    castnet::set_threads(threads);
    guard
}

/// Runs `test`, which would hang where it should not.
fn without_hanging(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    if finished.recv_timeout(Duration::from_secs(300)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("no end after five minutes");
    }
    thread.join().unwrap();
}

fn sgd() -> Sgd {
    Sgd::new(0.01).momentum(0.9).weight_decay(5e-4)
}

fn adamw() -> AdamW {
    AdamW::new(1e-3).clip_norm(0.5)
}

/// The bits of all losses and of the parameters afterwards, of steps with batches of 64, 17, 1 and 64 images again.
fn trained<N: Example>(seed: u64, optimizer: &mut impl Optimizer) -> Vec<u64> {
    let mut net = N::create(seed).unwrap();
    let mut bits = vec![];
    for (step, n) in [64, 17, 1, 64, 17].into_iter().enumerate() {
        let batch = N::batch(n, 100 * seed + step as u64);
        bits.push(net.train(optimizer, &batch).unwrap().to_bits());
    }
    bits.extend(net.bits());
    bits
}

#[test]
fn threads_do_not_change_a_bit() {
    fn check<N: Example>() {
        let run = |threads| {
            castnet::set_threads(threads);
            (trained::<N>(1, &mut sgd()), trained::<N>(2, &mut adamw()))
        };
        let one = run(1);
        for threads in [2, 3, 7] {
            assert!(run(threads) == one, "{} on {threads} threads", N::NAME);
        }
    }
    let _alone = with_threads(1);
    check::<LeNet>();
    check::<Mlp>();
    check::<Third>();
    castnet::set_threads(0);
}

#[test]
fn two_nets_on_two_threads() {
    without_hanging(|| {
        let _alone = with_threads(2);
        let serial = (trained::<LeNet>(1, &mut sgd()), trained::<Third>(2, &mut adamw()));
        for _ in 0..3 {
            let both = std::thread::scope(|scope| {
                let first = scope.spawn(|| trained::<LeNet>(1, &mut sgd()));
                let second = scope.spawn(|| trained::<Third>(2, &mut adamw()));
                (first.join().unwrap(), second.join().unwrap())
            });
            assert!(both == serial);
        }
    });
}

#[test]
fn steps_inside_rayon() {
    without_hanging(|| {
        let _alone = with_threads(2);
        let seeds: Vec<u64> = (0..8).collect();
        let serial: Vec<_> = seeds.iter().map(|&seed| trained::<LeNet>(seed, &mut sgd())).collect();
        let parallel: Vec<_> = seeds.par_iter().map(|&seed| trained::<LeNet>(seed, &mut sgd())).collect();
        assert!(parallel == serial);
    });
}

#[test]
fn one_net_evaluated_from_many_threads() {
    without_hanging(|| {
        let _alone = with_threads(2);
        let net = LeNet::create(3).unwrap();
        let batches: Vec<_> = (0..12).map(|i| LeNet::batch([64, 17, 1][i % 3], i as u64)).collect();
        let serial: Vec<_> = batches.iter().map(|batch| net.classify(batch).unwrap()).collect();
        let parallel: Vec<_> = batches.par_iter().map(|batch| net.classify(batch).unwrap()).collect();
        assert!(parallel == serial);
    });
}

/// A net with states, too: its running statistics.
#[test]
fn a_clone_is_a_snapshot() {
    fn check<N: Example + Clone>() {
        let (mut net, batch) = (N::create(3).unwrap(), N::batch(17, 1));
        let snapshot = net.clone();
        let before = snapshot.bits();
        net.train(&mut sgd(), &batch).unwrap();
        assert!(snapshot.bits() == before && net.bits() != before, "{}", N::NAME);
        let mut again = snapshot.clone();
        again.train(&mut sgd(), &batch).unwrap();
        assert!(again.bits() == net.bits(), "{}", N::NAME);
    }
    check::<LeNet>();
    check::<Third>();
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let batch = LeNet::batch(4, 1);
    let [image, class] = &batch[..] else { panic!("two arguments") };
    let wrong = |shape: &[usize]| Array::zeros::<f32>(shape);
    let cases = [
        (
            [wrong(&[4, 1, 28, 27]), class.clone()],
            "LeNet.loss: argument `image` is f32[4, 1, 28, 27], expected f32[N, 1, 28, 28]",
        ),
        ([wrong(&[4, 784]), class.clone()], "LeNet.loss: argument `image` is f32[4, 784], expected f32[N, 1, 28, 28]"),
        (
            [Array::zeros::<u8>(&[4, 1, 28, 28]), class.clone()],
            "LeNet.loss: argument `image` is u8[4, 1, 28, 28], expected f32[N, 1, 28, 28]",
        ),
        (
            [image.clone(), Array::zeros::<i64>(&[4])],
            "LeNet.loss: argument `class` is i64[4], expected u8[N] (N = 4, bound by `image`)",
        ),
        (
            [image.clone(), Array::zeros::<u8>(&[3])],
            "LeNet.loss: argument `class` is u8[3], expected u8[N] (N = 4, bound by `image`)",
        ),
        (
            [image.clone(), Array::from_vec(&[4], vec![0u8, 9, 10, 255]).unwrap()],
            "LeNet.loss: element 2 of argument `class` is 10, expected 0 to 9 by `cross_entropy`",
        ),
        (
            [wrong(&[0, 1, 28, 28]), Array::zeros::<u8>(&[0])],
            "LeNet.loss: N = 0, as argument `image` is f32[0, 1, 28, 28]: nothing is left to compute",
        ),
    ];
    let (mut net, mut adam) = (LeNet::create(1).unwrap(), adamw());
    let (mut same, mut same_adam) = (LeNet::create(1).unwrap(), adamw());
    for step in 0..3 {
        for (arguments, message) in &cases {
            let before = net.bits();
            let text = |error: castnet::Error| error.to_string();
            assert_eq!(net.train(&mut adam, arguments).map_err(text).unwrap_err(), *message);
            assert_eq!(net.evaluate(arguments).map_err(text).unwrap_err(), *message);
            assert_eq!(net.differentiate(arguments).map(|_| ()).map_err(text).unwrap_err(), *message);
            assert_eq!((net.bits(), net.as_ref().steps(), adam.state().steps()), (before, step, step));
        }
        let scores = net.classify(&[wrong(&[4, 3, 28, 28])]).unwrap_err().to_string();
        assert_eq!(scores, "LeNet.scores: argument `image` is f32[4, 3, 28, 28], expected f32[N, 1, 28, 28]");
        // A setting that is out of its range.
        assert!(net.train(&mut AdamW::new(-1.0), &batch).unwrap_err().to_string().contains("AdamW: lr = -1"));
        // The step after the mistakes is the step without them.
        let loss = net.train(&mut adam, &batch).unwrap();
        assert_eq!(loss, same.train(&mut same_adam, &batch).unwrap());
        assert_eq!(net.bits(), same.bits());
    }
}
