//! The networks of the goldens (`tests/golden/nets.py` has them in PyTorch) and of the benches.
#![allow(dead_code, missing_docs)] // Each test uses its part.

use castnet::prelude::*;
use castnet::{Model, Result};

network! {
    /// Two tanh convolutions with max pooling, two linear layers.
    pub net LeNet {
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
    }
}

network! {
    /// 784-512-512-10 with ReLU.
    pub net Mlp {
        fc1: Linear(512);
        fc2: Linear(512);
        fc3: Linear(10);

        pub fn scores(image: f32[N, 784]) -> f32[N, 10] {
            fc3(fc2(fc1(image).relu()).relu())
        }

        pub train fn loss(image: f32[N, 784], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }
}

network! {
    /// Odd channel counts, a strided and a padded convolution, exact GELU, average pooling and two heads.
    pub net Third {
        conv1:  Conv2d(7, kernel_size = 3, padding = 1);
        conv2:  Conv2d(33, kernel_size = 3, stride = 2, padding = 1);
        conv3:  Conv2d(50, kernel_size = 3);
        digit:  Linear(10);
        parity: Linear(1);

        fn features(image: f32[N, 1, 28, 28]) -> f32[N, 1250] {
            let x = conv1(image).gelu();
            let x = conv2(x).gelu().avg_pool2d(2);
            conv3(x).gelu().flatten(1)
        }

        pub fn scores(image: f32[N, 1, 28, 28]) -> f32[N, 10] {
            digit(features(image))
        }

        pub fn oddness(image: f32[N, 1, 28, 28]) -> f32[N, 1] {
            parity(features(image))
        }

        pub train fn loss(image: f32[N, 1, 28, 28], class: u8[N], odd: f32[N, 1]) -> f32 {
            scores(image).cross_entropy(class) + 0.5 * oddness(image).mse_loss(odd)
        }
    }
}

/// What the tests and benches do with every one of them; `batch` is image, class and, for the third net, parity.
pub trait Example: AsRef<Model> + AsMut<Model> + Sized {
    const NAME: &str;
    /// Of one image.
    const IMAGE: &[usize];
    const HAS_PARITY: bool = false;

    fn create(seed: u64) -> Result<Self>;
    fn restore(&mut self, path: &std::path::Path) -> Result<()>;
    fn classify(&self, image: &Array) -> Result<Array>;
    fn evaluate(&self, batch: &[Array]) -> Result<Array>;
    fn train(&mut self, optimizer: &mut impl Optimizer, batch: &[Array]) -> Result<Loss>;
    fn differentiate(&mut self, batch: &[Array]) -> Result<(Array, Gradients)>;

    /// `n` images that look random, in [0, 1), with classes; the same for the same seed.
    fn batch(n: usize, seed: u64) -> Vec<Array> {
        let mut numbers = Numbers(seed);
        let shape: Vec<usize> = [n].iter().chain(Self::IMAGE).copied().collect();
        let image = (0..shape.iter().product()).map(|_| numbers.unit()).collect();
        let class: Vec<u8> = (0..n).map(|_| (numbers.unit() * 10.0) as u8).collect();
        let odd = class.iter().map(|c| f32::from(c % 2)).collect();
        let mut batch = vec![Array::from_vec(&shape, image).unwrap(), Array::from_slice(&[n], &class).unwrap()];
        if Self::HAS_PARITY {
            batch.push(Array::from_vec(&[n, 1], odd).unwrap());
        }
        batch
    }

    /// All parameters, in order.
    fn parameters(&self) -> Vec<(String, Array)> {
        let model = self.as_ref();
        model.parameters().map(|(name, _)| (name.to_string(), model.parameter(name).unwrap())).collect()
    }

    /// The bits of all parameters.
    fn bits(&self) -> Vec<u32> {
        let floats = |(_, array): (String, Array)| array.into_ndarray::<f32>().unwrap();
        self.parameters().into_iter().flat_map(floats).map(f32::to_bits).collect()
    }
}

macro_rules! example {
    ($net:ident, $name:literal, $image:expr, $($argument:literal),*; $($rest:item)*) => {
        impl Example for $net {
            const NAME: &str = $name;
            const IMAGE: &[usize] = &$image;
            $($rest)*

            fn create(seed: u64) -> Result<Self> {
                $net::new(&Device::cpu(), seed)
            }
            fn restore(&mut self, path: &std::path::Path) -> Result<()> {
                self.load(path)
            }
            fn classify(&self, image: &Array) -> Result<Array> {
                self.scores(image)
            }
            fn evaluate(&self, batch: &[Array]) -> Result<Array> {
                self.loss($(&batch[$argument]),*)
            }
            fn train(&mut self, optimizer: &mut impl Optimizer, batch: &[Array]) -> Result<Loss> {
                self.loss_step(optimizer, $(&batch[$argument]),*)
            }
            fn differentiate(&mut self, batch: &[Array]) -> Result<(Array, Gradients)> {
                self.loss_grad($(&batch[$argument]),*)
            }
        }
    };
}
example!(LeNet, "lenet", [1, 28, 28], 0, 1;);
example!(Mlp, "mlp", [784], 0, 1;);
example!(Third, "third", [1, 28, 28], 0, 1, 2; const HAS_PARITY: bool = true;);

/// Steele, Lea & Flood's SplitMix64.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1u32 << 24) as f32
    }
}
