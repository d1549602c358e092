//! The names of run-time sizes.

castnet::network! {
    pub net SizeNames {
        const CHANNELS: usize = 3;

        pub fn lower_case(x: f32[n, 8], y: f32[channels]) -> f32[n, 8] {
            x
        }

        pub fn only_in_the_result(x: f32[N, 8]) -> f32[M, 8] {
            x
        }

        pub fn one_slip(x: f32[N, CHANELS]) -> f32[N, CHANELS] {
            x
        }

        pub fn swapped(x: f32[BATCH, 8], y: f32[BACTH, 8]) -> f32[BATCH, 8] {
            x
        }

        pub fn slip_in_the_result(x: f32[BATCH, 8]) -> f32[BATHC, 8] {
            x
        }

        pub fn cannot_be_told(x: f32[N * M, 8], y: f32[K * K]) -> f32[8] {
            x.sum(0)
        }

        pub fn inferred(x: f32[N, _]) -> f32[N] {
            x.sum(1)
        }

        pub fn right(a: f32[H_IN, W_IN], b: f32[D1, D2], c: f32[2 * T + 1]) -> f32[H_IN, W_IN] {
            a * b.sum() * c.sum() * T
        }
    }
}

fn main() {}
