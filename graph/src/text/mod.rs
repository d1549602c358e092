//! The textual form of graphs and of programs ([`program`]): for tests, for `explain`, for people. Both can be read back ([`read`],
//! [`program::read`]).
//!
//! ```text
//! %4 = add(%2, %3)        f32[N, 20, 24, 24]   conv1
//! ```

use std::fmt::{self, Write};

use crate::diagnostic::Loc;
use crate::graph::{Argument, Call, Graph, Node, Op, Repeat, Role, Value};

mod line;
mod primitives;
pub mod program;
mod read;

pub use line::ReadError;
pub use program::ProgramText;
pub use read::read;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Result(i) => write!(f, "result {i}"),
            Role::Gradient(i) => write!(f, "gradient {i}"),
            Role::RoundGradient { first, steps } => write!(f, "gradient {first}{}", rounds(steps)),
            Role::Check(i) => write!(f, "check {i}"),
            Role::State(i) => write!(f, "state {i}"),
            Role::RoundState { first, steps } => write!(f, "state {first}{}", rounds(steps)),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)?;
        self.below.iter().try_for_each(|below| write!(f, " in {below}"))
    }
}

impl fmt::Display for Graph {
    /// One node a line; constants and views stand like all others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_lines(&|_| None))
    }
}

impl Graph {
    /// As `Display`, with the line in the source where each node comes from: `src/main.rs:14`.
    pub fn with_lines(&self, line: &dyn Fn(Loc) -> Option<String>) -> String {
        let mut text = String::new();
        self.write_at(&mut text, "", line);
        text
    }

    /// Every expansion of `network!` writes thousands of lines: into one text, without what `format!` has for every case.
    fn write_at(&self, out: &mut String, indent: &str, place: &dyn Fn(Loc) -> Option<String>) {
        let arguments: Vec<_> = self.arguments.iter().map(Argument::to_string).collect();
        let _ = writeln!(out, "{indent}graph {}({}) {{", self.name, arguments.join(", "));
        // All operations and all types, each with its width.
        let (mut operations, mut types) = (Pieces::default(), Pieces::default());
        for node in &self.nodes {
            operation(&mut operations.text, node);
            operations.end();
            node.ty.write_to(&mut types.text);
            if let Some(Ok(all)) = self.several(node) {
                for ty in all.iter().skip(1) {
                    types.text.push_str("; ");
                    ty.write_to(&mut types.text);
                }
            }
            types.end();
        }
        let digits = |i: usize| i.checked_ilog10().unwrap_or(0) as usize + 1;
        let number = |i: usize| "% = ".len() + digits(i);
        let widths = operations.widths.iter().enumerate().map(|(i, width)| number(i) + width);
        let width = widths.max().unwrap_or(0).min(56);
        let type_width = types.widths.iter().copied().max().unwrap_or(0);
        let (mut operations, mut types) = (operations.each(), types.each());
        let (mut loc, mut line) = (None, None);
        for (i, node) in self.nodes.iter().enumerate() {
            out.push_str(indent);
            out.push_str("    %");
            out.push_str(&i.to_string());
            out.push_str(" = ");
            let own = operations.write_next(out);
            pad(out, (width + 2).saturating_sub(number(i)).saturating_sub(own).max(2));
            let own = types.write_next(out);
            pad(out, type_width + 2 - own);
            out.push_str(&node.origin.name);
            if loc != Some(node.origin.loc) {
                (loc, line) = (Some(node.origin.loc), place(node.origin.loc));
            }
            if let Some(line) = &line {
                out.push_str("  ");
                out.push_str(line);
            }
            while out.ends_with(' ') {
                out.pop();
            }
            out.push('\n');
            if let Op::Repeat(repeat) = &node.op {
                repeat.body.write_at(out, &format!("{indent}        "), place);
            }
        }
        for rule in &self.rules {
            let _ = writeln!(out, "{indent}    where {rule}");
        }
        for (_, check) in &self.checks {
            let _ = writeln!(out, "{indent}    expects {check}");
        }
        for output in &self.outputs {
            let _ = writeln!(out, "{indent}    {} = {}", output.role, output.value);
        }
        let _ = writeln!(out, "{indent}}}");
    }
}

/// Texts one behind the other.
#[derive(Default)]
struct Pieces {
    text: String,
    /// Where each one ends.
    ends: Vec<usize>,
    /// How many characters each one has.
    widths: Vec<usize>,
}

