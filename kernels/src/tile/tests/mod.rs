//! Every tile against plain loops in f64, on random shapes, of every type, for every instruction set of the machine.

use std::cell::{Cell, RefCell};

use castnet_program::program::{Conv, Right, Strided, Tile};
use castnet_program::scalar::Lane;
use castnet_program::size::Size;
use castnet_program::types::DType;

use super::{Sink, TileKernel};
use crate::isa::Isa;

mod array;
mod memory;

use array::{Array, Random, indices};
use memory::Guarded;

/// Collects the bits that a kernel hands over; every element once.
struct Collect(RefCell<Vec<Option<u64>>>, usize, Lane);

impl Sink for Collect {
    unsafe fn run_rows(&self, first_row: i64, rows: usize, first_col: i64, cols: usize, acc: *mut u8, pitch: usize) {
        assert!(rows * cols <= 64 * 32 && pitch >= cols);
        let mut out = self.0.borrow_mut();
        for i in 0..rows {
            for j in 0..cols {
                let at = (first_row as usize + i) * self.1 + first_col as usize + j;
                assert!(first_col as usize + j < self.1 && out[at].is_none(), "row {first_row}+{i} twice");
                // SAFETY: the kernel's promise.
                out[at] = Some(unsafe {
                    match self.2 {
                        Lane::F64 => *acc.cast::<u64>().add(i * pitch + j),
                        _ => u64::from(*acc.cast::<u32>().add(i * pitch + j)),
                    }
                });
            }
        }
    }
}

/// The bits of all sums, the chunks run forwards or backwards.
fn sums(tile: &Tile, space: &[i64], arrays: &[&Array], isa: Isa, backwards: bool) -> Vec<u64> {
    let sizes: Vec<Size> = space.iter().map(|&s| Size::constant(s)).collect();
    let dtypes: Vec<DType> = arrays.iter().map(|array| array.dtype()).collect();
    let kernel = TileKernel::new(tile, &sizes, &dtypes, isa, &|_| 0);
    let count = space.iter().product::<i64>() as usize;
    let sink = Collect(RefCell::new(vec![None; count]), space[space.len() - 1] as usize, kernel.lane());
    for i in 0..kernel.chunks() {
        let chunk = if backwards { kernel.chunks() - 1 - i } else { i };
        // NaN, of whichever type.
        let scratch = Guarded::new(&vec![0xff; kernel.scratch_bytes()]);
        let base = |buffer: usize| arrays[buffer].start();
        // SAFETY: the arrays are as large as the tile says.
        unsafe { kernel.run(chunk, &base, scratch.slice_mut(), &sink) };
    }
    sink.0.into_inner().into_iter().map(|bits| bits.expect("an element that nobody made")).collect()
}

/// Runs a tile on every instruction set, forwards and backwards, and compares; then the same of operands that are halves.
fn check(what: &str, seed: u64, tile: &Tile, space: &[i64], arrays: &[&Array], expected: &[f64]) {
    let norm = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
    let wide = arrays[0].dtype() == DType::F64;
    let number = |bits: &u64| if wide { f64::from_bits(*bits) } else { f64::from(f32::from_bits(*bits as u32)) };
    for isa in Isa::available() {
        let found = sums(tile, space, arrays, isa, false);
        let off = expected.iter().zip(&found).map(|(e, f)| (e - number(f)).powi(2)).sum::<f64>().sqrt();
        assert!(off <= if wide { 1e-13 } else { 1e-5 } * norm, "{what} on {isa:?}: off by {off} of {norm}");
        assert!(found == sums(tile, space, arrays, isa, true), "{what} on {isa:?}: the order matters");
    }
    if !wide {
        use DType::{BF16, F16, F32};
        let pairs = [[F16, F16], [BF16, F32], [F32, F16], [F16, BF16]];
        halves(what, [BF16, BF16], tile, space, arrays);
        halves(what, pairs[seed as usize % pairs.len()], tile, space, arrays);
    }
}

