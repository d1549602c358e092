//! A program as a listing: all of it, a line each, to be read back by [`super::read`].

use std::fmt::{self, Write};

use crate::program::{
    Access, Buffer, Conv, Family, Index, Launch, Level, Must, Named, Place, Program, Right, Source, Stage, Strided,
    Target, Task, TaskKind, Tile,
};
use crate::rules::Rule;
use crate::scalar::Instr;
use crate::size::Size;
use crate::types::shape_text;

/// All of the program as text, which [`super::read`] reads.
pub(super) fn listing(p: &Program) -> String {
    let mut out = String::new();
    // A `String` takes whatever is written.
    let _ = program(&mut out, p);
    out
}

fn program(out: &mut String, p: &Program) -> fmt::Result {
    writeln!(out, "program {}", p.name)?;
    for (what, list) in [("argument", &p.arguments), ("result", &p.results)] {
        list.iter().try_for_each(|n| named(out, what, n))?;
    }
    p.donates.iter().try_for_each(|(from, to)| writeln!(out, "donates {from} to {to}"))?;
    p.rules.iter().try_for_each(|r| rule(out, r))?;
    for check in &p.checks {
        let (loc, rounds, axes) = (check.loc, check.rounds, check.axes);
        write!(out, "expects {axes} axes in {rounds} loops, at {loc}: ")?;
        match &check.must {
            Must::Lie(below) => writeln!(out, "in {below}")?,
            Must::Divide(by) => writeln!(out, "no 0 for {by}")?,
        }
    }
    writeln!(out, "states {:?}\nassigns {:?}", p.states, p.assigns)?;
    writeln!(out, "arena {}\nbound {}", shape_text(&p.arena), shape_text(&p.bound))?;
    writeln!(out, "flops ({})", p.flops)?;
    p.buffers.iter().enumerate().try_for_each(|(i, b)| buffer(out, i, b))?;
    p.launches.iter().enumerate().try_for_each(|(i, l)| launch(out, i, l))?;
    writeln!(out, "schedule")?;
    steps(out, &p.schedule, "    ")
}

fn named(out: &mut String, what: &str, named: &Named) -> fmt::Result {
    write!(out, "{what} {}{}", named.ty, if named.strided { " strided" } else { "" })?;
    named.below.iter().try_for_each(|below| write!(out, " in {below}"))?;
    writeln!(out, ": {}", named.name)
}

fn rule(out: &mut String, rule: &Rule) -> fmt::Result {
    write!(out, "where {rule}")?;
    if rule.not_empty {
        write!(out, ", not empty")?;
    }
    if let Some(reason) = &rule.reason {
        write!(out, ", at {} for {}: {}", reason.loc, reason.name, reason.why)?;
    }
    writeln!(out)
}

fn buffer(out: &mut String, number: usize, buffer: &Buffer) -> fmt::Result {
    write!(out, "buffer {number} {} ({}) ", buffer.dtype, buffer.size)?;
    match &buffer.place {
        Place::Argument(i) => write!(out, "argument {i}"),
        Place::Result(i) => write!(out, "result {i}"),
        Place::Parameter(i) => write!(out, "parameter {i}"),
        Place::Mirror(i) => write!(out, "mirror {i}"),
        Place::Gradient(i) => write!(out, "gradient {i}"),
        Place::State(i) => write!(out, "state {i}"),
        Place::Check(i) => write!(out, "check {i}"),
        Place::Arena(at) => write!(out, "arena ({at})"),
    }?;
    if let Some(whole) = buffer.part_of {
        write!(out, " part of {whole}")?;
    }
    if !buffer.start.is_zero() {
        write!(out, " start ({})", buffer.start)?;
    }
    if !buffer.strides.is_empty() {
        write!(out, " strides {}", shape_text(&buffer.strides))?;
    }
    writeln!(out, ": {}", buffer.name)
}

fn launch(out: &mut String, number: usize, launch: &Launch) -> fmt::Result {
    writeln!(out, "launch {number} at {}: {}", launch.loc, launch.name)?;
    write!(out, "    space {} reduce {} ", shape_text(&launch.space), shape_text(&launch.reduce))?;
    match &launch.family {
        Family::Flat => writeln!(out, "flat"),
        Family::Row => writeln!(out, "row"),
        Family::Column => writeln!(out, "column"),
        Family::Scatter(axis) => writeln!(out, "scatter {axis}"),
        Family::Routine { routine, reverse } => {
            writeln!(out, "routine {}{}", routine.name(), if *reverse { " reverse" } else { "" })
        }
        Family::Tile(tile) => self::tile(out, tile),
    }?;
    for (what, list) in [("load", &launch.loads), ("store", &launch.stores)] {
        list.iter().enumerate().try_for_each(|(i, a)| access(out, what, i, a))?;
    }
    launch.stages.iter().try_for_each(|s| stage(out, s))?;
    match launch.updates {
        Some(parameter) => writeln!(out, "    updates {parameter}"),
        None => Ok(()),
    }
}

