//! Cliffs: every family over sizes that double, on one thread: `cargo bench -p castnet-kernels --bench sweep [word]`.
//!
//! A point is marked where it takes more than twice what the work of its smaller neighbour (or what memory) says, more than twice what its
//! larger one takes, or more than five times what the best of all smaller ones says; where a layout takes more than three times what
//! channels last take; and where a round of a loop takes more than twice what the same launch takes outside. On Linux the time is that of
//! the thread, not of the clock: other processes count little.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use castnet_kernels::isa::Isa;
use castnet_kernels::{Kernel, Places, Run, StepScalars};
use castnet_program::program::{
    Access, Conv, Family, Index, Launch, Level, Right, Source, Stage, Strided, Target, Tile,
};
use castnet_program::scalar::{Binary, Code, Instr, Lane, Literal, Reduction};
use castnet_program::types::DType;
use common::{access, size};

/// Rounds of the loop around a launch.
const ROUNDS: u32 = 3;
/// Shorter times are the clock's and the call's.
const LEAST: f64 = 2000.0;

/// Nanoseconds a byte of what does not lie in a cache.
const MEMORY: f64 = 0.15;

/// A launch with the buffers that it reads and writes: types and elements.
struct Case {
    launch: Launch,
    buffers: Vec<(DType, usize)>,
}

/// Nanoseconds that this thread has run.
#[cfg(target_os = "linux")]
fn now() -> f64 {
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    }
    let mut time = [0; 2];
    // SAFETY: two words are a `timespec`; 3 is CLOCK_THREAD_CPUTIME_ID.
    unsafe { clock_gettime(3, &mut time) };
    time[0] as f64 * 1e9 + time[1] as f64
}

/// Nanoseconds since the first call.
#[cfg(not(target_os = "linux"))]
fn now() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as f64
}

/// Nanoseconds of a launch outside of loops, and of a round.
fn time(case: &Case) -> [f64; 2] {
    let dtypes: Vec<DType> = case.buffers.iter().map(|b| b.0).collect();
    let kernel = Kernel::new(&case.launch, &dtypes, Isa::detect(), &[], &|_| 0);
    // Words, so that all types are aligned; indices are small.
    let words = |n: usize| vec![0x3f80_0000_3f80_0000u64; n.div_ceil(2) + 8 * ROUNDS as usize];
    let indices = |n: usize| {
        let bytes: Vec<u8> = (0..n.next_multiple_of(8) + 64 * ROUNDS as usize).map(|i| (i * 37 % 61) as u8).collect();
        bytes.chunks(8).map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])).collect()
    };
    let mut best = [f64::MAX; 2];
    for (rounds, best) in [1, ROUNDS].into_iter().zip(&mut best) {
        let data = |&(dtype, n): &(DType, usize)| if dtype == DType::U8 { indices(n) } else { words(n) };
        let mut data: Vec<Vec<u64>> = case.buffers.iter().map(data).collect();
        let bases: Vec<*mut u8> = data.iter_mut().map(|d| d.as_mut_ptr().cast()).collect();
        // A cache line: no more memory than outside.
        let strides = vec![64; bases.len()];
        let strides = if rounds == 1 { vec![] } else { strides };
        let mut scratch = vec![0u8; kernel.scratch_bytes() + 64];
        let skip = scratch.as_ptr().align_offset(64);
        let mut shared = vec![0u8; kernel.shared_bytes() + 64];
        let at = shared.as_ptr().align_offset(64);
        let shared = shared[at..].as_mut_ptr();
        let scalars = StepScalars::new(1, 1);
        let start = Instant::now();
        let mut runs = 0;
        while runs < 3 || start.elapsed().as_millis() < 8 {
            for round in 0..rounds {
                let this = [round];
                let rounds = if strides.is_empty() { &[][..] } else { &this };
                let places = Places::new(&bases, &strides, rounds).sharing(shared);
                let run = Run { places, scalars: &scalars, round: u64::from(round), update: None };
                let before = now();
                for part in 0..kernel.parts() {
                    for chunk in 0..kernel.chunks(part) {
                        // SAFETY: the buffers have room for all rounds.
                        unsafe { kernel.run(part, chunk, &run, &mut scratch[skip..]) };
                    }
                }
                *best = best.min(now() - before);
            }
            runs += 1;
        }
    }
    best
}

