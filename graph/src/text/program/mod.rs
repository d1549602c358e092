//! Programs as text: for people, and as a listing of everything that can be read back ([`read`]).

use std::borrow::Cow;
use std::fmt::Write;

use super::pad;

use crate::program::ending::Ending;
use crate::program::lives::lives;
use crate::program::{
    Access, Buffer, Family, Index, Launch, Level, Named, Place, Program, Right, Source, Stage, Target, Task, TaskKind,
    Tile,
};
use crate::scalar::{Binary, Code, Instr, Unary};
use crate::size::Size;
use crate::types::shape_text;

mod listing;
mod read;

pub use read::read;

/// Where a launch comes from.
type Line<'a> = &'a dyn Fn(&Launch) -> Option<String>;

/// A program as text. What runs programs needs none, so this stands with the compiler.
pub trait ProgramText {
    /// For people.
    fn to_text(&self) -> String {
        self.with_lines(&|_| None)
    }

    /// For people, with the line in the source where each launch comes from: `src/main.rs:14`.
    fn with_lines(&self, line: &dyn Fn(&Launch) -> Option<String>) -> String;

    /// All of the program, which [`read`] reads.
    fn listing(&self) -> String;
}

impl ProgramText for Program {
    fn with_lines(&self, line: Line<'_>) -> String {
        let mut text = String::new();
        let named = |list: &[Named]| {
            let strided = |n: &Named| if n.strided { " strided" } else { "" };
            let all: Vec<_> = list.iter().map(|n| format!("{}: {}{}", n.name, n.ty, strided(n))).collect();
            all.join(", ")
        };
        let (arguments, results) = (named(&self.arguments), named(&self.results));
        let _ = writeln!(text, "program {}({arguments}) -> ({results})\n\nmemory", self.name);
        for (what, sizes) in [("of the arena", &self.arena), ("alive at one time", &self.bound)] {
            let sizes: Vec<_> = sizes.iter().map(Size::to_string).collect();
            let most = if sizes.len() > 1 { "the greatest of " } else { "" };
            let _ = writeln!(text, "    bytes {what}: {most}{}", sizes.join(", "));
        }
        let lives = lives(&self.launches, &self.schedule, self.buffers.len());
        let sizes: Vec<String> = self.buffers.iter().map(|b| b.size.to_string()).collect();
        let width = self.buffers.iter().map(|b| b.name.len()).max().unwrap_or(0);
        let size_width = sizes.iter().map(String::len).max().unwrap_or(0);
        for ((i, buffer), size) in self.buffers.iter().enumerate().zip(&sizes) {
            let _ = write!(text, "    b{i:<3} {}", buffer.name);
            pad(&mut text, width.saturating_sub(buffer.name.chars().count()) + 2 + size_width - size.len());
            text.push_str(size);
            text.push(' ');
            text.push_str(buffer.dtype.name());
            text.push_str("  ");
            let place = place(self, buffer);
            text.push_str(&place);
            pad(&mut text, 28usize.saturating_sub(place.chars().count()) + 1);
            if let Some((first, last)) = lives[i] {
                let _ = write!(text, "kernels {first} to {last}");
            }
            text.push('\n');
        }
        text.push_str("\nkernels\n");
        write_steps(&mut text, self, &self.schedule, "    ", line);
        text
    }

    fn listing(&self) -> String {
        listing::listing(self)
    }
}

fn write_steps(text: &mut String, program: &Program, steps: &[Task], indent: &str, line: Line<'_>) {
    for step in steps {
        match &step.kind {
            TaskKind::Launch(i) => write_launch(text, &program.launches[*i], *i, indent, line),
            TaskKind::Loop { count, reverse, body } => {
                let way = if *reverse { " from the last" } else { "" };
                let _ = writeln!(text, "{indent}repeat {count} times{way}");
                write_steps(text, program, body, &format!("{indent}    "), line);
            }
            TaskKind::Ending(task) => {
                let _ = writeln!(text, "{indent}{}", ending(task));
            }
        }
    }
}

/// What it does, of which parameters or states.
fn ending(task: &Ending) -> String {
    let of: Vec<String> = task.of.iter().map(usize::to_string).collect();
    format!("{} [{}]", task.kind.name(), of.join(", "))
}

fn place(program: &Program, buffer: &Buffer) -> String {
    let moved = |size: &Size, what: &str| match size.is_zero() {
        true => String::new(),
        false if size.terms().len() > 1 && !what.is_empty() => format!(" + ({size}){what}"),
        false => format!(" + {size}{what}"),
    };
    let rounds = buffer.strides.iter().map(|stride| moved(stride, "·round"));
    let behind: String = std::iter::once(moved(&buffer.start, "")).chain(rounds).collect();
    let place = match &buffer.place {
        Place::Argument(i) => format!("argument `{}`", program.arguments[*i].name),
        Place::Result(i) => format!("result {i}"),
        Place::Parameter(i) => format!("parameter {i}"),
        Place::Mirror(i) => format!("mirror {i}"),
        Place::Gradient(i) => format!("gradient {i}"),
        Place::State(i) => format!("state {i}"),
        Place::Check(i) => format!("check {i}"),
        // The only number of bytes: all that follows, here and elsewhere, are elements.
        Place::Arena(offset) => match offset.terms().len() {
            0 => "arena".to_string(),
            1 => format!("arena at byte {offset}"),
            _ => format!("arena at byte ({offset})"),
        },
    };
    place + &behind
}

