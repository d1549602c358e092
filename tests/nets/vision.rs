//! Networks of images: residual, depthwise, U-shaped, of patches with attention, and one that removes noise.

use castnet::prelude::*;

network! {
    /// Two 3 × 3 convolutions around a shortcut.
    pub block Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, stride = STRIDE, padding = 1, bias = false);
        bn1:   BatchNorm2d();
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        bn2:   BatchNorm2d();
        down:  if STRIDE != 1 || C != CHANNELS { Conv2d(CHANNELS, kernel_size = 1, stride = STRIDE, bias = false) };

        let y = bn1(conv1(x)).relu();
        let shortcut = if STRIDE != 1 || C != CHANNELS { down(x) } else { x };
        (bn2(conv2(y)) + shortcut).relu()
    }

    /// He and others 2015, section 4.2, with projections as shortcuts.
    pub net ResNet<SIZE = 32> {
        stem:   Conv2d(16, kernel_size = 3, padding = 1, bias = false);
        bn:     BatchNorm2d();
        stage1: [Residual<16>; 3];
        stage2: [Residual<32, 2>, Residual<32>, Residual<32>];
        stage3: [Residual<64, 2>, Residual<64>, Residual<64>];
        head:   Linear(10);

        pub fn scores(image: f32[N, 3, SIZE, SIZE]) -> f32[N, 10] {
            let x = bn(stem(image)).relu();
            let x = stage3(stage2(stage1(x)));
            head(x.mean([2, 3]))
        }

        pub train fn loss(image: f32[N, 3, SIZE, SIZE], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }

    pub net ResNet20 = ResNet<32>;
    pub net ResNet20Small = ResNet<16>;
}

network! {
    /// 1 × 1, 3 × 3 (with the stride), 1 × 1 with four times the channels, around a shortcut.
    pub block Bottleneck<WIDTH, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, 4 * WIDTH, _, _] {
        conv1: Conv2d(WIDTH, kernel_size = 1, bias = false);
        bn1:   BatchNorm2d();
        conv2: Conv2d(WIDTH, kernel_size = 3, stride = STRIDE, padding = 1, bias = false);
        bn2:   BatchNorm2d();
        conv3: Conv2d(4 * WIDTH, kernel_size = 1, bias = false);
        bn3:   BatchNorm2d();
        down:  if STRIDE != 1 || C != 4 * WIDTH { Conv2d(4 * WIDTH, kernel_size = 1, stride = STRIDE, bias = false) };
        bn4:   if STRIDE != 1 || C != 4 * WIDTH { BatchNorm2d() };

        let y = bn1(conv1(x)).relu();
        let y = bn2(conv2(y)).relu();
        let shortcut = if STRIDE != 1 || C != 4 * WIDTH { bn4(down(x)) } else { x };
        (bn3(conv3(y)) + shortcut).relu()
    }

    /// ResNet-50 for 64 × 64 images, so that the last stage still has 2 × 2 pixels; width 64 is the published one.
    pub net ResNetDeep<WIDTH> {
        stem:   Conv2d(WIDTH, kernel_size = 7, stride = 2, padding = 3, bias = false);
        bn:     BatchNorm2d();
        stage1: [Bottleneck<WIDTH>; 3];
        stage2: [Bottleneck<{ 2 * WIDTH }, 2>, Bottleneck<{ 2 * WIDTH }>, Bottleneck<{ 2 * WIDTH }>, Bottleneck<{ 2 * WIDTH }>];
        stage3: [
            Bottleneck<{ 4 * WIDTH }, 2>, Bottleneck<{ 4 * WIDTH }>, Bottleneck<{ 4 * WIDTH }>,
            Bottleneck<{ 4 * WIDTH }>, Bottleneck<{ 4 * WIDTH }>, Bottleneck<{ 4 * WIDTH }>
        ];
        stage4: [Bottleneck<{ 8 * WIDTH }, 2>, Bottleneck<{ 8 * WIDTH }>, Bottleneck<{ 8 * WIDTH }>];
        head:   Linear(10);

        pub fn scores(image: f32[N, 3, 64, 64]) -> f32[N, 10] {
            let x = bn(stem(image)).relu().max_pool2d(3, stride = 2, padding = 1);
            let x = stage4(stage3(stage2(stage1(x))));
            head(x.mean([2, 3]))
        }

        pub train fn loss(image: f32[N, 3, 64, 64], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }

    pub net ResNet50 = ResNetDeep<64>;
    pub net ResNet50Thin = ResNetDeep<4>;
}

