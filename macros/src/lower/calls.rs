//! Calls: `f(x)` and `x.f()` mean the same; the net's own parts and functions come before operators.

use castnet_graph::arith;
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::layers::{self, Layer};
use castnet_graph::ops;

use super::Soundness;
use super::bind::bind;
use super::callable::Callable;
use super::expr::Lowering;
use super::parts::Part;
use super::scope::{Frame, Local};
use crate::ast::{Argument, Expr, ExprKind, Name, Promise, UNFINISHED};

/// How the note starts that says in which function a call goes wrong.
const INSIDE: &str = "this happens in";

impl<'a> Lowering<'a, '_, '_> {
    /// What a call gives; [`Arg::Unknown`] if it has a mistake, which is reported.
    pub fn call(&mut self, frame: &mut Frame<'a>, callee: &'a Name, arguments: &'a [Argument]) -> Arg {
        let name = callee.text.as_str();
        if let Some(Local::Part(part)) = frame.local(name) {
            let part = part.clone();
            let given = self.all_given(frame, arguments);
            return self.call_part(&part, callee, &given);
        }
        if !frame.outside {
            if let Some(part) = frame.owner.part(name).filter(|p| is_called(p)) {
                let given = self.all_given(frame, arguments);
                return self.call_part(&part, callee, &given);
            }
            if let Some(index) = frame.owner.function(name) {
                let given = self.all_given(frame, arguments);
                return self.own_function(frame, index, callee, &given);
            }
            match name {
                "scan" => return self.scan(frame, callee, arguments),
                "grad" => return self.grad(frame, callee, arguments),
                _ => {}
            }
        }
        let of_sizes = matches!(name, "div_ceil" | "div_floor");
        let is_operator = ops::find(name).is_some() && !of_sizes;
        let given = match is_operator {
            true => arguments.iter().map(|a| self.operand(frame, a.name.as_ref(), &a.value)).collect(),
            false => self.all_given(frame, arguments),
        };
        if name == UNFINISHED || of_sizes && given.iter().any(|g| g.value == Arg::Unknown) {
            return Arg::Unknown;
        }
        if of_sizes
            && let [Given { value: Arg::Size(size), .. }, Given { value: Arg::Size(by), name: None, .. }] = &given[..]
        {
            let result = arith::rounded_division(self.b, name, callee.at, size, by);
            return self.checked(result, callee.at);
        }
        if ops::find(name).is_some() {
            if frame.outside && !ops::takes_numbers(name) {
                let message = format!("`{name}` cannot be called here");
                let help =
                    "outside functions only constants, arithmetic and functions of them such as `sqrt` are known";
                return self.mistake(Diagnostic::new("N0501", callee.at, message).help(help));
            }
            let result = ops::call(self.b, name, callee.at, &given);
            let result = self.checked(result, callee.at);
            return self.beside_tensors(result, arguments.iter().map(|a| &a.value));
        }
        if (frame.lenient || self.pass.net.members.lost) && ops::suggest(name, []).is_none() {
            return Arg::Unknown; // It may have been an item that could not be read.
        }
        let d = Diagnostic::new("N0401", callee.at, format!("there is no operator, layer or function `{name}`"));
        let d = match ops::suggest(name, frame.owner.names()) {
            _ if frame.local(name).is_some() => d.help(format!("`{name}` is a value, which cannot be called")),
            _ if layers::find(name).is_some() => {
                d.help(format!("declare the layer, `name: {name}(…);`, and call it by that name"))
            }
            _ if self.pass.file.scopes[frame.owner.scope].blocks.iter().any(|(n, _)| n == name) => {
                d.help(format!("declare the block, `name: {name};`, and call it by that name"))
            }
            _ if matches!(name, "shape" | "size") => {
                d.help("a tensor's sizes are `x.shape`, the first one `x.shape[0]`")
            }
            Some(meant) => d.help(format!("did you mean `{meant}`?")),
            None => d.help("docs/operators.md lists all operators"),
        };
        self.mistake(d)
    }

    /// `stage1[0](x)`: what is called is an expression.
    pub fn apply(&mut self, frame: &mut Frame<'a>, callee: &'a Expr, arguments: &'a [Argument]) -> Arg {
        let part = match &callee.kind {
            ExprKind::Broken => return Arg::Unknown,
            _ => self.part(frame, callee),
        };
        let given = self.all_given(frame, arguments);
        let Some(part) = part else {
            let d = Diagnostic::new("N0601", callee.at, "this cannot be called");
            return self.mistake(d.help("call layers, functions and operators by name"));
        };
        let path = match &*part {
            Part::Layer(layer, _) => layer.name.clone(),
            Part::Block(used) => used.path.clone(),
            _ => "stage".into(),
        };
        self.call_part(&part, &Name { text: path, at: callee.at }, &given)
    }

    fn all_given(&mut self, frame: &mut Frame<'a>, arguments: &'a [Argument]) -> Vec<Given> {
        arguments.iter().map(|a| self.given(frame, a)).collect()
    }