/// What it runs over: `rows [N], reduced over [10]`.
pub(crate) fn space_text(launch: &Launch) -> String {
    match &launch.family {
        Family::Flat => format!("each of {}", shape_text(&launch.space)),
        Family::Row => format!("rows {}, reduced over {}", shape_text(&launch.space), shape_text(&launch.reduce)),
        Family::Column => format!("columns {}, reduced over {}", shape_text(&launch.space), shape_text(&launch.reduce)),
        Family::Scatter(axis) => format!(
            "scattered along {} of {}, {} = {} at {}",
            axis,
            shape_text(&launch.space),
            access_text(&launch.stores[0]),
            format_args!("sums of {}", access_text(&launch.loads[1])),
            access_text(&launch.loads[0]),
        ),
        Family::Routine { routine, reverse } => {
            let names = |all: &[Access]| all.iter().map(|a| format!("b{}", a.buffer)).collect::<Vec<_>>().join(", ");
            let way = if *reverse { " reversed" } else { "" };
            let (from, to) = (names(&launch.loads), names(&launch.stores));
            format!(
                "rows {} of {}: {to} = {}{way}({from})",
                shape_text(&launch.space),
                shape_text(&launch.reduce),
                routine.name()
            )
        }
        Family::Tile(tile) => format!("tiles of {}: {}", shape_text(&launch.space), tile_text(tile)),
    }
}

fn write_launch(text: &mut String, launch: &Launch, number: usize, indent: &str, line: Line<'_>) {
    let _ = write!(text, "{indent}{number:>2}  {}", launch.name);
    if let Some(line) = line(launch) {
        text.push_str("  ");
        text.push_str(&line);
    }
    for part in ["\n", indent, "      ", &space_text(launch), "\n"] {
        text.push_str(part);
    }
    for stage in &launch.stages {
        write_stage(text, launch, stage, indent);
    }
    if let Some(parameter) = launch.updates {
        let _ = writeln!(text, "{indent}      updates parameter {parameter}");
    }
}

fn write_stage(text: &mut String, launch: &Launch, stage: &Stage, indent: &str) {
    if launch.stages.len() > 1 {
        let each = if stage.level == Level::Element { "element" } else { "row" };
        let _ = writeln!(text, "{indent}      each {each}");
    }
    let inputs = stage.inputs.iter().map(|s| match s {
        Source::Load(l) => access_text(&launch.loads[*l]),
        Source::Acc => "acc".into(),
        Source::Row(r) => format!("row{r}"),
        Source::Index(d) => dim_name(*d).into_owned(),
        Source::Size(size) if size.to_string().contains(['*', ' ']) => format!("({size})"),
        Source::Size(size) => size.to_string(),
        Source::LossScale => "loss_scale".into(),
        Source::Random { stream, .. } => format!("random{stream}"),
        Source::Gather { from, dim: at, index } => {
            let (from, value) = (&launch.loads[*from], access_text(&launch.loads[*index]));
            let named = |(d, i): (usize, &Index)| if d == *at { value.clone() } else { index_text(i) };
            let index: Vec<_> = from.index.iter().enumerate().map(named).collect();
            format!("b{}[{}]", from.buffer, index.join(", "))
        }
    });
    let (lines, names) = code_text(&stage.code, &inputs.collect::<Vec<_>>());
    for line in lines {
        for part in [indent, "        ", &line, "\n"] {
            text.push_str(part);
        }
    }
    for (name, target) in names.iter().zip(&stage.outputs) {
        let target = match target {
            Target::Store(s) => access_text(&launch.stores[*s]),
            Target::Row(r) => format!("row{r}"),
            Target::Reduce(g, r) => format!("row{r} {}", g.name()),
        };
        for part in [indent, "        ", &target, " = ", name, "\n"] {
            text.push_str(part);
        }
    }
}

/// The name of a loop.
fn dim_name(d: usize) -> Cow<'static, str> {
    match ["i", "j", "k", "l", "m", "n", "o", "p"].get(d) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("i{d}")),
    }
}

/// `b3[i, 2·j + 1]`.
fn access_text(access: &Access) -> String {
    let mut text = format!("b{}[", access.buffer);
    for (axis, index) in access.index.iter().enumerate() {
        text.push_str(if axis == 0 { "" } else { ", " });
        write_index(&mut text, index);
    }
    text.push(']');
    for (index, size) in &access.within {
        let _ = write!(text, " while {} in 0..{size}", index_text(index));
    }
    if let Some(outside) = access.outside {
        let _ = write!(text, " else {outside:?}");
    }
    text
}

