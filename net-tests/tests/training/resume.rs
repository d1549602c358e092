//! What a resumed run goes on with: the learning rate that was set, and settings that are those of the file.

use std::fs;
use std::path::{Path, PathBuf};

use castnet::prelude::*;
use castnet::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

network! {
    pub net Points {
        hidden: Linear(8);
        out:    Linear(3);
        pub train fn loss(x: f32[N, 4], class: u8[N]) -> f32 { out(hidden(x).tanh()).cross_entropy(class) }
    }

    pub net Normed {
        bn: BatchNorm1d(num_features = 2);
        pub fn f(x: f32[N, 2]) -> f32[N, 2] { bn(x) }
        pub train fn loss(x: f32[N, 2]) -> f32 { bn(x).square().sum() }
    }
}

fn points() -> Points {
    Points::new(&Device::cpu(), 1).unwrap()
}

/// The bits of the losses of ten more steps.
fn train(net: &mut Points, optimizer: &mut dyn Optimizer) -> Vec<u32> {
    let x = Array::from_vec(&[6, 4], (0..24).map(|i| (i as f32 * 0.37).sin()).collect()).unwrap();
    let y = Array::from_vec(&[6], vec![0u8, 1, 2, 0, 1, 2]).unwrap();
    (0..10).map(|_| net.loss_step(optimizer, &x, &y).unwrap().get().unwrap().to_bits()).collect()
}

/// Saves a run of ten steps.
fn saved(path: &Path, optimizer: &mut dyn Optimizer, then: impl FnOnce(&mut dyn Optimizer)) {
    let mut net = points();
    train(&mut net, optimizer);
    then(optimizer);
    net.save_training(path, optimizer, &Default::default()).unwrap();
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    (folder, path)
}

#[test]
fn a_learning_rate_that_was_set_is_resumed() -> Result<()> {
    let (_folder, path) = folder();
    let make = || Sgd::new(0.1).momentum(0.9).schedule(Cosine::new(100));
    let (mut net, mut sgd) = (points(), make());
    train(&mut net, &mut sgd);
    sgd.set_lr(0.01);
    net.save_training(&path, &sgd, &Default::default())?;
    let straight = train(&mut net, &mut sgd);

    let (mut net, mut again) = (points(), make());
    net.load_training(&path, &mut again)?;
    assert_eq!(again.lr(), 0.01 * Cosine::new(100).factor(10));
    assert_eq!(train(&mut net, &mut again), straight);

    // Its own rate and settings, if it is to keep them.
    let mut own = Sgd::new(0.3).momentum(0.5);
    points().load_training_keeping_settings(&path, &mut own)?;
    assert_eq!((own.lr(), own.state().steps()), (0.3, 10));

    // The same of Adam.
    let mut adam = Adam::new(0.1);
    saved(&path, &mut adam, |_| ());
    let mut later = Adam::new(0.1);
    later.set_lr(0.5);
    points().load_training(&path, &mut later)?;
    assert_eq!(later.lr(), 0.1, "the file's run had set none");
    Ok(())
}

