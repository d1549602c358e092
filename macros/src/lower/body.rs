//! Bodies of functions and blocks: statements, and what they give.

use castnet_graph::call::Arg;
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::graph::Origin;
use castnet_graph::size::Size;

use super::callable::{Callable, promise_at};
use super::expected::Expected;
use super::expr::Lowering;
use super::parts::{Owner, Part};
use super::scope::{Frame, Local};
use super::signature::Signature;
use crate::ast::{Body, Expr, For, Name, Over, Pattern, Statement, Type};
use std::rc::Rc;

/// A `for` runs at most so many rounds.
const ROUNDS: i64 = 10_000;

impl<'a> Lowering<'a, '_, '_> {
    /// Lowers function `index` on its own, its size names bound by `size`; its results become the graph's.
    pub fn alone(&mut self, owner: Rc<Owner<'a>>, index: usize, size: &dyn Fn(&str) -> Size) {
        let callable = Callable::function(&self.pass.net.functions[index]);
        let pass = self.pass;
        let signature = &pass.signatures[index];
        let lenient = callable.is_lenient() || pass.net.members.lost;
        let mut frame = Frame::inside(owner, pass.sizes.clone(), lenient);
        self.arguments(&mut frame, callable, signature, size);
        self.rules(&mut frame, &pass.net.members.rules);
        match self.body(callable, signature, &mut frame) {
            Arg::Tensor(value) => self.b.result(value),
            Arg::List(values) => values.iter().for_each(|v| {
                if let Arg::Tensor(value) = v {
                    self.b.result(*value);
                }
            }),
            _ => {}
        }
    }

    /// Arguments of a graph for what a head names.
    pub fn arguments(
        &mut self,
        frame: &mut Frame<'a>,
        callable: Callable<'a>,
        signature: &Signature,
        size: &dyn Fn(&str) -> Size,
    ) {
        for name in &signature.sizes {
            // With a mistake in the callable, sizes still are what they are called.
            let known = if signature.whole { size(name) } else { Size::symbol(name) };
            frame.sizes.insert(name.clone(), Arg::Size(known));
        }
        for (parameter, sound) in callable.parameters.iter().zip(&signature.sound) {
            let ty = parameter.ty.as_ref().filter(|_| *sound).and_then(|ty| self.ty(frame, ty));
            let known = ty.and_then(|ty| ty.known());
            let known = known.filter(|ty| !self.is_huge(ty, parameter.name.at));
            self.b.origin = Origin::new(parameter.name.at, parameter.name.text.as_str());
            let arg = known.map_or(Arg::Unknown, |ty| Arg::Tensor(self.b.argument(&parameter.name.text, ty)));
            self.note(parameter.name.at, &arg);
            frame.bind(&parameter.name.text, Local::Value(arg), false);
        }
    }

    /// The promise of a tuple that admits values.
    fn tuple_of(&self, values: &Arg) -> String {
        let of = |value: &Arg| match value {
            Arg::Tensor(value) => self.b.ty(*value).to_string(),
            _ => self.b.float().to_string(),
        };
        match values {
            Arg::List(values) => format!("({})", values.iter().map(of).collect::<Vec<_>>().join(", ")),
            other => of(other),
        }
    }

