//! Nets from outside: bytes that a compiler wrote, changed in every way. Each net is refused or runs; nothing panics, and no launch of what was
//! let pass leaves its memory, which every access is followed to see.

#[allow(dead_code)] // Of what else there is, other tests have use.
#[path = "views/cases.rs"]
mod cases;
#[path = "mutations/follow.rs"]
mod follow;
#[allow(dead_code)]
mod nets;

use std::panic::{AssertUnwindSafe, catch_unwind};

use cases::{int, op, t};
use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::graph::Value;
use castnet_program::net::Net;
use castnet_program::program::{Place, Program, Task, TaskKind};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Error, Model, Sgd};
use nets::{Numbers, mixed_net, random_net};

/// The value of every run-time size.
const SIZE: i64 = 3;
/// Bytes of parameters, states, arenas and results at most, of nets that are run.
const BYTES: i64 = 1 << 26;
/// Changed nets of each net; `CASTNET_CHANGES` asks for more.
const CHANGES: u64 = 100;

/// A net with every routine.
fn routines() -> Source {
    let mut parameters = Parameters { float: DType::F32, ..Parameters::default() };
    let mut b = Builder::new("Routines.f", &mut parameters, false);
    let x = b.argument("x", Type::new(DType::F32, vec![Size::symbol("N"), Size::constant(5)]));
    let along = |b: &mut Builder, name: &str| op(b, name, vec![t(x), int(1)]);
    let mut made: Vec<Value> =
        ["sort", "median", "cumsum", "cumprod", "logcumsumexp"].map(|name| along(&mut b, name)).to_vec();
    made.push(op(&mut b, "topk", vec![t(x), int(2)]));
    made.push(op(&mut b, "searchsorted", vec![t(made[0]), t(x)]));
    made.push(op(&mut b, "nonzero", vec![t(x)]));
    made.into_iter().for_each(|value| b.result(value));
    assert!(b.diagnostics.is_empty(), "{:?}", b.diagnostics);
    let functions = vec![SourceFunction::new("f", b.graph, None)];
    Source { name: "Routines".into(), parameters, functions }
}

/// A net in mixed precision, with copies of its parameters.
fn mixed_precision(number: u64, precision: DType) -> Source {
    let mut source = mixed_net(number, DType::F32, false);
    source.functions.iter_mut().for_each(|function| function.precision = Some(precision));
    source
}

fn sources() -> Vec<(String, Source)> {
    let mut all = vec![];
    for strided in [false, true] {
        let name = |name: &str| if strided { format!("{name}, by strides") } else { name.to_string() };
        all.push((name("loops"), cases::loops(DType::F32, strided)));
        all.extend(cases::CASES.iter().map(|case| (name(case.name), case.source(DType::F32, strided))));
    }
    all.extend((0..12).map(|number| (format!("net {number}"), random_net(number))));
    all.extend((0..4).flat_map(|number| {
        [("bf16", DType::BF16), ("f16", DType::F16)]
            .map(|(name, precision)| (format!("mixed {number} in {name}"), mixed_precision(number, precision)))
    }));
    all.extend([
        ("routines".into(), routines()),
        ("doubles".into(), mixed_net(3, DType::F64, true)),
        ("halves".into(), mixed_net(4, DType::BF16, true)),
    ]);
    all
}

fn value(_: &str) -> i64 {
    SIZE
}

/// Numbers in the way of postcard: seven bits a byte, the lowest first, all but the last marked.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// The number that begins at a byte, and how many bytes it has.
fn number_at(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let len = bytes[at..].iter().take(10).position(|byte| *byte < 128)? + 1;
    let number = bytes[at..at + len]
        .iter()
        .rev()
        .try_fold(0u64, |number, byte| number.checked_mul(128)?.checked_add(u64::from(byte & 127)));
    Some((number?, len))
}

/// Bytes with something changed: numbers a little or much, two of them exchanged, bytes at random.
fn changed(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..[1, 1, 1, 2, 5][numbers.below(5)] {
        let at = numbers.below(bytes.len());
        let Some((number, len)) = number_at(&bytes, at) else { continue };
        // Numbers with a sign are stored with it in the lowest bit: 2 is the next one.
        let near = [
            number.wrapping_add(1),
            number.wrapping_sub(1),
            number ^ 1,
            number.wrapping_add(2),
            number.wrapping_sub(2),
        ];
        let far = [0, 1 << 31, 1 << 33, 1 << 41, 1 << 52, u64::MAX - 1, u64::MAX, number.wrapping_mul(2)];
        match numbers.below(8) {
            0..4 => drop(bytes.splice(at..at + len, varint(numbers.pick(&near)))),
            4 => drop(bytes.splice(at..at + len, varint(numbers.pick(&far)))),
            5 => bytes[at] = numbers.next() as u8,
            6 => {
                let other = numbers.below(bytes.len());
                bytes.swap(at, other);
            }
            _ => {
                let other = numbers.below(bytes.len());
                let (byte, gone) = (bytes[other], numbers.below(2) == 0);
                match gone {
                    true => _ = bytes.remove(at),
                    false => bytes.insert(at, byte),
                }
            }
        }
    }
    bytes
}

