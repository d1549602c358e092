//! Models end to end, on networks written by hand.

mod common;

use castnet_program::net::Mirror;
use castnet_program::program::{Layout, Place};
use castnet_program::types::DType;
use castnet_runtime::optimizer::{Factors, Rule, State, UpdateSlices};
use castnet_runtime::{Adam, AdamW, Array, Cosine, Device, Error, Model, Optimizer, Result, Sgd, set_threads};
use common::{LOSS, SCORES, noise, regression, rounds};

const K: usize = 70;
const O: usize = 37;
const N: usize = 50;

fn model(seed: u64) -> Model {
    Model::from_net(regression(K as i64, O as i64), &Device::cpu(), seed).unwrap()
}

fn batch(n: usize) -> (Array, Array) {
    (noise(&[n, K], 1), noise(&[n, O], 2))
}

fn values(model: &Model, name: &str) -> Vec<f32> {
    model.parameter(name).unwrap().as_slice().unwrap().to_vec()
}

fn all(model: &Model) -> Vec<Vec<f32>> {
    model.parameters().map(|(name, _)| values(model, name)).collect()
}

/// Scores and gradients of weight and bias, in double precision.
fn reference(model: &Model, x: &Array, y: &Array) -> (Vec<f64>, f64, Vec<f64>, Vec<f64>) {
    let (w, b) = (values(model, "fc.weight"), values(model, "fc.bias"));
    let (x, y): (&[f32], &[f32]) = (x.as_slice().unwrap(), y.as_slice().unwrap());
    let n = x.len() / K;
    let (mut scores, mut loss) = (vec![0.0; n * O], 0.0);
    let (mut dw, mut db) = (vec![0.0; O * K], vec![0.0; O]);
    for i in 0..n {
        for o in 0..O {
            let dot: f64 = (0..K).map(|k| f64::from(x[i * K + k]) * f64::from(w[o * K + k])).sum();
            let score = dot + f64::from(b[o]);
            let d = score - f64::from(y[i * O + o]);
            scores[i * O + o] = score;
            loss += d * d / (2 * n) as f64;
            db[o] += d / n as f64;
            (0..K).for_each(|k| dw[o * K + k] += d / n as f64 * f64::from(x[i * K + k]));
        }
    }
    (scores, loss, dw, db)
}

fn close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f64::from(*f) - e).abs() < 1e-5, "{f} is not {e}");
    }
}

#[test]
fn forward_loss_and_gradients_are_right() -> Result<()> {
    let mut model = model(3);
    for poison in [false, true] {
        model.poison(poison);
        for n in [N, 1, 7, N, 3, 2, 5, N] {
            let (x, y) = batch(n);
            let (scores, loss, dw, db) = reference(&model, &x, &y);
            let found = &model.infer(SCORES, &[&x])?[0];
            assert_eq!(found.shape(), [n, O]);
            close(found.as_slice()?, &scores);
            close(&[model.infer(LOSS, &[&x, &y])?[0].item()?], &[loss]);
            let (results, mut gradients) = model.grad(LOSS, &[&x, &y])?;
            close(&[results[0].item()?], &[loss]);
            close(gradients.parameter("fc.weight")?.as_slice()?, &dw);
            close(gradients.parameter("fc.bias")?.as_slice()?, &db);
            assert_eq!(gradients.names().collect::<Vec<_>>(), ["fc.weight", "fc.bias"]);
            let norm = dw.iter().chain(&db).map(|g| g * g).sum::<f64>().sqrt();
            close(&[gradients.norm()], &[norm]);
            model.grad_add(LOSS, &mut gradients, &[&x, &y])?;
            close(gradients.parameter("fc.bias")?.as_slice()?, &db.iter().map(|g| 2.0 * g).collect::<Vec<_>>());
            close(&[gradients.clip_norm(0.5)], &[2.0 * norm]);
            close(&[gradients.norm()], &[(2.0 * norm).min(0.5)]);
        }
    }
    assert!(model.intermediate(LOSS, true, "residual").is_some_and(|r| r.len() == N * O));
    Ok(())
}

