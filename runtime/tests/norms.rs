//! The norms against PyTorch in f64: three steps of training, the state after them, inference; attributes and initialisers.

use std::path::{Path, PathBuf};

use castnet_graph::builder::{Builder, Options, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::layers::{self, Layer, init};
use castnet_graph::ops;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{AdamW, Array, Device, Model, Optimizer, Sgd, set_threads};
use safetensors::tensor::SafeTensors;

fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

fn named(name: &str, value: Arg) -> Given {
    Given { name: Some((name.into(), Loc::default())), ..given(value) }
}

fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

fn op(b: &mut Builder, name: &str, x: &[Value]) -> Value {
    let args: Vec<Given> = x.iter().map(|v| given(Arg::Tensor(*v))).collect();
    match ops::call(b, name, Loc::default(), &args) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

fn layer(p: &mut Parameters, name: &str, kind: &str, args: &[Given], options: Options) -> Layer {
    let mut b = Builder::new("", p, false);
    layers::declare_with(&mut b, name, Loc::default(), kind, Loc::default(), args, options)
        .unwrap_or_else(|_| panic!("{:?}", b.diagnostics))
}

/// `result(x) = sin(norm(pre(x)))` and `loss(x)`, its mean.
fn net(shape: &[usize], pre: Layer, norm: Layer, mut p: Parameters) -> Model {
    let mut build = |training: bool, mean: bool| -> Graph {
        let mut b = Builder::new("Normed", &mut p, training);
        let mut sizes: Vec<Size> = shape.iter().map(|&s| Size::constant(s as i64)).collect();
        sizes[0] = Size::symbol("N");
        let x = b.argument("x", Type::new(DType::F32, sizes));
        let x = layers::apply(&mut b, &pre, Loc::default(), x).unwrap();
        let x = layers::apply(&mut b, &norm, Loc::default(), x).unwrap_or_else(|_| panic!("{:?}", b.diagnostics));
        let mut y = op(&mut b, "sin", &[x]);
        if mean {
            y = op(&mut b, "mean", &[y]);
        }
        b.result(y);
        b.graph
    };
    let result = SourceFunction::new("result", build(false, false), None);
    let loss = SourceFunction::new("loss", build(false, true), Some(build(true, true)));
    let compiled = compile(Source { name: "Normed".into(), parameters: p, functions: vec![result, loss] });
    Model::from_net(compiled.unwrap_or_else(|e| panic!("{e:?}")).net, &Device::cpu(), 3).unwrap()
}

const RESULT: usize = 0;
const LOSS: usize = 1;

fn normed(shape: &[usize], kind: &str, args: &[Given], pre: Options, own: Options) -> Model {
    let mut p = Parameters::default();
    let pre = match shape.len() {
        4 => layer(&mut p, "pre", "Conv2d", &[given(int(8)), named("kernel_size", int(1))], pre),
        _ => layer(&mut p, "pre", "Linear", &[given(int(8))], pre),
    };
    let norm = layer(&mut p, "norm", kind, args, own);
    net(shape, pre, norm, p)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/norms")
}

struct Golden(Vec<u8>);

impl Golden {
    fn get(&self, key: &str) -> Array {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(key).unwrap();
        let data = tensor.data();
        match tensor.dtype() {
            safetensors::Dtype::I64 => {
                let numbers = data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()));
                Array::from_vec(tensor.shape(), numbers.collect()).unwrap()
            }
            _ => {
                let numbers = data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
                Array::from_vec(tensor.shape(), numbers.collect()).unwrap()
            }
        }
    }
}

fn near(what: &str, found: &Array, expected: &Array, tolerance: f32) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    if expected.dtype() == DType::I64 {
        return assert_eq!(found, expected, "{what}");
    }
    let (found, expected) = (found.as_slice::<f32>().unwrap(), expected.as_slice::<f32>().unwrap());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: {a}, expected {b}");
    }
}

