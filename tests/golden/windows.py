"""More cases of operators over windows: groups, one axis, transposes, uneven pools, images of another size. As operators.py."""
from torch.nn import functional as F

import operators
from operators import Input

CASES = []


def case(*args, **named):
    operators.case(*args, **named, to=CASES)


IMAGES, BIAS = (2, 3, 9, 8), (5,)

# Convolutions.
case("conv2d_groups", "conv2d", "x.conv2d(y, z, padding = 1, groups = 3)", [(2, 6, 7, 6), (9, 2, 3, 3), (9,)],
     lambda x, y, z: F.conv2d(x, y, z, padding=1, groups=3))
case("conv2d_groups_wide", "conv2d", "x.conv2d(y, z, stride = 2, groups = 2)", [(2, 8, 7, 7), (80, 4, 3, 3), (80,)],
     lambda x, y, z: F.conv2d(x, y, z, stride=2, groups=2))
case("conv2d_depthwise", "conv2d", "x.conv2d(y, z, padding = 1, groups = 35)", [(2, 35, 7, 6), (35, 1, 3, 3), (35,)],
     lambda x, y, z: F.conv2d(x, y, z, padding=1, groups=35))
case("conv2d_depthwise_stride", "conv2d", "x.conv2d(y, z, stride = 2, padding = 1, groups = 16)", [(2, 16, 8, 7), (16, 1, 3, 3), (16,)],
     lambda x, y, z: F.conv2d(x, y, z, stride=2, padding=1, groups=16))
case("conv2d_depthwise_dilation", "conv2d", "x.conv2d(y, padding = 4, dilation = 2, groups = 8)", [(2, 8, 9, 9), (8, 1, 5, 5)],
     lambda x, y: F.conv2d(x, y, padding=4, dilation=2, groups=8))
case("conv2d_multiplier", "conv2d", "x.conv2d(y, z, padding = 1, groups = 5)", [(2, 5, 6, 7), (15, 1, 3, 3), (15,)],
     lambda x, y, z: F.conv2d(x, y, z, padding=1, groups=5))
case("conv2d_same", "conv2d", 'x.conv2d(y, z, padding = "same")', [IMAGES, (5, 3, 4, 3), BIAS], lambda x, y, z: F.conv2d(x, y, z, padding="same"))
case("conv2d_same_dilation", "conv2d", 'x.conv2d(y, padding = "same", dilation = [1, 2])', [IMAGES, (5, 3, 2, 4)],
     lambda x, y: F.conv2d(x, y, padding="same", dilation=(1, 2)))
case("conv2d_strided_pointwise", "conv2d", "x.conv2d(y, z, stride = 2)", [IMAGES, (37, 3, 1, 1), (37,)], lambda x, y, z: F.conv2d(x, y, z, stride=2))
LINES, TAPS = (2, 4, 19), (6, 4, 3)
case("conv1d", "conv1d", "x.conv1d(y, z)", [LINES, TAPS, (6,)], F.conv1d)
case("conv1d_stride", "conv1d", "x.conv1d(y, z, stride = 2, padding = 1)", [LINES, TAPS, (6,)], lambda x, y, z: F.conv1d(x, y, z, stride=2, padding=1))
case("conv1d_groups", "conv1d", 'x.conv1d(y, padding = "same", dilation = 3, groups = 2)', [LINES, (6, 2, 3)],
     lambda x, y: F.conv1d(x, y, padding="same", dilation=3, groups=2))
case("conv_transpose2d", "conv_transpose2d", "x.conv_transpose2d(y, z)", [IMAGES, (3, 5, 3, 3), BIAS], F.conv_transpose2d)
case("conv_transpose2d_up", "conv_transpose2d", "x.conv_transpose2d(y, z, stride = 2)", [(2, 6, 4, 5), (6, 4, 2, 2), (4,)],
     lambda x, y, z: F.conv_transpose2d(x, y, z, stride=2))
case("conv_transpose2d_stride", "conv_transpose2d", "x.conv_transpose2d(y, z, stride = [2, 3], padding = 1, output_padding = [1, 2])",
     [IMAGES, (3, 5, 3, 3), BIAS], lambda x, y, z: F.conv_transpose2d(x, y, z, stride=(2, 3), padding=1, output_padding=(1, 2)))
case("conv_transpose2d_groups", "conv_transpose2d", "x.conv_transpose2d(y, z, stride = 2, groups = 3, dilation = 2)",
     [(2, 6, 4, 5), (6, 3, 3, 3), (9,)], lambda x, y, z: F.conv_transpose2d(x, y, z, stride=2, groups=3, dilation=2))
case("conv_transpose2d_depthwise", "conv_transpose2d", "x.conv_transpose2d(y, stride = 2, padding = 1, groups = 6)",
     [(2, 6, 4, 5), (6, 1, 4, 4)], lambda x, y: F.conv_transpose2d(x, y, stride=2, padding=1, groups=6))