    /// What a function or block gives: checked against what it promises.
    pub fn body(&mut self, callable: Callable<'a>, signature: &Signature, frame: &mut Frame<'a>) -> Arg {
        let value = self.block_of(frame, callable.body);
        let promise = callable.promise.filter(|_| signature.sound_result);
        let Some((written, promised)) = promise.and_then(|p| Some((p, self.promised(frame, p)?))) else {
            return if matches!(value, Arg::Tensor(_)) { value } else { Arg::Unknown };
        };
        let tail = last(&callable.body.tail);
        let tuple = matches!(written, crate::ast::Promise::Tuple(..));
        let texts: Vec<String> = promised.iter().map(Expected::text).collect();
        let text = if tuple { format!("({})", texts.join(", ")) } else { texts.join(", ") };
        let what = format!("{} `{}` promises {text}", callable.what, callable.name.text);
        let values = match (&value, tuple) {
            (Arg::Unknown, _) => return Arg::Unknown,
            (Arg::List(values), true) if values.len() == promised.len() => values.clone(),
            (other, false) if !matches!(other, Arg::List(_)) => vec![value.clone()],
            _ => {
                let message = format!("{what} but its body gives {}", value.describe(self.b));
                let d = Diagnostic::new("N0509", tail.at, message).note(promise_at(written), "the promise is here");
                return self.mistake(match (tuple, &value) {
                    (true, _) => d.help(format!(
                        "end it with {} values: `({})`",
                        promised.len(),
                        vec!["…"; promised.len()].join(", ")
                    )),
                    (false, _) => {
                        d.help(format!("end it with one value, or promise a tuple: `-> {}`", self.tuple_of(&value)))
                    }
                });
            }
        };
        let mut given = vec![];
        for (value, promised) in values.iter().zip(&promised) {
            if *value == Arg::Unknown {
                return Arg::Unknown;
            }
            let Some(tensor) = self.tensor(value, promised.dtype, tail.at) else {
                let message = format!("{what} but its body gives {}", value.describe(self.b));
                let d = Diagnostic::new("N0509", tail.at, message);
                return self.mistake(d.note(promise_at(written), "the promise is here"));
            };
            let found = self.b.ty(tensor).clone();
            if !promised.admits(&found) {
                let gives =
                    if tuple { format!("gives {found} for {}", promised.text()) } else { format!("gives {found}") };
                let mut d = Diagnostic::new("N0509", tail.at, format!("{what} but its body {gives}"));
                d = self.came_from(d, tensor, tail.at).note(promise_at(written), "the promise is here");
                return self.mistake(d.help(promised.advice(&found)));
            }
            given.push(Arg::Tensor(tensor));
        }
        match tuple {
            true => Arg::List(given),
            false => given.pop().unwrap_or(Arg::Unknown),
        }
    }

    /// The value of statements with a last expression: names bound in it end with it.
    pub fn block_of(&mut self, frame: &mut Frame<'a>, body: &'a Body) -> Arg {
        let mark = frame.enter();
        self.statements(frame, &body.statements);
        let value = self.expression(frame, &body.tail);
        frame.leave(mark);
        value
    }

    fn statements(&mut self, frame: &mut Frame<'a>, statements: &'a [Statement]) {
        for statement in statements {
            match statement {
                Statement::Let { pattern, ty, value } => self.let_(frame, pattern, ty.as_ref(), value),
                Statement::Assign(name, value) => self.assign(frame, name, value),
                Statement::For(one) => self.for_(frame, one),
                Statement::If { condition, then, otherwise } => match self.truth(frame, condition) {
                    None => self.unknown(frame, then.iter().chain(otherwise)),
                    Some(holds) => {
                        let mark = frame.enter();
                        self.statements(frame, if holds { then } else { otherwise });
                        frame.leave(mark);
                    }
                },
                Statement::Assert(condition, message) => self.rule(frame, condition, message.as_deref()),
                Statement::Stray(_) => {}
            }
        }
    }

    /// What may have been assigned in statements that are not understood is unknown from here on.
    fn unknown(&mut self, frame: &mut Frame<'a>, statements: impl Iterator<Item = &'a Statement>) {
        for statement in statements {
            match statement {
                Statement::Assign(name, _) => drop(frame.assign(&name.text, Arg::Unknown)),
                Statement::For(one) => self.unknown(frame, one.body.iter()),
                Statement::If { then, otherwise, .. } => self.unknown(frame, then.iter().chain(otherwise)),
                Statement::Let { .. } | Statement::Assert(..) | Statement::Stray(_) => {}
            }
        }
    }

