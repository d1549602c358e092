//! Calls: arguments by position and by name are bound to the signature of an operator or a layer.

use crate::arith::LARGEST;
use crate::builder::{Builder, Checked};
use crate::diagnostic::{Diagnostic, Loc};
use crate::graph::{Op, Value};
use crate::layers::init::Initialiser;
use crate::number::Number;
use crate::size::Size;
use crate::spelling::did_you_mean;
use crate::types::{DType, Type};

/// The value of an expression in a network.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// A tensor of the graph.
    Tensor(Value),
    /// A size or another integer known at build time.
    Size(Size),
    /// A floating-point literal (or arithmetic of them).
    Float(f64),
    /// `true`, `false`.
    Bool(bool),
    /// `f32` as in `.cast(f32)`.
    DType(DType),
    /// `"tanh"`.
    Text(String),
    /// First values: `normal(0, 0.02)`.
    Init(Initialiser),
    /// `None`.
    None,
    /// `[a, b]` or `(a, b)`.
    List(Vec<Arg>),
    /// The result of an expression whose mistake was reported: accepted silently everywhere.
    Unknown,
}

impl Arg {
    /// What it is, for messages.
    pub fn describe(&self, b: &Builder) -> String {
        match self {
            Arg::Tensor(value) => format!("a tensor {}", b.ty(*value)),
            Arg::Size(size) => format!("the size {size}"),
            Arg::Float(x) => format!("the number {x:?}"),
            Arg::Bool(x) => format!("`{x}`"),
            Arg::DType(x) => format!("the element type `{x}`"),
            Arg::Text(text) => format!("the text {text:?}"),
            Arg::Init(_) => "first values".into(),
            Arg::None => "`None`".into(),
            Arg::List(list) => format!("a list of {}", list.len()),
            Arg::Unknown => "unknown".into(),
        }
    }
}

/// One written argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// `kernel_size = 5` has the name `kernel_size` and its place.
    pub name: Option<(String, Loc)>,
    /// The value.
    pub value: Arg,
    /// The place of the value.
    pub at: Loc,
}

/// One parameter of an operator or layer.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// PyTorch's name.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// Whether it may be left out (the rule knows the default).
    pub optional: bool,
    /// The default in words, for the reference page: `kernel_size`. [`INFERRED`]: what comes in says it.
    pub default: &'static str,
    /// By position, by name, or one by one.
    pub place: Passing,
}

impl Param {
    /// As a signature shows it: `padding = 0`.
    pub fn written(&self) -> String {
        if self.optional { format!("{} = {}", self.name, self.default) } else { self.name.to_string() }
    }
}

/// How an argument may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// By position or by name.
    Any,
    /// By name only: PyTorch has other arguments before it, or takes it by name only.
    Named,
    /// A list that may also be written as its elements, `reshape(2, 3)`: they take all positions that follow.
    OneByOne,
}

/// The default of a size that may be left out since what comes in has it.
pub const INFERRED: &str = "inferred";

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tensor.
    Tensor,
    /// A tensor or a number that becomes a scalar tensor.
    Operand,
    /// An integer known at build time.
    Int,
    /// A size, also a run-time one.
    Size,
    /// Any integer, also a run-time size: a value, not the length of something.
    Integer,
    /// A number.
    Float,
    /// A number of the first operand's type, in which it fills elements or holds them.
    Element,
    /// `true` or `false`.
    Bool,
    /// An element type.
    DType,
    /// A choice by its name.
    Text,
    /// First values.
    Init,
    /// One integer or a pair of them.
    Pair,
    /// The same, or `"same"`, `"valid"`.
    Padding,
    /// One integer or a list of them.
    Ints,
    /// A list of sizes.
    Sizes,
    /// A size or a list of sizes.
    SizeOrSizes,
    /// A list of tensors.
    Tensors,
}

