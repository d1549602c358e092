//! What the compiler made of a function, for people: operations, kernels, memory.

use std::fmt::{Display, Write};

use crate::compile::{Compiled, Report};
use crate::graph::{Graph, Op};
use crate::printer;
use crate::program::{Family, Launch, Place, Program, Tile};
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
    let named = |n: &crate::program::Named| format!("{}: {}", n.name, n.ty);
    let list = |all: &[crate::program::Named]| all.iter().map(named).collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "{}({}) -> {}", program.name, list(&program.arguments), list(&program.results));
    let _ = writeln!(text, "floating-point operations: {}", program.flops);
    let _ = writeln!(text, "memory: {}", memory(program));
    section(&mut text, "graph as written", &graph(&report.graph));
    section(&mut text, "graph as optimised", &graph(&report.optimised));
    section(&mut text, "kernels, in order", &launches(program));
    section(&mut text, "memory plan", &buffers(program));
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    let _ = write!(text, "\n{title}\n{body}");
}

/// `4 * (1200*N + 64) bytes of activations`, and how near that is to what must be alive at once.
fn memory(program: &Program) -> String {
    let sum = |heights: &mut dyn Iterator<Item = i64>| {
        let terms = program.arena.iter().zip(heights).map(|(class, h)| &class.monomial * &Size::constant(h));
        terms.fold(Size::constant(0), |a, b| &a + &b)
    };
    let planned = sum(&mut program.arena.iter().map(|c| c.height));
    let bound = sum(&mut program.bound.iter().copied());
    format!("{planned} floats of activations; {bound} are alive at once")
}

/// A line an operation: `%3 = Tanh(%2): f32[N, 20, 24, 24]  (tanh)`.
fn graph(graph: &Graph) -> String {
    let mut text = String::new();
    for (number, node) in graph.nodes.iter().enumerate() {
        let inputs: Vec<_> = node.inputs.iter().map(|v| format!("%{}", v.0)).collect();
        let op = match &node.op {
            Op::Repeat(repeat) => format!("Repeat {} times, a body of {} operations", repeat.count, repeat.body.nodes.len()),
            op => format!("{op:?}"),
        };
        let _ = writeln!(text, "  %{number} = {op}({}): {}  ({})", inputs.join(", "), node.ty, node.origin.name);
    }
    for output in &graph.outputs {
        let _ = writeln!(text, "  {:?} = %{}", output.role, output.value.0);
    }
    text
}

fn sizes<T: Display>(sizes: &[T]) -> String {
    format!("[{}]", sizes.iter().map(T::to_string).collect::<Vec<_>>().join(", "))
}

fn family(launch: &Launch) -> String {
    let reduce = if launch.reduce.is_empty() { String::new() } else { format!(" over {}", sizes(&launch.reduce)) };
    let name = match &launch.family {
        Family::Flat => "elementwise".to_string(),
        Family::Row => format!("row reduction{reduce}"),
        Family::Column => format!("column reduction{reduce}"),
        Family::Tile(Tile::MatMul { k, .. }) => format!("matrix product, k = {k}"),
        Family::Tile(Tile::Conv2d { .. }) => "convolution".into(),
        Family::Tile(Tile::Conv2dInputGrad { .. }) => "convolution, gradient of the input".into(),
        Family::Tile(Tile::Conv2dWeightGrad { .. }) => "convolution, gradient of the weight".into(),
    };
    format!("{name} {}", sizes(&launch.space))
}

fn launches(program: &Program) -> String {
    let mut text = String::new();
    for (number, launch) in program.launches.iter().enumerate() {
        let buffer = |access: &crate::program::Access| program.buffers.get(access.buffer).map_or("?", |b| &b.name);
        let loads: Vec<_> = launch.loads.iter().map(buffer).collect();
        let stores: Vec<_> = launch.stores.iter().map(buffer).collect();
        let updates = launch.updates.map_or("", |_| ", updates the parameter in place");
        let _ = writeln!(text, "  {number}: {}: {}{updates}", launch.name, family(launch));
        let _ = writeln!(text, "      reads {}; writes {}", loads.join(", "), stores.join(", "));
    }
    text
}

fn buffers(program: &Program) -> String {
    let mut text = String::new();
    for buffer in &program.buffers {
        let place = match &buffer.place {
            Place::Argument(i) => format!("argument {i}"),
            Place::Result(i) => format!("result {i}"),
            Place::Parameter(_) => "parameter".into(),
            Place::Gradient(_) => "gradient".into(),
            Place::Arena { class, offset } => match program.arena.get(*class) {
                Some(class) => format!("arena of {}, at {offset}", class.monomial),
                None => "nowhere".into(),
            },
        };
        let _ = writeln!(text, "  {}: {} of {}, {place}", buffer.name, buffer.size, buffer.dtype);
    }
    text
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
