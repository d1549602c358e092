//! Whole networks as users write them, for the test of layouts and the bench: [`ResNet20`], [`MobileNetV2`] and [`Gpt`] also with the rounds
//! of their arrays written out, [`CharLstm`] and [`UNet`].
#![allow(dead_code, missing_docs)] // Each of the two uses its part.

use castnet::prelude::*;

network! {
    /// The residual block, projection 1x1 with batch norm.
    pub block Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, stride = STRIDE, padding = 1, bias = false);
        bn1:   BatchNorm2d();
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        bn2:   BatchNorm2d();
        down:  if STRIDE != 1 || C != CHANNELS { Conv2d(CHANNELS, kernel_size = 1, stride = STRIDE, bias = false) };
        bn3:   if STRIDE != 1 || C != CHANNELS { BatchNorm2d() };

        let y = bn1(conv1(x)).relu();
        let shortcut = if STRIDE != 1 || C != CHANNELS { bn3(down(x)) } else { x };
        (bn2(conv2(y)) + shortcut).relu()
    }

    /// [`ResNet20`] with its rounds written out.
    pub net ResNet20Written {
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        bn:     BatchNorm2d();
        stage1: [Residual<16>; 3];
        stage2: [Residual<32, 2>, Residual<32>, Residual<32>];
        stage3: [Residual<64, 2>, Residual<64>, Residual<64>];
        head:   Linear(10);

        pub fn scores(x: f32[N, 3, 32, 32]) -> f32[N, 10] {
            let mut x = bn(stem(x)).relu();
            for b in stage1 { x = b(x); }
            for b in stage2 { x = b(x); }
            for b in stage3 { x = b(x); }
            head(x.mean([2, 3]))
        }
        pub train fn loss(x: f32[N, 3, 32, 32], y: u8[N]) -> f32 { scores(x).cross_entropy(y) }
    }

    /// Statistics, a loss and gradients that are sums over many rows of few numbers.
    pub net LongSums {
        norm: BatchNorm1d(16);
        param shift: f32[16] = zeros;

        pub train fn loss(x: f32[N, 16], y: f32[N, 16]) -> f32 { (norm(x) + shift).mse_loss(y) }
    }

    /// Convolutions with pools that overlap between them.
    pub net Pools {
        a:    Conv2d(16, kernel_size = 3, padding = 1);
        b:    Conv2d(32, kernel_size = 3, padding = 1);
        c:    Conv2d(32, kernel_size = 3, padding = 1);
        head: Linear(10);

        pub train fn loss(x: f32[N, 3, 32, 32], y: u8[N]) -> f32 {
            let x = a(x).relu().avg_pool2d(3, stride = 2, padding = 1);
            let x = b(x).relu().avg_pool2d(3, stride = 2, padding = 1);
            head(c(x).relu().mean([2, 3])).cross_entropy(y)
        }
    }

    /// ResNet-20 of CIFAR.
    pub net ResNet20 {
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        bn:     BatchNorm2d();
        stage1: [Residual<16>; 3];
        stage2: [Residual<32, 2>, Residual<32>, Residual<32>];
        stage3: [Residual<64, 2>, Residual<64>, Residual<64>];
        head:   Linear(10);

        pub fn scores(x: f32[N, 3, 32, 32]) -> f32[N, 10] {
            head(stage3(stage2(stage1(bn(stem(x)).relu()))).mean([2, 3]))
        }
        pub train fn loss(x: f32[N, 3, 32, 32], y: u8[N]) -> f32 { scores(x).cross_entropy(y) }
    }
}

