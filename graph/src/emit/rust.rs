//! Scalar code as Rust: what `network!` writes for the stages of a net.

use std::collections::HashSet;
use std::fmt::Write;

use super::formula::{self, used};
use super::names::{numbered, plain, role, row, rows, unique};
use crate::net::Net;
use crate::program::{Launch, Program, Source, Stage};
use crate::scalar::{Binary, Code, Domain, Instr, Lane, Literal, Slot, Unary};
use rustc_hash::FxHashMap;

/// Where a stage stands in a net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageId {
    /// Index into [`Net::functions`].
    pub function: usize,
    /// Of the training program, not of the inference program.
    pub training: bool,
    /// Index into the program's launches.
    pub launch: usize,
    /// Index into the launch's stages.
    pub stage: usize,
}

/// A code as a function with a name, for all stages that have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    /// The operations in their order, in upper case, so that no local has it; no other one of the net has it: `ADD_TANH`.
    pub name: String,
    /// One line that says for which launches it computes what: `conv1 + tanh`, `conv2 + tanh`: `tanh(acc + bias)`.
    pub doc: String,
    /// The names of its inputs with their lanes, in order.
    pub inputs: Vec<(String, Lane)>,
    /// The statements: `let t0 = acc + bias;`, one a line.
    pub body: Vec<String>,
    /// What comes out, with its lane: names of statements, none twice.
    pub outputs: Vec<(String, Lane)>,
    /// Whether there are sines or cosines in it, which are handed `far`.
    pub far: bool,
    /// The stages that it computes: all with the same code.
    pub stages: Vec<StageId>,
}

/// A stage that has a code.
struct Use<'a> {
    id: StageId,
    program: &'a Program,
    launch: &'a Launch,
    stage: &'a Stage,
}

/// The distinct codes of a net, in the order in which they first occur. Copies, which compute nothing, are left out.
pub fn kernels(net: &Net) -> Vec<Printed> {
    let mut uses: Vec<Vec<Use<'_>>> = vec![];
    let mut known: FxHashMap<Vec<u64>, usize> = FxHashMap::default();
    for (function, f) in net.cpu().iter().enumerate() {
        let programs = [(false, Some(&f.inference)), (true, f.training.as_ref())];
        for (training, program) in programs.into_iter().filter_map(|(t, p)| Some((t, p?))) {
            for (number, launch) in program.launches.iter().enumerate() {
                for (stage, s) in launch.stages.iter().enumerate().filter(|(_, s)| computes(&s.code)) {
                    let id = StageId { function, training, launch: number, stage };
                    let index = *known.entry(key(&s.code)).or_insert(uses.len());
                    if index == uses.len() {
                        uses.push(vec![]);
                    }
                    uses[index].push(Use { id, program, launch, stage: s });
                }
            }
        }
    }
    let mut names = HashSet::new();
    uses.iter().filter_map(|uses| Some(print(&uses.first()?.stage.code, uses, &mut names))).collect()
}

/// The name of a constant for each function of a net: `LOSS`.
pub fn function_names(net: &Net) -> Vec<String> {
    let mut names = HashSet::new();
    net.functions.iter().map(|f| unique(&plain(&f.name).to_uppercase(), &mut names)).collect()
}

/// Whether a code does more than hand on its inputs.
fn computes(code: &Code) -> bool {
    code.outputs.iter().any(|slot| *slot as usize >= code.inputs.len())
}

/// A key that two codes share exactly if they are the same, NaN constants included.
fn key(code: &Code) -> Vec<u64> {
    let slot = |s: Slot| u64::from(s);
    let mut key = vec![code.inputs.len() as u64, code.outputs.len() as u64];
    key.extend(code.inputs.iter().map(|lane| *lane as u64));
    key.extend(code.outputs.iter().map(|s| slot(*s)));
    for instr in &code.instrs {
        match instr {
            Instr::Const(value) => key.extend([0, value.lane() as u64, value.bits()]),
            Instr::Unary(f, x) => key.extend([1, *f as u64, slot(*x)]),
            Instr::Binary(f, x, y) => key.extend([2, *f as u64, slot(*x), slot(*y)]),
            Instr::Select(c, x, y) => key.extend([3, slot(*c), slot(*x), slot(*y)]),
            Instr::To(dtype, x) => key.extend([4, *dtype as u64, slot(*x)]),
        }
    }
    key
}