impl Kind {
    /// What may stand there, for messages and the reference page.
    pub fn describe(self) -> &'static str {
        match self {
            Kind::Tensor => "a tensor",
            Kind::Operand => "a tensor or a number",
            Kind::Int => "an integer",
            Kind::Size => "a size",
            Kind::Integer => "an integer or a size",
            Kind::Float | Kind::Element => "a number",
            Kind::Bool => "`true` or `false`",
            Kind::DType => "an element type such as `f32`",
            Kind::Text => "a text such as `\"tanh\"`",
            Kind::Init => "first values such as `normal(0, 0.02)`",
            Kind::Pair => "an integer or a pair of integers",
            Kind::Padding => "an integer, a pair of integers, `\"same\"` or `\"valid\"`",
            Kind::Ints => "an integer or a list of integers",
            Kind::Sizes => "a list of sizes",
            Kind::SizeOrSizes => "a size or a list of sizes",
            Kind::Tensors => "a list of tensors",
        }
    }

    fn accepts(self, arg: &Arg) -> bool {
        // Larger numbers stand beside tensors, and are no sizes.
        let size =
            |a: &Arg| matches!(a, Arg::Size(s) if s.as_const().is_none_or(|c| c.unsigned_abs() <= LARGEST as u64));
        let known = |a: &Arg| matches!(a, Arg::Size(s) if s.as_const().is_some());
        let int = |a: &Arg| known(a) && size(a);
        match (self, arg) {
            (_, arg) if contains_unknown(arg) => true,
            (Kind::Tensor, Arg::Tensor(_)) => true,
            (Kind::Operand, Arg::Tensor(_) | Arg::Size(_) | Arg::Float(_) | Arg::Bool(_)) => true,
            (Kind::Int, a) => int(a),
            (Kind::Size | Kind::SizeOrSizes, a @ Arg::Size(_)) => size(a),
            (Kind::Integer, Arg::Size(_)) => true,
            (Kind::Float | Kind::Element, Arg::Float(_)) => true,
            (Kind::Float | Kind::Element, a) => known(a),
            (Kind::Bool, Arg::Bool(_)) => true,
            (Kind::DType, Arg::DType(_)) => true,
            (Kind::Init, Arg::Init(_)) => true,
            (Kind::Text | Kind::Padding, Arg::Text(_)) => true,
            (Kind::Pair | Kind::Padding, Arg::List(l)) => l.len() == 2 && l.iter().all(int),
            (Kind::Ints, Arg::List(l)) => l.iter().all(int),
            (Kind::Pair | Kind::Padding | Kind::Ints, a) => int(a),
            (Kind::Tensors, Arg::List(l)) => !l.is_empty() && l.iter().all(|a| matches!(a, Arg::Tensor(_))),
            (Kind::Sizes | Kind::SizeOrSizes, Arg::List(l)) => l.iter().all(size),
            _ => false,
        }
    }
}

/// A required parameter.
pub const fn required(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: false, default: "", place: Passing::Any }
}

/// A required list that may be written as its elements.
pub const fn one_by_one(name: &'static str, kind: Kind) -> Param {
    Param { place: Passing::OneByOne, ..required(name, kind) }
}

/// A parameter that may be left out; `default` is for the reader.
pub const fn optional(name: &'static str, kind: Kind, default: &'static str) -> Param {
    Param { name, kind, optional: true, default, place: Passing::Any }
}

/// A parameter that may be left out and is given by name only.
pub const fn named(name: &'static str, kind: Kind, default: &'static str) -> Param {
    Param { place: Passing::Named, ..optional(name, kind, default) }
}

/// A size that what comes in has, too; where both are known they are compared.
pub const fn inferred(name: &'static str, kind: Kind) -> Param {
    optional(name, kind, INFERRED)
}

/// Arguments in the order of the signature; what was left out or `None` is `None`.
#[derive(Clone, Debug)]
pub struct Bound {
    /// What is called, for messages.
    pub callee: String,
    /// The place of the call.
    pub at: Loc,
    values: Vec<Option<Filled>>,
}

/// An argument in its slot.
#[derive(Clone, Debug)]
struct Filled {
    value: Arg,
    at: Loc,
    /// Whether it was given by name.
    named: bool,
}

/// The mistake of an argument by position after one by name, if there is one: of each argument its name, and its place.
pub fn misplaced<'a>(
    callee: &str,
    arguments: impl IntoIterator<Item = (Option<&'a str>, Loc)>,
    help: &str,
) -> Option<Diagnostic> {
    let mut named = None;
    for (name, at) in arguments {
        match (name, named) {
            (Some(name), _) => named = Some(name),
            (None, None) => {}
            (None, Some(name)) => {
                let message = format!("`{callee}` gets an argument by position after `{name} = …`");
                let help = format!("give those without a name first: {help}");
                return Some(Diagnostic::new("N0307", at, message).help(help));
            }
        }
    }
    None
}

