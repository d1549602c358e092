//! A program run launch by launch: by the kernels of the CPU, each beside the same launch in CUDA C.

use castnet_graph::emit::cuda::{Kernel as Cuda, Parameter};
use castnet_kernels::isa::Isa;
use castnet_kernels::{Kernel, Places, Run, StepScalars};
use castnet_program::net::{Mirror, Net, State};
use castnet_program::program::{Layout, Named, Place, Program, Target, Task, TaskKind};
use castnet_program::scalar::Reduction;
use castnet_program::types::DType;
use half::{bf16, f16};

use super::emulator::{Argument, Emulator, Kernels};

/// How far what follows a sum may be from the CPU's, which adds in another order, by the largest number in sight; of all else the bits are
/// the same.
const TOLERANCE: f32 = 2e-6;

const SCALARS: StepScalars = StepScalars::new(0x1234_5678_9abc_def0, 7 << 32 | 9);

/// What a program runs on.
pub struct Inputs<'a> {
    /// The run-time sizes.
    pub sizes: &'a dyn Fn(&str) -> i64,
    /// The bytes of an argument of so many elements.
    pub argument: &'a mut dyn FnMut(&Named, usize) -> Vec<u8>,
    /// The elements of a parameter, in PyTorch's order.
    pub parameter: &'a mut dyn FnMut(usize) -> Vec<f32>,
}

/// All memory of a program, one place after the other.
pub struct Memory<'a> {
    program: &'a Program,
    sizes: &'a dyn Fn(&str) -> i64,
    words: Vec<u64>,
    /// Where arguments, results and the arena start, in bytes; parameters and gradients one by one.
    starts: Starts,
}

#[derive(Default)]
struct Starts {
    arguments: Vec<usize>,
    results: Vec<usize>,
    parameters: Vec<usize>,
    gradients: Vec<usize>,
    /// Of which parameter in which type, and where.
    mirrors: Vec<(usize, DType, usize)>,
    states: Vec<usize>,
    checks: usize,
    arena: usize,
}

