//! Every launch without a tile, printed as CUDA C, compiled by g++ and run thread by thread: the same bits as the CPU's kernels, but for the
//! order of sums.

mod by_hand;
mod checked;
mod decayed;
mod emulator;
mod memory;
mod nvrtc;
#[path = "../nets/mod.rs"]
mod random;
#[path = "../../../graph/tests/common/mod.rs"]
mod written;

use castnet_graph::compile::{Compiled, compile};
use castnet_graph::emit::cuda::Kernel;
use castnet_program::program::{Launch, Named, Place, Program};
use castnet_program::types::DType;
use emulator::{Emulator, Kernels};
use memory::{Inputs, Memory};

use super::{Case, Golden};

/// Random nets that are run besides the operators' cases.
const NETS: u64 = 40;
/// The value of every run-time size: no multiple of four, so that no quad ends with a row.
const SIZE: i64 = 3;

/// A net with what it runs on.
struct Subject<'g> {
    compiled: Compiled,
    case: Option<(Case, &'g Golden)>,
    seed: u64,
}

impl Subject<'_> {
    fn programs(&self) -> impl Iterator<Item = &Program> {
        self.compiled.net.cpu().iter().flat_map(|f| f.each())
    }

    /// The input of a case with this name, or random numbers: classes for integers.
    fn values(&self, name: &str, len: usize) -> Vec<f64> {
        if let Some((case, golden)) = &self.case {
            let key = case.inputs.iter().position(|i| i.name == name).map_or("w".to_string(), |i| format!("in{i}"));
            return golden.get(case, &key).to_vec();
        }
        let mut numbers =
            random::Numbers(self.seed ^ name.bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(b.into())));
        (0..len).map(|_| numbers.unit()).collect()
    }

    fn argument(&self, named: &Named, len: usize) -> Vec<u8> {
        let values = self.values(&named.name, len);
        let class = |x: f64| if self.case.is_some() { x } else { ((x + 1.0) * 1.5).floor() };
        match named.ty.dtype {
            DType::F32 => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
            DType::U8 | DType::Bool => values.iter().map(|&x| class(x) as u8).collect(),
            DType::I64 => values.iter().flat_map(|&x| (class(x) as i64).to_le_bytes()).collect(),
            other => panic!("an argument of {other}"),
        }
    }

    fn parameter(&self, number: usize) -> Vec<f32> {
        let p = &self.compiled.net.parameters[number];
        self.values(&p.name, p.len()).iter().map(|&x| x as f32).collect()
    }
}

fn subjects(golden: &Golden) -> Vec<Subject<'_>> {
    let mut subjects = vec![];
    for case in super::cases() {
        let compiled =
            case.compiled(DType::F32).unwrap_or_else(|| panic!("{}: `{}` is a mistake", case.name, case.text));
        subjects.push(Subject { compiled, case: Some((case, golden)), seed: 0 });
    }
    let nets = [written::mlp(), written::lenet(), written::third(), decayed::net()];
    for (seed, source) in nets.into_iter().chain((0..NETS).map(random::random_net)).enumerate() {
        let compiled = compile(source).unwrap_or_else(|e| panic!("net {seed}: {e:?}"));
        subjects.push(Subject { compiled, case: None, seed: seed as u64 });
    }
    subjects
}

