//! A GAN of MNIST's digits: two `train fn`s, and a penalty on a gradient.
//!
//! ```sh
//! cargo run --release --example gan -- --samples digits.png
//! ```

mod common;

use std::path::Path;
use std::process::ExitCode;

use castnet::data::Normalize;
use castnet::image::GreyImage;
use castnet::prelude::*;
use castnet::train::{Fit, Mean};
use common::random::{normal, uniform};
use common::saving::{Saving, stop, writable};
use common::{Options, Result};

network! {
    /// Noise to an image, by transposed convolutions.
    pub block Generator(z: f32[N, 64]) -> f32[N, 1, 28, 28] {
        fc:  Linear(64 * 7 * 7);
        up1: ConvTranspose2d(32, kernel_size = 4, stride = 2, padding = 1);
        up2: ConvTranspose2d(1, kernel_size = 4, stride = 2, padding = 1);

        let x = fc(z).relu().reshape([N, 64, 7, 7]);
        up2(up1(x).relu()).tanh()
    }

    /// How real an image looks: a score, without norms, since its gradient is taken an image at a time.
    pub block Critic(image: f32[N, 1, 28, 28]) -> f32[N, 1] {
        conv1: Conv2d(32, kernel_size = 4, stride = 2, padding = 1);
        conv2: Conv2d(64, kernel_size = 4, stride = 2, padding = 1);
        fc:    Linear(1);

        let x = conv2(conv1(image).silu()).silu();
        fc(x.flatten(1))
    }

    /// A Wasserstein GAN with gradient penalty (Gulrajani and others 2017).
    pub net Gan {
        generator: Generator;
        critic:    Critic;

        /// Images from noise, in -1 to 1.
        pub fn made(noise: f32[N, 64]) -> f32[N, 1, 28, 28] {
            generator(noise)
        }

        /// The generator wants high scores.
        pub train[generator] fn deceive(noise: f32[N, 64]) -> f32 {
            -critic(generator(noise)).mean()
        }

        /// The critic wants to tell the images apart, with a slope of 1 between them.
        pub train[critic] fn judge(image: f32[N, 1, 28, 28], noise: f32[N, 64], mix: f32[N, 1, 1, 1]) -> f32 {
            let fake = generator(noise);
            let between = mix * image + (1.0 - mix) * fake;
            let [slope] = grad(critic(between).sum(), [between]);
            let norm = (slope.flatten(1).pow(2).sum(1) + 1e-12).sqrt();
            let penalty = (norm - 1.0).pow(2).mean();
            critic(fake).mean() - critic(image).mean() + 10.0 * penalty
        }
    }
}

const HELP: &str = "\
gan [options]                        train, and draw a grid of digits after each epoch
gan draw GRID.png [--weights FILE]   draw one

  --weights FILE  what --save wrote [gan.safetensors]
  --data DIR      the folder with MNIST's four files [examples/data/mnist]
  --epochs N      [10]
  --batch N       images a step [64]
  --lr X          learning rate of both [0.0002]
  --critic N      steps of the critic for one of the generator [3]
  --seed N        of weights, order and noise [1]
  --threads N     0 for one a processor [0]
  --steps N       stop after so many steps of the critic in all
  --samples FILE  a PNG file of 64 digits
  --save FILE     after each epoch and at Ctrl-C, the weights that draw wants [gan.safetensors]
";

fn main() -> ExitCode {
    common::main("gan", HELP, |options| match &options.words[..] {
        [command, grid] if command == "draw" => {
            let mut net = Gan::new(&Device::cpu(), 0)?;
            net.load(options.path("weights").unwrap_or("gan.safetensors".into()))?;
            draw(&net, options.get("seed", 1)?, grid.as_ref())
        }
        _ => train(options),
    })
}

fn train(options: &Options) -> Result<()> {
    options.no_words()?;
    let (seed, turns) = (options.get("seed", 1)?, options.get("critic", 3u64)?.max(1));
    let saving = Saving::new(options, "gan.safetensors")?;
    let samples = options.path("samples");
    samples.iter().try_for_each(|path| writable(path))?;
    let (images, _) = common::mnist(options, Normalize { mean: 0.5, std: 0.5 })?;
    let mut net = Gan::new(&Device::cpu(), seed)?;
    let adam = |lr| Adam::new(lr).betas(0.5, 0.9);
    let lr = options.get("lr", 2e-4)?;
    let (mut of_generator, mut of_critic) = (adam(lr), adam(lr));
    let fit = Fit::new(&images, options.get("batch", 64)?)?.epochs(options.get("epochs", 10)?);
    let mut fit = fit.seed(seed).stop_after(options.get("steps", u64::MAX)?);
    let mut step = 0;
    while fit.next_epoch() {
        let mut scores = Mean::new();
        while let Some([image, _]) = fit.next_batch()? {
            let n = image.shape()[0];
            step += 1;
            let noise = normal(&[n, 64], seed ^ step << 20)?;
            let mix = uniform(&[n, 1, 1, 1], seed ^ step << 20)?;
            let loss = net.judge_step(&mut of_critic, image, &noise, &mix)?.get()?;
            fit.loss(loss);
            if step % turns == 0 {
                let loss = net.deceive_step(&mut of_generator, &noise)?.get()?;
                scores.add(loss.into(), 1);
            }
            if stop() {
                fit.stop();
            }
        }
        if scores.count() > 0 {
            fit.metric("generator's loss", scores.value());
        }
        net.save(saving.path())?;
        if let Some(path) = &samples {
            draw(&net, seed, path)?;
        }
    }
    println!("{}saved {}", if stop() { "stopped; " } else { "" }, saving.path().display());
    Ok(())
}

/// A grid of 64 digits.
fn draw(net: &Gan, seed: u64, path: &Path) -> Result<()> {
    let made = net.made(&normal(&[64, 64], seed)?)?;
    let values = made.as_slice::<f32>()?.iter().map(|x| 0.5 + 0.5 * x).collect();
    Ok(GreyImage::grid(&Array::from_vec(made.shape(), values)?, 28, 8)?.write_png(path)?)
}
