//! Bodies of functions: what their names stand for, `let`s, and what they give.

use std::collections::{HashMap, HashSet};

use castnet_graph::builder::Builder;
use castnet_graph::call::Arg;
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::graph::{Origin, Value};
use castnet_graph::size::Size;
use castnet_graph::types::{self, DType};

use super::Pass;
use crate::ast::{Axis, Expr, ExprKind, Function, Let, Type};

/// Lowers expressions into one graph.
pub(super) struct Lowering<'a, 'p> {
    /// What is known of the net.
    pub pass: &'a Pass<'a>,
    /// The graph.
    pub b: Builder<'p>,
}

/// What names stand for inside one function.
pub(super) struct Frame {
    /// Size names; `None` if the size is unknown because of a mistake.
    pub sizes: HashMap<String, Option<Size>>,
    /// Arguments and `let`s.
    pub locals: HashMap<String, Arg>,
    /// Unknown names that were reported.
    pub reported: HashSet<String>,
    /// A part of the source could not be read: unknown names are no mistake.
    pub lenient: bool,
    /// Outside functions only constants are known.
    pub outside: bool,
}

impl Frame {
    /// Where no function is: in constants and declarations of layers.
    pub fn outside(lenient: bool) -> Frame {
        Frame { outside: true, ..Frame::inside(lenient) }
    }

    /// At the start of a function.
    pub fn inside(lenient: bool) -> Frame {
        Frame { sizes: HashMap::new(), locals: HashMap::new(), reported: HashSet::new(), lenient, outside: false }
    }
}

/// A graph with more nodes than this is refused: functions that call each other twice grow without bound.
const NODES: usize = 50_000;

