//! Every layer against central differences.

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::graph::Value;
use castnet_graph::layers::{self, LAYERS};
use castnet_graph::net::Init;

use crate::common::*;
use crate::{compare, list, numbers};

#[test]
fn every_layer_has_the_gradient_of_central_differences() {
    let mut seen = vec![];
    let declarations: Vec<(&str, Vec<Given>, &[i64])> = vec![
        ("Linear", vec![given(int(4))], &[3, 5]),
        ("Linear", vec![given(int(4)), named("bias", Arg::Bool(false))], &[2, 3, 5]),
        ("Conv2d", vec![given(int(4)), named("kernel_size", int(3))], &[2, 3, 6, 5]),
        ("Conv2d", vec![given(int(3)), given(int(2)), given(int(3)), given(int(2)), given(int(1))], &[2, 3, 6, 5]),
        ("Conv2d", vec![given(int(6)), named("kernel_size", int(3)), named("groups", int(3))], &[2, 3, 6, 5]),
        (
            "Conv2d",
            vec![given(int(2)), named("kernel_size", int(2)), named("padding", Arg::Text("same".into()))],
            &[1, 3, 4, 5],
        ),
        ("Conv1d", vec![given(int(4)), named("kernel_size", int(3)), named("stride", int(2))], &[2, 3, 8]),
        ("ConvTranspose1d", vec![given(int(4)), named("kernel_size", int(3)), named("stride", int(2))], &[2, 3, 5]),
        (
            "ConvTranspose2d",
            vec![
                given(int(6)),
                given(int(4)),
                given(int(2)),
                given(int(2)),
                named("groups", int(2)),
                named("bias", Arg::Bool(false)),
            ],
            &[1, 6, 3, 4],
        ),
        ("LSTM", vec![given(int(3))], &[3, 2, 4]),
        ("LSTM", vec![given(int(2)), named("num_layers", int(2)), named("dropout", Arg::Float(0.3))], &[3, 2, 2]),
        ("GRU", vec![given(int(3)), named("bidirectional", Arg::Bool(true))], &[3, 2, 4]),
        (
            "GRU",
            vec![given(int(2)), named("bias", Arg::Bool(false)), named("batch_first", Arg::Bool(true))],
            &[2, 3, 2],
        ),
        ("RNN", vec![given(int(3)), named("num_layers", int(2))], &[3, 2, 4]),
        ("Dropout", vec![given(Arg::Float(0.3))], &[3, 5]),
        ("BatchNorm1d", vec![], &[5, 3]),
        ("BatchNorm1d", vec![], &[3, 2, 4]),
        ("BatchNorm2d", vec![], &[2, 3, 2, 2]),
        ("BatchNorm2d", vec![named("affine", Arg::Bool(false)), named("momentum", Arg::Float(0.3))], &[2, 3, 2, 2]),
        ("InstanceNorm1d", vec![given(int(3)), named("affine", Arg::Bool(true))], &[2, 3, 5]),
        ("InstanceNorm2d", vec![], &[2, 3, 2, 3]),
        ("InstanceNorm2d", vec![named("affine", Arg::Bool(true))], &[2, 3, 2, 3]),
        ("LayerNorm", vec![], &[3, 2, 5]),
        ("LayerNorm", vec![named("normalized_shape", list(&[2, 5])), named("bias", Arg::Bool(false))], &[3, 2, 5]),
        ("RMSNorm", vec![], &[3, 5]),
        ("GroupNorm", vec![given(int(2))], &[2, 4, 2, 2]),
        ("Embedding", vec![given(int(7)), given(int(3))], &[2, 5]),
        ("Embedding", vec![given(int(7)), given(int(3)), named("padding_idx", int(-2))], &[2, 5]),
        ("MaxPool1d", vec![given(int(2))], &[2, 3, 8]),
        ("MaxPool2d", vec![given(int(2)), named("ceil_mode", Arg::Bool(true))], &[2, 3, 5, 6]),
        ("AvgPool1d", vec![given(int(2))], &[2, 3, 8]),
        ("AvgPool2d", vec![given(int(3)), named("padding", int(1))], &[2, 3, 5, 6]),
        ("AdaptiveAvgPool1d", vec![given(int(2))], &[2, 3, 5]),
        ("AdaptiveAvgPool2d", vec![given(int(1))], &[2, 3, 5, 6]),
        ("AdaptiveMaxPool2d", vec![given(int(2))], &[2, 3, 4, 6]),
        ("Upsample", vec![named("scale_factor", int(2))], &[1, 2, 3, 2]),
        ("PixelShuffle", vec![given(int(2))], &[1, 4, 3, 2]),
        ("PixelUnshuffle", vec![given(int(2))], &[1, 2, 4, 2]),
        ("Flatten", vec![], &[2, 3, 4]),
        ("Identity", vec![], &[2, 3]),
        ("ReLU", vec![], &[3, 5]),
        ("LeakyReLU", vec![given(Arg::Float(0.2))], &[3, 5]),
        ("GELU", vec![], &[3, 5]),
        ("SiLU", vec![], &[3, 5]),
        ("Softplus", vec![given(int(2))], &[3, 5]),
        ("ELU", vec![given(Arg::Float(0.7))], &[3, 5]),
        ("ReLU6", vec![], &[3, 5]),
        ("Mish", vec![], &[3, 5]),
        ("Hardswish", vec![], &[3, 5]),
        ("Softmax", vec![given(int(-1))], &[3, 5]),
        ("Dropout2d", vec![given(Arg::Float(0.4))], &[2, 3, 2, 2]),
        ("Tanh", vec![], &[3, 5]),
        ("Sigmoid", vec![], &[3, 5]),
    ];
    for (kind, args, input) in declarations {
        seen.push(kind);
        let mut p = Parameters::default();
        let declared = layer(&mut p, "layer", kind, args);
        let number = p.list.len();
        p.list.push(Declared { shape: Some((input.to_vec(), Init::Constant(0.0))), ..Declared::new("x") });
        let mut b = Builder::new(kind, &mut p, true);
        let x = match kind {
            "Embedding" => numbers(&mut b, input, &[1, 2], 5),
            _ => b.parameter(number),
        };
        let results = match layers::call(&mut b, &declared, Default::default(), &[given(t(x))]).unwrap() {
            Arg::List(results) => flat(results),
            one => vec![one],
        };
        let sum = |y: Arg| {
            let bent = op(&mut b, "sin", vec![y]);
            op(&mut b, "sum", vec![t(bent)])
        };
        let sums: Vec<Value> = results.into_iter().map(sum).collect();
        let loss = sums.into_iter().reduce(|x, y| op(&mut b, "add", vec![t(x), t(y)])).unwrap();
        b.result(loss);
        let graph = b.graph;
        let shapes: Vec<Vec<i64>> = p.list.iter().map(|d| d.shape.clone().unwrap().0).collect();
        compare(kind, 7, &graph, &shapes, (-1.0, 1.0));
    }
    for kind in LAYERS {
        assert!(seen.contains(&kind.name), "layer {} has no case", kind.name);
    }
}

