//! The networks against what PyTorch computes (`tests/golden/make.py`): scores, loss, gradients, and what ten steps change.

mod nets;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use castnet::prelude::*;
use nets::{Example, LeNet, Mlp, Third};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// How far results and gradients may be from PyTorch's in f64: norm of the difference over the norm.
const GRADIENT: f64 = 1e-5;
/// The same for what ten steps change.
const CHANGE: f64 = 1e-3;
const STEPS: usize = 10;

struct Golden {
    tensors: HashMap<String, Array>,
}

impl Golden {
    fn read(name: &str) -> Golden {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.safetensors"));
        let bytes = fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(key, view)| (key.to_string(), array(&view)));
        Golden { tensors: tensors.collect() }
    }

    fn get(&self, key: &str) -> &Array {
        self.tensors.get(key).unwrap_or_else(|| panic!("no golden {key}"))
    }

    /// The tensors of one group, such as `grad`, by the rest of their keys.
    fn group(&self, group: &str) -> impl Iterator<Item = (&str, &Array)> {
        let prefix = format!("{group}.");
        self.tensors.iter().filter_map(move |(key, array)| Some((key.strip_prefix(&prefix)?, array)))
    }

    fn batch<N: Example>(&self) -> Vec<Array> {
        let parity = N::HAS_PARITY.then_some("input.parity");
        ["input.image", "input.class"].into_iter().chain(parity).map(|key| self.get(key).clone()).collect()
    }

    /// A net with PyTorch's first values, loaded from a file as PyTorch's `save_file(net.state_dict(), …)` writes it.
    fn net<N: Example>(&self) -> N {
        let parameters: Vec<_> = self.group("param").map(|(name, array)| (name, array, bytes(array))).collect();
        let views = parameters
            .iter()
            .map(|(name, array, bytes)| (*name, TensorView::new(Dtype::F32, array.shape().to_vec(), bytes).unwrap()));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), safetensors::serialize(views, None).unwrap()).unwrap();
        let mut net = N::create(0).unwrap();
        net.restore(file.path()).unwrap();
        let loaded = net.parameters();
        assert_eq!(loaded.len(), parameters.len());
        for (name, value) in loaded {
            assert_eq!(&value, self.get(&format!("param.{name}")), "{name}");
        }
        net
    }
}

fn array(view: &TensorView) -> Array {
    match view.dtype() {
        Dtype::F32 => {
            let floats = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            Array::from_vec(view.shape(), floats).unwrap()
        }
        Dtype::U8 => Array::from_slice(view.shape(), view.data()).unwrap(),
        other => panic!("a golden of {other:?}"),
    }
}

fn floats(array: &Array) -> &[f32] {
    array.as_slice().unwrap()
}

