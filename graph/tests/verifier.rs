//! What printers and kernels rely on: a program that names what is not there is refused before it is printed.

use castnet_graph::compile::compile;
use castnet_graph::program::{Program, Source, Stage, Target};
use castnet_graph::scalar::Instr;
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
    let function = &net.functions[0];
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
