//! Slices outside of their axis, indices that are no integers or may be out of range.

castnet::network! {
    pub net Indices {
        wte: Embedding(10, 4);
        padded: Embedding(10, 4, padding_idx = 10);
        none: Embedding(0, 4);

        pub fn behind(x: f32[N, 5]) -> f32[N, 4] {
            x.narrow(1, 3, 4)
        }

        pub fn empty(x: f32[N, 5]) -> f32[N, _] {
            x.narrow(1, 3, 0)
        }

        pub fn one(x: f32[N, 5]) -> f32[N] {
            x.select(1, 5)
        }

        pub fn before(x: f32[N, 5]) -> f32[N] {
            x.select(1, -6)
        }

        pub fn floats(x: f32[N, 5]) -> f32[N, 5, 4] {
            wte(x)
        }

        pub fn computed(tokens: i64[N, T]) -> f32[N, T, 4] {
            wte(tokens * 2)
        }

        pub fn gathered(x: f32[N, 5], index: i64[M, 3]) -> f32[M, 3] {
            x.gather(1, index)
        }

        pub fn matrix(x: f32[N, 5], index: i64[N, 3]) -> f32[N, 3] {
            x.index_select(1, index)
        }

        pub fn weight(x: i64[N], w: f32[5]) -> f32[N] {
            x.embedding(w)
        }

        pub fn hot(x: i64[N]) -> i64[N, 1] {
            x.one_hot(0)
        }
    }
}

fn main() {}
