//! Saving while the program goes on: the bytes of a save at that moment, in the order of the calls, and no error is lost.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use castnet_runtime::checkpoint::SaveHandle;
use castnet_runtime::optimizer::Accumulate;
use castnet_runtime::train::Ema;
use castnet_runtime::{AdamW, Array, Device, Error, Lion, Model, Optimizer, Sgd};
use common::{LOSS, noise, regression};

fn model(seed: u64) -> Model {
    Model::from_net(regression(20, 33), &Device::cpu(), seed).unwrap()
}

fn step(model: &mut Model, optimizer: &mut dyn Optimizer) {
    let seed = model.steps();
    model.step(LOSS, optimizer, &[&noise(&[3, 20], seed), &noise(&[3, 33], seed)]).unwrap();
}

fn extra(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("mine".to_string(), text.to_string())])
}

#[test]
fn the_file_is_that_of_a_save_at_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let optimizers: [Box<dyn Optimizer>; 4] = [
        Box::new(Sgd::new(0.1)),
        Box::new(AdamW::new(1e-2).clip_norm(1.0)),
        Box::new(AdamW::new(1e-2).accumulate(Accumulate::Mean(3))),
        Box::new(Lion::new(1e-3)),
    ];
    for mut optimizer in optimizers {
        let (mut net, mut ema) = (model(1), Ema::new(model(2), 0.5).unwrap());
        let mut handles: Vec<SaveHandle> = vec![];
        for number in 0..4 {
            let extra = extra(&number.to_string());
            net.save(at(&format!("plain {number}"))).unwrap();
            net.save_training(at(&format!("training {number}")), &*optimizer, &extra).unwrap();
            ema.save_training(at(&format!("average {number}")), &net, &*optimizer, &extra).unwrap();
            handles.push(net.save_async(at(&format!("plain {number} later"))).unwrap());
            handles
                .push(net.save_training_async(at(&format!("training {number} later")), &*optimizer, &extra).unwrap());
            let average = at(&format!("average {number} later"));
            handles.push(ema.save_training_async(average, &net, &*optimizer, &extra).unwrap());
            // Whatever comes next changes nothing of them.
            step(&mut net, &mut *optimizer);
            ema.update(&net).unwrap();
            let weight = net.parameter("fc.weight").unwrap();
            net.set_parameter("fc.weight", &weight).unwrap();
        }
        // Gone before its files are written, perhaps.
        drop((net, ema, optimizer));
        handles.into_iter().for_each(|handle| handle.wait().unwrap());
        for number in 0..4 {
            for what in ["plain", "training", "average"] {
                let now = fs::read(at(&format!("{what} {number}"))).unwrap();
                assert!(now == fs::read(at(&format!("{what} {number} later"))).unwrap(), "{what} {number}");
                assert!(
                    number == 0 || what == "plain" || now != fs::read(at(&format!("{what} {}", number - 1))).unwrap()
                );
            }
        }
    }
}

fn bias(model: &Model) -> f32 {
    model.parameter("fc.bias").unwrap().as_slice::<f32>().unwrap()[0]
}

fn with_bias(value: f32) -> Model {
    let mut net = model(1);
    net.set_parameter("fc.bias", &Array::from_vec(&[33], vec![value; 33]).unwrap()).unwrap();
    net
}

