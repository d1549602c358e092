//! Fusion of graphs in which kernels could come to wait for each other, or do.

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::net::Init;
use castnet_graph::program::{Family, Launch, Program};
use castnet_graph::size::Size;
use castnet_graph::text::ProgramText;
use castnet_graph::types::{DType, Type};
use castnet_graph::{layers, ops};

fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

fn op(b: &mut Builder, name: &str, args: Vec<Arg>) -> Value {
    let given: Vec<Given> = args.into_iter().map(given).collect();
    match ops::call(b, name, Loc::default(), &given) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

/// Sums over the batch at both ends of the graph, for the statistics and for the loss, must not become one kernel: what lies between them
/// waits for the one, and the other for it.
#[test]
fn a_way_back_through_groups_that_begin_earlier_is_seen() {
    let mut parameters = Parameters::default();
    let mut declare = |name: &str, kind: &str, args: &[Given]| {
        let mut b = Builder::new("", &mut parameters, false);
        layers::declare(&mut b, name, Loc::default(), kind, Loc::default(), args).unwrap()
    };
    let norm = declare("norm", "BatchNorm1d", &[]);
    let head = declare("head", "Linear", &[given(Arg::Size(5.into()))]);
    let mut graph = |training: bool| -> Graph {
        let mut b = Builder::new("Net.loss", &mut parameters, training);
        let x = b.argument("x", Type::new(DType::F32, vec![Size::symbol("N"), Size::symbol("T"), 4.into()]));
        let class = b.argument("class", Type::new(DType::I32, vec![Size::symbol("N")]));
        let x = op(&mut b, "mean", vec![Arg::Tensor(x), Arg::Size(1.into())]);
        let x = layers::apply(&mut b, &norm, Loc::default(), x).unwrap();
        let x = layers::apply(&mut b, &head, Loc::default(), x).unwrap();
        let x = op(&mut b, "log_softmax", vec![Arg::Tensor(x), Arg::Size(1.into())]);
        let loss = op(&mut b, "nll_loss", vec![Arg::Tensor(x), Arg::Tensor(class)]);
        b.result(loss);
        b.graph
    };
    let functions = vec![SourceFunction::new("loss", graph(false), Some(graph(true)))];
    let compiled = compile(Source { name: "Net".into(), parameters, functions });
    assert!(compiled.is_ok(), "{:?}", compiled.err());
}

/// Of two products that are added, the one written first is made last, since its operand comes with a later kernel: it adds to the other.
#[test]
fn products_are_added_in_the_order_in_which_they_are_made() {
    let mut parameters = Parameters::default();
    let mut b = Builder::new("Net.f", &mut parameters, false);
    let square = |b: &mut Builder, name: &str| b.argument(name, Type::new(DType::F32, vec![16.into(), 16.into()]));
    let x = b.argument("x", Type::new(DType::F32, vec![Size::symbol("N"), 16.into()]));
    let [u, v, w] = ["u", "v", "w"].map(|name| square(&mut b, name));
    let both = |b: &mut Builder, name: &str, x: Value, y: Value| op(b, name, vec![Arg::Tensor(x), Arg::Tensor(y)]);
    let e = op(&mut b, "exp", vec![Arg::Tensor(x)]);
    let first = both(&mut b, "matmul", e, u);
    let second = both(&mut b, "matmul", x, v);
    let sum = both(&mut b, "add", first, second);
    let late = both(&mut b, "matmul", x, w);
    let late = both(&mut b, "matmul", late, w);
    let late = both(&mut b, "mul", e, late);
    b.result(sum);
    b.result(late);
    let functions = vec![SourceFunction::new("f", std::mem::take(&mut b.graph), None)];
    let compiled = compile(Source { name: "Net".into(), parameters, functions }).unwrap();
    let program = &compiled.reports[0].program;
    let reading = |name: &str| {
        let reads = |l: &Launch| l.operands().iter().any(|b| program.buffers[*b].name == name);
        program.launches.iter().position(reads).unwrap_or_else(|| panic!("nothing reads {name}\n{}", program.to_text()))
    };
    let [with_u, with_v] = ["u", "v"].map(reading);
    assert!(with_v < with_u, "{}", program.to_text());
    assert!(program.launches[with_v].loads.is_empty(), "{}", program.to_text());
    let added: Vec<usize> = program.launches[with_u].loads.iter().map(|load| load.buffer).collect();
    assert_eq!(added, [program.launches[with_v].stores[0].buffer], "{}", program.to_text());
}

/// The training program of a loss made of an image `[N, 16, 8, 8]` and two weights of convolutions with 16 channels.
fn image_program(loss: &dyn Fn(&mut Builder, Value, [Value; 2]) -> Value) -> Program {
    let mut parameters = Parameters::default();
    for name in ["v", "w"] {
        parameters.list.push(Declared {
            name: name.into(),
            shape: Some((vec![16, 16, 3, 3], Init::Uniform(0.1))),
            first_use: Loc::default(),
            options: Default::default(),
        });
    }
    let mut graph = |training: bool| -> Graph {
        let mut b = Builder::new("Net.loss", &mut parameters, training);
        let x = b.argument("x", Type::new(DType::F32, vec![Size::symbol("N"), 16.into(), 8.into(), 8.into()]));
        let weights = [b.parameter(0), b.parameter(1)];
        let loss = loss(&mut b, x, weights);
        b.result(loss);
        b.graph
    };
    let functions = vec![SourceFunction::new("loss", graph(false), Some(graph(true)))];
    let compiled = compile(Source { name: "Net".into(), parameters, functions }).unwrap();
    let report = compiled.reports.into_iter().find(|report| report.training);
    report.unwrap().program
}

fn convolution(b: &mut Builder, x: Value, weight: Value) -> Value {
    let size = |size: i64| Arg::Size(size.into());
    op(b, "conv2d", vec![Arg::Tensor(x), Arg::Tensor(weight), Arg::None, size(1), size(1)])
}

fn pooled(b: &mut Builder, x: Value, name: &str, kernel: i64) -> Value {
    let size = |size: i64| Arg::Size(size.into());
    op(b, name, vec![Arg::Tensor(x), size(kernel), size(1), size(kernel / 2)])
}

/// Loads of windows, whose taps may lie outside.
fn taps(launch: &Launch) -> usize {
    launch.loads.iter().filter(|load| load.outside.is_some()).count()
}

/// The gradient of overlapping pools beside a convolution: an epilogue would find each tap anew for every 32 channels.
#[test]
fn an_epilogue_takes_no_windows_in() {
    for pool in ["avg_pool2d", "max_pool2d"] {
        let program = image_program(&|b, x, [v, w]| {
            let x = convolution(b, x, v);
            let x = op(b, "tanh", vec![Arg::Tensor(x)]);
            let pooled = pooled(b, x, pool, 3);
            let y = convolution(b, x, w);
            let y = op(b, "add", vec![Arg::Tensor(y), Arg::Tensor(pooled)]);
            let y = op(b, "mul", vec![Arg::Tensor(y), Arg::Tensor(y)]);
            op(b, "mean", vec![Arg::Tensor(y)])
        });
        let is_tile = |launch: &&Launch| matches!(launch.family, Family::Tile(_));
        let in_tiles: usize = program.launches.iter().filter(is_tile).map(taps).sum();
        assert_eq!(in_tiles, 0, "{pool}: {}", program.to_text());
        // Forward and backward, each in a pass of its own.
        let passes = program.launches.iter().filter(|launch| taps(launch) >= 9).count();
        assert!(passes >= 2, "{pool}: {}", program.to_text());
    }
}

/// Softmax goes through its rows three times: not with a window for each element. What goes through them once takes windows in.
#[test]
fn a_reduction_takes_in_windows_that_it_reads_once() {
    let reducing = |end: &dyn Fn(&mut Builder, Value) -> Value| {
        let program = image_program(&|b, x, [v, _]| {
            let y = pooled(b, x, "avg_pool2d", 3);
            let y = end(b, y);
            let z = convolution(b, x, v);
            let z = op(b, "mean", vec![Arg::Tensor(z)]);
            op(b, "add", vec![Arg::Tensor(y), Arg::Tensor(z)])
        });
        let taps: Vec<(bool, usize)> = program.launches.iter().map(|l| (l.reduce.is_empty(), taps(l))).collect();
        (taps.iter().filter(|(flat, _)| !flat).map(|(_, n)| n).sum::<usize>(), program)
    };
    let last = |size: i64| Arg::Size(size.into());
    let (taps, program) = reducing(&|b, y| {
        let y = op(b, "softmax", vec![Arg::Tensor(y), last(-1)]);
        let y = op(b, "mul", vec![Arg::Tensor(y), Arg::Tensor(y)]);
        op(b, "mean", vec![Arg::Tensor(y)])
    });
    assert_eq!(taps, 0, "{}", program.to_text());
    let (taps, program) = reducing(&|b, y| {
        let y = op(b, "exp", vec![Arg::Tensor(y)]);
        op(b, "mean", vec![Arg::Tensor(y)])
    });
    assert_eq!(taps, 9, "{}", program.to_text());
}