network! {
    /// Causal attention.
    pub block Attention<HEADS>(x: f32[B, T, D]) -> f32[B, T, D] {
        qkv:  Linear(3 * D);
        proj: Linear(D);
        where D % HEADS == 0;

        let [q, k, v] = qkv(x).reshape([B, T, 3, HEADS, D / HEADS]).permute([2, 0, 3, 1, 4]).unbind(0);
        let y = scaled_dot_product_attention(q, k, v, is_causal = true);
        proj(y.permute([0, 2, 1, 3]).reshape([B, T, D]))
    }

    /// A pre-LN layer, erf GELU x4.
    pub block Layer<HEADS>(x: f32[B, T, D]) -> f32[B, T, D] {
        ln1:       LayerNorm();
        attention: Attention<HEADS>;
        ln2:       LayerNorm();
        up:        Linear(4 * D);
        down:      Linear(D);

        let x = x + attention(ln1(x));
        x + down(up(ln2(x)).gelu())
    }

    /// GPT with learned positions and an untied head without bias.
    pub net Gpt {
        te:       Embedding(256, 256, init = normal(0, 0.02));
        param pe: f32[128, 256] = normal(0, 0.02);
        layers:   [Layer<4>; 4];
        ln:       LayerNorm();
        head:     Linear(256, bias = false);

        pub fn scores(x: u32[B, 128]) -> f32[B, 128, 256] { head(ln(layers(te(x) + pe))) }
        pub train fn loss(x: u32[B, 128], y: u32[B, 128]) -> f32 { scores(x).cross_entropy(y, dim = -1) }
    }

    /// [`Gpt`] with its rounds written out.
    pub net GptWritten {
        te:       Embedding(256, 256, init = normal(0, 0.02));
        param pe: f32[128, 256] = normal(0, 0.02);
        layers:   [Layer<4>; 4];
        ln:       LayerNorm();
        head:     Linear(256, bias = false);

        pub fn scores(x: u32[B, 128]) -> f32[B, 128, 256] {
            let mut x = te(x) + pe;
            for layer in layers { x = layer(x); }
            head(ln(x))
        }
        pub train fn loss(x: u32[B, 128], y: u32[B, 128]) -> f32 { scores(x).cross_entropy(y, dim = -1) }
    }
}

network! {
    /// Embedding, one LSTM layer, a dense layer at each step.
    pub net CharLstm {
        e: Embedding(128, 256);
        r: LSTM(256, batch_first = true);
        o: Linear(128);

        pub fn scores(x: u32[B, 64]) -> f32[B, 64, 128] {
            let (h, _) = r(e(x));
            o(h)
        }
        pub train fn loss(x: u32[B, 64], y: u32[B, 64]) -> f32 { scores(x).cross_entropy(y, dim = -1) }
    }
}

