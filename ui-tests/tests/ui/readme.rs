use castnet::prelude::*;

network! {
    /// LeNet for 28 × 28 grey images.
    pub net LeNet {
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_size = 5);
        fc1:   Linear(500, in_features = 1250);
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

fn main() {}