network! {
    /// Expand, filter each channel by itself, project; around a shortcut where sizes allow.
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

    /// Sandler and others 2018 for 64 × 64 images; width 8 is the published one.
    pub net MobileNet<W> {
        stem:   Conv2d(4 * W, kernel_size = 3, stride = 2, padding = 1, bias = false);
        bn1:    BatchNorm2d();
        blocks: [
            InvertedResidual<{ 2 * W }, 1, 1>,
            InvertedResidual<{ 3 * W }, 2>, InvertedResidual<{ 3 * W }>,
            InvertedResidual<{ 4 * W }, 2>, InvertedResidual<{ 4 * W }>, InvertedResidual<{ 4 * W }>,
            InvertedResidual<{ 8 * W }, 2>, InvertedResidual<{ 8 * W }>, InvertedResidual<{ 8 * W }>, InvertedResidual<{ 8 * W }>,
            InvertedResidual<{ 12 * W }>, InvertedResidual<{ 12 * W }>, InvertedResidual<{ 12 * W }>,
            InvertedResidual<{ 20 * W }, 2>, InvertedResidual<{ 20 * W }>, InvertedResidual<{ 20 * W }>,
            InvertedResidual<{ 40 * W }>
        ];
        last:   Conv2d(160 * W, kernel_size = 1, bias = false);
        bn2:    BatchNorm2d();
        head:   Linear(10);

        pub fn scores(image: f32[N, 3, 64, 64]) -> f32[N, 10] {
            let x = blocks(bn1(stem(image)).clamp(0.0, 6.0));
            head(bn2(last(x)).clamp(0.0, 6.0).mean([2, 3]))
        }

        pub train fn loss(image: f32[N, 3, 64, 64], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }

    pub net MobileNetV2 = MobileNet<8>;
    pub net MobileNetV2Thin = MobileNet<1>;
}

network! {
    /// Two 3 × 3 convolutions with ReLU.
    pub block Double<CHANNELS>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, H, W] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, padding = 1);
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1);
        conv2(conv1(x).relu()).relu()
    }

    /// Three levels down by pooling, up by transposed convolution, joined by concatenation; a class for each pixel.
    pub net UNet {
        down1:  Double<8>;
        down2:  Double<16>;
        bottom: Double<32>;
        up2:    ConvTranspose2d(16, kernel_size = 2, stride = 2);
        join2:  Double<16>;
        up1:    ConvTranspose2d(8, kernel_size = 2, stride = 2);
        join1:  Double<8>;
        head:   Conv2d(3, kernel_size = 1);

        pub fn scores(image: f32[N, 1, 16, 16]) -> f32[N, 3, 16, 16] {
            let a = down1(image);
            let b = down2(a.max_pool2d(2));
            let c = bottom(b.max_pool2d(2));
            let b = join2(cat([up2(c), b], dim = 1));
            let a = join1(cat([up1(b), a], dim = 1));
            head(a)
        }

        pub train fn loss(image: f32[N, 1, 16, 16], class: u8[N, 16, 16]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }
}

network! {
    use super::sequence::Encoder;

    /// Patches of 4 × 4 pixels and a class token through four encoder layers (Dosovitskiy and others 2021).
    pub net ViT {
        const D: usize = 48;
        patch:    Conv2d(D, kernel_size = 4, stride = 4);
        param cls: f32[1, 1, D] = zeros;
        param position: f32[1, 65, D] = zeros;
        layers:   [Encoder<4>; 4];
        ln:       LayerNorm();
        head:     Linear(10);

        pub fn scores(image: f32[N, 3, 32, 32]) -> f32[N, 10] {
            let x = patch(image).flatten(2).transpose(1, 2);
            let x = cat([cls.expand([N, 1, D]), x], dim = 1) + position;
            head(ln(layers(x))[.., 0])
        }

        pub train fn loss(image: f32[N, 3, 32, 32], class: u8[N]) -> f32 {
            scores(image).cross_entropy(class)
        }
    }
}

network! {
    use super::sequence::Attention;

    /// The residual block of a diffusion net: GroupNorm, SiLU, convolution, twice.
    pub block Stage(x: f32[N, C, H, W]) -> f32[N, C, H, W] {
        gn1:   GroupNorm(4);
        conv1: Conv2d(C, kernel_size = 3, padding = 1);
        gn2:   GroupNorm(4);
        conv2: Conv2d(C, kernel_size = 3, padding = 1);

        let y = conv1(gn1(x).silu());
        x + conv2(gn2(y).silu())
    }

    /// The middle of a diffusion net: what noise was added to an image; GroupNorm, SiLU, attention over all pixels.
    pub net Diffusion {
        stem:      Conv2d(16, kernel_size = 3, padding = 1);
        stage1:    Stage;
        down:      Conv2d(16, kernel_size = 3, stride = 2, padding = 1);
        gn:        GroupNorm(4);
        attention: Attention<2>;
        stage2:    Stage;
        up:        ConvTranspose2d(16, kernel_size = 2, stride = 2);
        head:      Conv2d(3, kernel_size = 3, padding = 1);

        pub fn denoised(image: f32[N, 3, 16, 16]) -> f32[N, 3, 16, 16] {
            let x = down(stage1(stem(image)));
            let y = gn(x).reshape([N, 16, 64]).permute([0, 2, 1]);
            let x = x + attention(y).permute([0, 2, 1]).reshape([N, 16, 8, 8]);
            head(up(stage2(x)).silu())
        }

        pub train fn loss(image: f32[N, 3, 16, 16], noise: f32[N, 3, 16, 16]) -> f32 {
            denoised(image + 0.5 * noise).mse_loss(noise)
        }
    }
}