/// Ten steps on batches of two sizes; returns all parameters and the last loss.
fn trained(mut optimizer: impl Optimizer, how: &str) -> (Vec<Vec<f32>>, f32) {
    let mut model = model(3);
    model.stop_on_nan(how == "guarded");
    let mut last = 0.0;
    for step in 0..10 {
        let (x, y) = batch(if step % 4 == 3 { 9 } else { N });
        last = match how {
            "applied" => {
                let (results, gradients) = model.grad(LOSS, &[&x, &y]).unwrap();
                optimizer.apply(&mut model, &gradients).unwrap();
                results[0].item().unwrap()
            }
            _ => model.step(LOSS, &mut optimizer, &[&x, &y]).unwrap().get().unwrap(),
        };
    }
    assert_eq!(model.steps(), 10);
    (all(&model), last)
}

#[test]
fn every_way_of_updating_gives_the_same_bits() {
    let frozen = values(&model(3), "frozen.weight");
    {
        let sgd = || Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(1e-3);
        let adam = || AdamW::new(1e-2).schedule(Cosine::new(20).warmup(3));
        let first = (trained(sgd(), "step"), trained(adam(), "step"));
        for how in ["guarded", "applied"] {
            assert_eq!(first, (trained(sgd(), how), trained(adam(), how)), "{how}");
        }
        assert_eq!(first, (trained(sgd().clip_norm(1e9), "step"), trained(adam().clip_norm(1e9), "step")));
        let (clipped, applied) = (trained(adam().clip_norm(0.1), "step"), trained(adam().clip_norm(0.1), "applied"));
        assert_eq!(clipped, applied);
        assert_ne!(first.1, clipped);
        assert_eq!(first.0.0[1], frozen, "nobody reaches it");
        assert!(first.0.1 < 4.0, "it learns");
        assert_ne!(first.0.0, trained(Sgd::new(0.1), "step").0);
    }
}

#[test]
fn updates_are_pytorchs() {
    // One SGD step by hand; Adam's first step moves every parameter by lr against the gradient's sign.
    let (x, y) = batch(N);
    let before = model(3);
    let (_, _, dw, _) = reference(&before, &x, &y);
    let w = values(&before, "fc.weight");
    let mut after = model(3);
    after.step(LOSS, &mut Sgd::new(0.5).weight_decay(0.1), &[&x, &y]).unwrap();
    let expected = w.iter().zip(&dw).map(|(&w, g)| f64::from(w) - 0.5 * (g + 0.1 * f64::from(w)));
    close(&values(&after, "fc.weight"), &expected.collect::<Vec<_>>());
    let mut after = model(3);
    after.step(LOSS, &mut Adam::new(0.01), &[&x, &y]).unwrap();
    let expected = w.iter().zip(&dw).map(|(&w, g)| f64::from(w) - 0.01 * g / (g.abs() + 1e-8));
    close(&values(&after, "fc.weight"), &expected.collect::<Vec<_>>());
}

#[test]
fn repeats_move_buffers_and_parameters() -> Result<()> {
    for reverse in [false, true] {
        let model = Model::from_net(rounds(21, reverse), &Device::cpu(), 5)?;
        let x = noise(&[21], 9);
        let y = model.infer(0, &[&x])?.remove(0).into_ndarray::<f32>()?;
        let mut product = x.as_slice::<f32>()?.to_vec();
        for round in 0..4 {
            let row = if reverse { 3 - round } else { round };
            assert!(y.index_axis(ndarray::Axis(0), row).iter().eq(&product), "round {round}, reverse {reverse}");
            if round < 3 {
                let name = format!("s.{}", if reverse { 2 - round } else { round });
                product.iter_mut().zip(values(&model, &name)).for_each(|(p, s)| *p *= s);
            }
        }
    }
    Ok(())
}