fn print(code: &Code, uses: &[Use<'_>], names: &mut HashSet<String>) -> Printed {
    let mut taken = HashSet::new();
    let inputs = input_names(uses, &mut taken);
    // The verifier let no code pass whose lanes do not fit.
    let lanes = code.lanes().unwrap_or_default();
    let used = used(code);
    let mut text = Text { code, names: inputs.clone(), lanes: &lanes };
    let mut body = vec![];
    for (i, instr) in code.instrs.iter().enumerate() {
        let slot = code.inputs.len() + i;
        // A constant is written where it is used, unless it comes out by itself.
        if !used[i] || matches!(instr, Instr::Const(_)) && !code.outputs.contains(&(slot as Slot)) {
            text.names.push(text.expression(instr, true));
            continue;
        }
        let name = unique(&format!("t{}", body.len()), &mut taken);
        // Where nothing else tells the type of what constants make.
        let ty = if text.is_of_constants(instr) { format!(": {}", lanes[slot].dtype()) } else { String::new() };
        body.push(format!("let {name}{ty} = {};", text.expression(instr, false)));
        text.names.push(name);
    }
    let mut outputs: Vec<(String, Lane)> = vec![];
    for &slot in &code.outputs {
        let mut name = text.name(slot);
        if (slot as usize) < code.inputs.len() || outputs.iter().any(|(known, _)| *known == name) {
            let copy = unique(&format!("{name}_out"), &mut taken);
            body.push(format!("let {copy} = {name};"));
            name = copy;
        }
        outputs.push((name, lanes[slot as usize]));
    }
    let inputs = inputs.into_iter().zip(code.inputs.iter().copied()).collect();
    let doc = doc(&text, uses.iter().map(|u| u.launch.name.as_str()));
    let mut instrs = code.instrs.iter().zip(&used).filter(|(_, used)| **used);
    let far = instrs.any(|(instr, _)| matches!(instr, Instr::Unary(f, _) if f.domain() == Domain::Angles));
    let name = unique(&formula::of_code(code).to_uppercase(), names);
    Printed { name, doc, inputs, body, outputs, far, stages: uses.iter().map(|u| u.id).collect() }
}

/// What each input is called: what it is for all stages, by its full name or within its layer; where these differ, a letter.
fn input_names(uses: &[Use<'_>], taken: &mut HashSet<String>) -> Vec<String> {
    let rows: Vec<_> = uses.iter().map(|u| rows(u.launch)).collect();
    let mut letters = 0;
    let count = uses.first().map_or(0, |u| u.stage.inputs.len());
    let mut name = |input: usize| {
        let named = |whole: bool| {
            let mut all = uses.iter().zip(&rows).map(|(u, rows)| source_name(u, rows, input, whole));
            let first = all.next()?;
            all.all(|name| name == first).then_some(first)
        };
        named(true).or_else(|| named(false)).unwrap_or_else(|| {
            letters += 1;
            letter(letters - 1)
        })
    };
    let words: Vec<String> = (0..count).map(&mut name).collect();
    numbered(&words, taken)
}

/// `a`, `b` … `z`, `x26`, `x27` …
fn letter(number: usize) -> String {
    u8::try_from(number).ok().filter(|n| *n < 26).map_or(format!("x{number}"), |n| char::from(b'a' + n).into())
}

/// What a stage reads, as a word; of what lies in memory the name, or what it is within its layer.
fn source_name(u: &Use<'_>, rows: &FxHashMap<usize, String>, input: usize, whole: bool) -> String {
    match &u.stage.inputs[input] {
        Source::Load(i) | Source::Gather { from: i, .. } => {
            let buffer = u.launch.loads.get(*i).and_then(|access| u.program.buffers.get(access.buffer));
            buffer.map_or("x".into(), |b| if whole { plain(&b.name) } else { role(b) })
        }
        Source::Acc => "acc".into(),
        Source::Row(slot) => row(rows, *slot),
        Source::Index(dim) => format!("index{dim}"),
        Source::Size(_) => "size".into(),
        Source::LossScale => "loss_scale".into(),
        Source::Random { .. } => "random".into(),
    }
}

/// Instructions as expressions of Rust.
struct Text<'a> {
    code: &'a Code,
    /// For each slot so far: its name, or the constant itself.
    names: Vec<String>,
    lanes: &'a [Lane],
}

impl Text<'_> {
    fn name(&self, slot: Slot) -> String {
        // The verifier let no code pass that names a slot of none.
        self.names[slot as usize].clone()
    }

    /// `operand`: it will stand inside another expression.
    fn expression(&self, instr: &Instr, operand: bool) -> String {
        match instr {
            Instr::Const(value) => constant(*value, operand),
            Instr::Unary(f, x) if f.domain() == Domain::Angles => {
                unary(*f, self.lane(*x), &format!("{}, &mut far", self.name(*x)))
            }
            Instr::Unary(f, x) => unary(*f, self.lane(*x), &self.name(*x)),
            Instr::Binary(f, x, y) => binary(*f, self.lane(*x), &self.name(*x), &self.name(*y)),
            Instr::Select(c, x, y) => format!("select({}, {}, {})", self.name(*c), self.name(*x), self.name(*y)),
            Instr::To(dtype, x) => format!("to_{dtype}({})", self.name(*x)),
        }
    }

    fn lane(&self, slot: Slot) -> Lane {
        self.lanes[slot as usize]
    }

    /// Whether no operand but a condition has a type of its own.
    fn is_of_constants(&self, instr: &Instr) -> bool {
        let constant = |slot: &Slot| {
            let index = (*slot as usize).checked_sub(self.code.inputs.len());
            index.is_some_and(|i| matches!(self.code.instrs[i], Instr::Const(_)))
        };
        match instr {
            Instr::Const(_) => true,
            Instr::Unary(_, x) | Instr::To(_, x) => constant(x),
            Instr::Binary(_, x, y) | Instr::Select(_, x, y) => constant(x) && constant(y),
        }
    }

    /// The whole of what slot `slot` holds as one expression, with `room` characters at most; and whether an operator stands at its top.
    fn inline(&self, slot: Slot, room: usize) -> Option<(String, bool)> {
        let index = (slot as usize).checked_sub(self.code.inputs.len());
        let Some(instr) = index.and_then(|i| self.code.instrs.get(i)) else { return Some((self.name(slot), false)) };
        let part = |slot: Slot| self.inline(slot, room).map(|(text, _)| text);
        let nested = |slot: Slot| {
            let (text, infix) = self.inline(slot, room)?;
            Some(if infix { format!("({text})") } else { text })
        };
        let text = match instr {
            Instr::Const(value) => constant(*value, true),
            Instr::Unary(f @ Unary::Neg, x) if self.lane(*x).is_float() => unary(*f, self.lane(*x), &nested(*x)?),
            Instr::Unary(f, x) => unary(*f, self.lane(*x), &part(*x)?),
            Instr::Binary(f, x, y) if is_infix(*f, self.lane(*x)) => {
                binary(*f, self.lane(*x), &nested(*x)?, &nested(*y)?)
            }
            Instr::Binary(f, x, y) => binary(*f, self.lane(*x), &part(*x)?, &part(*y)?),
            Instr::Select(c, x, y) => format!("select({}, {}, {})", part(*c)?, part(*x)?, part(*y)?),
            Instr::To(dtype, x) => format!("to_{dtype}({})", part(*x)?),
        };
        let infix = matches!(instr, Instr::Binary(f, x, _) if is_infix(*f, self.lane(*x)));
        (text.len() <= room).then_some((text, infix))
    }
}

