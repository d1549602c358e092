//! `grad`, a gradient as a value.

use castnet_graph::call::Arg;
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::graph::Value;

use super::expr::Lowering;
use super::scope::Frame;
use crate::ast::{Argument, Name};

impl<'a> Lowering<'a, '_, '_> {
    /// `grad(loss, [x, y])`.
    pub fn grad(&mut self, frame: &mut Frame<'a>, callee: &Name, arguments: &'a [Argument]) -> Arg {
        let help = "write `let [g] = grad(loss, [x]);` or `let g = grad(loss, x);`";
        let [loss, of] = arguments else {
            let message =
                format!("`grad` takes the value and what it is differentiated by, {} are given", arguments.len());
            let code = if arguments.len() < 2 { "N0301" } else { "N0303" };
            return self.mistake(Diagnostic::new(code, callee.at, message).help(help));
        };
        let (loss_value, of_value) = (self.expression(frame, &loss.value), self.expression(frame, &of.value));
        let loss_tensor = match loss_value {
            Arg::Unknown => return Arg::Unknown,
            Arg::Tensor(value) => value,
            other => {
                let message = format!("`grad` differentiates a tensor, found {}", other.describe(self.b));
                return self.mistake(Diagnostic::new("N0305", loss.value.at, message).help(help));
            }
        };
        let values = match &of_value {
            Arg::Unknown => return Arg::Unknown,
            Arg::Tensor(value) => vec![*value],
            Arg::List(values) if values.iter().all(|v| matches!(v, Arg::Tensor(_))) => {
                let mut tensors = vec![];
                collect(&of_value, &mut tensors);
                tensors
            }
            other => {
                let message = format!("`grad` differentiates by tensors, found {}", other.describe(self.b));
                return self.mistake(Diagnostic::new("N0305", of.value.at, message).help(help));
            }
        };
        self.b.origin.loc = callee.at;
        self.b.origin.name = "grad".into();
        let result = self.b.grad(loss_tensor, &values);
        let Ok(gradients) = result else { return Arg::Unknown };
        rebuilt(&of_value, &mut gradients.iter())
    }
}

/// The tensors in a value, in order.
fn collect(value: &Arg, into: &mut Vec<Value>) {
    match value {
        Arg::Tensor(value) => into.push(*value),
        Arg::List(values) => values.iter().for_each(|v| collect(v, into)),
        _ => {}
    }
}

/// The value with these tensors in the places of its own.
fn rebuilt<'v>(value: &Arg, tensors: &mut impl Iterator<Item = &'v Value>) -> Arg {
    match value {
        Arg::Tensor(_) => tensors.next().map_or(Arg::Unknown, |v| Arg::Tensor(*v)),
        Arg::List(values) => Arg::List(values.iter().map(|v| rebuilt(v, tensors)).collect()),
        other => other.clone(),
    }
}
