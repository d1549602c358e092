//! What random numbers depend on: seed, function, mode, call, stream and element. No call repeats another one's, of any function or mode,
//! in any round of a loop; a call that fails draws nothing; a model made or loaded again draws on where the other one did.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashSet};

use castnet::prelude::*;

network! {
    /// Adds noise to each row, its own in each round.
    pub block Noisy(x: f32[R, 8]) -> f32[R, 8] {
        param gain: f32[8] = ones;
        let (_, rows) = scan(x, (), |_, row| ((), row + gain * rand([8])));
        rows
    }

    /// Everything that draws.
    pub net Draws {
        drop:  Dropout(0.5);
        fc:    Linear(8);
        noisy: [Noisy; 3];

        pub fn noise() -> f32[512, 8] { rand([512, 8]) }
        pub fn other() -> f32[512, 8] { rand([512, 8]) }
        pub fn two() -> (f32[512, 8], f32[512, 8]) { (rand([512, 8]), rand([512, 8])) }
        pub fn picked(x: f32[N, 8], at: i64[N]) -> f32[N, 8] { x.index_select(0, at) + rand([N, 8]) }
        pub fn rounds(x: f32[R, 8]) -> f32[R, 8] { noisy(x) }

        /// The objective, and what it drew.
        pub train fn loss(x: f32[N, 8]) -> (f32, f32[512, 8]) {
            let drawn = rand([512, 8]);
            (fc(drop(x)).square().mean() + (noisy(x) * x).mean() + drawn.mean(), drawn)
        }

        pub train fn sums(x: f32[R, 8]) -> f32 { noisy(x).sum() + 0.0 * fc(x).sum() }
    }

    pub net Risky {
        fc: Linear(8);

        /// Not a number in half of the calls.
        pub train fn risky(x: f32[N, 8]) -> f32 {
            fc(x).square().sum() * (rand([1]) - 0.5).sqrt().sum()
        }
    }

    /// Remembers how often it was called, and draws.
    pub net Remembers {
        state count: f32[1] = zeros;
        pub fn next(x: f32[1, 8]) -> f32[1, 8] { count = count + 1.0; x * count + rand([1, 8]) }
    }
}

castnet::check!(Draws);
castnet::check!(Remembers);

fn new(seed: u64) -> Draws {
    Draws::new(&Device::cpu(), seed).unwrap()
}

fn ramp(rows: usize) -> Array {
    Array::from_vec(&[rows, 8], (0..rows * 8).map(|i| i as f32 / 64.0).collect()).unwrap()
}

fn bits(array: &Array) -> Vec<u32> {
    array.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
}

/// Vectors of eight numbers, none of which may come twice.
#[derive(Default)]
struct Seen {
    rows: HashSet<Vec<u32>>,
    vectors: Vec<Vec<f32>>,
}

impl Seen {
    fn add(&mut self, what: &str, drawn: &Array) {
        for row in bits(drawn).chunks(8) {
            assert!(self.rows.insert(row.to_vec()), "{what} repeats a row");
        }
        self.vectors.push(drawn.as_slice().unwrap().to_vec());
    }

    /// Means, and the correlation of any two vectors, are within five standard errors: chance exceeds them once in 1.7 million.
    fn are_independent(&self) {
        let centred = |v: &Vec<f32>| v.iter().map(|x| f64::from(*x) - 0.5).collect::<Vec<f64>>();
        let vectors: Vec<Vec<f64>> = self.vectors.iter().map(centred).collect();
        for (i, a) in vectors.iter().enumerate() {
            let n = a.len() as f64;
            let mean = a.iter().sum::<f64>() / n;
            assert!(mean.abs() < 5.0 / (12.0 * n).sqrt(), "vector {i}: mean {mean}");
            for (j, b) in vectors[..i].iter().enumerate() {
                let product = a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / n;
                assert!(product.abs() < 5.0 / (144.0 * n).sqrt(), "vectors {j} and {i}: {product}");
            }
        }
    }
}

