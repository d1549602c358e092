//! A net whose loss is made of a gradient.

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::Value;
use castnet_graph::layers::{self, Layer};
use castnet_graph::ops;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};

fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

fn int(value: i64) -> Arg {
    Arg::Size(value.into())
}

/// The critic of a WGAN-GP (Gulrajani et al., 2017): what it says about images, and how far its slope at images between two sets is from 1.
pub fn gradient_penalty() -> Source {
    let mut p = Parameters::default();
    let mut b = Builder::new("", &mut p, true);
    let mut layer = |name: &str, kind: &str, args: &[(&str, i64)]| -> Layer {
        let given: Vec<Given> =
            args.iter().map(|(n, v)| Given { name: Some(((*n).into(), Loc::default())), ..given(int(*v)) }).collect();
        layers::declare(&mut b, name, Loc::default(), kind, Loc::default(), &given).unwrap()
    };
    let conv1 = layer("conv1", "Conv2d", &[("out_channels", 5), ("kernel_size", 3), ("stride", 2), ("padding", 1)]);
    let conv2 = layer("conv2", "Conv2d", &[("out_channels", 7), ("kernel_size", 3)]);
    let (fc1, fc2) = (layer("fc1", "Linear", &[("out_features", 9)]), layer("fc2", "Linear", &[("out_features", 1)]));
    let mut graph = |training: bool| {
        let mut b = Builder::new("Critic.loss", &mut p, training);
        let shape = vec![Size::symbol("N"), 2.into(), 9.into(), 8.into()];
        let images = b.argument("between", Type::new(DType::F32, shape));
        let (b, at) = (&mut b, Loc::default());
        fn op(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
            let args: Vec<Given> = args.into_iter().map(given).collect();
            match ops::call(b, name, Loc::default(), &args) {
                Ok(Arg::Tensor(value)) => value,
                other => panic!("{name}: {other:?} {:?}", b.diagnostics),
            }
        }
        let apply = |b: &mut Builder, layer: &Layer, x: Value| layers::apply(b, layer, at, x).unwrap();
        let tensor = Arg::Tensor;
        let x = apply(b, &conv1, images);
        let x = op(b, "leaky_relu", vec![tensor(x), Arg::Float(0.2)]);
        let x = apply(b, &conv2, x);
        let x = op(b, "tanh", vec![tensor(x)]);
        let x = op(b, "avg_pool2d", vec![tensor(x), int(2), int(1)]);
        let x = op(b, "flatten", vec![tensor(x), int(1)]);
        let x = apply(b, &fc1, x);
        let x = op(b, "silu", vec![tensor(x)]);
        let scores = apply(b, &fc2, x);
        let total = op(b, "sum", vec![tensor(scores)]);
        let slope = b.grad(total, &[images]).unwrap()[0];
        let square = op(b, "mul", vec![tensor(slope), tensor(slope)]);
        let axes = Arg::List([1, 2, 3].map(int).to_vec());
        let square = op(b, "sum", vec![tensor(square), axes]);
        let norm = op(b, "sqrt", vec![tensor(square)]);
        let off = op(b, "sub", vec![tensor(norm), Arg::Float(1.0)]);
        let off = op(b, "mul", vec![tensor(off), tensor(off)]);
        let penalty = op(b, "mean", vec![tensor(off)]);
        let penalty = op(b, "mul", vec![tensor(penalty), Arg::Float(10.0)]);
        let said = op(b, "mean", vec![tensor(scores)]);
        let loss = op(b, "add", vec![tensor(said), tensor(penalty)]);
        b.result(loss);
        std::mem::take(&mut b.graph)
    };
    let (inference, training) = (graph(false), graph(true));
    let function = SourceFunction::new("loss", inference, Some(training));
    Source { name: "Critic".into(), parameters: p, functions: vec![function] }
}
