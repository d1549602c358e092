//! Plans of kernels made by hand, over buffers of several element types: lengths in bytes, and elements that are aligned for all run-time sizes.

use castnet_graph::check::check_plan;
use castnet_graph::diagnostic::Loc;
use castnet_graph::fuse::Kernels;
use castnet_graph::graph::Graph;
use castnet_graph::plan::plan;
use castnet_graph::program::{
    Access, Buffer, Family, Index, Launch, Level, Named, Place, Program, Source, Stage, Target, Task,
};
use castnet_graph::scalar::Code;
use castnet_graph::size::Size;
use castnet_graph::text::ProgramText;
use castnet_graph::types::{DType, Type};

/// A launch that reads some buffers and writes others, element by element.
fn launch(buffers: &[Buffer], reads: &[usize], writes: &[usize]) -> Launch {
    let access = |&b: &usize| Access::new(b, vec![buffers[b].size.clone()], vec![Index::of(0)]);
    let stage = |(store, _): (usize, &usize)| Stage {
        level: Level::Element,
        inputs: (0..reads.len()).map(Source::Load).collect(),
        code: Code {
            inputs: reads.iter().map(|&b| buffers[b].dtype.lane()).collect(),
            instrs: vec![],
            outputs: vec![0],
        },
        outputs: vec![Target::Store(store)],
    };
    Launch {
        name: format!("{reads:?} to {writes:?}"),
        loc: 0,
        space: vec![buffers[writes[0]].size.clone()],
        reduce: vec![],
        family: Family::Flat,
        loads: reads.iter().map(access).collect(),
        stores: writes.iter().map(access).collect(),
        stages: writes.iter().enumerate().map(stage).collect(),
        updates: None,
    }
}

fn size(text: &str) -> Size {
    text.parse().unwrap()
}

/// Buffers of the arena with these types and lengths, in order behind an argument of `N` and before a result; `launches`: what each one reads and
/// writes.
fn planned(kinds: &[(DType, &str)], launches: &[(&[usize], &[usize])]) -> Program {
    let mut buffers = vec![Buffer::new("x", DType::F32, size("N"), Place::Argument(0))];
    for (number, (dtype, length)) in kinds.iter().enumerate() {
        buffers.push(Buffer::new(format!("b{}", number + 1), *dtype, size(length), Place::open()));
    }
    buffers.push(Buffer::new("y", DType::F32, size("N"), Place::Result(0)));
    let launches: Vec<Launch> = launches.iter().map(|(reads, writes)| launch(&buffers, reads, writes)).collect();
    let mut kernels = Kernels {
        buffers,
        places: vec![Loc::default(); launches.len()],
        graph: Graph::default(),
        schedule: (0..launches.len()).map(Task::launch).collect(),
        launches,
    };
    let plan = plan(&mut kernels, 64, None);
    let named = |name: &str| Named {
        name: name.into(),
        ty: Type::new(DType::F32, vec![size("N"), size("T")]),
        below: vec![],
        strided: false,
    };
    let program = Program {
        name: "by hand".into(),
        arguments: vec![named("x")],
        results: vec![named("y")],
        donates: vec![],
        rules: vec![],
        checks: vec![],
        states: vec![],
        assigns: vec![],
        buffers: kernels.buffers,
        launches: kernels.launches,
        schedule: kernels.schedule,
        arena: plan.arena,
        bound: plan.bound,
        flops: 0.into(),
    };
    check_plan(&program).unwrap_or_else(|error| panic!("{error}\n{}", program.to_text()));
    for buffer in &program.buffers {
        if let Place::Arena(place) = &buffer.place {
            let width = buffer.dtype.bytes() as i64;
            assert!(place.terms().iter().all(|(_, c)| c % width == 0), "{place} of {}", buffer.dtype);
        }
    }
    program
}

fn arena(program: &Program) -> String {
    assert_eq!(program.arena.len(), 1, "{}", program.to_text());
    program.arena[0].to_string()
}

