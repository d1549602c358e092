//! Blocks that other crates use, without a warning.
#![deny(warnings)]
#![deny(missing_docs)]

castnet::network! {
    /// A layer around its input.
    pub block Residual<WIDTH>(x: f32[N, WIDTH]) -> f32[N, WIDTH] {
        inner: Inner<{ 2 * WIDTH }>;
        x + inner(x)
    }

    /// Seen by nobody else, and handed out with what uses it.
    block Inner<HIDDEN>(x: f32[N, D]) -> f32[N, D] {
        up:   Linear(HIDDEN);
        down: Linear(D);
        down(up(x).relu())
    }

    pub(crate) block Scale(x: f32[N, D]) -> f32[N, D] {
        param scale: f32[D] = ones;
        x * scale
    }
}

/// Blocks of the same names as others.
pub mod others {
    castnet::network! {
        use super::Residual as Outer;
        use crate::Scale;

        /// Another one of this name.
        pub block Residual(x: f32[N, D]) -> f32[N, D] {
            outer: Outer<D>;
            scale: Scale;
            scale(outer(x)) * 2
        }

        /// A net of any depth.
        pub net Stack<DEPTH, WIDTH = 4> {
            layers: [Residual; DEPTH];
            head:   Linear(3);

            /// Of each row.
            pub fn scores(x: f32[N, WIDTH]) -> f32[N, 3] {
                head(layers(x))
            }
        }

        /// One of them.
        pub net Small = Stack<1>;
    }
}

/// The same block at the same place of a line, in two modules.
pub mod first {
    castnet::network! { /// Doubles.
    pub block Double(x: f32[N]) -> f32[N] { x + x } }
}

/// The same block at the same place of a line, in two modules.
pub mod second {
    castnet::network! { /// Doubles.
    pub block Double(x: f32[N]) -> f32[N] { x + x } }
}

/// A struct and a block of one name do not meet.
pub struct Double;

castnet::network! {
    use first::Double as Twice;

    /// Four times.
    pub block Double(x: f32[N]) -> f32[N] {
        twice: Twice;
        twice(twice(x))
    }

    /// Right where N is 3.
    pub block OnlyThree(x: f32[N, D]) -> f32[N, D] {
        where D == 3;
        x.reshape([N, 3])
    }
}
