//! The parts of a net: its layers, its blocks with theirs, arrays of them, bare parameters and states.
//!
//! A part of a block is declared when the block is called first, since its arguments may depend on what it is called with.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use castnet_graph::builder::{Declared, DeclaredState, Options};
use castnet_graph::call::{Arg, Given, misplaced};
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::layers::init::SMALLER;
use castnet_graph::layers::{self, Layer};
use castnet_graph::net::Init;
use castnet_graph::number::Number;
use castnet_graph::size::Size;
use castnet_graph::spelling::did_you_mean;
use castnet_graph::types::{DType, Type};

use super::expr::Lowering;
use super::scope::Frame;
use crate::ast::{self, Argument, FLOAT, Function, Make, Member, Members, Multiplier, Name};

/// A net, or one use of a block: what its functions and statements see.
pub(super) struct Owner<'a> {
    /// What is declared there.
    pub members: &'a Members,
    /// The functions of a net.
    pub functions: &'a [Function],
    /// Index into the scopes of the file.
    pub scope: usize,
    /// The checkpoint keys of the parts start with this: nothing, or `stage1.0.`.
    pub path: String,
    /// In the order of declaration; the first of a name counts.
    pub parts: RefCell<Vec<(&'a str, Rc<Part<'a>>)>>,
}

/// A part of a net.
pub(super) enum Part<'a> {
    /// Its declaration has a mistake, which was reported: accepted silently everywhere.
    Broken,
    /// `if` without `else`, where the condition does not hold.
    Absent(Loc),
    /// A layer, and the arguments with which it was declared.
    Layer(Layer, Vec<Given>),
    /// A block.
    Block(Use<'a>),
    /// An array of layers or blocks.
    Array(Vec<Rc<Part<'a>>>, Loc),
    /// `param`: its number in the net's list.
    Parameter(usize),
    /// `state`: its number in the net's list.
    State(usize),
}

/// One use of a block.
pub(super) struct Use<'a> {
    /// Its number in the file.
    pub block: usize,
    /// Its checkpoint key: `stage1.0`.
    pub path: String,
    /// The block's name where it is used.
    pub at: Loc,
    /// The build-time parameters.
    pub arguments: HashMap<String, Arg>,
    /// What the attributes before it say, and those around it.
    pub options: Options,
    /// What is in it, after the first call.
    pub inner: RefCell<Option<Inner<'a>>>,
}

/// The inside of a block that was called.
pub(super) struct Inner<'a> {
    /// Its parts.
    pub owner: Rc<Owner<'a>>,
    /// The sizes with which they were declared.
    pub sizes: HashMap<String, Arg>,
    /// Its parameters, number and count, once the first call was read to its end.
    pub parameters: Cell<Option<(usize, usize)>>,
    /// Its states, likewise.
    pub states: Cell<Option<(usize, usize)>>,
    /// What calls gave, by the types of what they got.
    pub seen: RefCell<Vec<(Vec<Type>, Vec<Type>)>>,
}

impl<'a> Owner<'a> {
    /// The part with this name.
    pub fn part(&self, name: &str) -> Option<Rc<Part<'a>>> {
        self.parts.borrow().iter().find(|(n, _)| *n == name).map(|(_, part)| part.clone())
    }

    /// The number of the function with this name.
    pub fn function(&self, name: &str) -> Option<usize> {
        self.functions.iter().position(|f| f.name.text == name)
    }

    /// The names of parts and functions, for suggestions.
    pub fn names(&self) -> Vec<&'a str> {
        let parts = self.members.parts.iter().map(|p| p.name.text.as_str());
        let mut names: Vec<&str> = parts.chain(self.functions.iter().map(|f| f.name.text.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Part<'_> {
    /// What it is, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Part::Broken | Part::Absent(_) => "a part",
            Part::Layer(..) => "a layer",
            Part::Block(_) => "a block",
            Part::Array(..) => "an array",
            Part::Parameter(_) => "a parameter",
            Part::State(_) => "a state",
        }
    }

    /// Whether one set of kernels serves both: the same layer or block with the same arguments.
    pub fn equals(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Layer(a, x), Part::Layer(b, y)) => {
                let plain = |given: &[Given]| -> Vec<(Option<String>, Arg)> {
                    given.iter().map(|g| (g.name.clone().map(|(n, _)| n), g.value.clone())).collect()
                };
                a.kind.name == b.kind.name && plain(x) == plain(y)
            }
            (Part::Block(a), Part::Block(b)) => {
                a.block == b.block && a.arguments == b.arguments && a.options == b.options
            }
            _ => false,
        }
    }
}

