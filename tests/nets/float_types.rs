//! Nets in other float types: LeNet, GPT and an LSTM in f64, LeNet in bf16.

use castnet::prelude::*;

network! {
    /// As `LeNet`.
    pub net LeNetF64 {
        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_size = 5);
        fc1:   Linear(500);
        fc2:   Linear(10);

        pub fn scores(image: f64[N, 1, 28, 28]) -> f64[N, 10] {
            let x = conv1(image).tanh().max_pool2d(2);
            let x = conv2(x).tanh().max_pool2d(2);
            fc2(fc1(x.flatten(1)).tanh())
        }

        pub train fn loss(image: f64[N, 1, 28, 28], class: u8[N]) -> f64 {
            scores(image).cross_entropy(class)
        }
    }
}

network! {
    block Attention<HEADS>(x: float[B, T, D]) -> float[B, T, D] {
        qkv:  Linear(3 * D);
        proj: Linear(D);

        let [q, k, v] = qkv(x).reshape([B, T, 3, HEADS, D / HEADS]).permute([2, 0, 3, 1, 4]).unbind(0);
        let y = scaled_dot_product_attention(q, k, v, is_causal = true);
        proj(y.permute([0, 2, 1, 3]).reshape([B, T, D]))
    }

    block Decoder<HEADS>(x: float[B, T, D]) -> float[B, T, D] {
        ln1:       LayerNorm();
        attention: Attention<HEADS>;
        ln2:       LayerNorm();
        up:        Linear(4 * D);
        down:      Linear(D);

        let x = x + attention(ln1(x));
        x + down(up(ln2(x)).gelu())
    }

    /// As `GptSmall`.
    pub net GptSmallF64 {
        float: f64;

        wte:    Embedding(65, 32);
        wpe:    Embedding(64, 32);
        layers: [Decoder<4>; 2];
        ln_f:   LayerNorm();
        where T <= 64;

        pub fn scores(tokens: u32[B, T]) -> float[B, T, 65] {
            let x = wte(tokens) + wpe(arange(T));
            ln_f(layers(x)).matmul(wte.weight.t())
        }

        pub train fn loss(tokens: u32[B, T], next: u32[B, T]) -> float {
            scores(tokens).cross_entropy(next, dim = -1)
        }
    }
}

network! {
    /// As `LstmClassifier`.
    pub net LstmClassifierF64 {
        float: f64;

        embed: Embedding(20, 12);
        lstm:  LSTM(16, num_layers = 2, batch_first = true);
        head:  Linear(5);

        pub fn scores(tokens: u32[B, T], lengths: i64[B]) -> f64[B, 5] {
            let (_, (h, _)) = lstm(embed(tokens), lengths = lengths);
            head(h[-1])
        }

        pub train fn loss(tokens: u32[B, T], lengths: i64[B], kind: u8[B]) -> f64 {
            scores(tokens, lengths).cross_entropy(kind)
        }
    }
}

network! {
    /// As `LeNet`, all of it in bf16.
    pub net LeNetBF16 {
        float: bf16;

        conv1: Conv2d(20, kernel_size = 5);
        conv2: Conv2d(50, kernel_size = 5);
        fc1:   Linear(500);
        fc2:   Linear(10);

        pub fn scores(image: float[N, 1, 28, 28]) -> float[N, 10] {
            let x = conv1(image).tanh().max_pool2d(2);
            let x = conv2(x).tanh().max_pool2d(2);
            fc2(fc1(x.flatten(1)).tanh())
        }

        pub train fn loss(image: float[N, 1, 28, 28], class: u8[N]) -> float {
            scores(image).cross_entropy(class)
        }
    }
}