impl Pieces {
    /// The text that was not a piece becomes one.
    fn end(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        self.ends.push(self.text.len());
        self.widths.push(self.text[start..].chars().count());
    }

    fn each(&self) -> Each<'_> {
        Each { pieces: self, next: 0 }
    }
}

/// Pieces, from the first to the last.
struct Each<'p> {
    pieces: &'p Pieces,
    next: usize,
}

impl Each<'_> {
    /// Writes the next piece; gives its width.
    fn write_next(&mut self, out: &mut String) -> usize {
        let (at, pieces) = (self.next, self.pieces);
        let start = if at == 0 { 0 } else { pieces.ends[at - 1] };
        out.push_str(&pieces.text[start..pieces.ends[at]]);
        self.next += 1;
        pieces.widths[at]
    }
}

/// `add(%2, %3)`.
fn operation(out: &mut String, node: &Node) {
    let _ = match &node.op {
        Op::Input(i) => write!(out, "argument {i}"),
        Op::Parameter(i) => write!(out, "parameter {i}"),
        Op::RoundParameter { first, steps } => write!(out, "parameter {first}{}", rounds(steps)),
        Op::Mirror { first, steps } => write!(out, "mirror {first}{}", rounds(steps)),
        Op::State(i) => write!(out, "state {i}"),
        Op::RoundState { first, steps } => write!(out, "state {first}{}", rounds(steps)),
        Op::Const(c) => write!(out, "{c}"),
        Op::Size(size) => write!(out, "size {size}"),
        Op::Iota(axis) => write!(out, "iota along {axis}"),
        Op::LossScale => write!(out, "loss_scale"),
        Op::Random(stream) => write!(out, "random stream {stream}"),
        Op::Get(i) => write!(out, "{}.{i}", node.inputs[0]),
        Op::MatMul { ta, tb } => {
            let t = |t: &bool| if *t { "ᵀ" } else { "" };
            write!(out, "{}{} · {}{}", node.inputs[0], t(ta), node.inputs[1], t(tb))
        }
        Op::Repeat(repeat) => write!(
            out,
            "repeat {}{}({})",
            repeat.count,
            if repeat.reverse { " reversed" } else { "" },
            operands_of_loop(repeat, &node.inputs)
        ),
        op => {
            match op {
                Op::Unary(g) => out.push_str(g.name()),
                Op::Binary(g) => out.push_str(g.name()),
                Op::Routine(call) => routine(out, call),
                Op::Reduce(g, axes) => {
                    let _ = write!(out, "{}{axes:?}", g.name());
                }
                op => out.push_str(&primitives::write(op)),
            }
            out.push('(');
            list(out, &node.inputs);
            out.push(')');
            Ok(())
        }
    };
}

/// `routine topk to 5 reversed`.
fn routine(out: &mut String, call: &Call) {
    let _ = write!(out, "routine {}", call.routine.name());
    let _ = call.length.iter().try_for_each(|length| write!(out, " to {length}"));
    out.push_str(if call.reverse { " reversed" } else { "" });
}

/// ` + 6·round + 2·round`: the outermost loop's first.
fn rounds(steps: &[usize]) -> String {
    steps.iter().map(|step| format!(" + {step}·round")).collect()
}

fn list(out: &mut String, values: &[Value]) {
    for (i, value) in values.iter().enumerate() {
        out.push_str(if i == 0 { "%" } else { ", %" });
        out.push_str(&value.0.to_string());
    }
}

/// States; what every round sees; stacks.
fn operands_of_loop(repeat: &Repeat, inputs: &[Value]) -> String {
    let (states, rest) = inputs.split_at(repeat.states.min(inputs.len()));
    let (shared, stacks) = rest.split_at(repeat.shared.min(rest.len()));
    let mut text = String::new();
    list(&mut text, states);
    text.push_str("; ");
    list(&mut text, shared);
    text.push_str("; ");
    list(&mut text, stacks);
    text.trim_end_matches([' ', ';']).to_string()
}

/// So many spaces.
pub(crate) fn pad(out: &mut String, mut width: usize) {
    const SPACES: &str = "                                                                ";
    while width > 0 {
        let now = width.min(SPACES.len());
        out.push_str(&SPACES[..now]);
        width -= now;
    }
}