network! {
    /// Expand, depthwise 3x3, project.
    pub block InvertedResidual<CHANNELS, STRIDE = 1, EXPAND = 6>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {
        expand:    if EXPAND != 1 { Conv2d(EXPAND * C, kernel_size = 1, bias = false) };
        bn1:       if EXPAND != 1 { BatchNorm2d() };
        depthwise: Conv2d(EXPAND * C, kernel_size = 3, stride = STRIDE, padding = 1, groups = EXPAND * C, bias = false);
        bn2:       BatchNorm2d();
        project:   Conv2d(CHANNELS, kernel_size = 1, bias = false);
        bn3:       BatchNorm2d();

        let y = if EXPAND != 1 { bn1(expand(x)).clamp(0.0, 6.0) } else { x };
        let y = bn3(project(bn2(depthwise(y)).clamp(0.0, 6.0)));
        if STRIDE == 1 && C == CHANNELS { x + y } else { y }
    }

    /// [`MobileNetV2`] with its rounds written out.
    pub net MobileNetV2Written {
        stem:   Conv2d(32, kernel_size = 3, stride = 2, padding = 1, bias = false);
        bn1:    BatchNorm2d();
        blocks: [
            InvertedResidual<16, 1, 1>,
            InvertedResidual<24, 2>, InvertedResidual<24>,
            InvertedResidual<32, 2>, InvertedResidual<32>, InvertedResidual<32>,
            InvertedResidual<64, 2>, InvertedResidual<64>, InvertedResidual<64>, InvertedResidual<64>,
            InvertedResidual<96>, InvertedResidual<96>, InvertedResidual<96>,
            InvertedResidual<160, 2>, InvertedResidual<160>, InvertedResidual<160>,
            InvertedResidual<320>
        ];
        last:   Conv2d(1280, kernel_size = 1, bias = false);
        bn2:    BatchNorm2d();
        head:   Linear(10);

        pub fn scores(x: f32[N, 3, 64, 64]) -> f32[N, 10] {
            let mut x = bn1(stem(x)).clamp(0.0, 6.0);
            for b in blocks { x = b(x); }
            head(bn2(last(x)).clamp(0.0, 6.0).mean([2, 3]))
        }
        pub train fn loss(x: f32[N, 3, 64, 64], y: u8[N]) -> f32 { scores(x).cross_entropy(y) }
    }

    /// MobileNetV2, width 1, for 64 x 64 images and 10 classes.
    pub net MobileNetV2 {
        stem:   Conv2d(32, kernel_size = 3, stride = 2, padding = 1, bias = false);
        bn1:    BatchNorm2d();
        blocks: [
            InvertedResidual<16, 1, 1>,
            InvertedResidual<24, 2>, InvertedResidual<24>,
            InvertedResidual<32, 2>, InvertedResidual<32>, InvertedResidual<32>,
            InvertedResidual<64, 2>, InvertedResidual<64>, InvertedResidual<64>, InvertedResidual<64>,
            InvertedResidual<96>, InvertedResidual<96>, InvertedResidual<96>,
            InvertedResidual<160, 2>, InvertedResidual<160>, InvertedResidual<160>,
            InvertedResidual<320>
        ];
        last:   Conv2d(1280, kernel_size = 1, bias = false);
        bn2:    BatchNorm2d();
        head:   Linear(10);

        pub fn scores(x: f32[N, 3, 64, 64]) -> f32[N, 10] {
            let x = blocks(bn1(stem(x)).clamp(0.0, 6.0));
            head(bn2(last(x)).clamp(0.0, 6.0).mean([2, 3]))
        }
        pub train fn loss(x: f32[N, 3, 64, 64], y: u8[N]) -> f32 { scores(x).cross_entropy(y) }
    }
}

network! {
    /// Convolution 3x3, batch norm, ReLU, twice.
    pub block Double<CHANNELS>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, H, W] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        bn1:   BatchNorm2d();
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        bn2:   BatchNorm2d();

        bn2(conv2(bn1(conv1(x)).relu())).relu()
    }

    /// One step up: transposed convolution, joined with the same level on the way down.
    pub block Up<CHANNELS>(x: f32[N, C, H, W], skip: f32[N, D, 2 * H, 2 * W]) -> f32[N, CHANNELS, 2 * H, 2 * W] {
        up:   ConvTranspose2d(CHANNELS, kernel_size = 2, stride = 2);
        join: Double<CHANNELS>;

        join(cat([up(x), skip], dim = 1))
    }

    /// U-Net 32-64-128-256 for 64 x 64 images, 4 classes a pixel.
    pub net UNet {
        down1:  Double<32>;
        down2:  Double<64>;
        down3:  Double<128>;
        bottom: Double<256>;
        up3:    Up<128>;
        up2:    Up<64>;
        up1:    Up<32>;
        head:   Conv2d(4, kernel_size = 1);

        pub fn scores(x: f32[N, 3, 64, 64]) -> f32[N, 4, 64, 64] {
            let a = down1(x);
            let b = down2(a.max_pool2d(2));
            let c = down3(b.max_pool2d(2));
            let d = bottom(c.max_pool2d(2));
            head(up1(up2(up3(d, c), b), a))
        }
        pub train fn loss(x: f32[N, 3, 64, 64], y: u8[N, 64, 64]) -> f32 { scores(x).cross_entropy(y) }
    }
}
