//! Checkpoints: strict, atomic, resumable to the bit.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use castnet_runtime::{AdamW, Array, Cosine, Device, Model, Optimizer, Result, Sgd};
use common::{LOSS, noise, regression, rounds};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

fn model(seed: u64) -> Model {
    Model::from_net(regression(20, 33), &Device::cpu(), seed).unwrap()
}

fn all(model: &Model) -> Vec<Array> {
    model.parameters().map(|(name, _)| model.parameter(name).unwrap()).collect()
}

fn step(model: &mut Model, optimizer: &mut dyn Optimizer) -> f32 {
    let seed = model.steps();
    let (x, y) = (noise(&[8, 20], seed), noise(&[8, 33], seed + 1));
    model.step(LOSS, optimizer, &[&x, &y]).unwrap().get().unwrap()
}

fn text<T>(result: Result<T>) -> String {
    result.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn what_is_saved_is_loaded() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let (a, mut b) = (model(1), model(2));
    a.save(&path)?;
    let bytes = fs::read(&path).unwrap();
    b.load(&path)?;
    assert_eq!(all(&a), all(&b));
    b.save(&path)?;
    assert_eq!(fs::read(&path).unwrap(), bytes);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("fc.weight").unwrap().shape(), [33, 20]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    Ok(())
}

#[test]
fn training_is_resumed_to_the_bit() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.safetensors");
    let optimizers: [fn() -> Box<dyn Optimizer>; 3] = [
        || Box::new(AdamW::new(1e-2).schedule(Cosine::new(12).warmup(2))),
        || Box::new(Sgd::new(0.1).momentum(0.9).dampening(0.5)),
        || Box::new(Sgd::new(0.1)),
    ];
    let extra = BTreeMap::from([("epoch".to_string(), "7".to_string())]);
    for make in optimizers {
        let (mut a, mut first) = (model(1), make());
        (0..5).for_each(|_| assert!(step(&mut a, &mut *first).is_finite()));
        a.save_training(&path, &*first, &extra)?;
        let losses: Vec<f32> = (0..5).map(|_| step(&mut a, &mut *first)).collect();

        let (mut b, mut second) = (model(2), make());
        // Also an optimizer that was used before takes over the file's state.
        step(&mut b, &mut *second);
        assert_eq!(b.load_training(&path, &mut *second)?, extra);
        assert_eq!((b.seed(), b.steps(), second.state().steps()), (1, 5, 5));
        let resumed: Vec<f32> = (0..5).map(|_| step(&mut b, &mut *second)).collect();
        assert_eq!((losses, all(&a)), (resumed, all(&b)));

        let mut c = model(3);
        c.load(&path)?;
        assert_eq!(text(c.load_training(&path, &mut *make())), "");
        let mut other: Box<dyn Optimizer> =
            if first.name() == "Sgd" { Box::new(AdamW::new(0.1)) } else { Box::new(Sgd::new(0.1)) };
        let (before, error) = (all(&c), text(c.load_training(&path, &mut *other)));
        assert!(error.contains("cannot resume: `optimizer` is"), "{error}");
        assert_eq!(all(&c), before);
    }
    // Without a step there is no state yet.
    let (mut a, mut adam) = (model(1), AdamW::new(1e-2));
    a.save_training(&path, &adam, &extra)?;
    a.load_training(&path, &mut adam)?;
    step(&mut a, &mut adam);
    a.save(&path)?;
    assert!(text(a.load_training(&path, &mut adam)).contains("cannot resume: `castnet.training` is missing"));
    let other = model(5);
    assert!(text(other.save_training(&path, &adam, &extra)).contains("holds the state of another model"));
    Ok(())
}

