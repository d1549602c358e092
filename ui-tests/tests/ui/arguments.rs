//! Arguments missing, given twice, too many, of the wrong kind.

castnet::network! {
    pub net Arguments {
        missing: Conv2d(20);
        twice:   Conv2d(3, 20, 5, kernel_size = 3);
        many:    Linear(10, 20, true, 4);
        kind:    Linear(2.5);
        range:   Dropout(1.5);
        zero:    Linear(0);
        pair:    Conv2d(20, kernel_size = [1, 2, 3]);
        two:     Conv2d(20, 5);
        none:    Linear();
        groups:  GroupNorm();
        rows:    Embedding(10);
        places:  MaxPool2d(2, return_indices = true);
        eps:     BatchNorm2d(8, 8);
        running: InstanceNorm2d(track_running_stats = true);
        fc:      Linear(8);
        order:   Conv2d(kernel_size = 3, 20);

        pub fn used(x: f32[N, 8]) -> f32[N, 8] {
            missing(x) + twice(x) + many(x) + kind(x) + range(x) + zero(x) + pair(x) + order(x) + two(x) + none(x) + groups(x)
                + rows(x) + places(x) + eps(x) + running(x)
        }

        pub fn of_operators(x: f32[N, 1, 8, 8], y: f32[N, 8]) -> f32[N, 8] {
            let a = x.max_pool2d();
            let b = x.max_pool2d(2, kernel_size = 2);
            let c = y.tanh(1);
            let d = y.sum(dim = 0.5);
            let e = y.sum(keepdim = 1);
            let f = y.clamp(1.0, 0.0);
            let g = y.dropout(p = -0.1);
            let h = x.max_pool2d(2, stride = 0);
            let i = y.sum(keepdim = true, 1);
            let j = y.cross_entropy(x, y, 2);
            let k = y.reshape([N, 2, 4], 1);
            let l = y.reshape(N, 2.0, 4);
            let m = zeros(2, 3, f32);
            let n = y.var(1, 0);
            y.cross_entropy()
        }

        pub fn of_layers(x: f32[N, 8]) -> f32[N, 8] {
            let a = fc();
            let b = fc(x, 3);
            let c = fc(weight = x);
            fc(5)
        }

        fn mix(a: f32[N, D], b: f32[N, D], rate: f32) -> f32[N, D] {
            a * rate + b * (1.0 - rate)
        }

        pub fn of_functions(x: f32[N, 8]) -> f32[N, 8] {
            let a = mix(x, x);
            let b = x.mix(x, 0.5, 1);
            let c = x.mix(x, 0.5, a = x);
            let d = x.mix(x, ratio = 0.5);
            let e = x.mix(rate = 0.5, x);
            let e = mix(b = x, a = x, rate = 0.5);
            e
        }
    }
}

fn main() {}
