//! The textual form of programs.

use std::fmt;

use super::{Placed, lower};
use crate::program::{
    Access, Buffer, Family, Index, Launch, Level, Place, Program, Right, Source, Stage, Step, Target, Tile,
};
use crate::scalar::{Binary, Code, Instr, Reduction, Unary};
use crate::size::Size;
use crate::types::shape_text;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with(f, &|_| None)
    }
}

impl fmt::Display for Placed<'_, Program, dyn Fn(&Launch) -> Option<String> + '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_with(f, self.1)
    }
}

/// Where a launch comes from.
type Line<'a> = &'a dyn Fn(&Launch) -> Option<String>;

impl Program {
    /// As `Display`, with the line in the source where each launch comes from.
    pub fn with_lines(&self, line: &dyn Fn(&Launch) -> Option<String>) -> String {
        Placed(self, line).to_string()
    }

    fn fmt_with(&self, f: &mut fmt::Formatter<'_>, line: Line<'_>) -> fmt::Result {
        let named = |list: &[crate::program::Named]| {
            let all: Vec<_> = list.iter().map(|n| format!("{}: {}", n.name, n.ty)).collect();
            all.join(", ")
        };
        writeln!(f, "program {}({}) -> ({})", self.name, named(&self.arguments), named(&self.results))?;
        writeln!(f, "\nmemory")?;
        for (what, sizes) in [("of the arena", &self.arena), ("alive at one time", &self.bound)] {
            let sizes: Vec<_> = sizes.iter().map(Size::to_string).collect();
            let most = if sizes.len() > 1 { "the greatest of " } else { "" };
            writeln!(f, "    floats {what}: {most}{}", sizes.join(", "))?;
        }
        let lives = crate::plan::lives(&self.launches, &self.schedule, self.buffers.len());
        let rows: Vec<_> = self.buffers.iter().enumerate().map(|(i, b)| (i, b, place(self, b))).collect();
        let width = rows.iter().map(|(_, b, _)| b.name.len()).max().unwrap_or(0);
        let sizes = rows.iter().map(|(_, b, _)| b.size.to_string().len()).max().unwrap_or(0);
        for (i, buffer, place) in rows {
            let life = lives[i].map_or(String::new(), |(a, b)| format!("kernels {a} to {b}"));
            writeln!(
                f,
                "    b{i:<3} {:width$}  {:>sizes$} {}  {place:28} {life}",
                buffer.name,
                buffer.size.to_string(),
                buffer.dtype
            )?;
        }
        writeln!(f, "\nkernels")?;
        self.fmt_steps(f, &self.schedule, "    ", line)
    }

    fn fmt_steps(&self, f: &mut fmt::Formatter<'_>, steps: &[Step], indent: &str, line: Line<'_>) -> fmt::Result {
        for step in steps {
            match step {
                Step::Launch(i) => self.launches[*i].fmt_as(f, *i, indent, line)?,
                Step::Repeat { count, reverse, body } => {
                    let way = if *reverse { " from the last" } else { "" };
                    writeln!(f, "{indent}repeat {count} times{way}")?;
                    self.fmt_steps(f, body, &format!("{indent}    "), line)?;
                }
            }
        }
        Ok(())
    }
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
        Place::Gradient(i) => format!("gradient {i}"),
        Place::State(i) => format!("state {i}"),
        Place::Arena(offset) => format!("arena{}", moved(offset, "")),
    };
    place + &behind
}

impl Launch {
    /// What it runs over: `rows [N], reduced over [10]`.
    pub(crate) fn shape_text(&self) -> String {
        match &self.family {
            Family::Flat => format!("each of {}", shape_text(&self.space)),
            Family::Row => format!("rows {}, reduced over {}", shape_text(&self.space), shape_text(&self.reduce)),
            Family::Column => format!("columns {}, reduced over {}", shape_text(&self.space), shape_text(&self.reduce)),
            Family::Scatter(axis) => format!(
                "scattered along {} of {}, {} = {} at {}",
                axis,
                shape_text(&self.space),
                access_text(&self.stores[0], &dim_name),
                format_args!("sums of {}", access_text(&self.loads[1], &dim_name)),
                access_text(&self.loads[0], &dim_name),
            ),
            Family::Tile(tile) => format!("tiles of {}: {}", shape_text(&self.space), tile_text(tile)),
        }
    }

    fn fmt_as(&self, f: &mut fmt::Formatter<'_>, number: usize, indent: &str, line: Line<'_>) -> fmt::Result {
        let place = line(self).map_or(String::new(), |line| format!("  {line}"));
        writeln!(f, "{indent}{number:>2}  {}{place}", self.name)?;
        writeln!(f, "{indent}      {}", self.shape_text())?;
        for stage in &self.stages {
            self.fmt_stage(f, stage, indent, &dim_name)?;
        }
        if let Some(parameter) = self.updates {
            writeln!(f, "{indent}      updates parameter {parameter}")?;
        }
        Ok(())
    }