/// Writes a file of tensors, each of equal bytes.
fn file(path: &Path, tensors: &[(&str, Dtype, &[usize])]) {
    let data: Vec<Vec<u8>> =
        tensors.iter().map(|t| vec![0x3c; t.1.bitsize() / 8 * t.2.iter().product::<usize>()]).collect();
    let views = tensors.iter().zip(&data).map(|(t, d)| (t.0, TensorView::new(t.1, t.2.to_vec(), d).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn what_could_not_be_read_again_is_not_written() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    model(1).save(&path)?;
    let old = fs::read(&path).unwrap();
    let long = "w".repeat(100_000_000);
    // These are no net at all.
    for (name, what) in [
        ("__metadata__", "`__metadata__` is a name of the format of files, not of a tensor"),
        ("fc.bias", "two tensors are called `fc.bias`"),
    ] {
        let mut net = regression(20, 33);
        net.parameters[1].name = name.to_string();
        let what = format!("Regression: the compiled network is not valid: {what}");
        assert_eq!(text(Model::from_net(net, &Device::cpu(), 1)), what);
    }
    for (name, reason, plain) in [
        ("optimizer.momentum_buffer.fc.bias", "two tensors are called `optimizer.momentum_buffer.fc.bias`", false),
        (&long, "header too large", true),
    ] {
        let mut net = regression(20, 33);
        net.parameters[1].name = name.to_string();
        let mut net = Model::from_net(net, &Device::cpu(), 1)?;
        let mut sgd = Sgd::new(0.1).momentum(0.9);
        step(&mut net, &mut sgd);
        let expected = format!("{}: cannot be saved as a safetensors file: {reason}", path.display());
        if plain {
            assert_eq!(text(net.save(&path)), expected);
        }
        assert_eq!(text(net.save_training(&path, &sgd, &BTreeMap::new())), expected);
        assert_eq!(fs::read(&path).unwrap(), old);
    }
    // A part may be called as the states of optimizers begin.
    let mut net = regression(20, 33);
    net.parameters[1].name = "optimizer.learned.fc.bias".to_string();
    let mut net = Model::from_net(net, &Device::cpu(), 1)?;
    let mut sgd = Sgd::new(0.1).momentum(0.9);
    step(&mut net, &mut sgd);
    net.save_training(&path, &sgd, &BTreeMap::new())?;
    net.load_training(&path, &mut Sgd::new(0.1).momentum(0.9))?;
    Ok(())
}

#[test]
fn files_that_do_not_fit_are_refused_and_change_nothing() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let mut net = model(1);
    let before = all(&net);
    let frozen: (&str, Dtype, &[usize]) = ("frozen.weight", Dtype::F32, &[3, 5]);

    file(
        &path,
        &[("fc.wieght", Dtype::F32, &[33, 20]), ("fc.bias", Dtype::I64, &[33]), ("frozen.weight", Dtype::F32, &[5, 3])],
    );
    let expected = format!(
        "{} does not fit Regression:\n  `fc.weight`: missing\n  `frozen.weight`: f32[5, 3], expected f32[3, 5]\n  \
         `fc.bias`: i64[33], expected f32[33]\n  `fc.wieght`: not a parameter of Regression; did you mean `fc.weight`?",
        path.display()
    );
    assert_eq!(text(net.load(&path)), expected);

    model(2).save(&path)?;
    let whole = fs::read(&path).unwrap();
    for length in [0, 4, 8, 40, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(text(net.load(&path)).contains("net.safetensors: not a whole safetensors file"), "{length}");
    }
    fs::write(&path, b"PK\x03\x04 a zip file, as torch.save writes it").unwrap();
    assert!(text(net.load(&path)).contains("not a whole safetensors file"));
    assert!(
        text(net.load(folder.path().join("no.safetensors"))).contains("no.safetensors: cannot be read: No such file")
    );
    assert!(text(net.save(folder.path().join("no/net.safetensors"))).contains("cannot be written"));
    assert!(text(net.save("/")).contains("cannot be written"));
    let mut other = Model::from_net(rounds(4, false), &Device::cpu(), 1)?;
    fs::write(&path, &whole).unwrap();
    assert_eq!(text(other.load(&path)).lines().count(), 7);
    assert_eq!(all(&net), before);

    // Other floats are widened, also 0x3c3c in half precision (1.058…) and in bfloat16; what has more digits is rounded on demand only.
    file(&path, &[("fc.weight", Dtype::F64, &[33, 20]), ("fc.bias", Dtype::F16, &[33]), frozen]);
    let told = text(net.load(&path));
    assert!(
        told.contains("`fc.weight`: f64[33, 20], expected f32[33, 20]: `load_rounded` rounds its numbers"),
        "{told}"
    );
    assert_eq!(all(&net), before);
    net.load_rounded(&path)?;
    assert_eq!(net.parameter("fc.bias")?.as_slice::<f32>()?[7], 1.0 + 60.0 / 1024.0);
    file(&path, &[("fc.weight", Dtype::F32, &[33, 20]), ("fc.bias", Dtype::BF16, &[33]), frozen]);
    net.load(&path)?;
    assert_eq!(net.parameter("fc.bias")?.as_slice::<f32>()?[7], f32::from_bits(0x3c3c_0000));
    Ok(())
}