#[test]
fn calls_functions_modes_and_streams_share_nothing() {
    let (mut net, mut seen, x) = (new(7), Seen::default(), ramp(4));
    for call in 0..6 {
        seen.add(&format!("noise, call {call}"), &net.noise().unwrap());
        seen.add(&format!("other, call {call}"), &net.other().unwrap());
        let (a, b) = net.two().unwrap();
        seen.add(&format!("two, call {call}, first"), &a);
        seen.add(&format!("two, call {call}, second"), &b);
        seen.add(&format!("loss in inference, call {call}"), &net.loss(&x).unwrap().1);
        seen.add(&format!("loss in training, call {call}"), &net.loss_grad(&x).unwrap().0.1);
        seen.add(&format!("noise of a seed, {call}"), &net.noise_seeded(7 + call).unwrap());
        seen.add(&format!("other of a seed, {call}"), &net.other_seeded(7 + call).unwrap());
    }
    // Seeds that are neighbours have nothing in common either, nor numbers with first values.
    seen.add("noise of another seed", &new(8).noise().unwrap());
    seen.are_independent();
}

#[test]
fn every_round_draws_its_own() {
    let (mut net, mut seen, zero) = (new(3), Seen::default(), Array::zeros::<f32>(&[5, 8]));
    let gain = |net: &mut Draws, only: usize| {
        for block in 0..3 {
            let gain = vec![if block == only { 1.0f32 } else { 0.0 }; 8];
            net.set_parameter(&format!("noisy.{block}.gain"), &Array::from_vec(&[8], gain).unwrap()).unwrap();
        }
    };
    // The five rounds inside of each of three rounds outside, one after the other.
    for block in 0..3 {
        gain(&mut net, block);
        seen.add(&format!("block {block}"), &net.rounds_seeded(1, &zero).unwrap());
    }
    // The gradient of a gain is the sum of what its block drew: the backward rounds draw what the forward ones did.
    for (call, rows) in [1, 2, 5, 33].into_iter().enumerate() {
        let mut net = new(call as u64);
        let (loss, gradients) = net.sums_grad(&Array::zeros::<f32>(&[rows, 8])).unwrap();
        let sums: Vec<Vec<f64>> = (0..3)
            .map(|block| {
                let sum = gradients.parameter(&format!("noisy.{block}.gain")).unwrap();
                sum.as_slice::<f32>().unwrap().iter().map(|x| f64::from(*x)).collect()
            })
            .collect();
        assert!(sums[0] != sums[1] && sums[1] != sums[2] && sums[0] != sums[2], "{rows} rows");
        let (whole, loss) = (sums.iter().flatten().sum::<f64>(), f64::from(loss.item::<f32>().unwrap()));
        assert!((whole - loss).abs() < 1e-4 * loss, "{rows} rows: {loss}, by the gradients {whole}");
    }
}

#[test]
fn a_seed_of_ones_own_moves_nothing() {
    let (mut net, twin, x) = (new(5), new(5), ramp(3));
    let at = Array::from_vec(&[3], vec![2i64, 0, 1]).unwrap();
    let (first, picked) = (net.noise_seeded(9).unwrap(), net.picked_seeded(9, &x, &at).unwrap());
    for _ in 0..3 {
        net.loss_grad(&x).unwrap();
        net.loss_seeded(1, &x).unwrap();
        assert_eq!(bits(&net.noise_seeded(9).unwrap()), bits(&first));
        assert_eq!(bits(&net.picked_seeded(9, &x, &at).unwrap()), bits(&picked));
        assert_ne!(bits(&net.noise_seeded(10).unwrap()), bits(&first));
        assert_eq!(bits(&net.noise().unwrap()), bits(&twin.noise().unwrap()));
    }
    // The seed of the model has no part in it.
    assert_eq!(bits(&new(6).noise_seeded(9).unwrap()), bits(&first));

    let mut net = Remembers::new(&Device::cpu(), 1).unwrap();
    let x = ramp(1);
    net.next(&x).unwrap();
    let peeked = net.next_seeded(4, &x).unwrap();
    assert_eq!(bits(&peeked), bits(&net.next_seeded(4, &x).unwrap()));
    assert_eq!(net.state("count").unwrap().unwrap().as_slice::<f32>().unwrap(), [1.0]);
}

#[test]
fn a_call_that_fails_draws_nothing() {
    let (mut net, mut twin, x) = (new(2), new(2), ramp(3));
    let good = Array::from_vec(&[3], vec![0i64, 1, 2]).unwrap();
    let bad = Array::from_vec(&[3], vec![0i64, 3, 2]).unwrap();
    for _ in 0..3 {
        assert!(net.picked(&x, &bad).is_err() && net.picked(&ramp(2), &good).is_err());
        assert!(net.picked_seeded(1, &x, &bad).is_err());
        assert!(net.loss_grad(&Array::zeros::<f32>(&[3, 7])).is_err());
        assert!(net.loss_step(&mut Sgd::new(-1.0), &x).is_err());
        assert_eq!(bits(&net.picked(&x, &good).unwrap()), bits(&twin.picked(&x, &good).unwrap()));
        let (ours, theirs) = (net.loss_grad(&x).unwrap().0, twin.loss_grad(&x).unwrap().0);
        assert_eq!((bits(&ours.0), bits(&ours.1)), (bits(&theirs.0), bits(&theirs.1)));
    }
}