impl<'a> Lowering<'a, '_> {
    /// Lowers a function on its own, its size names bound by `size`; its result becomes the graph's.
    pub fn alone(&mut self, index: usize, size: &dyn Fn(&str) -> Size) {
        let function = self.function(index);
        let signature = &self.pass.signatures[index];
        let mut frame = Frame::inside(self.is_lenient(index));
        for name in &signature.sizes {
            let known = signature.whole.then(|| size(name));
            // With a mistake in the head, sizes still are what they are called.
            frame.sizes.insert(name.clone(), known.or_else(|| Some(Size::symbol(name))));
        }
        for (parameter, sound) in function.parameters.iter().zip(&signature.sound) {
            let ty = parameter.ty.as_ref().filter(|_| *sound).and_then(|ty| self.ty(&mut frame, ty));
            let known = ty.and_then(|ty| ty.known());
            let known = known.filter(|ty| !self.is_huge(ty, parameter.name.at));
            self.b.origin = Origin { loc: parameter.name.at, name: parameter.name.text.as_str().into() };
            let arg = known.map_or(Arg::Unknown, |ty| Arg::Tensor(self.b.argument(&parameter.name.text, ty)));
            frame.locals.insert(parameter.name.text.clone(), arg);
        }
        if let Arg::Tensor(value) = self.body(index, &mut frame) {
            self.b.result(value);
        }
    }

    /// Function number `index`.
    pub fn function(&self, index: usize) -> &'a Function {
        &self.pass.names.net.functions[index]
    }

    /// Whether unknown names in a function are no mistake.
    pub fn is_lenient(&self, index: usize) -> bool {
        let function = self.function(index);
        function.lost || self.pass.names.net.lost || function.parameters.iter().any(|p| p.ty.is_none())
    }

    /// What a function gives: checked against what it promises.
    pub fn body(&mut self, index: usize, frame: &mut Frame) -> Arg {
        let function = self.function(index);
        for one in &function.lets {
            self.let_(frame, one);
        }
        let value = self.expression(frame, &function.tail);
        let sound = self.pass.signatures[index].sound_result;
        let promised = function.result.as_ref().filter(|_| sound).and_then(|ty| Some((ty, self.ty(frame, ty)?)));
        let Some((written, promised)) = promised else {
            return if matches!(value, Arg::Tensor(_)) { value } else { Arg::Unknown };
        };
        let what = format!("function `{}` promises {}", function.name.text, promised.text());
        let given = match &value {
            Arg::Unknown => return Arg::Unknown,
            Arg::List(_) => {
                let (code, message, help) = crate::parse::not_yet("tuples as results");
                let d = Diagnostic::new(code, function.tail.at, message);
                self.b.diagnostics.push(d.help(help));
                return Arg::Unknown;
            }
            other => self.tensor(other, promised.dtype, function.tail.at),
        };
        let Some(given) = given else {
            let d = Diagnostic::new(
                "N0509",
                function.tail.at,
                format!("{what} but its body gives {}", value.describe(&self.b)),
            );
            self.b.diagnostics.push(d.note(written.at, "the promise is here"));
            return Arg::Unknown;
        };
        let found = self.b.ty(given).clone();
        if promised.admits(&found) {
            return Arg::Tensor(given);
        }
        let mut d = Diagnostic::new("N0509", function.tail.at, format!("{what} but its body gives {found}"));
        d = self.came_from(d, given, function.tail.at).note(written.at, "the promise is here");
        self.b.diagnostics.push(d.help(promised.advice(&found)));
        Arg::Unknown
    }

    fn let_(&mut self, frame: &mut Frame, one: &Let) {
        let mut value = self.expression(frame, &one.value);
        if let Some(declared) = &one.ty {
            let declared_type = self.ty(frame, declared);
            value = match (declared_type, &value) {
                (None, _) | (_, Arg::Unknown) => Arg::Unknown,
                (Some(ty), other) => match self.tensor(other, ty.dtype, one.value.at) {
                    Some(tensor) if ty.admits(self.b.ty(tensor)) => Arg::Tensor(tensor),
                    found => {
                        let text = found.map_or(other.describe(&self.b), |v| self.b.ty(v).to_string());
                        let message =
                            format!("`{}` is declared as {} but its value is {text}", one.name.text, ty.text());
                        let mut d = Diagnostic::new("N0510", one.value.at, message);
                        if let Some(value) = found {
                            d = self.came_from(d, value, one.value.at).help(ty.advice(self.b.ty(value)));
                        }
                        self.b.diagnostics.push(d);
                        Arg::Unknown
                    }
                },
            };
        }
        if one.name.text != "_" {
            frame.locals.insert(one.name.text.clone(), value);
        }
    }

    /// Says where a value was made, unless the mistake stands there itself.
    pub fn came_from(&self, d: Diagnostic, value: Value, at: Loc) -> Diagnostic {
        let made = self.b.made_at(value);
        match made == at {
            true => d,
            false => d.note(made, format!("{} comes from `{}`", self.b.ty(value), self.b.made_by(value))),
        }
    }

    /// A value as a tensor: numbers become scalars.
    pub fn tensor(&mut self, value: &Arg, dtype: DType, at: Loc) -> Option<Value> {
        let number = match value {
            Arg::Tensor(value) => return Some(*value),
            Arg::Float(number) if dtype.is_float() => *number,
            Arg::Size(size) if dtype != DType::Bool => size.as_const()? as f64,
            Arg::Bool(truth) if dtype == DType::Bool => f64::from(u8::from(*truth)),
            _ => return None,
        };
        let before = std::mem::replace(&mut self.b.origin, Origin { loc: at, name: "number".into() });
        let value = self.b.constant(number, dtype);
        self.b.origin = before;
        Some(value)
    }

    /// What a written type means; `None` if it has a mistake, which is reported here.
    pub fn ty(&mut self, frame: &mut Frame, ty: &Type) -> Option<Expected> {
        let mut axes = vec![];
        for axis in &ty.axes {
            axes.push(match axis {
                Axis::Any(_) => None,
                Axis::Size(size) => Some(self.size(frame, size)?),
            });
        }
        Some(Expected { dtype: ty.dtype, axes })
    }

    /// A size in a type: at least 1, as far as that is known.
    pub fn size(&mut self, frame: &mut Frame, written: &Expr) -> Option<Size> {
        let found = match self.expression(frame, written) {
            Arg::Unknown => return None,
            Arg::Size(size) if size.as_const().is_none_or(|c| c >= 1) => return Some(size),
            Arg::Size(size) => format!("a size is at least 1, found {size}"),
            other => format!("a size is an integer, found {}", other.describe(&self.b)),
        };
        let help = match &written.kind {
            ExprKind::Float(_) => "write an integer",
            _ => "write a positive integer, an upper-case name, or arithmetic of them",
        };
        self.b.diagnostics.push(Diagnostic::new("N0512", written.at, found).help(help));
        None
    }

    /// Whether the graph has grown beyond all measure; reported once.
    pub fn is_too_large(&mut self, at: Loc) -> bool {
        let nodes = self.b.graph.nodes.len();
        if nodes > NODES && !self.b.diagnostics.iter().any(|d| d.code == "N0517") {
            let message = format!("`{}` grows beyond {NODES} operations", self.b.graph.name);
            let help =
                "calls are inlined: does a function call another one twice, which calls a third one twice, and so on?";
            self.b.diagnostics.push(Diagnostic::new("N0517", at, message).help(help));
        }
        nodes > NODES
    }
}

