//! Convolutions and pools over images whose size is known when the program runs, against the f64 reference.

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::decompose::EVERYTHING;
use castnet_graph::diagnostic::Loc;
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Role, Value};
use castnet_graph::reference::{Inputs, Tensor, evaluate};
use castnet_graph::{layers, ops};
use castnet_kernels::random::uniform;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model};

fn arguments(positional: &[i64], named: &[(&str, Arg)]) -> Vec<Given> {
    let given =
        |name: Option<&str>, value| Given { name: name.map(|n| (n.into(), Loc::default())), value, at: Loc::default() };
    let first = positional.iter().map(|&v| given(None, Arg::Size(v.into())));
    first.chain(named.iter().map(|(name, value)| given(Some(name), value.clone()))).collect()
}

fn int(v: i64) -> Arg {
    Arg::Size(v.into())
}

/// Applies layers one after the other, with a sigmoid between them, and sums squares: a training graph.
fn network(input: &[&str], kinds: &[(&str, Vec<Given>)]) -> (Graph, Parameters) {
    let mut p = Parameters::default();
    let declared: Vec<_> = {
        let mut b = Builder::new("declarations", &mut p, true);
        let declare = |(i, (kind, given)): (usize, &(&str, Vec<Given>))| {
            let layer = layers::declare(&mut b, &format!("layer{i}"), Loc::default(), kind, Loc::default(), given);
            layer.unwrap_or_else(|_| panic!("{kind}: {:?}", b.diagnostics))
        };
        kinds.iter().enumerate().map(declare).collect()
    };
    let mut b = Builder::new("Net.loss", &mut p, true);
    let shape: Vec<Size> = input.iter().map(|s| s.parse().unwrap()).collect();
    let mut x = b.argument("x", Type::new(DType::F32, shape));
    let call = |b: &mut Builder, name: &str, x: Value| {
        let given = Given { name: None, value: Arg::Tensor(x), at: Loc::default() };
        match ops::call(b, name, Loc::default(), &[given]) {
            Ok(Arg::Tensor(y)) => y,
            _ => panic!("{name}: {:?}", b.diagnostics),
        }
    };
    for layer in &declared {
        let y = layers::apply(&mut b, layer, Loc::default(), x);
        x = y.unwrap_or_else(|_| panic!("{}: {:?}", layer.kind.name, b.diagnostics));
        x = call(&mut b, "sigmoid", x);
    }
    let squares = call(&mut b, "square", x);
    let loss = call(&mut b, "mean", squares);
    b.result(loss);
    (b.graph, p)
}

fn distance(expected: &Tensor, found: &[f32]) -> f64 {
    let expected = expected.floats();
    let difference: f64 = expected.iter().zip(found).map(|(a, &b)| (a - f64::from(b)).powi(2)).sum();
    let norm: f64 = expected.iter().map(|x| x * x).sum();
    (difference / norm).sqrt()
}

/// Loss and gradients at these values of the sizes `N, H, W`; the net is refused at `small`.
fn check(input: &[&str], kinds: &[(&str, Vec<Given>)], values: &[[i64; 3]], small: [i64; 3]) {
    let (graph, parameters) = network(input, kinds);
    let reference = gradients(graph.clone(), &|_| true, EVERYTHING).unwrap();
    let function = SourceFunction::new("loss", graph.clone(), Some(graph));
    let compiled = compile(Source { name: "Net".into(), parameters, functions: vec![function] });
    let compiled = compiled.unwrap_or_else(|e| panic!("{e:?}"));
    let mut model = Model::from_net(compiled.net, &Device::cpu(), 3).unwrap();
    model.poison(true);
    let names: Vec<String> = model.parameters().map(|(name, _)| name.to_string()).collect();
    let tensor = |array: &Array| {
        let data = array.as_slice::<f32>().unwrap().iter().map(|x| f64::from(*x)).collect();
        Tensor::new(array.shape().to_vec(), data)
    };
    let weights: Vec<Tensor> = names.iter().map(|name| tensor(&model.parameter(name).unwrap())).collect();
    let image = |sizes: &dyn Fn(&str) -> i64| {
        let shape: Vec<usize> = reference.arguments[0].ty.shape.iter().map(|s| s.eval(sizes) as usize).collect();
        let len: usize = shape.iter().product();
        Array::from_vec(&shape, (0..len as u64).map(|i| uniform(7, 0, i) - 0.5).collect()).unwrap()
    };
    for value in values {
        let sizes = |name: &str| value["NHW".find(name).unwrap()];
        let x = image(&sizes);
        let given = [tensor(&x)];
        let inputs = Inputs {
            arguments: &given,
            parameters: &weights,
            states: &[],
            rounded: false,
            sizes: &sizes,
            random: &|_, _| 0.5,
        };
        let expected = evaluate(&reference, &inputs);
        let (loss, gradients) = model.grad(0, &[&x]).unwrap();
        for (output, expected) in reference.outputs.iter().zip(&expected) {
            let (what, found) = match output.role {
                Role::Gradient(number) => (&names[number][..], gradients.parameter(&names[number]).unwrap()),
                _ => ("the loss", loss[0].clone()),
            };
            let off = distance(expected, found.as_slice().unwrap());
            assert!(off < 2e-5, "{value:?}: {what} is off by {off:.1e}");
        }
    }
    let x = image(&|name| small["NHW".find(name).unwrap()]);
    let error = model.grad(0, &[&x]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains(">="), "{error}");
}

#[test]
fn a_length_of_run_time() {
    let conv = |inputs, out, kernel, more: &[(&str, Arg)]| ("Conv1d", arguments(&[inputs, out, kernel], more));
    let kinds = [
        conv(3, 6, 3, &[]),
        conv(6, 6, 4, &[("padding", Arg::Text("same".into())), ("groups", int(6))]),
        ("ConvTranspose1d", arguments(&[6, 4, 4, 2, 1], &[])),
        conv(4, 5, 2, &[("dilation", int(2)), ("groups", int(1))]),
    ];
    check(&["N", "3", "W"], &kinds, &[[1, 1, 4], [3, 1, 9], [2, 1, 70]], [2, 1, 2]);
}

#[test]
fn an_image_of_run_time() {
    let kinds = [
        ("Conv2d", arguments(&[3, 8, 3, 2, 1], &[])),
        ("Conv2d", arguments(&[8, 8, 3, 1, 1], &[("groups", int(8))])),
        ("Conv2d", arguments(&[8, 40, 1], &[])),
        ("Conv2d", arguments(&[40, 40, 3], &[("groups", int(40)), ("bias", Arg::Bool(false))])),
        ("AvgPool2d", arguments(&[2, 1], &[("padding", int(1)), ("count_include_pad", Arg::Bool(false))])),
        ("Upsample", arguments(&[], &[("scale_factor", int(2))])),
        ("ConvTranspose2d", arguments(&[40, 6, 3, 2, 1, 1], &[("groups", int(2))])),
        ("AdaptiveAvgPool2d", arguments(&[1], &[])),
        ("Flatten", vec![]),
        ("Linear", arguments(&[3], &[])),
    ];
    check(&["N", "3", "2*H", "2*W"], &kinds, &[[1, 3, 3], [2, 4, 7]], [1, 2, 5]);
}
