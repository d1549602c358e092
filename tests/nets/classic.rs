//! The first three: small, without states.

use castnet::prelude::*;

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
