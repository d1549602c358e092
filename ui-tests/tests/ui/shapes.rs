//! Sizes that do not meet, wrong numbers of axes, windows larger than their image.

castnet::network! {
    pub net Shapes {
        fc1:   Linear(500);
        fc2:   Linear(10, in_features = 400);
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(20, kernel_size = 3, in_channels = 3);
        conv3: Conv2d(3, 20, 3);
        given: Linear(400, 10);
        group: GroupNorm(2, 8);
        head:  Linear(2);

        pub fn do_not_meet(x: f32[N, 784], y: f32[N, 10]) -> f32[N, 500] {
            fc1(x) + y
        }

        pub fn features(x: f32[N, 784]) -> f32[N, 10] {
            let x = fc1(x).tanh();
            fc2(x)
        }

        pub fn too_few_axes(x: f32[N, 784]) -> f32[N, _, _, _] {
            conv1(x)
        }

        pub fn channels(x: f32[N, 1, 28, 28]) -> f32[N, 20, 26, 26] {
            conv2(x)
        }

        pub fn channels_in_order(x: f32[N, 1, 28, 28]) -> f32[N, 20, 26, 26] {
            conv3(x)
        }

        pub fn features_in_order(x: f32[N, 784]) -> f32[N, 10] {
            given(x)
        }

        pub fn channels_of_groups(x: f32[N, 4, 3]) -> f32[N, 4, 3] {
            group(x)
        }

        pub fn large_kernel(x: f32[N, 1, 4, 4]) -> f32[N, 20, _, _] {
            conv1(x)
        }

        pub fn large_window(x: f32[N, 1, 4, 4]) -> f32[N, 1, _, _] {
            x.max_pool2d(5)
        }

        pub fn two_sizes(x: f32[N, 8], y: f32[N, 9]) -> f32[N, 2] {
            head(x) + head(y)
        }

        pub fn product(x: f32[N, 8], y: f32[9, 3]) -> f32[N, 3] {
            x.matmul(y)
        }

        pub fn elements(x: f32[N, 8]) -> f32[N, 3, 3] {
            x.reshape([N, 3, 3])
        }

        pub fn axis(x: f32[N, 8]) -> f32[N] {
            x.sum(2)
        }

        pub fn run_time(x: f32[N, T]) -> f32[N, 2] {
            head(x)
        }

        pub fn batches(x: f32[N, 10], class: u8[M]) -> f32 {
            x.cross_entropy(class)
        }
    }
}

fn main() {}
