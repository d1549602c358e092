//! Fusion of graphs in which kernels could come to wait for each other.

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
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
