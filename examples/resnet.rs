//! ResNet-20 on Fashion-MNIST.
//!
//! ```sh
//! apt-get install dataset-fashion-mnist
//! cargo run --release --example resnet
//! ```

mod common;

use std::process::ExitCode;

use castnet::data::{Dataset, Examples, FieldMut, FieldType, ImageSet, Normalize, Random};
use castnet::prelude::*;
use castnet::train::{Fit, accuracy};
use common::saving::{Saving, stop};
use common::{BoxError, Options, Result};

network! {
    /// Two 3 × 3 convolutions around a shortcut.
    pub block Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, stride = STRIDE, padding = 1, bias = false);
        bn1:   BatchNorm2d();
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        bn2:   BatchNorm2d();
        down:  if STRIDE != 1 || C != CHANNELS { Conv2d(CHANNELS, kernel_size = 1, stride = STRIDE, bias = false) };

        let y = bn1(conv1(x)).relu();
        let shortcut = if STRIDE != 1 || C != CHANNELS { down(x) } else { x };
        (bn2(conv2(y)) + shortcut).relu()
    }

    /// ResNet-20 for 28 × 28 grey images.
    pub net ResNet20 {
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        bn:     BatchNorm2d();
        stage1: [Residual<16>; 3];
        stage2: [Residual<32, 2>, Residual<32>, Residual<32>];
        stage3: [Residual<64, 2>, Residual<64>, Residual<64>];
        head:   Linear(10);

        /// Class scores, a row an image.
        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            let x = bn(stem(image)).relu();
            let x = stage3(stage2(stage1(x)));
            head(x.mean([2, 3]))
        }

        /// What training minimises.
        pub train fn loss(image: f32[N, 1, 28, 28], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }

        /// The same in mixed precision.
        #[precision(bf16)]
        pub train fn loss_bf16(image: f32[N, 1, 28, 28], class: u8[N]) -> f32 {
            loss(image, class)
        }
    }
}

const FASHION_MNIST: &str = "/usr/share/datasets/fashion-mnist";

const HELP: &str = "\
resnet [options]      train and test ResNet-20

  --data DIR      the folder with Fashion-MNIST's four files [/usr/share/datasets/fashion-mnist, of Debian's dataset-fashion-mnist]
  --epochs N      [8]
  --batch N       images a step [128]
  --lr X          learning rate at its highest; it rises for an epoch and falls to 0 along a cosine [0.2]
  --decay X       weight decay [0.0005]
  --precision P   f32, or bf16: mixed precision [f32]
  --seed N        of the initial weights, the order of the images, and how they are moved [1]
  --threads N     0 for one a processor [0]
  --steps N       stop after so many steps in all
  --save FILE     after each epoch and at Ctrl-C, all that --resume wants [resnet.safetensors]
  --resume FILE   go on from there
";

fn main() -> ExitCode {
    common::main("resnet", HELP, train)
}

fn train(options: &Options) -> Result<()> {
    options.no_words()?;
    let (epochs, steps) = (options.get("epochs", 8)?, options.get("steps", u64::MAX)?);
    let (batch, seed) = (options.get("batch", 128)?, options.get("seed", 1)?);
    let folder = options.path("data").unwrap_or_else(|| FASHION_MNIST.into());
    if !folder.exists() {
        let what =
            "`apt-get install dataset-fashion-mnist` puts it there, or --data names the folder with its four files";
        return Err(format!("{}: Fashion-MNIST is not there; {what}", folder.display()).into());
    }
    let is_mixed = options.is_mixed()?;
    let saving = Saving::new(options, "resnet.safetensors")?;
    let (train, test) = ImageSet::open_mnist(folder)?;
    let normalize = Normalize { mean: 0.2860, std: 0.3530 };
    if train.images.shape()[1..] != [SIDE, SIDE] {
        return Err(format!("the images are {}, expected u8[n, {SIDE}, {SIDE}]", train.images.describe()).into());
    }
    let (train, test) = (Dataset::of(Moved { set: train, normalize })?, test.dataset(normalize)?);

    let mut net = ResNet20::new(&Device::cpu(), seed)?;
    let mut fit = Fit::new(&train, batch)?.epochs(epochs).seed(seed).stop_after(steps).prefetch(2)?;
    let epoch = fit.steps_per_epoch() as u64;
    let schedule = Cosine::new(epochs.saturating_mul(epoch)).warmup(epoch);
    let mut sgd =
        Sgd::new(options.get("lr", 0.2)?).momentum(0.9).weight_decay(options.get("decay", 5e-4)?).schedule(schedule);
    if let Some(path) = options.path("resume") {
        fit.resume(&net.load_training(path, &mut sgd)?)?;
    }
    let mut found = None;
    while fit.next_epoch() {
        while let Some([image, class]) = fit.next_batch()? {
            let loss = match is_mixed {
                true => net.loss_bf16_step(&mut sgd, image, class)?,
                false => net.loss_step(&mut sgd, image, class)?,
            }
            .get()?;
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

/// Images, each moved by up to two pixels in either direction and, one time in two, mirrored.
struct Moved {
    set: ImageSet,
    normalize: Normalize,
}

const SIDE: usize = 28;

impl Examples<2> for Moved {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn fields(&self) -> [FieldType; 2] {
        [FieldType::new::<f32>(&[1, SIDE, SIDE]), FieldType::new::<u8>(&[])]
    }

    fn read(&self, example: usize, random: &mut Random, [image, class]: [FieldMut<'_>; 2]) -> Result<(), BoxError> {
        let from = &self.set.images.as_slice::<u8>()?[example * SIDE * SIDE..][..SIDE * SIDE];
        let (dx, dy, mirror) = (random.below(5), random.below(5), random.below(2) == 1);
        for (i, to) in image.into_slice::<f32>()?.iter_mut().enumerate() {
            // What wraps round below 0 is outside as well.
            let (x, y) = ((i % SIDE + dx).wrapping_sub(2), (i / SIDE + dy).wrapping_sub(2));
            let inside = x < SIDE && y < SIDE;
            let x = if mirror { (SIDE - 1).wrapping_sub(x) } else { x };
            *to = self.normalize.pixel(if inside { from[y * SIDE + x] } else { 0 });
        }
        Ok(class.write(&[self.set.labels.as_slice::<u8>()?[example]])?)
    }
}
