//! What printers and kernels rely on: a program that names what is not there is refused before it is printed.

use castnet_graph::compile::compile;
use castnet_graph::program::{Family, Place, Program, Source, Stage, Target};
use castnet_graph::scalar::Instr;
use castnet_graph::types::DType;
use castnet_graph::verify::verify_program;

mod common;

/// A program in which a stage was changed, of each stage that can be.
fn changed(program: &Program, change: &dyn Fn(&mut Stage) -> bool) -> Vec<Program> {
    let mut all = vec![];
    for launch in 0..program.launches.len() {
        for stage in 0..program.launches[launch].stages.len() {
            let mut other = program.clone();
            if change(&mut other.launches[launch].stages[stage]) {
                all.push(other);
            }
        }
    }
    all
}

/// The last operand of the last instruction that has one.
fn operand(stage: &mut Stage) -> Option<&mut u32> {
    stage.code.instrs.iter_mut().rev().find_map(|instr| match instr {
        Instr::Unary(_, x) | Instr::Binary(_, _, x) | Instr::Select(_, _, x) | Instr::To(_, x) => Some(x),
        Instr::Const(_) => None,
    })
}

#[test]
fn code_names_slots_that_are_there() {
    let net = compile(common::mlp()).unwrap().net;
    let function = &net.cpu()[0];
    let slots = |stage: &Stage| (stage.code.inputs.len() + stage.code.instrs.len()) as u32;
    let set = |to: Option<&mut u32>, value: u32| to.map(|to| *to = value).is_some();
    type Change<'c> = (&'c str, &'c dyn Fn(&mut Stage) -> bool);
    let changes: [Change; 6] = [
        ("an output", &|stage| {
            let last = slots(stage);
            set(stage.code.outputs.last_mut(), last)
        }),
        ("an operand", &|stage| set(operand(stage), u32::MAX)),
        ("an operand that is made later", &|stage| {
            let last = slots(stage) - 1;
            set(operand(stage), last)
        }),
        ("an index", &|stage| {
            let source = stage.inputs.last_mut();
            source.map(|source| *source = Source::Index(9)).is_some()
        }),
        ("a row", &|stage| {
            let source = stage.inputs.last_mut();
            source.map(|source| *source = Source::Row(99)).is_some()
        }),
        ("a store", &|stage| {
            let target = stage.outputs.last_mut();
            target.map(|target| *target = Target::Store(9)).is_some()
        }),
    ];
    for program in [Some(&function.inference), function.training.as_ref()].into_iter().flatten() {
        verify_program(program).unwrap();
        for (what, change) in changes {
            let all = changed(program, change);
            assert!(!all.is_empty(), "{what}");
            for other in all {
                let told = verify_program(&other).expect_err(what);
                assert!(told.starts_with("kernel `"), "{what}: {told}");
            }
        }
    }
}

#[test]
fn types_of_a_tile_fit_together() {
    let net = compile(common::mlp()).unwrap().net;
    let program = net.cpu()[0].training.as_ref().unwrap();
    let tiles = program.launches.iter().filter_map(|launch| match &launch.family {
        Family::Tile(tile) => Some(tile.buffers()),
        Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => None,
    });
    let with = |[a, b]: [usize; 2], types: [DType; 2]| {
        let mut other = program.clone();
        (other.buffers[a].dtype, other.buffers[b].dtype) = (types[0], types[1]);
        verify_program(&other)
    };
    let mut mixed = 0;
    for operands in tiles {
        use DType::{BF16, F16, F32, F64, I32};
        for (types, what) in [
            ([F64, F32], "a tile of f64 and f32"),
            ([F32, F64], "a tile of f32 and f64"),
            ([BF16, F64], "a tile of bf16 and f64"),
            ([I32, I32], "a tile of i32 and i32"),
            ([F64, F64], "sums in F64 that a stage takes in F32"),
        ] {
            // The first launch that has one of them as an operand may be another one.
            let told = with(operands, types).expect_err(what);
            let other = told.contains("a tile of") || told.contains("in another lane");
            assert!(told.starts_with("kernel `") && (told.contains(what) || other), "{what}: {told}");
            mixed += usize::from(told.contains(what));
        }
        // Halves are summed in f32.
        let is_parameter = |b: &usize| matches!(program.buffers[*b].place, Place::Parameter(_));
        if is_parameter(&operands[1]) {
            with(operands, [F32, BF16]).unwrap();
            with(operands, [F32, F16]).unwrap();
        }
    }
    assert!(mixed >= 5, "{mixed}");
}
