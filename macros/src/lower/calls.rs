//! Calls: `f(x)` and `x.f()` mean the same; the net's own layers and functions come before operators.

use castnet_graph::arith;
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::layers::{self, Layer};
use castnet_graph::ops;

use super::State;
use super::bind::bind;
use super::body::{Frame, Lowering};
use crate::ast::{Argument, Name};

/// How the note starts that says in which function a call goes wrong.
const INSIDE: &str = "this happens in";

impl Lowering<'_, '_> {
    /// What a call gives; [`Arg::Unknown`] if it has a mistake, which is reported.
    pub fn call(&mut self, frame: &mut Frame, callee: &Name, arguments: &[Argument]) -> Arg {
        let given: Vec<Given> = arguments.iter().map(|a| self.given(frame, a)).collect();
        let name = callee.text.as_str();
        let names = self.pass.names;
        if !frame.outside {
            if let Some(layer) = names.layers.get(name) {
                // A layer whose declaration has a mistake is accepted silently.
                return layer.as_ref().map_or(Arg::Unknown, |layer| self.layer(layer, callee, &given));
            }
            if let Some(&index) = names.functions.get(name) {
                return self.own_function(index, callee, &given);
            }
        }
        if matches!(name, "div_ceil" | "div_floor")
            && let [Given { value: Arg::Size(size), .. }, Given { value: Arg::Size(by), name: None, .. }] = &given[..]
        {
            let result = arith::rounded_division(&mut self.b, name, callee.at, size, by);
            return self.checked(result, callee.at);
        }
        if ops::find(name).is_some() {
            if frame.outside {
                let message = format!("`{name}` cannot be called here");
                let help = "outside functions only constants and arithmetic of them are known";
                return self.mistake(Diagnostic::new("N0501", callee.at, message).help(help));
            }
            let result = ops::call(&mut self.b, name, callee.at, &given);
            return self.checked(result, callee.at);
        }
        if crate::parse::function_not_yet(name) {
            let (code, message, help) = crate::parse::not_yet(name);
            return self.mistake(Diagnostic::new(code, callee.at, message).help(help));
        }
        if names.net.lost && ops::suggest(name, []).is_none() {
            return Arg::Unknown; // It may have been an item that could not be read.
        }
        let d = Diagnostic::new("N0401", callee.at, format!("there is no operator, layer or function `{name}`"));
        let mut own: Vec<&str> = names.layers.keys().chain(names.functions.keys()).copied().collect();
        own.sort_unstable();
        let d = match ops::suggest(name, own) {
            _ if frame.locals.contains_key(name) => d.help(format!("`{name}` is a value, which cannot be called")),
            _ if layers::find(name).is_some() => {
                d.help(format!("declare the layer, `name: {name}(…);`, and call it by that name"))
            }
            Some(meant) => d.help(format!("did you mean `{meant}`?")),
            None => d.help("docs/operators.md lists all operators"),
        };
        self.mistake(d)
    }

    /// Reports a mistake.
    pub fn mistake(&mut self, d: Diagnostic) -> Arg {
        self.b.diagnostics.push(d);
        Arg::Unknown
    }

    /// `conv1(x)`.
    fn layer(&mut self, layer: &Layer, callee: &Name, given: &[Given]) -> Arg {
        let result = layers::call(&mut self.b, layer, callee.at, given);
        if result.is_ok() && self.has_huge_parameter(layer, callee.at) {
            return Arg::Unknown;
        }
        self.checked(result, callee.at)
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
    fn own_function(&mut self, index: usize, callee: &Name, given: &[Given]) -> Arg {
        if self.pass.states[index] != Some(State::Clean) {
            // Recursive functions and those with mistakes were reported; what they give is unknown.
            return Arg::Unknown;
        }
        let Some(mut frame) = bind(self, index, callee, given) else { return Arg::Unknown };
        if self.is_too_large(callee.at) {
            return Arg::Unknown;
        }
        let before = self.b.diagnostics.len();
        let value = self.body(index, &mut frame);
        // The function has no mistake of its own: what is wrong depends on this call. One mistake a call.
        self.b.diagnostics.truncate(before + 1);
        if self.b.diagnostics.len() > before {
            if let Some(mut d) = self.b.diagnostics.pop() {
                let place = std::mem::replace(&mut d.at, callee.at);
                // Of calls in calls, the innermost says where it happens, the outermost is where it can be mended.
                if !d.notes.iter().any(|n| n.text.starts_with(INSIDE)) {
                    d = d.note(place, format!("{INSIDE} `{}`, with the arguments of this call", callee.text));
                }
                self.b.diagnostics.push(d);
            }
            return Arg::Unknown;
        }
        value
    }
}