fn place(program: &Program, buffer: usize) -> String {
    match &program.buffers[buffer].place {
        Place::Arena(place) => place.to_string(),
        other => format!("{other:?}"),
    }
}

use DType::{Bool, F32, F64, U8};

#[test]
fn a_mask_takes_a_byte_an_element() {
    // All are alive when the last launch runs.
    let all = |dtype| {
        planned(
            &[(F32, "256*N"), (dtype, "256*N"), (F32, "256*N")],
            &[(&[0], &[1]), (&[0], &[2]), (&[0], &[3]), (&[1, 2, 3], &[4])],
        )
    };
    assert_eq!(arena(&all(F32)), "3072*N");
    assert_eq!(arena(&all(Bool)), "2304*N");
    assert_eq!(arena(&all(F64)), "4096*N");
}

#[test]
fn elements_are_aligned_for_all_sizes_and_lengths_are_not_rounded() {
    // The floats come first, and the mask of N bytes costs N.
    let program = planned(
        &[(Bool, "N"), (F32, "3*N"), (Bool, "N")],
        &[(&[0], &[1]), (&[0], &[2]), (&[0], &[3]), (&[1, 2, 3], &[4])],
    );
    assert_eq!(arena(&program), "14*N");
    assert_eq!(program.arena, program.bound);
    assert_eq!(place(&program, 2), "0");
    // Two types wider than a byte, of odd lengths.
    let program = planned(
        &[(U8, "5*N"), (F32, "N*T + 1"), (F64, "3*N"), (Bool, "N*T + N + 1")],
        &[(&[0], &[1]), (&[0], &[2]), (&[0], &[3]), (&[0], &[4]), (&[1, 2, 3, 4], &[5])],
    );
    let bytes = |n: i64, t: i64| program.arena_bytes(&|name| if name == "N" { n } else { t });
    // What is alive at once, and at most seven bytes for each coefficient of a border.
    for (n, t) in [(1, 1), (1, 90), (7, 3), (90, 1), (33, 33)] {
        let alive = 5 * n + 4 * (n * t + 1) + 8 * 3 * n + (n * t + n + 1);
        assert!(
            bytes(n, t) >= alive && bytes(n, t) <= alive + 7 * (n * t + n + t + 1),
            "{n}, {t}: {}",
            program.to_text()
        );
    }
}

#[test]
fn only_buffers_of_equal_width_are_computed_in_place() {
    let chain = |dtype| planned(&[(F32, "256*N"), (dtype, "256*N")], &[(&[0], &[1]), (&[1], &[2]), (&[2], &[3])]);
    assert_eq!(arena(&chain(F32)), "1024*N");
    assert_eq!(arena(&chain(DType::I32)), "1024*N");
    // Written over what is read at the same index, a byte would lie on another one's float.
    assert_eq!(arena(&chain(Bool)), "1280*N");
    assert_eq!(arena(&chain(F64)), "3072*N");
}

#[test]
fn what_lies_between_elements_is_found() {
    let mut program = planned(&[(Bool, "N"), (F32, "N")], &[(&[0], &[1]), (&[0], &[2]), (&[1, 2], &[3])]);
    program.buffers[1].place = Place::Arena(size("0"));
    program.buffers[2].place = Place::Arena(size("N"));
    program.arena = vec![size("5*N")];
    let error = check_plan(&program).unwrap_err();
    assert!(error.contains("`b2` lies at byte 1, between elements of 4 bytes"), "{error}");
}

#[test]
fn writing_over_wider_elements_is_found() {
    let mut program = planned(&[(F32, "N"), (Bool, "N")], &[(&[0], &[1]), (&[1], &[2]), (&[2], &[3])]);
    program.buffers[2].place = program.buffers[1].place.clone();
    let error = check_plan(&program).unwrap_err();
    assert!(error.contains("writes `b2` over `b1`, which it reads"), "{error}");
}