/// Times a series of points, each with its work, prints them, and returns their times.
fn series(name: &str, points: impl Iterator<Item = (usize, usize, Case)>, beside: &[f64]) -> Vec<f64> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if !wanted.iter().all(|word| name.contains(word.as_str())) {
        return vec![];
    }
    println!("{name}");
    let (points, times): (Vec<_>, Vec<_>) = points
        .map(|(at, work, case)| {
            let bytes: usize = case.buffers.iter().map(|(dtype, n)| dtype.bytes() * n).sum();
            ((at, work, bytes), time(&case))
        })
        .unzip();
    for (i, (&(at, work, bytes), &[t, round])) in points.iter().zip(&times).enumerate() {
        let mut marks = vec![];
        let before = i.checked_sub(1).map(|j| times[j][0].max(LEAST) * work as f64 / points[j].1 as f64);
        if before.is_some_and(|before| t > 2.0 * before.max(LEAST).max(bytes as f64 * MEMORY / 2.0)) {
            marks.push("more than its smaller neighbour's work says");
        }
        let unit = |j: usize| times[j][0].max(LEAST) / points[j].1 as f64;
        let least = (0..i).map(unit).fold(f64::MAX, f64::min) * work as f64;
        if t > 5.0 * least.max(bytes as f64 * MEMORY / 5.0) {
            marks.push("five times what the best of the smaller ones says");
        }
        if times.get(i + 1).is_some_and(|next| t > 2.0 * next[0].max(LEAST)) {
            marks.push("more than its larger neighbour");
        }
        if beside.get(i).is_some_and(|last| t > 3.0 * last.max(LEAST)) {
            marks.push("more than channels last");
        }
        if round > 2.0 * t.max(LEAST) {
            marks.push("more in a loop");
        }
        let mark = if marks.is_empty() { String::new() } else { format!("  <-- {}", marks.join(", ")) };
        println!("  {at:8} {t:12.0} ns {:9.4} ns a unit{mark}", t / work as f64);
    }
    times.iter().map(|t| t[0]).collect()
}

fn doubling(from: usize, to: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(from), |n| Some(2 * n)).take_while(move |n| *n <= to)
}

/// A launch of one stage that stores its result.
fn launch(family: Family, space: &[usize], loads: Vec<Access>, store: Access, stage: Stage) -> Launch {
    let space = space.iter().map(|&n| size(n)).collect();
    let (reduce, stores, stages) = (vec![], vec![store], vec![stage]);
    Launch { name: "sweep".into(), loc: 0, space, reduce, family, loads, stores, stages, updates: None }
}

fn stage(inputs: Vec<Source>, instrs: Vec<Instr>) -> Stage {
    let last = (inputs.len() + instrs.len()).saturating_sub(1) as u32;
    let code = Code { inputs: vec![Lane::F32; inputs.len()], instrs, outputs: vec![last] };
    Stage { level: Level::Element, inputs, code, outputs: vec![Target::Store(0)] }
}

fn dims(order: &[usize]) -> Vec<Index> {
    order.iter().map(|&d| Index::of(d)).collect()
}

fn floats(sizes: &[usize]) -> Vec<(DType, usize)> {
    sizes.iter().map(|&n| (DType::F32, n)).collect()
}

fn flat(n: usize) -> Case {
    let loads = (0..2).map(|b| access(b, &[n], dims(&[0]))).collect();
    let add = stage(vec![Source::Load(0), Source::Load(1)], vec![Instr::Binary(Binary::Add, 0, 1)]);
    Case { launch: launch(Family::Flat, &[n], loads, access(2, &[n], dims(&[0])), add), buffers: floats(&[n; 3]) }
}

/// A copy of `rows` x `cols` from where they lie the other way round, or to there.
fn turned(rows: usize, cols: usize, store: bool) -> Case {
    let (there, here) = ((&[cols, rows], dims(&[1, 0])), (&[rows, cols], dims(&[0, 1])));
    let (load, store) = if store { (here, there) } else { (there, here) };
    let (load, store) = (access(0, load.0, load.1), access(1, store.0, store.1));
    let case = launch(Family::Flat, &[rows, cols], vec![load], store, stage(vec![Source::Load(0)], vec![]));
    Case { launch: case, buffers: floats(&[rows * cols; 2]) }
}

