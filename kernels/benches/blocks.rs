//! Times of elementwise functions, compiled and interpreted, and of the commonest launches: `cargo bench -p castnet-kernels`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Instant;

use castnet_kernels::isa::Isa;
use castnet_kernels::{BlockKernel, Kernel, Places, Run, StepScalars, block_kernel};
use castnet_program::program::{Access, Family, Index, Launch, Level, Source, Stage, Target, Tile};
use castnet_program::program::{Right, Strided};
use castnet_program::scalar::{Binary, Instr, Reduction, Unary};
use castnet_program::types::DType;
use common::{access, floats, size};

block_kernel! { tanh_(x: f32) -> (y: f32) { let y = tanh(x); } }
block_kernel! { exp_(x: f32) -> (y: f32) { let y = exp(x); } }
block_kernel! { add_(a: f32, b: f32) -> (y: f32) { let y = a + b; } }
block_kernel! { pow_(a: f32, b: f32) -> (y: f32) { let y = pow(a, b); } }
block_kernel! { sin_(a: f32) -> (y: f32) far { let y = sin(a, &mut far); } }
block_kernel! { erf_(a: f32) -> (y: f32) { let y = erf(a); } }
block_kernel! {
    /// Four operations.
    chain(a: f32, b: f32) -> (t3: f32) {
        let t0 = a + b;
        let t1 = tanh(t0);
        let t2 = t1 * a;
        let t3 = t2 - b;
    }
}
block_kernel! {
    /// The epilogue of a convolution.
    bias_tanh(acc: f32, bias: f32) -> (t1: f32) {
        let t0 = acc + bias;
        let t1 = tanh(t0);
    }
}
block_kernel! {
    /// The greatest of four.
    pool(x0: f32, x1: f32, x2: f32, x3: f32) -> (t2: f32) {
        let t0 = max(x0, x1);
        let t1 = max(x2, x3);
        let t2 = max(t0, t1);
    }
}
block_kernel! {
    /// Its gradient.
    pool_gradient(x0: f32, x1: f32, x2: f32, x3: f32, y: f32, dy: f32) -> (t1: f32, t4: f32, t7: f32, t10: f32) {
        let t0 = to_f32(eq(x0, y));
        let t1 = t0 * dy;
        let t2 = dy - t1;
        let t3 = to_f32(eq(x1, y));
        let t4 = t3 * t2;
        let t5 = t2 - t4;
        let t6 = to_f32(eq(x2, y));
        let t7 = t6 * t5;
        let t8 = t5 - t7;
        let t9 = to_f32(eq(x3, y));
        let t10 = t9 * t8;
    }
}

/// Nanoseconds of the fastest of many calls.
fn time(mut f: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    let start = Instant::now();
    while start.elapsed().as_millis() < 150 {
        let one = Instant::now();
        for _ in 0..20 {
            f();
        }
        best = best.min(one.elapsed().as_nanos() as f64 / 20.0);
    }
    best
}

/// Prints the time of `f`, if the name has in it what was given on the command line.
fn report(name: &str, elements: usize, mut f: impl FnMut()) {
    let wanted = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect::<Vec<_>>();
    if !wanted.iter().all(|part| name.contains(part.as_str())) {
        return;
    }
    let ns = time(&mut f);
    println!("{name:48} {:8.3} ns/element {ns:10.0} ns", ns / elements as f64);
}