#[test]
fn settings_that_differ_are_listed_with_both_values() {
    let (_folder, path) = folder();
    let refused = |mut optimizer: Box<dyn Optimizer>| {
        let mut net = points();
        let before = format!("{:?}", net.parameter("out.weight"));
        let error = net.load_training(&path, &mut *optimizer).unwrap_err();
        assert_eq!(format!("{:?}", net.parameter("out.weight")), before);
        assert_eq!(optimizer.state().steps(), 0);
        let Error::OtherSettings { differences, .. } = &error else { panic!("{error}") };
        assert!(
            error.to_string().contains("`load_training_keeping_settings`") && !error.to_string().contains("Points")
        );
        differences.join("; ")
    };
    saved(&path, &mut Sgd::new(0.1).momentum(0.9), |_| ());
    for (other, expected) in [
        (Sgd::new(0.1), "momentum: 0.9 in the file, 0.0 here"),
        (Sgd::new(0.2).momentum(0.9), "lr: 0.1 in the file, 0.2 here"),
        (Sgd::new(0.1).momentum(0.9).nesterov(true), "nesterov: false in the file, true here"),
        (Sgd::new(0.1).momentum(0.9).dampening(0.5), "dampening: 0.0 in the file, 0.5 here"),
        (Sgd::new(0.1).momentum(0.9).weight_decay(1e-4), "weight_decay: 0.0 in the file, 0.0001 here"),
        (Sgd::new(0.1).momentum(0.9).clip_norm(1.0), "clip_norm: off in the file, 1.0 here"),
        (
            Sgd::new(0.1).momentum(0.9).schedule(Warmup::new(5)),
            "schedule: Constant in the file, Warmup { steps: 5 } here",
        ),
        (Sgd::new(0.2).momentum(0.5), "lr: 0.1 in the file, 0.2 here; momentum: 0.9 in the file, 0.5 here"),
    ] {
        assert_eq!(refused(Box::new(other)), expected);
    }
    saved(&path, &mut AdamW::new(0.1), |_| ());
    for (other, expected) in [
        (AdamW::new(0.1).betas(0.9, 0.99), "betas: [0.9, 0.999] in the file, [0.9, 0.99] here"),
        (AdamW::new(0.1).eps(1e-6), "eps: 1e-8 in the file, 1e-6 here"),
        (AdamW::new(0.1).weight_decay(0.0), "weight_decay: 0.01 in the file, 0.0 here"),
    ] {
        assert_eq!(refused(Box::new(other)), expected);
    }
}

#[test]
fn momentum_may_come_and_go_if_settings_are_kept() -> Result<()> {
    let (_folder, path) = folder();
    saved(&path, &mut Sgd::new(0.1).momentum(0.9), |_| ());
    let mut plain = Sgd::new(0.1);
    let mut net = points();
    net.load_training_keeping_settings(&path, &mut plain)?;
    train(&mut net, &mut plain);

    // PyTorch's first buffer is the gradient itself, undampened: as a fresh optimizer has it.
    saved(&path, &mut Sgd::new(0.1), |_| ());
    let make = || Sgd::new(0.1).momentum(0.9).dampening(0.5);
    let (mut kept, mut fresh) = (make(), make());
    let (mut a, mut b) = (points(), points());
    a.load_training_keeping_settings(&path, &mut kept)?;
    b.load(&path)?;
    assert_eq!((kept.state().steps(), kept.state().parameter_steps()), (10, &[0; 4][..]));
    assert_eq!(train(&mut a, &mut kept), train(&mut b, &mut fresh));
    Ok(())
}

/// Files of before lack options that came later, which were off.
#[test]
fn files_without_later_options_are_resumed() -> Result<()> {
    let (_folder, path) = folder();
    let makes: [fn() -> Box<dyn Optimizer>; 3] =
        [|| Box::new(Sgd::new(0.1).momentum(0.9)), || Box::new(Adam::new(0.1)), || Box::new(AdamW::new(0.1))];
    for make in makes {
        let (mut net, mut first) = (points(), make());
        train(&mut net, &mut first);
        net.save_training(&path, &*first, &Default::default())?;
        let straight = train(&mut net, &mut first);
        rewrite(&path, |training| {
            let settings = training["settings"].as_array_mut().unwrap();
            settings.retain(|setting| !["maximize", "amsgrad"].contains(&setting[0].as_str().unwrap()));
            assert!(settings.len() > 4);
        });
        let (mut net, mut again) = (points(), make());
        net.load_training(&path, &mut *again)?;
        assert_eq!(train(&mut net, &mut again), straight);
    }
    let error = points().load_training(&path, &mut AdamW::new(0.1).amsgrad(true)).unwrap_err().to_string();
    assert!(error.contains("amsgrad: not a setting in the file, true here"), "{error}");
    Ok(())
}

/// Rewrites what a training checkpoint says of the run.
fn rewrite(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    let mut training: serde_json::Value = serde_json::from_str(&metadata["castnet.training"]).unwrap();
    change(&mut training);
    metadata.insert("castnet.training".into(), training.to_string());
    fs::write(path, safetensors::serialize(file.tensors(), Some(metadata)).unwrap()).unwrap();
}

/// Rewrites a training checkpoint as one that knows neither settings nor the steps of each parameter.
fn of_before(path: &Path) {
    rewrite(path, |training| {
        for key in ["settings", "parameter_steps", "lr_bits"] {
            assert!(training.as_object_mut().unwrap().remove(key).is_some(), "{key}");
        }
    });
}