/// Scores below a diagonal.
fn mask(n: usize) -> Case {
    let inputs = vec![Source::Load(0), Source::Index(0), Source::Index(1)];
    let code = vec![Instr::Const(Literal::F32(-1.0)), Instr::Binary(Binary::Ge, 1, 2), Instr::Select(4, 0, 3)];
    let (load, store) = (access(0, &[n, n], dims(&[0, 1])), access(1, &[n, n], dims(&[0, 1])));
    let mut stage = stage(inputs, code);
    stage.code.inputs[1..].fill(Lane::I32);
    let case = launch(Family::Flat, &[n, n], vec![load], store, stage);
    Case { launch: case, buffers: floats(&[n * n; 2]) }
}

/// Sums of `points` values over `reduced`, which lie innermost for rows and outermost for columns.
fn sums(family: Family, points: usize, reduced: usize) -> Case {
    let load = match family {
        Family::Row => access(0, &[points, reduced], dims(&[0, 1])),
        _ => access(0, &[reduced, points], dims(&[1, 0])),
    };
    let sum = Stage {
        level: Level::Element,
        inputs: vec![Source::Load(0)],
        code: Code { inputs: vec![Lane::F32], instrs: vec![], outputs: vec![0] },
        outputs: vec![Target::Reduce(Reduction::Sum, 0)],
    };
    let store = Stage {
        level: Level::Row,
        inputs: vec![Source::Row(0)],
        code: Code { inputs: vec![Lane::F32], instrs: vec![], outputs: vec![0] },
        outputs: vec![Target::Store(0)],
    };
    let mut case = launch(family, &[points], vec![load], access(1, &[points], dims(&[0])), sum);
    case.reduce = vec![size(reduced)];
    case.stages.push(store);
    Case { launch: case, buffers: floats(&[points * reduced, points]) }
}

/// The gradient of averages of 3 x 3 by 2, of `n` x `n` points of 16 channels.
fn windows(n: usize, last: bool) -> Case {
    let (out, order) = (n.div_ceil(2), if last { [0, 1, 2] } else { [2, 0, 1] });
    let sizes = |n: usize| order.map(|d| [n, n, 16][d]);
    let tap = |k: i64| {
        let along = |d: usize, k: i64| Index { offset: (1 - k).into(), divide: 2, exact: true, ..Index::of(d) };
        let index = [along(0, k / 3), along(1, k % 3), Index::of(2)];
        Access { outside: Some(Literal::F32(0.0)), ..access(0, &sizes(out), order.map(|d| index[d].clone()).to_vec()) }
    };
    let add = |i: u32| Instr::Binary(Binary::Add, if i == 0 { 0 } else { 8 + i }, i + 1);
    let sum = stage((0..9).map(Source::Load).collect(), (0..8).map(add).collect());
    let space = sizes(n);
    // The loops run as the image lies.
    let mut loads: Vec<Access> = (0..9).map(tap).collect();
    let place = |d: usize| order.iter().position(|&o| o == d).unwrap_or(d);
    loads
        .iter_mut()
        .flat_map(|load| &mut load.index)
        .flat_map(|i| &mut i.terms)
        .for_each(|term| term.0 = place(term.0));
    let case = launch(Family::Flat, &space, loads, access(1, &space, dims(&[0, 1, 2])), sum);
    Case { launch: case, buffers: floats(&[out * out * 16, n * n * 16]) }
}

/// Rows of a table of 64 rows that `n` indices name.
fn looked_up(n: usize, wide: usize) -> Case {
    let loads = vec![access(0, &[64, wide], vec![Index::zero(), Index::of(1)]), access(1, &[n], dims(&[0]))];
    let gather = stage(vec![Source::Gather { from: 0, dim: 0, index: 1 }], vec![]);
    let case = launch(Family::Flat, &[n, wide], loads, access(2, &[n, wide], dims(&[0, 1])), gather);
    Case { launch: case, buffers: vec![(DType::F32, 64 * wide), (DType::U8, n), (DType::F32, n * wide)] }
}

/// Its gradient.
fn scattered(n: usize, wide: usize, rows: usize) -> Case {
    let loads = vec![access(0, &[n], dims(&[2])), access(1, &[n, wide], dims(&[2, 1]))];
    let store = access(2, &[rows, wide], dims(&[0, 1]));
    let mut case = launch(Family::Scatter(0), &[rows, wide], loads, store, stage(vec![], vec![]));
    (case.reduce, case.stages) = (vec![size(n)], vec![]);
    Case { launch: case, buffers: vec![(DType::U8, n), (DType::F32, n * wide), (DType::F32, rows * wide)] }
}

