//! A program with a launch for every function, every conversion and every way to reduce, over numbers of all kinds.

use castnet_graph::compile::compile;
use castnet_program::net::{Backend, ForTarget, Function, Net, Programs};
use castnet_program::program::{
    Access, Buffer, Family, Index, Launch, Level, Named, Place, Program, Source, Stage, Target, Task,
};
use castnet_program::scalar::{Binary, Code, Instr, Lane, Literal, Reduction, Unary};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};

use super::random::Numbers;

/// Elements of every argument: no multiple of four, so that functions are tried element by element, too.
const LEN: i64 = 3001;

/// One inference function; arguments are `x`, `y` and one of each element type.
pub fn net() -> Net {
    // Any program, emptied.
    let mut program = compile(super::written::mlp()).unwrap().net.targets.remove(0).programs.remove(0).inference;
    program.name = "ByHand.all".into();
    program.arguments.clear();
    program.results.clear();
    program.buffers.clear();
    program.launches.clear();
    program.schedule.clear();
    program.arena.clear();
    program.bound.clear();
    let condition = argument_buffer(&mut program, "condition", DType::Bool);
    for lane in Lane::ALL {
        let dtype = lane.dtype();
        let [x, y] = ["x", "y"].map(|name| argument_buffer(&mut program, name, dtype));
        for f in Unary::ALL.iter().copied().filter(|f| f.takes(lane)) {
            launch(&mut program, &format!("{f:?} of {dtype}"), &[x], Instr::Unary(f, 0), dtype);
        }
        for f in Binary::ALL.iter().copied().filter(|f| f.takes(lane)) {
            let made = if f.is_comparison() { DType::Bool } else { dtype };
            launch(&mut program, &format!("{f:?} of {dtype}"), &[x, y], Instr::Binary(f, 0, 1), made);
        }
        launch(&mut program, &format!("select {dtype}"), &[condition, x, y], Instr::Select(0, 1, 2), dtype);
        for to in DType::ALL {
            launch(&mut program, &format!("{dtype} to {to}"), &[x], Instr::To(to, 0), to);
        }
    }
    for dtype in DType::ALL {
        let from = argument_buffer(&mut program, dtype.name(), dtype);
        launch(&mut program, &format!("from {dtype}"), &[from], Instr::To(dtype, 0), dtype);
    }
    let unit = argument_buffer(&mut program, "unit", DType::F32);
    thirds(&mut program, unit);
    for lane in Lane::ALL {
        let from = if lane == Lane::F32 { unit } else { argument_buffer(&mut program, "x", lane.dtype()) };
        // Sums and products of doubles are held to the bit, too, which their order changes.
        let exact = |f: &Reduction| lane != Lane::F64 || !matches!(f, Reduction::Sum | Reduction::Prod);
        let all: Vec<Reduction> = Reduction::ALL.iter().copied().filter(|f| f.takes(lane) && exact(f)).collect();
        for (points, length) in [(500, 6), (30, 100), (2, 1500)] {
            reduction(&mut program, from, &all, Family::Row, points, length);
        }
        for (points, length) in [(75, 40), (10, 300)] {
            reduction(&mut program, from, &all, Family::Column, points, length);
        }
    }
    Net {
        name: "ByHand".into(),
        float: DType::F32,
        parameters: vec![],
        states: vec![],
        functions: vec![Function { name: "all".into(), reaches: vec![] }],
        targets: vec![ForTarget {
            target: Backend::Cpu,
            layouts: vec![],
            mirrors: vec![],
            programs: vec![Programs { inference: program, training: None }],
        }],
    }
}

fn buffer(program: &mut Program, name: &str, dtype: DType, place: Place) -> usize {
    program.buffers.push(Buffer::new(name, dtype, LEN.into(), place));
    program.buffers.len() - 1
}

fn named(name: &str, dtype: DType) -> Named {
    Named { name: name.into(), ty: Type::new(dtype, vec![Size::constant(LEN)]), below: vec![], strided: false }
}

fn argument_buffer(program: &mut Program, name: &str, dtype: DType) -> usize {
    program.arguments.push(named(name, dtype));
    let place = Place::Argument(program.arguments.len() - 1);
    buffer(program, name, dtype, place)
}

