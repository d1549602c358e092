//! The meaning of a launch, spelled out in double precision, and a way to run a kernel beside it.
#![allow(dead_code)] // Each test uses its part.

use castnet_graph::reference;
use castnet_kernels::isa::Isa;
use castnet_kernels::{BlockKernel, Context, Kernel, Places, Run, Update, random};
use castnet_program::program::{Access, Index, Launch, Level, Source, Target};
use castnet_program::scalar::{Code, Instr, Reduction};
use castnet_program::size::Size;
use castnet_program::types::DType;

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
            _ => random.below(19) as f64 - 9.0,
        });
        Data { dtype, values: values.collect() }
    }

    fn bytes(&self) -> Vec<u8> {
        let one = |&x: &f64| match self.dtype {
            DType::F32 => (x as f32).to_le_bytes().to_vec(),
            DType::F64 => x.to_le_bytes().to_vec(),
            DType::BF16 => ((x as f32).to_bits() >> 16).to_le_bytes()[..2].to_vec(),
            DType::F16 => half(x).to_le_bytes().to_vec(),
            DType::I8 => vec![x as i8 as u8],
            DType::U8 | DType::Bool => vec![x as u8],
            DType::I32 => (x as i32).to_le_bytes().to_vec(),
            DType::U32 => (x as u32).to_le_bytes().to_vec(),
            DType::I64 => (x as i64).to_le_bytes().to_vec(),
        };
        self.values.iter().flat_map(one).collect()
    }

    fn read(&mut self, bytes: &[u8]) {
        for (value, b) in self.values.iter_mut().zip(bytes.chunks(self.dtype.bytes())) {
            *value = match self.dtype {
                DType::F32 => f32::from_le_bytes(b.try_into().unwrap()).into(),
                DType::F64 => f64::from_le_bytes(b.try_into().unwrap()),
                DType::I8 => (b[0] as i8).into(),
                DType::U8 | DType::Bool => b[0].into(),
                DType::I32 => i32::from_le_bytes(b.try_into().unwrap()).into(),
                DType::U32 => u32::from_le_bytes(b.try_into().unwrap()).into(),
                DType::I64 => i64::from_le_bytes(b.try_into().unwrap()) as f64,
                DType::F16 | DType::BF16 => continue,
            };
        }
    }
}

/// Half precision of a small multiple of 2⁻⁶.
fn half(x: f64) -> u16 {
    if x == 0.0 {
        return 0;
    }
    let bits = (x as f32).to_bits();
    ((bits >> 16 & 0x8000) | ((bits >> 13 & 0x3ffff) - (112 << 10))) as u16
}

/// A constant size.
/// The round in which launches run: random numbers depend on it.
const ROUND: u64 = 3;

pub fn size(value: usize) -> Size {
    Size::constant(value as i64)
}

/// `buffer` as an array of these dims at these indices.
pub fn access(buffer: usize, dims: &[usize], index: Vec<Index>) -> Access {
    Access::new(buffer, dims.iter().map(|&d| size(d)).collect(), index)
}

