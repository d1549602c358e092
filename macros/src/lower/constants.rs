//! Constants: sizes and numbers known at build time, which may use each other.

use castnet_graph::call::Arg;
use castnet_graph::diagnostic::Diagnostic;

use super::expr::Lowering;
use super::scope::Frame;
use crate::ast::{Constant, ConstantKind, Expr, ExprKind};

impl<'a> Lowering<'a, '_, '_> {
    /// Adds the values of constants to what the frame knows. One may use those above and below it.
    pub fn constants(&mut self, frame: &mut Frame<'a>, constants: &'a [Constant]) {
        // As often as there are constants: each round settles at least one more, or the rest depend on each other.
        let mut open: Vec<&Constant> = vec![];
        for constant in constants {
            // Defined twice: the first one counts.
            if !open.iter().any(|c| c.name.text == constant.name.text) {
                open.push(constant);
            }
        }
        while !open.is_empty() {
            let before = open.len();
            let names: Vec<&str> = open.iter().map(|c| c.name.text.as_str()).collect();
            open.retain(|constant| {
                let waits =
                    needs(&constant.value).iter().any(|need| names.contains(need) && !frame.sizes.contains_key(*need));
                if !waits {
                    let value = self.constant(frame, constant);
                    frame.sizes.insert(constant.name.text.clone(), value);
                }
                waits
            });
            if open.len() == before {
                break;
            }
        }
        // Of a circle, the first one is reported.
        if let Some(constant) = open.first() {
            let names = open.iter().map(|c| c.name.text.as_str());
            let needs = needs(&constant.value);
            let need = names.into_iter().find(|n| needs.contains(n)).unwrap_or_default();
            let message = format!("the constant `{}` depends on itself, by way of `{need}`", constant.name.text);
            self.mistake(Diagnostic::new("N0508", constant.value.at, message).help("write a number"));
        }
        for constant in open {
            frame.sizes.insert(constant.name.text.clone(), Arg::Unknown);
        }
    }

    fn constant(&mut self, frame: &mut Frame<'a>, constant: &'a Constant) -> Arg {
        match (constant.kind, self.expression(frame, &constant.value)) {
            (ConstantKind::Size, Arg::Size(size)) if size.as_const().is_some_and(|c| c >= 1) => Arg::Size(size),
            (ConstantKind::Float, Arg::Float(value)) => Arg::Float(value),
            (ConstantKind::Float, Arg::Size(size)) if size.as_const().is_some() => {
                Arg::Float(size.as_const().unwrap_or_default() as f64)
            }
            (ConstantKind::Bool, Arg::Bool(value)) => Arg::Bool(value),
            (_, Arg::Unknown) => Arg::Unknown,
            (kind, other) => {
                let found = match &other {
                    Arg::Size(size) => size.to_string(),
                    Arg::Float(value) => format!("{value:?}"),
                    Arg::Bool(value) => value.to_string(),
                    other => other.describe(self.b),
                };
                let (wanted, help) = match kind {
                    ConstantKind::Size => (
                        "an integer of at least 1",
                        "a constant of type `usize` is a size; other numbers are `f32`: `const RATE: f32 = 0.1;`",
                    ),
                    ConstantKind::Float => ("a number", "write `const RATE: f32 = 0.1;`"),
                    ConstantKind::Bool => ("`true` or `false`", "write `const BIAS: bool = true;`"),
                };
                let message = format!("the constant `{}` must be {wanted}, found {found}", constant.name.text);
                self.mistake(Diagnostic::new("N0512", constant.value.at, message).help(help))
            }
        }
    }
}

/// The names in an expression.
fn needs(expression: &Expr) -> Vec<&str> {
    let mut names = vec![];
    expression.walk(&mut |e| {
        if let ExprKind::Name(name) = &e.kind {
            names.push(name.as_str());
        }
    });
    names
}
