//! Norms in training need more than one value a channel: an error before anything runs, at build time where it is known.

use castnet::Result;
use castnet::data::{Dataset, Field};
use castnet::prelude::*;
use castnet::train::Fit;

network! {
    pub net Vectors {
        fc: Linear(4);
        bn: BatchNorm1d();
        pub fn apply(x: f32[N, 2]) -> f32[N, 4] { bn(fc(x)) }
        pub train fn loss(x: f32[N, 2]) -> f32 { (bn(fc(x)) - 1.0).square().sum() }
    }

    pub net Images {
        conv: Conv2d(4, kernel_size = 1);
        bn:   BatchNorm2d();
        pub train fn loss(x: f32[N, 1, H, W]) -> f32 { bn(conv(x)).square().sum() }
    }

    pub net Instances {
        conv: Conv2d(4, kernel_size = 1);
        norm: InstanceNorm2d();
        pub train fn loss(x: f32[N, 1, H, W]) -> f32 { norm(conv(x)).square().sum() }
    }

    pub net Groups {
        conv: Conv2d(4, kernel_size = 1);
        norm: GroupNorm(4);
        pub train fn loss(x: f32[N, 1, H, W]) -> f32 { norm(conv(x)).square().sum() }
    }

    /// Two channels a group are two values: always enough.
    pub net Pairs {
        conv: Conv2d(4, kernel_size = 1);
        norm: GroupNorm(2);
        pub train fn loss(x: f32[N, 1, H, W]) -> f32 { norm(conv(x)).square().sum() }
    }
}

#[test]
fn one_value_a_channel_is_an_error_and_changes_nothing() -> Result<()> {
    let mut sgd = Sgd::new(0.1);
    let mut net = Vectors::new(&Device::cpu(), 1)?;
    net.loss_step(&mut sgd, &Array::zeros::<f32>(&[2, 2]))?;
    let all = |net: &Vectors| {
        ["fc.weight", "bn.bias"].map(|p| net.parameter(p).unwrap()).map(|a| format!("{a:?}")).join("")
            + &["bn.running_var", "bn.num_batches_tracked"].map(|s| format!("{:?}", net.state(s))).join("")
    };
    let before = all(&net);
    let one = Array::from_vec(&[1, 2], vec![1.0f32, 2.0])?;
    let error = net.loss_step(&mut sgd, &one).unwrap_err().to_string();
    assert!(error.starts_with("Vectors.loss: N = 1 breaks the rule `N >= 2`: bn ("), "{error}");
    let help = "needs more than one value a channel for mean and variance; give it larger batches, or leave a short last \
                one out (`Fit::drop_last`)";
    assert!(error.contains("single_values.rs:") && error.ends_with(help), "{error}");
    assert!(net.loss_grad(&one).is_err());
    assert_eq!(all(&net), before);
    // By running statistics one example is enough.
    assert_eq!(net.apply(&one)?.shape(), [1, 4]);
    net.loss(&one)?;
    Ok(())
}

#[test]
fn what_is_counted_is_what_a_norm_takes_together() -> Result<()> {
    fn run<N>(
        make: fn(&Device, u64) -> Result<N>,
        step: fn(&mut N, &mut Sgd, &Array) -> Result<Loss>,
        shape: [usize; 3],
    ) -> bool {
        let [n, h, w] = shape;
        let mut net = make(&Device::cpu(), 1).unwrap();
        step(&mut net, &mut Sgd::new(0.1), &Array::zeros::<f32>(&[n, 1, h, w])).is_ok()
    }
    // By PyTorch's rule, but for groups, where it looks at all images together.
    for (shape, batch, each) in
        [([1, 1, 1], false, false), ([2, 1, 1], true, false), ([1, 1, 2], true, true), ([1, 2, 1], true, true)]
    {
        assert_eq!(run(Images::new, |n, o, x| n.loss_step(o, x), shape), batch, "batch norm of {shape:?}");
        assert_eq!(run(Instances::new, |n, o, x| n.loss_step(o, x), shape), each, "instance norm of {shape:?}");
        assert_eq!(run(Groups::new, |n, o, x| n.loss_step(o, x), shape), each, "group norm of {shape:?}");
        assert!(run(Pairs::new, |n, o, x| n.loss_step(o, x), shape), "two channels a group, {shape:?}");
    }
    Ok(())
}

#[test]
fn fit_leaves_a_short_batch_out() -> Result<()> {
    let data = Dataset::new([Field::new(Array::from_vec(&[9, 2], (0..18).map(|i| (i as f32).sin()).collect())?)])?;
    let (mut net, mut sgd) = (Vectors::new(&Device::cpu(), 1)?, Sgd::new(0.1));
    let mut fit = Fit::new(&data, 4)?.epochs(3).drop_last().progress(false);
    assert_eq!(fit.steps_per_epoch(), 2);
    let mut steps = 0;
    while fit.next_epoch() {
        while let Some([x]) = fit.next_batch()? {
            assert_eq!(x.shape(), [4, 2]);
            net.loss_step(&mut sgd, x)?;
            steps += 1;
        }
    }
    assert_eq!(steps, 6);

    // Resumed amid an epoch it is the same choice; a file without it is of a run that kept the last batch.
    let begin = || Fit::new(&data, 4).map(|fit| fit.epochs(2).progress(false));
    let mut first = begin()?.drop_last();
    assert!(first.next_epoch() && first.next_batch()?.is_some());
    let mut state = first.state();
    begin()?.drop_last().resume(&state)?;
    let error = begin()?.resume(&state).unwrap_err().to_string();
    assert!(error.contains("`drop_last` (1) or not (0): 0, but the checkpoint was made with 1"), "{error}");
    state.remove("fit.drop_last");
    begin()?.resume(&state)?;

    let mut none = Fit::new(&data, 16)?.drop_last().progress(false);
    assert!(none.next_epoch());
    let error = none.next_batch().unwrap_err().to_string();
    assert_eq!(error, "`drop_last` leaves nothing to train on: 9 examples make no batch of 16");
    Ok(())
}