fn eval(code: &Code, inputs: Vec<f64>) -> Vec<f64> {
    let mut slots = inputs;
    for instr in &code.instrs {
        let at = |s: u32| slots[s as usize];
        let value = match *instr {
            Instr::Const(c) => f64::from(c),
            Instr::Unary(f, a) => reference::unary(f, at(a)),
            Instr::Binary(f, a, b) => reference::binary(f, at(a), at(b)),
            Instr::Select(c, a, b) => at(if at(c) != 0.0 { a } else { b }),
        };
        slots.push(value);
    }
    code.outputs.iter().map(|&s| slots[s as usize]).collect()
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

/// What the launch means. `acc` gives the sums of a tile by their number.
pub fn meaning(launch: &Launch, data: &mut [Data], context: &Context, acc: &dyn Fn(usize) -> f64) {
    let sizes = |s: &[Size]| s.iter().map(|s| s.eval(&value)).collect::<Vec<_>>();
    let (space, reduce) = (points(&sizes(&launch.space)), points(&sizes(&launch.reduce)));
    for (number, at) in space.iter().enumerate() {
        let mut rows = [f64::NAN; 8];
        for stage in &launch.stages {
            for target in &stage.outputs {
                if let Target::Reduce(op, slot) = target {
                    rows[*slot] = match op {
                        Reduction::Sum => 0.0,
                        Reduction::Max => f64::NEG_INFINITY,
                        Reduction::Min => f64::INFINITY,
                    };
                }
            }
            let inner = if stage.level == Level::Row { vec![vec![]] } else { reduce.clone() };
            for rest in inner {
                let point: Vec<i64> = at.iter().chain(&rest).copied().collect();
                let input = |source: &Source| match source {
                    Source::Load(i) => {
                        let access = &launch.loads[*i];
                        match locate(access, &point) {
                            Some(at) => data[access.buffer].values[at],
                            None => access.outside.unwrap().into(),
                        }
                    }
                    Source::Acc => acc(number),
                    Source::Row(slot) => rows[*slot],
                    Source::Index(dim) => point[*dim] as f64,
                    Source::Size(size) => size.eval(&value) as f64,
                    Source::Gather { from, dim, index } => {
                        let (index, from) = (&launch.loads[*index], &launch.loads[*from]);
                        let found = data[index.buffer].values[locate(index, &point).unwrap()] as i64;
                        let held = found.clamp(0, from.dims[*dim].eval(&value) - 1);
                        let mut from = from.clone();
                        from.index[*dim] = Index::zero().plus(&held.into());
                        data[from.buffer].values[locate(&from, &point).unwrap()]
                    }
                    Source::Random { stream, strides, offset, round } => {
                        let inside = strides.iter().zip(&point).map(|(s, i)| s.eval(&value) * i).sum::<i64>();
                        let index = offset.eval(&value) + inside + round.eval(&value) * ROUND as i64;
                        random::uniform(random::key(context.root, *stream), context.call, index as u64).into()
                    }
                };
                let results = eval(&stage.code, stage.inputs.iter().map(input).collect());
                for (target, result) in stage.outputs.iter().zip(results) {
                    match target {
                        Target::Row(slot) => rows[*slot] = result,
                        Target::Reduce(op, slot) => {
                            rows[*slot] = match op {
                                Reduction::Sum => rows[*slot] + result,
                                Reduction::Max => rows[*slot].max(result),
                                Reduction::Min => rows[*slot].min(result),
                            }
                        }
                        Target::Store(i) => {
                            let access = &launch.stores[*i];
                            if let Some(at) = locate(access, &point) {
                                data[access.buffer].values[at] = result;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Runs a launch, its chunks from the last to the first, each with scratch full of NaN.
pub fn run(
    launch: &Launch,
    data: &mut [Data],
    isa: Isa,
    emitted: &[Option<BlockKernel>],
    context: &Context,
    update: Option<&dyn Update>,
) -> Kernel {
    let dtypes: Vec<DType> = data.iter().map(|d| d.dtype).collect();
    let kernel = Kernel::new(launch, &dtypes, isa, emitted, &value);
    // Words keep the bytes aligned.
    let mut bytes: Vec<Vec<u64>> = data
        .iter()
        .map(|d| {
            let mut bytes = d.bytes();
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect()
        })
        .collect();
    let bases: Vec<*mut u8> = bytes.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
    let mut shared = vec![0xffu8; kernel.shared_bytes() + 128];
    let skip = shared.as_ptr().align_offset(64);
    let (shared, behind) = shared[skip..].split_at_mut(kernel.shared_bytes());
    let places = Places::new(&bases, &[], &[]).sharing(shared.as_mut_ptr());
    let run = Run { places, context, round: ROUND, update };
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
    for (data, words) in data.iter_mut().zip(&bytes) {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        data.read(&bytes);
    }
    kernel
}

/// Holds a launch against its meaning on every instruction set.
pub fn check(launch: &Launch, data: &[Data], tolerance: f64) {
    let context = Context { root: 42, call: 7 };
    let mut want = data.to_vec();
    meaning(launch, &mut want, &context, &|_| f64::NAN);
    for isa in Isa::available() {
        let mut got = data.to_vec();
        run(launch, &mut got, isa, &[], &context, None);
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
