//! A loop over equal blocks trains as the same blocks written out, to the last bits that the order of sums leaves.

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::layers::{self, Layer};
use castnet_graph::loops::Rounds;
use castnet_graph::ops;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model, Sgd};

fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

fn op(b: &mut Builder, name: &str, x: &[Value]) -> Value {
    let args: Vec<Given> = x.iter().map(|v| given(Arg::Tensor(*v))).collect();
    match ops::call(b, name, Loc::default(), &args) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

fn block(b: &mut Builder, layer: &Layer, x: Value) -> Value {
    let y = layers::apply(b, layer, Loc::default(), x).unwrap();
    op(b, "tanh", &[y])
}

fn chain(count: i64, looped: bool) -> Source {
    let mut parameters = Parameters::default();
    let layers: Vec<Layer> = (0..count)
        .map(|i| {
            let mut b = Builder::new("", &mut parameters, false);
            let args = [given(Arg::Size(16.into()))];
            layers::declare(&mut b, &format!("blocks.{i}"), Loc::default(), "Linear", Loc::default(), &args).unwrap()
        })
        .collect();
    let mut build = |training: bool| -> Graph {
        let mut b = Builder::new("Chain.loss", &mut parameters, training);
        let ty = Type::new(DType::F32, vec![Size::symbol("N"), 16.into()]);
        let (x, target) = (b.argument("x", ty.clone()), b.argument("target", ty));
        let y = match looped {
            true => b
                .repeat(&[x], &[], Rounds { count, parameters: 0..2, states: 0..0 }, |b, x, _| {
                    Ok(vec![block(b, &layers[0], x[0])])
                })
                .unwrap()[0],
            false => layers.iter().fold(x, |x, layer| block(&mut b, layer, x)),
        };
        let loss = op(&mut b, "mse_loss", &[y, target]);
        b.result(loss);
        b.graph
    };
    let (inference, training) = (build(false), Some(build(true)));
    let functions = vec![SourceFunction::new("loss", inference, training)];
    Source { name: "Chain".into(), parameters, functions }
}

fn model(count: i64, looped: bool) -> Model {
    let compiled = compile(chain(count, looped)).unwrap_or_else(|e| panic!("{e:?}"));
    Model::from_net(compiled.net, &Device::cpu(), 5).unwrap()
}

#[test]
fn a_loop_computes_what_its_blocks_written_out_compute() {
    for count in [1, 3, 30] {
        let (mut looped, mut flat) = (model(count, true), model(count, false));
        looped.poison(true);
        for n in [1usize, 7, 33] {
            let wave = |k: f32| (0..n * 16).map(|i| (i as f32 * k).sin()).collect::<Vec<_>>();
            let x = Array::from_vec(&[n, 16], wave(0.7)).unwrap();
            let target = Array::from_vec(&[n, 16], wave(1.3)).unwrap();
            let (a, da) = looped.grad(0, &[&x, &target]).unwrap();
            let (b, db) = flat.grad(0, &[&x, &target]).unwrap();
            let (a, b) = (a[0].item::<f32>().unwrap(), b[0].item::<f32>().unwrap());
            assert!((a - b).abs() <= 1e-6 * b.abs(), "{count} rounds, N = {n}: loss {a} against {b}");
            for name in db.names() {
                let (x, y) = (da.parameter(name).unwrap(), db.parameter(name).unwrap());
                let (x, y) = (x.as_slice::<f32>().unwrap(), y.as_slice::<f32>().unwrap());
                let norm = y.iter().map(|y| y * y).sum::<f32>().sqrt();
                let off = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt();
                assert!(
                    off <= 1e-5 * norm,
                    "{count} rounds, N = {n}: the gradient of {name} is off by {off} of {norm}"
                );
            }
            let (mut one, mut other) = (Sgd::new(0.1).momentum(0.9), Sgd::new(0.1).momentum(0.9));
            for _ in 0..3 {
                let a = looped.step(0, &mut one, &[&x, &target]).unwrap().get().unwrap();
                let b = flat.step(0, &mut other, &[&x, &target]).unwrap().get().unwrap();
                assert!((a - b).abs() <= 1e-5 * b.abs(), "{count} rounds, N = {n}: loss {a} against {b} in training");
            }
        }
    }
}