/// Operands that are halves, both or one of them, give the bits of the same numbers in f32, unless they are multiplied in pairs.
fn halves(what: &str, pair: [DType; 2], tile: &Tile, space: &[i64], arrays: &[&Array]) {
    let operands = tile.buffers();
    let of = |buffer: usize| operands.iter().position(|&b| b == buffer).map_or(DType::F32, |i| pair[i]);
    let narrow: Vec<Array> = arrays.iter().enumerate().map(|(i, array)| array.to(of(i))).collect();
    let wide: Vec<Array> = narrow.iter().map(|array| array.to(DType::F32)).collect();
    let (narrow, wide): (Vec<_>, Vec<_>) = (narrow.iter().collect(), wide.iter().collect());
    for isa in Isa::available() {
        let expected = sums(tile, space, &wide, isa, false);
        for backwards in [false, true] {
            let found = sums(tile, space, &narrow, isa, backwards);
            if isa == Isa::Avx512Bf16 && pair == [DType::BF16; 2] {
                let number = |bits: &u64| f64::from(f32::from_bits(*bits as u32));
                let norm = expected.iter().map(|e| number(e).powi(2)).sum::<f64>().sqrt();
                let off = expected.iter().zip(&found).map(|(e, f)| (number(e) - number(f)).powi(2)).sum::<f64>().sqrt();
                assert!(off <= 1e-5 * norm, "{what} of pairs: off by {off} of {norm}");
                assert!(found == sums(tile, space, &narrow, isa, !backwards), "{what} of pairs: the order matters");
            } else {
                assert!(found == expected, "{what} of {pair:?} on {isa:?} are not those of f32");
            }
        }
    }
}

/// Every third is of f64.
fn dtype(seed: u64) -> DType {
    if seed.is_multiple_of(3) { DType::F64 } else { DType::F32 }
}

fn matmul(seed: u64, most: i64, long: i64) {
    let (rng, dtype) = (&mut Random(seed), dtype(seed));
    let sizes: Vec<i64> =
        [1, 2, 3, 7, 8, 13, 16, 20, 31, 32, 33, 50, 64, 97, 130, 600].into_iter().filter(|s| *s <= most).collect();
    let mut batch: Vec<i64> = (0..rng.of(&[0, 0, 1, 2])).map(|_| rng.of(&[1, 2, 3, 5])).collect();
    let (m, n, k) = (rng.of(&sizes), rng.of(&sizes), if long > 0 { long } else { rng.of(&sizes) });
    if m > 200 || n > 200 {
        batch.clear();
    }
    let d = batch.len();
    let with = |i: i64, j: i64| [&batch[..], &[i, j]].concat();
    let a = Array::random(rng, dtype, &with(m, k), &[]);
    let form = rng.of(&["panels", "transposed", "strided", "strided"]);
    let b = match form {
        "panels" => Array::panels(rng, dtype, &[n, k]),
        "transposed" => Array::panels(rng, dtype, &[k, n]),
        _ => {
            let still: Vec<usize> = (0..d).filter(|_| rng.of(&[true, false, false])).collect();
            Array::random(rng, dtype, &with(k, n), &still)
        }
    };
    let right = match form {
        "panels" => Right::Panels(1),
        "transposed" => Right::PanelsTransposed(1),
        _ => Right::Strided(b.data(1)),
    };
    let space = with(m, n);
    let term = |p: &[i64], k: i64| {
        let (i, j) = (p[d], p[d + 1]);
        let at = |i, j| [&p[..d], &[i, j]].concat();
        a.at(&at(i, k))
            * match form {
                "panels" => b.at(&[j, k]),
                "transposed" => b.at(&[k, j]),
                _ => b.at(&at(k, j)),
            }
    };
    let expected: Vec<f64> = indices(&space).map(|p| (0..k).map(|k| term(&p, k)).sum()).collect();
    let what =
        format!("seed {seed}: {batch:?} {m} x {n} x {k} of {dtype}, {form}, a {:?}, b {:?}", a.strides, b.strides);
    check(&what, seed, &Tile::MatMul { k: Size::constant(k), a: a.data(0), b: right }, &space, &[&a, &b], &expected);
}

#[test]
fn matrix_products() {
    (1..=150).for_each(|seed| matmul(seed, 130, 0));
}

#[test]
fn matrix_products_with_long_reductions_and_many_rows() {
    (1..=12).for_each(|seed| matmul(1000 + seed, 33, 1025 + 700 * (seed as i64 % 3)));
    (1..=12).for_each(|seed| matmul(2000 + seed, 600, 0));
}

/// The product of two matrices of bf16.
fn product(isa: Isa, [m, k, n]: [i64; 3], a: &[f64], b: &[f64]) -> Vec<f32> {
    let (a, b) = (Array::of(DType::BF16, &[m, k], a), Array::of(DType::BF16, &[k, n], b));
    let tile = Tile::MatMul { k: Size::constant(k), a: a.data(0), b: Right::Strided(b.data(1)) };
    sums(&tile, &[m, n], &[&a, &b], isa, false).iter().map(|bits| f32::from_bits(*bits as u32)).collect()
}