fn tile(out: &mut String, tile: &Tile) -> fmt::Result {
    match tile {
        Tile::MatMul { k, a, b } => {
            let b = match b {
                Right::Strided(b) => strided(b),
                Right::Panels(b) => format!("panels b{b}"),
                Right::PanelsTransposed(b) => format!("panelsᵀ b{b}"),
            };
            writeln!(out, "matmul ({k}) {} · {b}", strided(a))
        }
        Tile::Conv2d { conv: c, input, weight } => {
            writeln!(out, "convolution {} with b{weight} {}", strided(input), conv(c))
        }
        Tile::Conv2dInputGrad { conv: c, dy, weight } => {
            writeln!(out, "spread {} with b{weight} {}", strided(dy), conv(c))
        }
        Tile::Conv2dWeightGrad { conv: c, input, dy } => {
            writeln!(out, "correlation {} with {} {}", strided(input), strided(dy), conv(c))
        }
    }
}

fn strided(operand: &Strided) -> String {
    format!("b{}{} + ({})", operand.buffer, shape_text(&operand.strides), operand.offset)
}

fn conv(conv: &Conv) -> String {
    let Conv { n, h, w, c, y, x, o, kernel, stride, padding, dilation, groups } = conv;
    let [input, output] = [[n, h, w, &(*c).into()], [n, y, x, &(*o).into()]].map(|s| shape_text(&s.map(Size::clone)));
    format!(
        "{input} to {output} kernel {kernel:?} stride {stride:?} padding {padding:?} dilation {dilation:?} groups {groups}"
    )
}

fn access(out: &mut String, what: &str, number: usize, access: &Access) -> fmt::Result {
    let index: Vec<_> = access.index.iter().map(index).collect();
    write!(out, "    {what} {number} = b{}{}", access.buffer, shape_text(&access.dims))?;
    if let Some(strides) = &access.strides {
        write!(out, " strides {}", shape_text(strides))?;
    }
    write!(out, " at [{}]", index.join(", "))?;
    for (at, size) in &access.within {
        write!(out, " while {} in ({size})", self::index(at))?;
    }
    match access.outside {
        Some(outside) => writeln!(out, " else {outside}"),
        None => writeln!(out),
    }
}

/// `2·%0 + %1 + (N - 1) / 2 mod 3`: what divides and what follows it takes all that stands before.
fn index(index: &Index) -> String {
    let mut parts: Vec<String> = index.terms.iter().map(|(d, c)| format!("{c}·%{d}")).collect();
    for (part, (d, c)) in parts.iter_mut().zip(&index.terms) {
        if *c == 1 {
            *part = format!("%{d}");
        }
    }
    if !index.offset.is_zero() || parts.is_empty() {
        parts.push(format!("({})", index.offset));
    }
    let mut text = parts.join(" + ");
    match (index.exact, index.divide) {
        (false, 1) => {}
        (exact, by) => text += &format!(" {} {by}", if exact { '÷' } else { '/' }),
    }
    if index.modulo != 0 {
        text += &format!(" mod {}", index.modulo);
    }
    text
}

fn stage(out: &mut String, stage: &Stage) -> fmt::Result {
    writeln!(out, "    each {}", if stage.level == Level::Element { "element" } else { "row" })?;
    let code = &stage.code;
    for (slot, (source, lane)) in stage.inputs.iter().zip(&code.inputs).enumerate() {
        write!(out, "        t{slot}: {} = ", lane.dtype())?;
        match source {
            Source::Load(l) => writeln!(out, "load {l}"),
            Source::Acc => writeln!(out, "acc"),
            Source::Row(r) => writeln!(out, "row {r}"),
            Source::Index(d) => writeln!(out, "index {d}"),
            Source::Size(size) => writeln!(out, "size ({size})"),
            Source::LossScale => writeln!(out, "loss_scale"),
            Source::Random { stream, strides, round, offset } => {
                writeln!(out, "random {stream} at {} + ({round})·round + ({offset})", shape_text(strides))
            }
            Source::Gather { from, dim, index } => writeln!(out, "gather {from} along {dim} by {index}"),
        }?;
    }
    for (i, instr) in code.instrs.iter().enumerate() {
        write!(out, "        t{} = ", code.inputs.len() + i)?;
        match instr {
            Instr::Const(c) => writeln!(out, "{c}"),
            Instr::Unary(f, x) => writeln!(out, "{}(t{x})", f.name()),
            Instr::Binary(f, x, y) => writeln!(out, "{}(t{x}, t{y})", f.name()),
            Instr::Select(c, x, y) => writeln!(out, "select(t{c}, t{x}, t{y})"),
            Instr::To(dtype, x) => writeln!(out, "{dtype}(t{x})"),
        }?;
    }
    for (target, slot) in stage.outputs.iter().zip(&code.outputs) {
        match target {
            Target::Store(s) => writeln!(out, "        store {s} = t{slot}"),
            Target::Row(r) => writeln!(out, "        row {r} = t{slot}"),
            Target::Reduce(f, r) => writeln!(out, "        row {r} = {} t{slot}", f.name()),
        }?;
    }
    Ok(())
}

fn steps(out: &mut String, all: &[Task], indent: &str) -> fmt::Result {
    for step in all {
        let stream = if step.stream == 0 { String::new() } else { format!(" on stream {}", step.stream) };
        match &step.kind {
            TaskKind::Launch(i) => writeln!(out, "{indent}launch {i}{stream}")?,
            TaskKind::Loop { count, reverse, body } => {
                writeln!(out, "{indent}repeat ({count}){}{stream}", if *reverse { " reversed" } else { "" })?;
                steps(out, body, &format!("{indent}    "))?;
                writeln!(out, "{indent}end")?;
            }
            TaskKind::Ending(ending) => writeln!(out, "{indent}{}{stream}", super::ending(ending))?,
        }
    }
    Ok(())
}
