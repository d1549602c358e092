//! What a `train fn` returns.

castnet::network! {
    pub net Train {
        fc: Linear(10);

        pub train fn scores(x: f32[N, 8]) -> f32[N, 10] {
            fc(x)
        }

        train fn count(x: f32[N, 8]) -> i64 {
            1
        }

        pub train fn forgot_to_reduce(x: f32[N, 8]) -> f32 {
            fc(x)
        }

        pub train fn right(x: f32[N, 8], class: i64[N]) -> f32 {
            fc(x).cross_entropy(class)
        }
    }
}

fn main() {}