#[test]
fn what_is_not_finite_goes_through_products_of_bf16() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for isa in Isa::available() {
        // The last step has no second, and what stands for it adds nothing.
        let a = [1.0, 2.0, inf, nan, 0.0, 0.0, -inf, 1.0, 1.0, 3e38, 3e38, 1.0, -0.0, -0.0, -0.0];
        let found = product(isa, [5, 3, 2], &a, &[1.0, 0.0, 1.0, 1.0, 1.0, 2.0]);
        assert_eq!([found[0], found[1]], [f32::INFINITY; 2], "{isa:?}");
        assert!(found[2].is_nan() && found[3].is_nan(), "{isa:?}");
        assert!(found[4] == f32::NEG_INFINITY && found[5].is_nan(), "{isa:?}");
        assert!(found[6] == f32::INFINITY && found[7].is_finite(), "{isa:?}");
        assert_eq!([found[8], found[9]], [0.0; 2], "{isa:?}");
        let found = product(isa, [1, 3, 2], &[1.0, 1.0, 1.0], &[1.0, 1.0, 1.0, 1.0, inf, nan]);
        assert!(found[0] == f32::INFINITY && found[1].is_nan(), "{isa:?}");
    }
}

#[test]
fn bf16_below_the_normal_numbers_are_zero_in_pairs_alone() {
    let least = 2f64.powi(-126);
    for isa in Isa::available() {
        // An operand, a product.
        let found = product(isa, [3, 2, 1], &[least / 2.0, 0.0, least, 0.0, 0.0, least], &[1.0, 0.5]);
        let [small, product] = if isa == Isa::Avx512Bf16 { [0.0; 2] } else { [(least / 2.0) as f32; 2] };
        assert_eq!(found, [small, least as f32, product], "{isa:?}");
    }
}

#[test]
fn products_of_bf16_do_not_depend_on_how_they_lie() {
    let (rng, number) = (&mut Random(1), Size::constant);
    let ways = [([0, 1], 0), ([0, 1], 1), ([1, 0], 0), ([1, 0], 3)];
    let images = [([0, 1, 2, 3], 0), ([0, 1, 2, 3], 1), ([0, 3, 1, 2], 0), ([3, 2, 1, 0], 1)];
    for isa in Isa::available() {
        for [m, k, n] in [[1, 8, 5], [9, 7, 33], [70, 40, 64], [3, 1, 1]] {
            let a = Array::plain(rng, DType::BF16, &[m, k]);
            let b = Array::plain(rng, DType::BF16, &[k, n]);
            let of = |a: &Array, b: &Array| {
                let tile = Tile::MatMul { k: number(k), a: a.data(0), b: Right::Strided(b.data(1)) };
                sums(&tile, &[m, n], &[a, b], isa, false)
            };
            for (order, gap) in ways {
                assert!(of(&a.laid(&order, gap), &b) == of(&a, &b), "{isa:?}: left {order:?}, {m} x {k} x {n}");
                assert!(of(&a, &b.laid(&order, gap)) == of(&a, &b), "{isa:?}: right {order:?}, {m} x {k} x {n}");
            }
        }
        for (side, padding) in [(8, 1), (9, 0)] {
            let (c, o, out) = (6, 36, side + 2 * padding - 2);
            let input = Array::plain(rng, DType::BF16, &[2, side, side, c]);
            let dy = Array::plain(rng, DType::BF16, &[2, out, out, o]);
            let weight = Array::panels(rng, DType::BF16, &[o, 3, 3, c]);
            let ([h, w], [y, x]) = ([number(side), number(side)], [number(out), number(out)]);
            let (kernel, stride, padding) = ([3, 3], [1, 1], [padding, padding]);
            let g = Conv { n: number(2), h, w, c, y, x, o, kernel, stride, padding, dilation: [1, 1], groups: 1 };
            let of = |input: &Array, dy: &Array| {
                let forward = Tile::Conv2d { conv: g.clone(), input: input.data(0), weight: 1 };
                let weight_grad = Tile::Conv2dWeightGrad { conv: g.clone(), input: input.data(0), dy: dy.data(2) };
                let input_grad = Tile::Conv2dInputGrad { conv: g.clone(), dy: dy.data(2), weight: 1 };
                [(forward, vec![2, out, out, o]), (weight_grad, vec![9 * c, o]), (input_grad, vec![2, side, side, c])]
                    .map(|(tile, space)| sums(&tile, &space, &[input, &weight, dy], isa, false))
            };
            for (order, gap) in images {
                let found = of(&input.laid(&order, gap), &dy.laid(&order, gap));
                assert!(found == of(&input, &dy), "{isa:?}: images {order:?} of {side}");
            }
        }
    }
}