/// Binds arguments to a signature: too many, unknown names, given twice, missing and of the wrong kind are mistakes.
///
/// `Ok(None)` if an argument is [`Arg::Unknown`]: the mistake was reported before.
pub fn bind(
    b: &mut Builder,
    callee: &str,
    at: Loc,
    signature: &[Param],
    aliases: &[(&str, &str)],
    given: &[Given],
) -> Checked<Option<Bound>> {
    let lacks = |missing: &[&Param]| {
        let missing: Vec<String> = missing.iter().map(|p| format!("`{}`", p.name)).collect();
        let message = format!("`{callee}` lacks its argument {}", missing.join(", "));
        Diagnostic::new("N0301", at, message).help(usage(callee, signature))
    };
    bind_or(b, callee, at, signature, aliases, given, lacks)
}

/// As [`bind`], with a message of one's own for required parameters that are missing.
pub(crate) fn bind_or(
    b: &mut Builder,
    callee: &str,
    at: Loc,
    signature: &[Param],
    aliases: &[(&str, &str)],
    given: &[Given],
    lacks: impl Fn(&[&Param]) -> Diagnostic,
) -> Checked<Option<Bound>> {
    let mut values: Vec<Option<Filled>> = vec![None; signature.len()];
    let before = b.diagnostics.len();
    let names = given.iter().map(|g| (g.name.as_ref().map(|(name, _)| name.as_str()), g.at));
    if let Some(d) = misplaced(callee, names, &usage(callee, signature)) {
        b.diagnostics.push(d);
        return Err(crate::builder::Reported);
    }
    let given = &gathered(signature, given)[..];
    let mut positional = 0;
    for argument in given {
        let slot = match &argument.name {
            None => {
                positional += 1;
                if positional > by_position(signature) {
                    // `torch.relu(x)`: what stands first is no argument, which was reported.
                    if given.first().is_some_and(|g| g.value == Arg::Unknown) {
                        return Ok(None);
                    }
                    let most = count(by_position(signature));
                    let message = match by_position(signature) < signature.len() {
                        true => format!("`{callee}` takes at most {most} by position, the rest by name"),
                        false => format!("`{callee}` takes at most {most}"),
                    };
                    b.diagnostics.push(Diagnostic::new("N0303", argument.at, message).help(usage(callee, signature)));
                    break;
                }
                positional - 1
            }
            Some((name, name_at)) => match signature.iter().position(|p| p.name == name) {
                Some(slot) => slot,
                None => {
                    let mut d = Diagnostic::new("N0302", *name_at, format!("`{callee}` has no argument `{name}`"));
                    let known = signature.iter().map(|p| p.name);
                    let meant = aliases.iter().filter(|(alias, _)| alias == name).map(|(_, real)| *real);
                    let meant = meant.into_iter().find(|meant| known.clone().any(|name| name == *meant));
                    d = match meant.or_else(|| did_you_mean(name, known)) {
                        Some(meant) => d.help(format!("did you mean `{meant}`?")),
                        None => d.help(usage(callee, signature)),
                    };
                    b.diagnostics.push(d);
                    continue;
                }
            },
        };
        let param = signature[slot];
        if let Some(first) = &values[slot] {
            let d =
                Diagnostic::new("N0304", argument.at, format!("`{callee}` gets its argument `{}` twice", param.name))
                    .note(first.at, "it was given here first")
                    .help("remove one of them");
            b.diagnostics.push(d);
            continue;
        }
        if param.optional && argument.value == Arg::None {
            continue;
        }
        if !param.kind.accepts(&argument.value) {
            let found = argument.value.describe(b);
            let message = format!("`{}` of `{callee}` must be {}, found {found}", param.name, param.kind.describe());
            b.diagnostics.push(Diagnostic::new("N0305", argument.at, message).help(usage(callee, signature)));
            continue;
        }
        let (value, at, named) = (argument.value.clone(), argument.at, argument.name.is_some());
        values[slot] = Some(Filled { value, at, named });
    }
    let unknown = given.iter().any(|g| contains_unknown(&g.value));
    if b.diagnostics.len() == before && !unknown {
        let missing = signature.iter().zip(&values).filter(|(p, v)| !p.optional && v.is_none());
        let missing: Vec<&Param> = missing.map(|(p, _)| p).collect();
        if !missing.is_empty() {
            b.diagnostics.push(lacks(&missing));
        }
    }
    match b.diagnostics.len() == before {
        false => Err(crate::builder::Reported),
        true if unknown => Ok(None),
        true => Ok(Some(Bound { callee: callee.into(), at, values })),
    }
}