fn text<T>(result: Result<T>) -> String {
    result.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn mistakes_are_errors_and_change_nothing() -> Result<()> {
    let mut model = model(3);
    let before = all(&model);
    let (x, y) = batch(N);
    let mut sgd = Sgd::new(0.1);
    assert_eq!(
        text(model.step(LOSS, &mut sgd, &[&x, &noise(&[N - 1, O], 1)])),
        "Regression.loss: argument `y` is f32[49, 37], expected f32[N, 37] (N = 50, bound by `x`)"
    );
    assert_eq!(text(model.step(SCORES, &mut sgd, &[&x])), "Regression: `scores` is not a `train fn`");
    assert_eq!(text(model.grad(9, &[&x])), "Regression: no function number 9");
    assert_eq!(text(model.infer(9, &[&x])), "Regression: no function number 9");
    let settings: [(Box<dyn Optimizer>, &str); 6] = [
        (Box::new(Sgd::new(-1.0)), "Sgd: lr = -1 is not a finite number of at least 0"),
        (Box::new(Sgd::new(f64::NAN)), "Sgd: lr = NaN is not a finite number of at least 0"),
        (Box::new(Sgd::new(0.1).momentum(1.0)), "Sgd: momentum = 1 is not in [0, 1)"),
        (Box::new(Sgd::new(0.1).nesterov(true)), "Sgd: nesterov = 1 is not allowed without momentum or with dampening"),
        (Box::new(AdamW::new(0.1).betas(0.9, 1.5)), "AdamW: beta2 = 1.5 is not in [0, 1)"),
        (Box::new(Adam::new(0.1).clip_norm(0.0)), "Adam: clip_norm = 0 is not a number above 0"),
    ];
    for (mut optimizer, message) in settings {
        assert_eq!(text(model.step(LOSS, &mut *optimizer, &[&x, &y])), message);
    }
    assert_eq!(
        text(model.parameter("fc.wieght")),
        "Regression has no parameter `fc.wieght`; did you mean `fc.weight`?"
    );
    assert_eq!(
        text(model.set_parameter("fc.bias", &Array::zeros::<f32>(&[3]))),
        "Regression: parameter `fc.bias` is f32[37], the value given is f32[3]"
    );
    assert_eq!(all(&model), before);

    let mut adam = AdamW::new(1e-3);
    model.step(LOSS, &mut adam, &[&x, &y])?;
    let mut other = Model::from_net(regression(K as i64, O as i64), &Device::cpu(), 3)?;
    let (_, gradients) = other.grad(LOSS, &[&x, &y])?;
    let in_use = "this AdamW holds the state of another model of Regression; make a new optimizer for each model";
    assert_eq!(text(other.step(LOSS, &mut adam, &[&x, &y])), in_use);
    assert_eq!(text(adam.apply(&mut other, &gradients)), in_use);
    let mut third = Model::from_net(rounds(8, false), &Device::cpu(), 3)?;
    assert_eq!(text(third.copy_from(&other)), "copy_from: the two nets differ: Rounds and Regression");
    assert_eq!(
        text(Sgd::new(0.1).apply(&mut third, &gradients)),
        "gradients: the two nets differ: Rounds and Regression"
    );
    Ok(())
}

#[test]
fn parameters_are_read_and_written_in_pytorchs_layout() -> Result<()> {
    let (mut a, mut b) = (model(1), model(2));
    assert_eq!(all(&a), all(&model(1)));
    assert_ne!(all(&a), all(&b));
    let w = noise(&[O, K], 5);
    a.set_parameter("fc.weight", &w)?;
    assert_eq!(a.parameter("fc.weight")?, w);
    let middle: Vec<Vec<f32>> = (all(&a).iter().zip(all(&b)))
        .map(|(a, b)| b.iter().zip(a).map(|(b, a)| b + 0.25 * (a - b)).collect())
        .collect();
    b.lerp(&a, 0.25)?;
    assert_eq!(all(&b), middle);
    b.copy_from(&a)?;
    assert_eq!(all(&b), all(&a));
    assert_eq!(a.parameters().map(|(n, s)| (n.to_string(), s)).last(), Some(("fc.bias".to_string(), vec![O])));
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_stops_and_names_the_place() -> Result<()> {
    let mut model = model(3);
    let mut adam = AdamW::new(1e-3);
    let (x, y) = batch(N);
    model.stop_on_nan(true);
    model.step(LOSS, &mut adam, &[&x, &y])?;
    let before = all(&model);
    let mut bad = x.clone();
    bad.as_mut_slice::<f32>()?[77] = f32::NAN;
    let error = model.step(LOSS, &mut adam, &[&bad, &y]).unwrap_err();
    assert!(matches!(error, Error::NotFinite { step: 2, .. }));
    let start = "Regression: the loss of step 2 is NaN; the first value that is not finite is in argument `x`";
    assert_eq!(error.to_string(), start);
    let huge = Array::from_vec(&[N, O], vec![1e38f32; N * O])?;
    let error = model.step(LOSS, &mut adam, &[&x, &huge]).unwrap_err().to_string();
    assert!(error.ends_with("is inf; the first value that is not finite is in loss"), "{error}");
    assert_eq!(all(&model), before);
    model.step(LOSS, &mut adam, &[&x, &y])?;
    model.stop_on_nan(false);
    assert!(model.step(LOSS, &mut adam, &[&bad, &y])?.get()?.is_nan());
    let error = text(model.grad(LOSS, &[&x, &y]).map(|_| ()));
    assert_eq!(error, "");
    model.stop_on_nan(true);
    assert!(text(model.step(LOSS, &mut adam, &[&x, &y])).ends_with("in parameter `fc.weight`"));
    Ok(())
}

#[test]
fn steps_from_many_threads_and_inside_rayon() {
    use rayon::prelude::*;
    set_threads(4);
    let expected = trained(AdamW::new(1e-2), "step");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| trained(AdamW::new(1e-2), "step"))).collect();
        runs.into_iter().for_each(|run| assert_eq!(run.join().unwrap(), expected));
    });
    (0..8).into_par_iter().for_each(|_| assert_eq!(trained(AdamW::new(1e-2), "step"), expected));
    let (model, (x, _)) = (model(3), batch(N));
    let scores = model.infer(SCORES, &[&x]).unwrap();
    (0..16).into_par_iter().for_each(|_| assert_eq!(model.infer(SCORES, &[&x]).unwrap(), scores));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let (x, y) = (noise(&[256, 400], 1), noise(&[256, 300], 2));
    let run = |threads| {
        set_threads(threads);
        let mut model = Model::from_net(regression(400, 300), &Device::cpu(), 3).unwrap();
        let mut adam = AdamW::new(1e-3).clip_norm(0.1);
        let losses: Vec<_> = (0..5).map(|_| model.step(LOSS, &mut adam, &[&x, &y]).unwrap()).collect();
        let mut sgd = Sgd::new(1e-3).momentum(0.9);
        let more: Vec<_> = (0..5).map(|_| model.step(LOSS, &mut sgd, &[&x, &y]).unwrap()).collect();
        (losses, more, all(&model))
    };
    let alone = run(1);
    for threads in [2, 3, 7, 0] {
        assert_eq!(run(threads), alone, "{threads} threads");
    }
}

