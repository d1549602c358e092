//! Nets for the compiler's tests, written with the builder.
#![allow(dead_code, missing_docs)]

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::layers::{self, Layer};
use castnet_graph::loops::Rounds;
use castnet_graph::ops;
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};

pub fn size(text: &str) -> Size {
    text.parse().unwrap()
}

pub fn ty(dtype: DType, shape: &[&str]) -> Type {
    Type::new(dtype, shape.iter().map(|s| size(s)).collect::<Vec<_>>())
}

pub fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

pub fn named(name: &str, value: Arg) -> Given {
    Given { name: Some((name.into(), Loc::default())), value, at: Loc::default() }
}

pub fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

/// `name(x, args…)`, which must be right.
pub fn op(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    op_with(b, name, args, &[])
}

/// `name(x, args…, name = value…)`, which must be right.
pub fn op_with(b: &mut Builder, name: &str, args: Vec<Arg>, more: &[(&str, Arg)]) -> Value {
    let more = more.iter().map(|(name, value)| named(name, value.clone()));
    let args: Vec<Given> = args.into_iter().map(given).chain(more).collect();
    match ops::call(b, name, Loc::default(), &args) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

pub fn t(value: Value) -> Arg {
    Arg::Tensor(value)
}

pub fn apply(b: &mut Builder, layer: &Layer, x: Value) -> Value {
    layers::apply(b, layer, Loc::default(), x).unwrap_or_else(|_| panic!("{:?}", b.diagnostics))
}

pub fn layer(p: &mut Parameters, name: &str, kind: &str, args: Vec<Given>) -> Layer {
    let mut b = Builder::new("", p, false);
    let declared = layers::declare(&mut b, name, Loc::default(), kind, Loc::default(), &args);
    declared.unwrap_or_else(|_| panic!("{:?}", b.diagnostics))
}

/// A net of one `train fn`.
pub fn source(name: &str, mut p: Parameters, body: impl Fn(&mut Builder)) -> Source {
    let mut graph = |training: bool| -> Graph {
        let mut b = Builder::new(format!("{name}.loss"), &mut p, training);
        body(&mut b);
        b.graph
    };
    let (inference, training) = (graph(false), graph(true));
    let function = SourceFunction::new("loss", inference, Some(training));
    Source { name: name.into(), parameters: p, functions: vec![function] }
}

pub fn lenet() -> Source {
    let mut p = Parameters::default();
    let conv1 = layer(&mut p, "conv1", "Conv2d", vec![given(int(20)), named("kernel_size", int(5))]);
    let conv2 = layer(&mut p, "conv2", "Conv2d", vec![given(int(50)), named("kernel_size", int(5))]);
    let fc1 = layer(&mut p, "fc1", "Linear", vec![given(int(500))]);
    let fc2 = layer(&mut p, "fc2", "Linear", vec![given(int(10))]);
    source("LeNet", p, |b| {
        let image = b.argument("image", ty(DType::F32, &["N", "1", "28", "28"]));
        let digit = b.argument("digit", ty(DType::U8, &["N"]));
        let mut x = image;
        for conv in [&conv1, &conv2] {
            x = apply(b, conv, x);
            x = op(b, "tanh", vec![t(x)]);
            x = op(b, "max_pool2d", vec![t(x), int(2)]);
        }
        x = op(b, "flatten", vec![t(x), int(1)]);
        x = apply(b, &fc1, x);
        x = op(b, "tanh", vec![t(x)]);
        x = apply(b, &fc2, x);
        let loss = op(b, "cross_entropy", vec![t(x), t(digit)]);
        b.result(loss);
    })
}

pub fn mlp() -> Source {
    let mut p = Parameters::default();
    let fc1 = layer(&mut p, "fc1", "Linear", vec![given(int(512))]);
    let fc2 = layer(&mut p, "fc2", "Linear", vec![given(int(512))]);
    let fc3 = layer(&mut p, "fc3", "Linear", vec![given(int(10))]);
    source("Mlp", p, |b| {
        let image = b.argument("image", ty(DType::F32, &["N", "784"]));
        let digit = b.argument("digit", ty(DType::U8, &["N"]));
        let x = apply(b, &fc1, image);
        let x = op(b, "relu", vec![t(x)]);
        let x = apply(b, &fc2, x);
        let x = op(b, "relu", vec![t(x)]);
        let x = apply(b, &fc3, x);
        let loss = op(b, "cross_entropy", vec![t(x), t(digit)]);
        b.result(loss);
    })
}
/// Three convolutions with odd channels, an average pool, GELU, two heads in one loss.
pub fn third() -> Source {
    let mut p = Parameters::default();
    let conv1 =
        layer(&mut p, "conv1", "Conv2d", vec![given(int(7)), named("kernel_size", int(3)), named("padding", int(1))]);
    let conv2 = layer(
        &mut p,
        "conv2",
        "Conv2d",
        vec![given(int(33)), named("kernel_size", int(3)), named("stride", int(2)), named("padding", int(1))],
    );
    let conv3 = layer(&mut p, "conv3", "Conv2d", vec![given(int(50)), named("kernel_size", int(3))]);
    let digit = layer(&mut p, "digit", "Linear", vec![given(int(10))]);
    let parity = layer(&mut p, "parity", "Linear", vec![given(int(1))]);
    source("Third", p, |b| {
        let image = b.argument("image", ty(DType::F32, &["N", "1", "28", "28"]));
        let class = b.argument("class", ty(DType::U8, &["N"]));
        let odd = b.argument("odd", ty(DType::F32, &["N", "1"]));
        let x = apply(b, &conv1, image);
        let x = op(b, "gelu", vec![t(x)]);
        let x = apply(b, &conv2, x);
        let x = op(b, "gelu", vec![t(x)]);
        let x = op(b, "avg_pool2d", vec![t(x), int(2)]);
        let x = apply(b, &conv3, x);
        let x = op(b, "gelu", vec![t(x)]);
        let x = op(b, "flatten", vec![t(x), int(1)]);
        let scores = apply(b, &digit, x);
        let guess = apply(b, &parity, x);
        let a = op(b, "cross_entropy", vec![t(scores), t(class)]);
        let c = op(b, "mse_loss", vec![t(guess), t(odd)]);
        let c = op(b, "mul", vec![t(c), Arg::Float(0.5)]);
        let loss = op(b, "add", vec![t(a), t(c)]);
        b.result(loss);
    })
}

/// `count` times Linear(16) + tanh, then a mean square.
pub fn chain(count: i64) -> Source {
    chain_of(count, "tanh")
}

/// The same with another function.
pub fn chain_of(count: i64, function: &'static str) -> Source {
    let mut p = Parameters::default();
    let layers: Vec<_> =
        (0..count).map(|i| layer(&mut p, &format!("blocks.{i}"), "Linear", vec![given(int(16))])).collect();
    source("Chain", p, |b| {
        let x = b.argument("x", ty(DType::F32, &["N", "16"]));
        let target = b.argument("target", ty(DType::F32, &["N", "16"]));
        let y = b.repeat(&[x], &[], Rounds { count, parameters: 0..2, states: 0..0 }, |b, states, _| {
            let y = apply(b, &layers[0], states[0]);
            Ok(vec![op(b, function, vec![t(y)])])
        });
        let loss = op(b, "mse_loss", vec![t(y.unwrap()[0]), t(target)]);
        b.result(loss);
    })
}

/// Every net of these tests.
pub fn all() -> Vec<Source> {
    vec![mlp(), lenet(), third(), chain(3)]
}