/// Collects the layers of a part; false if a part of it was reported, an error says what else than a layer is there.
fn layers_of<'p>(part: &'p Part<'_>, layers: &mut Vec<&'p Layer>) -> Result<bool, &'static str> {
    match part {
        Part::Broken => Ok(false),
        Part::Absent(_) => Ok(true),
        Part::Layer(layer, _) => {
            layers.push(layer);
            Ok(true)
        }
        Part::Array(parts, _) => parts.iter().try_fold(true, |whole, part| Ok(layers_of(part, layers)? && whole)),
        Part::Block(_) | Part::Parameter(_) | Part::State(_) => Err(part.describe()),
    }
}

impl<'a> Lowering<'a, '_, '_> {
    /// Declares the parts of a net or block, with what `frame` knows.
    pub fn declare(&mut self, frame: &mut Frame<'a>, outer: Options) {
        let owner = frame.owner.clone();
        for part in &owner.members.parts {
            let name = part.name.text.as_str();
            if owner.part(name).is_some() {
                continue; // A second one of the same name was reported; the first one counts.
            }
            let options = self.options(frame, part, outer);
            let path = format!("{}{}", owner.path, part.key());
            let declared = self.member(frame, &part.member, &path, part.name.at, options);
            self.multiply_tensors(frame, part, &declared);
            owner.parts.borrow_mut().push((name, Rc::new(declared)));
        }
    }

