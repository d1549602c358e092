//! Clones of models: as they were when they were made, whoever goes on.

mod common;
#[allow(dead_code)]
mod nets;

use std::sync::{Arc, Mutex};

use castnet_graph::compile::compile;
use castnet_program::types::DType;
use castnet_runtime::{AdamW, Array, Device, Model, Sgd};
use common::regression;
use nets::mixed_net;

fn model() -> Model {
    Model::from_net(regression(20, 33), &Device::cpu(), 1).unwrap()
}

fn array(rows: usize, columns: usize) -> Array {
    let value = |i: usize| ((i * rows + i) as f32 * 0.37).sin();
    Array::from_vec(&[rows, columns], (0..rows * columns).map(value).collect()).unwrap()
}

fn bits(array: &Array) -> Vec<u32> {
    array.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
}

fn parameters(model: &Model) -> Vec<Vec<u32>> {
    model.parameters().map(|(name, _)| bits(&model.parameter(name).unwrap())).collect()
}

fn step(model: &mut Model, sgd: &mut Sgd) -> u32 {
    model.step(1, sgd, &[&array(3, 20), &array(3, 33)]).unwrap().get().unwrap().to_bits()
}

/// What changes a model, in words.
type Way = (&'static str, fn(&mut Model));

/// Whichever of the two goes on, and in whichever way.
#[test]
fn a_snapshot_stays_as_it_was() {
    let x = array(2, 20);
    let ways: [Way; 6] = [
        ("a step", |model| {
            step(model, &mut Sgd::new(0.1));
        }),
        ("an update", |model| {
            let (_, gradients) = model.grad(1, &[&array(3, 20), &array(3, 33)]).unwrap();
            model.apply(&mut Sgd::new(0.1), &gradients).unwrap();
        }),
        ("one parameter", |model| model.set_parameter("fc.bias", &Array::zeros::<f32>(&[33])).unwrap()),
        ("another model", |model| {
            model.copy_from(&Model::from_net(regression(20, 33), &Device::cpu(), 2).unwrap()).unwrap();
        }),
        ("a part of the way", |model| {
            model.lerp(&Model::from_net(regression(20, 33), &Device::cpu(), 2).unwrap(), 0.5).unwrap();
        }),
        ("a file", |model| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("net.safetensors");
            Model::from_net(regression(20, 33), &Device::cpu(), 2).unwrap().save(&path).unwrap();
            model.load(&path).unwrap();
        }),
    ];
    for (what, change) in ways {
        for other in [false, true] {
            let mut model = model();
            let mut snapshot = model.clone();
            let (before, scores) = (parameters(&model), bits(&model.infer(0, &[&x]).unwrap()[0]));
            let (changed, kept) = if other { (&mut snapshot, &mut model) } else { (&mut model, &mut snapshot) };
            change(changed);
            assert_ne!(parameters(changed), before, "{what}");
            assert_eq!(parameters(kept), before, "{what}");
            assert_eq!(bits(&kept.infer(0, &[&x]).unwrap()[0]), scores, "{what}");
        }
    }
}

/// Both train on, each with an optimizer of its own, as a model alone does; an optimizer stays with its model.
#[test]
fn both_train_on() {
    let (mut alone, mut model) = (model(), model());
    let [mut one, mut other] = [(); 2].map(|()| Sgd::new(0.1).momentum(0.9));
    (0..3).for_each(|_| assert_eq!(step(&mut alone, &mut one), step(&mut model, &mut other)));
    let mut snapshot = model.clone();
    assert_eq!(snapshot.steps(), 3);
    let error = snapshot.step(1, &mut other, &[&array(3, 20), &array(3, 33)]).unwrap_err();
    assert!(matches!(error, castnet_runtime::Error::OptimizerInUse { .. }), "{error}");
    let mut third = Sgd::new(0.1).momentum(0.9);
    for _ in 0..3 {
        step(&mut snapshot, &mut third);
        assert_eq!(step(&mut alone, &mut one), step(&mut model, &mut other));
    }
    assert_eq!(parameters(&alone), parameters(&model));
    assert_ne!(parameters(&alone), parameters(&snapshot));
}

/// What is drawn after it was taken, and states, too.
#[test]
fn a_snapshot_goes_on_alike() {
    for number in 0..20 {
        let net = compile(mixed_net(number, DType::F32, false)).unwrap_or_else(|e| panic!("{e:?}")).net;
        let shapes = net.cpu()[0].inference.arguments.clone();
        let argument = |named: &castnet_program::program::Named| {
            let shape = named.ty.shape.iter().map(|size| size.eval(&|_| 3) as usize);
            Array::try_zeros_of(named.ty.dtype, &shape.collect::<Vec<_>>()).unwrap()
        };
        let arguments: Vec<Array> = shapes.iter().map(argument).collect();
        let arguments: Vec<&Array> = arguments.iter().collect();
        let mut model = Model::from_net(net, &Device::cpu(), 5).unwrap();
        let step = |model: &mut Model| {
            let mut adam = AdamW::new(1e-3);
            (0..2).map(|_| model.step(0, &mut adam, &arguments).unwrap().get().unwrap().to_bits()).collect::<Vec<_>>()
        };
        step(&mut model);
        let mut snapshot = model.clone();
        assert_eq!(step(&mut model), step(&mut snapshot), "net {number}");
        assert_eq!(parameters(&model), parameters(&snapshot), "net {number}");
    }
}

/// A server: eight threads answer from the latest snapshot, one trains and puts new ones there.
#[test]
fn each_answer_is_of_one_version() {
    let x = array(2, 20);
    let mut model = model();
    let answers = |model: &Model| bits(&model.infer(0, &[&x]).unwrap()[0]);
    let latest = Mutex::new(Arc::new(model.clone()));
    let versions = Mutex::new(vec![answers(&model)]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let snapshot = latest.lock().unwrap().clone();
                    let answer = answers(&snapshot);
                    assert!(versions.lock().unwrap().contains(&answer));
                }
            });
        }
        scope.spawn(|| {
            let mut sgd = Sgd::new(0.1);
            for _ in 0..30 {
                step(&mut model, &mut sgd);
                let snapshot = model.clone();
                versions.lock().unwrap().push(answers(&snapshot));
                *latest.lock().unwrap() = Arc::new(snapshot);
            }
        });
    });
    assert_eq!(versions.into_inner().unwrap().len(), 31);
}
