//! The networks against what PyTorch computes (`tests/golden/make.py`): results, loss, gradients, and what ten steps change.

mod nets;

use std::collections::HashMap;

use castnet::DType;
use castnet::prelude::*;
use nets::draw::{distance, sketch};
use nets::*;

/// How far something may be from PyTorch's in f64: norm of the difference over the norm.
struct Tolerance {
    result: f64,
    /// Also of what a training pass leaves in running statistics.
    gradient: f64,
    /// Of what ten steps change.
    change: f64,
}

fn tolerance<N: Example>() -> Tolerance {
    match N::FLOAT {
        DType::F64 => Tolerance { result: 1e-12, gradient: 1e-11, change: 1e-10 },
        _ => Tolerance { result: 1e-5, gradient: 1e-4, change: 1e-3 },
    }
}

const STEPS: usize = 10;
/// What has no gradient of its own is held against this share of the norm of all.
const SHARE: f64 = 1e-2;

/// Collects what is too far away, so that one run shows it all.
struct Comparison<'g> {
    golden: &'g Golden,
    worst: HashMap<String, (f64, String)>,
    failures: Vec<String>,
}

impl Comparison<'_> {
    fn of(golden: &Golden) -> Comparison<'_> {
        Comparison { golden, worst: HashMap::new(), failures: vec![] }
    }

    fn check(&mut self, group: &str, name: &str, found: &[f64], tolerance: f64) {
        let expected = self.golden.get(&format!("{group}.{name}"));
        let (difference, mut norm) = distance(found.len(), &sketch(found), expected);
        if self.golden.without_gradient.iter().any(|zero| zero == name) {
            norm = norm.max(SHARE * self.whole(group));
        }
        let distance = if difference == 0.0 { 0.0 } else { difference / norm };
        let worst = self.worst.entry(group.to_string()).or_insert((-1.0, String::new()));
        if distance > worst.0 {
            *worst = (distance, name.to_string());
        }
        if distance.is_nan() || distance > tolerance {
            self.failures.push(format!("{group} {name} is off by {distance:.2e}, allowed {tolerance:.0e}"));
        }
    }

    /// The norm of a whole group: a sketch begins with the norm; a small tensor has none, and counts with its elements.
    fn whole(&self, group: &str) -> f64 {
        let norm = |sketch: &[f64]| match sketch.len() {
            17 => sketch[0].powi(2),
            _ => sketch.iter().map(|x| x * x).sum(),
        };
        self.golden.group(group).map(|(_, sketch)| norm(sketch)).sum::<f64>().sqrt()
    }

    fn finish(self, net: &str) {
        let mut worst: Vec<_> = self.worst.into_iter().collect();
        worst.sort_by(|a, b| a.0.cmp(&b.0));
        for (group, (distance, name)) in worst {
            println!("{net}: {group:8} within {distance:.1e}, worst {name}");
        }
        assert!(self.failures.is_empty(), "{net}:\n{}", self.failures.join("\n"));
    }
}

fn forward_and_backward<N: Example>(name: &str) {
    let golden = Golden::read(name);
    let (mut net, batch): (N, _) = (golden.net(), golden.batch::<N>());
    let Tolerance { result: near, gradient: less_near, .. } = tolerance::<N>();
    let mut all = Comparison::of(&golden);
    let results = net.results(&batch).unwrap();
    assert_eq!(results.len(), golden.group("result").count());
    for (result, found) in results {
        all.check("result", result, &floats(&found), near);
    }
    all.check("loss", "inference", &floats(&net.evaluate(&batch).unwrap()), near);
    let (loss, gradients) = net.differentiate(&batch).unwrap();
    all.check("loss", "training", &floats(&loss), near);
    let mut reached: Vec<&str> = gradients.names().collect();
    reached.sort_unstable();
    let mut expected: Vec<&str> = golden.group("grad").map(|(name, _)| name).collect();
    expected.sort_unstable();
    assert_eq!(reached, expected);
    for name in expected {
        all.check("grad", name, &floats(&gradients.parameter(name).unwrap()), less_near);
    }
    for (name, _) in golden.group("state") {
        all.check("state", name, &floats(&value(&net, name)), less_near);
    }
    all.finish(name);
}

