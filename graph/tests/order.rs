//! Which tasks wait for which, on small graphs: branches and parts of joined values do not, readers and writers do; when gradients are final, and where
//! the tasks of an ending stand.

use castnet_graph::builder::{Declared, DeclaredState, Parameters};
use castnet_graph::compile::{Source, SourceFunction, compile_for};
use castnet_graph::decompose::{Has, NOTHING};
use castnet_graph::graph::Graph;
use castnet_graph::layouts::Uses;
use castnet_graph::net::{Backend, Init};
use castnet_graph::program::ending::{Ending, EndingKind, Placement};
use castnet_graph::program::order::{Conflicts, Final, Order};
use castnet_graph::program::{Launch, Layout, Place, Program, Task, TaskKind};
use castnet_graph::target::{Cpu, Target};
use castnet_graph::text;
use castnet_graph::types::{DType, Type};

/// Four streams, whatever memory they take is that of a few values.
struct Four;

impl Target for Four {
    fn backend(&self) -> Backend {
        Backend::Cpu
    }

    fn has(&self) -> Has {
        NOTHING
    }

    fn streams(&self) -> u32 {
        4
    }

    fn layout(&self, shape: &[i64], uses: &Uses) -> Layout {
        Cpu.layout(shape, uses)
    }

    fn align(&self) -> i64 {
        64
    }
}

fn compiled(graph: &str, shapes: &[&[i64]], training: bool) -> Program {
    let graph: Graph = text::read(graph).unwrap_or_else(|error| panic!("{error}"));
    let declared = |(number, shape): (usize, &&[i64])| Declared {
        shape: Some((shape.to_vec(), Init::Constant(0.5))),
        ..Declared::new(format!("w{number}"))
    };
    let parameters = Parameters { list: shapes.iter().enumerate().map(declared).collect(), ..Parameters::default() };
    let function = SourceFunction::new("f", graph.clone(), training.then_some(graph));
    let source = Source { name: "Net".into(), parameters, functions: vec![function] };
    let compiled = compile_for(source, &Four).unwrap_or_else(|e| panic!("{e:?}"));
    let programs = compiled.net.cpu()[0].clone();
    programs.training.unwrap_or(programs.inference)
}

/// The task that stores the gradient of this parameter, or of it and others round by round.
fn task(program: &Program, parameter: usize) -> usize {
    let order = program.order();
    let stores = |launch: &Launch| {
        launch.stores.iter().any(|store| program.buffers[store.buffer].place == Place::Gradient(parameter))
    };
    let launch = program.launches.iter().position(stores).unwrap_or_else(|| panic!("no gradient of {parameter}"));
    order.task_of(launch)
}

#[test]
fn parts_of_a_joined_value_are_written_side_by_side() {
    let program = compiled(
        "graph G(x: f32[N, 16]) {
    %0 = argument 0   f32[N, 16]  x
    %1 = parameter 0  f32[16, 16]  w0
    %2 = parameter 1  f32[16, 16]  w1
    %3 = %0 · %1ᵀ     f32[N, 16]  a
    %4 = %0 · %2ᵀ     f32[N, 16]  b
    %5 = cat[1](%3, %4)  f32[N, 32]  joined
    %6 = parameter 2  f32[16, 32]  w2
    %7 = %5 · %6ᵀ     f32[N, 16]  c
    result 0 = %7
}
",
        &[&[16, 16], &[16, 16], &[16, 32]],
        false,
    );
    let order = program.order();
    assert_eq!(order.tasks(), 3, "{program:?}");
    assert_eq!(order.unordered().collect::<Vec<_>>(), [(0, 1)]);
    assert_eq!(order.edges(), [(0, 2), (1, 2)]);
    assert_ne!(program.schedule[0].stream, program.schedule[1].stream);
}

/// Three rounds with a weight each, and one behind them.
fn rounds_and_head() -> Program {
    compiled(
        "graph G(x: f32[N, 16]) {
    %0 = argument 0   f32[N, 16]  x
    %1 = repeat 3(%0)  f32[N, 16]  repeat
        graph round(state: f32[N, 16]) {
            %0 = argument 0             f32[N, 16]   state
            %1 = parameter 0 + 1·round  f32[16, 16]  w
            %2 = %0 · %1ᵀ               f32[N, 16]   fc
            %3 = tanh(%2)               f32[N, 16]   tanh
            result 0 = %3
        }
    %2 = %1.0         f32[N, 16]  repeat
    %3 = parameter 3  f32[16, 16]  head
    %4 = %2 · %3ᵀ     f32[N, 16]  y
    %5 = sum[0, 1](%4)  f32[]  loss
    result 0 = %5
}
",
        &[&[16, 16], &[16, 16], &[16, 16], &[16, 16]],
        true,
    )
}

