//! Gradients as values.

castnet::network! {
    pub net Gradients {
        fc: Linear(4);

        pub fn of_many_numbers(x: f32[N, 8]) -> f32 {
            let scores = fc(x);
            let g = grad(scores, [x]);
            scores.sum()
        }

        pub fn by_a_stranger(x: f32[N, 8], y: f32[N, 4]) -> f32 {
            let loss = (fc(x) * (y > 0.0).cast(f32)).sum();
            let g = grad(loss, [y]);
            loss
        }

        pub fn without_a_list(x: f32[N, 8]) -> f32 {
            let loss = fc(x).sum();
            let g = grad(loss, x);
            loss
        }

        pub fn through_bits(x: f32[N, 8]) -> f32 {
            let loss = x.cast(i32).reduce_xor().cast(f32);
            let g = grad(loss, [x]);
            loss
        }

        pub train fn loss(x: f32[N, 8]) -> f32 {
            fc(x).mean()
        }
    }
}

fn main() {}
