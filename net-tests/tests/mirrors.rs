//! Copies of parameters in halves: what a net reads of them is what it would convert itself, to the bit, whoever wrote the parameters last.

use castnet::optimizer::{Accumulate, LAMB};
use castnet::prelude::*;
use castnet::train::Ema;
use castnet::{DType, Model, Result};
use castnet_program::program::Place;

network! {
    /// In a loop, a matrix and a vector of its own each round.
    block Mix<DIRECT>(x: f32[N, D], one: f32) -> f32[N, D] {
        param w: f32[D, D] = normal(0, 0.1);
        param gain: f32[D] = normal(1, 0.1);
        let (w, gain) = if DIRECT == 1 { (w.clamp(-9, 9), gain.clamp(-9, 9)) } else { (w, gain) };

        let y = linear(x.cast(bf16), w.cast(bf16)).cast(f32);
        x + (y * gain.cast(f16).cast(f32)).tanh()
    }

    /// Where it is direct, what is converted is no parameter, but one whose numbers are held between two that none reaches.
    net Halves<DIRECT> {
        table: Embedding(50, 40);
        param w: f32[40, 40] = normal(0, 0.15);
        param kernel: f32[8, 1, 3, 3] = normal(0, 0.3);
        param start: f32[40] = normal(0, 1);
        blocks: [Mix<DIRECT>; 3];

        pub fn scores(x: f32[N, 40], ids: i64[N], one: f32) -> f32[N, 50] {
            let (w, kernel, start, all) = if DIRECT == 1 {
                (w.clamp(-9, 9), kernel.clamp(-9, 9), start.clamp(-9, 9), table.weight.clamp(-9, 9))
            } else {
                (w, kernel, start, table.weight)
            };
            let image = conv2d((one * x).reshape([N, 1, 5, 8]).cast(bf16), kernel.cast(bf16), padding = 1).cast(f32);
            let x = image.mean([1]).reshape([N, 40]) + table(ids);
            let (last, rows) = scan(x, start.cast(f16).cast(f32), |h, row| {
                let h = (linear(h.reshape([1, 40]).cast(bf16), w.cast(bf16)).cast(f32).reshape([40]) + row).tanh();
                (h, h)
            });
            let x = blocks(rows, one);
            // Both ways round, and as it is converted and back.
            let x = x.cast(bf16).matmul(w.cast(bf16)).cast(f32) + 0.5 * w.cast(bf16).cast(f32).sum(0) + last;
            x.cast(bf16).matmul(all.t().cast(bf16)).cast(f32)
        }

        pub train fn loss(x: f32[N, 40], ids: i64[N], one: f32) -> f32 {
            scores(x, ids, one).cross_entropy(ids)
        }
    }

    block Step(x: f32[N, D]) -> f32[N, D] {
        param w: f32[D, D] = normal(0, 0.3);
        linear(x, w.cast(bf16).cast(f32)).tanh()
    }

    /// Only parameters are rounded, so that nothing hangs on a last bit.
    net Rounded {
        steps: [Step; 2];
        param gain: f32[12] = normal(1, 0.5);
        pub fn f(x: f32[N, 12]) -> f32[N, 12] { steps(x) * gain.cast(f16).cast(f32) }
        pub train fn loss(x: f32[N, 12]) -> f32 { (f(x) - 1).square().mean() }
    }

    pub net Mirrored = Halves<0>;
    pub net Direct = Halves<1>;
}

fn mirrored(seed: u64) -> Mirrored {
    Mirrored::new(&Device::cpu(), seed).unwrap()
}

fn batch(number: usize, n: usize) -> [Array; 3] {
    let x = (0..40 * n).map(|i| (0.37 * i as f32 + number as f32).sin()).collect();
    let ids = (0..n).map(|i| ((7 * i + number) % 50) as i64).collect();
    [
        Array::from_vec(&[n, 40], x).unwrap(),
        Array::from_vec(&[n], ids).unwrap(),
        Array::from_vec(&[], vec![1f32]).unwrap(),
    ]
}

