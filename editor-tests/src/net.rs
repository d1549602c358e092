//! A network with blocks of its own and of another module, and a program that calls it.

use castnet::prelude::*;

network! {
    use crate::blocks::Residual;

    /// With blocks of another module.
    pub net Tower {
        blocks: [Residual<16>, Residual<32, 2>, Residual<32>];

        /// What is seen in an image.
        pub fn features(image: f32[N, 3, 32, 32]) -> f32[N, 32] {
            let all = blocks(image);
            all.mean([2, 3])
        }
    }
}

network! {
    /// Two layers.
    block Head<WIDTH>(x: f32[N, D]) -> f32[N, 10] {
        hidden: Linear(WIDTH);
        out:    Linear(10);
        let h = hidden(x).relu();
        out(h)
    }

    /// A small network.
    pub net Small {
        const WIDTH: usize = 4 * 8;
        /// The first convolution.
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        stages: [Conv2d(32, kernel_size = 3, padding = 1); 2];
        head:   Head<WIDTH>;

        /// Class scores.
        pub fn scores(image: f32[N, 3, 32, 32]) -> f32[N, 10] {
            let x = stem(image).relu().max_pool2d(2);
            let y = stages[1](stages[0](x)).max_pool2d(2);
            let [a, b] = y.chunk(2, dim = 1);
            let pooled = cat([a, b], dim = 1).mean([2, 3]);
            head(pooled)
        }

        /// What training minimises.
        pub train fn loss(image: f32[N, 3, 32, 32], class: u8[N]) -> f32 {
            let logits = scores(image);
            logits.cross_entropy(class)
        }
    }
}

/// Scores of one image.
///
/// # Errors
/// If the image does not have the network's shape.
pub fn classify(net: &Small, image: &Array) -> castnet::Result<Array> {
    net.scores(image)
}
