//! How random numbers are distributed: moments, distances of distributions (Kolmogorov and Smirnov), counts (χ²), and that what is drawn
//! apart is independent. PyTorch draws others, so no golden says what is right. Seeds are fixed: nothing here is left to luck.

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::ops;
use castnet_program::function::erf;
use castnet_program::net::Init;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model};

/// Numbers of a sample.
const N: usize = 40_000;
/// Standard errors that a mean may be away: chance exceeds 4 once in 16,000.
const ERRORS: f64 = 4.0;
/// The distance of two distributions times √n: chance exceeds 2.1 once in 3,400.
const KOLMOGOROV: f64 = 2.1;

fn op(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    let given: Vec<Given> = args.into_iter().map(|value| Given { name: None, value, at: Loc::default() }).collect();
    match ops::call(b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

fn size() -> Arg {
    Arg::List(vec![Arg::Size(Size::symbol("N"))])
}

/// A net whose only function gives its mean and `build(x)` of `x: f32[N]`, and has a parameter, 0, so that it can be trained.
fn net(seed: u64, build: impl Fn(&mut Builder, Value) -> Value) -> Model {
    let shift = Declared { shape: Some((vec![1], Init::Constant(0.0))), ..Declared::new("shift") };
    let mut parameters = Parameters { list: vec![shift], ..Parameters::default() };
    let mut graph = |training: bool| -> Graph {
        let mut b = Builder::new("Draws.f", &mut parameters, training);
        let x = b.argument("x", Type::new(DType::F32, vec![Size::symbol("N")]));
        let (drawn, shift) = (build(&mut b, x), b.parameter(0));
        let drawn = op(&mut b, "add", vec![Arg::Tensor(drawn), Arg::Tensor(shift)]);
        let mean = op(&mut b, "mean", vec![Arg::Tensor(drawn)]);
        b.result(mean);
        b.result(drawn);
        b.graph
    };
    let functions = vec![SourceFunction::new("f", graph(false), Some(graph(true)))];
    let compiled = compile(Source { name: "Draws".into(), parameters, functions }).unwrap();
    Model::from_net(compiled.net, &Device::cpu(), seed).unwrap()
}

/// What a training pass draws.
fn pass(model: &mut Model, x: &[f32]) -> Vec<f64> {
    let x = Array::from_vec(&[x.len()], x.to_vec()).unwrap();
    numbers(&model.grad(0, &[&x]).unwrap().0[1])
}

/// The same in inference.
fn inference(model: &Model, x: &[f32]) -> Vec<f64> {
    let x = Array::from_vec(&[x.len()], x.to_vec()).unwrap();
    numbers(&model.infer(0, &[&x]).unwrap()[1])
}

fn numbers(array: &Array) -> Vec<f64> {
    array.as_slice::<f32>().unwrap().iter().map(|&x| x.into()).collect()
}

/// One operator without a tensor: `rand`, `randn`.
fn made(name: &'static str, seed: u64) -> Model {
    net(seed, move |b, _| op(b, name, vec![size()]))
}

fn like(name: &'static str, seed: u64) -> Model {
    net(seed, move |b, x| op(b, name, vec![Arg::Tensor(x)]))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), x| (sum + x, n + 1.0));
    sum / n
}

/// The mean of numbers with this standard deviation.
fn has_mean(what: &str, values: impl ExactSizeIterator<Item = f64>, expected: f64, deviation: f64) {
    let allowed = ERRORS * deviation / (values.len() as f64).sqrt();
    let found = mean(values);
    assert!((found - expected).abs() < allowed, "{what}: {found}, not {expected} ± {allowed:.2e}");
}

/// The greatest distance between the sample's distribution and another one.
fn is_distributed(what: &str, sample: &[f64], distribution: impl Fn(f64) -> f64) {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = |(i, x): (usize, &f64)| {
        let expected = distribution(*x);
        (expected - i as f64 / n).max((i + 1) as f64 / n - expected)
    };
    let greatest = sorted.iter().enumerate().map(distance).fold(0.0, f64::max);
    assert!(greatest * n.sqrt() < KOLMOGOROV, "{what}: {:.2} standard distances", greatest * n.sqrt());
}

/// Neighbours, and numbers drawn apart, are independent: their correlation is as small as chance makes it.
fn are_independent(what: &str, a: &[f64], b: &[f64]) {
    let (means, n) = ((mean(a.iter().copied()), mean(b.iter().copied())), a.len().min(b.len()) as f64);
    let covariance = mean(a.iter().zip(b).map(|(x, y)| (x - means.0) * (y - means.1)));
    let variance = |values: &[f64], middle: f64| mean(values.iter().map(|x| (x - middle).powi(2)));
    let correlation = covariance / (variance(a, means.0) * variance(b, means.1)).sqrt();
    assert!(correlation.abs() < ERRORS / n.sqrt(), "{what}: correlation {correlation:.4}");
}

/// All that holds for independent numbers of a distribution; `draws` makes a model of a seed.
fn sample(what: &str, draws: impl Fn(u64) -> Model, distribution: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut model = draws(11);
    let x = vec![0.5; N];
    let (first, second) = (pass(&mut model, &x), pass(&mut model, &x));
    let other = pass(&mut draws(12), &x);
    assert_eq!(first, pass(&mut draws(11), &x), "{what}: the same seed draws the same");
    is_distributed(what, &first, &distribution);
    is_distributed(&format!("{what}, the next step"), &second, &distribution);
    is_distributed(&format!("{what}, another seed"), &other, &distribution);
    are_independent(&format!("{what}, of the next step"), &first, &second);
    are_independent(&format!("{what}, of another seed"), &first, &other);
    for lag in [1, 2, 4, 64] {
        are_independent(&format!("{what}, {lag} further"), &first[lag..], &first[..N - lag]);
    }
    is_distributed(&format!("{what}, in inference"), &inference(&model, &x), &distribution);
    first
}

