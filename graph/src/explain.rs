//! What the compiler made of a function, for people: operations, kernels, memory.

use std::fmt::Write;

use crate::compile::{Compiled, Report};
use crate::printer;
use crate::program::{Named, Program};
use crate::size::Size;

/// The reports of all programs of a net: a name, such as `loss` or `loss_step`, and a text for each, then the generated kernels.
pub fn explain(compiled: &Compiled) -> Vec<(String, String)> {
    let mut texts: Vec<_> = compiled.reports.iter().map(|r| (title(r), report(r))).collect();
    texts.push(("kernels".into(), kernels(compiled)));
    texts
}

fn title(report: &Report) -> String {
    format!("{}{}", report.function, if report.training { "_step" } else { "" })
}

fn report(report: &Report) -> String {
    let program = &report.program;
    let mut text = String::new();
    let named = |n: &Named| format!("{}: {}", n.name, n.ty);
    let list = |all: &[Named]| all.iter().map(named).collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "{}({}) -> {}", program.name, list(&program.arguments), list(&program.results));
    let _ = writeln!(text, "floating-point operations: {}", program.flops);
    let _ = writeln!(text, "memory: {}", memory(program));
    let _ = writeln!(text, "\nas written\n{}", report.graph);
    let _ = writeln!(text, "with gradients, optimised\n{}", report.optimised);
    let _ = writeln!(text, "as it runs\n{program}");
    text
}

/// How much memory activations take, and how near that is to what must be alive at once.
fn memory(program: &Program) -> String {
    let sum = |heights: &mut dyn Iterator<Item = i64>| {
        let terms = program.arena.iter().zip(heights).map(|(class, h)| &class.monomial * &Size::constant(h));
        terms.fold(Size::constant(0), |a, b| &a + &b)
    };
    let planned = sum(&mut program.arena.iter().map(|c| c.height));
    let bound = sum(&mut program.bound.iter().copied());
    format!("{planned} floats of activations, {bound} of them alive at once")
}

/// The generated kernels as Rust.
fn kernels(compiled: &Compiled) -> String {
    let mut text = String::new();
    for kernel in printer::kernels(&compiled.net) {
        let _ = writeln!(text, "/// {}", kernel.doc);
        let _ = writeln!(text, "{}({}) -> ({}) {{", kernel.name, kernel.inputs.join(", "), kernel.outputs.join(", "));
        for line in &kernel.body {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "}}\n");
    }
    text
}
