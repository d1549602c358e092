//! Operators as methods of a tensor. Written by `graph/tests/editor_vocabulary.rs` from the lists of the compiler.

use super::{Tensor, any, *};

impl Tensor {
    /// `neg(input)`
    ///
    /// `-x`.
    pub fn neg<Output>(&self) -> Output { any() }
    /// `abs(input)`
    ///
    /// The absolute value; its gradient at 0 is 0.
    pub fn abs<Output>(&self) -> Output { any() }
    /// `sign(input)`
    ///
    /// -1, 0 or 1.
    pub fn sign<Output>(&self) -> Output { any() }
    /// `exp(input)`
    ///
    /// eˣ.
    pub fn exp<Output>(&self) -> Output { any() }
    /// `log(input)`
    ///
    /// The natural logarithm.
    pub fn log<Output>(&self) -> Output { any() }
    /// `sqrt(input)`
    ///
    /// √x.
    pub fn sqrt<Output>(&self) -> Output { any() }
    /// `rsqrt(input)`
    ///
    /// 1 / √x.
    pub fn rsqrt<Output>(&self) -> Output { any() }
    /// `tanh(input)`
    ///
    /// The hyperbolic tangent.
    pub fn tanh<Output>(&self) -> Output { any() }
    /// `sigmoid(input)`
    ///
    /// 1 / (1 + e⁻ˣ).
    pub fn sigmoid<Output>(&self) -> Output { any() }
    /// `erf(input)`
    ///
    /// Gauss' error function.
    pub fn erf<Output>(&self) -> Output { any() }
    /// `sin(input)`
    ///
    /// The sine of an angle in radians.
    pub fn sin<Output>(&self) -> Output { any() }
    /// `cos(input)`
    ///
    /// The cosine of an angle in radians.
    pub fn cos<Output>(&self) -> Output { any() }
    /// `floor(input)`
    ///
    /// The largest integer that is not larger; no gradient flows.
    pub fn floor<Output>(&self) -> Output { any() }
    /// `trunc(input)`
    ///
    /// Rounded towards zero; no gradient flows.
    pub fn trunc<Output>(&self) -> Output { any() }
    /// `round(input)`
    ///
    /// The nearest integer, of two the even one; no gradient flows.
    pub fn round<Output>(&self) -> Output { any() }
    /// `log1p(input)`
    ///
    /// log(1 + x), exact near 0.
    pub fn log1p<Output>(&self) -> Output { any() }
    /// `expm1(input)`
    ///
    /// eˣ - 1, exact near 0.
    pub fn expm1<Output>(&self) -> Output { any() }
    /// `atan(input)`
    ///
    /// The arc tangent, an angle in radians between -π/2 and π/2.
    pub fn atan<Output>(&self) -> Output { any() }
    /// `add(input, other)`
    ///
    /// `x + y`.
    pub fn add<Output>(&self, other: impl Operand) -> Output { any() }
    /// `sub(input, other)`
    ///
    /// `x - y`.
    pub fn sub<Output>(&self, other: impl Operand) -> Output { any() }
    /// `mul(input, other)`
    ///
    /// `x * y`.
    pub fn mul<Output>(&self, other: impl Operand) -> Output { any() }
    /// `div(input, other)`
    ///
    /// `x / y`.
    pub fn div<Output>(&self, other: impl Operand) -> Output { any() }
    /// `remainder(input, other)`
    ///
    /// `x % y` with the sign of the divisor.
    pub fn remainder<Output>(&self, other: impl Operand) -> Output { any() }
    /// `maximum(input, other)`
    ///
    /// The larger of two; ties share the gradient.
    pub fn maximum<Output>(&self, other: impl Operand) -> Output { any() }
    /// `minimum(input, other)`
    ///
    /// The smaller of two; ties share the gradient.
    pub fn minimum<Output>(&self, other: impl Operand) -> Output { any() }
    /// `lt(input, other)`
    ///
    /// `x < y`.
    pub fn lt<Output>(&self, other: impl Operand) -> Output { any() }
    /// `le(input, other)`
    ///
    /// `x <= y`.
    pub fn le<Output>(&self, other: impl Operand) -> Output { any() }
    /// `gt(input, other)`
    ///
    /// `x > y`.
    pub fn gt<Output>(&self, other: impl Operand) -> Output { any() }
    /// `ge(input, other)`
    ///
    /// `x >= y`.
    pub fn ge<Output>(&self, other: impl Operand) -> Output { any() }
    /// `eq(input, other)`
    ///
    /// `x == y`.
    pub fn eq<Output>(&self, other: impl Operand) -> Output { any() }
    /// `ne(input, other)`
    ///
    /// `x != y`.
    pub fn ne<Output>(&self, other: impl Operand) -> Output { any() }
    /// `logical_and(input, other)`
    ///
    /// `x & y`.
    pub fn logical_and<Output>(&self, other: impl Operand) -> Output { any() }
    /// `logical_or(input, other)`
    ///
    /// `x | y`.
    pub fn logical_or<Output>(&self, other: impl Operand) -> Output { any() }
    /// `ceil(input)`
    ///
    /// The smallest integer that is not smaller; no gradient flows.
    pub fn ceil<Output>(&self) -> Output { any() }
    /// `isnan(input)`
    ///
    /// Whether an element is no number, as bool.
    pub fn isnan<Output>(&self) -> Output { any() }
    /// `detach(input)`
    ///
    /// The input as a constant: no gradient flows through it, in gradients of gradients neither.
    pub fn detach<Output>(&self) -> Output { any() }
    /// `logical_not(input)`
    ///
    /// `!x`.
    pub fn logical_not<Output>(&self) -> Output { any() }
    /// `relu(input)`
    ///
    /// max(x, 0); its gradient at 0 is 0.
    pub fn relu<Output>(&self) -> Output { any() }
    /// `leaky_relu(input, negative_slope = 0.01)`
    ///
    /// x where x > 0, else negative_slope · x.
    pub fn leaky_relu<Output>(&self, negative_slope: impl Float) -> Output { any() }
    /// `gelu(input, approximate = "none")`
    ///
    /// x · Φ(x), by the error function, or `approximate = "tanh"`.
    pub fn gelu<Output>(&self, approximate: impl Text) -> Output { any() }
    /// `silu(input)`
    ///
    /// x · sigmoid(x).
    pub fn silu<Output>(&self) -> Output { any() }
    /// `square(input)`
    ///
    /// x · x.
    pub fn square<Output>(&self) -> Output { any() }
    /// `reciprocal(input)`
    ///
    /// 1 / x.
    pub fn reciprocal<Output>(&self) -> Output { any() }
    /// `pow(input, exponent)`
    ///
    /// x to the power of a number or of a tensor.
    pub fn pow<Output>(&self, exponent: impl Operand) -> Output { any() }
    /// `clamp(input, min = None, max = None)`
    ///
    /// Between `min` and `max`, of which one may be left out; no gradient flows where it was held.
    pub fn clamp<Output>(&self, min: impl Float, max: impl Float) -> Output { any() }
    /// `where_(condition, input, other)`
    ///
    /// `input` where the condition holds, else `other`.
    pub fn where_<Output>(&self, input: impl Operand, other: impl Operand) -> Output { any() }
    /// `cast(input, dtype)`
    ///
    /// To another element type; floats to integers are cut towards zero.
    pub fn cast<Output>(&self, dtype: impl DType) -> Output { any() }
    /// `dropout(input, p = 0.5)`
    ///
    /// In training: 0 with probability p, else x / (1 - p). Counter-based: the same seed drops the same elements.
    pub fn dropout<Output>(&self, p: impl Float) -> Output { any() }
    /// `floor_divide(input, other)`
    ///
    /// The exact quotient, rounded down, so that `y * x.floor_divide(y) + x % y` is `x`; of integers by 0 the call is an error.
    pub fn floor_divide<Output>(&self, other: impl Operand) -> Output { any() }
    /// `bitwise_and(input, other)`
    ///
    /// Every bit that is set in both; of truth values `x & y`.
    pub fn bitwise_and<Output>(&self, other: impl Operand) -> Output { any() }
    /// `bitwise_or(input, other)`
    ///
    /// Every bit that is set in one; of truth values `x | y`.
    pub fn bitwise_or<Output>(&self, other: impl Operand) -> Output { any() }
    /// `bitwise_xor(input, other)`
    ///
    /// Every bit that is set in one of both; of truth values whether they differ.
    pub fn bitwise_xor<Output>(&self, other: impl Operand) -> Output { any() }
    /// `bitwise_not(input)`
    ///
    /// Every bit the other way round; of truth values `!x`.
    pub fn bitwise_not<Output>(&self) -> Output { any() }
    /// `bitwise_left_shift(input, other)`
    ///
    /// `x` with its bits moved to the left: times 2 to the power of `other`, wrapping; 0 from the type's width on.
    pub fn bitwise_left_shift<Output>(&self, other: impl Operand) -> Output { any() }
    /// `bitwise_right_shift(input, other)`
    ///
    /// `x` with its bits moved to the right: by 2 to the power of `other`, rounded down.
    pub fn bitwise_right_shift<Output>(&self, other: impl Operand) -> Output { any() }
    /// `softplus(input, beta = 1.0, threshold = 20.0)`
    ///
    /// log(1 + exp(beta · x)) / beta; x itself where beta · x lies above the threshold.
    pub fn softplus<Output>(&self, beta: impl Float, threshold: impl Float) -> Output { any() }
    /// `elu(input, alpha = 1.0)`
    ///
    /// x where x > 0, else alpha · (eˣ - 1).
    pub fn elu<Output>(&self, alpha: impl Float) -> Output { any() }
    /// `relu6(input)`
    ///
    /// x between 0 and 6; its gradient at both is 0.
    pub fn relu6<Output>(&self) -> Output { any() }
    /// `mish(input)`
    ///
    /// x · tanh(softplus(x)).
    pub fn mish<Output>(&self) -> Output { any() }
    /// `hardswish(input)`
    ///
    /// x · relu6(x + 3) / 6; its gradient is 0 at -3 and 1 at 3.
    pub fn hardswish<Output>(&self) -> Output { any() }
    /// `sum(input, dim = all, keepdim = false, dtype = None)`
    ///
    /// The sum over axes (all of them, if none is given); of integers and bool as i64, unless `dtype` says otherwise.
    pub fn sum<Output>(&self, dim: impl Ints, keepdim: impl Bool, dtype: impl DType) -> Output { any() }
    /// `prod(input, dim = all, keepdim = false, dtype = None)`
    ///
    /// The product over an axis (all elements, if none is given); of integers and bool as i64, unless `dtype` says otherwise.
    pub fn prod<Output>(&self, dim: impl Int, keepdim: impl Bool, dtype: impl DType) -> Output { any() }
    /// `amax(input, dim = all, keepdim = false)`
    ///
    /// The maximum over axes; ties share the gradient.
    pub fn amax<Output>(&self, dim: impl Ints, keepdim: impl Bool) -> Output { any() }
    /// `amin(input, dim = all, keepdim = false)`
    ///
    /// The minimum over axes; ties share the gradient.
    pub fn amin<Output>(&self, dim: impl Ints, keepdim: impl Bool) -> Output { any() }
    /// `reduce_xor(input, dim = all, keepdim = false)`
    ///
    /// Over axes (all of them, if none is given) every bit that is set in an odd number of integers, as JAX's; of truth values whether an odd number is true.
    pub fn reduce_xor<Output>(&self, dim: impl Ints, keepdim: impl Bool) -> Output { any() }
    /// `mean(input, dim = all, keepdim = false, dtype = None)`
    ///
    /// The mean over axes (all of them, if none is given), in the type that `dtype` says.
    pub fn mean<Output>(&self, dim: impl Ints, keepdim: impl Bool, dtype: impl DType) -> Output { any() }
    /// `var(input, dim = all, correction = 1, keepdim = false, unbiased = None)`
    ///
    /// The variance over axes (all of them, if none is given): the squares of the distances from the mean, divided by the number of elements less `correction`. `unbiased = false` is `correction = 0`.
    pub fn var<Output>(&self, dim: impl Ints, correction: impl Int, keepdim: impl Bool, unbiased: impl Bool) -> Output { any() }
    /// `std(input, dim = all, correction = 1, keepdim = false, unbiased = None)`
    ///
    /// The square root of `var`.
    pub fn std<Output>(&self, dim: impl Ints, correction: impl Int, keepdim: impl Bool, unbiased: impl Bool) -> Output { any() }
    /// `logsumexp(input, dim, keepdim = false)`
    ///
    /// log Σ exp(x) over axes, without overflow.
    pub fn logsumexp<Output>(&self, dim: impl Ints, keepdim: impl Bool) -> Output { any() }
    /// `argmax(input, dim = all, keepdim = false)`
    ///
    /// Where along `dim` (in the flattened input, if left out) the maximum stands, as i64; of equal ones the first.
    pub fn argmax<Output>(&self, dim: impl Int, keepdim: impl Bool) -> Output { any() }
    /// `argmin(input, dim = all, keepdim = false)`
    ///
    /// Where the minimum stands; of equal ones the first.
    pub fn argmin<Output>(&self, dim: impl Int, keepdim: impl Bool) -> Output { any() }
    /// `max(input, dim = all, keepdim = false)`
    ///
    /// `(values, indices)` along `dim`: the maximum and where it stands, as i64, of equal ones the first, which alone has the gradient. Without `dim` the maximum of all; ties share the gradient.
    pub fn max<Output>(&self, dim: impl Int, keepdim: impl Bool) -> Output { any() }
    /// `min(input, dim = all, keepdim = false)`
    ///
    /// As `max`, of the minimum.
    pub fn min<Output>(&self, dim: impl Int, keepdim: impl Bool) -> Output { any() }
    /// `norm(input, p = 2.0, dim = all, keepdim = false)`
    ///
    /// (Σ |x|ᵖ)^(1/p) over axes (all of them, if none is given), as torch.linalg.vector_norm: with p = inf the greatest |x|, with -inf the least, with 0 how many are not 0.
    pub fn norm<Output>(&self, p: impl Float, dim: impl Ints, keepdim: impl Bool) -> Output { any() }
    /// `normalize(input, p = 2.0, dim = 1, eps = 1e-12)`
    ///
    /// x / max(norm(x, p, dim), eps).
    pub fn normalize<Output>(&self, p: impl Float, dim: impl Ints, eps: impl Float) -> Output { any() }
    /// `cosine_similarity(x1, x2, dim = 1, eps = 1e-8)`
    ///
    /// Σ x1 · x2 / (max(norm(x1), eps) · max(norm(x2), eps)) along `dim`, which disappears.
    pub fn cosine_similarity<Output>(&self, x2: impl Operand, dim: impl Int, eps: impl Float) -> Output { any() }
    /// `softmax(input, dim)`
    ///
    /// exp(x) / Σ exp(x) along `dim`.
    pub fn softmax<Output>(&self, dim: impl Int) -> Output { any() }
    /// `log_softmax(input, dim)`
    ///
    /// x - log Σ exp(x) along `dim`.
    pub fn log_softmax<Output>(&self, dim: impl Int) -> Output { any() }
    /// `cross_entropy(input, target, weight = None, ignore_index = -100, reduction = "mean", label_smoothing = 0.0, dim = 1)`
    ///
    /// -log softmax(input)\[target\] along `dim`, the axis of the classes: the mean over all targets, or as `reduction` says ("sum", "none"). `weight` has a factor for each class, by whose sum the mean divides. A target of `ignore_index` counts for nothing; any other that is no class is an error of the call. A target of floats, in the shape of the input, has a probability for each class.
    pub fn cross_entropy<Output>(&self, target: impl Operand, weight: impl Operand, ignore_index: impl Int, reduction: impl Text, label_smoothing: impl Float, dim: impl Int) -> Output { any() }
    /// `nll_loss(input, target, weight = None, ignore_index = -100, reduction = "mean")`
    ///
    /// -input\[target\] along axis 1, the axis of the classes: `cross_entropy` of what is a logarithm already.
    pub fn nll_loss<Output>(&self, target: impl Operand, weight: impl Operand, ignore_index: impl Int, reduction: impl Text) -> Output { any() }
    /// `mse_loss(input, target, reduction = "mean")`
    ///
    /// (input - target)²; `reduction` is "mean", "sum" or "none", here and below.
    pub fn mse_loss<Output>(&self, target: impl Operand, reduction: impl Text) -> Output { any() }
    /// `l1_loss(input, target, reduction = "mean")`
    ///
    /// |input - target|.
    pub fn l1_loss<Output>(&self, target: impl Operand, reduction: impl Text) -> Output { any() }
    /// `smooth_l1_loss(input, target, reduction = "mean", beta = 1.0)`
    ///
    /// d² / (2 beta) of the difference d where |d| < beta, else |d| - beta / 2.
    pub fn smooth_l1_loss<Output>(&self, target: impl Operand, reduction: impl Text, beta: impl Float) -> Output { any() }
    /// `huber_loss(input, target, reduction = "mean", delta = 1.0)`
    ///
    /// d² / 2 of the difference d where |d| < delta, else delta · (|d| - delta / 2).
    pub fn huber_loss<Output>(&self, target: impl Operand, reduction: impl Text, delta: impl Float) -> Output { any() }
    /// `binary_cross_entropy(input, target, weight = None, reduction = "mean")`
    ///
    /// -weight · (target · log(input) + (1 - target) · log(1 - input)) of probabilities; logarithms are held at -100, and the gradient is (input - target) / max(input · (1 - input), 1e-12).
    pub fn binary_cross_entropy<Output>(&self, target: impl Operand, weight: impl Operand, reduction: impl Text) -> Output { any() }
    /// `binary_cross_entropy_with_logits(input, target, weight = None, reduction = "mean", pos_weight = None)`
    ///
    /// The same of sigmoid(input), without overflow; `pos_weight` is a factor of the part with `target`.
    pub fn binary_cross_entropy_with_logits<Output>(&self, target: impl Operand, weight: impl Operand, reduction: impl Text, pos_weight: impl Operand) -> Output { any() }
    /// `kl_div(input, target, reduction = "mean", log_target = false)`
    ///
    /// target · (log(target) - input), where the input is a logarithm; with `log_target` the target is one, too. `reduction = "batchmean"`: the sum, divided by the first size.
    pub fn kl_div<Output>(&self, target: impl Operand, reduction: impl Text, log_target: impl Bool) -> Output { any() }
    /// `matmul(input, other)`
    ///
    /// The matrix product of the last two axes; the others broadcast.
    pub fn matmul<Output>(&self, other: impl Operand) -> Output { any() }
    /// `mm(input, mat2)`
    ///
    /// `matmul` of two matrices.
    pub fn mm<Output>(&self, mat2: impl Operand) -> Output { any() }
    /// `bmm(input, mat2)`
    ///
    /// `matmul` of two stacks of as many matrices.
    pub fn bmm<Output>(&self, mat2: impl Operand) -> Output { any() }
    /// `linear(input, weight, bias = None)`
    ///
    /// x · weightᵀ + bias over the last axis.
    pub fn linear<Output>(&self, weight: impl Operand, bias: impl Operand) -> Output { any() }
    /// `scaled_dot_product_attention(query, key, value, attn_mask = None, dropout_p = 0.0, is_causal = false, scale = None)`
    ///
    /// softmax(scale · query · keyᵀ + mask) · value; `scale` is 1 / √E of query\[.., L, E\] unless given. A bool mask is true where a key may be seen, any other one is added; a query that sees nothing, as all of its row is false or -∞, gives 0. `is_causal`: query i sees the keys 0 to i. In training, weights are dropped with probability `dropout_p`.
    pub fn scaled_dot_product_attention<Output>(&self, key: impl Operand, value: impl Operand, attn_mask: impl Operand, dropout_p: impl Float, is_causal: impl Bool, scale: impl Float) -> Output { any() }
    /// `layer_norm(input, normalized_shape = the last axis, weight = None, bias = None, eps = 1e-5)`
    ///
    /// (x - mean) / √(variance + eps) over the last axes, times weight, plus bias.
    pub fn layer_norm<Output>(&self, normalized_shape: impl Ints, weight: impl Operand, bias: impl Operand, eps: impl Float) -> Output { any() }
    /// `rms_norm(input, normalized_shape = the last axis, weight = None, eps = 1.1920929e-7)`
    ///
    /// x / √(mean of squares + eps) over the last axes, times weight.
    pub fn rms_norm<Output>(&self, normalized_shape: impl Ints, weight: impl Operand, eps: impl Float) -> Output { any() }
    /// `group_norm(input, num_groups, weight = None, bias = None, eps = 1e-5)`
    ///
    /// Layer norm of each group of channels (axis 1) with all that follows, times weight, plus bias by channels.
    pub fn group_norm<Output>(&self, num_groups: impl Int, weight: impl Operand, bias: impl Operand, eps: impl Float) -> Output { any() }
    /// `batch_norm(input, running_mean = None, running_var = None, weight = None, bias = None, training = false, momentum = 0.1, eps = 1e-5)`
    ///
    /// By channels (axis 1): with training = true, by the batch's mean and variance; else by those given. BatchNorm2d keeps running ones.
    pub fn batch_norm<Output>(&self, running_mean: impl Operand, running_var: impl Operand, weight: impl Operand, bias: impl Operand, training: impl Bool, momentum: impl Float, eps: impl Float) -> Output { any() }
    /// `conv1d(input, weight, bias = None, stride = 1, padding = 0, dilation = 1, groups = 1)`
    ///
    /// Cross-correlation of input\[n, c, l\] with weight\[o, c / groups, k\], plus bias\[o\].
    pub fn conv1d<Output>(&self, weight: impl Operand, bias: impl Operand, stride: impl Pair, padding: impl Padding, dilation: impl Pair, groups: impl Int) -> Output { any() }
    /// `conv2d(input, weight, bias = None, stride = 1, padding = 0, dilation = 1, groups = 1)`
    ///
    /// Cross-correlation of input\[n, c, h, w\] with weight\[o, c / groups, kh, kw\], plus bias\[o\].
    pub fn conv2d<Output>(&self, weight: impl Operand, bias: impl Operand, stride: impl Pair, padding: impl Padding, dilation: impl Pair, groups: impl Int) -> Output { any() }
    /// `conv_transpose1d(input, weight, bias = None, stride = 1, padding = 0, output_padding = 0, groups = 1, dilation = 1)`
    ///
    /// The transpose of conv1d: each element of input\[n, c, l\] spreads weight\[c, o / groups, k\], plus bias\[o\].
    pub fn conv_transpose1d<Output>(&self, weight: impl Operand, bias: impl Operand, stride: impl Pair, padding: impl Pair, output_padding: impl Pair, groups: impl Int, dilation: impl Pair) -> Output { any() }
    /// `conv_transpose2d(input, weight, bias = None, stride = 1, padding = 0, output_padding = 0, groups = 1, dilation = 1)`
    ///
    /// The transpose of conv2d: each element of input\[n, c, h, w\] spreads weight\[c, o / groups, kh, kw\], plus bias\[o\].
    pub fn conv_transpose2d<Output>(&self, weight: impl Operand, bias: impl Operand, stride: impl Pair, padding: impl Pair, output_padding: impl Pair, groups: impl Int, dilation: impl Pair) -> Output { any() }
    /// `max_pool1d(input, kernel_size, stride = kernel_size, padding = 0, dilation = 1, ceil_mode = false, return_indices = false)`
    ///
    /// The maximum of each window of \[n, c, l\].
    pub fn max_pool1d<Output>(&self, kernel_size: impl Pair, stride: impl Pair, padding: impl Pair, dilation: impl Pair, ceil_mode: impl Bool, return_indices: impl Bool) -> Output { any() }
    /// `max_pool2d(input, kernel_size, stride = kernel_size, padding = 0, dilation = 1, ceil_mode = false, return_indices = false)`
    ///
    /// The maximum of each window.
    pub fn max_pool2d<Output>(&self, kernel_size: impl Pair, stride: impl Pair, padding: impl Pair, dilation: impl Pair, ceil_mode: impl Bool, return_indices: impl Bool) -> Output { any() }
    /// `avg_pool1d(input, kernel_size, stride = kernel_size, padding = 0, ceil_mode = false, count_include_pad = true)`
    ///
    /// The mean of each window of \[n, c, l\]; padding counts as zeros, or not at all.
    pub fn avg_pool1d<Output>(&self, kernel_size: impl Pair, stride: impl Pair, padding: impl Pair, ceil_mode: impl Bool, count_include_pad: impl Bool) -> Output { any() }
    /// `avg_pool2d(input, kernel_size, stride = kernel_size, padding = 0, ceil_mode = false, count_include_pad = true)`
    ///
    /// The mean of each window; padding counts as zeros, or not at all.
    pub fn avg_pool2d<Output>(&self, kernel_size: impl Pair, stride: impl Pair, padding: impl Pair, ceil_mode: impl Bool, count_include_pad: impl Bool) -> Output { any() }
    /// `adaptive_avg_pool1d(input, output_size)`
    ///
    /// The means of so many windows of nearly equal length over all of \[n, c, l\].
    pub fn adaptive_avg_pool1d<Output>(&self, output_size: impl Pair) -> Output { any() }
    /// `adaptive_avg_pool2d(input, output_size)`
    ///
    /// The means of so many windows of nearly equal size over the whole image.
    pub fn adaptive_avg_pool2d<Output>(&self, output_size: impl Pair) -> Output { any() }
    /// `adaptive_max_pool2d(input, output_size)`
    ///
    /// The maxima of so many windows of equal size over the whole image.
    pub fn adaptive_max_pool2d<Output>(&self, output_size: impl Pair) -> Output { any() }
    /// `interpolate(input, size = None, scale_factor = None, mode = "nearest", align_corners = false)`
    ///
    /// An image of \[n, c, h, w\] in another size: each pixel repeated (`"nearest"`), or mixed by distance (`"bilinear"`).
    pub fn interpolate<Output>(&self, size: impl Pair, scale_factor: impl Pair, mode: impl Text, align_corners: impl Bool) -> Output { any() }
    /// `pixel_shuffle(input, upscale_factor)`
    ///
    /// \[n, c·r², h, w\] becomes \[n, c, h·r, w·r\]: channels become pixels.
    pub fn pixel_shuffle<Output>(&self, upscale_factor: impl Int) -> Output { any() }
    /// `pixel_unshuffle(input, downscale_factor)`
    ///
    /// \[n, c, h·r, w·r\] becomes \[n, c·r², h, w\]: pixels become channels.
    pub fn pixel_unshuffle<Output>(&self, downscale_factor: impl Int) -> Output { any() }
    /// `reshape(input, shape)`
    ///
    /// The same elements in another shape; one size may be -1.
    pub fn reshape<Output>(&self, shape: impl Sizes) -> Output { any() }
    /// `view(input, shape)`
    ///
    /// `reshape` by another name.
    pub fn view<Output>(&self, shape: impl Sizes) -> Output { any() }
    /// `flatten(input, start_dim = 0, end_dim = -1)`
    ///
    /// Axes `start_dim` to `end_dim` become one.
    pub fn flatten<Output>(&self, start_dim: impl Int, end_dim: impl Int) -> Output { any() }
    /// `permute(input, dims)`
    ///
    /// Axis i of the result is axis dims\[i\].
    pub fn permute<Output>(&self, dims: impl Ints) -> Output { any() }
    /// `transpose(input, dim0, dim1)`
    ///
    /// Two axes change places.
    pub fn transpose<Output>(&self, dim0: impl Int, dim1: impl Int) -> Output { any() }
    /// `t(input)`
    ///
    /// The transpose of a matrix.
    pub fn t<Output>(&self) -> Output { any() }
    /// `unsqueeze(input, dim)`
    ///
    /// A new axis of size 1 before axis `dim`.
    pub fn unsqueeze<Output>(&self, dim: impl Int) -> Output { any() }
    /// `squeeze(input, dim = all)`
    ///
    /// Without the axis `dim` of size 1 (all such, if left out).
    pub fn squeeze<Output>(&self, dim: impl Int) -> Output { any() }
    /// `select(input, dim, index)`
    ///
    /// The elements at `index` of axis `dim`, which disappears: `x\[.., index\]`.
    pub fn select<Output>(&self, dim: impl Int, index: impl Size) -> Output { any() }
    /// `narrow(input, dim, start, length)`
    ///
    /// `length` elements along axis `dim`, from `start` on.
    pub fn narrow<Output>(&self, dim: impl Int, start: impl Size, length: impl Size) -> Output { any() }
    /// `gather(input, dim, index)`
    ///
    /// For each element of `index` the element of the input at its own place, but at the index along `dim`. The sizes of the other axes are equal.
    pub fn gather<Output>(&self, dim: impl Int, index: impl Operand) -> Output { any() }
    /// `scatter_add(input, dim, index, src)`
    ///
    /// The input, to which each element of `src` is added at its own place, but at the index along `dim`. `src` and `index` have one shape, the input's but for that axis.
    pub fn scatter_add<Output>(&self, dim: impl Int, index: impl Operand, src: impl Operand) -> Output { any() }
    /// `index_select(input, dim, index)`
    ///
    /// The parts of the input along `dim` that a list of indices names.
    pub fn index_select<Output>(&self, dim: impl Int, index: impl Operand) -> Output { any() }
    /// `embedding(input, weight, padding_idx = None)`
    ///
    /// The rows of `weight` that the input names: integers of any shape give that shape and the features. Row `padding_idx` gets no gradient.
    pub fn embedding<Output>(&self, weight: impl Operand, padding_idx: impl Int) -> Output { any() }
    /// `one_hot(input, num_classes)`
    ///
    /// A new last axis of `num_classes`: 1 at the class, 0 elsewhere, as i64.
    pub fn one_hot<Output>(&self, num_classes: impl Int) -> Output { any() }
    /// `split(input, split_size_or_sections, dim = 0)`
    ///
    /// A list of pieces along `dim`: of one size (the last may be smaller), or of the sizes given.
    pub fn split<Output>(&self, split_size_or_sections: impl SizeOrSizes, dim: impl Int) -> Output { any() }
    /// `chunk(input, chunks, dim = 0)`
    ///
    /// A list of `chunks` equal pieces along `dim`; if it does not come out even, the last one is smaller.
    pub fn chunk<Output>(&self, chunks: impl Int, dim: impl Int) -> Output { any() }
    /// `unbind(input, dim = 0)`
    ///
    /// A list of all parts along `dim`, without that axis.
    pub fn unbind<Output>(&self, dim: impl Int) -> Output { any() }
    /// `flip(input, dims)`
    ///
    /// From the last to the first along the axes `dims`.
    pub fn flip<Output>(&self, dims: impl Ints) -> Output { any() }
    /// `roll(input, shifts, dims = None)`
    ///
    /// Each element `shifts` places further along `dims`; what leaves at the end comes in at the beginning. Without `dims`, in row-major order.
    pub fn roll<Output>(&self, shifts: impl Ints, dims: impl Ints) -> Output { any() }
    /// `pad(input, pad, mode = "constant", value = 0)`
    ///
    /// More elements before and behind: `\[left, right, top, bottom, …\]`, the last axis first; negative numbers cut off. `mode`: "constant" (`value`), "reflect", "replicate", "circular".
    pub fn pad<Output>(&self, pad: impl Sizes, mode: impl Text, value: impl Float) -> Output { any() }
    /// `zeros_like(input)`
    ///
    /// 0 in the input's shape and element type.
    pub fn zeros_like<Output>(&self) -> Output { any() }
    /// `ones_like(input)`
    ///
    /// 1 in the input's shape and element type.
    pub fn ones_like<Output>(&self) -> Output { any() }
    /// `full_like(input, fill_value)`
    ///
    /// `fill_value` in the input's shape and element type.
    pub fn full_like<Output>(&self, fill_value: impl Float) -> Output { any() }
    /// `masked_fill(input, mask, value)`
    ///
    /// `value` where the mask holds, else the input.
    pub fn masked_fill<Output>(&self, mask: impl Operand, value: impl Operand) -> Output { any() }
    /// `tril(input, diagonal = 0)`
    ///
    /// 0 above a diagonal of the last two axes; `diagonal = 1` is the one above the main one.
    pub fn tril<Output>(&self, diagonal: impl Int) -> Output { any() }
    /// `triu(input, diagonal = 0)`
    ///
    /// 0 below a diagonal of the last two axes.
    pub fn triu<Output>(&self, diagonal: impl Int) -> Output { any() }
    /// `expand(input, sizes)`
    ///
    /// Stretched to a shape: axes of size 1 to any size, new axes in front; -1 leaves an axis as it is.
    pub fn expand<Output>(&self, sizes: impl Sizes) -> Output { any() }
    /// `repeat(input, repeats)`
    ///
    /// So many copies along each axis, one after the other; new axes in front.
    pub fn repeat<Output>(&self, repeats: impl Sizes) -> Output { any() }
    /// `tile(input, dims)`
    ///
    /// `repeat`, where the first axes may be left out: `x.tile(2)` has the last axis twice.
    pub fn tile<Output>(&self, dims: impl Sizes) -> Output { any() }
    /// `repeat_interleave(input, repeats, dim = None)`
    ///
    /// Each part along `dim` so many times (each element of the flattened input, if left out).
    pub fn repeat_interleave<Output>(&self, repeats: impl Size, dim: impl Int) -> Output { any() }
    /// `rand_like(input)`
    ///
    /// `rand` in the input's shape.
    pub fn rand_like<Output>(&self) -> Output { any() }
    /// `randn_like(input)`
    ///
    /// `randn` in the input's shape.
    pub fn randn_like<Output>(&self) -> Output { any() }
    /// `bernoulli(input, p = None)`
    ///
    /// 1 with probability `input` (or `p`, if given: in the input's shape), else 0.
    pub fn bernoulli<Output>(&self, p: impl Float) -> Output { any() }
    /// `sort(input, dim = -1, descending = false, stable = false)`
    ///
    /// `(values, indices)`: the elements along `dim` from the smallest to the largest, and where each stood, as i64. NaN counts as the largest; equal ones keep their order, whether `stable` or not.
    pub fn sort<Output>(&self, dim: impl Int, descending: impl Bool, stable: impl Bool) -> Output { any() }
    /// `argsort(input, dim = -1, descending = false, stable = false)`
    ///
    /// Where the elements along `dim` stand from the smallest to the largest: the indices of `sort`.
    pub fn argsort<Output>(&self, dim: impl Int, descending: impl Bool, stable: impl Bool) -> Output { any() }
    /// `topk(input, k, dim = -1, largest = true, sorted = true)`
    ///
    /// `(values, indices)`: the `k` largest (or smallest) elements along `dim`, from the first of them on (whether `sorted` or not), and where each stands, as i64. NaN counts as the largest; of equal ones the first are taken.
    pub fn topk<Output>(&self, k: impl Size, dim: impl Int, largest: impl Bool, sorted: impl Bool) -> Output { any() }
    /// `cumsum(input, dim, dtype = None)`
    ///
    /// For each element the sum of all up to it along `dim`; of integers and bool as i64, unless `dtype` says otherwise.
    pub fn cumsum<Output>(&self, dim: impl Int, dtype: impl DType) -> Output { any() }
    /// `cumprod(input, dim, dtype = None)`
    ///
    /// For each element the product of all up to it along `dim`; of integers and bool as i64, unless `dtype` says otherwise.
    pub fn cumprod<Output>(&self, dim: impl Int, dtype: impl DType) -> Output { any() }
    /// `logcumsumexp(input, dim)`
    ///
    /// For each element log Σ exp(x) over all up to it along `dim`, without overflow.
    pub fn logcumsumexp<Output>(&self, dim: impl Int) -> Output { any() }
    /// `searchsorted(sorted_sequence, values, right = false)`
    ///
    /// For each element of `values` how many elements of its row of `sorted_sequence` are smaller (`right`: or equal), as i64. Rows are the last axes; one row serves all. Found by halving, as PyTorch does it: a row with NaN is not in order.
    pub fn searchsorted<Output>(&self, values: impl Operand, right: impl Bool) -> Output { any() }
    /// `median(input, dim, keepdim = false)`
    ///
    /// `(values, indices)`: the element in the middle along `dim`, of two the smaller one, and where it stands, as i64. Of equal ones the one that is in the middle of a stable order; of rows with NaN the first NaN.
    pub fn median<Output>(&self, dim: impl Int, keepdim: impl Bool) -> Output { any() }
    /// `nonzero(input, size = all)`
    ///
    /// `(indices, count)`: the indices of the elements that are not 0, in row-major order, as i64\[size, axes\], and how many there are, as i64. How many is not known at build: there is room for `size` of them, what is left is 0.
    pub fn nonzero<Output>(&self, size: impl Size) -> Output { any() }
    /// `grad(outputs, inputs)`
    ///
    /// The gradients of a scalar with respect to each of a list of tensors, as a list; they can be differentiated again.
    pub fn grad<Output>(&self, inputs: impl Tensors) -> Output { any() }
}
