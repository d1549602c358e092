//! A loop of equal blocks: 3 or 30 of them are one body in the graph, its gradient, the plan and the program.

mod common;

use castnet_graph::compile::{Compiled, compile};
use castnet_graph::program::TaskKind;
use castnet_graph::text::ProgramText;
use common::{chain, chain_of};

fn compiled(count: i64) -> Compiled {
    compile(chain(count)).unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn thirty_rounds_are_as_large_as_three() {
    let (few, many) = (compiled(3), compiled(30));
    for (a, b) in few.reports.iter().zip(&many.reports) {
        assert_eq!(a.program.launches.len(), b.program.launches.len());
        assert_eq!(a.optimised.nodes.len(), b.optimised.nodes.len());
        let digits = |text: String| text.chars().filter(|c| !c.is_ascii_digit() && *c != ' ').collect::<String>();
        assert_eq!(digits(a.optimised.to_string()), digits(b.optimised.to_string()));
        let length = |r: &castnet_graph::compile::Report| r.program.to_text().len();
        assert!(length(b) < length(a) + 200, "{} against {}", length(b), length(a));
    }
    let training = &many.reports[1].program;
    let rounds: Vec<i64> = training
        .schedule
        .iter()
        .filter_map(|s| if let TaskKind::Loop { count, .. } = &s.kind { count.as_const() } else { None })
        .collect();
    assert_eq!(rounds, [30, 30]);
    assert_eq!(many.net.functions[0].reaches, (0..60).collect::<Vec<_>>());
    assert_eq!(training.arena, training.bound);
}

#[test]
fn a_loop_is_readable() {
    let report = &compiled(3).reports[1];
    insta::assert_snapshot!("loop_graph", report.optimised.to_string());
    insta::assert_snapshot!("loop_program", report.program.to_text());
}

#[test]
fn the_rounds_that_go_back_make_gelu_again() {
    let compiled = compile(chain_of(3, "gelu")).unwrap_or_else(|e| panic!("{e:?}"));
    insta::assert_snapshot!("gelu_loop_graph", compiled.reports[1].optimised.to_string());
}