/// An optimizer of the user's that panics.
struct Faulty(State);

impl Optimizer for Faulty {
    fn name(&self) -> &'static str {
        "Faulty"
    }
    fn rule(&self) -> Rule<'_> {
        Rule::Slices { states: &[], f32: self, f64: None }
    }
    fn begin(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> &State {
        &self.0
    }
    fn state_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl UpdateSlices<f32> for Faulty {
    fn update(&self, _: Factors, _: u64, _: &mut [f32], _: &[f32], _: &mut [&mut [f32]]) {
        panic!("no rule");
    }
}

/// Nobody computes with parameters of which some are updated and others not, or saves them over what was right.
#[test]
fn a_panic_in_an_update_tears_model_and_optimizer() -> Result<()> {
    let (mut model, (x, y)) = (model(3), batch(N));
    let (mut faulty, mut sgd) = (Faulty(Default::default()), Sgd::new(0.1));
    let snapshot = model.clone();
    let (_, gradients) = model.grad(LOSS, &[&x, &y])?;
    let error = text(model.step(LOSS, &mut faulty, &[&x, &y]));
    assert_eq!(error, "Regression.loss: a kernel or an optimizer panicked: no rule");
    let torn =
        "Regression is torn: a kernel or an optimizer panicked in the midst of an update (no rule); load a checkpoint";
    let file = std::env::temp_dir().join(format!("castnet_torn_{}.safetensors", std::process::id()));
    let extra = Default::default();
    let all = [
        text(model.step(LOSS, &mut sgd, &[&x, &y])),
        text(model.infer(SCORES, &[&x])),
        text(model.infer_seeded(SCORES, 1, &[&x])),
        text(model.grad(LOSS, &[&x, &y])),
        text(sgd.apply(&mut model, &gradients)),
        text(model.clone().infer(SCORES, &[&x])),
        text(model.save(&file)),
        text(model.save_training(&file, &sgd, &extra)),
        text(snapshot.clone().copy_from(&model)),
        text(snapshot.clone().lerp(&model, 0.5)),
        text(model.lerp(&snapshot, 0.5)),
    ];
    assert!(all.iter().all(|error| error.starts_with(torn)), "{all:?}");
    assert!(!file.exists());

    model.copy_from(&snapshot)?;
    let error = text(model.step(LOSS, &mut faulty, &[&x, &y]));
    assert!(error.starts_with("Faulty of Regression is torn"), "{error}");
    model.step(LOSS, &mut sgd, &[&x, &y])?;
    model.save(&file)?;
    // An update without a step tears as well; a file mends it.
    let error = text(Faulty(Default::default()).apply(&mut model, &gradients));
    assert_eq!(error, "Regression.apply: a kernel or an optimizer panicked: no rule");
    assert!(text(model.infer(SCORES, &[&x])).starts_with(torn));
    model.load(&file)?;
    model.infer(SCORES, &[&x])?;
    std::fs::remove_file(&file).map_err(|error| Error::Data { what: error.to_string() })?;
    Ok(())
}

/// As `Sgd`, but its state is refused once, by a panic, after `quiet` times.
struct Moody {
    sgd: Sgd,
    quiet: Option<u32>,
}

impl Optimizer for Moody {
    fn name(&self) -> &'static str {
        "Moody"
    }
    fn rule(&self) -> Rule<'_> {
        self.sgd.rule()
    }
    fn begin(&mut self, step: u64) -> Result<()> {
        self.sgd.begin(step)
    }
    fn scalars(&self, factors: Factors, step: u64, scalars: &mut [f64]) {
        self.sgd.scalars(factors, step, scalars);
    }
    fn state(&self) -> &State {
        self.sgd.state()
    }
    fn state_mut(&mut self) -> &mut State {
        let quiet = self.quiet.take();
        assert!(quiet != Some(0), "no state today");
        self.quiet = quiet.map(|quiet| quiet - 1);
        self.sgd.state_mut()
    }
}