#[test]
fn the_search_for_what_is_not_finite_draws_what_the_step_drew() {
    let mut stopped = 0;
    for seed in 0..24 {
        let new = || Risky::new(&Device::cpu(), seed).unwrap();
        let (mut net, mut twin, x) = (new(), new(), ramp(2));
        net.stop_on_nan(true);
        let value = twin.risky_grad(&x).unwrap().0.item::<f32>().unwrap();
        let step = net.risky_step(&mut Sgd::new(0.1), &x);
        assert_eq!(step.is_err(), value.is_nan(), "seed {seed}");
        let Err(error) = step else { continue };
        stopped += 1;
        assert!(error.to_string().contains("net-tests/tests/draws.rs:"), "seed {seed}: {error}");
        // The step is not done: it draws the same once more.
        let again = net.risky_grad(&x).unwrap().0.item::<f32>().unwrap();
        assert!(again.is_nan(), "seed {seed}");
    }
    assert!((4..=20).contains(&stopped), "{stopped} of 24");
}

#[test]
fn training_goes_on_with_the_same_draws() {
    let (dir, x) = (std::env::temp_dir(), ramp(4));
    let path = dir.join(format!("castnet-draws-{}.safetensors", std::process::id()));
    let go_on = |net: &mut Draws, sgd: &mut Sgd| {
        let mut all = vec![];
        for _ in 0..3 {
            let (loss, drawn) = net.loss_step(sgd, &x).unwrap();
            all.push((loss.get().unwrap().to_bits(), bits(&drawn), bits(&net.noise().unwrap())));
            all.push((0, bits(&net.other().unwrap()), bits(&net.rounds(&x).unwrap())));
        }
        all
    };
    let (mut net, mut sgd) = (new(4), Sgd::new(0.01).momentum(0.9));
    go_on(&mut net, &mut sgd);
    net.other().unwrap();
    net.save_training(&path, &sgd, &BTreeMap::new()).unwrap();
    let expected = go_on(&mut net, &mut sgd);
    let (mut net, mut sgd) = (new(99), Sgd::new(0.01).momentum(0.9));
    net.noise().unwrap();
    net.load_training(&path, &mut sgd).unwrap();
    assert_eq!(go_on(&mut net, &mut sgd), expected);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn threads_side_by_side_draw_what_one_would() {
    let (net, twin) = (new(1), new(1));
    let draw = |net: &Draws| bits(&net.noise().unwrap());
    let by_four: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..25).map(|_| draw(&net)).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    let by_four: HashSet<Vec<u32>> = by_four.into_iter().collect();
    assert_eq!(by_four, (0..100).map(|_| draw(&twin)).collect());
    assert_eq!(by_four.len(), 100);
}

network! {
    pub net DrawsBF16 {
        float: bf16;
        pub fn ones(x: float[N]) -> (i64, i64) { ((rand(N) >= 1.0).sum(), (x.rand_like() >= 1.0).sum()) }
        pub fn middle() -> f32 { rand(10000).cast(f32).mean() }
    }
    pub net DrawsF16 {
        float: f16;
        pub fn ones(x: float[N]) -> (i64, i64) { ((rand(N) >= 1.0).sum(), (x.rand_like() >= 1.0).sum()) }
        pub fn middle() -> f32 { rand(10000).cast(f32).mean() }
    }
}

/// Uniform numbers lie below 1 in halves, too, where the nearest half of some would be 1.
#[test]
fn draws_of_halves_lie_below_one() {
    macro_rules! check {
        ($Net:ident, $half:ty) => {
            let net = $Net::new(&Device::cpu(), 1).unwrap();
            let (a, b) = net.ones(&Array::zeros::<$half>(&[50000])).unwrap();
            assert_eq!((a.item::<i64>().unwrap(), b.item::<i64>().unwrap()), (0, 0));
            let mean = net.middle().unwrap().item::<f32>().unwrap();
            assert!((mean - 0.5).abs() < 0.02, "{mean}");
        };
    }
    check!(DrawsBF16, castnet::bf16);
    check!(DrawsF16, castnet::f16);
}
