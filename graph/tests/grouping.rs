//! Fusion of graphs in which kernels could come to wait for each other, or do.

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::program::Launch;
use castnet_graph::size::Size;
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
        program.launches.iter().position(reads).unwrap_or_else(|| panic!("nothing reads {name}\n{program}"))
    };
    let [with_u, with_v] = ["u", "v"].map(reading);
    assert!(with_v < with_u, "{program}");
    assert!(program.launches[with_v].loads.is_empty(), "{program}");
    let added: Vec<usize> = program.launches[with_u].loads.iter().map(|load| load.buffer).collect();
    assert_eq!(added, [program.launches[with_v].stores[0].buffer], "{program}");
}