fn bytes(array: &Array) -> Vec<u8> {
    floats(array).iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The norm of the difference over the norm of what is expected.
fn distance(found: impl IntoIterator<Item = f64>, expected: &Array) -> f64 {
    let (mut difference, mut norm) = (0.0, 0.0);
    let mut found = found.into_iter();
    for &expected in floats(expected) {
        let expected = f64::from(expected);
        difference += (found.next().unwrap() - expected).powi(2);
        norm += expected * expected;
    }
    assert!(found.next().is_none());
    if difference == 0.0 { 0.0 } else { (difference / norm).sqrt() }
}

/// Collects what is too far away, so that one run shows it all.
#[derive(Default)]
struct Comparison {
    worst: HashMap<String, (f64, String)>,
    failures: Vec<String>,
}

impl Comparison {
    fn check(&mut self, group: &str, name: &str, found: &Array, expected: &Array, tolerance: f64) {
        assert_eq!(found.shape(), expected.shape(), "{group} {name}");
        self.note(group, name, distance(floats(found).iter().map(|&x| x.into()), expected), tolerance);
    }

    /// Of a change, which is worked out in f64, as it is small beside the values.
    fn check_change(&mut self, group: &str, name: &str, [before, after]: [&Array; 2], expected: &Array) {
        let pairs = floats(before).iter().zip(floats(after));
        let change = pairs.map(|(&before, &after)| f64::from(after) - f64::from(before));
        self.note(group, name, distance(change, expected), CHANGE);
    }

    fn note(&mut self, group: &str, name: &str, distance: f64, tolerance: f64) {
        let worst = self.worst.entry(group.to_string()).or_insert((-1.0, String::new()));
        if distance > worst.0 {
            *worst = (distance, name.to_string());
        }
        if distance.is_nan() || distance > tolerance {
            self.failures.push(format!("{group} {name} is off by {distance:.2e}, allowed {tolerance:.0e}"));
        }
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

fn forward_and_backward<N: Example>() {
    let golden = Golden::read(N::NAME);
    let (mut net, batch): (N, _) = (golden.net(), golden.batch::<N>());
    let mut all = Comparison::default();
    all.check("scores", "scores", &net.classify(&batch[0]).unwrap(), golden.get("scores"), GRADIENT);
    all.check("loss", "in inference", &net.evaluate(&batch).unwrap(), golden.get("loss"), GRADIENT);
    let (loss, gradients) = net.differentiate(&batch).unwrap();
    all.check("loss", "in training", &loss, golden.get("loss"), GRADIENT);
    let mut reached: Vec<&str> = gradients.names().collect();
    reached.sort_unstable();
    let mut expected: Vec<&str> = golden.group("grad").map(|(name, _)| name).collect();
    expected.sort_unstable();
    assert_eq!(reached, expected);
    for (name, expected) in golden.group("grad") {
        all.check("grad", name, &gradients.parameter(name).unwrap(), expected, GRADIENT);
    }
    all.finish(N::NAME);
}

/// Ten steps with a new optimizer, each as one program and, on a second model, as gradients that are then applied.
fn ten_steps<N: Example, O: Optimizer>(group: &str, optimizer: impl Fn() -> O) {
    let golden = Golden::read(N::NAME);
    let batch = golden.batch::<N>();
    let (mut fused, mut apart): (N, N) = (golden.net(), golden.net());
    let (mut first, mut second) = (optimizer(), optimizer());
    for step in 0..STEPS {
        let loss = fused.train(&mut first, &batch).unwrap().get().unwrap();
        let (same, gradients) = apart.differentiate(&batch).unwrap();
        assert_eq!(loss.to_bits(), same.item::<f32>().unwrap().to_bits(), "loss of step {step}");
        second.apply(&mut apart, &gradients).unwrap();
        assert_eq!(fused.bits(), apart.bits(), "{} {group} after step {step}", N::NAME);
    }
    let (mut all, mut compared) = (Comparison::default(), 0);
    for (name, expected) in golden.group(group) {
        let (before, after) = (golden.get(&format!("param.{name}")), fused.as_ref().parameter(name).unwrap());
        all.check_change(group, name, [before, &after], expected);
        compared += 1;
    }
    assert!(compared > 0, "no golden {group}");
    all.finish(N::NAME);
}

fn sgd() -> Sgd {
    Sgd::new(0.01).momentum(0.9).weight_decay(5e-4)
}

fn nesterov() -> Sgd {
    Sgd::new(0.01).momentum(0.9).nesterov(true)
}

fn adamw() -> AdamW {
    AdamW::new(1e-3).weight_decay(0.01)
}

fn clipped() -> AdamW {
    adamw().clip_norm(0.1)
}

#[test]
fn lenet_forward_and_backward() {
    forward_and_backward::<LeNet>();
}

#[test]
fn mlp_forward_and_backward() {
    forward_and_backward::<Mlp>();
}

#[test]
fn third_forward_and_backward() {
    forward_and_backward::<Third>();
    let golden = Golden::read("third");
    let net: Third = golden.net();
    let mut all = Comparison::default();
    all.check("parity", "parity", &net.oddness(golden.get("input.image")).unwrap(), golden.get("parity"), GRADIENT);
    all.finish("third");
}

#[test]
fn ten_steps_of_sgd() {
    ten_steps::<LeNet, _>("sgd", sgd);
    ten_steps::<Mlp, _>("sgd", sgd);
    ten_steps::<Third, _>("sgd", sgd);
}

#[test]
fn ten_steps_of_nesterov() {
    ten_steps::<Mlp, _>("nesterov", nesterov);
    ten_steps::<Third, _>("nesterov", nesterov);
}

#[test]
fn ten_steps_of_adamw() {
    ten_steps::<LeNet, _>("adamw", adamw);
    ten_steps::<Mlp, _>("adamw", adamw);
    ten_steps::<Third, _>("adamw", adamw);
}

#[test]
fn ten_steps_of_adamw_with_clipping() {
    ten_steps::<LeNet, _>("clipped", clipped);
    ten_steps::<Third, _>("clipped", clipped);
}
