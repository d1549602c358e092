//! Every tile against plain loops in f64, on random shapes, for every instruction set of the machine.

use std::cell::RefCell;

use castnet_graph::program::{Conv, Layout, Right, Strided, Tile};
use castnet_graph::size::Size;

use super::{Sink, TileKernel};
use crate::isa::Isa;

mod memory;

use memory::Guarded;

/// A small generator (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.next() as usize % options.len()]
    }

    fn float(&mut self) -> f32 {
        self.next() as u32 as f32 / (1u64 << 31) as f32 - 1.0
    }
}

/// Numbers with strides, in memory that ends where its last element does.
struct Array {
    shape: Vec<i64>,
    strides: Vec<i64>,
    memory: Guarded,
}

impl Array {
    /// Random numbers; the dims lie in a random order, now and then with gaps. Dims in `still` get stride 0.
    fn random(rng: &mut Random, shape: &[i64], still: &[usize]) -> Array {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        if rng.of(&[true, false]) {
            for i in (1..order.len()).rev() {
                order.swap(i, rng.next() as usize % (i + 1));
            }
        }
        let (mut strides, mut next) = (vec![0; shape.len()], 1);
        for &d in order.iter().rev() {
            if !still.contains(&d) {
                strides[d] = next;
                next = next * shape[d] + rng.of(&[0, 0, 0, 0, 3]);
            }
        }
        let last: i64 = shape.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum();
        let memory = Guarded::new((0..=last).map(|_| rng.float()).collect());
        Array { shape: shape.to_vec(), strides, memory }
    }

    /// Random numbers as panels.
    fn panels(rng: &mut Random, shape: &[i64]) -> Array {
        let layout = Layout::Panels((1..shape.len()).collect());
        let mut memory = vec![0.0; layout.floats(shape) as usize];
        let mut plain = Array::random(rng, shape, &[]);
        for index in indices(shape) {
            memory[layout.position(shape, &index) as usize] = plain.at(&index) as f32;
        }
        plain.memory = Guarded::new(memory);
        plain.strides.clear();
        plain
    }

    fn at(&self, index: &[i64]) -> f64 {
        let position = match self.strides.is_empty() {
            true => Layout::Panels((1..self.shape.len()).collect()).position(&self.shape, index),
            false => index.iter().zip(&self.strides).map(|(i, s)| i * s).sum(),
        };
        self.memory.slice()[position as usize] as f64
    }

    fn data(&self, buffer: usize) -> Strided {
        Strided::new(buffer, self.strides.iter().map(|&s| Size::constant(s)).collect())
    }
}

fn indices(shape: &[i64]) -> impl Iterator<Item = Vec<i64>> {
    (0..shape.iter().product::<i64>()).map(move |mut flat| {
        let mut index = vec![0; shape.len()];
        for d in (0..shape.len()).rev() {
            index[d] = flat % shape[d];
            flat /= shape[d];
        }
        index
    })
}

/// Collects what a kernel hands over; every element once.
struct Collect(RefCell<Vec<f32>>, usize);

impl Sink for Collect {
    unsafe fn run_rows(&self, first_row: i64, rows: usize, first_col: i64, cols: usize, acc: *mut f32, pitch: usize) {
        assert!(rows <= 64 && cols <= 32 && pitch >= cols);
        let mut out = self.0.borrow_mut();
        for i in 0..rows {
            for j in 0..cols {
                let at = (first_row as usize + i) * self.1 + first_col as usize + j;
                assert!(first_col as usize + j < self.1 && out[at].is_nan(), "row {first_row}+{i} twice");
                // SAFETY: the kernel's promise.
                out[at] = unsafe { *acc.add(i * pitch + j) };
            }
        }
    }
}

/// Runs a tile on every instruction set, forwards and backwards, and compares.
fn check(what: &str, tile: &Tile, space: &[i64], arrays: &[&Array], expected: &[f64]) {
    let norm = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
    for isa in Isa::available() {
        let sizes: Vec<Size> = space.iter().map(|&s| Size::constant(s)).collect();
        let kernel = TileKernel::new(tile, &sizes, isa, &|_| 0);
        let run = |backwards: bool| {
            let sink = Collect(RefCell::new(vec![f32::NAN; expected.len()]), space[space.len() - 1] as usize);
            for i in 0..kernel.chunks() {
                let chunk = if backwards { kernel.chunks() - 1 - i } else { i };
                let scratch = Guarded::new(vec![f32::NAN; kernel.scratch_floats()]);
                let base = |buffer: usize| arrays[buffer].memory.start();
                // SAFETY: the arrays are as large as the tile says.
                unsafe { kernel.run(chunk, &base, scratch.slice_mut(), &sink) };
            }
            sink.0.into_inner()
        };
        let found = run(false);
        let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let off = expected.iter().zip(&found).map(|(e, f)| (e - *f as f64).powi(2)).sum::<f64>().sqrt();
        assert!(off <= 1e-5 * norm, "{what} on {isa:?}: off by {off} of {norm}");
        assert_eq!(bits(found), bits(run(true)), "{what} on {isa:?}: the order matters");
    }
}

