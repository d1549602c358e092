//! Every instruction of every lane: interpreted and emitted alike, on every instruction set, and as one plain expression says.

mod common;

use castnet_kernels::isa::Isa;
use castnet_kernels::{BlockKernel, StepScalars, block_kernel};
use castnet_program::program::{Family, Index, Launch, Level, Source, Stage, Target};
use castnet_program::scalar::{Binary, Code, Instr, Lane, Literal, Reduction, Unary};
use castnet_program::types::DType;
use common::{Random, access, from_bytes, model, run_bytes, size, to_bytes};
use half::{bf16, f16};

/// One instruction, and its printed function.
struct Case {
    code: Code,
    kernel: BlockKernel,
}

macro_rules! lane {
    (f32) => {
        Lane::F32
    };
    (f64) => {
        Lane::F64
    };
    (i32) => {
        Lane::I32
    };
    (i64) => {
        Lane::I64
    };
    (bool) => {
        Lane::Bool
    };
}

macro_rules! case {
    ($cases:ident, $instr:expr, ($($x:ident: $in:ident),*) -> $out:ident $($far:ident)? = $body:expr) => {{
        block_kernel! { kernel($($x: $in),*) -> (result: $out) $($far)? { let result = $body; } }
        let mut code = Code { inputs: vec![$(lane!($in)),*], ..Code::default() };
        code.outputs = vec![code.push($instr)];
        assert_eq!(code.lanes().unwrap().last(), Some(&lane!($out)));
        $cases.push(Case { code, kernel });
    }};
}
macro_rules! unary {
    ($cases:ident: $($f:ident $function:ident($($lane:ident)*))*) => {$($(
        case!($cases, Instr::Unary(Unary::$f, 0), (x: $lane) -> $lane = $function(x));
    )*)*};
}
macro_rules! binary {
    ($cases:ident: $($f:ident $function:ident($($lane:ident)*))*) => {$($(
        case!($cases, Instr::Binary(Binary::$f, 0, 1), (x: $lane, y: $lane) -> $lane = $function(x, y));
    )*)*};
}
macro_rules! comparison {
    ($cases:ident: $($f:ident $function:ident)*) => {$(
        comparison!(@ $cases $f $function f32 f64 i32 i64 bool);
    )*};
    (@ $cases:ident $f:ident $function:ident $($lane:ident)*) => {$(
        case!($cases, Instr::Binary(Binary::$f, 0, 1), (x: $lane, y: $lane) -> bool = $function(x, y));
    )*};
}
macro_rules! select {
    ($cases:ident: $($lane:ident)*) => {$(
        case!($cases, Instr::Select(0, 1, 2), (c: bool, x: $lane, y: $lane) -> $lane = select(c, x, y));
    )*};
}
macro_rules! conversion {
    ($cases:ident: $($dtype:ident $function:ident $out:ident)*) => {$(
        conversion!(@ $cases $dtype $function $out: f32 f64 i32 i64 bool);
    )*};
    (@ $cases:ident $dtype:ident $function:ident $out:ident: $($lane:ident)*) => {$(
        case!($cases, Instr::To(DType::$dtype, 0), (x: $lane) -> $out = $function(x));
    )*};
}

/// Those whose result is the nearest number, or the only right one.
fn exact() -> Vec<Case> {
    let mut cases = vec![];
    unary! { cases:
        Neg neg(f32 f64 i32 i64) Abs abs(f32 f64 i32 i64) Sign sign(f32 f64 i32 i64) Not not(i32 i64 bool)
        Sqrt sqrt(f32 f64) Floor floor(f32 f64) Trunc trunc(f32 f64) Round round(f32 f64)
    }
    binary! { cases:
        Add add(f32 f64 i32 i64) Sub sub(f32 f64 i32 i64) Mul mul(f32 f64 i32 i64) Div div(f32 f64)
        FloorDivide floor_divide(i32 i64) Rem rem(f32 f64 i32 i64) Pow pow(i32 i64)
        Max max(f32 f64 i32 i64) Min min(f32 f64 i32 i64)
        And and(i32 i64 bool) Or or(i32 i64 bool) Xor xor(i32 i64 bool)
        ShiftLeft shift_left(i32 i64) ShiftRight shift_right(i32 i64)
    }
    comparison! { cases: Lt lt Le le Gt gt Ge ge Eq eq Ne ne }
    select! { cases: f32 f64 i32 i64 bool }
    conversion! { cases:
        F32 to_f32 f32 F16 to_f16 f32 BF16 to_bf16 f32 F64 to_f64 f64 I8 to_i8 i32 U8 to_u8 i32 I16 to_i16 i32
        I32 to_i32 i32 U32 to_u32 i64 I64 to_i64 i64 Bool to_bool bool
    }
    cases
}

