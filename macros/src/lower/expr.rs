//! Expressions: names, lists and operators. Calls are in `calls`.

use castnet_graph::arith;
use castnet_graph::builder::Checked;
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::{Diagnostic, Loc, did_you_mean};
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};

use super::body::{Frame, Lowering};
use super::signature::is_size_name;
use crate::ast::{Argument, Expr, ExprKind};

/// The number of elements above which a tensor is refused: far beyond any memory, far below what overflows.
const ELEMENTS: f64 = (1u64 << 40) as f64;

impl Lowering<'_, '_> {
    /// The value of an expression; [`Arg::Unknown`] if it has a mistake, which is reported.
    pub fn expression(&mut self, frame: &mut Frame, expression: &Expr) -> Arg {
        let at = expression.at;
        match &expression.kind {
            ExprKind::Broken => Arg::Unknown,
            ExprKind::Int(value) => Arg::Size((*value).into()),
            ExprKind::Float(value) => Arg::Float(*value),
            ExprKind::Bool(value) => Arg::Bool(*value),
            ExprKind::Text(text) => Arg::Text(text.clone()),
            ExprKind::None => Arg::None,
            ExprKind::Name(name) => self.name(frame, name, at),
            ExprKind::List(parts) | ExprKind::Tuple(parts) => {
                Arg::List(parts.iter().map(|part| self.expression(frame, part)).collect())
            }
            ExprKind::Unary(f, x) => {
                let x = Given { name: None, value: self.expression(frame, x), at: x.at };
                let result = arith::unary(&mut self.b, *f, at, &x);
                self.checked(result, at)
            }
            ExprKind::Binary(f, x, y) => {
                let x = Given { name: None, value: self.expression(frame, x), at: x.at };
                let y = Given { name: None, value: self.expression(frame, y), at: y.at };
                let result = arith::binary(&mut self.b, *f, at, &x, &y);
                self.checked(result, at)
            }
            ExprKind::Call(callee, arguments) => self.call(frame, callee, arguments),
        }
    }

    /// An argument of a call or layer.
    pub fn given(&mut self, frame: &mut Frame, argument: &Argument) -> Given {
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
            self.b.diagnostics.push(Diagnostic::new("N0517", at, format!("a tensor {ty} is too large")).help(help));
        }
        huge
    }

    /// What a name stands for: locals, sizes, element types.
    fn name(&mut self, frame: &mut Frame, name: &str, at: Loc) -> Arg {
        let names = self.pass.names;
        if let Some(value) = frame.locals.get(name) {
            return value.clone();
        }
        if let Some(size) = frame.sizes.get(name) {
            return size.clone().map_or(Arg::Unknown, Arg::Size);
        }
        if let Some(value) = names.constants.get(name) {
            return value.clone();
        }
        if let Some(dtype) = DType::from_name(name) {
            return Arg::DType(dtype);
        }
        if frame.lenient || !frame.reported.insert(name.to_string()) {
            return Arg::Unknown;
        }
        let d = if names.layers.contains_key(name) {
            Diagnostic::new("N0501", at, format!("`{name}` is a layer, not a value"))
                .help(format!("call it: `{name}(x)`"))
        } else if names.functions.contains_key(name) {
            Diagnostic::new("N0501", at, format!("`{name}` is a function, not a value"))
                .help(format!("call it: `{name}(…)`"))
        } else if frame.outside && is_size_name(name) && !names.constants.is_empty() {
            let d = Diagnostic::new("N0501", at, format!("there is no constant `{name}`"));
            match did_you_mean(name, names.constants.keys().copied()) {
                Some(meant) => d.help(format!("did you mean `{meant}`?")),
                None => d.help("here only constants of the net are known: run-time sizes belong to functions"),
            }
        } else {
            self.unknown_name(frame, name, at)
        };
        self.b.diagnostics.push(d);
        Arg::Unknown
    }

    fn unknown_name(&self, frame: &Frame, name: &str, at: Loc) -> Diagnostic {
        let (names, outside) = (self.pass.names, frame.outside);
        let what = if is_size_name(name) { "size" } else { "value" };
        let d =
            Diagnostic::new("N0501", at, format!("there is no {what} `{name}`{}", if outside { " here" } else { "" }));
        let values = frame.locals.keys().chain(frame.sizes.keys()).map(String::as_str);
        let mut known: Vec<&str> = values.chain(names.constants.keys().copied()).collect();
        known.sort_unstable();
        if let Some(meant) = did_you_mean(name, known) {
            return d.help(format!("did you mean `{meant}`?"));
        }
        if let Some(meant) = crate::parse::element_type(name) {
            return d.help(format!("did you mean the element type `{meant}`?"));
        }
        let mut callable: Vec<&str> = names.layers.keys().chain(names.functions.keys()).copied().collect();
        callable.sort_unstable();
        if let Some(meant) = did_you_mean(name, callable) {
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
}