#[test]
fn training_and_inference_are_pytorchs() {
    let (image, sequence, rows) = (&[4, 3, 5, 4][..], &[4, 3, 5][..], &[6, 3][..]);
    let float = |name: &str, x: f64| named(name, Arg::Float(x));
    let flag = |name: &str, x: bool| named(name, Arg::Bool(x));
    let cases: Vec<(&str, &[usize], &str, Vec<Given>)> = vec![
        ("batch1d_rows", rows, "BatchNorm1d", vec![]),
        ("batch2d", image, "BatchNorm2d", vec![]),
        (
            "batch2d_plain",
            image,
            "BatchNorm2d",
            vec![flag("affine", false), float("momentum", 0.3), float("eps", 1e-3)],
        ),
        ("batch2d_untracked", image, "BatchNorm2d", vec![flag("track_running_stats", false)]),
        ("batch2d_offset", image, "BatchNorm2d", vec![]),
        ("instance2d", image, "InstanceNorm2d", vec![flag("affine", true)]),
        ("group", image, "GroupNorm", vec![given(int(2))]),
        ("group_rows", rows, "GroupNorm", vec![given(int(4))]),
        ("layer", sequence, "LayerNorm", vec![]),
        ("layer_offset", sequence, "LayerNorm", vec![]),
        ("layer_two", sequence, "LayerNorm", vec![given(Arg::List(vec![int(3), int(8)])), flag("bias", false)]),
        ("rms", sequence, "RMSNorm", vec![]),
    ];
    for (name, shape, kind, args) in cases {
        let golden = Golden(std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap());
        let mut bits = vec![];
        for threads in [1, 3] {
            set_threads(threads);
            let mut model = normed(shape, kind, &args, Options::default(), Options::default());
            model.load(folder().join(format!("{name}_state.safetensors"))).unwrap();
            // Where the mean is 100 times the deviation, two digits are gone before the norm begins.
            let tolerance = if name.ends_with("_offset") { 2e-3 } else { 2e-5 };
            let mut sgd = Sgd::new(0.1);
            let losses = (0..3).map(|i| {
                let x = golden.get(&format!("x.{i}"));
                model.step(LOSS, &mut sgd, &[&x]).unwrap().get().unwrap()
            });
            let losses = Array::from_vec(&[3], losses.collect()).unwrap();
            near(&format!("{name}: losses"), &losses, &golden.get("losses"), tolerance);
            let own: Vec<String> = model.parameters().map(|(n, _)| n.to_string()).collect();
            for parameter in own {
                let found = model.parameter(&parameter).unwrap();
                bits.push(found.clone());
                near(&format!("{name}: {parameter}"), &found, &golden.get(&format!("after.{parameter}")), tolerance);
            }
            for state in model.net().states.clone() {
                let found = model.state(&state.name).unwrap().unwrap();
                bits.push(found.clone());
                let expected = golden.get(&format!("after.{}", state.name));
                near(&format!("{name}: {}", state.name), &found, &expected, tolerance);
            }
            let result = model.infer(RESULT, &[&golden.get("x.0")]).unwrap();
            near(&format!("{name}: inference"), &result[0], &golden.get("result"), tolerance);
        }
        let half = bits.len() / 2;
        assert_eq!(bits[..half], bits[half..], "{name}: the bits depend on threads");
    }
}

/// Each parameter's change in a few steps.
fn changes(mut model: Model, optimizer: &mut dyn Optimizer) -> Vec<(String, Vec<f32>)> {
    let x = Array::from_vec(&[6, 3], (0..18).map(|i| (i as f32 * 0.7).sin()).collect()).unwrap();
    let names: Vec<String> = model.parameters().map(|(n, _)| n.to_string()).collect();
    let all = |model: &Model| -> Vec<Vec<f32>> {
        names.iter().map(|n| model.parameter(n).unwrap().as_slice::<f32>().unwrap().to_vec()).collect()
    };
    let before = all(&model);
    for _ in 0..2 {
        model.step(LOSS, optimizer, &[&x]).unwrap();
    }
    let after = all(&model);
    let change = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).map(|(a, b)| b - a).collect();
    names.iter().cloned().zip(before.iter().zip(&after).map(change)).collect()
}

#[test]
fn attributes_are_parameter_groups() {
    let options = |frozen: bool, lr_mult: f32, wd_mult: f32| Options { frozen, lr_mult, wd_mult };
    let make = |pre: Options, own: Options| normed(&[6, 3], "BatchNorm1d", &[], pre, own);
    let plain = Options::default();

    // Frozen: nothing moves, running statistics neither; what comes before still learns.
    let frozen = make(plain, options(true, 1.0, 1.0));
    let function = &frozen.net().cpu()[LOSS];
    assert_eq!(frozen.net().functions[LOSS].reaches, [0, 1]);
    assert!(!function.training.as_ref().unwrap().assigns_state());
    let moved = changes(frozen, &mut AdamW::new(0.1));
    assert!(moved[0].1.iter().any(|d| *d != 0.0));
    assert!(moved[2..].iter().all(|(_, d)| d.iter().all(|d| *d == 0.0)), "{moved:?}");

    // Factors of everything are another learning rate; of the decay, another decay.
    for clip in [false, true] {
        let sgd = |lr: f64, decay: f64| {
            let sgd = Sgd::new(lr).momentum(0.9).weight_decay(decay);
            if clip { sgd.clip_norm(1e-2) } else { sgd }
        };
        let factors = options(false, 0.5, 0.25);
        let with = changes(make(factors, factors), &mut sgd(0.1, 0.2));
        let without = changes(make(plain, plain), &mut sgd(0.05, 0.05));
        let decays = changes(make(plain, plain), &mut sgd(0.1, 0.2));
        assert_eq!(with, without);
        assert_ne!(with, decays);
    }
    let none = options(false, 1.0, 0.0);
    assert_eq!(
        changes(make(none, none), &mut AdamW::new(0.1).weight_decay(0.3)),
        changes(make(plain, plain), &mut AdamW::new(0.1).weight_decay(0.0))
    );
}

