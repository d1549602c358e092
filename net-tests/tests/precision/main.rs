//! Mixed precision: what PyTorch's autocast makes of the same networks, what is kept, what parameters get.

#[path = "../../../tests/nets/mod.rs"]
mod nets;
mod odd;
mod training;

use std::collections::BTreeMap;
use std::fs;

use castnet::prelude::*;
use castnet::{Model, check};
use nets::draw::{distance, sketch};
use nets::{Golden, floats};
use safetensors::SafeTensors;

network! {
    /// [`nets::LeNet`].
    pub net LeNet {
        precision: bf16;
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_size = 5);
        fc1:   Linear(500);
        fc2:   Linear(10);

        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            let x = conv1(image).tanh().max_pool2d(2);
            let x = conv2(x).tanh().max_pool2d(2);
            fc2(fc1(x.flatten(1)).tanh())
        }

        pub train fn loss(image: f32[N, 1, 28, 28], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }

        #[precision(f32)]
        pub train fn loss_f32(image: f32[N, 1, 28, 28], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }
}

network! {
    use nets::vision::Residual;

    /// [`nets::ResNet20`], and the smaller one of its golden.
    pub net ResNet<SIZE> {
        precision: bf16;
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        bn:     BatchNorm2d();
        stage1: [Residual<16>; 3];
        stage2: [Residual<32, 2>, Residual<32>, Residual<32>];
        stage3: [Residual<64, 2>, Residual<64>, Residual<64>];
        head:   Linear(10);

        pub fn scores(image: f32[N, 3, SIZE, SIZE]) -> f32[N, 10] {
            let x = bn(stem(image)).relu();
            let x = stage3(stage2(stage1(x)));
            head(x.mean([2, 3]))
        }

        pub train fn loss(image: f32[N, 3, SIZE, SIZE], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }

        #[precision(f32)]
        pub train fn loss_f32(image: f32[N, 3, SIZE, SIZE], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }

    pub net ResNet20 = ResNet<32>;
    pub net ResNet20Small = ResNet<16>;
}

network! {
    use nets::sequence::Encoder;

    /// [`nets::CharGpt`], and the smaller one of its golden.
    pub net Gpt<LAYERS, D, HEADS, VOCAB = 256, CONTEXT = 1024> {
        precision: bf16;
        wte:    Embedding(VOCAB, D);
        wpe:    Embedding(CONTEXT, D);
        layers: [Encoder<HEADS, 1>; LAYERS];
        ln_f:   LayerNorm();
        where T <= CONTEXT;

        pub fn scores(tokens: u32[B, T]) -> f32[B, T, VOCAB] {
            let x = wte(tokens) + wpe(arange(T));
            ln_f(layers(x)).matmul(wte.weight.t())
        }

        pub train fn loss(tokens: u32[B, T], next: u32[B, T]) -> f32 {
            scores(tokens).cross_entropy(next, dim = -1)
        }

        #[precision(f32)]
        pub train fn loss_f32(tokens: u32[B, T], next: u32[B, T]) -> f32 {
            scores(tokens).cross_entropy(next, dim = -1)
        }
    }

    pub net CharGpt = Gpt<4, 256, 4>;
    pub net GptSmall = Gpt<2, 32, 4, VOCAB = 65, CONTEXT = 64>;
}

/// The number of a function.
fn function(model: &Model, name: &str) -> usize {
    model.net().functions.iter().position(|f| f.name == name).unwrap()
}

/// The bytes of the arena of a function's step at these sizes.
fn arena(model: &Model, name: &str, sizes: &[(&str, i64)]) -> i64 {
    let program = model.net().cpu()[function(model, name)].training.as_ref().unwrap();
    program.arena_bytes(&|name| sizes.iter().find(|(known, _)| *known == name).unwrap().1)
}

/// What a step keeps and makes on its way takes little more than half of the room.
#[test]
fn activations_are_halves() {
    let share = |model: &Model, sizes: &[(&str, i64)]| {
        arena(model, "loss", sizes) as f64 / arena(model, "loss_f32", sizes) as f64
    };
    let cpu = Device::cpu();
    let resnet = share(ResNet20::new(&cpu, 1).unwrap().as_ref(), &[("N", 64)]);
    let gpt = share(CharGpt::new(&cpu, 1).unwrap().as_ref(), &[("B", 32), ("T", 128)]);
    println!("activations of bf16 by those of f32: ResNet-20 (N = 64) {resnet:.3}, GPT (B = 32, T = 128) {gpt:.3}");
    assert!(resnet <= 0.6 && gpt <= 0.62, "ResNet-20 {resnet}, GPT {gpt}");
}

/// How far the net is from the golden, in parts of how far f32 is: scores, loss, gradients, in precision and in f32.
fn beside_autocast(name: &str, model: &mut Model) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/precision.safetensors");
    let bytes = fs::read(folder).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let golden: BTreeMap<String, Vec<f64>> = file
        .iter()
        .map(|(key, view)| {
            let elements = view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()));
            (key.to_string(), elements.collect())
        })
        .collect();
    let own = Golden::read(name);
    for (parameter, value) in own.parameters() {
        if model.set_parameter(parameter, &value).is_err() {
            model.set_state(parameter, &value).unwrap();
        }
    }
    let batch = own.batch::<nets::LeNet>();
    let arguments: Vec<&Array> = batch.iter().collect();
    let scores = model.infer(function(model, "scores"), &arguments[..1]).unwrap().remove(0);
    let mut found = BTreeMap::from([("scores".to_string(), floats(&scores))]);
    let (results, gradients) = model.grad(function(model, "loss"), &arguments).unwrap();
    found.insert("loss".into(), floats(&results[0]));
    for parameter in gradients.names() {
        found.insert(format!("grad.{parameter}"), floats(&gradients.parameter(parameter).unwrap()));
    }
    // Rounding another way where sums are near the border between two halves costs as much as rounding at all does, but seldom: most of all
    // that rounding does must be the same.
    let (mut ours, mut theirs, mut far) = ([0.0; 2], [0.0; 2], vec![]);
    for (key, elements) in &found {
        let (expected, single) = (&golden[&format!("{name}.{key}")], &golden[&format!("{name}.f32.{key}")]);
        let (off, norm) = distance(elements.len(), &sketch(elements), expected);
        let (rounding, _) = distance(elements.len(), single, expected);
        println!("{name} {key}: {:.1e} of the norm away, f32 is {:.1e}", off / norm, rounding / norm);
        let group = usize::from(key.starts_with("grad"));
        ours[group] += (off / norm).powi(2);
        theirs[group] += (rounding / norm).powi(2);
        if off > 0.05 * norm {
            far.push(format!("{name} {key} is off by {off}, the norm is {norm}"));
        }
    }
    assert!(far.is_empty(), "{}", far.join("\n"));
    let parts = [0, 1].map(|group| (ours[group] / theirs[group]).sqrt());
    println!(
        "{name}: {:.2} of what rounding does to scores and loss, {:.2} of what it does to gradients",
        parts[0], parts[1]
    );
    assert!(parts[0] < 0.01 && parts[1] < 0.4, "{name} rounds otherwise than autocast: {parts:?}");
}