/// A launch over floats, all chunks on one thread.
fn launch(
    name: &str,
    launch: &Launch,
    dtypes: &[DType],
    floats: &[usize],
    emitted: &[Option<BlockKernel>],
    elements: usize,
) {
    let kernel = Kernel::new(launch, dtypes, Isa::detect(), emitted, &|_| 0);
    let mut data: Vec<Vec<f32>> = floats.iter().map(|&n| (0..n).map(|i| (i % 7) as f32 * 0.1).collect()).collect();
    for (data, dtype) in data.iter_mut().zip(dtypes) {
        if *dtype == DType::U8 {
            data.fill(0.0);
        }
    }
    let bases: Vec<*mut u8> = data.iter_mut().map(|d| d.as_mut_ptr().cast()).collect();
    let mut scratch = vec![0u8; kernel.scratch_bytes() + 64];
    let skip = scratch.as_ptr().align_offset(64);
    let scalars = StepScalars::new(1, 1);
    let mut shared = vec![0u8; kernel.shared_bytes() + 64];
    let at = shared.as_ptr().align_offset(64);
    let shared = shared[at..].as_mut_ptr();
    let run = Run { places: Places::new(&bases, &[], &[]).sharing(shared), scalars: &scalars, round: 0, update: None };
    report(name, elements, || {
        for part in 0..kernel.parts() {
            for chunk in 0..kernel.chunks(part) {
                // SAFETY: the buffers are as long as the launch says.
                unsafe { kernel.run(part, chunk, &run, &mut scratch[skip..]) };
            }
        }
    });
}

fn blank(family: Family, space: &[usize], reduce: &[usize]) -> Launch {
    Launch {
        name: "bench".into(),
        loc: 0,
        space: space.iter().map(|&s| size(s)).collect(),
        reduce: reduce.iter().map(|&s| size(s)).collect(),
        family,
        loads: vec![],
        stores: vec![],
        stages: vec![],
        updates: None,
    }
}

fn plain(buffer: usize, dims: &[usize], loops: &[usize]) -> Access {
    access(buffer, dims, loops.iter().map(|&d| Index::of(d)).collect())
}

fn stage(level: Level, inputs: Vec<Source>, instrs: Vec<Instr>, out: u32, target: Target) -> Stage {
    let code = floats(inputs.len(), instrs, vec![out]);
    Stage { level, inputs, code, outputs: vec![target] }
}

const N: usize = 64 * 1024;

fn functions() {
    let a: Vec<f32> = (0..N).map(|i| (i % 1000) as f32 * 0.01 - 5.0).collect();
    let b: Vec<f32> = (0..N).map(|i| (i % 77) as f32 * 0.01).collect();
    let mut out = vec![0f32; N];
    for isa in Isa::available() {
        for (name, kernel) in [
            ("add", &add_),
            ("tanh", &tanh_),
            ("exp", &exp_),
            ("erf", &erf_),
            ("sin", &sin_),
            ("pow", &pow_),
            ("bias + tanh", &bias_tanh),
            ("chain of 4", &chain),
        ] {
            report(&format!("{name} {isa:?}"), N, || {
                for at in (0..N).step_by(2048) {
                    let inputs = [a[at..].as_ptr().cast(), b[at..].as_ptr().cast()];
                    // SAFETY: inputs and output have 2048 elements from there on.
                    unsafe { kernel.function(isa)(2048, inputs.as_ptr(), [out[at..].as_mut_ptr().cast()].as_ptr()) };
                }
                black_box(&mut out);
            });
        }
    }
}

fn flat() {
    use {Binary::*, Instr::Binary as B, Instr::Unary as U, Source::Load as L};
    let mut l = blank(Family::Flat, &[N], &[]);
    l.loads = vec![plain(0, &[N], &[0]), plain(1, &[N], &[0])];
    l.stores = vec![plain(2, &[N], &[0])];
    let instrs = vec![B(Add, 0, 1), U(Unary::Tanh, 2), B(Mul, 3, 0), B(Sub, 4, 1)];
    l.stages = vec![stage(Level::Element, vec![L(0), L(1)], instrs, 5, Target::Store(0))];
    let f32s = [DType::F32; 3];
    launch("flat chain of 4, interpreted", &l, &f32s, &[N, N, N], &[], N);
    launch("flat chain of 4, emitted", &l, &f32s, &[N, N, N], &[Some(chain)], N);

    let (rows, cols) = (N / 20, 20);
    let mut l = blank(Family::Flat, &[rows, cols], &[]);
    l.loads = vec![plain(0, &[rows, cols], &[0, 1]), plain(1, &[cols], &[1])];
    l.stores = vec![plain(2, &[rows, cols], &[0, 1])];
    let instrs = vec![B(Add, 0, 1), U(Unary::Tanh, 2)];
    l.stages = vec![stage(Level::Element, vec![L(0), L(1)], instrs, 3, Target::Store(0))];
    launch("flat bias + tanh over 20 channels", &l, &f32s, &[N, 20, N], &[Some(bias_tanh)], rows * cols);

    let mut l = blank(Family::Flat, &[N], &[]);
    l.stores = vec![plain(0, &[N], &[0])];
    let random = Source::Random { stream: 0, strides: vec![size(1)], offset: size(0), round: size(0) };
    l.stages = vec![stage(Level::Element, vec![random], vec![], 0, Target::Store(0))];
    launch("uniform numbers", &l, &f32s, &[N], &[], N);

    let mut l = blank(Family::Flat, &[256, 256], &[]);
    l.loads = vec![plain(0, &[256, 256], &[1, 0])];
    l.stores = vec![plain(1, &[256, 256], &[0, 1])];
    l.stages = vec![stage(Level::Element, vec![L(0)], vec![], 0, Target::Store(0))];
    launch("transposition 256 x 256", &l, &f32s, &[N, N], &[], N);
}

