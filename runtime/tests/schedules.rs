//! Schedules against PyTorch's, step by step; settings out of range.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use castnet_runtime::optimizer::*;
use castnet_runtime::{Error, Sgd};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    schedules: BTreeMap<String, Rates>,
    plateaus: BTreeMap<String, Rates>,
}

#[derive(Deserialize)]
struct Rates {
    lr: Vec<f64>,
    #[serde(default)]
    momentum: Vec<f64>,
    /// `None` is NaN.
    #[serde(default)]
    metrics: Vec<Option<f64>>,
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/training.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What `tests/golden/training.py` calls by this name.
fn schedule(name: &str) -> Box<dyn Schedule> {
    match name {
        "constant" => Box::new(ConstantLr::new(0.25, 7)),
        "linear" => Box::new(LinearLr::new(0.1, 0.8, 9)),
        "polynomial" => Box::new(PolynomialLr::new(20)),
        "polynomial squared" => Box::new(PolynomialLr::new(30).power(2.0)),
        "step" => Box::new(StepLr::new(11).gamma(0.3)),
        "multi-step" => Box::new(MultiStepLr::new([5, 30, 12, 30]).gamma(0.5)),
        "exponential" => Box::new(ExponentialLr::new(0.93)),
        "cosine" => Box::new(Cosine::new(59).least(0.1)),
        "restarts" => Box::new(CosineAnnealingWarmRestarts::new(13).least(0.05)),
        "restarts doubled" => Box::new(CosineAnnealingWarmRestarts::new(5).t_mult(2)),
        "one-cycle" => Box::new(OneCycleLr::new(60)),
        "one-cycle linear" => {
            let cycle = OneCycleLr::new(60)
                .pct_start(0.21)
                .anneal_strategy(Anneal::Linear)
                .base_momentum(0.7)
                .max_momentum(0.99);
            Box::new(cycle.div_factor(10.0).final_div_factor(100.0))
        }
        "one-cycle in three" => Box::new(OneCycleLr::new(60).three_phase().cycle_momentum(false)),
        "triangular" => Box::new(CyclicLr::new(0.1, 7).step_size_down(4)),
        "triangular2" => Box::new(CyclicLr::new(0.1, 8).mode(Cycle::Triangular2).base_momentum(0.6).max_momentum(0.95)),
        "exp_range" => Box::new(CyclicLr::new(0.2, 6).mode(Cycle::ExpRange(0.97)).cycle_momentum(false)),
        "sequential" => {
            let first = SequentialLr::new(LinearLr::new(0.1, 1.0, 10));
            Box::new(first.then(10, StepLr::new(4).gamma(0.5)).then(30, ExponentialLr::new(0.9)))
        }
        "chained" => {
            let first = ChainedScheduler::new(ConstantLr::new(0.5, 6));
            Box::new(first.and(ExponentialLr::new(0.95)).and(MultiStepLr::new([20, 40]).gamma(0.3)))
        }
        _ => panic!("{name}"),
    }
}

fn plateau(name: &str) -> ReduceLrOnPlateau {
    match name {
        "plateau" => ReduceLrOnPlateau::new(Mode::Min).patience(3),
        "plateau with cooldown" => {
            let plateau = ReduceLrOnPlateau::new(Mode::Min).factor(0.5).patience(2);
            plateau.threshold(Threshold::Abs(0.02)).cooldown(4)
        }
        "plateau of the largest" => {
            let plateau = ReduceLrOnPlateau::new(Mode::Max).factor(0.6).patience(4);
            plateau.threshold(Threshold::Rel(0.1)).least(0.2)
        }
        _ => panic!("{name}"),
    }
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-13
}

#[test]
fn every_step_has_pytorchs_rate() {
    let golden = golden();
    assert_eq!(golden.schedules.len(), 18);
    for (name, rates) in golden.schedules {
        let schedule = schedule(&name);
        schedule.check().unwrap();
        assert_eq!((rates.lr.len(), rates.momentum.len()), (60, 60));
        for (step, (lr, momentum)) in rates.lr.into_iter().zip(rates.momentum).enumerate() {
            let found = schedule.factor(step as u64);
            assert!(close(found, lr), "{name}: {found} in step {step}, PyTorch has {lr}");
            let found = schedule.momentum(step as u64).unwrap_or(0.9);
            assert!(close(found, momentum), "{name}: momentum {found} in step {step}, PyTorch has {momentum}");
        }
    }
}

#[test]
fn a_plateau_is_left_as_pytorch_leaves_it() {
    let golden = golden();
    assert_eq!(golden.plateaus.len(), 3);
    for (name, rates) in golden.plateaus {
        let mut sgd = Sgd::new(1.0).schedule(plateau(&name));
        // Another one that takes over what the first one knows, after each metric.
        let mut next = plateau(&name);
        let mut falls = 0;
        for (step, (metric, lr)) in rates.metrics.into_iter().zip(rates.lr).enumerate() {
            let (metric, before) = (metric.unwrap_or(f64::NAN), sgd.lr());
            sgd.metric(metric).unwrap();
            assert!(close(sgd.lr(), lr), "{name}: {} after metric {step}, PyTorch has {lr}", sgd.lr());
            assert!(next.metric(0, metric));
            let state = next.state();
            next = plateau(&name);
            next.restore(&state);
            assert!(close(Schedule::factor(&next, 0), lr), "{name}, restored");
            falls += usize::from(sgd.lr() < before);
        }
        assert!(falls > 1, "{name}");
    }
}

#[test]
fn a_plateau_inside_of_another_schedule_is_told() {
    let plateau = || ReduceLrOnPlateau::new(Mode::Max).patience(0);
    let mut sequential = SequentialLr::new(LinearLr::new(0.5, 1.0, 4)).then(4, plateau());
    // Before its turn a metric is taken, and changes nothing.
    assert!(sequential.metric(0, 2.0) && sequential.metric(1, 1.0) && sequential.metric(4, 1.0));
    assert_eq!([0, 2, 4].map(|step| sequential.factor(step)), [0.5, 0.75, 1.0]);
    assert!(sequential.metric(5, 1.0));
    assert!(close(sequential.factor(6), 0.1));

    let mut warmed = Warmup::new(2).then(plateau());
    assert!(warmed.metric(0, 2.0) && warmed.metric(2, 1.0) && warmed.metric(3, 1.0));
    assert!(close(warmed.factor(3), 0.1));

    let chained = || ChainedScheduler::new(plateau()).and(ConstantLr::new(0.5, 100)).and(plateau());
    let mut told = chained();
    assert!(told.metric(0, 2.0) && told.metric(0, 1.0));
    assert!(close(told.factor(0), 0.005));
    let mut restored = chained();
    restored.restore(&told.state());
    assert_eq!((restored.factor(0), restored.state()), (told.factor(0), told.state()));
    assert!(!ChainedScheduler::new(Constant).metric(0, 1.0));

    let error = Sgd::new(0.1).schedule(Cosine::new(10)).metric(1.0).unwrap_err().to_string();
    let expected =
        "Sgd: its schedule, Cosine { steps: 10, warmup: 0, least: 0.0 }, asks for no metric; `ReduceLrOnPlateau` does";
    assert_eq!(error, expected);
}

#[test]
fn after_its_end_a_schedule_stays_where_it_is() {
    let cycle = OneCycleLr::new(10);
    assert_eq!((cycle.factor(1000), cycle.momentum(1000)), (cycle.factor(9), cycle.momentum(9)));
    assert_eq!(PolynomialLr::new(5).factor(u64::MAX), 0.0);
    assert_eq!(LinearLr::new(0.5, 0.75, 5).factor(u64::MAX), 0.75);
    assert_eq!(CosineAnnealingWarmRestarts::new(u64::MAX).t_mult(3).factor(0), 1.0);
    assert!(CosineAnnealingWarmRestarts::new(1).t_mult(2).factor(u64::MAX).is_finite());
    // Phases of no length.
    for cycle in [OneCycleLr::new(1), OneCycleLr::new(3).pct_start(0.0), OneCycleLr::new(3).pct_start(1.0)] {
        assert!((0..5).all(|step| (0.0..=1.0).contains(&cycle.factor(step))), "{cycle:?}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let cases: Vec<(Box<dyn Schedule>, &str)> = vec![
        (Box::new(ConstantLr::new(1.5, 3)), "ConstantLr: factor = 1.5 is not in [0, 1]"),
        (Box::new(LinearLr::new(0.0, 1.0, 3)), "LinearLr: start_factor = 0 is not in (0, 1]"),
        (Box::new(LinearLr::new(0.1, 2.0, 3)), "LinearLr: end_factor = 2 is not in [0, 1]"),
        (Box::new(LinearLr::new(0.1, 1.0, 0)), "LinearLr: total_iters = 0 is not at least 1"),
        (Box::new(PolynomialLr::new(0)), "PolynomialLr: total_iters = 0 is not at least 1"),
        (Box::new(PolynomialLr::new(3).power(-1.0)), "PolynomialLr: power = -1 is not a finite number of at least 0"),
        (Box::new(ExponentialLr::new(f64::NAN)), "ExponentialLr: gamma = NaN is not a finite number of at least 0"),
        (Box::new(StepLr::new(0)), "StepLr: step_size = 0 is not at least 1"),
        (Box::new(StepLr::new(2).gamma(-0.1)), "StepLr: gamma = -0.1 is not a finite number of at least 0"),
        (Box::new(MultiStepLr::new([3]).gamma(-1.0)), "MultiStepLr: gamma = -1 is not a finite number of at least 0"),
        (Box::new(Cosine::new(4).least(-0.5)), "Cosine: least = -0.5 is not a finite number of at least 0"),
        (Box::new(CosineAnnealingWarmRestarts::new(0)), "CosineAnnealingWarmRestarts: t_0 = 0 is not at least 1"),
        (
            Box::new(CosineAnnealingWarmRestarts::new(3).t_mult(0)),
            "CosineAnnealingWarmRestarts: t_mult = 0 is not at least 1",
        ),
        (Box::new(OneCycleLr::new(0)), "OneCycleLr: total_steps = 0 is not at least 1"),
        (Box::new(OneCycleLr::new(9).pct_start(1.1)), "OneCycleLr: pct_start = 1.1 is not in [0, 1]"),
        (Box::new(OneCycleLr::new(9).max_momentum(1.0)), "OneCycleLr: max_momentum = 1 is not in [0, 1)"),
        (Box::new(OneCycleLr::new(9).div_factor(0.0)), "OneCycleLr: div_factor = 0 is not a finite number above 0"),
        (
            Box::new(OneCycleLr::new(9).final_div_factor(f64::INFINITY)),
            "OneCycleLr: final_div_factor = inf is not a finite number above 0",
        ),
        (Box::new(CyclicLr::new(0.1, 0)), "CyclicLr: step_size_up = 0 is not at least 1"),
        (Box::new(CyclicLr::new(0.1, 2).step_size_down(0)), "CyclicLr: step_size_down = 0 is not at least 1"),
        (Box::new(CyclicLr::new(1.1, 2)), "CyclicLr: least = 1.1 is not in [0, 1]"),
        (Box::new(CyclicLr::new(0.1, 2).base_momentum(-0.1)), "CyclicLr: base_momentum = -0.1 is not in [0, 1)"),
        (Box::new(CyclicLr::new(0.1, 2).mode(Cycle::ExpRange(1.2))), "CyclicLr: gamma = 1.2 is not in [0, 1]"),
        (Box::new(ReduceLrOnPlateau::new(Mode::Min).factor(1.0)), "ReduceLrOnPlateau: factor = 1 is not in [0, 1)"),
        (
            Box::new(ReduceLrOnPlateau::new(Mode::Min).threshold(Threshold::Rel(-1.0))),
            "ReduceLrOnPlateau: threshold = -1 is not a finite number of at least 0",
        ),
        (Box::new(ReduceLrOnPlateau::new(Mode::Min).least(1.5)), "ReduceLrOnPlateau: least = 1.5 is not in [0, 1]"),
        (
            Box::new(SequentialLr::new(Constant).then(7, Constant).then(7, Constant)),
            "SequentialLr: milestone = 7 is not above the one before it",
        ),
        (Box::new(SequentialLr::new(Constant).then(7, StepLr::new(0))), "StepLr: step_size = 0 is not at least 1"),
        (Box::new(ChainedScheduler::new(StepLr::new(0))), "StepLr: step_size = 0 is not at least 1"),
        (Box::new(Warmup::new(3).then(StepLr::new(0))), "StepLr: step_size = 0 is not at least 1"),
    ];
    for (schedule, expected) in cases {
        let error = schedule.check().unwrap_err();
        assert!(matches!(error, Error::Setting { .. }) && error.to_string() == expected, "{error}");
        // What is wrong makes no panic.
        let _ = [0, 1, 7, u64::MAX].map(|step| (schedule.factor(step), schedule.momentum(step)));
    }
}