    fn fmt_stage(
        &self,
        f: &mut fmt::Formatter<'_>,
        stage: &Stage,
        indent: &str,
        dim: &dyn Fn(usize) -> String,
    ) -> fmt::Result {
        let several = self.stages.len() > 1;
        if several {
            writeln!(f, "{indent}      each {}", if stage.level == Level::Element { "element" } else { "row" })?;
        }
        let inputs = stage.inputs.iter().map(|s| match s {
            Source::Load(l) => access_text(&self.loads[*l], dim),
            Source::Acc => "acc".into(),
            Source::Row(r) => format!("row{r}"),
            Source::Index(d) => dim(*d),
            Source::Size(size) if size.to_string().contains(['*', ' ']) => format!("({size})"),
            Source::Size(size) => size.to_string(),
            Source::Random { stream, .. } => format!("random{stream}"),
            Source::Gather { from, dim: at, index } => {
                let (from, value) = (&self.loads[*from], access_text(&self.loads[*index], dim));
                let named = |(d, i): (usize, &Index)| if d == *at { value.clone() } else { index_text(i, dim) };
                let index: Vec<_> = from.index.iter().enumerate().map(named).collect();
                format!("b{}[{}]", from.buffer, index.join(", "))
            }
        });
        let (lines, names) = code_text(&stage.code, &inputs.collect::<Vec<_>>());
        for line in lines {
            writeln!(f, "{indent}        {line}")?;
        }
        for (name, target) in names.iter().zip(&stage.outputs) {
            let target = match target {
                Target::Store(s) => access_text(&self.stores[*s], dim),
                Target::Row(r) => format!("row{r}"),
                Target::Reduce(Reduction::Sum, r) => format!("row{r} sum"),
                Target::Reduce(g, r) => format!("row{r} {}", lower(g)),
            };
            writeln!(f, "{indent}        {target} = {name}")?;
        }
        Ok(())
    }
}

/// The name of a loop.
fn dim_name(d: usize) -> String {
    ["i", "j", "k", "l", "m", "n", "o", "p"].get(d).map_or(format!("i{d}"), |l| l.to_string())
}

/// `b3[i, 2·j + 1]`.
fn access_text(access: &Access, dim: &dyn Fn(usize) -> String) -> String {
    let index: Vec<_> = access.index.iter().map(|i| index_text(i, dim)).collect();
    let within = |(index, size): &(Index, Size)| format!(" while {} in 0..{size}", index_text(index, dim));
    let within: String = access.within.iter().map(within).collect();
    let outside = access.outside.map_or(String::new(), |o| format!(" else {o:?}"));
    format!("b{}[{}]{within}{outside}", access.buffer, index.join(", "))
}

fn index_text(index: &Index, dim: &dyn Fn(usize) -> String) -> String {
    let mut text = String::new();
    for (d, c) in &index.terms {
        let term = if *c == 1 { dim(*d) } else { format!("{c}·{}", dim(*d)) };
        text = if text.is_empty() { term } else { format!("{text} + {term}") };
    }
    match index.offset.as_const() {
        _ if text.is_empty() => text = index.offset.to_string(),
        Some(0) => {}
        Some(o) if o < 0 => text += &format!(" - {}", -o),
        _ => text += &format!(" + {}", index.offset),
    }
    if index.divide != 1 {
        text = format!("({text}) {} {}", if index.exact { "÷" } else { "/" }, index.divide);
    }
    if index.modulo != 0 {
        text = format!("({text}) % {}", index.modulo);
    }
    text
}

/// Each output as one expression over the inputs; what is used more than once gets a name and a line of its own.
fn code_text(code: &Code, inputs: &[String]) -> (Vec<String>, Vec<String>) {
    let mut uses = vec![0; inputs.len() + code.instrs.len()];
    let operands = |instr: &Instr| match *instr {
        Instr::Const(_) => vec![],
        Instr::Unary(_, x) => vec![x],
        Instr::Binary(_, x, y) => vec![x, y],
        Instr::Select(c, x, y) => vec![c, x, y],
    };
    code.instrs.iter().flat_map(operands).chain(code.outputs.iter().copied()).for_each(|s| uses[s as usize] += 1);
    let mut slots: Vec<String> = inputs.to_vec();
    let mut lines = vec![];
    for instr in &code.instrs {
        let at = |s: &u16| slots[*s as usize].clone();
        let text = match instr {
            Instr::Const(c) => format!("{c:?}"),
            Instr::Unary(Unary::Neg, x) => format!("-{}", at(x)),
            Instr::Unary(g, x) => format!("{}({})", lower(g), bare(&at(x))),
            Instr::Binary(g, x, y) => match sign(*g) {
                Some(sign) => format!("({} {sign} {})", at(x), at(y)),
                None => format!("{}({}, {})", lower(g), bare(&at(x)), bare(&at(y))),
            },
            Instr::Select(c, x, y) => format!("({} ? {} : {})", at(c), at(x), at(y)),
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
