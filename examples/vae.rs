//! A variational autoencoder of MNIST's digits, which then draws digits of its own.
//!
//! ```sh
//! cargo run --release --example vae -- --samples digits.png
//! ```

mod common;

use std::process::ExitCode;

use castnet::data::{Batches, Normalize};
use castnet::image::GreyImage;
use castnet::prelude::*;
use castnet::train::{Fit, Mean};
use common::random::normal;
use common::saving::{Saving, stop, writable};
use common::{Options, Result};

network! {
    /// Kingma and Welling 2014: 784-400-20 and back.
    pub net Vae {
        hidden:  Linear(400);
        mean:    Linear(20);
        log_var: Linear(20);
        decode1: Linear(400);
        decode2: Linear(784);

        /// Logits of pixels.
        fn decode(z: f32[N, 20]) -> f32[N, 784] {
            decode2(decode1(z).relu())
        }

        /// Images from noise.
        pub fn draw(z: f32[N, 20]) -> f32[N, 784] {
            decode(z).sigmoid()
        }

        /// The negative evidence lower bound, nats an image.
        pub train fn loss(image: f32[N, 1, 28, 28]) -> f32 {
            let pixels = image.flatten(1);
            let x = hidden(pixels).relu();
            let [m, v] = [mean(x), log_var(x)];
            let z = m + (0.5 * v).exp() * randn_like(m);
            let likelihood = decode(z).binary_cross_entropy_with_logits(pixels, reduction = "sum");
            let divergence = -0.5 * (1.0 + v - m * m - v.exp()).sum();
            (likelihood + divergence) / N
        }
    }
}

const HELP: &str = "\
vae [options]         train, test, and draw a grid of digits

  --data DIR      the folder with MNIST's four files [examples/data/mnist]
  --epochs N      [5]
  --batch N       images a step [128]
  --lr X          learning rate [0.001]
  --seed N        of weights, order, noise and samples [1]
  --threads N     0 for one a processor [0]
  --steps N       stop after so many steps in all
  --samples FILE  a PNG file of 64 digits that it makes of noise
  --save FILE     after each epoch and at Ctrl-C, all that --resume wants [vae.safetensors]
  --resume FILE   go on from there
";

fn main() -> ExitCode {
    common::main("vae", HELP, train)
}

fn train(options: &Options) -> Result<()> {
    options.no_words()?;
    let seed = options.get("seed", 1)?;
    let saving = Saving::new(options, "vae.safetensors")?;
    let samples = options.path("samples");
    samples.iter().try_for_each(|path| writable(path))?;
    let (train, test) = common::mnist(options, Normalize { mean: 0.0, std: 1.0 })?;
    let mut net = Vae::new(&Device::cpu(), seed)?;
    let mut adam = Adam::new(options.get("lr", 1e-3)?);
    let fit = Fit::new(&train, options.get("batch", 128)?)?.epochs(options.get("epochs", 5)?);
    let mut fit = fit.seed(seed).stop_after(options.get("steps", u64::MAX)?);
    if let Some(path) = options.path("resume") {
        fit.resume(&net.load_training(path, &mut adam)?)?;
    }
    while fit.next_epoch() {
        while let Some([image, _]) = fit.next_batch()? {
            let loss = net.loss_step(&mut adam, image)?.get()?;
            fit.loss(loss);
            if stop() {
                fit.stop();
            }
        }
        net.save_training(saving.path(), &adam, &fit.state())?;
        if stop() {
            fit.report();
            return saving.stopped(adam.state().steps());
        }
        let mut mean = Mean::new();
        let mut batches = Batches::new(&test, 250)?;
        while let Some([image, _]) = batches.next_batch()? {
            mean.add(net.loss(image)?.item::<f32>()?.into(), image.shape()[0] as u64);
        }
        fit.metric("test loss", mean.value());
    }
    println!("saved {}", saving.path().display());
    if let Some(path) = samples {
        let images = net.draw(&normal(&[64, 20], seed)?)?;
        GreyImage::grid(&images, 28, 8)?.write_png(path)?;
    }
    Ok(())
}
