//! Layers, with the tensors that can be named. Written by `graph/tests/editor_vocabulary.rs` from the lists of the compiler.

use super::Tensor;

/// `Linear(in_features = inferred, out_features, bias = true)`
///
/// x · weightᵀ + bias over the last axis; weight \[out_features, in_features\], first values uniform in ±1/√in_features.
pub struct Linear {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `Embedding(num_embeddings, embedding_dim, padding_idx = None)`
///
/// The rows of the weight \[num_embeddings, embedding_dim\] that the input names: integers of any shape give that shape and the features. First values N(0, 1); row `padding_idx` is zero and stays so.
pub struct Embedding {
    /// The tensor `weight`.
    pub weight: Tensor,
}

/// `BatchNorm1d(num_features = inferred, eps = 1e-5, momentum = 0.1, affine = true, track_running_stats = true)`
///
/// Batch norm of \[N, channels\] or \[N, channels, length\] with running statistics.
pub struct BatchNorm1d {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `BatchNorm2d(num_features = inferred, eps = 1e-5, momentum = 0.1, affine = true, track_running_stats = true)`
///
/// Batch norm of \[N, channels, height, width\] with running statistics.
pub struct BatchNorm2d {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `InstanceNorm1d(num_features = inferred, eps = 1e-5, momentum = 0.1, affine = false, track_running_stats = false)`
///
/// Mean 0 and variance 1 of each channel of each example of \[N, channels, length\].
pub struct InstanceNorm1d {}

/// `InstanceNorm2d(num_features = inferred, eps = 1e-5, momentum = 0.1, affine = false, track_running_stats = false)`
///
/// Mean 0 and variance 1 of each channel of each image of \[N, channels, height, width\].
pub struct InstanceNorm2d {}

/// `LayerNorm(normalized_shape = the last axis, eps = 1e-5, elementwise_affine = true, bias = true)`
///
/// Mean 0 and variance 1 over the last axes, times weight, plus bias.
pub struct LayerNorm {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `RMSNorm(normalized_shape = the last axis, eps = 1.1920929e-7, elementwise_affine = true)`
///
/// Mean of squares 1 over the last axes, times weight.
pub struct RMSNorm {
    /// The tensor `weight`.
    pub weight: Tensor,
}

/// `GroupNorm(num_groups, num_channels = inferred, eps = 1e-5, affine = true)`
///
/// Mean 0 and variance 1 of each group of channels (axis 1) with all that follows, times weight, plus bias by channels.
pub struct GroupNorm {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `Conv1d(in_channels = inferred, out_channels, kernel_size, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true)`
///
/// Cross-correlation of \[N, channels, length\]; weight \[out, in / groups, kernel\], first values uniform in ±1/√(in / groups · kernel).
pub struct Conv1d {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `Conv2d(in_channels = inferred, out_channels, kernel_size, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true)`
///
/// Cross-correlation of \[N, channels, height, width\]; weight \[out, in / groups, kernel height, kernel width\], first values uniform in ±1/√(in / groups · kernel area).
pub struct Conv2d {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `ConvTranspose1d(in_channels = inferred, out_channels, kernel_size, stride = 1, padding = 0, output_padding = 0, groups = 1, bias = true, dilation = 1)`
///
/// The transpose of Conv1d; weight \[in, out / groups, kernel\], first values uniform in ±1/√(out / groups · kernel).
pub struct ConvTranspose1d {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `ConvTranspose2d(in_channels = inferred, out_channels, kernel_size, stride = 1, padding = 0, output_padding = 0, groups = 1, bias = true, dilation = 1)`
///
/// The transpose of Conv2d; weight \[in, out / groups, kernel height, kernel width\], first values uniform in ±1/√(out / groups · kernel area).
pub struct ConvTranspose2d {
    /// The tensor `weight`.
    pub weight: Tensor,
    /// The tensor `bias`.
    pub bias: Tensor,
}

/// `LSTM(input_size = inferred, hidden_size, num_layers = 1, bias = true, batch_first = false, dropout = 0.0, bidirectional = false)`
///
/// Long short-term memory over \[T, batch, features\]: (output, (h_n, c_n)); `hx` is (h_0, c_0). `lengths`, of the batch, as by pack_padded_sequence: from 1 to T; the output is 0 behind them, the last states are those at them.
pub struct LSTM {
    /// The tensor `weight_ih_l0`.
    pub weight_ih_l0: Tensor,
    /// The tensor `weight_hh_l0`.
    pub weight_hh_l0: Tensor,
    /// The tensor `bias_ih_l0`.
    pub bias_ih_l0: Tensor,
    /// The tensor `bias_hh_l0`.
    pub bias_hh_l0: Tensor,
}

/// `GRU(input_size = inferred, hidden_size, num_layers = 1, bias = true, batch_first = false, dropout = 0.0, bidirectional = false)`
///
/// Gated recurrent units over \[T, batch, features\]: (output, h_n). `lengths` as for `LSTM`.
pub struct GRU {
    /// The tensor `weight_ih_l0`.
    pub weight_ih_l0: Tensor,
    /// The tensor `weight_hh_l0`.
    pub weight_hh_l0: Tensor,
    /// The tensor `bias_ih_l0`.
    pub bias_ih_l0: Tensor,
    /// The tensor `bias_hh_l0`.
    pub bias_hh_l0: Tensor,
}

/// `RNN(input_size = inferred, hidden_size, num_layers = 1, nonlinearity = "tanh", bias = true, batch_first = false, dropout = 0.0, bidirectional = false)`
///
/// h = tanh(x · weight_ihᵀ + bias_ih + h · weight_hhᵀ + bias_hh) over \[T, batch, features\], or with "relu": (output, h_n). `lengths` as for `LSTM`.
pub struct RNN {
    /// The tensor `weight_ih_l0`.
    pub weight_ih_l0: Tensor,
    /// The tensor `weight_hh_l0`.
    pub weight_hh_l0: Tensor,
    /// The tensor `bias_ih_l0`.
    pub bias_ih_l0: Tensor,
    /// The tensor `bias_hh_l0`.
    pub bias_hh_l0: Tensor,
}

/// `Dropout(p = 0.5)`
///
/// In training: 0 with probability p, else x / (1 - p). The identity otherwise.
pub struct Dropout {}

/// `Dropout2d(p = 0.5)`
///
/// As Dropout, a whole channel of \[N, channels, height, width\] at a time.
pub struct Dropout2d {}

/// `MaxPool1d(kernel_size, stride = kernel_size, padding = 0, dilation = 1, return_indices = false, ceil_mode = false)`
///
/// The maximum of each window of \[N, channels, length\].
pub struct MaxPool1d {}

/// `MaxPool2d(kernel_size, stride = kernel_size, padding = 0, dilation = 1, return_indices = false, ceil_mode = false)`
///
/// The maximum of each window.
pub struct MaxPool2d {}

/// `AvgPool1d(kernel_size, stride = kernel_size, padding = 0, ceil_mode = false, count_include_pad = true)`
///
/// The mean of each window of \[N, channels, length\].
pub struct AvgPool1d {}

/// `AvgPool2d(kernel_size, stride = kernel_size, padding = 0, ceil_mode = false, count_include_pad = true)`
///
/// The mean of each window.
pub struct AvgPool2d {}

/// `AdaptiveAvgPool1d(output_size)`
///
/// The means of so many windows over the whole length.
pub struct AdaptiveAvgPool1d {}

/// `AdaptiveAvgPool2d(output_size)`
///
/// The means of so many windows over the whole image.
pub struct AdaptiveAvgPool2d {}

/// `AdaptiveMaxPool2d(output_size)`
///
/// The maxima of so many windows over the whole image.
pub struct AdaptiveMaxPool2d {}

/// `Upsample(size = None, scale_factor = None, mode = "nearest", align_corners = false)`
///
/// A larger image: pixels repeated (`"nearest"`) or mixed (`"bilinear"`).
pub struct Upsample {}

/// `PixelShuffle(upscale_factor)`
///
/// Channels become pixels.
pub struct PixelShuffle {}

/// `PixelUnshuffle(downscale_factor)`
///
/// Pixels become channels.
pub struct PixelUnshuffle {}

/// `Flatten(start_dim = 1, end_dim = -1)`
///
/// Axes `start_dim` to `end_dim` become one; all but the first, if nothing is said.
pub struct Flatten {}

/// `Identity()`
///
/// What it is given.
pub struct Identity {}

/// `ReLU()`
///
/// The greater of x and 0.
pub struct ReLU {}

/// `LeakyReLU(negative_slope = 0.01)`
///
/// x, or a part of it where it is negative.
pub struct LeakyReLU {}

/// `GELU(approximate = "none")`
///
/// x · Φ(x).
pub struct GELU {}

/// `SiLU()`
///
/// x · sigmoid(x).
pub struct SiLU {}

/// `Softplus(beta = 1.0, threshold = 20.0)`
///
/// log(1 + eˣ), for any beta.
pub struct Softplus {}

/// `ELU(alpha = 1.0)`
///
/// x, or alpha · (eˣ - 1) where it is negative.
pub struct ELU {}

/// `ReLU6()`
///
/// x between 0 and 6.
pub struct ReLU6 {}

/// `Mish()`
///
/// x · tanh(softplus(x)).
pub struct Mish {}

/// `Hardswish()`
///
/// x · relu6(x + 3) / 6.
pub struct Hardswish {}

/// `Softmax(dim)`
///
/// exp(x), divided by its sum along `dim`.
pub struct Softmax {}

/// `Tanh()`
///
/// The hyperbolic tangent.
pub struct Tanh {}

/// `Sigmoid()`
///
/// 1 / (1 + exp(-x)).
pub struct Sigmoid {}