/// 2 x 2 windows of `[n, h, w, c]`.
fn window(buffer: usize, [n, h, w, c]: [usize; 4], r: i64, s: i64) -> Access {
    let twice = |d: usize, offset: i64| Index { terms: vec![(d, 2)], offset: offset.into(), ..Index::zero() };
    access(buffer, &[n, h, w, c], vec![Index::of(0), twice(1, r), twice(2, s), Index::of(3)])
}

fn pools() {
    use {Binary::*, Instr::Binary as B, Source::Load as L};
    for (c, h) in [(20, 24), (50, 8), (1, 24)] {
        let dims = [64, h, h, c];
        let (space, elements) = ([64, h / 2, h / 2, c], 64 * h * h * c);
        let mut l = blank(Family::Flat, &space, &[]);
        l.loads = (0..4).map(|i| window(0, dims, i / 2, i % 2)).collect();
        l.stores = vec![plain(1, &space, &[0, 1, 2, 3])];
        let instrs = vec![B(Max, 0, 1), B(Max, 2, 3), B(Max, 4, 5)];
        l.stages = vec![stage(Level::Element, (0..4).map(L).collect(), instrs, 6, Target::Store(0))];
        let f32s = [DType::F32; 3];
        let name = format!("max-pool 2x2 of [64, {h}, {h}, {c}]");
        launch(&name, &l, &f32s, &[elements, elements / 4], &[], elements / 4);
        launch(&(name + ", emitted"), &l, &f32s, &[elements, elements / 4], &[Some(pool)], elements / 4);

        // The gradient goes to the first greatest element: dx = dy where x = y and none before was.
        l.loads.push(plain(1, &space, &[0, 1, 2, 3]));
        l.loads.push(plain(2, &space, &[0, 1, 2, 3]));
        l.stores = (0..4).map(|i| window(0, dims, i / 2, i % 2)).collect();
        let mut instrs = vec![];
        let mut outputs = vec![];
        let mut left = 5;
        for x in 0..4u32 {
            let at = 6 + instrs.len() as u32;
            instrs.push(B(Eq, x, 4));
            instrs.push(Instr::To(DType::F32, at));
            instrs.push(B(Mul, at + 1, left));
            instrs.push(B(Sub, left, at + 2));
            outputs.push(at + 2);
            left = at + 3;
        }
        let inputs = (0..6).map(L).collect();
        let code = floats(6, instrs, outputs);
        l.stages = vec![Stage { level: Level::Element, inputs, code, outputs: (0..4).map(Target::Store).collect() }];
        let name = format!("its gradient, in place, {h} x {h} x {c}");
        let floats = [elements, elements / 4, elements / 4];
        launch(&name, &l, &f32s, &floats, &[], elements / 4);
        launch(&(name + ", emitted"), &l, &f32s, &floats, &[Some(pool_gradient)], elements / 4);
    }
}

