//! How fast the tiles are, one thread, against the core's peak of fused multiply-adds of f32: `cargo bench -p castnet-kernels --bench tile [word
//! [instruction set,.. [type,..]]]`. Each tile is timed on all instruction sets and of all types by turns: medians, and ratios to the first.
//! The inner loops are those of a release build. Useful operations only are counted: padding is waste.

// The tiles are not public: this bench is compiled with their source.
#![allow(dead_code, unused_imports, unused_macros)]
#![allow(clippy::needless_range_loop)]

use std::time::Instant;

use castnet_program::program::{Conv, Right, Strided, Tile};
use castnet_program::size::Size;
use castnet_program::types::DType;

#[path = "../src/math/half.rs"]
mod half;
#[path = "../src/isa.rs"]
mod isa;
#[path = "../src/tile/mod.rs"]
mod tile;
#[path = "../src/transpose.rs"]
mod transpose;
/// As the crate has it.
mod math {
    pub(crate) use super::half;
}

use isa::Isa;
use tile::{Sink, TileKernel};

/// Copies blocks to a row-major result.
struct Store(*mut u8, usize, usize);

impl Sink for Store {
    unsafe fn run_rows(&self, first_row: i64, rows: usize, first_col: i64, cols: usize, acc: *mut u8, pitch: usize) {
        let width = self.2;
        for i in 0..rows {
            // SAFETY: the result has all rows and columns of the space.
            unsafe {
                let to = self.0.add(((first_row as usize + i) * self.1 + first_col as usize) * width);
                to.copy_from_nonoverlapping(acc.add(i * pitch * width), cols * width);
            }
        }
    }
}

/// Seconds of this thread alone where the system tells, so that other programs do not count.
fn seconds() -> f64 {
    #[cfg(target_os = "linux")]
    {
        unsafe extern "C" {
            fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
        }
        const THREAD: i32 = 3;
        let mut time = [0; 2];
        // SAFETY: two numbers of 64 bits, as on every 64-bit Linux.
        unsafe { clock_gettime(THREAD, &mut time) };
        time[0] as f64 + 1e-9 * time[1] as f64
    }
    #[cfg(not(target_os = "linux"))]
    {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64()
    }
}

/// The best time of many, in seconds.
fn best(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = f64::MAX;
    while start.elapsed().as_secs_f64() < 0.4 {
        let now = seconds();
        f();
        best = best.min(seconds() - now);
    }
    best
}

/// GFLOP/s of fused multiply-adds on registers.
fn peak(isa: Isa) -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        #[target_feature(enable = "avx512f")]
        unsafe fn wide() -> f32 {
            let mut acc = [_mm512_set1_ps(1.0); 16];
            let x = std::hint::black_box(_mm512_set1_ps(0.999));
            for _ in 0..100_000 {
                for i in 0..16 {
                    acc[i] = _mm512_fmadd_ps(acc[i], x, x);
                }
            }
            let mut sum = acc[0];
            for i in 1..16 {
                sum = _mm512_add_ps(sum, acc[i]);
            }
            _mm512_reduce_add_ps(sum)
        }
        #[target_feature(enable = "avx2,fma")]
        unsafe fn narrow() -> f32 {
            let mut acc = [_mm256_set1_ps(1.0); 12];
            let x = std::hint::black_box(_mm256_set1_ps(0.999));
            for _ in 0..100_000 {
                for i in 0..12 {
                    acc[i] = _mm256_fmadd_ps(acc[i], x, x);
                }
            }
            let mut sum = acc[0];
            for i in 1..12 {
                sum = _mm256_add_ps(sum, acc[i]);
            }
            _mm256_cvtss_f32(sum)
        }
        let (flops, run): (f64, unsafe fn() -> f32) = match isa {
            Isa::Avx512Bf16 | Isa::Avx512 => (3.2e-3 * 16.0, wide),
            Isa::Avx2 => (1.6e-3 * 12.0, narrow),
            Isa::Portable => return f64::NAN,
        };
        // SAFETY: the machine has the instruction set.
        flops / best(|| _ = std::hint::black_box(unsafe { run() }))
    }
    #[cfg(not(target_arch = "x86_64"))]
    f64::NAN
}