#[test]
fn checkpoints_with_one_count_are_of_all_parameters() -> Result<()> {
    let (_folder, path) = folder();
    let make = || AdamW::new(0.05);
    let (mut net, mut adam) = (points(), make());
    train(&mut net, &mut adam);
    net.save_training(&path, &adam, &Default::default())?;
    let straight = train(&mut net, &mut adam);
    of_before(&path);
    let (mut net, mut again) = (points(), make());
    net.load_training(&path, &mut again)?;
    assert_eq!(again.state().parameter_steps(), [10; 4]);
    assert_eq!(train(&mut net, &mut again), straight);

    // Without settings in the file, what it remembers still tells.
    saved(&path, &mut Sgd::new(0.1).momentum(0.9), |_| ());
    of_before(&path);
    let error = points().load_training(&path, &mut Sgd::new(0.1)).unwrap_err().to_string();
    assert!(error.contains("states of each parameter: momentum_buffer in the file, none here"), "{error}");
    Ok(())
}

/// The element type and the bytes of a scalar.
type Raw = (Dtype, Vec<u8>);

#[test]
fn state_dicts_may_lack_the_counter_or_have_it_of_another_type() -> Result<()> {
    let (_folder, path) = folder();
    let vector = |x: [f32; 2]| x.map(f32::to_le_bytes).concat();
    let whole = [("weight", vector([1.0, 1.0])), ("bias", vector([0.0, 0.0])), ("running_mean", vector([0.5, 0.0]))];
    let counters: [(Option<Raw>, i64); 8] = [
        (None, 0),
        (Some((Dtype::I64, 7i64.to_le_bytes().into())), 7),
        (Some((Dtype::I32, 7i32.to_le_bytes().into())), 7),
        (Some((Dtype::F32, 7f32.to_le_bytes().into())), 7),
        (Some((Dtype::F64, 7f64.to_le_bytes().into())), 7),
        (Some((Dtype::F16, 0x4700u16.to_le_bytes().into())), 7),
        (Some((Dtype::BF16, 0x40e0u16.to_le_bytes().into())), 7),
        (Some((Dtype::U8, vec![7])), 7),
    ];
    let write = |counter: &Option<Raw>, variance: bool| {
        let variance = variance.then(|| ("running_var", vector([4.0, 1.0])));
        let tensors = whole.iter().cloned().chain(variance).map(|(name, bytes)| (name, Dtype::F32, vec![2], bytes));
        let counter = counter.iter().map(|(dtype, bytes)| ("num_batches_tracked", *dtype, vec![], bytes.clone()));
        let tensors: Vec<_> = tensors.chain(counter).collect();
        let views = tensors
            .iter()
            .map(|(n, dtype, shape, b)| (format!("bn.{n}"), TensorView::new(*dtype, shape.clone(), b).unwrap()));
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    };
    for (counter, expected) in &counters {
        let mut net = Normed::new(&Device::cpu(), 1)?;
        // What was counted before is not kept.
        net.loss_step(&mut Sgd::new(0.0), &Array::zeros::<f32>(&[3, 2]))?;
        write(counter, true);
        net.load(&path)?;
        let y = net.f(&Array::from_vec(&[1, 2], vec![2.0f32, 0.0])?)?;
        assert!((y.as_slice::<f32>()?[0] - 0.75).abs() < 1e-5, "{y}");
        assert_eq!(net.state("bn.num_batches_tracked")?.unwrap().item::<i64>()?, *expected, "{counter:?}");
        net.save(&path)?;
        let saved = fs::read(&path).unwrap();
        let saved = SafeTensors::deserialize(&saved).unwrap();
        assert_eq!(saved.tensor("bn.num_batches_tracked").unwrap().dtype(), Dtype::I64);
    }
    // Only the counter may be missing, and it is a whole number.
    let mut net = Normed::new(&Device::cpu(), 1)?;
    write(&None, false);
    assert!(net.load(&path).unwrap_err().to_string().contains("`bn.running_var`: missing"));
    write(&Some((Dtype::F32, 7.5f32.to_le_bytes().into())), true);
    let error = net.load(&path).unwrap_err().to_string();
    assert!(error.contains("`bn.num_batches_tracked`: f32[], expected i64"), "{error}");
    Ok(())
}