/// Those that are near.
fn near() -> Vec<Case> {
    let mut cases = vec![];
    unary! { cases:
        Exp exp(f32 f64) Log log(f32 f64) Rsqrt rsqrt(f32 f64) Tanh tanh(f32 f64) Sigmoid sigmoid(f32 f64)
        Erf erf(f32 f64) Log1p log1p(f32 f64) Expm1 expm1(f32 f64) Atan atan(f32 f64)
    }
    binary! { cases: Pow pow(f32 f64) }
    case!(cases, Instr::Unary(Unary::Sin, 0), (x: f32) -> f32 far = sin(x, &mut far));
    case!(cases, Instr::Unary(Unary::Sin, 0), (x: f64) -> f64 far = sin(x, &mut far));
    case!(cases, Instr::Unary(Unary::Cos, 0), (x: f32) -> f32 far = cos(x, &mut far));
    case!(cases, Instr::Unary(Unary::Cos, 0), (x: f64) -> f64 far = cos(x, &mut far));
    cases
}

/// Numbers at the edges of what a lane and its narrower types hold, and random bits.
fn edges(lane: Lane) -> Vec<Literal> {
    let mut random = Random(17);
    let mut bits = move || random.next();
    const FLOATS: [f64; 31] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1.5,
        2.5,
        -2.5,
        127.9,
        128.0,
        -128.9,
        255.5,
        256.0,
        32767.5,
        -32769.0,
        65504.0,
        65519.9,
        65520.0,
        2147483647.0,
        2147483648.0,
        -2147483649.0,
        4294967296.0,
        9.3e18,
        -9.3e18,
        1e30,
        6e-8,
        2.9e-8,
        1e-40,
        0.1,
        8388609.5,
        3.4e38,
    ];
    const INTS: [i64; 24] = [
        0,
        1,
        -1,
        2,
        -2,
        3,
        7,
        -7,
        31,
        32,
        63,
        64,
        127,
        128,
        -129,
        255,
        256,
        32768,
        65537,
        16_777_217,
        i32::MAX as i64,
        i32::MIN as i64,
        u32::MAX as i64,
        i64::MAX,
    ];
    match lane {
        Lane::F32 => {
            let special = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, f32::MAX];
            let all = FLOATS.map(|x| x as f32).into_iter().chain(special);
            all.chain((0..20).map(|_| f32::from_bits(bits() as u32))).map(Literal::F32).collect()
        }
        Lane::F64 => {
            let special = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE, f64::MAX, 1e300, 5e-324];
            let all = FLOATS.into_iter().chain(special);
            all.chain((0..20).map(|_| f64::from_bits(bits()))).map(Literal::F64).collect()
        }
        Lane::I32 => {
            INTS.map(|x| x as i32).into_iter().chain((0..20).map(|_| bits() as i32)).map(Literal::I32).collect()
        }
        Lane::I64 => {
            let all = INTS.into_iter().chain([i64::MIN, i64::MIN + 1, 1 << 40]);
            all.chain((0..20).map(|_| bits() as i64)).map(Literal::I64).collect()
        }
        Lane::Bool => [false, true, true].map(Literal::Bool).to_vec(),
    }
}

/// Every edge of each input with every edge of the others.
fn inputs(lanes: &[Lane]) -> Vec<Vec<Literal>> {
    lanes.iter().fold(vec![vec![]], |all, &lane| {
        let edges = edges(lane);
        all.iter().flat_map(|row| edges.iter().map(|&edge| [&row[..], &[edge]].concat())).collect()
    })
}