    fn options(&mut self, frame: &mut Frame<'a>, part: &'a ast::Part, outer: Options) -> Options {
        let mut of_all = |written: &'a Option<Multiplier>, what: &str| match written {
            Some(Multiplier::All(factor)) => self.factor(frame, factor, what),
            Some(Multiplier::Tensors(_)) | None => 1.0,
        };
        let lr_mult = of_all(&part.attributes.lr_mult, "lr_mult");
        let wd_mult = of_all(&part.attributes.wd_mult, "wd_mult");
        Options { frozen: part.attributes.freeze.is_some(), lr_mult, wd_mult }.inside(outer)
    }

    /// The number of an attribute.
    fn factor(&mut self, frame: &mut Frame<'a>, written: &'a ast::Expr, what: &str) -> f32 {
        match self.expression(frame, written) {
            Arg::Float(value) if value >= 0.0 => value as f32,
            Arg::Size(size) if size.as_const().is_some_and(|c| c >= 0) => size.as_const().unwrap_or(1) as f32,
            Arg::Unknown => 1.0,
            other => {
                let found = other.describe(self.b);
                let message = format!("`{what}` is a number of at least 0, found {found}");
                self.mistake(Diagnostic::new("N0305", written.at, message).help("write a number, such as `0.1`"));
                1.0
            }
        }
    }

    /// `#[wd_mult(bias = 0)]`: factors of single tensors of a layer, or of all layers of an array.
    fn multiply_tensors(&mut self, frame: &mut Frame<'a>, part: &'a ast::Part, declared: &Part<'a>) {
        for (what, written) in [("lr_mult", &part.attributes.lr_mult), ("wd_mult", &part.attributes.wd_mult)] {
            let Some(Multiplier::Tensors(tensors)) = written else { continue };
            let mut layers = vec![];
            match layers_of(declared, &mut layers) {
                Ok(true) => {}
                Ok(false) => continue, // Some of it was reported.
                Err(found) => {
                    let at = tensors.first().map_or(part.name.at, |(name, _)| name.at);
                    let message =
                        format!("`#[{what}(…)]` names tensors of a layer, and `{}` is {found}", part.name.text);
                    let help = format!("write `#[{what} = 0.1]` for all of it, or `#[{what}(…)]` before a layer in it");
                    self.mistake(Diagnostic::new("N0604", at, message).help(help));
                    continue;
                }
            }
            for (tensor, written) in tensors {
                let factor = self.factor(frame, written, what);
                let mut known = vec![];
                let mut found = false;
                for layer in &layers {
                    for &number in &layer.tensors {
                        let parameter = &mut self.b.parameters.list[number];
                        let name = parameter.name.strip_prefix(&format!("{}.", layer.name)).unwrap_or(&parameter.name);
                        if name == tensor.text {
                            let options = &mut parameter.options;
                            let of_this = if what == "lr_mult" { &mut options.lr_mult } else { &mut options.wd_mult };
                            *of_this *= factor;
                            found = true;
                        } else if !known.iter().any(|k| k == name) {
                            known.push(name.to_string());
                        }
                    }
                }
                if !found {
                    let message = format!("`{}` has no parameter `{}`", part.name.text, tensor.text);
                    let d = Diagnostic::new("N0522", tensor.at, message);
                    let help = match did_you_mean(&tensor.text, known.iter().map(String::as_str)) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None if known.is_empty() => "it has none: leave the attribute out".to_string(),
                        None => format!("there are `{}`", known.join("`, `")),
                    };
                    self.mistake(d.help(help));
                }
            }
        }
    }

    fn member(&mut self, frame: &mut Frame<'a>, member: &'a Member, path: &str, at: Loc, options: Options) -> Part<'a> {
        match member {
            Member::Broken => Part::Broken,
            Member::Make(make) => self.make(frame, make, path, at, options),
            Member::If(condition, then, otherwise) => match self.truth(frame, condition) {
                None => Part::Broken,
                Some(true) => self.member(frame, then, path, at, options),
                Some(false) => match otherwise {
                    Some(otherwise) => self.member(frame, otherwise, path, at, options),
                    None => Part::Absent(condition.at),
                },
            },
            Member::Repeat(element, count) => {
                let Some(count) = self.count(frame, count) else { return Part::Broken };
                let elements = (0..count).map(|i| self.member(frame, element, &format!("{path}.{i}"), at, options));
                Part::Array(elements.map(Rc::new).collect(), at)
            }
            Member::List(elements) => {
                let element = |(i, m)| Rc::new(self.member(frame, m, &format!("{path}.{i}"), at, options));
                Part::Array(elements.iter().enumerate().map(element).collect(), at)
            }
            Member::Param(ty, init) => self.parameter(frame, ty, init, path, options),
            Member::State(ty, init) => self.state(frame, ty, init, path),
        }
    }

    /// The length of an array.
    fn count(&mut self, frame: &mut Frame<'a>, written: &'a ast::Expr) -> Option<i64> {
        let value = self.expression(frame, written);
        match &value {
            Arg::Unknown => return None,
            Arg::Size(size) if size.as_const().is_some_and(|c| (1..=10_000).contains(&c)) => return size.as_const(),
            _ => {}
        }
        let found = value.describe(self.b);
        let message = format!("the length of an array is a number from 1 to 10000, found {found}");
        self.mistake(Diagnostic::new("N0512", written.at, message).help("write `[Layer(…); 4]`, or a constant"));
        None
    }

    fn make(&mut self, frame: &mut Frame<'a>, make: &'a Make, path: &str, at: Loc, options: Options) -> Part<'a> {
        let scope = &self.pass.file.scopes[frame.owner.scope];
        let name = make.kind.text.as_str();
        if let Some((_, block)) = scope.blocks.iter().find(|(n, _)| n == name) {
            return self.block(frame, *block, make, path, options);
        }
        if layers::find(name).is_none() {
            if scope.lost {
                return Part::Broken;
            }
            let known = layers::LAYERS.iter().map(|k| k.name).chain(scope.blocks.iter().map(|(n, _)| n.as_str()));
            let d = Diagnostic::new("N0402", make.kind.at, format!("there is no layer or block `{name}`"));
            let d = match did_you_mean(name, known) {
                Some(meant) => d.help(format!("did you mean `{meant}`?")),
                None => {
                    let all: Vec<&str> = layers::LAYERS.iter().map(|k| k.name).collect();
                    d.help(format!("layers: {}; blocks of other modules: `use crate::{name};`", all.join(", ")))
                }
            };
            self.mistake(d);
            return Part::Broken;
        }
        if make.angles.is_some() || make.parens.is_none() {
            let message = format!("the arguments of a layer stand in parentheses: `{name}(…)`");
            let help = format!("write `{name}(…)`; `<…>` belongs to blocks");
            self.mistake(Diagnostic::new("N0603", make.kind.at, message).help(help));
            return Part::Broken;
        }
        let arguments: &'a [Argument] = make.parens.as_deref().unwrap_or(&[]);
        let mut given = vec![];
        for argument in arguments {
            let is_init = argument.name.as_ref().is_some_and(|n| matches!(n.text.as_str(), "init" | "bias_init"));
            given.push(match is_init {
                true => {
                    let name = argument.name.as_ref().map(|n| (n.text.clone(), n.at));
                    Given { name, value: self.initialiser(frame, &argument.value), at: argument.value.at }
                }
                false => self.given(frame, argument),
            });
        }
        match layers::declare_with(self.b, path, at, name, make.kind.at, &given, options) {
            Ok(layer) => Part::Layer(layer, given),
            Err(_) => Part::Broken,
        }
    }

    /// One use of a block: its build-time arguments are bound.
    fn block(
        &mut self,
        frame: &mut Frame<'a>,
        number: usize,
        make: &'a Make,
        path: &str,
        options: Options,
    ) -> Part<'a> {
        let block = &self.pass.file.blocks[number];
        if let Some(first) = make.parens.as_ref().and_then(|p| p.first()) {
            let message = format!("the arguments of a block stand in `<…>`: `{}<…>`", block.name.text);
            let help = "what it computes on is given where it is called";
            self.mistake(Diagnostic::new("N0603", first.value.at, message).help(help));
            return Part::Broken;
        }
        if block.lost || self.pass.broken_blocks.borrow().contains(&number) {
            return Part::Broken;
        }
        let written: &'a [Argument] = make.angles.as_deref().unwrap_or(&[]);
        let what = (&make.kind, &block.name);
        let Some(arguments) = self.build_arguments(frame, what, &block.parameters, written) else {
            return Part::Broken;
        };
        let inner = RefCell::new(None);
        Part::Block(Use { block: number, path: path.into(), at: make.kind.at, arguments, options, inner })
    }

    /// Binds what stands in `<…>`: to the parameters of a block or of a net.
    pub fn build_arguments(
        &mut self,
        frame: &mut Frame<'a>,
        (used, defined): (&'a Name, &'a Name),
        parameters: &'a [ast::BuildParameter],
        written: &'a [Argument],
    ) -> Option<HashMap<String, Arg>> {
        let before = self.b.diagnostics.len();
        let names: Vec<&str> = parameters.iter().map(|p| p.name.text.as_str()).collect();
        let usage = match names.is_empty() {
            true => format!("write `{}`: it has no parameters", used.text),
            false => format!("write `{}<{}>`", used.text, names.join(", ")),
        };
        let order = written.iter().map(|a| (a.name.as_ref().map(|name| name.text.as_str()), a.value.at));
        if let Some(d) = misplaced(&used.text, order, &usage) {
            self.mistake(d.note(defined.at, "it is defined here"));
            return None;
        }
        let mut slots: Vec<Option<(Arg, Loc)>> = vec![None; parameters.len()];
        let mut positional = 0;
        for argument in written {
            let value = self.expression(frame, &argument.value);
            let slot = match &argument.name {
                None if positional == names.len() => {
                    let takes = match names.len() {
                        0 => "no parameters".to_string(),
                        1 => "1 parameter".to_string(),
                        n => format!("{n} parameters"),
                    };
                    let message = format!("`{}` takes {takes} in `<…>`, {} given", used.text, is_or_are(written.len()));
                    let d = Diagnostic::new("N0303", argument.value.at, message);
                    self.mistake(d.note(defined.at, "it is defined here").help(usage.clone()));
                    break;
                }
                None => {
                    positional += 1;
                    positional - 1
                }
                Some(name) => match names.iter().position(|n| *n == name.text) {
                    Some(slot) => slot,
                    None => {
                        let message = format!("`{}` has no parameter `{}`", used.text, name.text);
                        let help = match did_you_mean(&name.text, names.iter().copied()) {
                            Some(meant) => format!("did you mean `{meant}`?"),
                            None => usage.clone(),
                        };
                        self.mistake(
                            Diagnostic::new("N0302", name.at, message)
                                .note(defined.at, "it is defined here")
                                .help(help),
                        );
                        continue;
                    }
                },
            };
            if let Some((_, first)) = &slots[slot] {
                let message = format!("`{}` gets its parameter `{}` twice", used.text, names[slot]);
                let d = Diagnostic::new("N0304", argument.value.at, message).note(*first, "it was given here first");
                self.mistake(d.help("remove one of them"));
                continue;
            }
            if let Some(found) = not_for_build(&value, self.b) {
                let message =
                    format!("`{}` of `{}` must be known at build time, found {found}", names[slot], used.text);
                let d = Diagnostic::new("N0305", argument.value.at, message).note(defined.at, "it is defined here");
                self.mistake(d.help("parameters are sizes, numbers, `true` and `false`"));
                continue;
            }
            slots[slot] = Some((value, argument.value.at));
        }
        if self.b.diagnostics.len() > before {
            return None;
        }
        let mut bound = HashMap::new();
        let mut missing = vec![];
        for (parameter, slot) in parameters.iter().zip(slots) {
            let value = match (slot, &parameter.default) {
                (Some((value, _)), _) => value,
                (None, Some(default)) => {
                    // A default may use the parameters before it.
                    let mut outside = Frame::outside(frame.owner.clone(), bound.clone(), frame.lenient);
                    self.expression(&mut outside, default)
                }
                (None, None) => {
                    missing.push(format!("`{}`", parameter.name.text));
                    continue;
                }
            };
            bound.insert(parameter.name.text.clone(), value);
        }
        if !missing.is_empty() {
            let message = format!("`{}` lacks its parameter {}", used.text, missing.join(", "));
            self.mistake(Diagnostic::new("N0301", used.at, message).note(defined.at, "it is defined here").help(usage));
            return None;
        }
        (self.b.diagnostics.len() == before).then_some(bound)
    }

    /// `param scale: f32[D] = ones;`.
    fn parameter(
        &mut self,
        frame: &mut Frame<'a>,
        ty: &'a ast::Type,
        init: &'a ast::Expr,
        path: &str,
        options: Options,
    ) -> Part<'a> {
        let Some(shape) = self.constant_shape(frame, ty, "a `param`") else { return Part::Broken };
        let Some(init) = self.init(frame, init, &shape, self.b.float()) else { return Part::Broken };
        let (float, dtype) = (self.b.float(), ty.element.of(self.b.float()));
        if dtype != float {
            let message = format!("a `param` is of the net's float type, {float}, found {dtype}");
            let help = match dtype.is_float() {
                true => format!("write `{FLOAT}[…]`: that of every net"),
                false => "declare a `state` for other types".into(),
            };
            self.mistake(Diagnostic::new("N0513", ty.at, message).help(help));
            return Part::Broken;
        }
        let declared = Type { dtype, shape: shape.iter().map(|&s| Size::constant(s)).collect() };
        if self.is_huge(&declared, ty.at) {
            return Part::Broken;
        }
        self.pass.findings.note_type(ty.at, declared);
        let declared = Declared { shape: Some((shape, init)), first_use: ty.at, options, ..Declared::new(path) };
        self.b.parameters.list.push(declared);
        Part::Parameter(self.b.parameters.list.len() - 1)
    }

    /// `state h: f32[N, 256] = zeros;`.
    fn state(&mut self, frame: &mut Frame<'a>, ty: &'a ast::Type, init: &'a ast::Expr, path: &str) -> Part<'a> {
        // Its sizes may be run-time ones, under the names that functions bind.
        let mut known = frame.inner();
        for axis in &ty.axes {
            if let ast::Axis::Size(size) = axis {
                size.walk(&mut |e| {
                    if let ast::ExprKind::Name(name) = &e.kind {
                        known.sizes.entry(name.clone()).or_insert_with(|| Arg::Size(Size::symbol(name)));
                    }
                });
            }
        }
        let Some(expected) = self.ty(&mut known, ty) else { return Part::Broken };
        let Some(known_type) = expected.known() else {
            let d = Diagnostic::new("N0514", ty.at, "the sizes of a `state` are not inferred");
            self.mistake(d.help("write numbers, constants, or the names of run-time sizes"));
            return Part::Broken;
        };
        if self.is_huge(&known_type, ty.at) {
            return Part::Broken;
        }
        let shape: Vec<i64> = known_type.shape.iter().map(|s| s.as_const().unwrap_or(1)).collect();
        let Some(init) = self.init(frame, init, &shape, known_type.dtype) else { return Part::Broken };
        self.pass.findings.note_type(ty.at, known_type.clone());
        let ty = Some(known_type);
        self.b.parameters.states.push(DeclaredState { name: path.into(), ty, init });
        Part::State(self.b.parameters.states.len() - 1)
    }

    /// `zeros`, `normal(0, 0.02)`, a number: the first value of a parameter or state of this shape.
    fn init(&mut self, frame: &mut Frame<'a>, written: &'a ast::Expr, shape: &[i64], dtype: DType) -> Option<Init> {
        let value = match self.initialiser(frame, written) {
            Arg::Init(initialiser) => match layers::init::resolve(initialiser, shape) {
                Ok(init) => {
                    let Some(message) = initialiser.beyond(dtype) else { return Some(init) };
                    self.mistake(Diagnostic::new("N0207", written.at, message).help(SMALLER));
                    return None;
                }
                Err(missing) => {
                    let message = format!("this first value does not fit a shape of {shape:?}: {missing}");
                    self.mistake(
                        Diagnostic::new("N0306", written.at, message).help("write `zeros`, `normal(0, 0.02)`"),
                    );
                    return None;
                }
            },
            other => other,
        };
        match value {
            Arg::Unknown => None,
            Arg::Float(value) => self.first_value(Number::Float(value), dtype, written.at),
            Arg::Size(size) if size.as_const().is_some() => {
                self.first_value(Number::Int(size.as_const().unwrap_or(0)), dtype, written.at)
            }
            other => {
                let message = format!("this is no first value: {}", other.describe(self.b));
                self.mistake(
                    Diagnostic::new("N0305", written.at, message).help("write `zeros`, `normal(0, 0.02)` or a number"),
                );
                None
            }
        }
    }

    /// A number as the first value of all elements, which must have it.
    fn first_value(&mut self, number: Number, dtype: DType, at: Loc) -> Option<Init> {
        if number.fits(dtype) {
            return Some(Init::Constant(number.f64()));
        }
        let message = format!("the first value {number} is none of {dtype}");
        self.mistake(Diagnostic::new("N0207", at, message).help(SMALLER));
        None
    }

    /// An expression that may be an initialiser: `zeros`, `normal(0, 0.02)`.
    fn initialiser(&mut self, frame: &mut Frame<'a>, written: &'a ast::Expr) -> Arg {
        let (name, arguments): (&str, &'a [Argument]) = match &written.kind {
            ast::ExprKind::Name(name) => (name, &[]),
            ast::ExprKind::Call(callee, arguments) => (&callee.text, arguments),
            _ => return self.expression(frame, written),
        };
        if !layers::init::is_initialiser(name) {
            return self.expression(frame, written);
        }
        let given: Vec<Given> = arguments.iter().map(|a| self.given(frame, a)).collect();
        layers::init::call(self.b, name, written.at, &given).unwrap_or(Arg::Unknown)
    }

    /// A shape whose sizes are all known at build time.
    fn constant_shape(&mut self, frame: &mut Frame<'a>, ty: &'a ast::Type, what: &str) -> Option<Vec<i64>> {
        let mut shape = vec![];
        for axis in &ty.axes {
            let size = match axis {
                ast::Axis::Size(size) => self.size(frame, size)?,
                ast::Axis::Any(at) => {
                    let message = format!("the sizes of {what} are not inferred");
                    self.mistake(Diagnostic::new("N0514", *at, message).help("write a number or a constant"));
                    return None;
                }
            };
            let Some(number) = size.as_const() else {
                let message = format!("the sizes of {what} are known at build time, found {size}");
                self.mistake(Diagnostic::new("N0514", ty.at, message).help("write numbers or constants"));
                return None;
            };
            shape.push(number);
        }
        Some(shape)
    }
}

/// What a value is, if it may not stand in `<…>`.
fn not_for_build(value: &Arg, b: &castnet_graph::builder::Builder) -> Option<String> {
    match value {
        Arg::Size(size) if size.as_const().is_some() => None,
        Arg::Float(_) | Arg::Bool(_) | Arg::Unknown | Arg::Text(_) | Arg::DType(_) => None,
        Arg::Size(size) => Some(format!("the run-time size {size}")),
        other => Some(other.describe(b)),
    }
}

/// `1 is`, `3 are`.
fn is_or_are(count: usize) -> String {
    format!("{count} {}", if count == 1 { "is" } else { "are" })
}

/// Whether a checkpoint key belongs to a part of the net: `stage1.0.conv1.weight` to `stage1`.
pub(super) fn is_inside(key: &str, part: &str) -> bool {
    key.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
