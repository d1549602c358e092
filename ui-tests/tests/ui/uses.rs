//! Blocks of other modules and crates.

mod inner {
    castnet::network! {
        pub block Wide<WIDTH>(x: f32[N, D]) -> f32[N, WIDTH] {
            fc: Linear(WIDTH);
            fc(x)
        }

        /// A mistake here is reported here, and once.
        pub block Wrong(x: f32[N, D]) -> f32[N, D] {
            x.thanh()
        }

        block Private(x: f32[N, D]) -> f32[N, D] {
            x.tanh()
        }
    }

    pub struct Struct;
}

castnet::network! {
    use inner::{Wide, Wrong};
    use castnet_ui_blocks::{Residual, OnlyThree, others::{Residual as Other, Stack}};

    net Uses {
        wide:     Wide<4>;
        missing:  Wide;
        unknown:  Wide<WIDE = 4>;
        wrong:    Wrong;
        residual: Residual<4>;
        other:    Other<4>;
        three:    OnlyThree;
        private:  Inner<4>;
        slip:     Residul<4>;

        pub fn f(x: f32[N, 4], y: f32[N, 5]) -> f32[N, 4] {
            let a = wide(x) + missing(x) + unknown(x) + wrong(x);
            let b = residual(y);
            let c = three(x);
            a + residual(x) + other(x) + private(x) + slip(x)
        }
    }

    net Deep = Stack<1, 2, 3>;
    net Zero = Stack<0>;
    net Block = Wide<4>;
}

castnet::network! {
    use inner::*;
    use inner::{self};
    use inner::Wide as _;
    use inner::Wide as;
    use ;
    use inner::;
    pub use castnet_ui_blocks::Residual;
    use castnet_ui_blocks::Residual as Residual;
    use castnet_ui_blocks::Double
    use castnet_ui_blocks::first::Double as Unused;

    block Double(x: f32[N, D]) -> f32[N, D] { x.tanh() }

    net Forms {
        residual: Residual<4>;
        double:   Double;

        pub fn f(x: f32[N, 4]) -> f32[N, 4] { double(residual(x)) }
    }
}

castnet_ui_blocks::Residual!(5);

castnet::network! {
    use std::vec;

    net Other {
        part: vec<4>;
        pub fn f(x: f32[N]) -> f32[N] { part(x) }
    }
}

fn main() {}