/// Whether a net is small enough for a test.
fn is_small(net: &Net) -> bool {
    let parameters = net.parameters.iter().map(|p| p.shape.iter().fold(4i64, |all, size| all.saturating_mul(*size)));
    let length = |program: &Program| {
        let results = program.results.iter().chain(&program.arguments).map(|named| named.ty.len().eval(&value));
        let arena = program.arena.iter().map(|size| size.eval(&value));
        let states = net.states.iter().map(|state| state.ty.len().eval(&value));
        let buffers = program.buffers.iter().map(|buffer| match buffer.place {
            Place::Arena(_) => buffer.size.eval(&value),
            _ => 0,
        });
        results.chain(arena).chain(states).chain(buffers).fold(0i64, i64::max)
    };
    let programs = || net.cpu().iter().flat_map(|function| function.each());
    parameters.fold(0, i64::saturating_add) < BYTES
        && programs().all(|program| length(program) < BYTES && follow::points(program, &value).is_some())
        && programs().all(|program| rounds(&program.schedule).is_some())
}

/// Launches that run in all, if they are few.
fn rounds(tasks: &[Task]) -> Option<i64> {
    let all = tasks.iter().try_fold(0i64, |sum, task| match &task.kind {
        TaskKind::Launch(_) => Some(sum + 1),
        TaskKind::Ending(_) => Some(sum),
        TaskKind::Loop { count, body, .. } => rounds(body)?.checked_mul(count.eval(&value).max(0))?.checked_add(sum),
    })?;
    (all < 3000).then_some(all)
}

/// Arguments as the program declares them, of numbers that are small.
fn arguments(program: &Program, numbers: &mut Numbers) -> Option<Vec<Array>> {
    let array = |named: &castnet_program::program::Named| {
        let shape = named.ty.shape.iter().map(|size| usize::try_from(size.eval(&value)).ok());
        let mut array = Array::try_zeros_of(named.ty.dtype, &shape.collect::<Option<Vec<_>>>()?).ok()?;
        match named.ty.dtype {
            DType::F32 => array.as_mut_slice::<f32>().ok()?.iter_mut().for_each(|x| *x = numbers.unit() as f32),
            DType::I64 => array.as_mut_slice::<i64>().ok()?.iter_mut().for_each(|x| *x = numbers.below(2) as i64),
            DType::U8 => array.as_mut_slice::<u8>().ok()?.iter_mut().for_each(|x| *x = numbers.below(2) as u8),
            _ => {}
        }
        Some(array)
    };
    program.arguments.iter().map(array).collect()
}

#[derive(Default)]
struct Counts {
    unread: usize,
    refused: usize,
    large: usize,
    failed: usize,
    ran: usize,
    /// The latest error.
    error: String,
}

/// A result that may be any error but that of a panic.
fn came_back<T>(result: Result<T, Error>, counts: &mut Counts) {
    match result {
        Ok(_) => counts.ran += 1,
        Err(Error::Panic { message, .. }) => panic!("a kernel panicked: {message}"),
        Err(error) => {
            counts.failed += 1;
            counts.error = error.to_string();
        }
    }
}

fn run(bytes: &[u8], seed: u64, counts: &mut Counts) {
    let Ok(net) = Net::from_bytes(bytes) else {
        counts.unread += 1;
        return;
    };
    if !is_small(&net) {
        counts.large += 1;
        return;
    }
    let mut model = match Model::from_net(net.clone(), &Device::cpu(), seed) {
        Ok(model) => model,
        Err(error) => {
            counts.refused += 1;
            counts.error = error.to_string();
            return;
        }
    };
    let mut sgd = Sgd::new(0.01);
    for (number, function) in net.cpu().iter().enumerate() {
        for (program, training) in [(Some(&function.inference), false), (function.training.as_ref(), true)] {
            let Some(program) = program else { continue };
            let Some(arrays) = arguments(program, &mut Numbers(seed)) else { continue };
            let references: Vec<&Array> = arrays.iter().collect();
            let result = match training {
                false => model.infer_mut(number, &references).map(drop),
                true => model.grad(number, &references).map(drop),
            };
            let ran = result.is_ok();
            came_back(result, counts);
            if training && net.float != DType::F64 {
                came_back(model.step(number, &mut sgd, &references).map(drop), counts);
            }
            if ran {
                follow::follow(program, &value).unwrap_or_else(|what| panic!("{} ran: {what}", program.name));
            }
        }
    }
}

#[test]
fn changed_nets_are_refused_or_run_inside_their_memory() {
    let told = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let (wanted, changes) = (told("CASTNET_SEED"), told("CASTNET_CHANGES").unwrap_or(CHANGES));
    for (number, (name, source)) in sources().into_iter().enumerate() {
        let compiled = compile(source).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let bytes = castnet_graph::bytes::to_bytes(&compiled.net).unwrap();
        let mut counts = Counts::default();
        run(&bytes, 0, &mut counts);
        if counts.large > 0 {
            continue;
        }
        assert!(
            counts.ran > 0 && counts.failed == 0,
            "{name} does not run as it is: {} {}",
            counts.large,
            counts.error
        );
        for change in 0..changes {
            let seed = 1 + ((number as u64) << 32) + change;
            if wanted.is_some_and(|wanted| wanted != seed) {
                continue;
            }
            let mut numbers = Numbers(seed);
            // Most changes leave no net at all: a few of them are enough.
            let changes = (0..8).map(|_| changed(&bytes, &mut numbers));
            let bytes = changes.fold(vec![], |kept, next| if Net::from_bytes(&kept).is_ok() { kept } else { next });
            let result = catch_unwind(AssertUnwindSafe(|| run(&bytes, seed, &mut counts)));
            assert!(result.is_ok(), "{name}, CASTNET_SEED={seed}");
        }
        let Counts { unread, refused, large, failed, ran, error: _ } = counts;
        println!(
            "{name}, {} bytes: {unread} no net, {refused} refused, {large} too large; {failed} calls failed, {ran} ran",
            bytes.len()
        );
        assert!(changes < CHANGES || unread + refused > 0 && ran > 1, "{name}: the changes show nothing");
    }
}
