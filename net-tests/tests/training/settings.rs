//! Schedules and groups of parameters in training: against PyTorch, in checkpoints, mistakes.

use castnet::optimizer::{
    Cycle, CyclicLr, Factors, Group, Mode, OneCycleLr, ReduceLrOnPlateau, Rule, SequentialLr, StepLr, UpdateSlices,
};
use castnet::prelude::*;
use castnet::{Error, Result, optimizer};

use crate::small::{Small, check, golden, small, step, values};

fn sgd() -> Sgd {
    Sgd::new(0.05).momentum(0.9)
}

fn adamw() -> AdamW {
    AdamW::new(0.01).weight_decay(0.1)
}

/// By the name of the golden.
fn optimizer(run: &str) -> Box<dyn Optimizer> {
    match run {
        "one-cycle" => Box::new(sgd().schedule(OneCycleLr::new(20))),
        "one-cycle of adamw" => Box::new(adamw().schedule(OneCycleLr::new(20))),
        "groups" => {
            let grouped = adamw().group("*.bias", |g| g.weight_decay(0.0)).group("out.*", |g| g.lr(0.003));
            Box::new(grouped.schedule(StepLr::new(5).gamma(0.5)))
        }
        "groups by factors" => {
            let grouped = sgd().weight_decay(0.1).group("bn.????", |g| g.lr_mult(0.1));
            Box::new(grouped.group("*.weight", |g| g.wd_mult(2.0)))
        }
        _ => panic!("{run}"),
    }
}

#[test]
fn schedules_and_groups_train_as_pytorchs() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    for run in ["one-cycle", "one-cycle of adamw", "groups", "groups by factors"] {
        let (mut net, mut whole, expected) = (small(), optimizer(run), golden(run).remove("net").unwrap());
        (0..20).try_for_each(|number| step(&mut net, &mut whole, number).map(drop))?;
        check(run, &net, &expected);

        // The same to the bit in two halves.
        let (mut first, mut half) = (small(), optimizer(run));
        (0..10).try_for_each(|number| step(&mut first, &mut half, number).map(drop))?;
        first.save_training(&path, &*half, &Default::default())?;
        let (mut second, mut resumed) = (Small::new(&Device::cpu(), 9)?, optimizer(run));
        second.load_training(&path, &mut *resumed)?;
        (10..20).try_for_each(|number| step(&mut second, &mut resumed, number).map(drop))?;
        assert_eq!(values(&second), values(&net), "{run}");

        // By gradients at hand.
        let (mut applied, mut other) = (small(), optimizer(run));
        for number in 0..20 {
            let [x, class] = crate::small::batch(number);
            let (_, gradients) = applied.loss_grad(&x, &class)?;
            other.apply(&mut applied, &gradients)?;
        }
        check(run, &applied, &expected);
    }
    Ok(())
}

#[test]
fn a_plateau_is_resumed() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let make = |factor| Sgd::new(0.1).schedule(ReduceLrOnPlateau::new(Mode::Min).factor(factor).patience(1));
    let (mut net, mut first) = (small(), make(0.5));
    for metric in [1.0, 2.0, 2.0, 2.0] {
        step(&mut net, &mut first, 0)?;
        first.metric(metric)?;
    }
    assert_eq!(first.lr(), 0.05);
    net.save_training(&path, &first, &Default::default())?;

    let mut resumed = make(0.5);
    small().load_training(&path, &mut resumed)?;
    assert_eq!(resumed.lr(), 0.05);
    // One metric that was no better was counted before.
    [&mut first, &mut resumed].into_iter().try_for_each(|sgd| sgd.metric(3.0))?;
    assert_eq!((first.lr(), resumed.lr()), (0.025, 0.025));

    // Another one begins anew, if it may.
    let mut other = make(0.3);
    let error = small().load_training(&path, &mut other).unwrap_err().to_string();
    assert!(error.contains("schedule: ReduceLrOnPlateau { mode: Min, factor: 0.5, patience: 1"), "{error}");
    small().load_training_keeping_settings(&path, &mut other)?;
    assert_eq!((other.lr(), other.state().steps()), (0.1, 4));
    Ok(())
}