impl<'a> Memory<'a> {
    /// With arguments and parameters in place, NaN everywhere else.
    pub fn new(net: &Net, program: &'a Program, inputs: Inputs<'a>) -> Memory<'a> {
        let Inputs { sizes, argument, parameter } = inputs;
        let mut end = 0;
        let mut place = |bytes: usize| {
            let start = end;
            end += bytes.next_multiple_of(64);
            start
        };
        let len = |n: &Named| n.ty.len().eval(sizes) as usize;
        let (offsets, floats) = net.offsets();
        let starts = Starts {
            arguments: program.arguments.iter().map(|a| place(len(a) * a.ty.dtype.bytes())).collect(),
            results: program.results.iter().map(|r| place(len(r) * r.ty.dtype.bytes())).collect(),
            parameters: {
                let at = place(4 * floats);
                offsets.iter().map(|o| at + 4 * o).collect()
            },
            gradients: {
                let at = place(4 * floats);
                offsets.iter().map(|o| at + 4 * o).collect()
            },
            mirrors: {
                let (offsets, bytes) = net.mirror_offsets();
                let at = place(bytes);
                let start = |(mirror, by): (&Mirror, usize)| (mirror.parameter, mirror.dtype, at + by);
                net.targets[0].mirrors.iter().zip(offsets).map(start).collect()
            },
            states: {
                let bytes = |s: &State| s.ty.len().eval(sizes) as usize * s.ty.dtype.bytes();
                net.states.iter().map(|s| place(bytes(s))).collect()
            },
            checks: place(8 * program.words()),
            arena: place(program.arena_bytes(sizes) as usize),
        };
        let mut memory = Memory { program, sizes, words: vec![u64::MAX; end / 8], starts };
        for (number, state) in net.states.iter().enumerate() {
            let (start, bytes) =
                (memory.starts.states[number], state.ty.len().eval(sizes) as usize * state.ty.dtype.bytes());
            memory.bytes()[start..start + bytes].fill(0);
        }
        for (number, named) in program.arguments.iter().enumerate() {
            let (start, bytes) = (memory.starts.arguments[number], argument(named, len(named)));
            memory.bytes()[start..start + bytes.len()].copy_from_slice(&bytes);
        }
        for (number, p) in net.parameters.iter().enumerate() {
            let (start, mirrors) = (memory.starts.parameters[number], memory.starts.mirrors.clone());
            memory.bytes()[start..start + 4 * net.padded_len(number)].fill(0);
            for (element, value) in parameter(number).iter().enumerate() {
                let at = start + 4 * position(net.layout(number), &p.shape, element as i64);
                memory.bytes()[at..at + 4].copy_from_slice(&value.to_le_bytes());
                for (Mirror { parameter, dtype, layout }, (.., start)) in
                    net.targets[0].mirrors.iter().zip(mirrors.clone())
                {
                    let bytes = match dtype {
                        DType::F16 => f16::from_f32(*value).to_le_bytes().to_vec(),
                        DType::BF16 => bf16::from_f32(*value).to_le_bytes().to_vec(),
                        _ => value.to_le_bytes().to_vec(),
                    };
                    let at = start + bytes.len() * position(layout, &p.shape, element as i64);
                    if *parameter == number {
                        memory.bytes()[at..at + bytes.len()].copy_from_slice(&bytes);
                    }
                }
            }
        }
        memory
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the bytes of words.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), 8 * self.words.len()) }
    }

    /// The words of the program's checks.
    pub fn checks(&mut self) -> Vec<i64> {
        let (start, bytes) = (self.starts.checks, 8 * self.program.words());
        let words = self.bytes()[start..start + bytes].chunks_exact(8);
        words.map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
    }

    /// Where a buffer lies in a round, in bytes.
    fn home(&self, buffer: usize, at: &Rounds) -> std::ops::Range<usize> {
        let b = &self.program.buffers[buffer];
        let (width, value) = (b.dtype.bytes() as i64, self.sizes);
        let mirror = |i: usize| {
            let (.., start) = self.starts.mirrors.iter().find(|(of, dtype, _)| (*of, *dtype) == (i, b.dtype)).unwrap();
            *start
        };
        let start = match &b.place {
            Place::Mirror(i) => mirror(*i),
            Place::Argument(i) => self.starts.arguments[*i],
            Place::Result(i) => self.starts.results[*i],
            Place::Parameter(i) => self.starts.parameters[*i],
            Place::Gradient(i) => self.starts.gradients[*i],
            Place::State(i) => self.starts.states[*i],
            Place::Check(i) => self.starts.checks + 8 * i,
            Place::Arena(offset) => self.starts.arena + offset.eval(value) as usize,
        };
        let moved: i64 = b.strides.iter().zip(&at.now).map(|(stride, round)| stride.eval(value) * *round as i64).sum();
        // Of these, strides count how many.
        let counted = |starts: &[usize], first: usize| Some(starts[first + moved as usize]);
        let starts = match &b.place {
            Place::Parameter(i) => counted(&self.starts.parameters, *i),
            Place::Mirror(i) => Some(mirror(i + moved as usize)),
            Place::Gradient(i) => counted(&self.starts.gradients, *i),
            Place::State(i) => counted(&self.starts.states, *i),
            Place::Argument(_) | Place::Result(_) | Place::Check(_) | Place::Arena(_) => None,
        };
        let start = match starts {
            Some(start) => start as i64 + width * b.start.eval(value),
            None => start as i64 + width * (b.start.eval(value) + moved),
        };
        start as usize..(start + width * b.size.eval(value)) as usize
    }

    /// Runs every launch in order; what of the CUDA C differs.
    pub fn run(&mut self, kernels: &mut Kernels, emulator: &mut Emulator) -> Vec<String> {
        let mut phases = vec![];
        flatten(&self.program.schedule, &Rounds::default(), self.sizes, &mut phases);
        let mut differences = vec![];
        for (launch, at) in phases {
            let before = self.words.clone();
            self.on_cpu(launch, &at);
            let after = std::mem::replace(&mut self.words, before);
            differences.extend(self.in_cuda(launch, &at, &after, kernels, emulator));
            self.words = after;
        }
        differences
    }

    fn on_cpu(&mut self, launch: usize, at: &Rounds) {
        let dtypes: Vec<DType> = self.program.buffers.iter().map(|b| b.dtype).collect();
        let kernel = Kernel::new(&self.program.launches[launch], &dtypes, Isa::Portable, &[], self.sizes);
        let starts: Vec<usize> = (0..dtypes.len()).map(|b| self.home(b, at).start).collect();
        let base: *mut u8 = self.words.as_mut_ptr().cast();
        let bases: Vec<*mut u8> = starts.iter().map(|&start| base.wrapping_add(start)).collect();
        let mut shared = vec![0u8; kernel.shared_bytes() + 64];
        let skip = shared.as_ptr().align_offset(64);
        let shared = shared[skip..].as_mut_ptr();
        let places = Places::new(&bases, &[], &[]).sharing(shared);
        let run = Run { places, scalars: &SCALARS, round: at.through as u64, update: None };
        let mut scratch = vec![0; kernel.scratch_bytes() + 64];
        let skip = scratch.as_ptr().align_offset(64);
        for (part, chunk) in (0..kernel.parts()).flat_map(|part| (0..kernel.chunks(part)).map(move |c| (part, c))) {
            // SAFETY: the buffers lie in the memory by the same arithmetic as in the runtime.
            unsafe { kernel.run(part, chunk, &run, &mut scratch[skip..skip + kernel.scratch_bytes()]) };
        }
    }

    /// Runs a launch of one of the printed families; tiles are left out.
    fn in_cuda(
        &mut self,
        launch: usize,
        at: &Rounds,
        expected: &[u64],
        kernels: &mut Kernels,
        emulator: &mut Emulator,
    ) -> Vec<String> {
        let l = &self.program.launches[launch];
        let Some(kernel) = Cuda::new(self.program, l, "") else { return vec![] };
        let homes: Vec<_> = kernel
            .parameters
            .iter()
            .map(|p| if let Parameter::Buffer(b) = p { self.home(*b, at) } else { 0..0 })
            .collect();
        let mut buffers: Vec<Vec<u8>> = homes.iter().map(|home| self.bytes()[home.clone()].to_vec()).collect();
        if let Some(scalars) = kernel.parameters.iter().position(|p| *p == Parameter::Scalars) {
            buffers[scalars] = scalar_bytes();
        }
        let arguments = kernel.parameters.iter().zip(&mut buffers).map(|(parameter, buffer)| match parameter {
            Parameter::Buffer(_) | Parameter::Scalars => Argument::Buffer(buffer),
            Parameter::Size(name) => Argument::Int((self.sizes)(name) as i32),
            Parameter::Round => Argument::Wide(at.through as u64),
        });
        let mut arguments: Vec<Argument> = arguments.collect();
        let blocks = kernel.blocks(self.sizes).unwrap() as u32;
        emulator.run(kernels.number(&kernel), blocks, kernel.threads, &mut arguments);
        drop(arguments);
        let sums = l
            .stages
            .iter()
            .flat_map(|s| &s.outputs)
            .any(|t| matches!(t, Target::Reduce(Reduction::Sum | Reduction::Prod, _)));
        let expected: Vec<u8> = expected.iter().flat_map(|w| w.to_le_bytes()).collect();
        let floats = kernel
            .parameters
            .iter()
            .zip(&homes)
            .filter(|(p, _)| matches!(p, Parameter::Buffer(b) if self.program.buffers[*b].dtype == DType::F32));
        let largest = floats.flat_map(|(_, home)| floats_of(&expected[home.clone()])).filter(|x| x.is_finite());
        let tolerance = if sums { TOLERANCE * largest.fold(1.0, |most, x| x.abs().max(most)) } else { 0.0 };
        let mut differences = vec![];
        for ((parameter, home), found) in kernel.parameters.iter().zip(homes).zip(&buffers) {
            let Parameter::Buffer(b) = parameter else { continue };
            // What was computed in place is in two buffers; the result is the one that is stored to.
            if !l.stores.iter().any(|s| s.buffer == *b) {
                continue;
            }
            let buffer = &self.program.buffers[*b];
            if let Some(what) = difference(buffer.dtype, &expected[home], found, tolerance) {
                let text = kernel.source("kernel");
                differences.push(format!("{}, launch {launch}, `{}`: {what}\n{text}", self.program.name, buffer.name));
            }
        }
        differences
    }
}