fn bits(array: &Array) -> Vec<u32> {
    array.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
}

fn scores(net: &Mirrored) -> Vec<u32> {
    let [x, ids, one] = &batch(3, 11);
    bits(&net.scores(x, ids, one).unwrap())
}

fn parameters(net: &impl AsRef<Model>) -> Vec<(String, Array)> {
    let model = net.as_ref();
    model.parameters().map(|(name, _)| (name.to_string(), model.parameter(name).unwrap())).collect()
}

/// Whether a net scores as one does that converts the same parameters itself.
fn is_fresh(what: &str, net: &Mirrored) {
    let mut direct = Direct::new(&Device::cpu(), 99).unwrap();
    for (name, value) in parameters(net) {
        direct.set_parameter(&name, &value).unwrap();
    }
    let [x, ids, one] = &batch(3, 11);
    assert_eq!(scores(net), bits(&direct.scores(x, ids, one).unwrap()), "{what}");
}

#[test]
fn what_is_converted_is_read_from_mirrors() {
    let mirrors = |model: &Model| {
        let mirror = |m: &castnet_program::net::Mirror| (model.net().parameters[m.parameter].name.clone(), m.dtype);
        let mut all: Vec<_> = model.net().targets[0].mirrors.iter().map(mirror).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    let net = mirrored(1);
    let expected = [
        ("blocks.0.gain", DType::F16),
        ("blocks.0.w", DType::BF16),
        ("blocks.1.gain", DType::F16),
        ("blocks.1.w", DType::BF16),
        ("blocks.2.gain", DType::F16),
        ("blocks.2.w", DType::BF16),
        ("kernel", DType::BF16),
        ("start", DType::F16),
        ("table.weight", DType::BF16),
        ("w", DType::BF16),
    ];
    assert_eq!(mirrors(net.as_ref()), expected.map(|(name, dtype)| (name.to_string(), dtype)));
    assert!(mirrors(Direct::new(&Device::cpu(), 1).unwrap().as_ref()).is_empty());
    // Nothing reads what lies there in f32 but the rows that are looked up.
    let table = net.as_ref().parameters().position(|(name, _)| name == "table.weight").unwrap();
    for program in net.as_ref().net().cpu().iter().flat_map(|f| f.each()) {
        for launch in &program.launches {
            let read = launch.loads.iter().map(|load| load.buffer).chain(launch.operands());
            let masters = read.filter_map(|buffer| match program.buffers[buffer].place {
                Place::Parameter(number) => Some(number),
                _ => None,
            });
            assert!(masters.into_iter().all(|number| number == table), "{}: {}", program.name, launch.name);
        }
    }
    is_fresh("first values", &net);
}

/// Steps with both, by any optimizer, and the bits of all that changes.
#[test]
fn steps_are_those_of_conversions() -> Result<()> {
    for way in 0..5 {
        let make = || -> Box<dyn Optimizer> {
            match way {
                // Early, in kernels.
                0 => Box::new(Sgd::new(0.05).momentum(0.9)),
                1 => Box::new(AdamW::new(1e-2)),
                // Late.
                2 => Box::new(AdamW::new(1e-2).clip_norm(0.1)),
                3 => Box::new(LAMB::new(1e-2)),
                _ => Box::new(Sgd::new(0.05).accumulate(Accumulate::Mean(2))),
            }
        };
        let (mut net, mut own) = (mirrored(way), make());
        let (mut direct, mut other) = (Direct::new(&Device::cpu(), way)?, make());
        net.as_mut().stop_on_nan(way == 1);
        for step in 0..6 {
            let [x, ids, one] = &batch(step, 5 + 6 * (step % 2));
            let loss = net.loss_step(&mut *own, x, ids, one)?.get()?;
            assert_eq!(loss.to_bits(), direct.loss_step(&mut *other, x, ids, one)?.get()?.to_bits(), "{way}, {step}");
            is_fresh(&format!("step {step} of way {way}"), &net);
        }
        for ((name, a), (_, b)) in parameters(&net).iter().zip(parameters(&direct)) {
            assert_eq!(bits(a), bits(&b), "{name} of way {way}");
        }
    }
    Ok(())
}

#[test]
fn every_way_of_writing_parameters_writes_mirrors() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let (path, run) = (folder.path().join("net.safetensors"), folder.path().join("run.safetensors"));
    let [x, ids, one] = &batch(0, 7);
    let mut trained = mirrored(5);
    let mut adam = AdamW::new(1e-2);
    for _ in 0..3 {
        trained.loss_step(&mut adam, x, ids, one)?;
    }
    trained.save(&path)?;

    let mut net = mirrored(1);
    let before = scores(&net);
    for (name, value) in parameters(&trained) {
        net.set_parameter(&name, &value)?;
        is_fresh(&format!("set_parameter of {name}"), &net);
    }
    assert_eq!(scores(&net), scores(&trained));

    let mut net = mirrored(1);
    net.load(&path)?;
    assert_eq!(scores(&net), scores(&trained));
    let mut net = mirrored(1);
    net.load_rounded(&path)?;
    assert_eq!(scores(&net), scores(&trained));
    let mut net = mirrored(1);
    net.as_mut().copy_from(trained.as_ref())?;
    assert_eq!(scores(&net), scores(&trained));
    let mut net = mirrored(1);
    net.as_mut().lerp(trained.as_ref(), 0.3)?;
    assert!(scores(&net) != before && scores(&net) != scores(&trained));
    is_fresh("lerp", &net);

    let mut net = mirrored(1);
    let (_, gradients) = net.loss_grad(x, ids, one)?;
    is_fresh("gradients", &net);
    Sgd::new(0.1).apply(&mut net, &gradients)?;
    assert!(scores(&net) != before);
    is_fresh("apply", &net);

    let mut ema = Ema::new(mirrored(2), 0.7)?;
    let (mut net, mut sgd) = (mirrored(1), Sgd::new(0.1).momentum(0.9));
    for step in 0..4 {
        net.loss_step(&mut sgd, x, ids, one)?;
        ema.update(&net)?;
        is_fresh(&format!("average {step}"), ema.net());
    }
    // Where training goes on, and its average.
    ema.save_training(&run, &net, &sgd, &Default::default())?;
    let losses = |net: &mut Mirrored, sgd: &mut Sgd| -> Result<Vec<u32>> {
        (0..4).map(|_| Ok(net.loss_step(sgd, x, ids, one)?.get()?.to_bits())).collect()
    };
    let (mut again, mut resumed, mut average) = (mirrored(3), Sgd::new(0.1).momentum(0.9), Ema::new(mirrored(4), 0.7)?);
    average.load_training(&run, &mut again, &mut resumed)?;
    assert_eq!((scores(&again), scores(average.net())), (scores(&net), scores(ema.net())));
    assert_eq!(losses(&mut again, &mut resumed)?, losses(&mut net, &mut sgd)?);
    assert_eq!(scores(&again), scores(&net));
    Ok(())
}

/// A step that is stopped, and a file that does not fit, leave parameters and mirrors.
#[test]
fn what_fails_changes_no_mirror() -> Result<()> {
    let mut net = mirrored(1);
    net.as_mut().stop_on_nan(true);
    let before = scores(&net);
    let [_, ids, one] = &batch(0, 7);
    let x = Array::from_vec(&[7, 40], vec![f32::NAN; 280])?;
    assert!(net.loss_step(&mut Sgd::new(0.1), &x, ids, one).is_err());
    assert_eq!(scores(&net), before);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.safetensors");
    std::fs::write(&path, b"nothing").unwrap();
    assert!(net.load(&path).is_err());
    assert_eq!(scores(&net), before);
    is_fresh("after mistakes", &net);
    Ok(())
}

#[test]
fn threads_read_mirrors_side_by_side() {
    let net = mirrored(1);
    let expected = scores(&net);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(scores(&net), expected)));
        }
    });
}

castnet::check!(Rounded);