fn matmul(seed: u64, most: i64, long: i64) {
    let rng = &mut Random(seed);
    let sizes: Vec<i64> =
        [1, 2, 3, 7, 8, 13, 16, 20, 31, 32, 33, 50, 64, 97, 130, 600].into_iter().filter(|s| *s <= most).collect();
    let mut batch: Vec<i64> = (0..rng.of(&[0, 0, 1, 2])).map(|_| rng.of(&[1, 2, 3, 5])).collect();
    let (m, n, k) = (rng.of(&sizes), rng.of(&sizes), if long > 0 { long } else { rng.of(&sizes) });
    if m > 200 || n > 200 {
        batch.clear();
    }
    let d = batch.len();
    let with = |i: i64, j: i64| [&batch[..], &[i, j]].concat();
    let a = Array::random(rng, &with(m, k), &[]);
    let form = rng.of(&["panels", "transposed", "strided", "strided"]);
    let b = match form {
        "panels" => Array::panels(rng, &[n, k]),
        "transposed" => Array::panels(rng, &[k, n]),
        _ => {
            let still: Vec<usize> = (0..d).filter(|_| rng.of(&[true, false, false])).collect();
            Array::random(rng, &with(k, n), &still)
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
    let what = format!("seed {seed}: {batch:?} {m} x {n} x {k}, {form}, a {:?}, b {:?}", a.strides, b.strides);
    check(&what, &Tile::MatMul { k: Size::constant(k), a: a.data(0), b: right }, &space, &[&a, &b], &expected);
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

/// Tests the three tiles of a convolution.
fn conv(seed: u64, channels: &[i64]) {
    let rng = &mut Random(seed);
    let two = |rng: &mut Random, options: &[i64]| [rng.of(options), rng.of(options)];
    let kernel = two(rng, &[1, 2, 3, 3, 5]);
    let (stride, dilation) = (two(rng, &[1, 1, 2, 3]), two(rng, &[1, 1, 1, 2]));
    let padding = [0, 1].map(|d| rng.of(&[0, 0, 1, kernel[d] / 2 * dilation[d]]));
    let reach = [0, 1].map(|d| (kernel[d] - 1) * dilation[d] + 1);
    let size = [0, 1].map(|d| (reach[d] - 2 * padding[d]).max(1) + rng.of(&[0, 1, 4, 7, 12]));
    let out = [0, 1].map(|d| (size[d] + 2 * padding[d] - reach[d]) / stride[d] + 1);
    let (n, c, o) = (rng.of(&[1, 1, 2, 3, 9]), rng.of(channels), rng.of(channels));
    let [h, w] = size;
    let [y, x] = out;
    let g = Conv { n: Size::constant(n), h, w, c, y, x, o, kernel, stride, padding, dilation };
    let mut input = Array::random(rng, &[n, h, w, c], &[]);
    let mut dy = Array::random(rng, &[n, y, x, o], &[]);
    let weight = Array::panels(rng, &[o, kernel[0], kernel[1], c]);
    if rng.of(&[true, false]) {
        // As it usually is: channels last.
        input = Array { strides: vec![h * w * c, w * c, c, 1], memory: random(rng, n * h * w * c), ..input };
        dy = Array { strides: vec![y * x * o, x * o, o, 1], memory: random(rng, n * y * x * o), ..dy };
    }
    let taps = [kernel[0], kernel[1], c];
    let (mut forward, mut d_weight) =
        (vec![0.0; (n * y * x * o) as usize], vec![0.0; (taps[0] * taps[1] * c * o) as usize]);
    let mut d_input = vec![0.0; (n * h * w * c) as usize];
    for p in indices(&[n, y, x, kernel[0], kernel[1], c]) {
        let (line, column) =
            (p[1] * stride[0] + p[3] * dilation[0] - padding[0], p[2] * stride[1] + p[4] * dilation[1] - padding[1]);
        if line < 0 || line >= h || column < 0 || column >= w {
            continue;
        }
        let (tap, spot) = (((p[3] * kernel[1]) + p[4]) * c + p[5], ((p[0] * h + line) * w + column) * c + p[5]);
        let v = input.at(&[p[0], line, column, p[5]]);
        for f in 0..o {
            let (dy, weight) = (dy.at(&[p[0], p[1], p[2], f]), weight.at(&[f, p[3], p[4], p[5]]));
            forward[(((p[0] * y + p[1]) * x + p[2]) * o + f) as usize] += v * weight;
            d_weight[(tap * o + f) as usize] += v * dy;
            d_input[spot as usize] += dy * weight;
        }
    }
    let what = format!("seed {seed}: {g:?}, input {:?}, dy {:?}", input.strides, dy.strides);
    let arrays = [&input, &weight, &dy];
    let tile = Tile::Conv2d { conv: g.clone(), input: input.data(0), weight: 1 };
    check(&what, &tile, &[n, y, x, o], &arrays, &forward);
    let tile = Tile::Conv2dWeightGrad { conv: g.clone(), input: input.data(0), dy: dy.data(2) };
    check(&what, &tile, &[kernel[0] * kernel[1] * c, o], &arrays, &d_weight);
    let tile = Tile::Conv2dInputGrad { conv: g, dy: dy.data(2), weight: 1 };
    check(&what, &tile, &[n, h, w, c], &arrays, &d_input);
}

fn random(rng: &mut Random, n: i64) -> Guarded {
    Guarded::new((0..n).map(|_| rng.float()).collect())
}

#[test]
fn convolutions() {
    (1..=120).for_each(|seed| conv(seed, &[1, 2, 3, 8, 16, 20, 33]));
}

#[test]
fn convolutions_with_many_channels() {
    (1..=6).for_each(|seed| conv(3000 + seed, &[64, 130]));
    (1..=2).for_each(|seed| conv(4000 + seed, &[1100, 5]));
}
