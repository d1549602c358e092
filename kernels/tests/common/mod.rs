//! The meaning of a launch, spelled out, and a way to run a kernel beside it.
#![allow(dead_code)] // Each test uses its part.

pub mod erf;
pub mod model;

use castnet_kernels::isa::Isa;
use castnet_kernels::{BlockKernel, Kernel, Places, Run, StepScalars, Update, random};
use castnet_program::program::{Access, Index, Launch, Level, Source, Target};
use castnet_program::scalar::{Code, Instr, Lane, Literal, Reduction, Slot};
use castnet_program::size::Size;
use castnet_program::types::DType;
use half::{bf16, f16};

/// A generator of test data (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next word.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// In [-1, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    }
    /// One of these.
    pub fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

/// A buffer's elements, exact in double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    pub dtype: DType,
    pub values: Vec<f64>,
}

impl Data {
    /// Random elements: floats in [-1, 1), integers small.
    pub fn random(dtype: DType, n: usize, random: &mut Random) -> Data {
        let values = (0..n).map(|_| match dtype {
            DType::F32 | DType::F64 => f64::from(random.unit() as f32),
            DType::F16 | DType::BF16 => (random.unit() * 64.0).round() / 64.0,
            DType::Bool => random.below(2) as f64,
            DType::U8 | DType::U32 => random.below(10) as f64,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => random.below(19) as f64 - 9.0,
        });
        Data { dtype, values: values.collect() }
    }

    fn literal(&self, at: usize) -> Literal {
        model::literal(self.dtype.lane(), self.values[at])
    }

    fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|&x| to_bytes(self.dtype, model::literal(self.dtype.lane(), x))).collect()
    }

    fn read(&mut self, bytes: &[u8]) {
        for (value, b) in self.values.iter_mut().zip(bytes.chunks(self.dtype.bytes())) {
            *value = model::number(from_bytes(self.dtype, b));
        }
    }
}

/// An element, of its lane, in memory.
pub fn to_bytes(dtype: DType, x: Literal) -> Vec<u8> {
    match (dtype, x) {
        (DType::F32, Literal::F32(x)) => x.to_le_bytes().to_vec(),
        (DType::F16, Literal::F32(x)) => f16::from_f32(x).to_le_bytes().to_vec(),
        (DType::BF16, Literal::F32(x)) => bf16::from_f32(x).to_le_bytes().to_vec(),
        (DType::F64, Literal::F64(x)) => x.to_le_bytes().to_vec(),
        (DType::I8 | DType::U8, Literal::I32(x)) => vec![x as u8],
        (DType::I16, Literal::I32(x)) => (x as i16).to_le_bytes().to_vec(),
        (DType::I32, Literal::I32(x)) => x.to_le_bytes().to_vec(),
        (DType::U32, Literal::I64(x)) => (x as u32).to_le_bytes().to_vec(),
        (DType::I64, Literal::I64(x)) => x.to_le_bytes().to_vec(),
        (DType::Bool, Literal::Bool(x)) => vec![x.into()],
        _ => panic!("{x:?} as {dtype}"),
    }
}

/// An element in memory, of its lane.
pub fn from_bytes(dtype: DType, b: &[u8]) -> Literal {
    match dtype {
        DType::F32 => Literal::F32(f32::from_le_bytes(b.try_into().unwrap())),
        DType::F16 => Literal::F32(f16::from_le_bytes(b.try_into().unwrap()).to_f32()),
        DType::BF16 => Literal::F32(bf16::from_le_bytes(b.try_into().unwrap()).to_f32()),
        DType::F64 => Literal::F64(f64::from_le_bytes(b.try_into().unwrap())),
        DType::I8 => Literal::I32((b[0] as i8).into()),
        DType::U8 => Literal::I32(b[0].into()),
        DType::I16 => Literal::I32(i16::from_le_bytes(b.try_into().unwrap()).into()),
        DType::I32 => Literal::I32(i32::from_le_bytes(b.try_into().unwrap())),
        DType::U32 => Literal::I64(u32::from_le_bytes(b.try_into().unwrap()).into()),
        DType::I64 => Literal::I64(i64::from_le_bytes(b.try_into().unwrap())),
        DType::Bool => {
            assert!(b[0] < 2, "a truth value of {}", b[0]);
            Literal::Bool(b[0] == 1)
        }
    }
}

/// The round in which launches run: random numbers depend on it.
const ROUND: u64 = 3;

/// A constant size.
pub fn size(value: usize) -> Size {
    Size::constant(value as i64)
}