/// How many parameters may be given by position.
pub fn by_position(signature: &[Param]) -> usize {
    signature.iter().take_while(|p| p.place != Passing::Named).count()
}

/// The slot of the list whose elements may be written one by one: the last one by position.
pub fn one_by_one_slot(signature: &[Param]) -> Option<usize> {
    signature.iter().position(|p| p.place == Passing::OneByOne)
}

/// `reshape(x, 2, 3)` as `reshape(x, [2, 3])`: sizes that were written one by one become their list.
fn gathered(signature: &[Param], given: &[Given]) -> Vec<Given> {
    let positional = given.iter().take_while(|g| g.name.is_none()).count();
    let mut given = given.to_vec();
    if let Some(slot) = one_by_one_slot(signature)
        && let Some(elements) = given.get(slot..positional)
        && elements.iter().all(|g| !matches!(g.value, Arg::List(_)))
        && let [first, ..] = elements
        && (elements.len() > 1 || signature[slot].kind.accepts(&Arg::List(vec![first.value.clone()])))
    {
        let at = elements.iter().find(|g| !signature[slot].kind.accepts(&Arg::List(vec![g.value.clone()])));
        let at = at.unwrap_or(first).at;
        let list = Given { name: None, value: Arg::List(elements.iter().map(|g| g.value.clone()).collect()), at };
        given.splice(slot..positional, [list]);
    }
    given
}

/// `write max_pool2d(input, kernel_size, stride = kernel_size, padding = 0)`.
fn usage(callee: &str, signature: &[Param]) -> String {
    let params: Vec<_> = signature.iter().map(Param::written).collect();
    format!("write `{callee}({})`", params.join(", "))
}

/// `1 argument`, `2 arguments`.
fn count(arguments: usize) -> String {
    format!("{arguments} argument{}", if arguments == 1 { "" } else { "s" })
}

fn contains_unknown(arg: &Arg) -> bool {
    match arg {
        Arg::Unknown => true,
        Arg::List(list) => list.iter().any(contains_unknown),
        _ => false,
    }
}

impl Bound {
    /// The same arguments of something of another name at another place: a layer's, at its call.
    pub(crate) fn called(&self, callee: &str, at: Loc) -> Bound {
        Bound { callee: callee.into(), at, values: self.values.clone() }
    }

    /// How many arguments the signature has.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Where argument `slot` stands (the call, if it was left out).
    pub fn at(&self, slot: usize) -> Loc {
        self.values[slot].as_ref().map_or(self.at, |filled| filled.at)
    }

    /// The argument, if it was given.
    pub fn arg(&self, slot: usize) -> Option<&Arg> {
        self.values[slot].as_ref().map(|filled| &filled.value)
    }

    /// The tensors of a float type among the arguments, with their places.
    pub(crate) fn floats(&self, b: &Builder) -> Vec<(Value, Loc)> {
        fn of(arg: &Arg, at: Loc, b: &Builder, found: &mut Vec<(Value, Loc)>) {
            match arg {
                Arg::Tensor(value) if b.graph.dtype(*value).is_float() => found.push((*value, at)),
                Arg::List(list) => list.iter().for_each(|part| of(part, at, b, found)),
                _ => {}
            }
        }
        let mut found = vec![];
        self.values.iter().flatten().for_each(|filled| of(&filled.value, filled.at, b, &mut found));
        found
    }

    /// The same arguments, halves in the type in which they are computed.
    pub(crate) fn widened(&self, b: &mut Builder) -> Bound {
        fn of(arg: &mut Arg, b: &mut Builder) {
            match arg {
                Arg::Tensor(value) => *value = b.widened(*value),
                Arg::List(list) => list.iter_mut().for_each(|part| of(part, b)),
                _ => {}
            }
        }
        let mut wide = self.clone();
        wide.values.iter_mut().flatten().for_each(|filled| of(&mut filled.value, b));
        wide
    }

    /// A tensor; operands that are numbers become scalars of `like`'s element type ([`Builder::computed`] without one).
    pub fn tensor(&self, b: &mut Builder, slot: usize, like: Option<Value>) -> Value {
        let dtype = like.map_or(b.computed(), |v| b.graph.dtype(v));
        match self.arg(slot) {
            Some(Arg::Tensor(value)) => *value,
            Some(Arg::Float(x)) => b.constant(*x, dtype),
            Some(Arg::Bool(x)) => b.constant(f64::from(u8::from(*x)), DType::Bool),
            Some(Arg::Size(size)) => match size.as_const() {
                Some(c) => b.constant(c, dtype),
                None => b.push(Op::Size(size.clone()), vec![], Type::new(dtype, vec![])),
            },
            _ => b.constant(0.0, dtype),
        }
    }

