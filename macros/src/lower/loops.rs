//! `scan`, a loop over an axis, and `grad`, a gradient as a value.

use castnet_graph::builder::Reported;
use castnet_graph::call::{Arg, misplaced};
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::graph::Value;

use super::expr::Lowering;
use super::scope::{Frame, Local};
use crate::ast::{Argument, Body, ExprKind, Name};

/// What a call of `scan` looks like.
const SCAN: &str = "write `let (last, outputs) = scan(xs, init, |state, x| (next, output), dim = 0);`";

impl<'a> Lowering<'a, '_, '_> {
    /// `scan(xs, init, |state, x| (next, output), dim = 1)`.
    pub fn scan(&mut self, frame: &mut Frame<'a>, callee: &Name, arguments: &'a [Argument]) -> Arg {
        let names = arguments.iter().map(|a| (a.name.as_ref().map(|name| name.text.as_str()), a.value.at));
        if let Some(d) = misplaced("scan", names, SCAN) {
            return self.mistake(d);
        }
        let mut slots: [Option<&'a Argument>; 5] = [None; 5];
        let mut positional = 0;
        for argument in arguments {
            let slot = match &argument.name {
                None => {
                    positional += 1;
                    Some(positional - 1).filter(|p| *p < 4)
                }
                Some(name) => ["xs", "init", "f", "dim", "reverse"].iter().position(|n| *n == name.text),
            };
            match slot {
                Some(slot) if slots[slot].is_none() => slots[slot] = Some(argument),
                Some(_) => {
                    let d = Diagnostic::new("N0304", argument.value.at, "`scan` gets this argument twice");
                    return self.mistake(d.help(SCAN));
                }
                None => {
                    let (code, at, message) = match &argument.name {
                        Some(name) => ("N0302", name.at, format!("`scan` has no argument `{}`", name.text)),
                        None => ("N0303", argument.value.at, "`scan` takes at most 4 arguments".into()),
                    };
                    return self.mistake(Diagnostic::new(code, at, message).help(SCAN));
                }
            }
        }
        let [Some(xs), Some(init), Some(f), dim, reverse] = slots else {
            let d =
                Diagnostic::new("N0301", callee.at, "`scan` needs what it runs over, the first state and a closure");
            return self.mistake(d.help(SCAN));
        };
        let ExprKind::Closure(patterns, body) = &f.value.kind else {
            if f.value.is_broken() {
                return Arg::Unknown;
            }
            let d = Diagnostic::new("N0305", f.value.at, "the third argument of `scan` is a closure");
            return self.mistake(d.help(SCAN));
        };
        let [state_pattern, row_pattern] = &patterns[..] else {
            let message =
                format!("the closure of `scan` takes 2 arguments, the state and a row, found {}", patterns.len());
            return self.mistake(Diagnostic::new("N0303", f.value.at, message).help(SCAN));
        };
        let (xs_value, init_value) = (self.expression(frame, &xs.value), self.expression(frame, &init.value));
        let axis = match dim.map(|d| (self.expression(frame, &d.value), d.value.at)) {
            None => 0,
            Some((Arg::Size(size), _)) if size.as_const().is_some() => size.as_const().unwrap_or(0),
            Some((Arg::Unknown, _)) => return Arg::Unknown,
            Some((other, at)) => {
                let message = format!("`dim` of `scan` must be an integer, found {}", other.describe(self.b));
                return self.mistake(Diagnostic::new("N0305", at, message).help(SCAN));
            }
        };
        let reverse = match reverse {
            Some(argument) => self.truth(frame, &argument.value),
            None => Some(false),
        };
        let (Some(reverse), Some(xs), Some(init)) =
            (reverse, self.tensors(&xs_value, xs.value.at), self.tensors(&init_value, init.value.at))
        else {
            return Arg::Unknown;
        };
        let Some(axis) = self.scan_axis(&xs, axis, callee.at) else { return Arg::Unknown };
        // Everything that the closure may see comes in as values that every round sees.
        let mut mentioned = vec![];
        body.walk(&mut |e| match &e.kind {
            ExprKind::Name(name) => mentioned.push(name.as_str()),
            ExprKind::Call(callee, _) => mentioned.push(callee.text.as_str()),
            _ => {}
        });
        let seen: Vec<_> = frame.seen().into_iter().filter(|(name, ..)| mentioned.contains(&name.as_str())).collect();
        let mut shared = vec![];
        for (_, local, _) in &seen {
            if let Local::Value(value) = local {
                collect(value, &mut shared);
            }
        }
        let (pass, active) = (self.pass, self.active.clone());
        let mut closure_frame = frame.inner();
        self.b.origin.loc = callee.at;
        self.b.origin.name = "scan".into();
        let shape = std::cell::RefCell::new((init_value.clone(), Arg::Unknown));
        let outcome = self.b.scan(&xs, &init, &shared, axis, reverse, |b, states, rows, inner| {
            for (name, local, _) in &seen {
                let local = match local {
                    Local::Value(value) => Local::Value(replaced(value, &shared, inner)),
                    part => part.clone(),
                };
                closure_frame.bind(name, local, false);
            }
            let mut lowering = Lowering { pass, b, active };
            let state = rebuilt(&init_value, &mut states.iter());
            let row = rebuilt(&xs_value, &mut rows.iter());
            lowering.bind_pattern(&mut closure_frame, state_pattern, state);
            lowering.bind_pattern(&mut closure_frame, row_pattern, row);
            let (next, output) = lowering.round(&mut closure_frame, body, &init_value, states)?;
            let (mut nexts, mut outputs) = (vec![], vec![]);
            collect(&next, &mut nexts);
            collect(&output, &mut outputs);
            *shape.borrow_mut() = (next, output);
            Ok((nexts, outputs))
        });
        let Ok((last, outputs)) = outcome else { return Arg::Unknown };
        let (next, output) = shape.into_inner();
        Arg::List(vec![rebuilt(&next, &mut last.iter()), rebuilt(&output, &mut outputs.iter())])
    }

    /// What one round of a `scan` gives: the next state, of the type of the first one, and the output.
    fn round(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Body,
        init: &Arg,
        states: &[Value],
    ) -> Result<(Arg, Arg), Reported> {
        let value = self.block_of(frame, body);
        let tail = body.tail.at;
        let pair = match value {
            Arg::Unknown => return Err(Reported),
            Arg::List(values) => <[Arg; 2]>::try_from(values).map_err(|values| format!("a list of {}", values.len())),
            other => Err(other.describe(self.b)),
        };
        let (next, output) = match pair {
            Ok([next, output]) => (next, output),
            Err(found) => {
                let d = Diagnostic::new(
                    "N0523",
                    tail,
                    format!("a round of `scan` gives the next state and an output, found {found}"),
                );
                self.mistake(d.help("end the closure with `(next, output)`; without outputs with `(next, ())`"));
                return Err(Reported);
            }
        };
        let next = self.as_tensors(next, init, states, tail);
        if is_unknown(&next) {
            return Err(Reported);
        }
        let mut nexts = vec![];
        collect(&next, &mut nexts);
        let types = |l: &Self, values: &[Value]| values.iter().map(|v| l.b.ty(*v).to_string()).collect::<Vec<_>>();
        let (before, after) = (types(self, states), types(self, &nexts));
        if before != after {
            let message =
                format!("the state of `scan` is {} but the next one is {}", before.join(", "), after.join(", "));
            self.mistake(Diagnostic::new("N0523", tail, message).help("the state keeps its type in every round"));
            return Err(Reported);
        }
        Ok((next, output))
    }

    /// Numbers in a next state become tensors of the state's type.
    fn as_tensors(&mut self, next: Arg, like: &Arg, states: &[Value], at: Loc) -> Arg {
        match (next, like) {
            (Arg::List(values), Arg::List(likes)) if values.len() == likes.len() => {
                Arg::List(values.into_iter().zip(likes).map(|(v, l)| self.as_tensors(v, l, states, at)).collect())
            }
            (value @ (Arg::Float(_) | Arg::Size(_) | Arg::Bool(_)), Arg::Tensor(_)) if states.len() == 1 => {
                let dtype = self.b.ty(states[0]).dtype;
                self.tensor(&value, dtype, at).map_or(value, Arg::Tensor)
            }
            (value, _) => value,
        }
    }

    /// The tensors in a value; `None` if there is something else, which is reported.
    fn tensors(&mut self, value: &Arg, at: Loc) -> Option<Vec<Value>> {
        match value {
            Arg::Unknown => None,
            Arg::Tensor(value) => Some(vec![*value]),
            Arg::List(values) => {
                let parts: Option<Vec<Vec<Value>>> = values.iter().map(|v| self.tensors(v, at)).collect();
                Some(parts?.concat())
            }
            other => {
                let message = format!("`scan` runs over tensors and carries tensors, found {}", other.describe(self.b));
                self.mistake(Diagnostic::new("N0305", at, message).help("write `zeros([B, H])` for a first state"));
                None
            }
        }
    }

    fn scan_axis(&mut self, xs: &[Value], axis: i64, at: Loc) -> Option<usize> {
        let mut found = None;
        for &x in xs {
            let rank = self.b.rank(x) as i64;
            let wrapped = if axis < 0 { axis + rank } else { axis };
            if !(0..rank).contains(&wrapped) {
                let ty = self.b.ty(x).clone();
                let message = format!("`scan` has no axis {axis} to run over: its operand is {ty}");
                self.mistake(Diagnostic::new("N0103", at, message).help(SCAN));
                return None;
            }
            found = Some(wrapped as usize);
        }
        if found.is_none() {
            self.mistake(Diagnostic::new("N0301", at, "`scan` needs a tensor to run over").help(SCAN));
        }
        found
    }

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

/// Whether some part of a value is a mistake that was told already.
fn is_unknown(value: &Arg) -> bool {
    match value {
        Arg::List(values) => values.iter().any(is_unknown),
        value => matches!(value, Arg::Unknown),
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

/// The value with `to[i]` in the place of `from[i]`.
fn replaced(value: &Arg, from: &[Value], to: &[Value]) -> Arg {
    match value {
        Arg::Tensor(value) => {
            let at = from.iter().position(|v| v == value);
            at.and_then(|i| to.get(i)).map_or(Arg::Unknown, |v| Arg::Tensor(*v))
        }
        Arg::List(values) => Arg::List(values.iter().map(|v| replaced(v, from, to)).collect()),
        other => other.clone(),
    }
}
