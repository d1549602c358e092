//! Mixed precision where it has no meaning.

use castnet::prelude::*;

network! {
    pub net Wide {
        precision: bf16;
        fc: Linear(4);
        pub fn f(x: f64[N, 4]) -> f64[N, 4] { fc(x) }
    }

    pub net Twice {
        precision: bf16;
        precision: f16;
        fc: Linear(4);

        #[precision(bf16)]
        fn inner(x: f32[N, 4]) -> f32[N, 4] { fc(x) }

        #[precision(bf16)]
        #[precision(bf16)]
        pub fn f(x: f32[N, 4]) -> f32[N, 4] { inner(x) }

        #[precision(i8)]
        pub fn g(x: f32[N, 4]) -> f32[N, 4] { inner(x) }

        #[precision]
        pub fn h(x: f32[N, 4]) -> f32[N, 4] { inner(x) }

        #[precision(bf16, 3)]
        pub fn i(x: f32[N, 4]) -> f32[N, 4] { inner(x) }
    }

    pub net Layered {
        #[precision(bf16)]
        fc: Linear(4);
        part: Part;
        pub fn f(x: f32[N, 4]) -> f32[N, 4] { part(fc(x)) }
    }

    block Part(x: f32[N, 4]) -> f32[N, 4] {
        precision: bf16;
        x + 1.0
    }
}

fn main() {}