/// As a kernel finds them in memory.
fn scalar_bytes() -> Vec<u8> {
    let StepScalars { root, call, factor, bound, scale, padding } = SCALARS;
    let wide = [root, call, factor.to_bits(), bound.to_bits()].map(u64::to_le_bytes).concat();
    [wide, [scale.to_bits(), padding].map(u32::to_le_bytes).concat()].concat()
}

fn floats_of(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()))
}

/// The first element that differs.
fn difference(dtype: DType, expected: &[u8], found: &[u8], tolerance: f32) -> Option<String> {
    let width = dtype.bytes();
    let elements = expected.chunks_exact(width).zip(found.chunks_exact(width)).enumerate();
    for (i, (e, f)) in elements {
        if dtype != DType::F32 {
            let is_nan = |b: &[u8]| match dtype {
                DType::F64 => f64::from_le_bytes(b.try_into().unwrap()).is_nan(),
                _ => false,
            };
            if e != f && !(is_nan(e) && is_nan(f)) {
                return Some(format!("element {i} is {f:?}, not {e:?}"));
            }
            continue;
        }
        let [e, f] = [e, f].map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        let same = e.to_bits() == f.to_bits() || e.is_nan() && f.is_nan();
        if !same && (tolerance == 0.0 || (e - f).abs().is_nan() || (e - f).abs() > tolerance) {
            return Some(format!("element {i} is {f:e}, not {e:e}"));
        }
    }
    None
}

/// Where element number `element` of a tensor lies.
fn position(layout: &Layout, shape: &[i64], mut element: i64) -> usize {
    let mut index = vec![0; shape.len()];
    for (i, size) in index.iter_mut().zip(shape).rev() {
        (*i, element) = (element % size, element / size);
    }
    layout.position(shape, &index) as usize
}

/// The rounds of the loops around a launch, outermost first, and the same counted through.
#[derive(Clone, Default)]
struct Rounds {
    now: Vec<usize>,
    through: usize,
}

/// The schedule with its repeats rolled out: launches with their rounds.
fn flatten(schedule: &[Task], at: &Rounds, sizes: &dyn Fn(&str) -> i64, phases: &mut Vec<(usize, Rounds)>) {
    for step in schedule {
        match &step.kind {
            TaskKind::Launch(launch) => phases.push((*launch, at.clone())),
            TaskKind::Ending(_) => {}
            TaskKind::Loop { count, reverse, body } => {
                let count = count.eval(sizes) as usize;
                for i in 0..count {
                    let i = if *reverse { count - 1 - i } else { i };
                    let at = Rounds { now: [&at.now[..], &[i]].concat(), through: at.through * count + i };
                    flatten(body, &at, sizes, phases);
                }
            }
        }
    }
}
