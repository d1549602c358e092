//! Element types.

castnet::network! {
    pub net Types {
        fc: Linear(10);

        pub fn integers(image: u8[N, 784]) -> f32[N, 10] {
            fc(image)
        }

        pub fn differ(x: f32[N], y: i64[N]) -> f32[N] {
            x * y
        }

        pub fn truth(x: f32[N], y: f32[N]) -> bool[N] {
            x & y
        }

        pub fn condition(x: f32[N]) -> f32[N] {
            where_(x, x, 0.0)
        }

        pub fn half(x: f16[N]) -> f32[N] {
            x
        }

        pub fn double(x: f32[N]) -> f64[N] {
            x.cast(f64)
        }

        pub fn quotient(x: i32[N], y: i32[N]) -> i32[N] {
            x / y
        }

        pub fn fraction(x: i32[N]) -> i32[N] {
            x * 0.5
        }

        pub fn beyond(x: u8[N]) -> u8[N] {
            x + 300
        }

        pub fn not_a_truth(x: f32[N]) -> bool[N] {
            !x
        }

        pub fn truth_and_number(x: bool[N]) -> bool[N] {
            x + 1
        }

        pub fn function(x: i64[N]) -> i64[N] {
            x.tanh()
        }

        pub fn result(x: f32[N]) -> i64[N] {
            x.relu()
        }

        pub fn unknown(x: float32[N], y: Tensor, z: u128[N]) -> f32[N] {
            x
        }

        pub fn opposite(x: bool[N]) -> bool[N] {
            -x
        }

        pub fn distance(x: bool[N]) -> bool[N] {
            x.abs()
        }

        pub fn mean_of_integers(x: i64[N]) -> i64 {
            x.mean(dtype = i64)
        }

        pub fn odd_bits(x: f32[N]) -> f32 {
            x.reduce_xor()
        }
    }
}

fn main() {}