/// `buffer` as an array of these dims at these indices.
pub fn access(buffer: usize, dims: &[usize], index: Vec<Index>) -> Access {
    Access::new(buffer, dims.iter().map(|&d| size(d)).collect(), index)
}

/// Code of floats alone.
pub fn floats(inputs: usize, instrs: Vec<Instr>, outputs: Vec<Slot>) -> Code {
    Code { inputs: vec![Lane::F32; inputs], instrs, outputs }
}

fn value(name: &str) -> i64 {
    panic!("{name} has no value")
}

/// The element of an access, or `None` outside.
fn locate(access: &Access, point: &[i64]) -> Option<usize> {
    let mut at = 0;
    let within = access.within.iter().map(|(index, size)| (size, index, true));
    for (dim, index, only_checked) in within.chain(access.dims.iter().zip(&access.index).map(|(d, i)| (d, i, false))) {
        let size = dim.eval(&value);
        let mut i = index.terms.iter().fold(index.offset.eval(&value), |sum, &(d, c)| sum + c * point[d]);
        if index.exact && i.rem_euclid(index.divide) != 0 {
            return None;
        }
        i = i.div_euclid(index.divide);
        if index.modulo != 0 {
            i = i.rem_euclid(index.modulo);
        }
        if !(0..size).contains(&i) {
            assert!(access.outside.is_some(), "{access:?} at {point:?}");
            return None;
        }
        at = if only_checked { at } else { at * size + i };
    }
    Some(at as usize)
}

fn points(sizes: &[i64]) -> Vec<Vec<i64>> {
    sizes.iter().fold(vec![vec![]], |all, &n| {
        all.iter().flat_map(|p| (0..n).map(move |i| p.iter().copied().chain([i]).collect())).collect()
    })
}

/// Sums of many f32 are to be as good as those in double precision.
fn accumulator(op: Reduction, lane: Lane) -> Lane {
    match (op, lane) {
        (Reduction::Sum, Lane::F32) => Lane::F64,
        _ => lane,
    }
}