case("conv_transpose1d", "conv_transpose1d", "x.conv_transpose1d(y, z, stride = 3, padding = 1, output_padding = 1)", [LINES, (4, 5, 4), (5,)],
     lambda x, y, z: F.conv_transpose1d(x, y, z, stride=3, padding=1, output_padding=1))

# Pools.
case("max_pool2d_ceil", "max_pool2d", "x.max_pool2d(3, stride = 2, padding = 1, ceil_mode = true)", [(2, 3, 8, 7)],
     lambda x: F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True))
case("max_pool2d_dilation", "max_pool2d", "x.max_pool2d(2, stride = 1, dilation = 2)", [IMAGES], lambda x: F.max_pool2d(x, 2, stride=1, dilation=2))
case("max_pool2d_large", "max_pool2d", "x.max_pool2d([5, 4], stride = 2, padding = 2)", [IMAGES],
     lambda x: F.max_pool2d(x, (5, 4), stride=2, padding=2))
case("max_pool2d_large_tie", "max_pool2d", "x.max_pool2d(5)", [Input((1, 1, 5, 5), values=[float(v) for v in [0, 1, 2, 3, 3] * 5])],
     lambda x: F.max_pool2d(x, 5), tie=True)
case("max_pool1d", "max_pool1d", "x.max_pool1d(3, stride = 2, padding = 1)", [LINES], lambda x: F.max_pool1d(x, 3, stride=2, padding=1))
case("avg_pool2d_ceil", "avg_pool2d", "x.avg_pool2d(3, stride = 2, padding = 1, ceil_mode = true)", [(2, 3, 8, 7)],
     lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True))
case("avg_pool2d_exclude", "avg_pool2d", "x.avg_pool2d(3, stride = 2, padding = 1, count_include_pad = false)", [(2, 3, 8, 7)],
     lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False))
case("avg_pool2d_exclude_ceil", "avg_pool2d", "x.avg_pool2d(3, stride = 2, padding = 1, ceil_mode = true, count_include_pad = false)",
     [(2, 3, 8, 7)], lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False))
case("avg_pool2d_whole", "avg_pool2d", "x.avg_pool2d(7)", [(2, 35, 7, 7)], lambda x: F.avg_pool2d(x, 7))
case("avg_pool1d", "avg_pool1d", "x.avg_pool1d(3, stride = 2)", [LINES], lambda x: F.avg_pool1d(x, 3, stride=2))
case("adaptive_avg_pool1d", "adaptive_avg_pool1d", "x.adaptive_avg_pool1d(5)", [LINES], lambda x: F.adaptive_avg_pool1d(x, 5))
case("adaptive_avg_pool2d", "adaptive_avg_pool2d", "x.adaptive_avg_pool2d(1)", [IMAGES], lambda x: F.adaptive_avg_pool2d(x, 1))
case("adaptive_avg_pool2d_even", "adaptive_avg_pool2d", "x.adaptive_avg_pool2d([3, 2])", [IMAGES], lambda x: F.adaptive_avg_pool2d(x, (3, 2)))
case("adaptive_avg_pool2d_uneven", "adaptive_avg_pool2d", "x.adaptive_avg_pool2d([4, 7])", [IMAGES], lambda x: F.adaptive_avg_pool2d(x, (4, 7)))
case("adaptive_avg_pool2d_more", "adaptive_avg_pool2d", "x.adaptive_avg_pool2d([9, 11])", [IMAGES], lambda x: F.adaptive_avg_pool2d(x, (9, 11)))
case("adaptive_max_pool2d", "adaptive_max_pool2d", "x.adaptive_max_pool2d([3, 4])", [IMAGES], lambda x: F.adaptive_max_pool2d(x, (3, 4)))

# Images of another size.
case("interpolate_nearest", "interpolate", "x.interpolate(scale_factor = [2, 3])", [(2, 3, 4, 5)], lambda x: F.interpolate(x, scale_factor=(2, 3)))
case("interpolate_bilinear", "interpolate", 'x.interpolate(scale_factor = 2, mode = "bilinear")', [(2, 3, 4, 5)],
     lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"))
case("interpolate_size", "interpolate", 'x.interpolate(size = [7, 3], mode = "bilinear")', [(2, 3, 4, 5)],
     lambda x: F.interpolate(x, size=(7, 3), mode="bilinear"))
case("interpolate_corners", "interpolate", 'x.interpolate(size = [7, 9], mode = "bilinear", align_corners = true)', [(2, 3, 4, 5)],
     lambda x: F.interpolate(x, size=(7, 9), mode="bilinear", align_corners=True))
case("pixel_shuffle", "pixel_shuffle", "x.pixel_shuffle(2)", [(2, 12, 3, 4)], lambda x: F.pixel_shuffle(x, 2))
case("pixel_unshuffle", "pixel_unshuffle", "x.pixel_unshuffle(2)", [(2, 3, 4, 6)], lambda x: F.pixel_unshuffle(x, 2))