/// Code over `n` elements: a buffer each input, then one each output, of the lane's own type.
fn flat(code: &Code, n: usize) -> Launch {
    let access = |buffer| access(buffer, &[n], vec![Index::of(0)]);
    let ends = code.inputs.len()..code.inputs.len() + code.outputs.len();
    Launch {
        name: "flat".into(),
        loc: 0,
        space: vec![size(n)],
        reduce: vec![],
        family: Family::Flat,
        loads: (0..ends.start).map(access).collect(),
        stores: ends.clone().map(access).collect(),
        stages: vec![Stage {
            level: Level::Element,
            inputs: (0..ends.start).map(Source::Load).collect(),
            code: code.clone(),
            outputs: (0..ends.len()).map(Target::Store).collect(),
        }],
        updates: None,
    }
}

/// What code makes of rows of inputs.
fn run(code: &Code, rows: &[Vec<Literal>], isa: Isa, kernel: Option<BlockKernel>) -> Vec<Vec<Literal>> {
    let lanes = code.lanes().unwrap();
    let outputs = code.outputs.iter().map(|&slot| lanes[slot as usize].dtype());
    let dtypes: Vec<DType> = code.inputs.iter().map(|lane| lane.dtype()).chain(outputs).collect();
    let mut buffers: Vec<Vec<u8>> = dtypes.iter().map(|dtype| vec![0; rows.len() * dtype.bytes()]).collect();
    for (i, &dtype) in dtypes[..code.inputs.len()].iter().enumerate() {
        buffers[i] = rows.iter().flat_map(|row| to_bytes(dtype, row[i])).collect();
    }
    run_bytes(&flat(code, rows.len()), &dtypes, &mut buffers, isa, &[kernel], &StepScalars::default(), None);
    let read = |row: usize| {
        let of = |i: usize| from_bytes(dtypes[i], &buffers[i][row * dtypes[i].bytes()..][..dtypes[i].bytes()]);
        (code.inputs.len()..dtypes.len()).map(of).collect()
    };
    (0..rows.len()).map(read).collect()
}

/// Equal to the bit; any NaN is as good as another.
fn same(x: Literal, y: Literal) -> bool {
    let nan = |x: Literal| model::number(x).is_nan();
    x.lane() == y.lane() && (x.bits() == y.bits() || nan(x) && nan(y))
}

#[test]
fn every_instruction_of_every_lane() {
    for Case { code, kernel } in exact() {
        let rows = inputs(&code.inputs);
        // Of zeros of both signs either one is the greater.
        let loose = matches!(code.instrs[0], Instr::Binary(Binary::Max | Binary::Min, ..));
        for isa in Isa::available() {
            let interpreted = run(&code, &rows, isa, None);
            let emitted = run(&code, &rows, isa, Some(kernel));
            for ((row, i), e) in rows.iter().zip(interpreted).zip(emitted) {
                let want = model::eval(&code, row.clone())[0];
                let right = |x| same(x, want) || loose && model::number(x) == 0.0 && model::number(want) == 0.0;
                assert!(
                    right(i[0]) && same(i[0], e[0]),
                    "{isa:?} {:?} of {row:?}: {i:?}, {e:?}, not {want:?}",
                    code.instrs
                );
            }
        }
    }
}

#[test]
fn every_function_of_floats() {
    for Case { code, kernel } in near() {
        let mut rows = inputs(&code.inputs);
        if let [lane] = code.inputs[..] {
            rows.extend((-8000..8000).map(|i| vec![model::literal(lane, f64::from(i) * 0.00917)]));
        }
        for isa in Isa::available() {
            let interpreted = run(&code, &rows, isa, None);
            let emitted = run(&code, &rows, isa, Some(kernel));
            for ((row, i), e) in rows.iter().zip(interpreted).zip(emitted) {
                assert!(same(i[0], e[0]), "{isa:?} {:?} of {row:?}: {i:?} and {e:?}", code.instrs);
                // Those of f32 have bounds of their own in `math.rs`.
                let Literal::F64(found) = i[0] else { continue };
                let want = model::number(model::eval(&code, row.clone())[0]);
                let near =
                    (found - want).abs() <= 2e-15 * want.abs().max(f64::MIN_POSITIVE) || same(i[0], Literal::F64(want));
                assert!(near, "{isa:?} {:?} of {row:?}: {found}, not {want}", code.instrs);
            }
        }
    }
}

