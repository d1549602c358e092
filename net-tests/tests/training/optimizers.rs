//! Each parameter has its own count of updates, and the optimizer may be chosen while the program runs.

use castnet::prelude::*;
use castnet::{Result, optimizer};

network! {
    /// Two parameters, reached apart or together.
    pub net Two {
        param a: f32[1] = ones;
        param b: f32[1] = ones;
        pub train[a] fn first(s: f32) -> f32 { (a * s).sum() }
        pub train[b] fn second(s: f32) -> f32 { (b * b * s).sum() }
        pub train fn both(s: f32) -> f32 { (a * s).sum() + (b * b * s).sum() }
    }
}

/// Which function, and by what the gradient is scaled.
const STEPS: [(char, f32); 7] = [('a', 0.5), ('a', -1.0), ('b', 0.5), ('a', 2.0), ('b', -1.5), ('2', 0.25), ('b', 1.0)];

fn step(net: &mut Two, optimizer: &mut dyn Optimizer, (which, s): (char, f32)) -> Result<()> {
    let s = Array::scalar(s);
    match which {
        'a' => net.first_step(optimizer, &s),
        'b' => net.second_step(optimizer, &s),
        _ => net.both_step(optimizer, &s),
    }
    .map(|_| ())
}

/// The same by gradients at hand.
fn apply(net: &mut Two, optimizer: &mut dyn Optimizer, (which, s): (char, f32)) -> Result<()> {
    let s = Array::scalar(s);
    let (_, gradients) = match which {
        'a' => net.first_grad(&s),
        'b' => net.second_grad(&s),
        _ => net.both_grad(&s),
    }?;
    optimizer.apply(net, &gradients)
}

fn values(net: &Two) -> [f32; 2] {
    ["a", "b"].map(|name| net.parameter(name).unwrap().item().unwrap())
}

/// By PyTorch 2.15: `torch.optim` over the same steps, `zero_grad(set_to_none = True)` between them.
fn cases() -> Vec<(Box<dyn Optimizer>, [f32; 2])> {
    vec![
        (Box::new(Adam::new(0.01)), [0.985_416_5, 0.996_477_2]),
        (Box::new(Adam::new(0.01).betas(0.8, 0.9).weight_decay(0.1)), [0.982_984_5, 0.994_934_2]),
        (Box::new(AdamW::new(0.01)), [0.985_019_15, 0.996_079]),
        (Box::new(Sgd::new(0.01).momentum(0.9).dampening(0.5)), [0.976_105_03, 0.991_136_97]),
        (Box::new(Sgd::new(0.01).momentum(0.9).nesterov(true).weight_decay(0.1)), [0.942_925_9, 0.994_953_04]),
    ]
}

fn close(found: [f32; 2], expected: [f32; 2], what: &str) {
    let near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6);
    assert!(near, "{what}: {found:?}, PyTorch has {expected:?}");
}

#[test]
fn steps_are_counted_for_each_parameter() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.safetensors");
    for way in [step, apply] {
        for ((mut optimizer, expected), (mut other, _)) in cases().into_iter().zip(cases()) {
            let name = optimizer.name();
            let mut net = Two::new(&Device::cpu(), 1)?;
            STEPS.into_iter().try_for_each(|s| way(&mut net, &mut optimizer, s))?;
            close(values(&net), expected, name);
            assert_eq!((optimizer.state().steps(), optimizer.state().parameter_steps()), (7, &[4, 4][..]));

            // Stopped after three steps, and gone on with.
            let mut net = Two::new(&Device::cpu(), 1)?;
            STEPS[..3].iter().try_for_each(|s| way(&mut net, &mut other, *s))?;
            net.save_training(&path, &*other, &Default::default())?;
            let (mut resumed, (mut fresh, _)) = (
                Two::new(&Device::cpu(), 2)?,
                cases().into_iter().find(|(o, _)| o.settings() == other.settings() && o.name() == name).unwrap(),
            );
            resumed.load_training(&path, &mut *fresh)?;
            assert_eq!(fresh.state().parameter_steps(), [2, 1]);
            STEPS[3..].iter().try_for_each(|s| way(&mut resumed, &mut fresh, *s))?;
            close(values(&resumed), expected, name);
        }
    }
    Ok(())
}

/// A user's own optimizer notes the steps that it is told.
#[derive(Default)]
struct Told(optimizer::State, std::sync::Mutex<Vec<u64>>);

impl Optimizer for Told {
    fn name(&self) -> &'static str {
        "Told"
    }
    fn rule(&self) -> optimizer::Rule<'_> {
        optimizer::Rule::Slices { states: &[], f32: self, f64: None }
    }
    fn begin(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> &optimizer::State {
        &self.0
    }
    fn state_mut(&mut self) -> &mut optimizer::State {
        &mut self.0
    }
}

impl optimizer::UpdateSlices<f32> for Told {
    fn update(&self, _: optimizer::Factors, step: u64, _: &mut [f32], _: &[f32], _: &mut [&mut [f32]]) {
        self.1.lock().unwrap().push(step);
    }
}

#[test]
fn an_optimizer_of_ones_own_is_told_the_step_of_each_parameter() -> Result<()> {
    let (mut net, mut told) = (Two::new(&Device::cpu(), 1)?, Told::default());
    for s in STEPS {
        step(&mut net, &mut told, s)?;
    }
    let mut steps = told.1.into_inner().unwrap();
    // Both parameters in the sixth step, in any order.
    steps[5..7].sort();
    assert_eq!(steps, [1, 2, 1, 3, 2, 3, 4, 4]);
    Ok(())
}