/// What a layer gives, `(y, (h, c))`, one after the other.
fn flat(results: Vec<Arg>) -> Vec<Arg> {
    let parts = |arg: Arg| if let Arg::List(parts) = arg { parts } else { vec![arg] };
    results.into_iter().flat_map(parts).collect()
}

/// First states, and lengths that are made of numbers: from 1 to the number of steps.
#[test]
fn recurrent_layers_with_lengths_have_the_gradient_of_central_differences() {
    for kind in ["LSTM", "GRU"] {
        let mut p = Parameters::default();
        let both = [given(int(2)), named("bidirectional", Arg::Bool(true))];
        let declared = layer(&mut p, "layer", kind, both.into());
        let first = p.list.len();
        for (name, shape) in [("x", vec![3, 4, 2]), ("h0", vec![2, 4, 2])] {
            p.list.push(Declared { shape: Some((shape, Init::Constant(0.0))), ..Declared::new(name) });
        }
        let mut b = Builder::new(kind, &mut p, true);
        let lengths = numbers(&mut b, &[4], &[1], 3);
        let lengths = op(&mut b, "add", vec![t(lengths), int(1)]);
        let (x, h0) = (b.parameter(first), b.parameter(first + 1));
        let hx = if kind == "LSTM" { Arg::List(vec![t(h0), t(h0)]) } else { t(h0) };
        let call = [given(t(x)), given(hx), named("lengths", t(lengths))];
        let Ok(Arg::List(results)) = layers::call(&mut b, &declared, Default::default(), &call) else {
            panic!("{kind}: {:?}", b.diagnostics)
        };
        let sums: Vec<Value> = flat(results)
            .into_iter()
            .map(|y| {
                let bent = op(&mut b, "sin", vec![y]);
                op(&mut b, "sum", vec![t(bent)])
            })
            .collect();
        let loss = sums.into_iter().reduce(|x, y| op(&mut b, "mul", vec![t(x), t(y)])).unwrap();
        b.result(loss);
        let graph = b.graph;
        let shapes: Vec<Vec<i64>> = p.list.iter().map(|d| d.shape.clone().unwrap().0).collect();
        compare(kind, 17, &graph, &shapes, (-1.0, 1.0));
    }
}