fn reductions() {
    use {Binary::*, Instr::Binary as B, Instr::Unary as U, Source as S, Target as T};
    for (rows, cols) in [(64, 10), (64, 1000), (4, 16384)] {
        let mut l = blank(Family::Row, &[rows], &[cols]);
        l.loads = vec![plain(0, &[rows, cols], &[0, 1])];
        l.stores = vec![plain(1, &[rows, cols], &[0, 1])];
        let e = vec![B(Sub, 0, 1), U(Unary::Exp, 2)];
        let p = vec![B(Sub, 0, 1), U(Unary::Exp, 3), B(Div, 4, 2)];
        l.stages = vec![
            stage(Level::Element, vec![S::Load(0)], vec![], 0, T::Reduce(Reduction::Max, 0)),
            stage(Level::Element, vec![S::Load(0), S::Row(0)], e, 3, T::Reduce(Reduction::Sum, 1)),
            stage(Level::Element, vec![S::Load(0), S::Row(0), S::Row(1)], p, 5, T::Store(0)),
        ];
        launch(&format!("softmax [{rows}, {cols}]"), &l, &[DType::F32; 2], &[rows * cols; 2], &[], rows * cols);
    }
    for (rows, cols) in [(36864, 20), (64, 500), (64, 4096), (1024, 4096)] {
        let mut l = blank(Family::Column, &[cols], &[rows]);
        l.loads = vec![plain(0, &[rows, cols], &[1, 0])];
        l.stores = vec![plain(1, &[cols], &[0])];
        l.stages = vec![
            stage(Level::Element, vec![S::Load(0)], vec![], 0, T::Reduce(Reduction::Sum, 0)),
            stage(Level::Row, vec![S::Row(0)], vec![], 0, T::Store(0)),
        ];
        launch(
            &format!("column sums of [{rows}, {cols}]"),
            &l,
            &[DType::F32; 2],
            &[rows * cols, cols],
            &[],
            rows * cols,
        );
    }
    let mut l = blank(Family::Row, &[], &[N]);
    l.loads = vec![plain(0, &[N], &[0])];
    l.stores = vec![plain(1, &[], &[])];
    l.stages = vec![
        stage(Level::Element, vec![S::Load(0)], vec![], 0, T::Reduce(Reduction::Sum, 0)),
        stage(Level::Row, vec![S::Row(0)], vec![], 0, T::Store(0)),
    ];
    launch("sum of all", &l, &[DType::F32; 2], &[N, 1], &[], N);
}

/// A matrix product of depth 1, so that its epilogue is what takes the time.
fn epilogues() {
    use {Binary::*, Instr::Binary as B, Instr::Unary as U, Source as S};
    let rows = 4096;
    for cols in [32, 64, 20] {
        let tile = Tile::MatMul { k: size(1), a: Strided::new(0, vec![size(1), size(1)]), b: Right::Panels(1) };
        let mut l = blank(Family::Tile(tile), &[rows, cols], &[]);
        l.loads = vec![plain(2, &[cols], &[1])];
        l.stores = vec![plain(3, &[rows, cols], &[0, 1])];
        let floats = [rows, 64, cols, rows * cols];
        l.stages = vec![stage(Level::Element, vec![S::Acc], vec![], 0, Target::Store(0))];
        launch(&format!("tile, {cols} columns, stored as it is"), &l, &[DType::F32; 4], &floats, &[], rows * cols);
        let instrs = vec![B(Add, 0, 1), U(Unary::Tanh, 2)];
        l.stages = vec![stage(Level::Element, vec![S::Acc, S::Load(0)], instrs, 3, Target::Store(0))];
        let name = format!("tile, {cols} columns, bias + tanh");
        launch(&(name.clone() + ", interpreted"), &l, &[DType::F32; 4], &floats, &[], rows * cols);
        launch(&(name + ", emitted"), &l, &[DType::F32; 4], &floats, &[Some(bias_tanh)], rows * cols);
    }
}

fn main() {
    functions();
    flat();
    pools();
    reductions();
    epilogues();
}