/// An instruction set, the type of all operands, and the peak of f32.
type Way = (Isa, DType, f64);

fn run(name: &str, tile: &Tile, space: &[i64], numbers: &[i64], products: i64, ways: &[Way]) {
    let mut runs: Vec<_> = ways.iter().map(|way| prepare(tile, space, numbers, way)).collect();
    let mut times = vec![vec![]; ways.len()];
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 0.4 * ways.len() as f64 || times[0].len() < 5 {
        for (run, times) in runs.iter_mut().zip(&mut times) {
            // The first finds the caches as the way before left them.
            run();
            let now = seconds();
            run();
            times.push(seconds() - now);
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let medians: Vec<f64> = times.iter_mut().map(median).collect();
    let cols = space[space.len() - 1];
    for (&(isa, dtype, peak), seconds) in ways.iter().zip(&medians) {
        let rate = 2e-9 * products as f64 / seconds;
        let share = 100.0 * rate / peak;
        let useful = share * (cols as u64).next_multiple_of(16) as f64 / cols as f64;
        println!(
            "{name:40} {isa:10?} {dtype:4} {rate:7.1} GFLOP/s {share:5.1} % of peak {useful:5.1} % with padding {:8.1} us {:5.2}",
            1e6 * seconds,
            medians[0] / seconds,
        );
    }
}

/// What runs a tile once.
fn prepare(tile: &Tile, space: &[i64], numbers: &[i64], &(isa, dtype, _): &Way) -> impl FnMut() {
    let sizes: Vec<Size> = space.iter().map(|&s| Size::constant(s)).collect();
    let kernel = TileKernel::new(tile, &sizes, &[dtype; 3], isa, &|_| 0);
    let number = match dtype {
        DType::F64 => 0.5f64.to_ne_bytes().to_vec(),
        DType::F16 => half::to_f16(0.5).to_ne_bytes().to_vec(),
        DType::BF16 => half::to_bf16(0.5).to_ne_bytes().to_vec(),
        _ => 0.5f32.to_ne_bytes().to_vec(),
    };
    let mut buffers: Vec<Vec<u8>> = numbers.iter().map(|&n| number.repeat(n as usize + 64)).collect();
    let starts: Vec<*mut u8> = buffers
        .iter_mut()
        .map(|b| {
            let skip = b.as_ptr().align_offset(64);
            b[skip..].as_mut_ptr()
        })
        .collect();
    let width = kernel.lane().bytes();
    let mut out = vec![0; space.iter().product::<i64>() as usize * width];
    let mut scratch = vec![0; kernel.scratch_bytes()];
    let cols = space[space.len() - 1] as usize;
    move || {
        let _ = &buffers;
        let sink = Store(out.as_mut_ptr(), cols, width);
        for chunk in 0..kernel.chunks() {
            // SAFETY: the buffers are as large as the tile needs.
            unsafe { kernel.run(chunk, &|b| starts[b], &mut scratch, &sink) };
        }
    }
}

fn strided(buffer: usize, strides: &[i64]) -> Strided {
    Strided::new(buffer, strides.iter().map(|&s| Size::constant(s)).collect())
}

fn matmul(m: i64, n: i64, k: i64, only: &str, ways: &[Way]) {
    let name = |form: &str| format!("matmul {m}x{n}x{k} {form}");
    let up = |v: i64| (v as u64).next_multiple_of(32) as i64;
    let a = || strided(0, &[k, 1]);
    let k_size = Size::constant(k);
    let cases = [
        (a(), Right::Panels(1), "panels"),
        (a(), Right::PanelsTransposed(1), "transposed panels"),
        (a(), Right::Strided(strided(1, &[n, 1])), "rows"),
        (a(), Right::Strided(strided(1, &[1, k])), "columns"),
        (strided(0, &[1, m]), Right::Strided(strided(1, &[n, 1])), "weight gradient"),
    ];
    for (a, b, form) in cases {
        if name(form).contains(only) {
            let tile = Tile::MatMul { k: k_size.clone(), a, b };
            run(&name(form), &tile, &[m, n], &[m * k, up(n) * up(k)], m * n * k, ways);
        }
    }
}

#[allow(clippy::too_many_arguments)]
fn conv(name: &str, n: i64, h: i64, c: i64, o: i64, k: i64, stride: i64, pad: i64, only: &str, ways: &[Way]) {
    let y = (h + 2 * pad - k) / stride + 1;
    let two = |v| [v, v];
    let g = Conv {
        n: Size::constant(n),
        h: Size::constant(h),
        w: Size::constant(h),
        c,
        y: Size::constant(y),
        x: Size::constant(y),
        o,
        kernel: two(k),
        stride: two(stride),
        padding: two(pad),
        dilation: [1, 1],
        groups: 1,
    };
    let input = || strided(0, &[h * h * c, h * c, c, 1]);
    let dy = || strided(2, &[y * y * o, y * o, o, 1]);
    let floats = [n * h * h * c, k * k * c * (o + 31), n * y * y * o];
    let products = n * y * y * o * k * k * c;
    let cases = [
        (Tile::Conv2d { conv: g.clone(), input: input(), weight: 1 }, vec![n, y, y, o], ""),
        (Tile::Conv2dWeightGrad { conv: g.clone(), input: input(), dy: dy() }, vec![k * k * c, o], "weight grad"),
        (Tile::Conv2dInputGrad { conv: g, dy: dy(), weight: 1 }, vec![n, h, h, c], "input grad"),
    ];
    for (tile, space, form) in cases {
        let name = format!("{name} {form}");
        if name.contains(only) {
            run(&name, &tile, &space, &floats, products, ways);
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let only = words.first().map_or("", String::as_str);
    let named = |word: usize, name: &str| match words.get(word) {
        Some(names) => names.split(',').any(|n| n.eq_ignore_ascii_case(name)),
        None => true,
    };
    let isas: Vec<Isa> = Isa::available().into_iter().filter(|isa| named(1, &format!("{isa:?}"))).collect();
    let types = words.get(2).map_or("f32", String::as_str).split(',').filter_map(DType::from_name);
    let ways: Vec<Way> = types.flat_map(|t| isas.iter().map(move |&isa| (isa, t, peak(isa)))).collect();
    for (isa, dtype, peak) in &ways {
        println!("{isa:?} {dtype}: peak {peak:.1} GFLOP/s");
    }
    let ways = &ways;
    matmul(64, 512, 784, only, ways);
    matmul(784, 512, 64, only, ways);
    matmul(256, 256, 256, only, ways);
    matmul(512, 512, 512, only, ways);
    matmul(1024, 1024, 256, only, ways);
    matmul(1024, 1024, 1024, only, ways);
    matmul(64, 64, 64, only, ways);
    matmul(1, 512, 784, only, ways);
    matmul(4, 512, 784, only, ways);
    conv("LeNet conv1 28x28x1 -> 20, 5x5", 64, 28, 1, 20, 5, 1, 0, only, ways);
    conv("LeNet conv2 12x12x20 -> 50, 5x5", 64, 12, 20, 50, 5, 1, 0, only, ways);
    conv("16 -> 16, 32x32, 3x3", 32, 32, 16, 16, 3, 1, 1, only, ways);
    conv("64 -> 64, 56x56, 3x3", 4, 56, 64, 64, 3, 1, 1, only, ways);
    conv("64 -> 128, 56x56, 3x3 / 2", 4, 56, 64, 128, 3, 2, 1, only, ways);
    conv("256 -> 256, 14x14, 1x1", 8, 14, 256, 256, 1, 1, 0, only, ways);
    conv("512 -> 512, 7x7, 3x3", 8, 7, 512, 512, 3, 1, 1, only, ways);
}