/// Whether an operator of Rust does it: those of integers wrap by functions.
fn is_infix(f: Binary, lane: Lane) -> bool {
    lane.is_float() && matches!(f, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div)
}

/// Launches that are named as those that a code serves.
const SERVED: usize = 4;

/// One line about a code: the launches that it serves, and what comes out if that is short.
fn doc<'a>(text: &Text<'_>, launches: impl Iterator<Item = &'a str>) -> String {
    let mut seen = HashSet::new();
    let mut names: Vec<String> = launches.filter(|name| seen.insert(*name)).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SERVED);
    names.truncate(SERVED);
    let mut doc = names.join(", ");
    if more > 0 {
        let _ = write!(doc, " and {more} more");
    }
    let mut outputs = text.code.outputs.clone();
    let mut seen = HashSet::new();
    outputs.retain(|slot| seen.insert(*slot));
    if text.code.instrs.len() <= 16 && outputs.len() <= 3 {
        let room = 80 / outputs.len().max(1);
        let all: Option<Vec<String>> =
            outputs.iter().map(|slot| text.inline(*slot, room).map(|(whole, _)| format!("`{whole}`"))).collect();
        if let Some(all) = all {
            let _ = write!(doc, ": {}", all.join(", "));
        }
    }
    doc.push('.');
    doc
}

