//! Gradients of several batches that become one update.

use castnet::optimizer::{Accumulate, StepLr};
use castnet::prelude::*;
use castnet::{Error, Result};

use crate::small::{Small, batch, check, golden, small, step, values};

/// By the name of the golden, with the number of batches.
fn optimizer(run: &str) -> (Box<dyn Optimizer>, usize) {
    let sgd = Sgd::new(0.05).momentum(0.9);
    match run {
        "mean of 4" => {
            let adamw = AdamW::new(0.01).weight_decay(0.1).schedule(StepLr::new(2).gamma(0.5));
            (Box::new(adamw.accumulate(Accumulate::Mean(4))), 24)
        }
        "sum of 3, clipped" => (Box::new(sgd.clip_norm(0.5).accumulate(Accumulate::Sum(3))), 18),
        "mean of 4, clipped" => (Box::new(sgd.clip_norm(0.2).accumulate(Accumulate::Mean(4))), 24),
        "clipped by value" => (Box::new(AdamW::new(0.01).weight_decay(0.1).clip_value(1.0 / 64.0)), 10),
        "mean of 4, clipped by value, then clipped" => {
            (Box::new(sgd.clip_value(1.0 / 32.0).clip_norm(0.125).accumulate(Accumulate::Mean(4))), 24)
        }
        _ => panic!("{run}"),
    }
}

const RUNS: [&str; 5] = [
    "mean of 4",
    "sum of 3, clipped",
    "mean of 4, clipped",
    "clipped by value",
    "mean of 4, clipped by value, then clipped",
];

#[test]
fn several_batches_make_pytorchs_update() -> Result<()> {
    for run in RUNS {
        for guarded in [false, true] {
            let (mut net, (mut optimizer, batches)) = (small(), optimizer(run));
            net.stop_on_nan(guarded);
            (0..batches).try_for_each(|number| step(&mut net, &mut optimizer, number).map(drop))?;
            check(run, &net, &golden(run)["net"]);
            let updates = if run == "clipped by value" { 10 } else { 6 };
            assert_eq!((optimizer.state().steps(), net.as_ref().steps()), (updates, batches as u64));
            assert!(optimizer.state().parameter_steps().iter().all(|&steps| steps == updates));
            assert!(!optimizer.flush(&mut net)?, "nothing is left");
        }
    }
    Ok(())
}

/// Stopped anywhere, before the first update too, a run goes on to the bit.
#[test]
fn what_is_added_up_is_in_a_checkpoint() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    for run in RUNS {
        let (mut whole, (mut first, batches)) = (small(), optimizer(run));
        (0..batches).try_for_each(|number| step(&mut whole, &mut first, number).map(drop))?;
        for stop in [1, 3, 4, 10] {
            let (mut net, (mut half, _)) = (small(), optimizer(run));
            (0..stop).try_for_each(|number| step(&mut net, &mut half, number).map(drop))?;
            net.save_training(&path, &*half, &Default::default())?;
            // The net alone is read from it too.
            Small::new(&Device::cpu(), 3)?.load(&path)?;
            let (mut net, (mut resumed, _)) = (Small::new(&Device::cpu(), 2)?, optimizer(run));
            net.load_training(&path, &mut *resumed)?;
            assert_eq!(resumed.state().accumulated(), half.state().accumulated());
            (stop..batches).try_for_each(|number| step(&mut net, &mut resumed, number).map(drop))?;
            assert_eq!(values(&net), values(&whole), "{run}, stopped after {stop}");
        }
    }

    // How it is added up is a setting.
    let (mut net, mut mean) = (small(), Sgd::new(0.1).accumulate(Accumulate::Mean(3)));
    step(&mut net, &mut mean, 0)?;
    net.save_training(&path, &mean, &Default::default())?;
    for (mut other, kept) in [(Sgd::new(0.1).accumulate(Accumulate::Sum(3)), 1), (Sgd::new(0.1), 0)] {
        let error = small().load_training(&path, &mut other).unwrap_err();
        let Error::OtherSettings { differences, .. } = &error else { panic!("{error}") };
        assert!(differences[0].starts_with("accumulate: Mean(3) in the file, "), "{error}");
        let mut net = small();
        net.load_training_keeping_settings(&path, &mut other)?;
        assert_eq!(other.state().accumulated(), kept);
        step(&mut net, &mut other, 1)?;
    }
    Ok(())
}

