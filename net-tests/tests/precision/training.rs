//! What training comes to, in mixed precision and in f32.

use std::path::PathBuf;

use castnet::data::{Batches, ImageSet, Normalize, Text};
use castnet::prelude::*;
use castnet::train::{Fit, Mean, accuracy};

use crate::GptSmall;

network! {
    use crate::nets::vision::Residual;

    /// Three residual blocks for digits.
    pub net ResNet8 {
        precision: bf16;
        stem:   Conv2d(8, kernel_size = 3, padding = 1, bias = false);
        bn:     BatchNorm2d();
        blocks: [Residual<8>, Residual<16, 2>, Residual<32, 2>];
        head:   Linear(10);

        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            head(blocks(bn(stem(image)).relu()).mean([2, 3]))
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

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(name)
}

/// Windows of the validation text that are looked at.
const WINDOWS: usize = 256;
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// The validation loss after 400 steps, nats a character.
fn gpt(text: &[castnet::data::Dataset<2>; 2], seed: u64, mixed: bool) -> f64 {
    let mut net = GptSmall::new(&Device::cpu(), seed).unwrap();
    let mut adam = AdamW::new(3e-3).weight_decay(0.1).clip_norm(1.0).schedule(Cosine::new(400).warmup(40).least(0.1));
    let mut fit = Fit::new(&text[0], 16).unwrap().epochs(1).seed(seed).stop_after(400);
    fit.next_epoch();
    while let Some([tokens, next]) = fit.next_batch().unwrap() {
        let loss = match mixed {
            true => net.loss_step(&mut adam, tokens, next),
            false => net.loss_f32_step(&mut adam, tokens, next),
        };
        fit.loss(loss.unwrap().get().unwrap());
    }
    let (mut mean, mut batches) = (Mean::new(), Batches::new(&text[1], 64).unwrap());
    for _ in 0..WINDOWS / 64 {
        let Some([tokens, next]) = batches.next_batch().unwrap() else { break };
        let loss = if mixed { net.loss(tokens, next) } else { net.loss_f32(tokens, next) };
        mean.add(loss.unwrap().item::<f32>().unwrap().into(), 1);
    }
    mean.value()
}

/// The same parameters to begin with, the same windows: what halves change is less than what another seed does.
#[test]
fn a_gpt_learns_as_much() {
    let (train, validation) = Text::read(data("bible-kjv.txt.gz")).unwrap().split(0.1).unwrap();
    let text = [train.windows(32).unwrap(), validation.windows(32).unwrap()];
    let [mixed, single] = [true, false].map(|mixed| SEEDS.map(|seed| gpt(&text, seed, mixed)));
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let noise = (single.iter().map(|x| (x - mean(&single)).powi(2)).sum::<f64>() / (SEEDS.len() - 1) as f64).sqrt();
    let difference = mean(&mixed) - mean(&single);
    println!(
        "validation loss: bf16 {mixed:.4?}, f32 {single:.4?}: {difference:+.4} apart, from seed to seed {noise:.4}"
    );
    assert!(mean(&single) < 2.4, "{single:?}");
    assert!(difference <= noise, "{difference} is more than {noise}");
}

/// The share of the test digits that is right after an epoch.
fn resnet(mixed: bool) -> f64 {
    let (train, test) = ImageSet::open_mnist(data("mnist")).unwrap();
    let (train, test) = (train.dataset(Normalize::MNIST).unwrap(), test.dataset(Normalize::MNIST).unwrap());
    let mut net = ResNet8::new(&Device::cpu(), 1).unwrap();
    let mut sgd = Sgd::new(0.1).momentum(0.9).weight_decay(5e-4).schedule(Cosine::new(200).warmup(20));
    let mut fit = Fit::new(&train, 64).unwrap().epochs(1).seed(1).stop_after(200);
    fit.next_epoch();
    while let Some([image, class]) = fit.next_batch().unwrap() {
        let loss = match mixed {
            true => net.loss_step(&mut sgd, image, class),
            false => net.loss_f32_step(&mut sgd, image, class),
        };
        fit.loss(loss.unwrap().get().unwrap());
    }
    accuracy(&test, 250, |image| net.scores(image)).unwrap()
}

#[test]
fn a_resnet_learns_as_much() {
    let [mixed, single] = [true, false].map(resnet);
    println!("test images right: bf16 {mixed:.4}, f32 {single:.4}");
    assert!(single > 0.95 && mixed >= single - 0.005, "bf16 {mixed}, f32 {single}");
}
