//! Several `train fn`s, what they update, what they give; parameters that none of them reaches.

castnet::network! {
    net Two {
        generator: Linear(8);
        critic:    Linear(1);
        idle:      Linear(8);
        #[freeze]
        frozen:    Linear(8);
        param scale: f32[8] = ones;
        state seen: f32[8] = zeros;

        fn make(x: f32[N, 8]) -> f32[N, 8] {
            frozen(generator(x)) * scale
        }

        pub train[generator, scael] fn first(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }

        pub train[critic, idle] fn second(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }

        pub train[frozen] fn third(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }

        pub train[generator, generator] fn fourth(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }

        pub train[seen] fn fifth(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }

        pub train[make] fn sixth(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }

        pub train[generator] fn ninth(x: f32[N, 8]) -> (f32[N, 8], f32) {
            (make(x), critic(make(x)).mean())
        }

        pub train[generator] fn tenth(x: f32[N, 8]) -> (f32, i64) {
            (critic(make(x)).mean(), critic(make(x)))
        }

        pub train[generator] fn eleventh(x: f32[N, 8]) -> (f32, f32[N, 8]) {
            critic(make(x)).mean()
        }
    }

    net Unreached {
        fc:    Linear(8);
        other: Linear(8);
        param scale: f32[8] = ones;
        #[freeze]
        param fixed: f32[8] = ones;

        pub fn f(x: f32[N, 8]) -> f32[N, 8] {
            other(x) * scale * fixed
        }

        pub train fn loss(x: f32[N, 8]) -> f32 {
            fc(x).mean()
        }
    }

    net AllFrozen {
        #[freeze]
        fc: Linear(8);

        pub train fn loss(x: f32[N, 8]) -> f32 {
            fc(x).mean()
        }
    }
}

castnet::network! {
    net Forms {
        generator: Linear(8);

        fn critic(x: f32[N, 8]) -> f32[N, 8] { x }
        fn make(x: f32[N, 8]) -> f32[N, 8] { generator(x) }

        pub train[] fn seventh(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }

        pub train[generator.weight] fn eighth(x: f32[N, 8]) -> f32 {
            critic(make(x)).mean()
        }
    }
}

fn main() {}