/// A parameter or a state.
fn value<N: Example>(net: &N, name: &str) -> Array {
    match net.as_ref().state(name) {
        Ok(state) => state.unwrap(),
        Err(_) => net.as_ref().parameter(name).unwrap(),
    }
}

/// Ten steps with a new optimizer, each as one program and, on a second model, as gradients that are then applied.
fn ten_steps<N: Example, O: Optimizer>(name: &str, group: &str, optimizer: impl Fn(&Golden) -> O) {
    let golden = Golden::read(name);
    let batch = golden.batch::<N>();
    let (mut fused, mut apart): (N, N) = (golden.net(), golden.net());
    let (mut first, mut second) = (optimizer(&golden), optimizer(&golden));
    for step in 0..STEPS {
        let loss = fused.train(&mut first, &batch).unwrap();
        let (same, gradients) = apart.differentiate(&batch).unwrap();
        assert_eq!(loss.to_bits(), floats(&same)[0].to_bits(), "loss of step {step}");
        second.apply(&mut apart, &gradients).unwrap();
        assert_eq!(fused.bits(), apart.bits(), "{name} {group} after step {step}");
    }
    let mut all = Comparison::of(&golden);
    let mut compared = 0;
    for (name, before) in golden.parameters() {
        if golden.group(group).any(|(found, _)| found == name) {
            // In f64, as a change is small beside the values.
            let (before, after) = (floats(&before), floats(&value(&fused, name)));
            let change: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
            all.check(group, name, &change, tolerance::<N>().change);
            compared += 1;
        }
    }
    assert!(compared > 0 && compared == golden.group(group).count(), "{compared} of golden {group}");
    all.finish(name);
}

fn sgd(golden: &Golden) -> Sgd {
    Sgd::new(0.01 * golden.rate).momentum(0.9).weight_decay(5e-4)
}

fn nesterov(golden: &Golden) -> Sgd {
    Sgd::new(0.01 * golden.rate).momentum(0.9).nesterov(true)
}

fn adamw(golden: &Golden) -> AdamW {
    AdamW::new(1e-3).weight_decay(0.01).eps(golden.eps)
}

fn clipped(golden: &Golden) -> AdamW {
    adamw(golden).clip_norm(0.1)
}

/// All that holds for every net.
fn agrees<N: Example>(golden: &str) {
    forward_and_backward::<N>(golden);
    ten_steps::<N, _>(golden, "sgd", sgd);
    ten_steps::<N, _>(golden, "adamw", adamw);
}

#[test]
fn lenet() {
    agrees::<LeNet>("lenet");
    agrees::<LeNetF64>("lenet");
    ten_steps::<LeNet, _>("lenet", "clipped", clipped);
}

#[test]
fn mlp() {
    agrees::<Mlp>("mlp");
    ten_steps::<Mlp, _>("mlp", "nesterov", nesterov);
}

#[test]
fn third() {
    agrees::<Third>("third");
    ten_steps::<Third, _>("third", "nesterov", nesterov);
    ten_steps::<Third, _>("third", "clipped", clipped);
}

#[test]
fn resnet20() {
    agrees::<ResNet20Small>("resnet20");
}

/// Thin, but as deep as published, with the published blocks: 3, 4, 6 and 3 bottlenecks.
#[test]
fn resnet50() {
    agrees::<ResNet50Thin>("resnet50");
}

/// Thin, but with the published table of inverted residuals.
#[test]
fn mobilenet() {
    agrees::<MobileNetV2Thin>("mobilenet");
}

#[test]
fn unet() {
    agrees::<UNet>("unet");
}

#[test]
fn gan() {
    agrees::<GanCritic>("gan_critic");
    agrees::<GanGenerator>("gan_generator");
}

#[test]
fn vit() {
    agrees::<ViT>("vit");
}

#[test]
fn diffusion() {
    agrees::<Diffusion>("diffusion");
}

/// One program for every number of tokens.
#[test]
fn gpt() {
    agrees::<GptSmall>("gpt");
    agrees::<GptSmallF64>("gpt");
    agrees::<GptSmall>("gpt_short");
}

#[test]
fn vae() {
    agrees::<Vae>("vae");
}

#[test]
fn lstm() {
    agrees::<LstmClassifier>("lstm");
    agrees::<LstmClassifierF64>("lstm");
}

#[test]
fn gru() {
    agrees::<GruClassifier>("gru");
}
