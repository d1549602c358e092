//! Memory budgets: a deep net made to fit by recomputation, and one that cannot be.

mod common;

use std::time::Instant;

use castnet_graph::budget::{Budget, Optimizer};
use castnet_graph::compile::{Compiled, Source, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::program::Program;
use castnet_graph::types::DType;
use common::*;

/// `count` times `x + down(relu(up(x)))` of width 16, then a mean square.
fn deep(count: usize) -> Source {
    let mut p = Default::default();
    let mut linear = |name: String| layer(&mut p, &name, "Linear", vec![given(int(16))]);
    let blocks: Vec<_> = (0..count).map(|i| (linear(format!("{i}.up")), linear(format!("{i}.down")))).collect();
    source("Deep", p, |b| {
        let mut x = b.argument("x", ty(DType::F32, &["N", "16"]));
        for (up, down) in &blocks {
            let y = apply(b, up, x);
            let y = op(b, "relu", vec![t(y)]);
            let y = apply(b, down, y);
            x = op(b, "add", vec![t(x), t(y)]);
        }
        let loss = op(b, "mul", vec![t(x), t(x)]);
        let loss = op(b, "mean", vec![t(loss)]);
        b.result(loss);
    })
}

fn within(mut source: Source, bytes: i64, optimizer: Optimizer) -> Result<Compiled, String> {
    let sizes = vec![("N".to_string(), 64)];
    source.functions[0].memory = Some(Budget { bytes, sizes, optimizer, at: Loc::default() });
    compile(source).map_err(|mistakes| mistakes[0].to_string())
}

fn training(compiled: &Compiled) -> &Program {
    &compiled.reports.iter().find(|r| r.training).unwrap().program
}

fn arena(program: &Program) -> i64 {
    program.arena_bytes(&|_| 64)
}

#[test]
fn a_thousand_layers_fit_a_fifteenth_of_their_memory_for_a_third_more_operations() {
    let count = 1000;
    let start = Instant::now();
    let whole = compile(deep(count)).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let parameters = whole.net.parameter_bytes() as i64;
    let (activations, flops) = (arena(training(&whole)), training(&whole).flops.eval(&|_| 64));
    let start = Instant::now();
    let fitted = within(deep(count), 4 * parameters + activations / 15, Optimizer::AdamW).unwrap();
    let again = training(&fitted);
    let more = again.flops.eval(&|_| 64) as f64 / flops as f64 - 1.0;
    println!(
        "{activations} bytes become {}, 1/{:.1}, for {:.1} % more operations; compiled in {seconds:.1} s and {:.1} s",
        arena(again),
        activations as f64 / arena(again) as f64,
        100.0 * more,
        start.elapsed().as_secs_f64()
    );
    assert!(arena(again) * 15 <= activations);
    assert!(more <= 0.34, "{more}");
    assert_eq!(again.arena, again.bound);
}

#[test]
fn what_cannot_fit_is_a_mistake_with_its_numbers() {
    let whole = compile(deep(12)).unwrap();
    let parameters = whole.net.parameter_bytes() as i64;
    for (optimizer, copies) in [(Optimizer::Sgd, 2), (Optimizer::Momentum, 3), (Optimizer::AdamW, 4)] {
        let enough = copies * parameters + arena(training(&whole));
        let fitted = within(deep(12), enough, optimizer).unwrap();
        assert_eq!(fitted.net, whole.net, "what fits as it is stays as it is");
        let fitted = within(deep(12), enough - 64, optimizer).unwrap();
        assert!(arena(training(&fitted)) < arena(training(&whole)));
    }
    let mistake = within(deep(12), 4 * parameters, Optimizer::AdamW).unwrap_err();
    insta::assert_snapshot!(mistake, @r"
    N0801: `Deep.loss` takes 238.0 KiB at N = 64, and its budget is 198.0 KiB
      note: parameters 49.5 KiB, gradients 49.5 KiB, optimizer state 99.0 KiB, activations and workspace 40.0 KiB
      help: that is the least of the plans with values made again in the backward pass: allow more, make a size smaller, or choose a smaller optimizer
    ");
}