#[test]
fn halves_are_those_of_autocast() {
    let cpu = Device::cpu();
    beside_autocast("lenet", LeNet::new(&cpu, 1).unwrap().as_mut());
    beside_autocast("resnet20", ResNet20Small::new(&cpu, 1).unwrap().as_mut());
    beside_autocast("gpt", GptSmall::new(&cpu, 1).unwrap().as_mut());
}

/// A gradient of f32 has digits that no half has, and so has what it updates.
#[test]
fn gradients_of_parameters_are_not_rounded() {
    let mut net = GptSmall::new(&Device::cpu(), 3).unwrap();
    let tokens = Array::from_vec(&[2, 8], (0..16u32).collect()).unwrap();
    let (_, gradients) = net.loss_grad(&tokens, &tokens).unwrap();
    for name in gradients.names() {
        let array = gradients.parameter(name).unwrap();
        let elements = array.as_slice::<f32>().unwrap();
        let halves = elements.iter().filter(|x| castnet::bf16::from_f32(**x).to_f32() == **x).count();
        let zeros = elements.iter().filter(|x| **x == 0.0).count();
        assert!(
            halves - zeros < (elements.len() - zeros).div_ceil(4),
            "{name}: {halves} of {} are halves",
            elements.len()
        );
    }
}

mod checked {
    use super::*;