#[test]
fn rand_is_uniform() {
    for (what, sample) in [
        ("rand", sample("rand", |seed| made("rand", seed), |x| x)),
        ("rand_like", sample("rand_like", |seed| like("rand_like", seed), |x| x)),
    ] {
        assert!(sample.iter().all(|x| (0.0..1.0).contains(x)), "{what}");
        has_mean(what, sample.iter().copied(), 0.5, (1.0f64 / 12.0).sqrt());
        has_mean(&format!("{what}²"), sample.iter().map(|x| x * x), 1.0 / 3.0, (4.0f64 / 45.0).sqrt());
        // In bins, and of the bits below them.
        for scale in [1.0, 1024.0] {
            const BINS: usize = 64;
            let mut counts = [0.0; BINS];
            sample.iter().for_each(|x| counts[((x * scale).fract() * BINS as f64) as usize] += 1.0);
            let expected = (N / BINS) as f64;
            let squares: f64 = counts.iter().map(|c| (c - expected).powi(2) / expected).sum();
            let (freedom, deviation) = (BINS as f64 - 1.0, (2.0 * (BINS as f64 - 1.0)).sqrt());
            assert!((squares - freedom).abs() < ERRORS * deviation, "{what}: χ² is {squares:.1}, not {freedom}");
        }
    }
}

#[test]
fn randn_is_normal() {
    let normal = |x: f64| 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2));
    for (what, sample) in [
        ("randn", sample("randn", |seed| made("randn", seed), normal)),
        ("randn_like", sample("randn_like", |seed| like("randn_like", seed), normal)),
    ] {
        // The moments of a normal number: 0, 1, 0, 3; their variances: 1, 2, 15, 96.
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0f64)] {
            has_mean(
                &format!("{what}, moment {power}"),
                sample.iter().map(|x| x.powi(power)),
                expected,
                variance.sqrt(),
            );
        }
        // 40,000 of them reach beyond 3.5 on both sides (19 in the mean), and none is infinite.
        let (least, most) = sample.iter().fold((0.0f64, 0.0f64), |(a, b), x| (a.min(*x), b.max(*x)));
        assert!(least < -3.5 && most > 3.5 && least > -6.0 && most < 6.0, "{what}: {least} to {most}");
    }
}

#[test]
fn draws_of_one_function_are_independent() {
    // The product of independent numbers has the product of their means.
    for (first, second, expected, variance) in
        [("rand", "rand", 0.25, 7.0f64 / 144.0), ("randn", "rand", 0.0, 1.0 / 3.0), ("randn", "randn", 0.0, 1.0)]
    {
        let mut model = net(5, move |b, _| {
            let (x, y) = (op(b, first, vec![size()]), op(b, second, vec![size()]));
            op(b, "mul", vec![Arg::Tensor(x), Arg::Tensor(y)])
        });
        let product = pass(&mut model, &vec![0.0; N]);
        has_mean(&format!("{first} · {second}"), product.iter().copied(), expected, variance.sqrt());
    }
}

#[test]
fn bernoulli_has_its_probability() {
    // Every fifth element has the same probability.
    const CHANCES: [f32; 5] = [0.0, 0.1, 0.5, 0.75, 1.0];
    let x: Vec<f32> = (0..N).map(|i| CHANCES[i % 5]).collect();
    let drawn = pass(&mut like("bernoulli", 3), &x);
    assert!(drawn.iter().all(|x| [0.0, 1.0].contains(x)));
    for (i, chance) in CHANCES.into_iter().map(f64::from).enumerate() {
        let group: Vec<f64> = drawn.iter().skip(i).step_by(5).copied().collect();
        match chance {
            0.0 | 1.0 => assert!(group.iter().all(|x| *x == chance), "{chance}"),
            _ => has_mean("bernoulli", group.into_iter(), chance, (chance * (1.0 - chance)).sqrt()),
        }
    }
    let mut model = net(4, |b, x| op(b, "bernoulli", vec![Arg::Tensor(x), Arg::Float(0.3)]));
    let drawn = pass(&mut model, &x);
    has_mean("bernoulli, p = 0.3", drawn.iter().copied(), 0.3, 0.21f64.sqrt());
    are_independent("bernoulli, 1 further", &drawn[1..], &drawn[..N - 1]);
}

#[test]
fn dropout_drops_its_share() {
    let x: Vec<f32> = (0..N).map(|i| 1.0 + i as f32 / N as f32).collect();
    for p in [0.1f64, 0.5] {
        let mut model = net(6, move |b, x| op(b, "dropout", vec![Arg::Tensor(x), Arg::Float(p)]));
        let found = pass(&mut model, &x);
        let zeros = |found: &[f64]| -> Vec<f64> { found.iter().map(|x| f64::from(u8::from(*x == 0.0))).collect() };
        let dropped = zeros(&found);
        has_mean(&format!("dropout({p})"), dropped.iter().copied(), p, (p * (1.0 - p)).sqrt());
        are_independent("dropout, 1 further", &dropped[1..], &dropped[..N - 1]);
        are_independent("dropout, of the next step", &dropped, &zeros(&pass(&mut model, &x)));
        for (x, found) in x.iter().zip(&found).filter(|(_, found)| **found != 0.0) {
            let kept = f64::from(*x) / (1.0 - p);
            assert!((found - kept).abs() < 1e-6 * kept, "dropout({p}) makes {found} of {x}");
        }
        let exact: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        assert_eq!(inference(&model, &x), exact, "in inference nothing is dropped");
    }
}
