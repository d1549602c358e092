//! Networks that make images: a variational autoencoder, both sides of a GAN.

use std::ops::{Deref, DerefMut};

use castnet::prelude::*;
use castnet::{Model, Result};

network! {
    /// A variational autoencoder (Kingma and Welling 2014) of 28 × 28 images; the noise is an argument.
    pub net Vae {
        encode:  Linear(64);
        mean:    Linear(8);
        log_var: Linear(8);
        decode1: Linear(64);
        decode2: Linear(784);

        fn decode(z: f32[N, 8]) -> f32[N, 784] {
            decode2(decode1(z).tanh())
        }

        pub fn decoded(z: f32[N, 8]) -> f32[N, 784] {
            decode(z).sigmoid()
        }

        pub train fn loss(image: f32[N, 784], noise: f32[N, 8]) -> f32 {
            let x = encode(image).tanh();
            let [m, v] = [mean(x), log_var(x)];
            let z = m + (0.5 * v).exp() * noise;
            let likelihood = decode(z).binary_cross_entropy_with_logits(image, reduction = "sum");
            let divergence = -0.5 * (1.0 + v - m * m - v.exp()).sum();
            (likelihood + divergence) / N
        }
    }
}

network! {
    /// Noise to a 16 × 16 image by transposed convolutions.
    pub block Generator(z: f32[N, 8]) -> f32[N, 1, 16, 16] {
        fc:  Linear(256);
        up1: ConvTranspose2d(8, kernel_size = 4, stride = 2, padding = 1);
        up2: ConvTranspose2d(1, kernel_size = 4, stride = 2, padding = 1);

        let x = fc(z).silu().reshape([N, 16, 4, 4]);
        up2(up1(x).silu()).tanh()
    }

    /// How real an image looks; smooth, since its gradient is differentiated again.
    pub block Critic(image: f32[N, 1, 16, 16]) -> f32[N, 1] {
        conv1: Conv2d(8, kernel_size = 4, stride = 2, padding = 1);
        conv2: Conv2d(16, kernel_size = 4, stride = 2, padding = 1);
        fc:    Linear(1, bias = false);

        let x = conv2(conv1(image).silu()).silu();
        fc(x.flatten(1))
    }

    /// A Wasserstein GAN with gradient penalty (Gulrajani and others 2017).
    pub net Gan {
        generator: Generator;
        critic:    Critic;

        pub fn made(noise: f32[N, 8]) -> f32[N, 1, 16, 16] {
            generator(noise)
        }

        pub train[generator] fn generator_loss(noise: f32[N, 8]) -> f32 {
            -critic(generator(noise)).mean()
        }

        pub train[critic] fn critic_loss(image: f32[N, 1, 16, 16], noise: f32[N, 8], mix: f32[N, 1, 1, 1]) -> f32 {
            let fake = generator(noise);
            let between = mix * image + (1.0 - mix) * fake;
            let [slope] = grad(critic(between).sum(), [between]);
            let norm = (slope.flatten(1).pow(2).sum(1) + 1e-12).sqrt();
            let penalty = (norm - 1.0).pow(2).mean();
            critic(fake).mean() - critic(image).mean() + 10.0 * penalty
        }
    }
}

macro_rules! step {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(Gan);

        impl $name {
            pub fn new(device: &Device, seed: u64) -> Result<$name> {
                Ok($name(Gan::new(device, seed)?))
            }
        }
        impl Deref for $name {
            type Target = Gan;

            fn deref(&self) -> &Gan {
                &self.0
            }
        }
        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Gan {
                &mut self.0
            }
        }
        impl $name {
            pub fn explain() -> &'static str {
                Gan::explain()
            }
        }
        impl AsRef<Model> for $name {
            fn as_ref(&self) -> &Model {
                self.0.as_ref()
            }
        }
        impl AsMut<Model> for $name {
            fn as_mut(&mut self) -> &mut Model {
                self.0.as_mut()
            }
        }
    };
}
step!(
    /// A GAN of which the critic is trained.
    GanCritic
);
step!(
    /// A GAN of which the generator is trained.
    GanGenerator
);