    fn let_(&mut self, frame: &mut Frame<'a>, pattern: &'a Pattern, declared: Option<&'a Type>, written: &'a Expr) {
        let mut value = self.expression(frame, written);
        if let Some(declared) = declared {
            let declared_type = self.ty(frame, declared);
            value = match (declared_type, &value) {
                (None, _) | (_, Arg::Unknown) => Arg::Unknown,
                (Some(ty), other) => match self.tensor(other, ty.dtype, written.at) {
                    Some(tensor) if ty.admits(self.b.ty(tensor)) => Arg::Tensor(tensor),
                    found => {
                        let text = found.map_or(other.describe(self.b), |v| self.b.ty(v).to_string());
                        let name = pattern_text(pattern);
                        let message = format!("`{name}` is declared as {} but its value is {text}", ty.text());
                        let mut d = Diagnostic::new("N0510", written.at, message);
                        if let Some(value) = found {
                            d = self.came_from(d, value, written.at).help(ty.advice(self.b.ty(value)));
                        }
                        self.mistake(d)
                    }
                },
            };
        }
        self.bind_pattern(frame, pattern, value);
    }

    /// Binds the names of a pattern to the parts of a value.
    pub fn bind_pattern(&mut self, frame: &mut Frame<'a>, pattern: &'a Pattern, value: Arg) {
        match pattern {
            Pattern::Ignore => {}
            Pattern::Name(name, mutable) => {
                self.note(name.at, &value);
                frame.bind(&name.text, Local::Value(value), *mutable);
            }
            Pattern::Many(patterns, at) => {
                let values = match value {
                    Arg::List(values) if values.len() == patterns.len() => values,
                    Arg::Unknown => vec![Arg::Unknown; patterns.len()],
                    other => {
                        let parts = if patterns.len() == 1 { "part" } else { "parts" };
                        let found = other.describe(self.b);
                        let message = format!("this pattern has {} {parts}, the value is {found}", patterns.len());
                        let help = match &other {
                            Arg::Tensor(_) => "take it apart first: `.unbind(0)`, `.chunk(3, dim = -1)`",
                            _ => "write a name for each part, `_` for one that is not needed",
                        };
                        self.mistake(Diagnostic::new("N0518", *at, message).help(help));
                        vec![Arg::Unknown; patterns.len()]
                    }
                };
                for (pattern, value) in patterns.iter().zip(values) {
                    self.bind_pattern(frame, pattern, value);
                }
            }
        }
    }

    fn assign(&mut self, frame: &mut Frame<'a>, name: &'a Name, written: &'a Expr) {
        let value = self.expression(frame, written);
        match frame.assign(&name.text, value.clone()) {
            Some(true) => {}
            Some(false) => {
                let message = format!("`{}` does not change: it was bound without `mut`", name.text);
                let help = format!("bind it with `let mut {0} = …;`, or bind a new one, `let {0} = …;`", name.text);
                self.mistake(Diagnostic::new("N0519", name.at, message).help(help));
            }
            None => match frame.owner.part(&name.text).as_deref() {
                Some(Part::State(number)) => self.assign_state(name, *number, &value, written),
                Some(Part::Broken) => {}
                Some(part) => {
                    let message = format!("`{}` is {}, which cannot be assigned", name.text, part.describe());
                    self.mistake(Diagnostic::new("N0519", name.at, message).help("declare a `state` for what changes"));
                }
                None if frame.lenient => {}
                None => {
                    let message = format!("there is no value `{}` that could be assigned", name.text);
                    let help = format!("bind it first: `let mut {} = …;`", name.text);
                    self.mistake(Diagnostic::new("N0501", name.at, message).help(help));
                }
            },
        }
    }

    fn assign_state(&mut self, name: &'a Name, number: usize, value: &Arg, written: &'a Expr) {
        let state = self.b.state(number);
        let wanted = self.b.ty(state).clone();
        if *value == Arg::Unknown {
            return;
        }
        let found = self.tensor(value, wanted.dtype, written.at);
        match found {
            Some(tensor) if *self.b.ty(tensor) == wanted => drop(self.b.set_state(number, tensor)),
            _ => {
                let text = found.map_or(value.describe(self.b), |v| self.b.ty(v).to_string());
                let message = format!("the state `{}` is {wanted}, its new value is {text}", name.text);
                self.mistake(Diagnostic::new("N0510", written.at, message).help("a state keeps its type"));
            }
        }
    }

