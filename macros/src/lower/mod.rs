//! Ast → graphs: names are resolved, calls between functions and blocks inlined, and every node is checked as it is added.
//!
//! A function is lowered on its own first, callees before callers, so that a mistake in it is reported once, where it was made; calls to
//! a function with mistakes are accepted silently. The sizes of a private function or a block are patterns: it is checked by its uses
//! (`uses`), and on its own only where it has none (`alone`, `hopeless`).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use castnet_graph::builder::{Builder, Options, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::graph::Graph;
use castnet_graph::rules::Rule;
use castnet_graph::size::Size;

use crate::ast::{Argument, File, Members, Name, Net, Scope};

mod alone;
mod bind;
mod blocks;
mod body;
mod callable;
mod calls;
mod constants;
mod expected;
mod expr;
mod findings;
mod float;
mod hopeless;
mod loops;
mod names;
mod order;
mod parts;
mod rules;
mod samples;
mod scope;
mod signature;
mod train;
mod unused;
mod uses;

pub use alone::Blocks;
pub use expected::type_text;
pub use findings::{Findings, Shown};
pub use float::of_net as float_of;
pub use names::{is_method, is_taken};

use callable::Callable;
use expr::Lowering;
use parts::Owner;
use scope::Frame;
use signature::Signature;
use uses::Uses;

/// What was found out about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Soundness {
    /// Has mistakes, all reported: what it returns is unknown.
    Broken,
    /// Has none.
    Clean,
}

/// A net to be made: one without parameters, or an instance of a template.
pub struct NetItem<'a> {
    /// Doc comment and visibility.
    pub head: &'a crate::ast::Head,
    /// What it is called.
    pub name: &'a Name,
    /// What an instance names.
    pub of: Option<&'a Name>,
    /// The net or template.
    pub net: &'a Net,
    /// What an instance gives for the template's parameters.
    pub arguments: &'a [Argument],
    /// What stands beside the net or template.
    pub outer: &'a Scope,
}

/// The mistakes of a function; none, if it only calls a function with mistakes.
struct Mistakes {
    list: Vec<Diagnostic>,
    /// The rules for its sizes.
    rules: Vec<Rule>,
}

impl From<Vec<Diagnostic>> for Mistakes {
    fn from(list: Vec<Diagnostic>) -> Mistakes {
        Mistakes { list, rules: vec![] }
    }
}

/// What lowering one function needs to know about the rest.
struct Pass<'a> {
    file: &'a File,
    net: &'a Net,
    /// `Gpt2`.
    name: &'a str,
    /// Constants and build-time parameters of the net.
    sizes: HashMap<String, Arg>,
    /// Of the net's functions.
    signatures: Vec<Signature>,
    states: Vec<Option<Soundness>>,
    /// Of each scope of the file: the constants beside nets.
    constants: &'a [HashMap<String, Arg>],
    /// Of the file's blocks.
    blocks: &'a [Signature],
    broken_blocks: &'a RefCell<HashSet<usize>>,
    /// What calls show; none of samples.
    uses: &'a Uses,
    findings: &'a Findings,
}

/// What comes of a net.
#[derive(Default)]
pub struct Lowered {
    /// Its graphs; `None` if there are mistakes.
    pub source: Option<Source>,
    /// Its constants and build-time parameters.
    pub constants: HashMap<String, Arg>,
}

