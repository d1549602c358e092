//! Sizes that do not divide, are negative, zero, no integers, or too large.

castnet::network! {
    pub net Sizes {
        const D: usize = 36;
        const HEADS: usize = 7;
        const HEAD: usize = D / HEADS;
        const NONE: usize = 4 - 4;
        const LESS: usize = D - 40;
        const HALF: usize = 0.5;
        const HUGE: usize = 3000000 * 3000000;
        const ROUND: usize = A + 1;
        const A: usize = ROUND;
        const BY_ZERO: usize = D / 0;

        fc: Linear(D / 5);
        up: Linear(2000000000);

        pub fn axes(x: f32[N, 0], y: f32[N, -3], z: f32[N, 2.5], w: f32[N, D / 5]) -> f32[N, 1] {
            fc(x)
        }

        pub fn run_time(x: f32[N, 8]) -> f32[N / 2, 16] {
            x.reshape([N / 2, 16])
        }

        pub fn unknown_until_then(x: f32[N, 8]) -> f32[N, 8] {
            x * (N > 4)
        }

        pub fn by_zero(x: f32[N, 8]) -> f32[N, 8] {
            x * (N % 0) + 8.div_floor(0)
        }

        pub fn rounded(x: f32[N, 8]) -> f32[N, 8] {
            x * N.div_ceil(2)
        }

        pub fn beyond_memory(x: f32[N, 2000000000]) -> f32[N, 2000000000] {
            up(x)
        }

        pub fn numbers(x: f32[N]) -> f32[N] {
            x + 99999999999999999999 + 1e50 + 1.0 / 0.0
        }
    }
}

fn main() {}
