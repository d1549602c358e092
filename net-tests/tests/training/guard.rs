//! `stop_on_nan`: nothing is updated by a loss or a gradient that is not finite.

use castnet::prelude::*;
use castnet::{Error, Result};

network! {
    /// Its loss is finite where the gradient of `x` is 0 / 0: at x = 0.
    pub net Root {
        param y: f32[1] = ones;
        param x: f32[3] = zeros;
        state calls: f32 = zeros;
        pub train fn loss(s: f32) -> f32 {
            calls = calls + 1.0;
            (x * x).sum().sqrt() + (y * s).sum()
        }
    }
}

/// Everything that a step may change.
fn all(net: &Root, optimizer: &dyn Optimizer) -> String {
    let state = optimizer.state();
    let (x, y, calls) = (net.parameter("x"), net.parameter("y"), net.state("calls"));
    format!("{x:?} {y:?} {calls:?} {} {:?}", state.steps(), state.parameter_steps())
}

fn optimizers() -> Vec<Box<dyn Optimizer>> {
    vec![
        Box::new(Sgd::new(0.1)),
        Box::new(Sgd::new(0.1).momentum(0.9).clip_norm(1.0)),
        Box::new(AdamW::new(0.1)),
        Box::new(AdamW::new(0.1).clip_norm(1.0)),
    ]
}

#[test]
fn a_gradient_that_is_not_finite_updates_nothing() -> Result<()> {
    for mut optimizer in optimizers() {
        let mut net = Root::new(&Device::cpu(), 1)?;
        net.stop_on_nan(true);
        let one = Array::scalar(1.0f32);
        // A step before, so that the optimizer has a state to lose.
        net.set_parameter("x", &Array::from_vec(&[3], vec![1.0f32, 2.0, 2.0])?)?;
        net.loss_step(&mut optimizer, &one)?;
        net.set_parameter("x", &Array::zeros::<f32>(&[3]))?;

        let before = all(&net, &optimizer);
        let error = net.loss_step(&mut optimizer, &one).unwrap_err();
        let Error::GradientNotFinite { parameter, step: 2, place: Some(place), .. } = &error else { panic!("{error}") };
        assert_eq!((parameter.as_str(), place.contains("guard.rs:")), ("x", true), "{error}");
        assert!(error.to_string().starts_with("Root: the gradient of `x` in step 2 is NaN at element 0; "), "{error}");
        assert_eq!(all(&net, &optimizer), before.clone(), "a step");

        // The same by gradients at hand; the call of `loss_grad` advances the states.
        let (_, gradients) = net.loss_grad(&one)?;
        let before = all(&net, &optimizer);
        let error = optimizer.apply(&mut net, &gradients).unwrap_err();
        assert_eq!(error.to_string(), "Root: the gradient of `x` in step 2 is NaN at element 0");
        assert_eq!(all(&net, &optimizer), before, "apply");

        // A loss that is not finite is told as such.
        let error = net.loss_step(&mut optimizer, &Array::scalar(f32::INFINITY)).unwrap_err();
        assert!(matches!(error, Error::NotFinite { .. }), "{error}");
        assert_eq!(all(&net, &optimizer), before, "the loss");

        // And what is finite goes on.
        net.set_parameter("x", &Array::from_vec(&[3], vec![1.0f32, 2.0, 2.0])?)?;
        net.loss_step(&mut optimizer, &one)?;
        assert_eq!(optimizer.state().steps(), 2);
    }
    Ok(())
}

#[test]
fn the_guard_changes_no_bit_of_what_is_finite() -> Result<()> {
    for (mut free, mut guarded) in optimizers().into_iter().zip(optimizers()) {
        let mut nets = [Root::new(&Device::cpu(), 1)?, Root::new(&Device::cpu(), 1)?];
        nets[1].stop_on_nan(true);
        for net in &mut nets {
            net.set_parameter("x", &Array::from_vec(&[3], vec![1.0f32, 2.0, 2.0])?)?;
        }
        for i in 0..5 {
            let s = Array::scalar(i as f32 - 1.5);
            let [first, second] = &mut nets;
            first.loss_step(&mut free, &s)?;
            second.loss_step(&mut guarded, &s)?;
        }
        assert_eq!(all(&nets[0], &free), all(&nets[1], &guarded));
    }
    Ok(())
}