    /// An integer, if given.
    pub fn int(&self, slot: usize) -> Option<i64> {
        match self.arg(slot) {
            Some(Arg::Size(size)) => size.as_const(),
            _ => None,
        }
    }

    /// A size, if given.
    pub fn size(&self, slot: usize) -> Option<Size> {
        match self.arg(slot) {
            Some(Arg::Size(size)) => Some(size.clone()),
            _ => None,
        }
    }

    /// A number, if given.
    pub fn float(&self, slot: usize) -> Option<f64> {
        match self.arg(slot) {
            Some(Arg::Float(x)) => Some(*x),
            Some(Arg::Size(size)) => size.as_const().map(|c| c as f64),
            _ => None,
        }
    }

    /// A truth value, if given.
    pub fn bool(&self, slot: usize) -> Option<bool> {
        match self.arg(slot) {
            Some(Arg::Bool(x)) => Some(*x),
            _ => None,
        }
    }

    /// A number that is known, if given.
    pub fn number(&self, slot: usize) -> Option<Number> {
        match self.arg(slot)? {
            Arg::Float(x) => Some(Number::Float(*x)),
            Arg::Size(size) => size.as_const().map(Number::Int),
            _ => None,
        }
    }

    /// An element type, if given.
    pub fn dtype(&self, slot: usize) -> Option<DType> {
        match self.arg(slot) {
            Some(Arg::DType(x)) => Some(*x),
            _ => None,
        }
    }

    /// A text, if given.
    pub fn text(&self, slot: usize) -> Option<&str> {
        match self.arg(slot) {
            Some(Arg::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// One integer or two: height and width.
    pub fn pair(&self, slot: usize) -> Option<[i64; 2]> {
        match self.ints(slot)?.as_slice() {
            [both] => Some([*both, *both]),
            [h, w] => Some([*h, *w]),
            _ => None,
        }
    }

    /// One integer or a list of them.
    pub fn ints(&self, slot: usize) -> Option<Vec<i64>> {
        match self.arg(slot)? {
            Arg::Size(size) => Some(vec![size.as_const()?]),
            Arg::List(list) => list.iter().map(|a| if let Arg::Size(s) = a { s.as_const() } else { None }).collect(),
            _ => None,
        }
    }

    /// A list of sizes.
    pub fn sizes(&self, slot: usize) -> Option<Vec<Size>> {
        match self.arg(slot)? {
            Arg::Size(size) => Some(vec![size.clone()]),
            Arg::List(list) => list.iter().map(|a| if let Arg::Size(s) = a { Some(s.clone()) } else { None }).collect(),
            _ => None,
        }
    }

    /// A list of tensors, if given.
    pub fn tensors(&self, slot: usize) -> Option<Vec<Value>> {
        match self.arg(slot)? {
            Arg::List(list) => list.iter().map(|a| if let Arg::Tensor(v) = a { Some(*v) } else { None }).collect(),
            _ => None,
        }
    }

    /// How to mend a size that what comes in contradicts.
    pub(crate) fn correction(&self, slot: usize, name: &str, size: i64) -> String {
        match &self.values[slot] {
            Some(filled) if !filled.named => format!("write {size} there"),
            _ => format!("write `{name} = {size}`, or leave it out: it is inferred"),
        }
    }

    /// Reports a mistake about argument `slot`.
    pub fn wrong<T>(
        &self,
        b: &mut Builder,
        code: &'static str,
        slot: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Checked<T> {
        let d = Diagnostic::new(code, self.at(slot), message).help(help);
        b.report(d)
    }

    /// Axis `slot` of a tensor of `rank` axes; negative ones count from the end.
    pub fn axis(&self, b: &mut Builder, slot: usize, given: i64, rank: usize) -> Checked<usize> {
        let axis = if given < 0 { given + rank as i64 } else { given };
        if (0..rank as i64).contains(&axis) {
            return Ok(axis as usize);
        }
        let message = format!("`{}` has no axis {given}: its operand has {rank} axes", self.callee);
        self.wrong(b, "N0103", slot, message, format!("axes run from {} to {}", -(rank as i64), rank as i64 - 1))
    }
}