fn constant(value: Literal, operand: bool) -> String {
    let float = |text: String, value: f64, ty: &str| match value {
        v if v.is_nan() => format!("{ty}::NAN"),
        f64::INFINITY => format!("{ty}::INFINITY"),
        f64::NEG_INFINITY => format!("{ty}::NEG_INFINITY"),
        _ => text,
    };
    let text = match value {
        Literal::F32(x) => float(format!("{x:?}"), x.into(), "f32"),
        Literal::F64(x) => float(format!("{x:?}"), x, "f64"),
        Literal::I32(i32::MIN) => "i32::MIN".into(),
        Literal::I64(i64::MIN) => "i64::MIN".into(),
        Literal::I32(x) => x.to_string(),
        Literal::I64(x) => x.to_string(),
        Literal::Bool(x) => x.to_string(),
    };
    if operand && text.starts_with('-') { format!("({text})") } else { text }
}

fn unary(f: Unary, lane: Lane, x: &str) -> String {
    match f {
        Unary::Neg if lane.is_float() => format!("-{x}"),
        f => format!("{}({x})", f.name()),
    }
}

fn binary(f: Binary, lane: Lane, x: &str, y: &str) -> String {
    match is_infix(f, lane) {
        true => format!("{x} {} {y}", f.cuda()),
        false => format!("{}({x}, {y})", f.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(instrs: Vec<Instr>, outputs: Vec<Slot>) -> (Vec<String>, String) {
        let code = Code { inputs: vec![Lane::F32; 2], instrs, outputs };
        let lanes = code.lanes().unwrap();
        let mut text = Text { code: &code, names: vec!["acc".into(), "bias".into()], lanes: &lanes };
        let mut lines = vec![];
        for (i, instr) in code.instrs.iter().enumerate() {
            lines.push(text.expression(instr, false));
            text.names.push(format!("t{i}"));
        }
        (lines, doc(&text, ["conv1", "conv2", "conv1"].into_iter()))
    }

    #[test]
    fn instructions_are_expressions_of_rust() {
        let (lines, doc) = text(
            vec![
                Instr::Binary(Binary::Sub, 0, 1),
                Instr::Const(Literal::F32(-0.5)),
                Instr::Binary(Binary::Mul, 2, 3),
                Instr::Unary(Unary::Neg, 4),
                Instr::Binary(Binary::Max, 5, 0),
            ],
            vec![6],
        );
        assert_eq!(lines, ["acc - bias", "-0.5", "t0 * t1", "-t2", "max(t3, acc)"]);
        assert_eq!(doc, "`conv1`, `conv2`: `max(-((acc - bias) * (-0.5)), acc)`.");
    }

    #[test]
    fn constants_are_floats() {
        let texts = [0.0, -1.0, 1e-20, 3e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let texts = texts.map(|v| constant(Literal::F32(v), true));
        assert_eq!(texts, ["0.0", "(-1.0)", "1e-20", "3e30", "f32::INFINITY", "f32::NEG_INFINITY", "f32::NAN"]);
    }
}
