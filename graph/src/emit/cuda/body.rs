//! What happens at a point: operands, statements, results.

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use super::Parameter;
use super::access::{expression, operand, symbol};
use super::code::{Statements, constant, statements};
use super::loops::Loops;
use super::reductions::type_of;
use crate::emit::names::{self, identifier, unique};
use crate::program::{Launch, Level, Place, Program, Source, Stage, Target};
use crate::scalar::{Lane, Reduction};
use crate::types::DType;

/// A launch, ready to be written.
pub(super) struct Body<'a> {
    pub program: &'a Program,
    pub launch: &'a Launch,
    pub loops: Loops,
    /// The buffers that it touches, with their names, in order of first use.
    buffers: Vec<(usize, String)>,
    /// The names of its row values.
    row_names: FxHashMap<usize, String>,
    /// All names that mean something throughout the kernel.
    taken: HashSet<String>,
}

/// A stage as lines.
pub(super) struct StageLines {
    /// What is the same for all elements.
    pub before: Vec<String>,
    /// What is done for each.
    pub each: Vec<String>,
}

/// How the results of a stage are handed on.
pub(super) struct Handing<'a> {
    /// What must hold for this thread to store: empty if it always may.
    pub stores: &'a str,
    /// Buffers of which four neighbouring elements are in hand: `four_x[i]` is `x[i]`.
    pub fours: &'a [usize],
    /// Whether what is the same for all elements may stand before the loop over them.
    pub hoists: bool,
}

/// Names that a kernel uses besides those of its buffers.
const TAKEN: &[&str] = &[
    "at", "row", "rows", "point", "points", "column", "columns", "quads", "inside", "lane", "scalars", "round", "cn",
    "i", "j", "k", "l", "m", "n", "o", "p", "r",
];

/// Keywords of C++ and names of its library that are none of Rust's.
const RESERVED: &[&str] = &[
    "alignas",
    "and",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "case",
    "catch",
    "char",
    "class",
    "compl",
    "constexpr",
    "decltype",
    "default",
    "delete",
    "double",
    "explicit",
    "export",
    "extern",
    "float",
    "friend",
    "goto",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "nullptr",
    "operator",
    "or",
    "private",
    "protected",
    "public",
    "register",
    "restrict",
    "short",
    "signed",
    "sizeof",
    "switch",
    "template",
    "this",
    "throw",
    "typedef",
    "typeid",
    "typename",
    "union",
    "unsigned",
    "using",
    "void",
    "volatile",
    "xor",
    "main",
];

