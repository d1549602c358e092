//! LeNet on MNIST: trains, evaluates, saves, resumes, and reads a digit from a PNG file.
//!
//! ```sh
//! cargo run --release --example lenet
//! cargo run --release --example lenet -- predict examples/data/digit-7.png
//! ```

mod common;

use std::path::Path;
use std::process::ExitCode;

use castnet::data::Normalize;
use castnet::image::GreyImage;
use castnet::prelude::*;
use castnet::profiler;
use castnet::train::{Fit, accuracy};
use common::saving::{Saving, stop};
use common::{Options, Result};

network! {
    /// LeNet for 28 × 28 grey images.
    pub net LeNet {
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_size = 5);
        fc1:   Linear(500);
        fc2:   Linear(10);

        /// Class scores, a row an image.
        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            let x = conv1(image).tanh().max_pool2d(2);
            let x = conv2(x).tanh().max_pool2d(2);
            fc2(fc1(x.flatten(1)).tanh())
        }

        /// What training minimises.
        pub train fn loss(image: f32[N, 1, 28, 28], digit: u8[N]) -> f32 {
            scores(image).cross_entropy(digit)
        }
    }
}

const HELP: &str = "\
lenet [options]                           train and test
lenet predict IMAGE.png [--weights FILE]  print the probability of each digit

  --weights FILE  what --save wrote [lenet.safetensors]
  --data DIR      the folder with MNIST's four files [examples/data/mnist]
  --epochs N      [5]
  --batch N       images a step [64]
  --lr X          learning rate at the beginning; it falls to 0 along a cosine [0.05]
  --momentum X    [0.9]
  --seed N        of the initial weights and the order of the images [1]
  --threads N     0 for one a processor [0]
  --steps N       stop after so many steps in all
  --save FILE     after each epoch and at Ctrl-C, all that predict and --resume want [lenet.safetensors]
  --resume FILE   go on from there
  --trace FILE    record what takes how long: a trace for ui.perfetto.dev, and a table
";

fn main() -> ExitCode {
    common::main("lenet", HELP, |options| match &options.words[..] {
        [command, image] if command == "predict" => predict(options, image.as_ref()),
        _ => match options.path("trace") {
            Some(path) => traced(options, &path),
            None => train(options),
        },
    })
}

fn train(options: &Options) -> Result<()> {
    options.no_words()?;
    let (epochs, steps) = (options.get("epochs", 5)?, options.get("steps", u64::MAX)?);
    let (batch, seed) = (options.get("batch", 64)?, options.get("seed", 1)?);
    let saving = Saving::new(options, "lenet.safetensors")?;
    let (train, test) = common::mnist(options, Normalize::MNIST)?;

    let mut net = LeNet::new(&Device::cpu(), seed)?;
    let mut fit = Fit::new(&train, batch)?.epochs(epochs).seed(seed).stop_after(steps).prefetch(2)?;
    let schedule = Cosine::new(epochs.saturating_mul(fit.steps_per_epoch() as u64));
    let mut sgd = Sgd::new(options.get("lr", 0.05)?).momentum(options.get("momentum", 0.9)?).schedule(schedule);
    if let Some(path) = options.path("resume") {
        fit.resume(&net.load_training(path, &mut sgd)?)?;
    }
    let mut found = None;
    while fit.next_epoch() {
        while let Some([image, digit]) = fit.next_batch()? {
            let loss = net.loss_step(&mut sgd, image, digit)?.get()?;
            fit.loss(loss);
            if stop() {
                fit.stop();
            }
        }
        let save = net.save_training_async(saving.path(), &sgd, &fit.state())?;
        if stop() {
            save.wait()?;
            fit.report();
            return saving.stopped(sgd.state().steps());
        }
        let _span = profiler::span("test");
        let right = accuracy(&test, 250, |image| net.scores(image))?;
        fit.metric("test accuracy", right);
        found = Some(right);
        save.wait()?;
    }
    match found {
        Some(right) => println!("test accuracy {right:.4}; saved {}", saving.path().display()),
        None => println!("there is no epoch left to train"),
    }
    Ok(())
}

fn traced(options: &Options, path: &Path) -> Result<()> {
    profiler::start()?;
    let trained = train(options);
    let profile = profiler::stop()?;
    profile.write_trace(path)?;
    println!("{}", profile.table());
    trained
}

fn predict(options: &Options, image: &Path) -> Result<()> {
    let image = GreyImage::read_png(image)?.white_on_black().resize(28, 28)?.to_array(&[1, 1, 28, 28])?;
    let mut net = LeNet::new(&Device::cpu(), 0)?;
    net.load(options.path("weights").unwrap_or("lenet.safetensors".into()))?;
    let scores = net.scores(&Normalize::MNIST.apply(&image)?)?;
    let powers: Vec<f64> = scores.as_slice::<f32>()?.iter().map(|&score| f64::from(score).exp()).collect();
    for (digit, power) in powers.iter().enumerate() {
        println!("{digit}  {:.4}", power / powers.iter().sum::<f64>());
    }
    Ok(())
}
