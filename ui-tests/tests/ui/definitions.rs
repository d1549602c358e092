//! Names defined twice.

castnet::network! {
    pub net Twice {
        const D: usize = 4;
        const D: usize = 5;

        fc: Linear(D);
        fc: Linear(3);
        scores: Linear(3);

        pub fn scores(x: f32[N, 8]) -> f32[N, D] {
            fc(x)
        }

        pub fn scores(x: f32[N, 8]) -> f32[N, D] {
            fc(x)
        }

        pub fn two(x: f32[N, 8], x: f32[N, 8]) -> f32[N, D] {
            fc(x)
        }

        pub fn load(x: f32[N, 8]) -> f32[N, D] {
            fc(x)
        }

        pub fn loss_step(x: f32[N, 8]) -> f32[N, D] {
            fc(x)
        }

        pub train fn loss(x: f32[N, 8]) -> f32 {
            fc(x).mean()
        }
    }

    net Kept {
        #[name = "__metadata__"] param w: f32[8] = ones;
        #[name = "fc.inner"] other: Linear(8);
        fc: Linear(8);

        pub fn f(x: f32[N, 8]) -> f32[N, 8] { fc(other(x)) * w }
    }

    net Same {
        pub fn f(x: f32[N]) -> f32[N] { x.tanh() }
    }

    net Same {
        pub fn f(x: f32[N]) -> f32[N] { x.tanh() }
    }
}

fn main() {}