/// Registers hold values of all widths, one after the other.
#[test]
fn code_of_many_lanes() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut code = Code { inputs: Lane::ALL.to_vec(), ..Code::default() };
        for _ in 0..1 + random.below(30) {
            let lanes = code.lanes().unwrap();
            // Mostly what is new.
            let slot = |random: &mut Random| {
                (lanes.len() - 1 - random.below(lanes.len()).min(random.below(lanes.len()))) as u32
            };
            let (a, b, c) = (slot(&mut random), slot(&mut random), slot(&mut random));
            use Binary::*;
            let f =
                random.of(&[Add, Sub, Mul, FloorDivide, Rem, Max, Lt, Le, Eq, Ne, And, Or, Xor, ShiftLeft, ShiftRight]);
            let instr = match random.below(5) {
                0 => Instr::Select(c, a, b),
                1 => Instr::To(random.of(&DType::ALL), a),
                2 => Instr::Unary(random.of(&[Unary::Neg, Unary::Not, Unary::Abs, Unary::Floor, Unary::Sign]), a),
                3 => Instr::Const(random.of(&edges(lanes[a as usize]))),
                _ => Instr::Binary(f, a, b),
            };
            code.push(instr);
            if code.lanes().is_err() {
                code.instrs.pop();
            }
        }
        let slots = code.lanes().unwrap().len() as u32;
        code.outputs = (0..3).map(|i| if i == 0 { slots - 1 } else { random.below(slots as usize) as u32 }).collect();
        let edges = Lane::ALL.map(edges);
        let rows: Vec<Vec<Literal>> = (0..777).map(|_| edges.iter().map(|edges| random.of(edges)).collect()).collect();
        for isa in Isa::available() {
            for (row, found) in rows.iter().zip(run(&code, &rows, isa, None)) {
                let want = model::eval(&code, row.clone());
                // A maximum of zeros may have either sign, which quotients show.
                let alike = |x: Literal, y: Literal| same(x, y) || model::number(x) == 0.0 && model::number(y) == 0.0;
                let right = found.iter().zip(&want).all(|(&x, &y)| alike(x, y));
                assert!(right, "{isa:?}, seed {seed}, {code:?} of {row:?}: {found:?}, not {want:?}");
            }
        }
    }
}

/// All halves as f32; f32 rounded to halves: of all exponents, and around every tie.
#[test]
fn halves_as_the_crate_half_has_them() {
    let ties = (0..=u16::MAX).flat_map(|bits| [f16::from_bits(bits).to_f32(), bf16::from_bits(bits).to_f32()]);
    let ties = ties
        .flat_map(|x| [0u32, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001].map(|d| x.to_bits().wrapping_add(d)));
    let floats: Vec<u32> = (0..=u32::MAX).step_by(1237).chain(ties).collect();
    for dtype in [DType::F16, DType::BF16] {
        let value = |bits: u16| {
            if dtype == DType::F16 { f16::from_bits(bits).to_f32() } else { bf16::from_bits(bits).to_f32() }
        };
        let rounded =
            |x: f32| if dtype == DType::F16 { f16::from_f32(x).to_bits() } else { bf16::from_f32(x).to_bits() };
        let copy = Code { inputs: vec![Lane::F32], instrs: vec![], outputs: vec![0] };
        let round = Code { inputs: vec![Lane::F32], instrs: vec![Instr::To(dtype, 0)], outputs: vec![1] };
        for isa in Isa::available() {
            let mut buffers = [(0..=u16::MAX).flat_map(u16::to_le_bytes).collect(), vec![0; 4 << 16]];
            let scalars = StepScalars::default();
            run_bytes(&flat(&copy, 1 << 16), &[dtype, DType::F32], &mut buffers, isa, &[], &scalars, None);
            for (bits, found) in buffers[1].as_chunks().0.iter().enumerate() {
                let want = value(bits as u16).to_bits();
                assert_eq!(u32::from_le_bytes(*found), want, "{dtype} {bits:x} on {isa:?}");
            }
            let from: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
            // As a value that is stored as f32, and as the half that is stored.
            for (code, to) in [(&round, DType::F32), (&copy, dtype), (&round, dtype)] {
                let mut buffers = [from.clone(), vec![0; floats.len() * to.bytes()]];
                run_bytes(&flat(code, floats.len()), &[DType::F32, to], &mut buffers, isa, &[], &scalars, None);
                for (x, found) in floats.iter().zip(buffers[1].chunks(to.bytes())) {
                    let half = rounded(f32::from_bits(*x));
                    let want = if to == dtype {
                        half.to_le_bytes().to_vec()
                    } else {
                        value(half).to_bits().to_le_bytes().to_vec()
                    };
                    assert_eq!(found, want, "{x:x} as {dtype} in {to} on {isa:?}");
                }
            }
        }
    }
}

