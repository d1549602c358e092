//! LeNet on MNIST: trains, evaluates, saves, resumes, and reads a digit from a PNG file.
//!
//! ```sh
//! cargo run --release --example lenet -- --save lenet.safetensors
//! cargo run --release --example lenet -- predict examples/data/digit-7.png --weights lenet.safetensors
//! ```

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use castnet::data::{ImageSet, Normalize};
use castnet::image::GreyImage;
use castnet::prelude::*;
use castnet::train::{Fit, accuracy};
use lexopt::prelude::*;

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

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = BoxError> = std::result::Result<T, E>;

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
  --save FILE     after each epoch, all that predict and --resume want
  --resume FILE   go on from there
";

fn main() -> ExitCode {
    let result = Options::parse().and_then(|options| match &options.image {
        Some(image) => predict(&options, image),
        None => train(&options),
    });
    if let Err(error) = &result {
        eprintln!("lenet: {error}");
    }
    ExitCode::from(u8::from(result.is_err()))
}

fn train(options: &Options) -> Result<()> {
    castnet::set_threads(options.get("threads", 0)?);
    let (epochs, steps) = (options.get("epochs", 5)?, options.get("steps", u64::MAX)?);
    let (batch, seed) = (options.get("batch", 64)?, options.get("seed", 1)?);
    let folder = options.path("data").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/mnist").into());
    let (train, test) = ImageSet::open_mnist(folder)?;
    let (train, test) = (train.dataset(Normalize::MNIST)?, test.dataset(Normalize::MNIST)?);

    let mut net = LeNet::new(&Device::cpu(), seed)?;
    let mut fit = Fit::new(&train, batch)?.epochs(epochs).seed(seed).stop_after(steps);
    let schedule = Cosine::new(epochs.saturating_mul(fit.steps_per_epoch() as u64));
    let mut sgd = Sgd::new(options.get("lr", 0.05)?).momentum(options.get("momentum", 0.9)?).schedule(schedule);
    if let Some(path) = options.path("resume") {
        fit.resume(&net.load_training(path, &mut sgd)?)?;
    }
    while fit.next_epoch() {
        while let Some([image, digit]) = fit.next_batch()? {
            let loss = net.loss_step(&mut sgd, image, digit)?.get()?;
            fit.loss(loss);
        }
        fit.metric("test accuracy", accuracy(&test, 250, |image| net.scores(image))?);
        if let Some(path) = options.path("save") {
            net.save_training(path, &sgd, &fit.state())?;
        }
    }
    println!("test accuracy {:.4}", accuracy(&test, 250, |image| net.scores(image))?);
    Ok(())
}

fn predict(options: &Options, image: &Path) -> Result<()> {
    let image = GreyImage::read_png(image)?.white_on_black().resize(28, 28).to_array(&[1, 1, 28, 28])?;
    let mut net = LeNet::new(&Device::cpu(), 0)?;
    net.load(options.path("weights").unwrap_or("lenet.safetensors".into()))?;
    let scores = net.scores(&Normalize::MNIST.apply(&image)?)?;
    let powers: Vec<f64> = scores.as_slice::<f32>()?.iter().map(|&score| f64::from(score).exp()).collect();
    for (digit, power) in powers.iter().enumerate() {
        println!("{digit}  {:.4}", power / powers.iter().sum::<f64>());
    }
    Ok(())
}

/// The command line; which options there are, `HELP` says.
#[derive(Default)]
struct Options {
    image: Option<PathBuf>,
    given: HashMap<String, OsString>,
}

impl Options {
    fn parse() -> Result<Options> {
        let mut options = Options::default();
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("help") | Short('h') => {
                    print!("{HELP}");
                    std::process::exit(0);
                }
                Long(name) if HELP.contains(&format!("  --{name} ")) => {
                    options.given.insert(name.to_string(), args.value()?);
                }
                Value(v) if v == "predict" && options.image.is_none() => options.image = Some(args.value()?.into()),
                _ => return Err(format!("{}; --help lists the options", arg.unexpected()).into()),
            }
        }
        Ok(options)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.given.get(name).map(PathBuf::from)
    }

    fn get<T: FromStr<Err: Into<BoxError>>>(&self, name: &str, default: T) -> Result<T> {
        let value = self.given.get(name).map(|value| value.parse().map_err(|error| format!("--{name}: {error}")));
        Ok(value.unwrap_or(Ok(default))?)
    }
}