fn index_text(index: &Index) -> String {
    let mut text = String::new();
    write_index(&mut text, index);
    text
}

fn write_index(text: &mut String, index: &Index) {
    let start = text.len();
    for (d, c) in &index.terms {
        if text.len() > start {
            text.push_str(" + ");
        }
        if *c != 1 {
            let _ = write!(text, "{c}·");
        }
        text.push_str(&dim_name(*d));
    }
    match index.offset.as_const() {
        _ if text.len() == start => index.offset.write_to(text),
        Some(0) => {}
        Some(o) if o < 0 => {
            let _ = write!(text, " - {}", -o);
        }
        _ => {
            text.push_str(" + ");
            index.offset.write_to(text);
        }
    }
    if index.divide != 1 {
        text.insert(start, '(');
        let _ = write!(text, ") {} {}", if index.exact { "÷" } else { "/" }, index.divide);
    }
    if index.modulo != 0 {
        text.insert(start, '(');
        let _ = write!(text, ") % {}", index.modulo);
    }
}

/// Each output as one expression over the inputs; what is used more than once gets a name and a line of its own.
fn code_text(code: &Code, inputs: &[String]) -> (Vec<String>, Vec<String>) {
    let mut uses = vec![0; inputs.len() + code.instrs.len()];
    let operands = |instr: &Instr| match *instr {
        Instr::Const(_) => vec![],
        Instr::Unary(_, x) => vec![x],
        Instr::Binary(_, x, y) => vec![x, y],
        Instr::Select(c, x, y) => vec![c, x, y],
        Instr::To(_, x) => vec![x],
    };
    code.instrs.iter().flat_map(operands).chain(code.outputs.iter().copied()).for_each(|s| uses[s as usize] += 1);
    let mut slots: Vec<String> = inputs.to_vec();
    let mut lines = vec![];
    for instr in &code.instrs {
        let at = |s: &u32| slots[*s as usize].clone();
        let text = match instr {
            Instr::Const(c) => c.to_string(),
            Instr::Unary(Unary::Neg, x) => format!("-{}", at(x)),
            Instr::Unary(g, x) => format!("{}({})", g.name(), bare(&at(x))),
            Instr::Binary(g, x, y) => match sign(*g) {
                Some(sign) => format!("({} {sign} {})", at(x), at(y)),
                None => format!("{}({}, {})", g.name(), bare(&at(x)), bare(&at(y))),
            },
            Instr::Select(c, x, y) => format!("({} ? {} : {})", at(c), at(x), at(y)),
            Instr::To(dtype, x) => format!("{dtype}({})", bare(&at(x))),
        };
        let named = uses[slots.len()] > 1 && !matches!(instr, Instr::Const(_));
        slots.push(match named {
            true => {
                let name = format!("t{}", lines.len());
                lines.push(format!("{name} = {}", bare(&text)));
                name
            }
            false => text,
        });
    }
    (lines, code.outputs.iter().map(|s| bare(&slots[*s as usize]).to_string()).collect())
}

/// Without the brackets around the whole.
fn bare(text: &str) -> &str {
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
    let balanced = |t: &&str| {
        let mut depth = 0;
        t.chars().all(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth >= 0
        })
    };
    inner.filter(balanced).unwrap_or(text)
}

fn sign(f: Binary) -> Option<&'static str> {
    use Binary::*;
    Some(match f {
        Add => "+",
        Sub => "-",
        Mul => "·",
        Div => "/",
        Lt => "<",
        Le => "≤",
        Gt => ">",
        Ge => "≥",
        Eq => "=",
        Ne => "≠",
        _ => return None,
    })
}

fn tile_text(tile: &Tile) -> String {
    match tile {
        Tile::MatMul { k, a, b } => {
            let right = match b {
                Right::Strided(b) => format!("b{}", b.buffer),
                Right::Panels(b) => format!("panels b{b}"),
                Right::PanelsTransposed(b) => format!("panelsᵀ b{b}"),
            };
            format!("b{} · {right}, sums of {k}", a.buffer)
        }
        Tile::Conv2d { conv, input, weight } => {
            format!("convolution of b{} with b{weight}, {}×{}×{}", input.buffer, conv.kernel[0], conv.kernel[1], conv.c)
        }
        Tile::Conv2dInputGrad { conv, dy, weight } => {
            format!("spread of b{} by b{weight}, {}×{}×{}", dy.buffer, conv.kernel[0], conv.kernel[1], conv.o)
        }
        Tile::Conv2dWeightGrad { input, dy, .. } => format!("correlation of b{} with b{}", input.buffer, dy.buffer),
    }
}