fn tile(tile: Tile, space: &[usize], strides: &[usize], buffers: Vec<(DType, usize)>) -> Case {
    // The axes of the result in the order in which they lie.
    let mut order: Vec<usize> = (0..space.len()).collect();
    order.sort_by_key(|&d| std::cmp::Reverse(strides[d]));
    let sizes: Vec<usize> = order.iter().map(|&d| space[d]).collect();
    let store = access(buffers.len(), &sizes, dims(&order));
    let result: usize = space.iter().product();
    let case = launch(Family::Tile(tile), space, vec![], store, stage(vec![Source::Acc], vec![]));
    Case { launch: case, buffers: [buffers, floats(&[result])].concat() }
}

fn strided(buffer: usize, strides: &[usize]) -> Strided {
    Strided::new(buffer, strides.iter().map(|&s| size(s)).collect())
}

fn product(m: usize, n: usize, k: usize, form: &str) -> Case {
    let padded = |n: usize| n.next_multiple_of(32);
    let (right, floats_of) = match form {
        "panels" => (Right::Panels(1), padded(n) * k),
        "transposed panels" => (Right::PanelsTransposed(1), padded(k) * n),
        "rows" => (Right::Strided(strided(1, &[n, 1])), n * k),
        _ => (Right::Strided(strided(1, &[1, k])), n * k),
    };
    let product = Tile::MatMul { k: size(k), a: strided(0, &[k, 1]), b: right };
    tile(product, &[m, n], &[n, 1], floats(&[m * k, floats_of]))
}

const CONVS: [&str; 3] = ["conv2d", "input gradient", "weight gradient"];

/// A 3 x 3 convolution of 2 images of `side` x `side`; `channels` a group.
fn conv(what: &str, side: usize, groups: usize, channels: usize, stride: usize, last: bool) -> Case {
    let c = groups * channels;
    let out = (side - 1) / stride + 1;
    let lie = |side: usize| match last {
        true => [side * side * c, side * c, c, 1],
        false => [side * side * c, side, 1, side * side],
    };
    let image = |buffer: usize, side: usize| strided(buffer, &lie(side));
    let two = |v: usize| [v as i64; 2];
    let conv = Conv {
        n: size(2),
        h: size(side),
        w: size(side),
        c: c as i64,
        y: size(out),
        x: size(out),
        o: c as i64,
        kernel: [3, 3],
        stride: two(stride),
        padding: [1, 1],
        dilation: [1, 1],
        groups: groups as i64,
    };
    let (input, dy, weight) = (2 * side * side * c, 2 * out * out * c, 9 * channels * c.next_multiple_of(32));
    match what {
        "conv2d" => {
            let result = Tile::Conv2d { conv, input: image(0, side), weight: 1 };
            tile(result, &[2, out, out, c], &lie(out), floats(&[input, weight]))
        }
        "input gradient" => {
            let result = Tile::Conv2dInputGrad { conv, dy: image(0, out), weight: 1 };
            tile(result, &[2, side, side, c], &lie(side), floats(&[dy, weight]))
        }
        _ => {
            let result = Tile::Conv2dWeightGrad { conv, input: image(0, side), dy: image(1, out) };
            tile(result, &[9 * channels, c], &[c, 1], floats(&[input, dy]))
        }
    }
}