#[test]
fn settings_of_a_step_are_checked() {
    let refused = |optimizer: &mut dyn Optimizer| {
        let mut net = small();
        let before = values(&net);
        let error = step(&mut net, optimizer, 0).unwrap_err();
        assert_eq!(values(&net), before);
        assert_eq!(optimizer.state().steps(), 0);
        error.to_string()
    };
    let error = refused(&mut Sgd::new(0.1).schedule(StepLr::new(0)));
    assert_eq!(error, "StepLr: step_size = 0 is not at least 1");
    let error = refused(&mut Sgd::new(0.1).schedule(CyclicLr::new(0.1, 5).mode(Cycle::Triangular2)));
    assert!(error.contains("changes the momentum, and the optimizer has none: set its momentum, or say"), "{error}");
    let no_end = SequentialLr::new(Constant).then(3, Constant).then(2, Constant);
    let error = refused(&mut AdamW::new(0.1).schedule(no_end));
    assert_eq!(error, "SequentialLr: milestone = 2 is not above the one before it");

    let group = |of: fn(Group) -> Group| refused(&mut AdamW::new(0.1).group("*", of));
    assert_eq!(group(|g| g.lr(-1.0)), "AdamW: lr of a group = -1 is not a finite number of at least 0");
    assert_eq!(group(|g| g.lr_mult(f64::NAN)), "AdamW: lr_mult of a group = NaN is not a finite number of at least 0");
    let infinite = group(|g| g.weight_decay(f64::INFINITY));
    assert_eq!(infinite, "AdamW: weight_decay of a group = inf is not a finite number of at least 0");
    assert_eq!(group(|g| g.wd_mult(-0.5)), "AdamW: wd_mult of a group = -0.5 is not a finite number of at least 0");
}

#[test]
fn a_glob_without_a_match_is_answered_with_what_is_near() {
    let refused = |glob: &str| {
        let mut grouped = AdamW::new(0.1).group("*.bias", |g| g).group(glob, |g| g.lr(0.0));
        let error = step(&mut small(), &mut grouped, 0).unwrap_err();
        assert!(matches!(&error, Error::NoSuchParameters { glob: found, .. } if found == glob), "{error}");
        error.to_string()
    };
    let head = "AdamW: the group `*.bais` matches no parameter of Small; did you mean ";
    assert_eq!(refused("*.bais"), format!("{head}`hidden.bias`, `bn.bias`, `out.bias`?"));
    assert!(refused("hiden.w*").ends_with("; did you mean `hidden.weight`, `hidden.bias`?"));
    // A state is no parameter.
    assert_eq!(refused("bn.running_mean"), "AdamW: the group `bn.running_mean` matches no parameter of Small");
    assert_eq!(refused(""), "AdamW: the group `` matches no parameter of Small");
    assert!(refused("*.Bias").contains("did you mean `hidden.bias`"));
}

#[test]
fn groups_are_settings_of_a_checkpoint() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let make = |glob: &str, lr: f64| Sgd::new(0.1).group(glob, |g| g.lr(lr).wd_mult(2.0));
    let (mut net, mut first) = (small(), make("*.bias", 0.01));
    step(&mut net, &mut first, 0)?;
    net.save_training(&path, &first, &Default::default())?;
    small().load_training(&path, &mut make("*.bias", 0.01))?;
    for (mut other, expected) in [
        (
            make("*.bias", 0.02),
            "groups: *.bias: lr = 0.01, wd_mult = 2.0 in the file, *.bias: lr = 0.02, wd_mult = 2.0 here",
        ),
        (make("*", 0.01), "groups: *.bias: lr = 0.01, wd_mult = 2.0 in the file, *: lr = 0.01, wd_mult = 2.0 here"),
        (Sgd::new(0.1), "groups: *.bias: lr = 0.01, wd_mult = 2.0 in the file, not a setting here"),
    ] {
        let error = small().load_training(&path, &mut other).unwrap_err();
        let Error::OtherSettings { differences, .. } = &error else { panic!("{error}") };
        assert_eq!(differences, &[expected]);
        small().load_training_keeping_settings(&path, &mut other)?;
        assert_eq!(other.state().steps(), 1);
    }
    Ok(())
}

