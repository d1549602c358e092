//! Rules for sizes: broken, and of the wrong form.

castnet::network! {
    net Rules {
        const D: usize = 36;
        where D % 7 == 0;
        where D < 36, D >= 1;
        where D > HEIGHT;
        where T <= 5.5;
        where D / 5 == 7;

        fc: Linear(D);

        pub fn f(x: f32[N, T, 8]) -> f32[N, T, D] {
            fc(x)
        }
    }

    net AtTheCall {
        where T <= 64, T % 2 == 0;

        fn halves(x: f32[N, T]) -> f32[N, 2, T / 2] {
            x.reshape([N, 2, T / 2])
        }

        pub fn right(x: f32[N, T]) -> f32[N, 2, T / 2] {
            halves(x)
        }

        pub fn wrong(x: f32[N, 65]) -> f32[N, 2, 32] {
            halves(x)
        }
    }
}

castnet::network! {
    net Forms {
        const D: usize = 36;
        where D;
        where D > 4 && D < 40;
        where true;
        where;
        where D == 36, , D > 4;
        where D = 36;
        where D > 5
        fc: Linear(D);

        pub fn g(x: f32[N, 8]) -> f32[N, D] where N > 2 {
            fc(x)
        }
    }
}

fn main() {}
