//! Networks of sequences: attention, and GPT.

use castnet::prelude::*;

network! {
    /// Every position looks at every other, or at those before it.
    pub block Attention<HEADS, CAUSAL = 0>(x: f32[B, T, D]) -> f32[B, T, D] {
        qkv:  Linear(3 * D);
        proj: Linear(D);
        where D % HEADS == 0;

        let [q, k, v] = qkv(x).reshape([B, T, 3, HEADS, D / HEADS]).permute([2, 0, 3, 1, 4]).unbind(0);
        let y = if CAUSAL != 0 {
            scaled_dot_product_attention(q, k, v, is_causal = true)
        } else {
            scaled_dot_product_attention(q, k, v)
        };
        proj(y.permute([0, 2, 1, 3]).reshape([B, T, D]))
    }

    /// Attention and a perceptron, each after a norm and around a shortcut.
    pub block Encoder<HEADS, CAUSAL = 0>(x: f32[B, T, D]) -> f32[B, T, D] {
        ln1:       LayerNorm();
        attention: Attention<HEADS, CAUSAL>;
        ln2:       LayerNorm();
        up:        Linear(4 * D);
        down:      Linear(D);

        let x = x + attention(ln1(x));
        x + down(up(ln2(x)).gelu())
    }

    /// GPT-2 with tied weights, without dropout.
    pub net Gpt<LAYERS, D, HEADS, VOCAB = 256, CONTEXT = 1024> {
        wte:    Embedding(VOCAB, D);
        wpe:    Embedding(CONTEXT, D);
        layers: [Encoder<HEADS, 1>; LAYERS];
        ln_f:   LayerNorm();
        where T <= CONTEXT;

        pub fn scores(tokens: u32[B, T]) -> f32[B, T, VOCAB] {
            let x = wte(tokens) + wpe(arange(T));
            ln_f(layers(x)).matmul(wte.weight.t())
        }

        pub train fn loss(tokens: u32[B, T], next: u32[B, T]) -> f32 {
            scores(tokens).cross_entropy(next, dim = -1)
        }
    }

    pub net CharGpt = Gpt<4, 256, 4>;
    pub net GptSmall = Gpt<2, 32, 4, VOCAB = 65, CONTEXT = 64>;
}