#[test]
fn the_rest_of_an_epoch_is_flushed() -> Result<()> {
    let (mut net, mut sgd) = (small(), Sgd::new(0.1).accumulate(Accumulate::Mean(4)));
    step(&mut net, &mut sgd, 0)?;
    step(&mut net, &mut sgd, 1)?;
    assert_eq!((sgd.state().accumulated(), sgd.state().steps()), (2, 0));
    assert!(sgd.flush(&mut net)?);
    assert_eq!((sgd.state().accumulated(), sgd.state().steps()), (0, 1));
    let (mut pair, mut two) = (small(), Sgd::new(0.1).accumulate(Accumulate::Mean(2)));
    step(&mut pair, &mut two, 0)?;
    step(&mut pair, &mut two, 1)?;
    assert_eq!(values(&net), values(&pair));

    // Another model's optimizer is refused, and one batch at a time is a step.
    step(&mut net, &mut sgd, 0)?;
    assert!(matches!(sgd.flush(&mut pair).unwrap_err(), Error::OptimizerInUse { .. }));
    assert_eq!(sgd.state().accumulated(), 1);
    let (mut net, mut one) = (small(), Sgd::new(0.1).accumulate(Accumulate::Mean(1)));
    let (mut plain, mut sgd) = (small(), Sgd::new(0.1));
    step(&mut net, &mut one, 0)?;
    step(&mut plain, &mut sgd, 0)?;
    assert_eq!(values(&net), values(&plain));
    let error = step(&mut small(), &mut Sgd::new(0.1).accumulate(Accumulate::Sum(0)), 0).unwrap_err();
    assert_eq!(error.to_string(), "Sgd: batches to accumulate = 0 is not at least 1");
    Ok(())
}

/// A batch that is not finite is not added: neither gradients nor statistics nor counts know of it.
#[test]
fn a_batch_that_is_not_finite_is_left_out() -> Result<()> {
    let make = || AdamW::new(0.01).clip_norm(0.1).accumulate(Accumulate::Mean(2));
    let (mut net, mut adamw, mut other, mut same) = (small(), make(), small(), make());
    net.stop_on_nan(true);
    for number in 0..4 {
        let [x, class] = batch(number);
        let nan = Array::from_vec(&[6, 4], vec![f64::NAN; 24])?;
        let before = (values(&net), adamw.state().accumulated());
        assert!(matches!(net.loss_step(&mut adamw, &nan, &class).unwrap_err(), Error::NotFinite { .. }));
        assert_eq!((values(&net), adamw.state().accumulated()), before);
        net.loss_step(&mut adamw, &x, &class)?;
        step(&mut other, &mut same, number)?;
    }
    assert_eq!(values(&net), values(&other));
    assert_eq!(adamw.state().steps(), 2);
    Ok(())
}

network! {
    /// Two parameters, reached apart.
    pub net Pair {
        param a: f32[1] = ones;
        param b: f32[1] = ones;
        pub train[a] fn first(s: f32) -> f32 { (a * s).sum() }
        pub train[b] fn second(s: f32) -> f32 { (b * s).sum() }
    }
}

/// An update takes what any batch since the last one has reached, and nothing else.
#[test]
fn functions_may_take_turns() -> Result<()> {
    let mut net = Pair::new(&Device::cpu(), 1)?;
    // Decay would show whom it touches.
    let mut sgd = Sgd::new(0.5).weight_decay(0.5).accumulate(Accumulate::Sum(2));
    let s = |value: f32| Array::scalar(value);
    let both = |net: &Pair| ["a", "b"].map(|name| net.parameter(name).unwrap().item::<f32>().unwrap());
    net.first_step(&mut sgd, &s(1.0))?;
    net.first_step(&mut sgd, &s(2.0))?;
    assert_eq!(both(&net), [1.0 - 0.5 * (3.0 + 0.5), 1.0]);
    net.set_parameter("a", &Array::from_vec(&[1], vec![1.0f32])?)?;
    net.second_step(&mut sgd, &s(1.0))?;
    net.first_step(&mut sgd, &s(2.0))?;
    assert_eq!(both(&net), [1.0 - 0.5 * (2.0 + 0.5), 1.0 - 0.5 * (1.0 + 0.5)]);
    assert_eq!(sgd.state().parameter_steps(), [2, 1]);
    Ok(())
}
