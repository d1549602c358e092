//! Networks of many parts in mixed precision: what runs is what was written.

use castnet::prelude::*;

network! {
    /// Joins, looks up, chooses, resamples, and goes through time with states of zeros.
    pub net Odd {
        precision: bf16;
        words:  Embedding(11, 6);
        conv:   Conv1d(8, kernel_size = 3, padding = 1);
        norm:   GroupNorm(2);
        lstm:   LSTM(5, batch_first = true);
        gru:    GRU(4, batch_first = true, bidirectional = true);
        mix:    Linear(7);
        bn:     BatchNorm1d();
        out:    Linear(3);
        param scale: f32 = ones;

        where T % 2 == 0;

        pub fn scores(word: u32[N, T], x: f32[N, T, 6], keep: bool[N]) -> f32[N, 3] {
            let x = words(word) * scale + x;
            let y = norm(conv(x.transpose(1, 2)).relu()).transpose(1, 2);
            let (z, _) = lstm(cat([x, y], 2));
            let (g, _) = gru(y);
            let m = mix(cat([z, g], 2)).mean(1);
            let m = bn(where_(keep.unsqueeze(1), m, m.abs().sqrt())).dropout(0.2);
            out(m.gelu() / (1 + m.abs()))
        }

        pub train fn loss(word: u32[N, T], x: f32[N, T, 6], keep: bool[N], class: u8[N]) -> f32 {
            scores(word, x, keep).cross_entropy(class)
        }

        pub train[conv] fn squares(x: f32[N, T, 6]) -> f32 {
            let y = conv(x.transpose(1, 2)).max_pool1d(2).tanh();
            y.square().mean() + y.exp().mean()
        }
    }
}

network! {
    block Up(x: f32[N, C, H, W]) -> f32[N, C, _, _] {
        up: ConvTranspose2d(C, kernel_size = 2, stride = 2);
        up(x).silu().avg_pool2d(2) + x
    }

    /// Images, a gradient as a value, equal blocks, and a loss scale.
    pub net Images {
        precision: f16;
        stem:   Conv2d(4, kernel_size = 3, padding = 1);
        blocks: [Up; 3];
        head:   Linear(1);

        pub fn scores(x: f32[N, 2, 8, 8]) -> f32[N, 1] {
            let y = blocks(stem(x).max_pool2d(2));
            head(y.pad([1, 1]).flip([2]).mean([2, 3]))
        }

        pub train fn loss(x: f32[N, 2, 8, 8]) -> f32 {
            let [slope] = grad(scores(x).sum(), [x]);
            (slope.square().sum([1, 2, 3]) + 0.1).sqrt().mean() + scores(x).square().mean()
        }

        #[precision(f32)]
        pub train fn loss_f32(x: f32[N, 2, 8, 8]) -> f32 { loss(x) }
    }
}

network! {
    /// Attention with masks and dropout.
    pub net Attending {
        precision: bf16;
        q: Linear(16);
        k: Linear(16);
        v: Linear(16);

        pub train fn loss(x: f32[B, T, 16], seen: bool[B, 1, T, T], distance: f32[T, T]) -> f32 {
            let q = q(x).reshape([B, T, 4, 4]).transpose(1, 2);
            let k = k(x).reshape([B, T, 4, 4]).transpose(1, 2);
            let v = v(x).reshape([B, T, 4, 4]).transpose(1, 2);
            let a = scaled_dot_product_attention(q, k, v, attn_mask = seen);
            let b = scaled_dot_product_attention(q, k, v, attn_mask = distance, dropout_p = 0.1);
            (a + b).square().mean()
        }
    }

    /// Views, joins, rows in order.
    pub net Views {
        precision: bf16;
        l: Linear(24);
        c: Conv2d(4, kernel_size = 3, padding = 1, groups = 2);

        pub train fn loss(x: f32[N, 2, 6, 6], hidden: bool[N, 6]) -> f32 {
            let a = c(x).permute([0, 2, 3, 1]).reshape([N, 6, 24]);
            let s = stack(l(a).unbind(1), 1).masked_fill(hidden.unsqueeze(2), 0.0);
            let z = cat([s, a.flip([1]), a.roll(2, [1])], 2)[.., 1..5, ..];
            let (top, _) = z.topk(2, dim = 2);
            z.pad([1, 2], mode = "reflect").mean() + top.sum() + z.repeat([1, 2, 1]).std(1).mean()
        }
    }

    /// A gradient of a gradient, and states that go round as halves and as f32.
    pub net Twice {
        precision: bf16;
        a: Linear(8);
        b: Linear(1);
        u: Linear(6);
        v: Linear(6);

        pub train fn slopes(x: f32[N, 4]) -> f32 {
            let s = b(a(x).gelu());
            let [g] = grad(s.sum(), [x]);
            let [h] = grad(g.square().sum(), [x]);
            s.mean() + h.square().mean()
        }

        pub train fn rounds(x: f32[N, T, 6], h: f32[N, 6]) -> f32 {
            let (last, all) = scan(x, h, |h, x| { let n = (u(h) + v(x)).tanh(); (n, n.softmax(1)) }, dim = 1);
            let (end, _) = scan(x, zeros([N, 6]), |h, x| { let n = u(h).tanh() + v(x); (n, ()) }, dim = 1);
            last.mean() + all.square().mean() + end.square().mean()
        }
    }
}

castnet::check!(Attending);
castnet::check!(Views);
castnet::check!(Twice);
castnet::check!(Odd);
castnet::check!(Images);