fn main() {
    series("flat: a sum of n values", doubling(1, 1 << 22).map(|n| (n, n, flat(n))), &[]);
    for store in [false, true] {
        let what = if store { "written" } else { "read" };
        series(&format!("flat: n x n {what} turned"), doubling(1, 2048).map(|n| (n, n * n, turned(n, n, store))), &[]);
        let points = doubling(1, 4096).map(|n| (n, 512 * n, turned(512, n, store)));
        series(&format!("flat: 512 x n {what} turned"), points, &[]);
        let points = doubling(1, 4096).map(|n| (n, 512 * n, turned(n, 512, store)));
        series(&format!("flat: n x 512 {what} turned"), points, &[]);
    }
    series("flat: a mask of n x n", doubling(1, 2048).map(|n| (n, n * n, mask(n))), &[]);
    for (lie, last) in [("channels last", true), ("channels first", false)] {
        let points = doubling(1, 256).map(|n| (n, 16 * n * n, windows(n, last)));
        series(&format!("flat: a gradient of windows over n x n, {lie}"), points, &[]);
    }
    series("flat: n rows of 64 looked up", doubling(1, 1 << 14).map(|n| (n, 64 * n, looked_up(n, 64))), &[]);
    series("flat: 256 rows of n looked up", doubling(1, 1 << 12).map(|n| (n, 256 * n, looked_up(256, n))), &[]);
    for (name, family) in [("row", Family::Row), ("column", Family::Column)] {
        let points = doubling(1, 1 << 16).map(|n| (n, 64 * n, sums(family.clone(), n, 64)));
        series(&format!("{name}: n sums of 64"), points, &[]);
        let points = doubling(1, 1 << 16).map(|n| (n, 64 * n, sums(family.clone(), 64, n)));
        series(&format!("{name}: 64 sums of n"), points, &[]);
        for few in [1, 16] {
            let points = doubling(1, 1 << 20).map(|n| (n, few * n, sums(family.clone(), few, n)));
            series(&format!("{name}: {few} sums of n"), points, &[]);
        }
    }
    series("scatter: n rows of 64", doubling(1, 1 << 14).map(|n| (n, 64 * n + 4096, scattered(n, 64, 64))), &[]);
    series("scatter: 256 rows of n", doubling(1, 1 << 12).map(|n| (n, 320 * n, scattered(256, n, 64))), &[]);
    let points = doubling(1, 1 << 16).map(|n| (n, 64 * 256 + 64 * n, scattered(256, 64, n)));
    series("scatter: 256 rows into n", points, &[]);

    for form in ["panels", "transposed panels", "rows", "columns"] {
        let padded = |n: usize| n.next_multiple_of(16);
        let points = doubling(1, 512).map(|n| (n, n * padded(n) * n, product(n, n, n, form)));
        series(&format!("matmul: n x n x n by {form}"), points, &[]);
        let points = doubling(1, 1 << 14).map(|n| (n, n * 64 * 64, product(n, 64, 64, form)));
        series(&format!("matmul: n x 64 x 64 by {form}"), points, &[]);
        let points = doubling(1, 1 << 13).map(|n| (n, 64 * padded(n) * 64, product(64, n, 64, form)));
        series(&format!("matmul: 64 x n x 64 by {form}"), points, &[]);
        let points = doubling(1, 1 << 13).map(|n| (n, 64 * 64 * n, product(64, 64, n, form)));
        series(&format!("matmul: 64 x 64 x n by {form}"), points, &[]);
    }

    // Vectors run along the channels, or along those of a group.
    let work = |side: usize, groups: usize, channels: usize| match channels {
        1 => 18 * side * side * groups.next_multiple_of(16),
        _ => 18 * side * side * channels * groups * channels.next_multiple_of(16),
    };
    for what in CONVS {
        for (kind, channels) in [("depthwise", 1), ("groups of 2 channels", 2), ("groups of 8 channels", 8)] {
            let groups = || [2, 4, 8, 16, 32, 60, 120, 240, 480, 960].into_iter().filter(move |g| g * channels <= 2000);
            let points =
                |last: bool| groups().map(move |g| (g, work(14, g, channels), conv(what, 14, g, channels, 1, last)));
            let last = series(&format!("{what}: n {kind}, channels last"), points(true), &[]);
            series(&format!("{what}: n {kind}, channels first"), points(false), &last);
        }
        for (kind, groups, channels, stride) in
            [("16 channels", 1, 16, 1), ("16 channels, stride 2", 1, 16, 2), ("64 depthwise", 64, 1, 1)]
        {
            let points = |last: bool| {
                doubling(1, 128)
                    .map(move |n| (n, work(n, groups, channels), conv(what, n, groups, channels, stride, last)))
            };
            let last = series(&format!("{what}: n x n of {kind}, channels last"), points(true), &[]);
            series(&format!("{what}: n x n of {kind}, channels first"), points(false), &last);
        }
        let points = |last: bool| doubling(2, 256).map(move |c| (c, work(14, 1, c), conv(what, 14, 1, c, 1, last)));
        let last = series(&format!("{what}: n channels, channels last"), points(true), &[]);
        series(&format!("{what}: n channels, channels first"), points(false), &last);
    }
}
