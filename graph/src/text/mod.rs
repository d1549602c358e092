//! The textual form of graphs and programs: for tests, for `explain`, for people. That of graphs can be read back ([`read`]).
//!
//! ```text
//! %4 = add(%2, %3)        f32[N, 20, 24, 24]   conv1
//! ```

use std::fmt::{self, Write};

use crate::diagnostic::Loc;
use crate::graph::{Argument, Graph, Node, Op, Repeat, Role, Value};

mod primitives;
mod program;
mod read;

pub use read::{ReadError, read};

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
            Role::State(i) => write!(f, "state {i}"),
            Role::RoundState { first, steps } => write!(f, "state {first}{}", rounds(steps)),
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)?;
        self.below.iter().try_for_each(|b| {
            write!(f, " in {}..{}", b.least, b.limit)?;
            b.or.iter().try_for_each(|or| write!(f, " or {or}"))?;
            write!(f, " for {}", b.by)
        })
    }
}

impl fmt::Display for Graph {
    /// One node a line; constants and views stand like all others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_at(f, "", &|_| None)
    }
}

/// A graph or a program with the line in the source beside each part: `src/main.rs:14`.
struct Placed<'a, T, P: ?Sized>(&'a T, &'a P);

impl fmt::Display for Placed<'_, Graph, dyn Fn(Loc) -> Option<String> + '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_at(f, "", self.1)
    }
}

impl Graph {
    /// As `Display`, with the line in the source where each node comes from.
    pub fn with_lines(&self, line: &dyn Fn(Loc) -> Option<String>) -> String {
        Placed(self, line).to_string()
    }

    fn fmt_at(&self, f: &mut fmt::Formatter<'_>, indent: &str, place: &dyn Fn(Loc) -> Option<String>) -> fmt::Result {
        let arguments: Vec<_> = self.arguments.iter().map(Argument::to_string).collect();
        writeln!(f, "{indent}graph {}({}) {{", self.name, arguments.join(", "))?;
        let lines: Vec<_> = self.nodes.iter().map(|n| (operation(n), n.ty.to_string(), n)).collect();
        let number = |i: usize| i.checked_ilog10().unwrap_or(0) as usize + "%0 = ".len();
        let widths = lines.iter().enumerate().map(|(i, (line, ..))| number(i) + line.chars().count());
        let width = widths.max().unwrap_or(0).min(56);
        let types = lines.iter().map(|(_, ty, _)| ty.len()).max().unwrap_or(0);
        for (i, (line, ty, node)) in lines.iter().enumerate() {
            let rest = width.saturating_sub(number(i));
            let mut text = format!("{indent}    %{i} = {line:rest$}  {ty:types$}  {}", node.origin.name);
            if let Some(line) = place(node.origin.loc) {
                text += "  ";
                text += &line;
            }
            f.write_str(text.trim_end())?;
            f.write_str("\n")?;
            if let Op::Repeat(repeat) = &node.op {
                repeat.body.fmt_at(f, &format!("{indent}        "), place)?;
            }
        }
        for rule in &self.rules {
            writeln!(f, "{indent}    where {rule}")?;
        }
        for output in &self.outputs {
            writeln!(f, "{indent}    {} = {}", output.role, output.value)?;
        }
        writeln!(f, "{indent}}}")
    }
}

/// `add(%2, %3)`.
fn operation(node: &Node) -> String {
    let operands = list(&node.inputs);
    let named = |name: String| format!("{name}({operands})");
    match &node.op {
        Op::Input(i) => format!("argument {i}"),
        Op::Parameter(i) => format!("parameter {i}"),
        Op::RoundParameter { first, steps } => format!("parameter {first}{}", rounds(steps)),
        Op::State(i) => format!("state {i}"),
        Op::RoundState { first, steps } => format!("state {first}{}", rounds(steps)),
        Op::Const(c) => format!("{c:?}"),
        Op::Size(size) => format!("size {size}"),
        Op::Iota(axis) => format!("iota along {axis}"),
        Op::Random(stream) => format!("random stream {stream}"),
        Op::Get(i) => format!("{}.{i}", node.inputs[0]),
        Op::MatMul { ta, tb } => {
            let t = |t: &bool| if *t { "ᵀ" } else { "" };
            format!("{}{} · {}{}", node.inputs[0], t(ta), node.inputs[1], t(tb))
        }
        Op::Repeat(repeat) => format!(
            "repeat {}{}({})",
            repeat.count,
            if repeat.reverse { " reversed" } else { "" },
            operands_of_loop(repeat, &node.inputs)
        ),
        Op::Unary(g) => named(lower(g)),
        Op::Binary(g) => named(lower(g)),
        Op::Reduce(g, axes) => named(format!("{}{axes:?}", lower(g))),
        op => named(primitives::write(op)),
    }
}

/// ` + 6·round + 2·round`: the outermost loop's first.
fn rounds(steps: &[usize]) -> String {
    steps.iter().map(|step| format!(" + {step}·round")).collect()
}

fn list(values: &[Value]) -> String {
    let mut text = String::new();
    for (i, value) in values.iter().enumerate() {
        let _ = write!(text, "{}{value}", if i == 0 { "" } else { ", " });
    }
    text
}

/// States; what every round sees; stacks.
fn operands_of_loop(repeat: &Repeat, inputs: &[Value]) -> String {
    let (states, rest) = inputs.split_at(repeat.states.min(inputs.len()));
    let (shared, stacks) = rest.split_at(repeat.shared.min(rest.len()));
    let text = format!("{}; {}; {}", list(states), list(shared), list(stacks));
    text.trim_end_matches([' ', ';']).to_string()
}

fn lower(name: &impl fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}