/// Tests the three tiles of a convolution, whose channels fall into groups of so many.
fn conv(seed: u64, channels: &[i64], groups: i64) {
    conv_of(seed, channels, groups, &[0, 1, 4, 7, 12]);
}

/// The same on images that are so much larger than the kernel.
fn conv_of(seed: u64, channels: &[i64], groups: i64, more: &[i64]) {
    let (rng, dtype) = (&mut Random(seed), dtype(seed));
    let two = |rng: &mut Random, options: &[i64]| [rng.of(options), rng.of(options)];
    let kernel = two(rng, &[1, 2, 3, 3, 5]);
    let (stride, dilation) = (two(rng, &[1, 1, 2, 3]), two(rng, &[1, 1, 1, 2]));
    let padding = [0, 1].map(|d| rng.of(&[0, 0, 1, kernel[d] / 2 * dilation[d]]));
    let reach = [0, 1].map(|d| (kernel[d] - 1) * dilation[d] + 1);
    let size = [0, 1].map(|d| (reach[d] - 2 * padding[d]).max(1) + rng.of(more));
    let out = [0, 1].map(|d| (size[d] + 2 * padding[d] - reach[d]) / stride[d] + 1);
    let (n, c, o) = (rng.of(&[1, 1, 2, 3, 9]), rng.of(channels), if channels == [1] { 1 } else { rng.of(channels) });
    // `c` and `o` are those of a group, `all` and `outputs` those of the image.
    let (all, outputs) = (c * groups, o * groups);
    let [h, w] = size;
    let [y, x] = out;
    let number = Size::constant;
    let g = Conv {
        n: number(n),
        h: number(h),
        w: number(w),
        c: all,
        y: number(y),
        x: number(x),
        o: outputs,
        kernel,
        stride,
        padding,
        dilation,
        groups,
    };
    let mut input = Array::random(rng, dtype, &[n, h, w, all], &[]);
    let mut dy = Array::random(rng, dtype, &[n, y, x, outputs], &[]);
    let weight = Array::panels(rng, dtype, &[outputs, kernel[0], kernel[1], c]);
    if rng.of(&[true, false]) {
        // As it usually is: channels last.
        input = Array::plain(rng, dtype, &[n, h, w, all]);
        dy = Array::plain(rng, dtype, &[n, y, x, outputs]);
    }
    let taps = [kernel[0], kernel[1], c];
    let (mut forward, mut d_weight) =
        (vec![0.0; (n * y * x * outputs) as usize], vec![0.0; (taps[0] * taps[1] * c * outputs) as usize]);
    let mut d_input = vec![0.0; (n * h * w * all) as usize];
    for p in indices(&[n, y, x, kernel[0], kernel[1], c]) {
        let (line, column) =
            (p[1] * stride[0] + p[3] * dilation[0] - padding[0], p[2] * stride[1] + p[4] * dilation[1] - padding[1]);
        if line < 0 || line >= h || column < 0 || column >= w {
            continue;
        }
        let tap = ((p[3] * kernel[1]) + p[4]) * c + p[5];
        for f in 0..outputs {
            let channel = f / o * c + p[5];
            let (spot, v) =
                (((p[0] * h + line) * w + column) * all + channel, input.at(&[p[0], line, column, channel]));
            let (dy, weight) = (dy.at(&[p[0], p[1], p[2], f]), weight.at(&[f, p[3], p[4], p[5]]));
            forward[(((p[0] * y + p[1]) * x + p[2]) * outputs + f) as usize] += v * weight;
            d_weight[(tap * outputs + f) as usize] += v * dy;
            d_input[spot as usize] += dy * weight;
        }
    }
    let what = format!("seed {seed}: {g:?} of {dtype}, input {:?}, dy {:?}", input.strides, dy.strides);
    let arrays = [&input, &weight, &dy];
    let tile = Tile::Conv2d { conv: g.clone(), input: input.data(0), weight: 1 };
    check(&what, seed, &tile, &[n, y, x, outputs], &arrays, &forward);
    let tile = Tile::Conv2dWeightGrad { conv: g.clone(), input: input.data(0), dy: dy.data(2) };
    check(&what, seed, &tile, &[kernel[0] * kernel[1] * c, outputs], &arrays, &d_weight);
    let tile = Tile::Conv2dInputGrad { conv: g, dy: dy.data(2), weight: 1 };
    check(&what, seed, &tile, &[n, h, w, all], &arrays, &d_input);
}