/// A type as declared: `None` for `_`.
pub(super) struct Expected {
    /// The element type.
    pub dtype: DType,
    /// The sizes.
    pub axes: Vec<Option<Size>>,
}

impl Expected {
    /// Whether a type is as declared.
    pub fn admits(&self, found: &types::Type) -> bool {
        let fits = |(want, have): (&Option<Size>, &Size)| want.as_ref().is_none_or(|want| want == have);
        self.dtype == found.dtype && self.axes.len() == found.rank() && self.axes.iter().zip(&found.shape).all(fits)
    }

    /// The type, if no size is left open.
    fn known(&self) -> Option<types::Type> {
        Some(types::Type::new(self.dtype, self.axes.iter().cloned().collect::<Option<_>>()?))
    }

    /// `f32[N, _]`.
    pub fn text(&self) -> String {
        let axes: Vec<_> = self.axes.iter().map(|a| a.as_ref().map_or("_".into(), Size::to_string)).collect();
        if axes.is_empty() { self.dtype.to_string() } else { format!("{}[{}]", self.dtype, axes.join(", ")) }
    }

    /// What to do where `found` stands instead.
    pub fn advice(&self, found: &types::Type) -> String {
        let scalar = self.axes.is_empty();
        match () {
            _ if self.axes.len() == found.rank() && self.dtype != found.dtype => {
                format!("convert it: `.cast({})`", self.dtype)
            }
            _ if scalar && self.dtype.is_float() => "reduce it to a scalar, such as by `.mean()` or `.sum()`".into(),
            _ if self.axes.len() != found.rank() => axes_instead(found.rank(), self.axes.len()),
            _ => {
                let differ = |(i, (want, have)): (usize, (&Option<Size>, &Size))| {
                    let want = want.as_ref().filter(|want| *want != have)?;
                    Some(format!("axis {i} is {have} instead of {want}"))
                };
                self.axes.iter().zip(&found.shape).enumerate().filter_map(differ).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// `it has 2 axes instead of 1`.
pub(super) fn axes_instead(found: usize, wanted: usize) -> String {
    format!("it has {found} ax{} instead of {wanted}", if found == 1 { "is" } else { "es" })
}

/// A type as it is written, as far as that can be said without its names.
pub fn type_text(ty: &Type) -> String {
    fn size(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Name(name) => name.clone(),
            ExprKind::Int(value) => value.to_string(),
            _ => "…".into(),
        }
    }
    let axis = |axis: &Axis| match axis {
        Axis::Any(_) => "_".into(),
        Axis::Size(expr) => size(expr),
    };
    let axes: Vec<String> = ty.axes.iter().map(axis).collect();
    if axes.is_empty() { ty.dtype.to_string() } else { format!("{}[{}]", ty.dtype, axes.join(", ")) }
}
