//! The networks of the goldens (`tests/golden/*.py` has them in PyTorch), of the plans' tests and of the benches.
#![allow(dead_code, unused_imports, missing_docs)] // Each test uses its part.

pub mod classic;
pub mod draw;
pub mod float_types;
pub mod generative;
pub mod golden;
pub mod recurrent;
pub mod sequence;
pub mod vision;

use std::path::Path;

use castnet::prelude::*;
use castnet::{DType, Model, Result};
pub use classic::{LeNet, Mlp, Third};
pub use draw::Numbers;
pub use float_types::{GptSmallF64, LeNetBF16, LeNetF64, LstmClassifierF64};
pub use generative::{GanCritic, GanGenerator, Vae};
pub use golden::Golden;
pub use recurrent::{GruClassifier, LstmClassifier};
pub use sequence::{CharGpt, GptSmall};
pub use vision::{Diffusion, MobileNetV2, MobileNetV2Thin, ResNet20, ResNet20Small, ResNet50, ResNet50Thin, UNet, ViT};

/// What the tests and benches do with every one of them; `batch` is the arguments of the loss.
pub trait Example: AsRef<Model> + AsMut<Model> + Sized {
    /// Of its golden.
    const NAME: &str;
    /// The function that is trained.
    const LOSS: &str;
    /// The net's float type.
    const FLOAT: DType = DType::F32;

    fn create(seed: u64) -> Result<Self>;
    fn explain() -> &'static str;
    fn restore(&mut self, path: &Path) -> Result<()>;
    /// The results of the functions without a loss, by name.
    fn results(&self, batch: &[Array]) -> Result<Vec<(&'static str, Array)>>;
    fn evaluate(&self, batch: &[Array]) -> Result<Array>;
    /// A step; the loss before it.
    fn train(&mut self, optimizer: &mut impl Optimizer, batch: &[Array]) -> Result<f64>;
    fn differentiate(&mut self, batch: &[Array]) -> Result<(Array, Gradients)>;

    /// The result of the first function.
    fn classify(&self, batch: &[Array]) -> Result<Array> {
        Ok(self.results(batch)?.swap_remove(0).1)
    }

    /// Arguments of `n` examples that look random; the same for the same seed.
    fn batch(n: usize, seed: u64) -> Vec<Array> {
        Golden::read(Self::NAME).arguments::<Self>(Some(n), seed)
    }

    /// All parameters, in order.
    fn parameters(&self) -> Vec<(String, Array)> {
        let model = self.as_ref();
        model.parameters().map(|(name, _)| (name.to_string(), model.parameter(name).unwrap())).collect()
    }

    /// The bits of all parameters.
    fn bits(&self) -> Vec<u64> {
        self.parameters().into_iter().flat_map(|(_, array)| floats(&array)).map(f64::to_bits).collect()
    }
}

/// The elements of an array of any float type.
pub fn floats(array: &Array) -> Vec<f64> {
    match array.dtype() {
        DType::F64 => array.as_slice::<f64>().unwrap().to_vec(),
        DType::BF16 => array.as_slice::<castnet::bf16>().unwrap().iter().map(|&x| x.into()).collect(),
        DType::F16 => array.as_slice::<castnet::f16>().unwrap().iter().map(|&x| x.into()).collect(),
        _ => array.as_slice::<f32>().unwrap().iter().map(|&x| x.into()).collect(),
    }
}

/// Reals in the float type of a net; integers stay as they are.
pub fn in_float(array: Array, float: DType) -> Array {
    let shape = array.shape().to_vec();
    match (array.dtype(), float) {
        (DType::F32, DType::F64) => Array::from_vec(&shape, floats(&array)).unwrap(),
        (DType::F32, DType::BF16) => {
            Array::from_vec(&shape, floats(&array).into_iter().map(castnet::bf16::from_f64).collect()).unwrap()
        }
        _ => array,
    }
}

macro_rules! example {
    ($net:ident $(: $float:ident)?, $name:literal, { $($function:ident($($input:literal),*)),* },
     $loss:ident / $step:ident / $grad:ident($($argument:literal),*)) => {
        impl Example for $net {
            const NAME: &str = $name;
            const LOSS: &str = stringify!($loss);
            $(const FLOAT: DType = DType::$float;)?

            fn create(seed: u64) -> Result<Self> {
                $net::new(&Device::cpu(), seed)
            }
            fn explain() -> &'static str {
                $net::explain()
            }
            fn restore(&mut self, path: &Path) -> Result<()> {
                self.load(path)
            }
            fn results(&self, batch: &[Array]) -> Result<Vec<(&'static str, Array)>> {
                Ok(vec![$((stringify!($function), self.$function($(&batch[$input]),*)?)),*])
            }
            fn evaluate(&self, batch: &[Array]) -> Result<Array> {
                self.$loss($(&batch[$argument]),*)
            }
            fn train(&mut self, optimizer: &mut impl Optimizer, batch: &[Array]) -> Result<f64> {
                self.$step(optimizer, $(&batch[$argument]),*)?.get().map(f64::from)
            }
            fn differentiate(&mut self, batch: &[Array]) -> Result<(Array, Gradients)> {
                self.$grad($(&batch[$argument]),*)
            }
        }
    };
}
example!(LeNet, "lenet", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(LeNetF64: F64, "lenet", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(LeNetBF16: BF16, "lenet", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(Mlp, "mlp", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(Third, "third", { scores(0), oddness(0) }, loss / loss_step / loss_grad(0, 1, 2));
example!(ResNet20Small, "resnet20", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(ResNet50Thin, "resnet50", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(MobileNetV2Thin, "mobilenet", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(ResNet20, "resnet20", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(ResNet50, "resnet50", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(MobileNetV2, "mobilenet", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(UNet, "unet", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(ViT, "vit", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(Diffusion, "diffusion", { denoised(0) }, loss / loss_step / loss_grad(0, 1));
example!(GptSmall, "gpt", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(CharGpt, "gpt", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(LstmClassifier, "lstm", { scores(0, 1) }, loss / loss_step / loss_grad(0, 1, 2));
example!(GruClassifier, "gru", { scores(0, 1) }, loss / loss_step / loss_grad(0, 1, 2));
example!(GptSmallF64: F64, "gpt", { scores(0) }, loss / loss_step / loss_grad(0, 1));
example!(LstmClassifierF64: F64, "lstm", { scores(0, 1) }, loss / loss_step / loss_grad(0, 1, 2));
example!(Vae, "vae", { decoded(1) }, loss / loss_step / loss_grad(0, 1));
example!(GanCritic, "gan_critic", { made(1) }, critic_loss / critic_loss_step / critic_loss_grad(0, 1, 2));
example!(GanGenerator, "gan_generator", { made(0) }, generator_loss / generator_loss_step / generator_loss_grad(0));