#[test]
fn launches_in_cuda_do_what_they_do_on_the_cpu() {
    let golden = super::golden();
    let subjects = subjects(&golden);
    let mut kernels = Kernels::default();
    let (mut launches, mut tiles) = (0, 0);
    for program in subjects.iter().flat_map(Subject::programs) {
        for launch in &program.launches {
            match Kernel::new(program, launch, "") {
                Some(kernel) => {
                    kernels.number(&kernel);
                    launches += 1;
                }
                None => tiles += 1,
            }
        }
    }
    println!("{launches} launches as {} kernels of CUDA C; {tiles} tiles left out", kernels.len());
    let folder = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    let mut emulator = Emulator::start(&kernels, folder.path());
    println!("g++: {:.1} s", start.elapsed().as_secs_f64());
    let mut differences = vec![];
    for subject in &subjects {
        for program in subject.programs() {
            let mut argument = |named: &Named, len: usize| subject.argument(named, len);
            let mut parameter = |number: usize| subject.parameter(number);
            let inputs = Inputs { sizes: &|_| SIZE, argument: &mut argument, parameter: &mut parameter };
            let mut memory = Memory::new(&subject.compiled.net, program, inputs);
            differences.extend(memory.run(&mut kernels, &mut emulator));
        }
    }
    let shown = differences.len().min(5);
    assert!(differences.is_empty(), "{} buffers differ:\n{}", differences.len(), differences[..shown].join("\n"));
    let unit = kernels.unit();
    let forms = [
        "(float4*)",
        "cn::random(scalars",
        "= cn::over_block<cn::Sum>",
        "= cn::over_warp<cn::Max>",
        "= cn::over_column<cn::Sum>",
        "cn::floor_div(",
        "? ",
    ];
    for form in forms {
        assert!(unit.matches(form).count() > 1, "no kernel has `{form}`");
    }
    nvrtc::compile(&unit, folder.path());
}

#[test]
fn functions_and_conversions_have_the_bits_of_the_cpu() {
    let net = by_hand::net();
    let program = &net.cpu()[0].inference;
    let mut kernels = Kernels::default();
    for launch in &program.launches {
        kernels.number(&Kernel::new(program, launch, "").unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut emulator = Emulator::start(&kernels, folder.path());
    let inputs = Inputs { sizes: &|_| 1, argument: &mut by_hand::argument, parameter: &mut |_| vec![] };
    let differences = Memory::new(&net, program, inputs).run(&mut kernels, &mut emulator);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn checks_find_what_they_find_on_the_cpu() {
    let net = checked::net();
    let program = &net.cpu()[0].inference;
    let mut kernels = Kernels::default();
    let is_check = |launch: &Launch| {
        launch.stores.iter().any(|store| matches!(program.buffers[store.buffer].place, Place::Check(_)))
    };
    assert_eq!(program.launches.iter().filter(|launch| is_check(launch)).count(), 2);
    for launch in &program.launches {
        kernels.number(&Kernel::new(program, launch, "").unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut emulator = Emulator::start(&kernels, folder.path());
    // The first place that is none, and what stands there: 2 · 2 of 4 rows, a divisor of 0.
    let (none, nothing) = (i64::MAX, i64::MIN);
    for (i, j, expected) in [
        ([0i64, 1, 1, 0, 1], [1i64, 2, -1, 3, 1], [none, nothing, none, nothing]),
        ([0, 1, 2, 1, 2], [1, 2, 2, 3, 1], [2, 4, none, nothing]),
        ([1, 0, 1, -3, 0], [1, 0, 0, 1, 2], [3, -6, 1, 0]),
    ] {
        let mut argument = |named: &Named, len: usize| match named.name.as_str() {
            "i" => i.iter().flat_map(|x| x.to_le_bytes()).collect(),
            "j" => j.iter().flat_map(|x| x.to_le_bytes()).collect(),
            _ => vec![0; 4 * len],
        };
        let inputs = Inputs { sizes: &|_| 5, argument: &mut argument, parameter: &mut |_| vec![] };
        let mut memory = Memory::new(&net, program, inputs);
        let differences = memory.run(&mut kernels, &mut emulator);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert_eq!(memory.checks(), expected, "{i:?} and {j:?}");
    }
}

#[test]
fn a_launch_too_large_for_its_indices_is_refused() {
    let net = compile(written::mlp()).unwrap().net;
    let program = &net.cpu()[0].inference;
    let kernel = program.launches.iter().find_map(|launch| Kernel::new(program, launch, "")).unwrap();
    assert_eq!(kernel.blocks(&|_| 64), Some(8));
    assert_eq!(kernel.blocks(&|_| 1 << 30), None);
}
