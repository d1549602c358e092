//! Parts of the language that are still to come, each refused at its token.

castnet::network! {
    use crate::Residual;

    pub block Residual(x: f32[N, C]) -> f32[N, C] {
        x
    }

    pub net Parameterised<LAYERS, D = 4> {
        pub fn f(x: f32[N]) -> f32[N] { x.tanh() }
    }

    pub net Gpt2 = Gpt<12>;

    pub net NotYet {
        #[freeze]
        fc:     Linear(8);
        blocks: [Linear(8); 4];
        one:    Residual<16>;
        down:   if D != 1 { Linear(8) };
        where D % 4 == 0;
        param scale: f32[8] = ones;
        state h: f32[8] = zeros;

        pub fn statements(x: f32[N, 8]) -> f32[N, 8] {
            for i in 0..4 {
                x = fc(x)
            }
            let mut y = fc(x);
            let [q, k] = y.chunk(2);
            assert!(N == 4);
            if N == 4 { x } else { y }
        }

        pub fn expressions(x: f32[N, 8]) -> f32[N, 8] {
            let a = x[.., 0..5];
            let b = x[0];
            let c = if true { x } else { a };
            let d = fc.weight;
            let e = scan(x, a, |s, x| (s, x));
            fc(a)
        }

        pub fn several(x: f32[N]) -> (f32[N], f32[N]) {
            (x, x)
        }

        pub train[critic] fn loss(x: f32[N, 8]) -> f32 where N > 2 {
            fc(x).mean()
        }

        dynamic fn encode(x: &Array) -> f32[N, 8] { x }

        custom op lookup(x: f32[N]) -> f32[N] { forward = path; }
    }
}

fn main() {}
