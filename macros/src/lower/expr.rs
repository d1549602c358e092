//! Expressions: what they give, and what names in them stand for.

use std::rc::Rc;

use castnet_graph::arith;
use castnet_graph::builder::{Builder, Checked};
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::ops::{self, IndexItem};
use castnet_graph::size::Size;
use castnet_graph::spelling::did_you_mean;
use castnet_graph::types::{DType, Type};

use super::Pass;
use super::parts::Part;
use super::scope::{Frame, Local};
use super::signature::is_size_name;
use crate::ast::{Argument, BuildParameter, Expr, ExprKind, FLOAT, Item, ItemKind, Members, Name, UNFINISHED};

/// Lowers expressions into one graph.
pub(super) struct Lowering<'a, 'b, 'p> {
    /// What is known of the net.
    pub pass: &'b Pass<'a>,
    /// The graph.
    pub b: &'b mut Builder<'p>,
    /// The blocks whose bodies are being read, outermost first.
    pub active: Vec<usize>,
}

/// The number of elements above which a tensor is refused: far beyond any memory, far below what overflows.
const ELEMENTS: f64 = (1u64 << 40) as f64;

/// A graph with more nodes than this is refused: functions that call each other twice grow without bound.
const NODES: usize = 50_000;

impl<'a, 'b, 'p> Lowering<'a, 'b, 'p> {
    /// Into a graph.
    pub fn new(pass: &'b Pass<'a>, b: &'b mut Builder<'p>) -> Lowering<'a, 'b, 'p> {
        Lowering { pass, b, active: vec![] }
    }
}

impl<'a> Lowering<'a, '_, '_> {
    /// The value of an expression; [`Arg::Unknown`] if it has a mistake, which is reported.
    pub fn expression(&mut self, frame: &mut Frame<'a>, expression: &'a Expr) -> Arg {
        let at = expression.at;
        match &expression.kind {
            ExprKind::Broken => Arg::Unknown,
            ExprKind::Int(value) => Arg::Size((*value).into()),
            ExprKind::Long(value) => self.too_long(*value, at),
            ExprKind::Float(value) => Arg::Float(*value),
            ExprKind::Bool(value) => Arg::Bool(*value),
            ExprKind::Text(text) => Arg::Text(text.clone()),
            ExprKind::None => Arg::None,
            ExprKind::Name(name) => self.name(frame, name, at),
            ExprKind::List(parts) | ExprKind::Tuple(parts) => {
                Arg::List(parts.iter().map(|part| self.expression(frame, part)).collect())
            }
            ExprKind::Repeat(value, count) => {
                let value = self.expression(frame, value);
                match self.expression(frame, count) {
                    Arg::Size(size) if size.as_const().is_some_and(|c| (0..=10_000).contains(&c)) => {
                        Arg::List(vec![value; size.as_const().unwrap_or(0) as usize])
                    }
                    Arg::Unknown => Arg::Unknown,
                    other => {
                        let message = format!("the length of a list is a number, found {}", other.describe(self.b));
                        self.mistake(Diagnostic::new("N0512", count.at, message).help("write `[0; 3]`"))
                    }
                }
            }
            ExprKind::Unary(f, x) => {
                let x = Given { name: None, value: self.expression(frame, x), at: x.at };
                let result = arith::unary(self.b, *f, at, &x);
                self.checked(result, at)
            }
            ExprKind::Binary(f, x, y) => {
                let given = [self.operand(frame, None, x), self.operand(frame, None, y)];
                let result = arith::binary(self.b, *f, at, &given[0], &given[1]);
                let result = self.checked(result, at);
                self.beside_tensors(result, [&**x, &**y])
            }
            ExprKind::And(x, y) => match self.truth(frame, x) {
                Some(false) => Arg::Bool(false),
                Some(true) => self.truth(frame, y).map_or(Arg::Unknown, Arg::Bool),
                None => Arg::Unknown,
            },
            ExprKind::Or(x, y) => match self.truth(frame, x) {
                Some(true) => Arg::Bool(true),
                Some(false) => self.truth(frame, y).map_or(Arg::Unknown, Arg::Bool),
                None => Arg::Unknown,
            },
            ExprKind::If(condition, then, otherwise) => match self.truth(frame, condition) {
                Some(holds) => self.block_of(frame, if holds { then } else { otherwise }),
                None => Arg::Unknown,
            },
            ExprKind::Block(body) => self.block_of(frame, body),
            ExprKind::Index(x, items) => self.index(frame, x, items, at),
            ExprKind::Field(x, name) => self.field(frame, x, name),
            ExprKind::Call(callee, arguments) => {
                let value = self.call(frame, callee, arguments);
                self.note(at, &value);
                value
            }
            ExprKind::Apply(callee, arguments) => {
                let value = self.apply(frame, callee, arguments);
                self.note(at, &value);
                value
            }
            ExprKind::Closure(..) => {
                let d = Diagnostic::new("N0305", at, "a closure stands as the last argument of `scan`");
                self.mistake(d.help("write `scan(xs, init, |state, x| (next, output))`"))
            }
        }
    }