/// A reduction of `n` elements at each of three points.
fn reduction(op: Reduction, lane: Lane, family: &Family, n: usize) -> Launch {
    let (dims, index) = match family {
        Family::Row => ([3, n], vec![Index::of(0), Index::of(1)]),
        _ => ([n, 3], vec![Index::of(1), Index::of(0)]),
    };
    let copy = || Code { inputs: vec![lane], instrs: vec![], outputs: vec![0] };
    let stage = |level, input, output| Stage { level, inputs: vec![input], code: copy(), outputs: vec![output] };
    Launch {
        name: format!("{op:?}"),
        loc: 0,
        space: vec![size(3)],
        reduce: vec![size(n)],
        family: family.clone(),
        loads: vec![access(0, &dims, index)],
        stores: vec![access(1, &[3], vec![Index::of(0)])],
        stages: vec![
            stage(Level::Element, Source::Load(0), Target::Reduce(op, 0)),
            stage(Level::Row, Source::Row(0), Target::Store(0)),
        ],
        updates: None,
    }
}

#[test]
fn every_reduction_of_every_lane() {
    use Reduction::*;
    let all = Reduction::ALL.iter().flat_map(|&op| Lane::ALL.map(|lane| (op, lane)));
    for (op, lane) in all.filter(|(op, lane)| op.takes(*lane)) {
        for (family, n) in
            [Family::Row, Family::Column].iter().flat_map(|f| [1, 7, 300, 20_011, 150_000].map(|n| (f, n)))
        {
            let mut random = Random(n as u64);
            // Few of the truth values decide; products stay near 1.
            let truth = op == Min;
            let element = |random: &mut Random| match lane {
                Lane::Bool => Literal::Bool(if random.below(2 * n) == 0 { !truth } else { truth }),
                Lane::I32 => Literal::I32(random.next() as i32 | 1),
                Lane::I64 => Literal::I64(random.next() as i64 | 1),
                Lane::F32 | Lane::F64 if op == Prod => model::literal(lane, 1.0 + random.unit() / n as f64),
                Lane::F32 | Lane::F64 => model::literal(lane, random.unit() + 0.5),
            };
            let elements: Vec<Literal> = (0..3 * n).map(|_| element(&mut random)).collect();
            let at =
                |point: usize, i: usize| elements[if *family == Family::Row { point * n + i } else { i * 3 + point }];
            let width = lane.bytes();
            for isa in Isa::available() {
                let mut buffers =
                    [elements.iter().flat_map(|&x| to_bytes(lane.dtype(), x)).collect::<Vec<u8>>(), vec![0; 3 * width]];
                let launch = reduction(op, lane, family, n);
                run_bytes(&launch, &[lane.dtype(); 2], &mut buffers, isa, &[], &StepScalars::default(), None);
                for point in 0..3 {
                    let found = from_bytes(lane.dtype(), &buffers[1][point * width..][..width]);
                    let all = (0..n).map(|i| at(point, i));
                    let right = match (op, lane) {
                        (Sum, Lane::F32 | Lane::F64) => {
                            let want: f64 = exact_sum(all.map(model::number));
                            let unit = if lane == Lane::F32 { 6e-8 } else { 1.2e-16 };
                            // Short sums are plain ones.
                            let units = if n > 1000 { 40.0 } else { 1.0 + n as f64 };
                            (model::number(found) - want).abs() <= units * unit * want.abs()
                        }
                        (Prod, Lane::F32 | Lane::F64) => {
                            let want: f64 = all.map(model::number).product();
                            let unit = if lane == Lane::F32 { 6e-8 } else { 1.2e-16 };
                            (model::number(found) - want).abs() <= (1.0 + n as f64) * unit * want.abs()
                        }
                        _ => {
                            let want = all.fold(model::identity(op, lane), |total, x| model::reduce(op, total, x));
                            same(found, want)
                        }
                    };
                    assert!(right, "{isa:?} {op:?} of {n} {lane:?}, {family:?}: {found:?}");
                }
            }
        }
    }
}