#[test]
fn convolutions() {
    (1..=120).for_each(|seed| conv(seed, &[1, 2, 3, 8, 16, 20, 33], 1));
}

#[test]
fn convolutions_with_many_channels() {
    (1..=6).for_each(|seed| conv(3000 + seed, &[64, 130], 1));
    (1..=2).for_each(|seed| conv(4000 + seed, &[1100, 5], 1));
}

#[test]
fn grouped_convolutions() {
    (1..=60).for_each(|seed| conv(5000 + seed, &[1, 2, 3, 8, 16, 20, 33], 2 + seed as i64 % 4));
}

#[test]
fn depthwise_convolutions() {
    (1..=60).for_each(|seed| conv(6000 + seed, &[1], 1 + (seed as i64 * 7) % 101));
}

#[test]
fn depthwise_convolutions_of_large_images() {
    // Channels that lie apart are copied some lines at a time.
    (1..=4).for_each(|seed| conv_of(7000 + seed, &[1], 20 + 13 * (seed as i64 % 3), &[70, 90]));
}

/// Calls of the sink and of `base`, and chunks: what a kernel does beside its products.
fn calls(tile: &Tile, space: &[i64], floats: usize) -> [usize; 2] {
    struct Calls<'a>(&'a Cell<usize>);
    impl Sink for Calls<'_> {
        unsafe fn run_rows(&self, _: i64, _: usize, _: i64, _: usize, _: *mut u8, _: usize) {
            self.0.set(self.0.get() + 1);
        }
    }
    let sizes: Vec<Size> = space.iter().map(|&s| Size::constant(s)).collect();
    let kernel = TileKernel::new(tile, &sizes, &[DType::F32; 2], Isa::Portable, &|_| 0);
    let (memory, count) = (vec![0f32; floats], Cell::new(0));
    let base = |_: usize| {
        count.set(count.get() + 1);
        memory.as_ptr().cast_mut().cast()
    };
    let mut scratch = vec![0; kernel.scratch_bytes()];
    for chunk in 0..kernel.chunks() {
        // SAFETY: there are enough floats for each operand, which are only read.
        unsafe { kernel.run(chunk, &base, &mut scratch, &Calls(&count)) };
    }
    [kernel.chunks(), count.get()]
}

/// The three tiles of a 3 x 3 convolution of 2 images of 8 x 8, channels last or first.
fn three(groups: i64, channels: i64, last: bool) -> [[usize; 2]; 3] {
    let (c, number) = (groups * channels, Size::constant);
    let strides = if last { [64 * c, 8 * c, c, 1] } else { [64 * c, 8, 1, 64] };
    let image = |buffer| Strided::new(buffer, strides.map(Size::constant).to_vec());
    let [n, h, w, y, x] = [2, 8, 8, 8, 8].map(number);
    let two = |v: i64| [v, v];
    let (kernel, stride, padding, dilation) = (two(3), two(1), two(1), two(1));
    let conv = Conv { n, h, w, c, y, x, o: c, kernel, stride, padding, dilation, groups };
    let floats = ((128 * c).max(9 * channels * (c + 31))) as usize;
    let space = [2, 8, 8, c];
    [
        calls(&Tile::Conv2d { conv: conv.clone(), input: image(0), weight: 1 }, &space, floats),
        calls(&Tile::Conv2dInputGrad { conv: conv.clone(), dy: image(0), weight: 1 }, &space, floats),
        calls(&Tile::Conv2dWeightGrad { conv, input: image(0), dy: image(1) }, &[9 * channels, c], floats),
    ]
}

#[test]
fn work_grows_with_the_groups_and_not_with_their_square() {
    for (channels, last) in [(1, true), (1, false), (2, true), (2, false), (3, false)] {
        for (few, many) in three(240, channels, last).into_iter().zip(three(960, channels, last)) {
            assert!(many[1] <= 5 * few[1], "{channels} channels, last: {last}: {few:?} of 240 groups, {many:?} of 960");
            assert!(many[0] <= 64, "{channels} channels, last: {last}: {} chunks of next to nothing", many[0]);
        }
    }
}

#[test]
fn depthwise_convolutions_cost_the_same_in_any_layout() {
    for (last, first) in three(960, 1, true).into_iter().zip(three(960, 1, false)) {
        // Pieces of 32 channels in place of 512.
        assert!(first[1] <= 16 * last[1] + 200, "channels last {last:?}, first {first:?}");
    }
}