#[test]
fn first_values_are_asked_for() {
    let mut p = Parameters::default();
    let ask = |p: &mut Parameters, name: &str, args: &[Given]| {
        let mut b = Builder::new("", p, false);
        init::call(&mut b, name, Loc::default(), args).unwrap_or_else(|_| panic!("{:?}", b.diagnostics))
    };
    let kaiming = ask(&mut p, "kaiming_uniform", &[named("nonlinearity", Arg::Text("relu".into()))]);
    let constant = ask(&mut p, "constant", &[given(Arg::Float(0.25))]);
    let args = [given(int(8)), named("init", kaiming), named("bias_init", constant)];
    let pre = layer(&mut p, "pre", "Linear", &args, Options::default());
    let zeros = ask(&mut p, "zeros", &[]);
    let norm = layer(&mut p, "norm", "LayerNorm", &[named("init", zeros)], Options::default());
    let model = net(&[6, 3], pre, norm, p);
    let get = |name: &str| model.parameter(name).unwrap().as_slice::<f32>().unwrap().to_vec();
    assert_eq!(get("pre.bias"), [0.25; 8]);
    assert_eq!(get("norm.weight"), [0.0; 8]);
    // √2 · √(3 / 3 inputs).
    let (weight, bound) = (get("pre.weight"), 2f32.sqrt());
    assert!(weight.iter().all(|w| w.abs() <= bound) && weight.iter().any(|w| w.abs() > 0.6 * bound), "{weight:?}");

    let mut p = Parameters::default();
    let xavier = ask(&mut p, "xavier_normal", &[]);
    let mut b = Builder::new("", &mut p, false);
    let args = [named("init", xavier.clone())];
    let place = Loc::default();
    assert!(layers::declare(&mut b, "drop", place, "Dropout", place, &args).is_err());
    assert_eq!(b.diagnostics.pop().unwrap().code, "N0302");
    let one = layers::declare(&mut b, "norm", place, "LayerNorm", place, &args).unwrap();
    let x = b.argument("x", Type::new(DType::F32, vec![Size::symbol("N"), 8.into()]));
    assert!(layers::apply(&mut b, &one, place, x).is_err());
    assert_eq!(b.diagnostics.pop().unwrap().code, "N0306");
}

#[test]
fn two_optimizers_train_two_parts() {
    let mut p = Parameters::default();
    let plain = Options::default();
    let generator = layer(&mut p, "generator", "Linear", &[given(int(2))], plain);
    let critic = layer(&mut p, "critic", "Linear", &[given(int(1))], plain);
    let place = Loc::default();
    // What the critic says of what the generator makes of noise; the critic wants it low, the generator high. The second result is the image.
    let mut build = |sign: &str, training: bool| -> Graph {
        let mut b = Builder::new("Gan", &mut p, training);
        let noise = b.argument("noise", Type::new(DType::F32, vec![Size::symbol("N"), 3.into()]));
        let made = layers::apply(&mut b, &generator, place, noise).unwrap();
        let made = op(&mut b, "tanh", &[made]);
        let score = layers::apply(&mut b, &critic, place, made).unwrap();
        let score = op(&mut b, "mean", &[score]);
        let loss = if sign == "-" { op(&mut b, "neg", &[score]) } else { score };
        b.result(loss);
        b.result(made);
        b.graph
    };
    let mut function = |name: &str, sign: &str, trains: Vec<usize>| {
        let (inference, training) = (build(sign, false), Some(build(sign, true)));
        SourceFunction { trains: Some(trains), ..SourceFunction::new(name, inference, training) }
    };
    let functions = vec![function("generator", "-", vec![0, 1]), function("critic", "+", vec![2, 3])];
    let compiled = compile(Source { name: "Gan".into(), parameters: p, functions }).unwrap();
    assert_eq!(compiled.net.functions.iter().map(|f| f.reaches.clone()).collect::<Vec<_>>(), [[0, 1], [2, 3]]);
    let mut model = Model::from_net(compiled.net, &Device::cpu(), 5).unwrap();
    let noise = Array::from_vec(&[4, 3], (0..12).map(|i| (i as f32).cos()).collect()).unwrap();
    let (mut first, mut second) = (AdamW::new(0.01), Sgd::new(0.1).momentum(0.5));
    for round in 0..6 {
        let (function, own, other) = if round % 2 == 0 {
            (0, "generator.weight", "critic.weight")
        } else {
            (1, "critic.weight", "generator.weight")
        };
        let (own_before, other_before) = (model.parameter(own).unwrap(), model.parameter(other).unwrap());
        let (loss, rest) = match function {
            0 => model.step_with_results(0, &mut first, &[&noise]).unwrap(),
            _ => model.step_with_results(1, &mut second, &[&noise]).unwrap(),
        };
        assert_ne!(model.parameter(own).unwrap(), own_before);
        assert_eq!(model.parameter(other).unwrap(), other_before);
        let after = model.infer(function, &[&noise]).unwrap();
        assert!(after[0].item::<f32>().unwrap() < loss.get().unwrap(), "round {round}");
        assert_eq!((rest.len(), rest[0].shape(), after[1].shape()), (1, &[4, 2][..], &[4, 2][..]));
    }
}
