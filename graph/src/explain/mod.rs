//! What the compiler made of a net, for people: graphs, kernels, memory, operations, bytes and the time that they take at least.

mod machine;
mod picture;
mod summary;

use std::fmt::Write;

pub use machine::{Machine, Settings};

use crate::compile::{Compiled, Report};
use crate::diagnostic::Loc;
use crate::emit::{cuda, rust};
pub use crate::program::cost::{Cost, launches};
use crate::program::{Launch, Named, Program};
use crate::scalar::Lane;
use crate::size::Size;
use crate::text::ProgramText;

/// What stands before a function's graph, and before what mixed precision makes of it.
const WRITTEN: &str = "as written\n";
const MIXED: &str = "in mixed precision\n";

/// The graph of a function, or of its step, in the text of [`Explain::text`]: what it is to compute, operation by operation.
pub fn written<'t>(explained: &'t str, function: &str, training: bool) -> Option<&'t str> {
    let title = format!("== {function}{} ==\n", if training { "_step" } else { "" });
    let (_, part) = explained.split_once(&title)?;
    let part = part.split_once("\n== ").map_or(part, |(part, _)| part);
    let (_, graph) = part.split_once(MIXED).or_else(|| part.split_once(WRITTEN))?;
    let end = graph.find("\n}\n")?;
    Some(&graph[..end + 3])
}

/// A compiled net with what a report about it needs.
pub struct Explain<'a> {
    /// The net.
    pub compiled: &'a Compiled,
    /// The line of a place in the source: `src/main.rs:14`.
    pub line: &'a dyn Fn(Loc) -> Option<String>,
    /// The run-time sizes of tables and pictures, and the machine of the times.
    pub settings: Settings,
}

impl Explain<'_> {
    /// All programs, one after the other, then the tables and the kernels: what `Net::explain()` gives.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for report in &self.compiled.reports {
            let _ = writeln!(text, "== {} ==\n{}", title(report), head(&report.program));
            let _ = writeln!(text, "{WRITTEN}{}", self.graphs(report));
            let _ = writeln!(text, "{}\n{}", optimised(report), report.optimised.with_lines(self.line));
            let _ = writeln!(text, "as it runs\n{}", report.program.with_lines(&|launch| self.launch_line(launch)));
        }
        let _ = writeln!(text, "== summary ==\n{}", self.summary());
        let _ = writeln!(text, "== kernels ==\n{}", self.rust());
        text
    }

    /// The same as files, with names, and what takes more room: kernels in CUDA C, pictures.
    pub fn files(&self) -> Vec<(String, String)> {
        let reports = &self.compiled.reports;
        let each = |part: &dyn Fn(&Report) -> String| {
            let texts = reports.iter().map(|r| format!("== {} ==\n{}", title(r), part(r)));
            texts.collect::<Vec<_>>().join("\n")
        };
        let mut files = vec![
            ("summary.txt".to_string(), self.summary()),
            ("graph.txt".into(), each(&|r| self.graphs(r))),
            ("gradient.txt".into(), each(&|r| format!("{}\n{}", optimised(r), r.optimised.with_lines(self.line)))),
            (
                "plan.txt".into(),
                each(&|r| format!("{}\n{}", head(&r.program), r.program.with_lines(&|l| self.launch_line(l)))),
            ),
            ("program.txt".into(), each(&|r| r.program.listing())),
            ("kernels.rs".into(), self.rust()),
            ("kernels.cu".into(), cuda::unit(&self.compiled.net, &|launch| self.place(launch))),
        ];
        for report in reports {
            let picture =
                picture::svg(&format!("{}.{}", self.compiled.net.name, title(report)), &report.program, &self.settings);
            files.push((format!("plan_{}.svg", title(report)), picture));
        }
        files
    }

    /// A function as it was written, and in mixed precision if it computes so.
    fn graphs(&self, report: &Report) -> String {
        let mixed = report.mixed.as_ref().map(|mixed| format!("\n{MIXED}{}", mixed.with_lines(self.line)));
        format!("{}{}", report.graph.with_lines(self.line), mixed.unwrap_or_default())
    }

    /// Operations, bytes and least times of every program.
    pub fn summary(&self) -> String {
        let parts: Vec<_> = self.compiled.reports.iter().map(|r| self.program_summary(r)).collect();
        format!("{}\n{}", self.net_summary(), parts.join("\n"))
    }

    /// The distinct stages as Rust.
    fn rust(&self) -> String {
        let mut text = String::new();
        for kernel in rust::kernels(&self.compiled.net) {
            let _ = writeln!(text, "/// {}", kernel.doc);
            let typed = |(name, lane): &(String, Lane)| format!("{name}: {}", lane.dtype());
            let [inputs, outputs] =
                [&kernel.inputs, &kernel.outputs].map(|list| list.iter().map(typed).collect::<Vec<_>>().join(", "));
            let _ = writeln!(text, "{}({inputs}) -> ({outputs}) {{", kernel.name);
            for line in &kernel.body {
                let _ = writeln!(text, "    {line}");
            }
            let _ = writeln!(text, "}}\n");
        }
        text
    }

    /// `src/main.rs:14`.
    fn launch_line(&self, launch: &Launch) -> Option<String> {
        let (loc, _) = self.compiled.places.get(launch.loc as usize)?;
        (self.line)(*loc)
    }

    /// `conv1 + tanh (src/main.rs:14)`.
    fn place(&self, launch: &Launch) -> String {
        self.launch_line(launch).map_or(launch.name.clone(), |line| format!("{} ({line})", launch.name))
    }
}

/// `loss`, or `loss_step` of a training program.
fn title(report: &Report) -> String {
    format!("{}{}", report.function, if report.training { "_step" } else { "" })
}

fn optimised(report: &Report) -> &'static str {
    if report.training { "with gradients, optimised" } else { "optimised" }
}

/// Types, operations and memory.
fn head(program: &Program) -> String {
    let named = |n: &Named| format!("{}: {}", n.name, n.ty);
    let list = |all: &[Named]| all.iter().map(named).collect::<Vec<_>>().join(", ");
    let mut text = format!("{}({}) -> {}\n", program.name, list(&program.arguments), list(&program.results));
    let _ = writeln!(text, "floating-point operations: {}", program.flops);
    let _ = writeln!(text, "memory: {}", memory(program));
    text
}

/// How much memory activations take, and how near that is to what must be alive at once.
fn memory(program: &Program) -> String {
    let (planned, bound) = (greatest(&program.arena), greatest(&program.bound));
    format!("{planned} bytes of activations, {bound} of them alive at once")
}

/// The greatest of some sizes.
fn greatest(sizes: &[Size]) -> String {
    match sizes {
        [] => "0".into(),
        [one] => one.to_string(),
        all => format!("max({})", all.iter().map(Size::to_string).collect::<Vec<_>>().join(", ")),
    }
}
