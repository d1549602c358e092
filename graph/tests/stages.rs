//! Snapshots of every stage of LeNet: someone new can follow the data from image to loss.

mod common;

use castnet_graph::compile::compile;

#[test]
fn lenet_is_readable_at_every_stage() {
    let compiled = compile(common::lenet()).unwrap();
    let report = compiled.reports.iter().find(|r| r.training).unwrap();
    println!("{}\n{}\n{}", report.graph, report.optimised, report.program);
}
