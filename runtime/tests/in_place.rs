//! An optimizer takes a gradient where its last sum is stored only if nobody reads the parameter any more and every check is done. The compiler
//! orders launches so; here they stand in an order that computes the same, but not so, and the bits are the same all the same.

use std::collections::BTreeSet;

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::ops;
use castnet_program::net::{Init, Net};
use castnet_program::program::{Family, Launch, Place, Program, Right, Strided, Task, TaskKind, Tile};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model, Sgd};

/// Two weights; the second one's gradient is a product of the same phase in which the gradient that goes on to the first reads it.
const SHAPES: [(&str, [i64; 2]); 2] = [("a", [40, 70]), ("b", [70, 50])];

fn op(b: &mut Builder, name: &str, args: &[Value]) -> Value {
    let given = args.iter().map(|value| Given { name: None, value: Arg::Tensor(*value), at: Loc::default() });
    match ops::call(b, name, Loc::default(), &given.collect::<Vec<_>>()) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

/// The mean of ((rows of `table` at 2·i) · a · b)²: `2·i` is checked where it is made.
fn graph(parameters: &mut Parameters, training: bool) -> Graph {
    let mut b = Builder::new("Net.loss", parameters, training);
    let i = b.argument("i", Type::new(DType::I64, vec![Size::symbol("N")]));
    let table = b.argument("table", Type::new(DType::F32, vec![10.into(), 40.into()]));
    let places = op(&mut b, "add", &[i, i]);
    let x = op(&mut b, "embedding", &[places, table]);
    let [first, second] = [0, 1].map(|number| b.parameter(number));
    let y = op(&mut b, "matmul", &[x, first]);
    let y = op(&mut b, "tanh", &[y]);
    let z = op(&mut b, "matmul", &[y, second]);
    let square = op(&mut b, "square", &[z]);
    let loss = op(&mut b, "mean", &[square]);
    b.result(loss);
    b.graph
}

fn net() -> Net {
    let declared = |(name, shape): (&str, [i64; 2])| Declared {
        shape: Some((shape.to_vec(), Init::Uniform(0.3))),
        ..Declared::new(name)
    };
    let mut parameters = Parameters { list: SHAPES.map(declared).to_vec(), ..Parameters::default() };
    let (inference, training) = (graph(&mut parameters, false), graph(&mut parameters, true));
    let functions = vec![SourceFunction::new("loss", inference, Some(training))];
    compile(Source { name: "Net".into(), parameters, functions }).unwrap_or_else(|e| panic!("{e:?}")).net
}

/// The same net with the launches of its training program in another order.
fn reordered(order: impl Fn(&mut Program, &mut Vec<usize>)) -> Net {
    let mut net = net();
    let program = net.cpu_mut()[0].training.as_mut().unwrap();
    let number = |step: &Task| if let TaskKind::Launch(launch) = &step.kind { *launch } else { panic!("a loop") };
    let mut launches: Vec<usize> = program.schedule.iter().map(number).collect();
    let before = launches.clone();
    order(program, &mut launches);
    assert_ne!(launches, before);
    program.schedule = launches.into_iter().map(Task::launch).collect();
    net
}

/// The buffers that a launch reads.
fn reads(launch: &Launch) -> Vec<usize> {
    let mut buffers: Vec<usize> = launch.loads.iter().map(|access| access.buffer).collect();
    match &launch.family {
        Family::Tile(Tile::MatMul { a, b, .. }) => {
            let (Right::Strided(Strided { buffer, .. }) | Right::Panels(buffer) | Right::PanelsTransposed(buffer)) = b;
            buffers.extend([a.buffer, *buffer]);
        }
        Family::Tile(tile) => panic!("{tile:?}"),
        Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => {}
    }
    buffers
}

fn model(net: Net) -> Model {
    Model::from_net(net, &Device::cpu(), 5).unwrap()
}

fn bits(model: &Model) -> Vec<u32> {
    let values = SHAPES.iter().flat_map(|(name, _)| {
        let array = model.parameter(name).unwrap();
        array.as_slice::<f32>().unwrap().to_vec()
    });
    values.map(f32::to_bits).collect()
}

fn arguments(last: i64) -> [Array; 2] {
    let table = (0..400).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let places = (0..30).map(|i| if i == 29 { last } else { i % 5 }).collect();
    [Array::from_vec::<i64>(&[30], places).unwrap(), Array::from_vec::<f32>(&[10, 40], table).unwrap()]
}

#[test]
fn a_parameter_is_not_updated_before_its_last_reader() {
    // The gradient of `b` before the product that reads `b` for the gradient of `a`.
    let other = reordered(|program, order| {
        let stores = |at: usize, place: Place| {
            program.launches[at].stores.iter().any(|store| program.buffers[store.buffer].place == place)
        };
        let gradient = order.iter().position(|&at| stores(at, Place::Gradient(1))).unwrap();
        let is_b = |&buffer: &usize| program.buffers[buffer].place == Place::Parameter(1);
        let reads_b = |&at: &usize| reads(&program.launches[at]).iter().any(is_b);
        let reader = order[..gradient].iter().rposition(reads_b).unwrap();
        // It is in the backward pass: the forward pass reads `b` too.
        assert!(order.iter().filter(|at| reads_b(at)).count() >= 2 && reader > 0);
        let moved = order.remove(gradient);
        order.insert(reader, moved);
    });
    let (mut first, mut second) = (model(net()), model(other));
    let arguments = arguments(4);
    let arguments = [&arguments[0], &arguments[1]];
    let start = bits(&first);
    for _ in 0..3 {
        first.step(0, &mut Sgd::new(0.5), &arguments).unwrap();
        second.step(0, &mut Sgd::new(0.5), &arguments).unwrap();
        assert_eq!(bits(&first), bits(&second));
    }
    assert_ne!(bits(&first), start);
}

#[test]
fn a_parameter_is_not_updated_before_the_last_check() {
    let other = reordered(|program, order| {
        let is_check = |&at: &usize| {
            let mut stores = program.launches[at].stores.iter();
            stores.any(|store| matches!(program.buffers[store.buffer].place, Place::Check(_)))
        };
        let checks: Vec<usize> = order.iter().copied().filter(is_check).collect();
        // What it reads lies where nothing else does, so it is there all the time.
        const BEHIND: i64 = 1 << 16;
        let places: BTreeSet<usize> = checks.iter().flat_map(|&at| reads(&program.launches[at])).collect();
        for (number, buffer) in places.into_iter().enumerate() {
            let offset = Size::constant(BEHIND * (number as i64 + 1));
            let buffer = &mut program.buffers[buffer];
            let width = buffer.dtype.bytes() as i64;
            program.arena.push(&offset + &(&buffer.size * &width.into()));
            buffer.place = Place::Arena(offset);
        }
        order.retain(|at| !checks.contains(at));
        order.extend(checks);
    });
    let mut model = model(other);
    let start = bits(&model);
    // 2 · 5 names no row of 10.
    let wrong = arguments(5);
    let error = model.step(0, &mut Sgd::new(0.5), &[&wrong[0], &wrong[1]]).unwrap_err().to_string();
    assert!(error.contains("gets 10 at element 29, expected 0 to 9"), "{error}");
    assert_eq!(bits(&model), start);
    let right = arguments(4);
    model.step(0, &mut Sgd::new(0.5), &[&right[0], &right[1]]).unwrap();
    assert_ne!(bits(&model), start);
}