/// The graphs of a net; its mistakes go to `diagnostics`.
pub fn lower(
    file: &File,
    blocks: &Blocks,
    target: &NetItem,
    findings: &Findings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Lowered {
    let before = diagnostics.len();
    let net = target.net;
    names::twice(&net.name, &net.parameters, &net.members, &net.functions, diagnostics);
    names::metadata(net, diagnostics);
    names::methods(net, diagnostics);
    names::constants(net, diagnostics);
    let mut pass = Pass {
        file,
        net,
        name: &target.name.text,
        sizes: HashMap::new(),
        signatures: vec![],
        states: vec![Some(Soundness::Broken); net.functions.len()],
        constants: &blocks.constants,
        blocks: &blocks.signatures,
        broken_blocks: &blocks.broken,
        uses: &blocks.uses,
        findings,
    };
    let float = float::of_net(net);
    diagnostics.extend(float::undecided(net));
    diagnostics.extend(float::imprecise(net));
    let mut parameters = Parameters { float, ..Parameters::default() };
    let Some(owner) = pass.declare(target, &mut parameters, diagnostics) else { return Lowered::default() };
    let outer = pass.constants.get(net.scope).into_iter().flat_map(HashMap::keys);
    let constants: Vec<&str> = pass.sizes.keys().chain(outer).map(String::as_str).collect();
    pass.signatures =
        net.functions.iter().map(|f| signature::read(&constants, float, Callable::function(f), diagnostics)).collect();
    let (order, recursive) = order::callees_first(net, diagnostics);
    pass.states = vec![None; net.functions.len()];
    recursive.into_iter().for_each(|i| pass.states[i] = Some(Soundness::Broken));
    let mut functions: Vec<Option<SourceFunction>> = net.functions.iter().map(|_| None).collect();
    for index in order {
        let function = &net.functions[index];
        // A private function is checked by its uses.
        let broken = blocks.broken_functions.borrow().contains(&function.name.at);
        let found = match function.is_entry() {
            true => pass.entry(&owner, index, &mut parameters).map(|f| functions[index] = Some(f)),
            false => {
                if broken {
                    Err(vec![])
                } else {
                    Ok(())
                }
            }
        };
        let whole = pass.signatures[index].whole && !function.lost && pass.states[index].is_none();
        pass.states[index] = Some(if found.is_ok() && whole { Soundness::Clean } else { Soundness::Broken });
        diagnostics.extend(found.err().unwrap_or_default());
    }
    for (index, function) in net.functions.iter().enumerate() {
        let sound = pass.states[index] == Some(Soundness::Clean);
        let at = function.name.at;
        if sound && !function.is_entry() && !blocks.uses.has(at) {
            diagnostics.extend(pass.private(target, index).err().unwrap_or_default());
        } else if sound && !function.is_entry() && blocks.uses.are_wrong(at) {
            blocks.hopeless.borrow_mut().insert(at, pass.private(target, index).err().unwrap_or_default());
        }
    }
    // Some are not whole without a mistake of their own: what they call has one, or a block of another call.
    let whole = pass.states.iter().all(|state| *state == Some(Soundness::Clean));
    let functions: Vec<_> = functions.into_iter().flatten().collect();
    names::seeded(net, &functions, diagnostics);
    unused::check(net, &functions, &parameters, diagnostics);
    let right = whole && diagnostics.len() == before;
    let source = right.then(|| Source { name: target.name.text.clone(), parameters, functions });
    Lowered { source, constants: pass.sizes }
}

/// An owner with nothing in it, for what stands outside nets.
fn nothing<'a>(members: &'a Members, net: &'a Net) -> Rc<Owner<'a>> {
    let (functions, scope) = (&net.functions[..], net.scope);
    Rc::new(Owner { members, functions, scope, path: String::new(), parts: RefCell::default() })
}

impl<'a> Pass<'a> {
    /// The constants of the net, and its parts with their parameters; `None` if what an instance gives has a mistake.
    fn declare(
        &mut self,
        target: &NetItem<'a>,
        parameters: &mut Parameters,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Rc<Owner<'a>>> {
        let net = self.net;
        let owner = nothing(&net.members, net);
        let mut builder = Builder::new("", parameters, false);
        let mut lowering = Lowering::new(self, &mut builder);
        let mut frame = Frame::outside(owner.clone(), HashMap::new(), net.members.lost);
        let arguments = lowering.build_arguments(
            &mut frame,
            (target.of.unwrap_or(target.name), &net.name),
            &net.parameters,
            target.arguments,
        );
        let known = arguments.is_some();
        frame.sizes = arguments.unwrap_or_default();
        if known {
            lowering.constants(&mut frame, &net.members.constants);
            lowering.declare(&mut frame, Options::default());
            lowering.note_sizes(&frame, &net.parameters, &net.members);
        }
        let sizes = std::mem::take(&mut frame.sizes);
        diagnostics.append(&mut builder.diagnostics);
        self.sizes = sizes;
        known.then_some(owner)
    }

    /// Both graphs of an entry point. What the shapes of parameters were stays if there are mistakes.
    fn entry(
        &self,
        owner: &Rc<Owner<'a>>,
        index: usize,
        parameters: &mut Parameters,
    ) -> Result<SourceFunction, Vec<Diagnostic>> {
        let function = &self.net.functions[index];
        let before = parameters.clone();
        let mut graphs = |size: &dyn Fn(&str) -> Size| {
            let mut graphs = || {
                let inference = self.graph(owner, index, parameters, false, size)?;
                let training = function.train.as_ref();
                let training = training.map(|_| self.graph(owner, index, parameters, true, size)).transpose()?;
                let trains = self.trains(owner, function, parameters)?;
                let memory = self.memory(function, &inference)?;
                let name = function.name.text.clone();
                let precision = float::precision(self.net, function);
                Ok(SourceFunction { trains, memory, precision, ..SourceFunction::new(name, inference, training) })
            };
            graphs().inspect_err(|_: &Mistakes| {
                // The parts keep their numbers; what the mistakes said of shapes is forgotten.
                for (number, declared) in parameters.list.iter_mut().enumerate() {
                    declared.shape = before.list.get(number).and_then(|b| b.shape.clone());
                }
            })
        };
        let mut mistakes = match graphs(&Size::symbol) {
            Ok(found) => return Ok(found),
            Err(mistakes) => mistakes,
        };
        // Rules that sizes are multiples of something are relied on where it would not do otherwise. What is divided may be divided again.
        let mut divisors = HashMap::new();
        loop {
            let more = rules::divisors(&mistakes.rules, &self.signatures[index].sizes, &divisors);
            if more == divisors || mistakes.list.is_empty() {
                return Err(mistakes.list);
            }
            divisors = more;
            let size = |name: &str| match divisors.get(name) {
                Some(&parts) => Size::divided(name, parts),
                None => Size::symbol(name),
            };
            let mut again = match self.findings.on_trial(|| graphs(&size)) {
                Ok(found) => return Ok(found),
                Err(again) => again,
            };
            again.list.iter_mut().for_each(rules::tell_as_written);
            mistakes = again;
        }
    }

    /// The mistakes of a private function without uses that no use could make right.
    fn private(&self, target: &NetItem<'a>, index: usize) -> Result<(), Vec<Diagnostic>> {
        // Only the first one has the sizes that are written.
        let trial = Cell::new(false);
        let attempt = |size: &dyn Fn(&str) -> Size| {
            // Parts of its own: what they are depends on the sizes.
            let (mut parameters, mut ignored) =
                (Parameters { float: float::of_net(self.net), ..Parameters::default() }, vec![]);
            let mut pass = Pass { signatures: vec![], states: vec![], sizes: HashMap::new(), ..*self };
            let owner = pass.declare(target, &mut parameters, &mut ignored)?;
            let mut graph = || self.graph(&owner, index, &mut parameters, false, size).err().map(|m| m.list);
            self.uses.quietly(|| if trial.replace(true) { self.findings.on_trial(graph) } else { graph() })
        };
        let function = &self.net.functions[index];
        alone::private(&attempt, function, &self.signatures[index].sizes)
    }

    /// The graph of one function with its size names bound by `size`, or its mistakes: none, if it only calls a function with mistakes.
    fn graph(
        &self,
        owner: &Rc<Owner<'a>>,
        index: usize,
        parameters: &mut Parameters,
        training: bool,
        size: &dyn Fn(&str) -> Size,
    ) -> Result<Graph, Mistakes> {
        let name = format!("{}.{}", self.name, self.net.functions[index].name.text);
        let mut apart = BTreeSet::new();
        loop {
            let mut builder = Builder::new(name.as_str(), parameters, training);
            builder.apart = apart.clone();
            Lowering::new(self, &mut builder).alone(owner.clone(), index, size);
            let diagnostics = std::mem::take(&mut builder.diagnostics);
            let (graph, mixed) = (builder.graph, builder.mixed);
            if !diagnostics.is_empty() || graph.outputs.is_empty() {
                return Err(Mistakes { list: diagnostics, rules: graph.rules });
            }
            // Rounds whose states stand elsewhere too are written out: once more, now that it is known.
            if mixed.is_subset(&apart) {
                return Ok(graph);
            }
            apart.extend(mixed);
        }
    }
}
