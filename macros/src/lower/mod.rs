//! Ast → graphs: names are resolved, calls between functions inlined, and every node is checked as it is added.
//!
//! A function is lowered on its own first, callees before callers, so that a mistake in it is reported once, where it was made; calls to
//! a function with mistakes are accepted silently. A private function's sizes are patterns: on its own, only those of its mistakes count
//! that no use can make right.

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::graph::Graph;
use castnet_graph::size::Size;

use crate::ast::Net;

mod bind;
mod body;
mod calls;
mod declare;
mod expr;
mod order;
mod signature;
mod unused;

pub use body::type_text;
pub use declare::is_method;

use body::Lowering;
use declare::Names;
use signature::Signature;

/// What was found out about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Has mistakes, all reported: what it returns is unknown.
    Broken,
    /// Has none.
    Clean,
}

/// The graphs of a net; `None` if there are mistakes, which go to `diagnostics`.
pub fn lower(net: &Net, diagnostics: &mut Vec<Diagnostic>) -> Option<Source> {
    let before = diagnostics.len();
    let mut parameters = Parameters::default();
    let names = declare::declare(net, &mut parameters, diagnostics);
    let signatures: Vec<_> = net.functions.iter().map(|f| signature::read(&names, f, diagnostics)).collect();
    let (order, recursive) = order::callees_first(net, &names, diagnostics);

    let mut pass = Pass { names: &names, signatures: &signatures, states: vec![None; net.functions.len()] };
    recursive.into_iter().for_each(|i| pass.states[i] = Some(State::Broken));
    let mut functions: Vec<Option<SourceFunction>> = net.functions.iter().map(|_| None).collect();
    for index in order {
        let function = &net.functions[index];
        let found = match function.is_entry() {
            true => pass.entry(index, &mut parameters).map(|f| functions[index] = Some(f)),
            false => pass.private(index, &parameters),
        };
        let whole = signatures[index].whole && !function.lost && pass.states[index].is_none();
        pass.states[index] = Some(if found.is_ok() && whole { State::Clean } else { State::Broken });
        diagnostics.extend(found.err().unwrap_or_default());
    }
    let functions: Vec<_> = functions.into_iter().flatten().collect();
    unused::check(net, &names, &functions, &parameters, diagnostics);
    (diagnostics.len() == before).then(|| Source { name: net.name.text.clone(), parameters, functions })
}

/// What lowering one function needs to know about the others.
#[derive(Clone)]
struct Pass<'a> {
    names: &'a Names<'a>,
    signatures: &'a [Signature],
    states: Vec<Option<State>>,
}

impl Pass<'_> {
    /// Both graphs of an entry point. The parameters stay as they were if there are mistakes.
    fn entry(&self, index: usize, parameters: &mut Parameters) -> Result<SourceFunction, Vec<Diagnostic>> {
        let function = &self.names.net.functions[index];
        let before = parameters.clone();
        let mut graphs = || {
            let inference = self.graph(index, parameters, false, &Size::symbol)?;
            let training = function.train.then(|| self.graph(index, parameters, true, &Size::symbol)).transpose()?;
            Ok(SourceFunction::new(function.name.text.clone(), inference, training))
        };
        graphs().inspect_err(|_| *parameters = before)
    }

    /// The mistakes of a private function that no use can make right: those that it makes whatever its sizes are.
    fn private(&self, index: usize, parameters: &Parameters) -> Result<(), Vec<Diagnostic>> {
        let attempt = |size: &dyn Fn(&str) -> Size| self.graph(index, &mut parameters.clone(), false, size).err();
        let Some(mut mistakes) = attempt(&Size::symbol) else { return Ok(()) };
        if mistakes.is_empty() {
            return Err(mistakes);
        }
        for size in [1, 32, 5040] {
            let Some(again) = attempt(&|_| Size::constant(size)) else { return Ok(()) };
            mistakes.retain(|m| again.iter().any(|a| a.code == m.code && a.at == m.at));
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// The graph of one function with its size names bound by `size`, or its mistakes: none, if it only calls a function with mistakes.
    fn graph(
        &self,
        index: usize,
        parameters: &mut Parameters,
        training: bool,
        size: &dyn Fn(&str) -> Size,
    ) -> Result<Graph, Vec<Diagnostic>> {
        let function = &self.names.net.functions[index];
        let name = format!("{}.{}", self.names.net.name.text, function.name.text);
        let builder = Builder::new(name, parameters, training);
        let mut lowering = Lowering { pass: self, b: builder };
        lowering.alone(index, size);
        match lowering.b.diagnostics.is_empty() && !lowering.b.graph.outputs.is_empty() {
            true => Ok(lowering.b.graph),
            false => Err(lowering.b.diagnostics),
        }
    }
}