network! {
    block Inner(x: f64[N, D]) -> f64[N, D] {
        #[wd_mult(bias = 0)]
        fc: Linear(D);
        fc(x)
    }

    /// Factors of tensors, of layers and of what is around them.
    pub net Multiplied {
        const HALF: f32 = 0.5;
        #[lr_mult(weight = 0.25, bias = 2)]
        #[wd_mult = HALF]
        hidden: Linear(8, in_features = 4);
        #[lr_mult = 0.5]
        inner:  [Inner; 2];
        #[wd_mult(weight = 0.25, bias = HALF)]
        #[lr_mult(bias = 0)]
        out:    [Linear(8), ReLU(), Linear(3)];
        pub train fn loss(x: f64[N, 4], class: i64[N]) -> f64 { out(inner(hidden(x))).cross_entropy(class) }
    }
}

#[test]
fn attributes_multiply_single_tensors() -> Result<()> {
    let net = Multiplied::new(&Device::cpu(), 1)?;
    let factors = net.as_ref().net().parameters.iter().map(|p| (p.name.as_str(), p.lr_mult, p.wd_mult));
    let expected = [
        ("hidden.weight", 0.25, 0.5),
        ("hidden.bias", 2.0, 0.5),
        ("out.0.weight", 1.0, 0.25),
        ("out.0.bias", 0.0, 0.5),
        ("out.2.weight", 1.0, 0.25),
        ("out.2.bias", 0.0, 0.5),
        // Blocks are declared by their first call.
        ("inner.0.fc.weight", 0.5, 1.0),
        ("inner.0.fc.bias", 0.5, 0.0),
        ("inner.1.fc.weight", 0.5, 1.0),
        ("inner.1.fc.bias", 0.5, 0.0),
    ];
    assert_eq!(factors.collect::<Vec<_>>(), expected);
    Ok(())
}

/// A rule of one's own asks [`Factors`].
#[derive(Default)]
struct Plain(optimizer::State);

impl Optimizer for Plain {
    fn name(&self) -> &'static str {
        "Plain"
    }
    fn rule(&self) -> Rule<'_> {
        Rule::Slices { states: &[], f32: self, f64: Some(self) }
    }
    fn begin(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> &optimizer::State {
        &self.0
    }
    fn state_mut(&mut self) -> &mut optimizer::State {
        &mut self.0
    }
}

impl UpdateSlices<f32> for Plain {
    fn update(&self, _: Factors, _: u64, _: &mut [f32], _: &[f32], _: &mut [&mut [f32]]) {}
}

impl UpdateSlices<f64> for Plain {
    fn update(&self, factors: Factors, _: u64, parameter: &mut [f64], gradient: &[f64], _: &mut [&mut [f64]]) {
        let (lr, wd) = (factors.lr(0.1), factors.weight_decay(0.5));
        parameter.iter_mut().zip(gradient).for_each(|(p, g)| *p -= lr * (g + wd * *p));
    }
}

#[test]
fn a_rule_of_ones_own_has_schedule_and_groups() -> Result<()> {
    let (mut plain, mut net) = (Plain::default(), small());
    plain.state_mut().set_schedule(StepLr::new(2));
    plain.state_mut().add_group("out.*", Group::new().lr(0.3).weight_decay(0.0));
    let group = |sgd: Sgd| sgd.group("out.*", |g| g.lr(0.3).weight_decay(0.0)).schedule(StepLr::new(2));
    let (mut sgd, mut other) = (group(Sgd::new(0.1).weight_decay(0.5)), small());
    for number in 0..5 {
        step(&mut net, &mut plain, number)?;
        step(&mut other, &mut sgd, number)?;
    }
    check("a rule of one's own", &net, &values(&other));
    Ok(())
}