#[test]
fn an_optimizer_that_panics_takes_nothing_away() {
    let (mut model, (x, y)) = (model(3), batch(N));
    // Before anything runs, with all in hand, and after the update.
    for quiet in 0..3 {
        let mut moody = Moody { sgd: Sgd::new(0.1), quiet: Some(quiet) };
        let step = || model.step(LOSS, &mut moody, &[&x, &y]).map(|_| ());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).is_err();
        assert!(panicked, "after {quiet} times");
        model.step(LOSS, &mut moody, &[&x, &y]).unwrap();
    }
}

#[test]
fn networks_that_contradict_themselves_are_refused() {
    let broken = |change: &dyn Fn(&mut castnet_program::net::Net)| {
        let mut net = regression(4, 3);
        change(&mut net);
        text(Model::from_net(net, &Device::cpu(), 1))
    };
    assert!(broken(&|n| n.functions[1].reaches = vec![7]).ends_with("`loss` reaches an unknown parameter"));
    assert!(broken(&|n| n.cpu_mut()[0].inference.launches[0].loads[0].buffer = 99).contains("no buffer number 99"));
    assert!(broken(&|n| n.cpu_mut()[0].inference.launches[0].stores[0].buffer = 1).contains("stores to a parameter"));
    let mirror = |parameter, dtype, layout: Layout| {
        broken(&|n| n.targets[0].mirrors = vec![Mirror { parameter, dtype, layout: Layout::clone(&layout) }])
    };
    assert!(mirror(9, DType::BF16, Layout::Plain).contains("a mirror of parameter 9"));
    assert!(mirror(0, DType::I64, Layout::Plain).contains("a mirror of `fc.weight` in i64"));
    assert!(mirror(0, DType::BF16, Layout::Panels(vec![2])).contains("do not name each axis"));
    assert!(broken(&|n| n.targets[0].layouts.truncate(1)).contains("1 layouts of 3 parameters"));
    assert!(broken(&|n| n.cpu_mut()[0].inference.buffers[1].place = Place::Mirror(0)).contains("lies nowhere"));
    let mut net = regression(K as i64, O as i64);
    net.cpu_mut()[1].inference.arena[0] = &castnet_program::size::Size::symbol("N") * &16.into();
    let (x, y) = batch(2);
    let model = Model::from_net(net, &Device::cpu(), 1).unwrap();
    assert!(text(model.infer(LOSS, &[&x, &y])).contains("buffer `residual` ends beyond its place"));
    let mut net = regression(K as i64, O as i64);
    net.cpu_mut()[1].inference.buffers[3].place = Place::Arena(2.into());
    let model = Model::from_net(net, &Device::cpu(), 1).unwrap();
    assert!(text(model.infer(LOSS, &[&x, &y])).contains("buffer `residual` lies at byte 2, between elements"));
}