#[test]
fn a_gradient_is_final_after_its_last_task_or_round() {
    let program = rounds_and_head();
    let (rounds, head) = (task(&program, 0), task(&program, 3));
    let of = |parameter, task, round| Final { parameter, task, round };
    let expected = [of(0, rounds, Some(0)), of(1, rounds, Some(1)), of(2, rounds, Some(2)), of(3, head, None)];
    assert_eq!(program.finals(), expected);
}

/// The tasks of the ending in a schedule, each with the number of tasks of the program before it.
fn endings(schedule: &[Task]) -> Vec<(usize, EndingKind, Vec<usize>)> {
    let (mut own, mut found) = (0, vec![]);
    for task in schedule {
        match &task.kind {
            TaskKind::Ending(Ending { kind, of }) => found.push((own, *kind, of.clone())),
            TaskKind::Launch(_) | TaskKind::Loop { .. } => own += 1,
        }
    }
    found
}

#[test]
fn updates_stand_where_gradients_are_final_and_parameters_no_longer_read() {
    let program = rounds_and_head();
    let (rounds, head) = (task(&program, 0), task(&program, 3));
    // Whoever reads the head's weight for the gradient that goes on comes before the loop.
    let reads =
        |launch: &Launch| launch.reads().iter().any(|&buffer| program.buffers[buffer].place == Place::Parameter(3));
    let readers = program.launches.iter().enumerate().filter(|(_, launch)| reads(launch));
    let reader = readers.map(|(launch, _)| program.order().task_of(launch)).max().unwrap();
    assert!(head.max(reader) < rounds);
    let all = vec![0, 1, 2, 3];
    let early = program.with_ending(&all, Placement::Early);
    let update = EndingKind::Update;
    assert_eq!(endings(&early), [(head.max(reader) + 1, update, vec![3]), (rounds + 1, update, vec![0, 1, 2])]);
    let own = |schedule: &[Task]| -> Vec<Task> {
        schedule.iter().filter(|task| !matches!(task.kind, TaskKind::Ending(_))).cloned().collect()
    };
    assert_eq!(own(&early), program.schedule);
    // A parameter that nobody asks for is not updated.
    assert_eq!(endings(&program.with_ending(&[3], Placement::Early)).len(), 1);

    let late = program.with_ending(&all, Placement::Late);
    let end = program.schedule.len();
    let kinds = EndingKind::ALL.into_iter().filter(|kind| *kind != EndingKind::Commit);
    assert_eq!(endings(&late), kinds.map(|kind| (end, kind, all.clone())).collect::<Vec<_>>());
    assert_eq!(late[..end], program.schedule);
}

#[test]
fn states_are_committed_after_all_that_read_them() {
    let graph = "graph G(x: f32[4]) {
    %0 = argument 0  f32[4]  x
    %1 = state 0     f32[4]  h
    %2 = add(%0, %1)  f32[4]  sum
    result 0 = %2
    state 0 = %2
}
";
    let graph: Graph = text::read(graph).unwrap_or_else(|error| panic!("{error}"));
    let mut parameters = Parameters::default();
    parameters.states.push(DeclaredState {
        name: "h".into(),
        ty: Some(Type::new(DType::F32, vec![4.into()])),
        init: Init::Constant(0.0),
    });
    let source = Source { name: "Net".into(), parameters, functions: vec![SourceFunction::new("f", graph, None)] };
    let program = compile_for(source, &Four).unwrap_or_else(|e| panic!("{e:?}")).net.cpu()[0].inference.clone();
    let schedule = program.with_ending(&[], Placement::Early);
    assert_eq!(endings(&schedule), [(program.schedule.len(), EndingKind::Commit, vec![0])]);
    let order = Order::new(&schedule, &Conflicts::new(&schedule, &program.launches, &program.buffers));
    let last = schedule.len() - 1;
    assert!((0..last).all(|task| order.happens_before(task, last)), "{program:?}");
}