#[test]
fn saves_to_one_file_come_in_the_order_of_their_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let mut read = model(3);
    for round in 0..10 {
        // Of several nets, each of which is gone at once.
        let handles: Vec<_> = (0..8).map(|i| with_bias((10 * round + i) as f32).save_async(&path).unwrap()).collect();
        match round % 3 {
            // Whoever reads or writes the file now comes after them.
            0 => {
                read.load(&path).unwrap();
                assert_eq!(bias(&read), (10 * round + 7) as f32);
            }
            1 => {
                with_bias(-1.0).save(&path).unwrap();
                read.load(&path).unwrap();
                assert_eq!(bias(&read), -1.0);
            }
            _ => {
                drop(handles);
                read.load(&path).unwrap();
                assert_eq!(bias(&read), (10 * round + 7) as f32);
            }
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

fn is_unwritable<T>(result: Result<T, Error>, path: &Path) {
    match result {
        Err(error @ Error::Io { .. }) => assert!(error.to_string().starts_with(&path.display().to_string()), "{error}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn what_goes_wrong_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (nowhere, good) = (folder.path().join("none/net"), folder.path().join("net"));
    let (mut net, mut sgd, extra) = (model(1), Sgd::new(0.1), extra(""));
    let args = [noise(&[3, 20], 1), noise(&[3, 33], 2)];
    let args: Vec<&Array> = args.iter().collect();

    // By the handle, and then nobody else is told.
    is_unwritable(net.save_async(&nowhere).unwrap().wait(), &nowhere);
    net.save(&good).unwrap();

    // By the next call that saves or trains the model; others are as they were.
    let clone = net.clone();
    for number in 0..7 {
        drop(net.save_training_async(&nowhere, &sgd, &extra).unwrap());
        let before = net.parameter("fc.bias").unwrap();
        clone.save(&good).unwrap();
        net.infer(common::SCORES, &args[..1]).unwrap();
        match number {
            0 => is_unwritable(net.save(&good), &nowhere),
            1 => is_unwritable(net.save_async(&good), &nowhere),
            2 => is_unwritable(net.save_training(&good, &sgd, &extra), &nowhere),
            3 => is_unwritable(net.save_training_async(&good, &sgd, &extra), &nowhere),
            4 => is_unwritable(net.grad(LOSS, &args), &nowhere),
            5 => is_unwritable(net.step(LOSS, &mut sgd, &args), &nowhere),
            _ => {
                let gradients = clone.clone().grad(LOSS, &args).unwrap().1;
                is_unwritable(sgd.apply(&mut net, &gradients), &nowhere);
            }
        }
        assert_eq!(net.parameter("fc.bias").unwrap(), before);
        net.step(LOSS, &mut sgd, &args).unwrap();
    }

    // Two of them, one after the other.
    let two = [0, 1].map(|number| net.save_async(nowhere.with_file_name(format!("{number}"))).unwrap());
    drop(two);
    for number in 0..2 {
        is_unwritable(net.save(&good), &nowhere.with_file_name(format!("{number}")));
    }
    net.save(&good).unwrap();

    // What can be told at once is.
    let mut other = model(2);
    other.step(LOSS, &mut AdamW::new(0.1), &args).unwrap();
    assert!(matches!(other.save_training_async(&good, &sgd, &extra), Err(Error::OptimizerInUse { .. })));

    // A save that goes wrong holds no other up, and is no failure of the engine's.
    let handles = [&nowhere, &good, &nowhere, &good].map(|path| net.save_async(path).unwrap());
    let told = handles.map(|handle| handle.wait().is_ok());
    assert_eq!(told, [false, true, false, true]);
    let handle = net.save_async(&good).unwrap();
    castnet_runtime::engine::Engine::global().wait_all().unwrap();
    assert!(handle.is_finished());
    handle.wait().unwrap();
}

#[test]
fn a_file_that_is_there_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("net");
    fs::create_dir(&place).unwrap();
    let error = model(1).save_async(&place).unwrap().wait().unwrap_err().to_string();
    assert!(error.ends_with("it exists and is no ordinary file"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn inside_an_operation_of_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let engine = castnet_runtime::engine::Engine::global();
    let handles: Vec<_> = (0..8)
        .map(|number| {
            let path = folder.path().join(number.to_string());
            let save = move || {
                let net = with_bias(number as f32);
                net.save_async(&path)?.wait()?;
                drop(net.save_async(&path)?);
                net.save(&path)?;
                let mut read = model(2);
                read.load(&path)?;
                if bias(&read) == number as f32 { Ok(()) } else { Err("another file".into()) }
            };
            engine.operation("save").submit::<Result<(), Box<dyn std::error::Error + Send + Sync>>>(save).unwrap()
        })
        .collect();
    handles.iter().for_each(|handle| handle.wait().unwrap());
}