/// Notes what it is given.
#[derive(Default)]
struct Noting(State, std::sync::Mutex<Vec<usize>>);

impl Optimizer for Noting {
    fn name(&self) -> &'static str {
        "Noting"
    }
    fn rule(&self) -> Rule<'_> {
        Rule::Slices { states: &["seen"], f32: self, f64: None }
    }
    fn begin(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> &State {
        &self.0
    }
    fn state_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl UpdateSlices<f32> for Noting {
    fn update(&self, _: Factors, step: u64, parameter: &mut [f32], gradient: &[f32], states: &mut [&mut [f32]]) {
        let [seen] = states else { panic!("{} states", states.len()) };
        assert_eq!(step, 1);
        assert!(parameter.len() == gradient.len() && seen.len() == gradient.len());
        seen.iter_mut().for_each(|s| *s += 1.0);
        assert!(seen.iter().all(|s| *s == 1.0), "twice");
        self.1.lock().unwrap().push(gradient.len());
    }
}

#[test]
fn tiles_update_in_place_and_every_float_once() -> Result<()> {
    let (x, y) = batch(N);
    let mut calls = vec![];
    for guarded in [false, true] {
        let (mut model, mut noting) = (model(3), Noting::default());
        model.stop_on_nan(guarded);
        model.step(LOSS, &mut noting, &[&x, &y])?;
        calls.push(noting.1.into_inner().unwrap());
    }
    // Gradients in the arena: one piece for each parameter, padding included.
    assert_eq!(calls[1].iter().sum::<usize>(), 64 * K + 48);
    assert_eq!(calls[1].len(), 2);
    // In place: the weight tile by tile, the bias at the end.
    assert!(calls[0].len() > 2 && calls[0].contains(&48), "{:?}", calls[0]);
    assert!((O * K + 48..=64 * K + 48).contains(&calls[0].iter().sum()));
    Ok(())
}