    /// A condition that is known at build time; `None` if it is not, which is reported.
    pub fn truth(&mut self, frame: &mut Frame<'a>, condition: &'a Expr) -> Option<bool> {
        match self.expression(frame, condition) {
            Arg::Bool(truth) => return Some(truth),
            Arg::Unknown => {}
            Arg::Tensor(value) => {
                let message = format!("a condition is known at build time, found a tensor {}", self.b.ty(value));
                let d = Diagnostic::new("N0521", condition.at, message);
                self.mistake(d.help("choose element by element: `where_(condition, a, b)`"));
            }
            other => {
                let message = format!("a condition is `true` or `false`, found {}", other.describe(self.b));
                self.mistake(Diagnostic::new("N0521", condition.at, message).help("compare sizes: `STRIDE != 1`"));
            }
        }
        None
    }

    /// An operand or an argument of an operator, which may be a number that no size can be.
    pub fn operand(&mut self, frame: &mut Frame<'a>, name: Option<&'a Name>, x: &'a Expr) -> Given {
        let value = match &x.kind {
            ExprKind::Long(value) => Arg::Size((*value).into()),
            _ => self.expression(frame, x),
        };
        Given { name: name.map(|n| (n.text.clone(), n.at)), value, at: x.at }
    }

    /// What came of operands: long numbers among them are a mistake unless it is a tensor.
    pub fn beside_tensors<'x>(&mut self, result: Arg, operands: impl IntoIterator<Item = &'x Expr>) -> Arg {
        let mut long = operands.into_iter().filter_map(|x| match x.kind {
            ExprKind::Long(value) => Some((value, x.at)),
            _ => None,
        });
        match (&result, long.next()) {
            (Arg::Tensor(_) | Arg::Unknown, _) | (_, None) => result,
            (_, Some((value, at))) => self.too_long(value, at),
        }
    }

    fn too_long(&mut self, value: i64, at: Loc) -> Arg {
        let d = Diagnostic::new("N0517", at, format!("the number {value} is too large"));
        self.mistake(d.help(
            "sizes and counts are at most 2147483647; beside a tensor a number may be as large as the tensor's type",
        ))
    }

    /// An argument of a call or layer.
    pub fn given(&mut self, frame: &mut Frame<'a>, argument: &'a Argument) -> Given {
        let name = argument.name.as_ref().map(|n| (n.text.clone(), n.at));
        Given { name, value: self.expression(frame, &argument.value), at: argument.value.at }
    }

    /// What an operator gave: its mistake is reported, a tensor beyond all measure is one.
    pub fn checked(&mut self, result: Checked<Arg>, at: Loc) -> Arg {
        let Ok(arg) = result else { return Arg::Unknown };
        if self.is_too_large(at) {
            return Arg::Unknown;
        }
        match arg {
            Arg::Tensor(value) if self.is_huge(&self.b.ty(value).clone(), at) => Arg::Unknown,
            arg => arg,
        }
    }

    /// Whether a tensor is beyond all memory, which is reported. Run-time sizes count as 1.
    pub fn is_huge(&mut self, ty: &Type, at: Loc) -> bool {
        let size = |size: &Size| size.terms().iter().map(|(_, c)| (*c as f64).abs()).sum::<f64>();
        let huge = ty.shape.iter().map(size).product::<f64>() > ELEMENTS;
        if huge {
            let help = "is a size wrong? A tensor has at most 2⁴⁰ elements";
            self.mistake(Diagnostic::new("N0517", at, format!("a tensor {ty} is too large")).help(help));
        }
        huge
    }

    /// Whether the graph has grown beyond all measure; reported once.
    pub fn is_too_large(&mut self, at: Loc) -> bool {
        let nodes = self.b.graph.nodes.len();
        if nodes > NODES && !self.b.diagnostics.iter().any(|d| d.code == "N0517") {
            let message = format!("`{}` grows beyond {NODES} operations", self.b.graph.name);
            let help =
                "calls are inlined: does a function call another one twice, which calls a third one twice, and so on?";
            self.mistake(Diagnostic::new("N0517", at, message).help(help));
        }
        nodes > NODES
    }

    /// The layer, block or array that an expression names, if it does: `stage1`, `stage1[0]`, `layers[1].0`.
    pub fn part(&mut self, frame: &mut Frame<'a>, expression: &'a Expr) -> Option<Rc<Part<'a>>> {
        match &expression.kind {
            ExprKind::Name(name) => match frame.local(name) {
                Some(Local::Part(part)) => Some(part.clone()),
                Some(Local::Value(_)) => None,
                None if frame.sizes.contains_key(name) => None,
                None => frame.owner.part(name),
            },
            ExprKind::Index(inner, items) => {
                let part = self.part(frame, inner)?;
                let Part::Array(elements, _) = &*part else {
                    if !matches!(&*part, Part::Parameter(_) | Part::State(_)) {
                        let message = format!("{} has no elements", part.describe());
                        self.mistake(
                            Diagnostic::new("N0518", expression.at, message)
                                .help("only arrays of layers have elements"),
                        );
                        return Some(Rc::new(Part::Broken));
                    }
                    return None;
                };
                let broken = Some(Rc::new(Part::Broken));
                let [Item { kind: ItemKind::At(at), .. }] = &items[..] else {
                    let at = items.get(1).map_or(expression.at, |item| item.at);
                    let d = Diagnostic::new("N0518", at, "an array of layers is indexed by one number");
                    self.mistake(d.help("write `stage1[0]`"));
                    return broken;
                };
                let given = self.expression(frame, at);
                let index = match &given {
                    Arg::Size(size) => size.as_const(),
                    Arg::Unknown => return broken,
                    _ => None,
                };
                if index.is_none() {
                    let message = format!("elements are chosen at build time, found {}", given.describe(self.b));
                    let help = "write a number, a constant, or go through them: `for layer in layers { … }`";
                    self.mistake(Diagnostic::new("N0518", at.at, message).help(help));
                    return broken;
                }
                let wrapped = index.map(|i| if i < 0 { i + elements.len() as i64 } else { i });
                match wrapped.and_then(|i| elements.get(usize::try_from(i).ok()?)) {
                    Some(element) => Some(element.clone()),
                    None => {
                        let message =
                            format!("an array of {} has no element {}", elements.len(), index.unwrap_or_default());
                        let help = format!("elements are numbered from 0 to {}", elements.len().saturating_sub(1));
                        self.mistake(Diagnostic::new("N0518", at.at, message).help(help));
                        broken
                    }
                }
            }
            ExprKind::Field(inner, name) => {
                // `stage1.0` is what the checkpoint calls it.
                let part = self.part(frame, inner)?;
                match &*part {
                    Part::Array(elements, _) => name.text.parse::<usize>().ok().and_then(|i| elements.get(i).cloned()),
                    Part::Block(used) => used.inner.borrow().as_ref().and_then(|inner| inner.owner.part(&name.text)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `x[.., 0..5, i]`.
    fn index(&mut self, frame: &mut Frame<'a>, x: &'a Expr, items: &'a [Item], at: Loc) -> Arg {
        if let Some(part) = self.part(frame, x) {
            match &*part {
                Part::Parameter(_) | Part::State(_) => {}
                Part::Broken => return Arg::Unknown,
                Part::Array(..) => {
                    let d = Diagnostic::new("N0501", at, "an element of an array is a layer, not a value");
                    return self.mistake(d.help("call it: `stage1[0](x)`"));
                }
                other => {
                    let d = Diagnostic::new("N0518", at, format!("{} has no elements", other.describe()));
                    return self.mistake(d.help("only arrays of layers have elements"));
                }
            }
        }
        let value = self.expression(frame, x);
        match value {
            Arg::Unknown => Arg::Unknown,
            Arg::Tensor(tensor) => {
                let Some(items) = items.iter().map(|i| self.item(frame, i)).collect::<Option<Vec<_>>>() else {
                    return Arg::Unknown;
                };
                let result = ops::index(self.b, at, tensor, &items).map(Arg::Tensor);
                self.checked(result, at)
            }
            Arg::List(values) => {
                let [Item { kind: ItemKind::At(index), .. }] = items else {
                    let at = items.get(1).map_or(at, |item| item.at);
                    let d = Diagnostic::new("N0518", at, "a list is indexed by one number");
                    return self.mistake(d.help("write `pair[0]`"));
                };
                let number = match self.expression(frame, index) {
                    Arg::Size(size) => size.as_const().map(|i| if i < 0 { i + values.len() as i64 } else { i }),
                    Arg::Unknown => return Arg::Unknown,
                    _ => None,
                };
                match number.and_then(|i| values.get(usize::try_from(i).ok()?)) {
                    Some(value) => value.clone(),
                    None => {
                        let message = format!("a list of {} has no such element", values.len());
                        let help = format!("elements are numbered from 0 to {}", values.len().saturating_sub(1));
                        self.mistake(Diagnostic::new("N0518", index.at, message).help(help))
                    }
                }
            }
            other => {
                let message = format!("{} has no elements", other.describe(self.b));
                self.mistake(Diagnostic::new("N0518", at, message).help("tensors and lists have elements"))
            }
        }
    }

    fn item(&mut self, frame: &mut Frame<'a>, item: &'a Item) -> Option<IndexItem> {
        Some(match &item.kind {
            ItemKind::All => IndexItem::All,
            ItemKind::At(index) => match self.expression(frame, index) {
                Arg::Size(size) => IndexItem::At(size),
                Arg::Tensor(places) => IndexItem::Places(places, index.at),
                Arg::Unknown => return None,
                other => {
                    let found = other.describe(self.b);
                    let message = format!("an index is an integer, a size or a tensor of integers, found {found}");
                    let help = "a part of an axis is `a..b`, a whole one `..`";
                    self.mistake(Diagnostic::new("N0518", index.at, message).help(help));
                    return None;
                }
            },
            ItemKind::Range(from, to) => {
                let from = self.end(frame, from.as_ref())?;
                IndexItem::Range(from, self.end(frame, to.as_ref())?)
            }
        })
    }

    /// The end of a range, if there is one; `None` if it has a mistake.
    fn end(&mut self, frame: &mut Frame<'a>, written: Option<&'a Expr>) -> Option<Option<Size>> {
        let Some(written) = written else { return Some(None) };
        match self.expression(frame, written) {
            Arg::Size(size) => Some(Some(size)),
            Arg::Unknown => None,
            other => {
                let message = format!("a range ends at an integer or a size, found {}", other.describe(self.b));
                self.mistake(Diagnostic::new("N0518", written.at, message).help("write `x[0..5]`, `x[.., 0..T - 1]`"));
                None
            }
        }
    }

    /// `wte.weight`, `pair.0`.
    fn field(&mut self, frame: &mut Frame<'a>, x: &'a Expr, name: &'a crate::ast::Name) -> Arg {
        if name.text == UNFINISHED {
            if self.part(frame, x).is_none() {
                self.expression(frame, x);
            }
            return Arg::Unknown;
        }
        if let Some(part) = self.part(frame, x) {
            return match &*part {
                Part::Broken => Arg::Unknown,
                Part::Layer(layer, _) => self.layer_tensor(layer, name),
                Part::Block(used) => {
                    let inner = used.inner.borrow();
                    let known = inner.as_ref().and_then(|inner| inner.owner.part(&name.text));
                    match known.as_deref() {
                        Some(Part::Parameter(number)) => Arg::Tensor(self.b.parameter(*number)),
                        Some(Part::State(number)) => Arg::Tensor(self.b.state(*number)),
                        Some(_) => {
                            let d =
                                Diagnostic::new("N0501", name.at, format!("`{}` is a layer, not a value", name.text));
                            self.mistake(d.help(format!("its tensors are values: `.{}.weight`", name.text)))
                        }
                        None if inner.is_none() => {
                            let d =
                                Diagnostic::new("N0522", name.at, "the parts of a block are known once it was called");
                            self.mistake(d.help("call the block before"))
                        }
                        None => {
                            let block = &self.pass.file.blocks[used.block];
                            let message = format!("block `{}` has no `{}`", block.name.text, name.text);
                            self.mistake(
                                Diagnostic::new("N0522", name.at, message).note(block.name.at, "it is defined here"),
                            )
                        }
                    }
                }
                other => {
                    let message = format!("{} has no `{}`", other.describe(), name.text);
                    self.mistake(Diagnostic::new("N0522", name.at, message).help("layers have tensors: `fc1.weight`"))
                }
            };
        }
        match self.expression(frame, x) {
            Arg::Unknown => Arg::Unknown,
            Arg::List(values) => match name.text.parse::<usize>().ok().and_then(|i| values.get(i)) {
                Some(value) => value.clone(),
                None => {
                    let message = format!("a tuple of {} has no `.{}`", values.len(), name.text);
                    self.mistake(Diagnostic::new("N0522", name.at, message).help("its parts are `.0`, `.1`, …"))
                }
            },
            Arg::Tensor(value) if name.text == "shape" => {
                Arg::List(self.b.shape(value).into_iter().map(Arg::Size).collect())
            }
            other => {
                let message = format!("{} has no field `{}`", other.describe(self.b), name.text);
                let help = match name.text.as_str() {
                    "T" | "mT" => "transpose it: `.t()`, `.transpose(-2, -1)`".to_string(),
                    text if text.starts_with(|c: char| c.is_ascii_digit()) => {
                        format!("an element of a tensor is `x[{text}]`; tuples have parts")
                    }
                    text => format!("operators are called: `.{text}()`"),
                };
                self.mistake(Diagnostic::new("N0522", name.at, message).help(help))
            }
        }
    }

    fn layer_tensor(&mut self, layer: &castnet_graph::layers::Layer, name: &'a crate::ast::Name) -> Arg {
        let key = format!("{}.{}", layer.name, name.text);
        let found = layer.tensors.iter().copied().find(|&t| *self.b.parameters.list[t].name == *key);
        let Some(number) = found else {
            let tensors: Vec<String> =
                layer.tensors.iter().map(|&t| self.b.parameters.list[t].name.to_string()).collect();
            let message = format!("layer `{}` has no tensor `{}`", layer.name, name.text);
            let d = Diagnostic::new("N0522", name.at, message).note(layer.at, "it is declared here");
            return self.mistake(match tensors.is_empty() {
                true => d.help("it has no tensors"),
                false => d.help(format!("it has `{}`", tensors.join("`, `"))),
            });
        };
        if self.b.parameters.list[number].shape.is_none() {
            castnet_graph::layers::settle(self.b, layer);
        }
        if self.b.parameters.list[number].shape.is_none() {
            let message =
                format!("the shape of `{key}` is not known yet: it follows from the first call of `{}`", layer.name);
            let d = Diagnostic::new("N0522", name.at, message).note(layer.at, "it is declared here");
            return self
                .mistake(d.help("call the layer before, or declare its input size, such as `in_features = 256`"));
        }
        Arg::Tensor(self.b.parameter(number))
    }

    /// What a name stands for: locals, sizes, element types.
    fn name(&mut self, frame: &mut Frame<'a>, name: &str, at: Loc) -> Arg {
        match frame.local(name) {
            Some(Local::Value(value)) => return value.clone(),
            Some(Local::Part(part)) => {
                let message = format!("`{name}` is {}, not a value", part.describe());
                return self.mistake(Diagnostic::new("N0501", at, message).help(format!("call it: `{name}(x)`")));
            }
            None => {}
        }
        if let Some(value) = frame.sizes.get(name) {
            return value.clone();
        }
        if !frame.outside {
            match frame.owner.part(name).as_deref() {
                Some(Part::Parameter(number)) => return Arg::Tensor(self.b.parameter(*number)),
                Some(Part::State(number)) => return Arg::Tensor(self.b.state(*number)),
                Some(Part::Broken) => return Arg::Unknown,
                _ => {}
            }
        }
        if let Some(value) = self.pass.constants.get(frame.owner.scope).and_then(|known| known.get(name)) {
            return value.clone();
        }
        match name {
            "inf" => return Arg::Float(f64::INFINITY),
            "nan" => return Arg::Float(f64::NAN),
            _ => {}
        }
        if let Some(dtype) = DType::from_name(name) {
            return Arg::DType(dtype);
        }
        if name == FLOAT {
            return Arg::DType(self.b.float());
        }
        if frame.lenient || !frame.reported.insert(name.to_string()) {
            return Arg::Unknown;
        }
        let is_part = frame.owner.members.parts.iter().any(|p| p.name.text == name);
        let d = if is_part {
            Diagnostic::new("N0501", at, format!("`{name}` is a layer, not a value"))
                .help(format!("call it: `{name}(x)`"))
        } else if frame.owner.function(name).is_some() {
            Diagnostic::new("N0501", at, format!("`{name}` is a function, not a value"))
                .help(format!("call it: `{name}(…)`"))
        } else if frame.outside && is_size_name(name) && !frame.sizes.is_empty() {
            let d = Diagnostic::new("N0501", at, format!("there is no constant `{name}`"));
            let mut known: Vec<&str> = frame.sizes.keys().map(String::as_str).collect();
            known.sort_unstable();
            match did_you_mean(name, known) {
                Some(meant) => d.help(format!("did you mean `{meant}`?")),
                None => d.help("here only constants of the net are known: run-time sizes belong to functions"),
            }
        } else {
            self.unknown_name(frame, name, at)
        };
        self.mistake(d)
    }

    fn unknown_name(&self, frame: &Frame<'a>, name: &str, at: Loc) -> Diagnostic {
        let outside = frame.outside;
        let what = if is_size_name(name) { "size" } else { "value" };
        let d =
            Diagnostic::new("N0501", at, format!("there is no {what} `{name}`{}", if outside { " here" } else { "" }));
        let mut known: Vec<&str> = frame.names().chain(frame.sizes.keys().map(String::as_str)).collect();
        known.sort_unstable();
        if let Some(meant) = did_you_mean(name, known) {
            return d.help(format!("did you mean `{meant}`?"));
        }
        if let Some(meant) = crate::parse::element_type(name) {
            return d.help(format!("did you mean the element type `{meant}`?"));
        }
        if let Some(meant) = did_you_mean(name, frame.owner.names()) {
            return d.help(format!("did you mean `{meant}`? It must be called: `{meant}(x)`"));
        }
        match (what, outside) {
            ("size", true) => d.help(format!("declare it: `const {name}: usize = …;`")),
            ("size", false) => {
                d.help(format!("write it in the type of an argument, or declare it: `const {name}: usize = …;`"))
            }
            (_, true) => d.help("here only numbers, constants and lists of them are known"),
            _ => d.help(format!("bind it before: `let {name} = …;`")),
        }
    }

    /// Remembers for an editor what a name or call was found to be.
    pub fn note(&self, at: Loc, value: &Arg) {
        self.pass.findings.note(at, value, self.b);
    }

    /// The same for constants and build-time parameters.
    pub fn note_sizes(&self, frame: &Frame<'a>, parameters: &[BuildParameter], members: &Members) {
        let names = parameters.iter().map(|p| &p.name).chain(members.constants.iter().map(|c| &c.name));
        for name in names {
            if let Some(value) = frame.sizes.get(&name.text) {
                self.note(name.at, value);
            }
        }
    }

    /// Reports a mistake.
    pub fn mistake(&mut self, d: Diagnostic) -> Arg {
        self.b.diagnostics.push(d);
        Arg::Unknown
    }
}