/// Adds a launch of one instruction with a result of its own.
fn launch(program: &mut Program, name: &str, from: &[usize], instr: Instr, dtype: DType) {
    program.results.push(named(name, dtype));
    let place = Place::Result(program.results.len() - 1);
    let to = buffer(program, "to", dtype, place);
    let access = |&buffer: &usize| Access::new(buffer, vec![LEN.into()], vec![Index::of(0)]);
    let inputs: Vec<Lane> = from.iter().map(|&buffer| program.buffers[buffer].dtype.lane()).collect();
    let made = inputs.len() as u32;
    let stage = Stage {
        level: Level::Element,
        inputs: (0..from.len()).map(Source::Load).collect(),
        code: Code { inputs, instrs: vec![instr], outputs: vec![made] },
        outputs: vec![Target::Store(0)],
    };
    program.schedule.push(Task::launch(program.launches.len()));
    program.launches.push(Launch {
        name: name.into(),
        loc: 0,
        space: vec![LEN.into()],
        reduce: vec![],
        family: Family::Flat,
        loads: from.iter().map(access).collect(),
        stores: vec![access(&to)],
        stages: vec![stage],
        updates: None,
    });
}

/// Adds a launch that gives element ⌊(i - 4) / 3⌋ at i, and 7 where there is none: before the first one numbers are rounded down, away from 0.
fn thirds(program: &mut Program, from: usize) {
    launch(program, "thirds", &[from], Instr::Unary(Unary::Neg, 0), DType::F32);
    let Some(Launch { loads, .. }) = program.launches.last_mut() else { return };
    let thirds = Index { divide: 3, ..Index::of(0).plus(&(-4).into()) };
    loads[0] = Access { outside: Some(Literal::F32(7.0)), ..Access::new(from, vec![LEN.into()], vec![thirds]) };
}

/// Adds a launch that finds `reductions` of `length` elements at each of `points` points.
fn reduction(program: &mut Program, from: usize, reductions: &[Reduction], family: Family, points: i64, length: i64) {
    let dtype = program.buffers[from].dtype;
    let count = reductions.len();
    let (dims, index) = match family {
        Family::Row => (vec![points, length], vec![Index::of(0), Index::of(1)]),
        _ => (vec![length, points], vec![Index::of(1), Index::of(0)]),
    };
    let load = Access::new(from, dims.into_iter().map(Size::constant).collect(), index);
    let stores = reductions.iter().map(|reduction| {
        program.results.push(Named { name: format!("{reduction:?}"), ..named("", dtype) });
        let place = Place::Result(program.results.len() - 1);
        let to = buffer(program, "to", dtype, place);
        Access::new(to, vec![points.into()], vec![Index::of(0)])
    });
    let stores = stores.collect();
    let elements = Stage {
        level: Level::Element,
        inputs: vec![Source::Load(0)],
        code: Code { inputs: vec![dtype.lane()], instrs: vec![], outputs: vec![0; count] },
        outputs: reductions.iter().enumerate().map(|(row, f)| Target::Reduce(*f, row)).collect(),
    };
    let rows = Stage {
        level: Level::Row,
        inputs: (0..count).map(Source::Row).collect(),
        code: Code { inputs: vec![dtype.lane(); count], instrs: vec![], outputs: (0..count as u32).collect() },
        outputs: (0..count).map(Target::Store).collect(),
    };
    program.schedule.push(Task::launch(program.launches.len()));
    program.launches.push(Launch {
        name: format!("reduce {points} by {length} of {dtype}"),
        loc: 0,
        space: vec![points.into()],
        reduce: vec![length.into()],
        family,
        loads: vec![load],
        stores,
        stages: vec![elements, rows],
        updates: None,
    });
}

/// Numbers of all magnitudes, whole ones, the special ones and random bits; of `unit`, those in [-1, 1).
pub fn argument(named: &Named, len: usize) -> Vec<u8> {
    const SPECIAL: [f32; 14] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE,
        1e-45,
        f32::MAX,
        -3e9,
        127.5,
        -128.5,
        16_777_216.0,
    ];
    let dtype = named.ty.dtype;
    let mut numbers = Numbers(named.name.len() as u64 + u64::from(named.name == "y"));
    let mut element = |i: usize| -> Vec<u8> {
        let x = match i % 6 {
            0 => SPECIAL[numbers.below(SPECIAL.len())],
            1 => f32::from_bits(numbers.next() as u32),
            2 => (numbers.unit() * 9.0).round() as f32,
            3 => (numbers.unit() * 100.0) as f32,
            4 => (numbers.unit() * 70_000.0) as f32,
            _ => numbers.unit() as f32,
        };
        match dtype {
            DType::F32 if named.name == "unit" => (numbers.unit() as f32).to_le_bytes().to_vec(),
            DType::F32 => x.to_le_bytes().to_vec(),
            DType::F64 => f64::from(x).to_le_bytes().to_vec(),
            DType::Bool => vec![numbers.below(2) as u8],
            // Any bits are an integer or a half.
            _ => numbers.next().to_le_bytes()[..dtype.bytes()].to_vec(),
        }
    };
    (0..len).flat_map(&mut element).collect()
}