    fn for_(&mut self, frame: &mut Frame<'a>, one: &'a For) {
        let rounds: Vec<Local<'a>> = match &one.over {
            Over::Range(from, to) => {
                let (from_value, to_value) = (self.expression(frame, from), self.expression(frame, to));
                if from_value == Arg::Unknown || to_value == Arg::Unknown {
                    return self.unknown(frame, one.body.iter());
                }
                let constant = |value: &Arg| if let Arg::Size(size) = value { size.as_const() } else { None };
                match (constant(&from_value), constant(&to_value)) {
                    (Some(from), Some(to)) if to - from <= ROUNDS => {
                        (from..to).map(|i| Local::Value(Arg::Size(i.into()))).collect()
                    }
                    (Some(_), Some(_)) => {
                        let message = format!("more than {ROUNDS} rounds");
                        self.mistake(Diagnostic::new("N0517", one.at, message).help("is a size wrong?"));
                        return self.unknown(frame, one.body.iter());
                    }
                    (from_known, _) => {
                        let (at, value) = if from_known.is_none() { (from.at, from_value) } else { (to.at, to_value) };
                        let message = format!(
                            "the rounds of a `for` are counted at build time, found {}",
                            value.describe(self.b)
                        );
                        let help = "a loop over a run-time axis is a `scan(xs, init, |state, x| (next, output))`";
                        self.mistake(Diagnostic::new("N0512", at, message).help(help));
                        return self.unknown(frame, one.body.iter());
                    }
                }
            }
            Over::Values(values) => match self.part(frame, values) {
                Some(part) => match &*part {
                    Part::Array(elements, _) => elements.iter().cloned().map(Local::Part).collect(),
                    Part::Broken => return self.unknown(frame, one.body.iter()),
                    other => {
                        let message = format!("a `for` runs over an array, found {}", other.describe());
                        self.mistake(Diagnostic::new("N0518", values.at, message).help("write `for i in 0..4`"));
                        return self.unknown(frame, one.body.iter());
                    }
                },
                None => match self.expression(frame, values) {
                    Arg::List(values) => values.into_iter().map(Local::Value).collect(),
                    Arg::Unknown => return self.unknown(frame, one.body.iter()),
                    other => {
                        let message = format!("a `for` runs over an array or a list, found {}", other.describe(self.b));
                        let help = "rows of a tensor: `x.unbind(0)`, or `scan(x, init, |state, row| …)`";
                        self.mistake(Diagnostic::new("N0518", values.at, message).help(help));
                        return self.unknown(frame, one.body.iter());
                    }
                },
            },
        };
        let before = self.b.diagnostics.len();
        for round in rounds {
            let mark = frame.enter();
            match (&one.pattern, round) {
                (pattern, Local::Value(value)) => self.bind_pattern(frame, pattern, value),
                (Pattern::Name(name, _), part) => frame.bind(&name.text, part, false),
                (Pattern::Ignore, Local::Part(_)) => {}
                (Pattern::Many(_, at), Local::Part(_)) => {
                    self.mistake(Diagnostic::new("N0518", *at, "a layer has no parts").help("write one name"));
                    self.bind_pattern(frame, &one.pattern, Arg::Unknown);
                }
            }
            self.statements(frame, &one.body);
            frame.leave(mark);
            if self.b.diagnostics.len() > before || self.is_too_large(one.at) {
                // What is wrong in one round is wrong in the others: said once.
                return self.unknown(frame, one.body.iter());
            }
        }
    }
}

/// The expression that gives a body's value, inside blocks in braces.
fn last(expr: &Expr) -> &Expr {
    match &expr.kind {
        crate::ast::ExprKind::Block(body) => last(&body.tail),
        _ => expr,
    }
}

fn pattern_text(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Name(name, _) => name.text.clone(),
        Pattern::Ignore => "_".into(),
        Pattern::Many(parts, _) => format!("({})", parts.iter().map(pattern_text).collect::<Vec<_>>().join(", ")),
    }
}
