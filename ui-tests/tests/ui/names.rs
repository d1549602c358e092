//! Names that nobody knows, most of them one slip away from one that is known.

castnet::network! {
    pub net Names {
        const HIDDEN: usize = 64;

        fc1:  Linea(10);
        fc2:  Dense(10);
        conv: Conv2d(20, kernel = 5);
        out:  Linear(HIDEN);
        last: Linear(N);

        pub fn operator(x: f32[N, 8]) -> f32[N, 8] {
            x.thanh()
        }

        pub fn other_library(x: f32[N, 1, 8, 8]) -> f32[N, 1, 4, 4] {
            x.max_pool(2)
        }

        pub fn nothing_like_it(x: f32[N, 8]) -> f32[N, 8] {
            x.frobnicate()
        }

        pub fn layer(x: f32[N, 8]) -> f32[N, 10] {
            let y = fc1(x);
            let z = fc2(x);
            otu(x)
        }

        pub fn argument(x: f32[N, 1, 8, 8]) -> f32[N, 1, _, _] {
            conv(x).max_pool2d(2, strid = 1).sum(axis = 1)
        }

        pub fn value(image: f32[N, 8]) -> f32[N, 8] {
            imag.tanh()
        }

        pub fn size(x: f32[BATCH, 8]) -> f32[BATCH, 8] {
            x.reshape([BACTH, 8])
        }

        pub fn uncalled(x: f32[N, 8]) -> f32[N, 64] {
            out + last(x)
        }

        pub fn called(x: f32[N, 8]) -> f32[N, 8] {
            x(x)
        }

        pub fn kind(x: f32[N, 8]) -> f32[N, 8] {
            Linear(x)
        }

        pub fn element_type(x: i64[N]) -> f32[N] {
            x.cast(float32)
        }

        pub fn function(x: f32[N, 8]) -> f32[N, 8] {
            value(x) + valeu(x)
        }
    }
}

fn main() {}