    /// Calls a layer, a block, or the elements of an array in turn.
    pub fn call_part(&mut self, part: &Part<'a>, callee: &Name, given: &[Given]) -> Arg {
        match part {
            Part::Broken => Arg::Unknown,
            Part::Layer(layer, _) => self.layer(layer, callee, given),
            Part::Block(used) => self.call_block(used, callee, given),
            Part::Array(elements, _) => self.call_array(elements, callee, given),
            Part::Absent(condition) => {
                let message = format!("`{}` is not there: its condition does not hold", callee.text);
                let d =
                    Diagnostic::new("N0522", callee.at, message).note(*condition, "the condition of its declaration");
                self.mistake(d.help("call it under the same condition: `if … { … } else { x }`"))
            }
            Part::Parameter(_) | Part::State(_) => {
                let message = format!("`{}` is {}, which cannot be called", callee.text, part.describe());
                self.mistake(Diagnostic::new("N0401", callee.at, message).help("use it as a value"))
            }
        }
    }

    /// `conv1(x)`.
    fn layer(&mut self, layer: &Layer, callee: &Name, given: &[Given]) -> Arg {
        let result = layers::call(self.b, layer, callee.at, given);
        if result.is_ok() && self.has_huge_parameter(layer, callee.at) {
            return Arg::Unknown;
        }
        let value = self.checked(result, callee.at);
        self.pass.findings.note_layer(layer, given.first().map(|g| &g.value), &value, self.b);
        value
    }

    fn has_huge_parameter(&mut self, layer: &Layer, at: Loc) -> bool {
        let shapes = layer.tensors.iter().filter_map(|&t| self.b.parameters.list.get(t)?.shape.as_ref());
        let huge = shapes
            .map(|(shape, _)| shape)
            .find(|shape| shape.iter().map(|&s| s as f64).product::<f64>() > (1u64 << 36) as f64);
        if let Some(shape) = huge.cloned() {
            let message = format!("layer `{}` would have a tensor {shape:?}, which is too large", layer.name);
            self.mistake(
                Diagnostic::new("N0517", at, message).note(layer.at, "it is declared here").help("is a size wrong?"),
            );
            return true;
        }
        false
    }

    /// `scores(image)`: the body of the function, inlined.
    fn own_function(&mut self, caller: &Frame<'a>, index: usize, callee: &Name, given: &[Given]) -> Arg {
        let pass = self.pass;
        let callable = Callable::function(&pass.net.functions[index]);
        let signature = &pass.signatures[index];
        let mut frame = Frame::inside(caller.owner.clone(), pass.sizes.clone(), false);
        if pass.states[index] != Some(Soundness::Clean) {
            // Recursive functions and those with mistakes were reported; what they give is unknown.
            if pass.findings.is_wanted()
                && signature.whole
                && bind(self, callable, signature, &mut frame, callee, given)
            {
                return self.promise(&mut frame, callable);
            }
            return Arg::Unknown;
        }
        if !bind(self, callable, signature, &mut frame, callee, given) || self.is_too_large(callee.at) {
            return Arg::Unknown;
        }
        self.inlined(callee, &callable, |l| l.body(callable, signature, &mut frame))
    }

    /// What an editor shows of a call whose body has a mistake: tensors of the types that are promised. No program comes of it.
    fn promise(&mut self, frame: &mut Frame<'a>, callable: Callable<'a>) -> Arg {
        let types = callable.promise.and_then(|promise| self.promised(frame, promise)).unwrap_or_default();
        let values = types.iter().map(|ty| {
            let stand_in = ty.known().map(|ty| Arg::Tensor(self.b.argument("promised", ty)));
            stand_in.unwrap_or(Arg::Unknown)
        });
        let mut values: Vec<Arg> = values.collect();
        match callable.promise {
            Some(Promise::Tuple(..)) => Arg::List(values),
            _ => values.pop().unwrap_or(Arg::Unknown),
        }
    }

    /// Runs the body of something that has no mistake of its own: what is wrong depends on this call. One mistake a call, at the call.
    pub fn inlined(&mut self, callee: &Name, callable: &Callable<'a>, body: impl FnOnce(&mut Self) -> Arg) -> Arg {
        let before = self.b.diagnostics.len();
        let value = self.pass.findings.inlined(|| body(self));
        let mistakes = &self.b.diagnostics[before..];
        if value != Arg::Unknown || !mistakes.is_empty() {
            self.pass.uses.note(callable.name.at, callee.at, mistakes);
        }
        self.b.diagnostics.truncate(before + 1);
        if self.b.diagnostics.len() == before {
            return value;
        }
        if let Some(mut d) = self.b.diagnostics.pop() {
            let place = std::mem::replace(&mut d.at, callee.at);
            // Of calls in calls, the innermost says where it happens, the outermost is where it can be mended.
            if !is_inside(&d) {
                d = d.note(place, format!("{INSIDE} `{}`, with the arguments of this call", callable.name.text));
            }
            self.b.diagnostics.push(d);
        }
        Arg::Unknown
    }
}

/// Whether a mistake was made in what is called in a body.
pub(super) fn is_inside(mistake: &Diagnostic) -> bool {
    mistake.notes.iter().any(|note| note.text.starts_with(INSIDE))
}

/// Whether a call of this name means the part: a bare parameter may have the name of an operator.
fn is_called(part: &Part) -> bool {
    !matches!(part, Part::Parameter(_) | Part::State(_))
}