    check!(GptSmall);
}

network! {
    /// Its gradients overflow f16 under the first loss scale, and not under half of it.
    pub net Scaled {
        precision: f16;
        hidden: Linear(8);
        norm:   BatchNorm1d();
        out:    Linear(1);

        pub train fn loss(x: f32[N, 4]) -> f32 {
            out(norm(hidden(x)).relu()).sum()
        }
    }
}

/// What there is to compare after a step, to the bit.
fn all(net: &Scaled) -> Vec<u64> {
    let model = net.as_ref();
    let parameters = model.net().parameters.iter().map(|p| model.parameter(&p.name).unwrap());
    let states = ["norm.running_mean", "norm.running_var"].map(|name| model.state(name).unwrap().unwrap());
    parameters.chain(states).flat_map(|array| floats(&array)).map(f64::to_bits).collect()
}

#[test]
fn an_overflow_of_f16_is_skipped_once() {
    let x = Array::from_vec(&[6, 4], (0..24).map(|i| (i * 7 % 11) as f32 - 5.0).collect()).unwrap();
    let mut net = Scaled::new(&Device::cpu(), 1).unwrap();
    let mut adam = AdamW::new(0.01);
    assert_eq!(net.as_ref().loss_scale("loss"), Some(65536.0));
    let before = all(&net);
    // 65536 is no number of f16.
    assert!(net.loss_step(&mut adam, &x).unwrap().get().unwrap().is_finite());
    assert_eq!(net.as_ref().loss_scale("loss"), Some(32768.0));
    assert_eq!((adam.state().steps(), net.as_ref().steps()), (0, 1));
    assert_eq!(all(&net), before);
    net.loss_step(&mut adam, &x).unwrap();
    assert_eq!(net.as_ref().loss_scale("loss"), Some(32768.0));
    assert_eq!((adam.state().steps(), net.as_ref().steps()), (1, 2));
    assert_ne!(all(&net), before);

    // To the bit, with its scale and how long it has been so.
    let file = tempfile::NamedTempFile::new().unwrap();
    net.save_training(file.path(), &adam, &Default::default()).unwrap();
    let (mut again, mut other) = (Scaled::new(&Device::cpu(), 9).unwrap(), AdamW::new(0.01));
    again.load_training(file.path(), &mut other).unwrap();
    assert_eq!(again.as_ref().loss_scale("loss"), Some(32768.0));
    for _ in 0..3 {
        net.loss_step(&mut adam, &x).unwrap();
        again.loss_step(&mut other, &x).unwrap();
    }
    assert_eq!(all(&net), all(&again));
}

/// Gradients that a person asks for are those of the loss; those that overflowed update nothing.
#[test]
fn gradients_of_f16_are_unscaled() {
    let x = Array::from_vec(&[6, 4], (0..24).map(|i| (i * 7 % 11) as f32 - 5.0).collect()).unwrap();
    let mut net = Scaled::new(&Device::cpu(), 1).unwrap();
    let mut sgd = Sgd::new(0.1);
    let (_, lost) = net.loss_grad(&x).unwrap();
    assert!(lost.overflowed());
    let before = all(&net);
    sgd.apply(&mut net, &lost).unwrap();
    assert_eq!((all(&net), sgd.state().steps()), (before, 0));
    let (_, gradients) = net.loss_grad(&x).unwrap();
    assert!(!gradients.overflowed());
    // The loss is a sum over six.
    assert_eq!(gradients.parameter("out.bias").unwrap().as_slice::<f32>().unwrap(), [6.0]);
    sgd.apply(&mut net, &gradients).unwrap();
    assert_eq!(sgd.state().steps(), 1);
}