impl<'a> Body<'a> {
    pub(super) fn new(program: &'a Program, launch: &'a Launch, loops: Loops) -> Body<'a> {
        let mut taken: HashSet<String> = TAKEN.iter().chain(RESERVED).map(|s| s.to_string()).collect();
        let row_names = names::rows(launch);
        taken.extend(row_names.values().cloned());
        let mut buffers: Vec<(usize, String)> = vec![];
        for access in launch.loads.iter().chain(&launch.stores) {
            if buffers.iter().all(|(b, _)| *b != access.buffer) {
                let name = program.buffers.get(access.buffer).map_or("x", |b| &b.name);
                buffers.push((access.buffer, unique(&identifier(name), &mut taken)));
            }
        }
        Body { program, launch, loops, buffers, row_names, taken }
    }

    /// The parameters, and their text; of the sizes those that occur in `lines`.
    pub(super) fn parameters(&self, lines: &[String]) -> (Vec<Parameter>, String) {
        let (mut parameters, mut texts) = (vec![], vec![]);
        for (buffer, name) in &self.buffers {
            let written = self.launch.stores.iter().any(|s| s.buffer == *buffer);
            let constant = if written { "" } else { "const " };
            let restrict = if self.shares_memory(*buffer) { "" } else { "__restrict__ " };
            texts.push(format!("{constant}{}* {restrict}{name}", c_type(self.dtype(*buffer))));
            parameters.push(Parameter::Buffer(*buffer));
        }
        let words: HashSet<&str> =
            lines.iter().flat_map(|l| l.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')).collect();
        for name in self.program.symbols().into_iter().chain(self.program.hidden()) {
            let text = symbol(&name);
            if words.contains(text.as_str()) {
                texts.push(format!("int {text}"));
                parameters.push(Parameter::Size(name));
            }
        }
        for (parameter, ty, name) in [
            (Parameter::Scalars, "const cn::StepScalars*", "scalars"),
            (Parameter::Round, "unsigned long long", "round"),
        ] {
            if words.contains(name) {
                texts.push(format!("{ty} {name}"));
                parameters.push(parameter);
            }
        }
        (parameters, texts.join(", "))
    }

    fn dtype(&self, buffer: usize) -> DType {
        self.program.buffers.get(buffer).map_or(DType::F32, |b| b.dtype)
    }

    /// The name of a buffer.
    pub(super) fn name(&self, buffer: usize) -> &str {
        self.buffers.iter().find(|(b, _)| *b == buffer).map_or("x", |(_, name)| name)
    }

    /// The name of a row value.
    pub(super) fn row_name(&self, slot: usize) -> String {
        names::row(&self.row_names, slot)
    }

    /// Whether another buffer of the launch lies in the same memory, as one that is computed in place does.
    fn shares_memory(&self, buffer: usize) -> bool {
        let place =
            |b: usize| self.program.buffers.get(b).map(|b| (&b.place, &b.size * &(b.dtype.bytes() as i64).into()));
        let Some((mine, bytes)) = place(buffer) else { return true };
        let others = self.buffers.iter().filter(|(b, _)| *b != buffer).filter_map(|(b, _)| place(*b));
        let mut overlaps = others.map(|(other, other_bytes)| match (mine, other) {
            (Place::Arena(from), Place::Arena(other_from)) => {
                !(from + &bytes).at_most(other_from) && !(other_from + &other_bytes).at_most(from)
            }
            (a, b) => a == b,
        });
        overlaps.any(|o| o)
    }

    /// Row values that the launch has, each with the reduction that makes it, if one does.
    pub(super) fn rows(&self) -> Vec<(usize, Option<Reduction>)> {
        let mut rows: Vec<(usize, Option<Reduction>)> = vec![];
        for target in self.launch.stages.iter().flat_map(|s| &s.outputs) {
            let (slot, reduction) = match target {
                Target::Store(_) => continue,
                Target::Row(slot) => (*slot, None),
                Target::Reduce(reduction, slot) => (*slot, Some(*reduction)),
            };
            if rows.iter().all(|(s, _)| *s != slot) {
                rows.push((slot, reduction));
            }
        }
        rows
    }

    /// The lane of a row value.
    fn row_lane(&self, slot: usize) -> Lane {
        let lanes = self.launch.stages.iter().flat_map(|stage| {
            // The verifier let no code pass whose lanes do not fit.
            let lanes = stage.code.lanes().unwrap_or_default();
            let made = stage.outputs.iter().zip(stage.code.outputs.iter().map(move |s| lanes[*s as usize]));
            made.filter_map(|(target, lane)| match target {
                Target::Row(s) | Target::Reduce(_, s) => Some((*s, lane)),
                Target::Store(_) => None,
            })
        });
        lanes.into_iter().find(|(s, _)| *s == slot).map_or(Lane::F32, |(_, lane)| lane)
    }

    /// Whether a stage reads what an earlier one of this launch stored.
    pub(super) fn reads_stored(&self, stage: usize) -> bool {
        let stored: Vec<usize> = self.launch.stages[..stage].iter().flat_map(|s| self.stored(s)).collect();
        let mut loads = self.launch.stages[stage].inputs.iter();
        loads.any(|s| matches!(s, Source::Load(i) | Source::Gather { from: i, .. } if stored.contains(&self.launch.loads[*i].buffer)))
    }

    fn stored(&self, stage: &Stage) -> Vec<usize> {
        let stores = stage.outputs.iter().filter_map(|target| match target {
            Target::Store(i) => Some(self.launch.stores[*i].buffer),
            _ => None,
        });
        stores.collect()
    }

    /// The lines of stage number `number` at a point whose loop indices have names already.
    pub(super) fn stage(&self, number: usize, handing: &Handing) -> StageLines {
        let stage = &self.launch.stages[number];
        let names = self.loops.names();
        let (mut lines, mut inputs, mut taken) = (vec![], vec![], self.taken.clone());
        for (input, (source, &lane)) in stage.inputs.iter().zip(&stage.code.inputs).enumerate() {
            let form = |position: usize| self.loops.forms[number][position].as_ref().map(|f| f.text(&names));
            let text = match source {
                Source::Load(i) => {
                    let access = &self.loops.loads[*i];
                    let name = self.name(access.buffer);
                    let value = unique(&format!("v_{name}"), &mut taken);
                    let place = access.place(&names, &value);
                    lines.extend(place.lines);
                    let element = self.element(access.buffer, &place.at, handing);
                    let element = match (place.inside.is_empty(), access.outside) {
                        (false, Some(outside)) => format!("{} ? {element} : {}", place.inside, constant(outside)),
                        _ => element,
                    };
                    lines.push(format!("const {} {value} = {element};", lane_type(lane)));
                    value
                }
                Source::Gather { from, dim, index } => {
                    let (from_access, index_access) = (&self.loops.loads[*from], &self.loops.loads[*index]);
                    let value = unique(&format!("v_{}", self.name(from_access.buffer)), &mut taken);
                    let (place, named) =
                        (from_access.place(&names, &value), index_access.place(&names, &format!("{value}_at")));
                    lines.extend(place.lines.into_iter().chain(named.lines));
                    let memory = &self.launch.loads[*from];
                    let size = &memory.dims[*dim];
                    let (last, stride) = (expression(&(size - &1.into())), operand(&memory.stride(*dim)));
                    let size = operand(size);
                    let found = self.element(index_access.buffer, &named.at, handing);
                    lines.push(format!("const long long {value}_found = {found};"));
                    lines.push(format!("const long long {value}_held = {value}_found < 0 ? 0 : {value}_found < {size} ? {value}_found : {last};"));
                    let element =
                        self.element(from_access.buffer, &format!("{} + {stride} * {value}_held", place.at), handing);
                    lines.push(format!("const {} {value} = {element};", lane_type(lane)));
                    value
                }
                Source::Acc => "acc".into(),
                Source::Row(slot) => self.row_name(*slot),
                // A loop's index is an int.
                Source::Index(_) => match bracketed(form(input).unwrap_or_default()) {
                    index if lane == Lane::I32 => index,
                    index => format!("({}){index}", lane_type(lane)),
                },
                Source::Size(size) => format!("({}){}", lane_type(lane), operand(size)),
                Source::LossScale => "scalars->scale".into(),
                Source::Random { stream, round, .. } => {
                    let value = unique("drawn", &mut taken);
                    let mut at =
                        self.loops.forms[number][input].as_ref().map(|f| f.wide_text(&names)).unwrap_or_default();
                    if !round.is(0) {
                        at += &format!(" + round * {}", operand(round));
                    }
                    lines.push(format!("const float {value} = cn::random(scalars, {stream}u, {at});"));
                    value
                }
            };
            let varies = match source {
                Source::Load(_) | Source::Gather { .. } | Source::Acc | Source::Index(_) | Source::Random { .. } => {
                    true
                }
                Source::Row(_) | Source::Size(_) | Source::LossScale => !handing.hoists,
            };
            inputs.push((text, varies));
        }
        let Statements { fixed, varying, outputs } = statements(&stage.code, &inputs, &mut taken);
        let before = if handing.hoists {
            fixed
        } else {
            lines.extend(fixed);
            vec![]
        };
        lines.extend(varying);
        for (index, (value, target)) in outputs.iter().zip(&stage.outputs).enumerate() {
            match target {
                Target::Store(i) => lines.extend(self.store(*i, index, value, &names, handing)),
                Target::Row(slot) => lines.push(format!("{} = {value};", self.row_name(*slot))),
                Target::Reduce(op, slot) => {
                    let row = self.row_name(*slot);
                    lines.push(format!("{row} = cn::{}::of({row}, {value});", type_of(*op)))
                }
            }
        }
        StageLines { before, each: lines }
    }

    fn store(&self, store: usize, index: usize, value: &str, names: &[String], handing: &Handing) -> Vec<String> {
        let access = &self.loops.stores[store];
        let place = access.place(names, &format!("s{index}"));
        let to = self.held(access.buffer, handing);
        let statement = match self.dtype(access.buffer) {
            dtype if dtype.lane().dtype() == dtype => format!("{to}[{}] = {value};", place.at),
            _ => format!("cn::put(&{to}[{}], {value});", place.at),
        };
        let conditions: Vec<&str> =
            [handing.stores, place.inside.as_str()].into_iter().filter(|c| !c.is_empty()).collect();
        let mut lines = place.lines;
        lines.push(match conditions.is_empty() {
            true => statement,
            false => format!("if ({}) {statement}", conditions.join(" && ")),
        });
        lines
    }

    /// Where the elements of a buffer are: in memory or in hand.
    fn held(&self, buffer: usize, handing: &Handing) -> String {
        let four = if handing.fours.contains(&buffer) { "four_" } else { "" };
        format!("{four}{}", self.name(buffer))
    }

    fn element(&self, buffer: usize, at: &str, handing: &Handing) -> String {
        let name = self.held(buffer, handing);
        match self.dtype(buffer) {
            dtype if dtype.lane().dtype() == dtype => format!("{name}[{at}]"),
            _ => format!("cn::get({name}[{at}])"),
        }
    }

    /// Declarations of the row values, each what combined with x gives x.
    pub(super) fn declare_rows(&self) -> Vec<String> {
        let declared = |(slot, reduction): (usize, Option<Reduction>)| {
            let lane = self.row_lane(slot);
            // What no reduction makes is set before it is read.
            let first = reduction.unwrap_or(Reduction::Sum).identity(lane);
            format!("{} {} = {};", lane_type(lane), self.row_name(slot), constant(first))
        };
        self.rows().into_iter().map(declared).collect()
    }

    /// The row values that a stage reduces into.
    pub(super) fn reductions(stage: &Stage) -> impl Iterator<Item = (Reduction, usize)> {
        stage.outputs.iter().filter_map(|target| match target {
            Target::Reduce(op, slot) => Some((*op, *slot)),
            _ => None,
        })
    }

    /// The stages with their numbers and whether they run over the elements.
    pub(super) fn stages(&self) -> impl Iterator<Item = (usize, &'a Stage, bool)> {
        self.launch.stages.iter().enumerate().map(|(i, stage)| (i, stage, stage.level == Level::Element))
    }
}