/// What the launch means. `acc` gives the sums of a tile by their number.
pub fn meaning(launch: &Launch, data: &mut [Data], scalars: &StepScalars, acc: &dyn Fn(usize) -> f64) {
    let sizes = |s: &[Size]| s.iter().map(|s| s.eval(&value)).collect::<Vec<_>>();
    let (space, reduce) = (points(&sizes(&launch.space)), points(&sizes(&launch.reduce)));
    for (number, at) in space.iter().enumerate() {
        let mut rows = [None; 8];
        for stage in &launch.stages {
            let lanes = stage.code.lanes().unwrap();
            for (target, &slot) in stage.outputs.iter().zip(&stage.code.outputs) {
                if let Target::Reduce(op, row) = target {
                    rows[*row] = Some(model::identity(*op, accumulator(*op, lanes[slot as usize])));
                }
            }
            let inner = if stage.level == Level::Row { vec![vec![]] } else { reduce.clone() };
            for rest in inner {
                let point: Vec<i64> = at.iter().chain(&rest).copied().collect();
                let input = |(source, &lane): (&Source, &Lane)| match source {
                    Source::Load(i) => {
                        let access = &launch.loads[*i];
                        locate(access, &point)
                            .map_or_else(|| access.outside.unwrap(), |at| data[access.buffer].literal(at))
                    }
                    Source::Acc => model::literal(lane, acc(number)),
                    Source::Row(slot) => model::to(lane.dtype(), rows[*slot].unwrap()),
                    Source::Index(dim) => model::literal(lane, point[*dim] as f64),
                    Source::Size(size) => model::literal(lane, size.eval(&value) as f64),
                    Source::LossScale => Literal::F32(scalars.scale),
                    Source::Gather { from, dim, index } => {
                        let (index, from) = (&launch.loads[*index], &launch.loads[*from]);
                        let found = data[index.buffer].values[locate(index, &point).unwrap()] as i64;
                        let held = found.clamp(0, from.dims[*dim].eval(&value) - 1);
                        let mut from = from.clone();
                        from.index[*dim] = Index::zero().plus(&held.into());
                        data[from.buffer].literal(locate(&from, &point).unwrap())
                    }
                    Source::Random { stream, strides, offset, round } => {
                        let inside = strides.iter().zip(&point).map(|(s, i)| s.eval(&value) * i).sum::<i64>();
                        let index = offset.eval(&value) + inside + round.eval(&value) * ROUND as i64;
                        Literal::F32(random::uniform(random::key(scalars.root, *stream), scalars.call, index as u64))
                    }
                };
                let inputs = stage.inputs.iter().zip(&stage.code.inputs).map(input).collect();
                for (target, result) in stage.outputs.iter().zip(model::eval(&stage.code, inputs)) {
                    match target {
                        Target::Row(slot) => rows[*slot] = Some(result),
                        Target::Reduce(op, slot) => {
                            let result = model::to(accumulator(*op, result.lane()).dtype(), result);
                            rows[*slot] = rows[*slot].map(|row| model::reduce(*op, row, result));
                        }
                        Target::Store(i) => {
                            let access = &launch.stores[*i];
                            if let Some(at) = locate(access, &point) {
                                data[access.buffer].values[at] = model::number(result);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Runs a launch over these buffers.
pub fn run(
    launch: &Launch,
    data: &mut [Data],
    isa: Isa,
    emitted: &[Option<BlockKernel>],
    scalars: &StepScalars,
    update: Option<&dyn Update>,
) -> Kernel {
    let dtypes: Vec<DType> = data.iter().map(|d| d.dtype).collect();
    let mut bytes: Vec<Vec<u8>> = data.iter().map(Data::bytes).collect();
    let kernel = run_bytes(launch, &dtypes, &mut bytes, isa, emitted, scalars, update);
    data.iter_mut().zip(&bytes).for_each(|(data, bytes)| data.read(bytes));
    kernel
}

/// Runs a launch over buffers as they lie in memory, its chunks from the last to the first, each with scratch full of ones.
pub fn run_bytes(
    launch: &Launch,
    dtypes: &[DType],
    buffers: &mut [Vec<u8>],
    isa: Isa,
    emitted: &[Option<BlockKernel>],
    scalars: &StepScalars,
    update: Option<&dyn Update>,
) -> Kernel {
    let kernel = Kernel::new(launch, dtypes, isa, emitted, &value);
    // Words keep the bytes aligned; the last one is there to see what is written behind the end.
    let mut words: Vec<Vec<u64>> = buffers
        .iter()
        .map(|bytes| {
            let mut bytes = bytes.clone();
            bytes.resize(bytes.len().next_multiple_of(8) + 8, 0xa5);
            bytes.chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect()
        })
        .collect();
    let bases: Vec<*mut u8> = words.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
    let mut shared = vec![0xffu8; kernel.shared_bytes() + 128];
    let skip = shared.as_ptr().align_offset(64);
    let (shared, behind) = shared[skip..].split_at_mut(kernel.shared_bytes());
    let places = Places::new(&bases, &[], &[]).sharing(shared.as_mut_ptr());
    let run = Run { places, scalars, round: ROUND, update };
    let mut scratch = vec![0u8; kernel.scratch_bytes() + 128];
    for (part, chunk) in (0..kernel.parts()).flat_map(|part| (0..kernel.chunks(part)).rev().map(move |c| (part, c))) {
        scratch.fill(0xff);
        let skip = scratch.as_ptr().align_offset(64);
        let (own, guard) = scratch[skip..].split_at_mut(kernel.scratch_bytes());
        // SAFETY: the buffers are as long as the launch says.
        unsafe { kernel.run(part, chunk, &run, own) };
        assert!(guard.iter().all(|&b| b == 0xff), "wrote behind the scratch");
    }
    assert!(behind.iter().all(|&b| b == 0xff), "wrote behind the shared memory");
    for (bytes, words) in buffers.iter_mut().zip(&words) {
        let all: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let (own, guard) = all.split_at(bytes.len());
        assert!(guard.iter().all(|&b| b == 0xa5), "wrote behind a buffer");
        bytes.copy_from_slice(own);
    }
    kernel
}

/// Holds a launch against its meaning on every instruction set.
pub fn check(launch: &Launch, data: &[Data], tolerance: f64) {
    let scalars = StepScalars::new(42, 7);
    let mut want = data.to_vec();
    meaning(launch, &mut want, &scalars, &|_| f64::NAN);
    for isa in Isa::available() {
        let mut got = data.to_vec();
        run(launch, &mut got, isa, &[], &scalars, None);
        compare(&got, &want, tolerance, &format!("{isa:?} {launch:#?}"));
    }
}

/// Every element of every buffer is near.
pub fn compare(got: &[Data], want: &[Data], tolerance: f64, what: &str) {
    for (buffer, (got, want)) in got.iter().zip(want).enumerate() {
        for (i, (g, w)) in got.values.iter().zip(&want.values).enumerate() {
            let near = (g - w).abs() <= tolerance * (1.0 + w.abs()) || g == w || g.is_nan() && w.is_nan();
            assert!(near, "buffer {buffer}[{i}]: {g}, not {w}: {what}");
        }
    }
}
