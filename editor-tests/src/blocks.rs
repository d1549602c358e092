//! A block that other modules use.

castnet::network! {
    /// Two 3 × 3 convolutions around a shortcut.
    pub block Residual<CHANNELS, STRIDE = 1>(x: f32[N, C, H, W]) -> f32[N, CHANNELS, _, _] {
        conv1: Conv2d(CHANNELS, kernel_size = 3, stride = STRIDE, padding = 1, bias = false);
        bn1:   BatchNorm2d();
        conv2: Conv2d(CHANNELS, kernel_size = 3, padding = 1, bias = false);
        bn2:   BatchNorm2d();
        down:  if STRIDE != 1 || C != CHANNELS { Conv2d(CHANNELS, kernel_size = 1, stride = STRIDE, bias = false) };

        let pooled = x.mean([2, 3]);
        let y = bn1(conv1(x)).relu();
        let shortcut = if STRIDE != 1 || C != CHANNELS { down(x) } else { x };
        (bn2(conv2(y)) + shortcut).relu() + pooled.mean() * 0
    }
}