/// The type of a lane.
pub(super) fn lane_type(lane: Lane) -> &'static str {
    c_type(lane.dtype())
}

/// The type of a buffer's elements.
fn c_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float",
        DType::I16 => "short",
        DType::F64 => "double",
        DType::F16 => "cn::f16",
        DType::BF16 => "cn::bf16",
        DType::I8 => "signed char",
        DType::U8 => "unsigned char",
        DType::Bool => "bool",
        DType::I32 => "int",
        DType::U32 => "unsigned",
        DType::I64 => "long long",
    }
}

/// An expression as an operand.
fn bracketed(text: String) -> String {
    if text.contains(' ') || text.starts_with('-') { format!("({text})") } else { text }
}

/// Lines in a block of their own, one step further in.
pub(super) fn indented(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("    {line}"))
}

/// What is done once a row.
pub(super) fn once(mut stage: StageLines) -> Vec<String> {
    if stage.each.len() > 1 {
        stage.each = [vec!["{".into()], indented(stage.each).collect(), vec!["}".into()]].concat();
    }
    stage.each
}

/// A loop over elements, in a block with what is computed before it if anything is.
pub(super) fn over_elements(head: String, indices: Vec<String>, stage: StageLines) -> Vec<String> {
    let mut lines = vec![head];
    lines.extend(indented(indices));
    lines.extend(indented(stage.each));
    lines.push("}".into());
    if stage.before.is_empty() {
        return lines;
    }
    let inner = stage.before.into_iter().chain(lines).collect();
    [vec!["{".into()], indented(inner).collect(), vec!["}".into()]].concat()
}
