//! What the build tells of LeNet: costs, files, the picture of the plan.

mod common;

use castnet_graph::compile::compile;
use castnet_graph::diagnostic::Loc;
use castnet_graph::explain::{Explain, Settings, launches};

#[test]
fn the_summary_and_the_picture_of_lenet() {
    let compiled = compile(common::lenet()).unwrap();
    let explain =
        Explain { compiled: &compiled, line: &|_: Loc| Some("src/main.rs:14".into()), settings: Settings::default() };
    insta::assert_snapshot!("lenet_summary", explain.summary());
    let files = explain.files();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "summary.txt",
            "graph.txt",
            "gradient.txt",
            "plan.txt",
            "program.txt",
            "kernels.rs",
            "kernels.cu",
            "plan_loss.svg",
            "plan_loss_step.svg"
        ]
    );
    let text = |name: &str| &files.iter().find(|(n, _)| n == name).unwrap().1;
    insta::assert_snapshot!("lenet_plan_svg", text("plan_loss_step.svg"));
    assert!(text("kernels.cu").contains("// cross_entropy (src/main.rs:14): rows [N], reduced over [10]"));
    assert!(text("kernels.cu").contains("__global__"));
    assert!(
        text("graph.txt")
            .lines()
            .filter(|line| line.contains(" = "))
            .all(|line| line.starts_with("    result") || line.ends_with("src/main.rs:14"))
    );
}

/// Counted by hand: the tiles' products, forward and backward, at N = 64.
#[test]
fn costs_are_those_of_the_sums() {
    let compiled = compile(common::mlp()).unwrap();
    let program = &compiled.reports.iter().find(|r| r.training).unwrap().program;
    let launches = launches(program, &|_| 64);
    let flops: f64 = launches.iter().map(|(_, count, cost)| *count as f64 * cost.flops).sum();
    let products = 2.0 * 64.0 * (2.0 * 784.0 * 512.0 + 3.0 * 512.0 * 512.0 + 3.0 * 512.0 * 10.0);
    assert!(flops > products && flops < 1.01 * products, "{flops} of {products}");
    let (launch, _, first) = &launches[0];
    assert_eq!(launch.name, "fc1 + relu");
    // Image, weights in panels, bias in; the result out.
    assert_eq!([first.read, first.written], [4.0 * (64 * 784 + 784 * 512 + 512) as f64, 4.0 * (64 * 512) as f64]);
}
