//! Mixed precision.

#[path = "../../tests/nets/mod.rs"]
mod nets;

use castnet::prelude::*;

network! {
    pub net Small {
        conv:  Conv2d(8, kernel_size = 3, padding = 1);
        bn:    BatchNorm2d();
        fc:    Linear(10);

        fn scores(x: f32[N, 1, 8, 8]) -> f32[N, 10] {
            fc(bn(conv(x)).relu().max_pool2d(2).flatten(1))
        }

        pub train fn loss(x: f32[N, 1, 8, 8], y: u8[N]) -> f32 {
            scores(x).cross_entropy(y)
        }

        #[precision(bf16)]
        pub train fn loss_bf16(x: f32[N, 1, 8, 8], y: u8[N]) -> f32 {
            scores(x).cross_entropy(y)
        }
    }
}

network! {
    use nets::vision::Residual;

    /// [`nets::ResNet20`], in f32 and in mixed precision.
    pub net ResNet20 {
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        bn:     BatchNorm2d();
        stage1: [Residual<16>; 3];
        stage2: [Residual<32, 2>, Residual<32>, Residual<32>];
        stage3: [Residual<64, 2>, Residual<64>, Residual<64>];
        head:   Linear(10);

        fn scores(image: f32[N, 3, 32, 32]) -> f32[N, 10] {
            let x = bn(stem(image)).relu();
            let x = stage3(stage2(stage1(x)));
            head(x.mean([2, 3]))
        }

        pub train fn loss(image: f32[N, 3, 32, 32], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }

        #[precision(bf16)]
        pub train fn loss_bf16(image: f32[N, 3, 32, 32], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }
}

network! {
    use nets::sequence::Encoder;

    /// [`nets::CharGpt`], in f32 and in mixed precision.
    pub net Gpt {
        wte:    Embedding(256, 256);
        wpe:    Embedding(1024, 256);
        layers: [Encoder<4, 1>; 4];
        ln_f:   LayerNorm();
        where T <= 1024;

        fn scores(tokens: u32[B, T]) -> f32[B, T, 256] {
            let x = wte(tokens) + wpe(arange(T));
            ln_f(layers(x)).matmul(wte.weight.t())
        }

        pub train fn loss(tokens: u32[B, T], next: u32[B, T]) -> f32 {
            scores(tokens).cross_entropy(next, dim = -1)
        }

        #[precision(bf16)]
        pub train fn loss_bf16(tokens: u32[B, T], next: u32[B, T]) -> f32 {
            scores(tokens).cross_entropy(next, dim = -1)
        }
    }
}

#[test]
fn activations_are_halves() {
    println!("{}", Small::explain());
    println!("{}", ResNet20::explain());
    println!("{}", Gpt::explain());
    println!("small {} {}", Small::loss_step_memory::<Sgd>(64), Small::loss_bf16_step_memory::<Sgd>(64));
    println!("resnet {} {}", ResNet20::loss_step_memory::<Sgd>(64), ResNet20::loss_bf16_step_memory::<Sgd>(64));
    println!("gpt {} {}", Gpt::loss_step_memory::<Sgd>(8, 128), Gpt::loss_bf16_step_memory::<Sgd>(8, 128));
}
