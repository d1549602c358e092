//! The running average of a model.

use castnet::prelude::*;
use castnet::train::Ema;
use castnet::{Error, Result};

use crate::small::{Small, batch, check, golden, small, step, values};

fn average(decay: f64) -> Ema<Small> {
    Ema::new(Small::new(&Device::cpu(), 7).unwrap(), decay).unwrap()
}

fn sgd() -> Sgd {
    Sgd::new(0.05).momentum(0.9)
}

#[test]
fn an_average_is_pytorchs() -> Result<()> {
    for (run, use_buffers) in [("average", false), ("average with statistics", true)] {
        let (mut net, mut sgd, mut ema) = (small(), sgd(), average(0.8).use_buffers(use_buffers));
        for number in 0..10 {
            step(&mut net, &mut sgd, number)?;
            ema.update(&net)?;
        }
        let mut expected = golden(run);
        check(run, &net, &expected["net"]);
        let average = expected.get_mut("average").unwrap();
        // A count is not averaged here.
        average.insert("bn.num_batches_tracked".to_string(), vec![10.0]);
        check(run, ema.net(), average);
        assert_eq!(ema.updates(), 10);
        let scores = ema.net().scores(&batch(0)[0])?;
        assert!(scores.as_slice::<f64>()? != net.scores(&batch(0)[0])?.as_slice::<f64>()?);
    }
    Ok(())
}

#[test]
fn the_decay_may_rise_at_first() -> Result<()> {
    let (net, mut ema) = (small(), average(0.5).warmup());
    let decays: Vec<f64> = (0..12).map(|_| (ema.decay(), ema.update(&net).unwrap()).0).collect();
    let expected: Vec<f64> = (0..12).map(|n| f64::from(1 + n) / f64::from(10 + n)).map(|d| d.min(0.5)).collect();
    assert_eq!(decays, expected);
    // 1 keeps what was copied first, 0 copies always.
    for (decay, keeps) in [(1.0, true), (0.0, false)] {
        let (mut net, mut ema) = (small(), average(decay));
        ema.update(&net)?;
        step(&mut net, &mut sgd(), 0)?;
        ema.update(&net)?;
        let expected = if keeps { small() } else { net };
        let name = "hidden.weight";
        assert_eq!(values(ema.net())[name], values(&expected)[name]);
    }
    for decay in [-0.1, 1.1, f64::NAN] {
        let error = Ema::new(small(), decay).unwrap_err().to_string();
        assert_eq!(error, format!("Ema: decay = {decay} is not in [0, 1]"));
    }
    Ok(())
}

#[test]
fn an_average_is_resumed() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let train = |net: &mut Small, sgd: &mut Sgd, ema: &mut Ema<Small>, numbers: std::ops::Range<usize>| {
        numbers.into_iter().try_for_each(|number| step(net, sgd, number).and_then(|_| ema.update(net)))
    };
    let make = || average(0.9).warmup().use_buffers(true);
    let (mut net, mut whole, mut ema) = (small(), sgd(), make());
    train(&mut net, &mut whole, &mut ema, 0..10)?;

    let (mut first, mut half, mut begun) = (small(), sgd(), make());
    train(&mut first, &mut half, &mut begun, 0..4)?;
    let extra = [("mine".to_string(), "4".to_string())].into();
    begun.save_training(&path, &first, &half, &extra)?;

    let (mut second, mut resumed, mut again) = (Small::new(&Device::cpu(), 3)?, sgd(), make());
    assert_eq!(again.load_training(&path, &mut second, &mut resumed)?, extra);
    assert_eq!(again.updates(), 4);
    train(&mut second, &mut resumed, &mut again, 4..10)?;
    assert_eq!(values(&second), values(&net));
    assert_eq!(values(again.net()), values(ema.net()));

    // Without the average it is a checkpoint as any other.
    let (mut plain, mut sgd_again) = (small(), sgd());
    plain.load_training(&path, &mut sgd_again)?;
    assert_eq!(values(&plain), values(&first));
    Small::new(&Device::cpu(), 3)?.load(&path)?;

    // One that has none, or another optimizer, changes nothing.
    let (mut net, before) = (small(), values(&small()));
    let error = again.load_training(&path, &mut net, &mut Sgd::new(0.3)).unwrap_err();
    assert!(matches!(error, Error::OtherSettings { .. }), "{error}");
    first.save_training(&path, &half, &extra)?;
    let error = again.load_training(&path, &mut net, &mut sgd()).unwrap_err().to_string();
    assert!(error.contains("cannot resume: `average` is missing, expected that of `Ema::save_training`"), "{error}");
    assert_eq!((values(&net), values(again.net())), (before, values(ema.net())));
    Ok(())
}
