//! A program that checks what it makes: the places in a table, and a divisor.

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::ops;
use castnet_program::net::Net;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};

fn op(b: &mut Builder, name: &str, args: &[Value]) -> Value {
    let given = args.iter().map(|value| Given { name: None, value: Arg::Tensor(*value), at: Loc::default() });
    match ops::call(b, name, Loc::default(), &given.collect::<Vec<_>>()) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

fn graph() -> Graph {
    let mut parameters = Parameters::default();
    let mut b = Builder::new("Checked.rows", &mut parameters, false);
    let [i, j] = ["i", "j"].map(|name| b.argument(name, Type::new(DType::I64, vec![Size::symbol("N")])));
    let table = b.argument("table", Type::new(DType::F32, vec![4.into(), 3.into()]));
    let places = op(&mut b, "add", &[i, i]);
    let rows = op(&mut b, "embedding", &[places, table]);
    let rest = op(&mut b, "remainder", &[i, j]);
    b.result(rows);
    b.result(rest);
    b.graph
}

/// Rows of a table of 4 at `2·i`, and `i % j`.
pub fn net() -> Net {
    let functions = vec![SourceFunction::new("rows", graph(), None)];
    let source = Source { name: "Checked".into(), parameters: Parameters::default(), functions };
    compile(source).unwrap_or_else(|e| panic!("{e:?}")).net
}