/// The sum of numbers, with twice the digits (Neumaier).
fn exact_sum(all: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0f64, 0.0);
    for x in all {
        let next = sum + x;
        rest += if sum.abs() >= x.abs() { sum - next + x } else { x - next + sum };
        sum = next;
    }
    sum + rest
}

/// Indices beyond 2²⁴ and of every integer type, read and added to.
#[test]
fn indices_are_exact() {
    const LONG: usize = (1 << 24) + 3;
    let copy = Code { inputs: vec![Lane::I32], instrs: vec![], outputs: vec![0] };
    for index in [DType::I32, DType::U32, DType::I64] {
        let places = [0, 1 << 24, (1 << 24) + 1, (1 << 24) + 2, (1 << 24) - 1, 12_345_677];
        let mut launch = flat(&copy, places.len());
        launch.loads = vec![access(0, &[LONG], vec![Index::zero()]), access(1, &[places.len()], vec![Index::of(0)])];
        launch.stages[0].inputs = vec![Source::Gather { from: 0, dim: 0, index: 1 }];
        launch.stores[0].buffer = 2;
        let table: Vec<u8> = (0..LONG).map(|i| (i % 251) as u8).collect();
        let indices: Vec<u8> =
            places.iter().flat_map(|&p| to_bytes(index, model::literal(index.lane(), p as f64))).collect();
        for isa in Isa::available() {
            let mut buffers = [table.clone(), indices.clone(), vec![0; places.len()]];
            run_bytes(&launch, &[DType::U8, index, DType::U8], &mut buffers, isa, &[], &StepScalars::default(), None);
            assert!(buffers[2].iter().zip(places).all(|(x, p)| usize::from(*x) == p % 251), "{index} on {isa:?}");
        }
    }
}

/// Sums of what arrives, in each lane that has sums, at indices of each integer type.
#[test]
fn scattered_sums() {
    let indices = [DType::I8, DType::U8, DType::I16, DType::I32, DType::U32, DType::I64];
    for (lane, index) in [Lane::F32, Lane::F64, Lane::I32, Lane::I64].into_iter().flat_map(|l| indices.map(|i| (l, i)))
    {
        for (n, len, cols) in [(1, 1, 1), (100, 7, 1), (33, 5, 20), (3000, 100, 3)] {
            let mut random = Random(n as u64);
            let places: Vec<usize> = (0..n).map(|_| random.below(len)).collect();
            let values: Vec<Literal> =
                (0..n * cols).map(|_| model::literal(lane, (random.unit() * 1e6).round())).collect();
            let launch = Launch {
                space: vec![size(len), size(cols)],
                reduce: vec![size(n)],
                family: Family::Scatter(0),
                loads: vec![
                    access(0, &[n], vec![Index::of(2)]),
                    access(1, &[n, cols], vec![Index::of(2), Index::of(1)]),
                ],
                stores: vec![access(2, &[len, cols], vec![Index::of(0), Index::of(1)])],
                stages: vec![],
                ..flat(&Code { inputs: vec![Lane::I32], instrs: vec![], outputs: vec![0] }, 1)
            };
            let mut want = vec![model::literal(lane, 0.0); len * cols];
            for (i, &value) in values.iter().enumerate() {
                let at = &mut want[places[i / cols] * cols + i % cols];
                *at = model::reduce(Reduction::Sum, *at, value);
            }
            let bytes =
                |dtype: DType, all: &[Literal]| all.iter().flat_map(|&x| to_bytes(dtype, x)).collect::<Vec<u8>>();
            let places: Vec<Literal> = places.iter().map(|&p| model::literal(index.lane(), p as f64)).collect();
            for isa in Isa::available() {
                let dtype = lane.dtype();
                let mut buffers =
                    [bytes(index, &places), bytes(dtype, &values), vec![0xff; len * cols * dtype.bytes()]];
                run_bytes(&launch, &[index, dtype, dtype], &mut buffers, isa, &[], &StepScalars::default(), None);
                // Whole numbers: every order gives the same sum.
                assert_eq!(buffers[2], bytes(dtype, &want), "{lane:?} at {index} on {isa:?}");
            }
        }
    }
}
