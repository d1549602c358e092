//! Blocks on their own: what is wrong with them whatever they are used with.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use castnet_graph::builder::{Builder, Options, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::size::Size;

use super::callable::Callable;
use super::expr::Lowering;
use super::parts::Owner;
use super::samples::{FIRST_PLAIN, RUNS, Samples};
use super::scope::Frame;
use super::signature::{self, Signature};
use super::{Findings, Pass, names, unused};
use crate::ast::{BuildParameter, ExprKind, File, Members, Name, Net, Scope};

/// What is known of the blocks of a file.
pub struct Blocks {
    /// Of each scope: the constants that stand beside nets.
    pub constants: Vec<HashMap<String, Arg>>,
    pub(super) signatures: Vec<Signature>,
    /// Those with mistakes, all reported: what they give is unknown.
    pub(super) broken: RefCell<HashSet<usize>>,
}

impl Blocks {
    /// Checks every block that is defined here; blocks of other calls of `network!` are checked there.
    pub fn check(file: &File, findings: &Findings, diagnostics: &mut Vec<Diagnostic>) -> Blocks {
        let all_constants = constants(file, findings, diagnostics);
        let mut signatures = vec![];
        let mut broken = HashSet::new();
        for (number, block) in file.blocks.iter().enumerate() {
            let mut found = vec![];
            names::twice(&block.name, &block.parameters, &block.members, &[], &mut found);
            let parameters = block.parameters.iter().map(|p| p.name.text.as_str());
            let constants = block.members.constants.iter().map(|c| c.name.text.as_str());
            let outer = all_constants[block.scope].keys().map(String::as_str);
            let known: Vec<&str> = parameters.chain(constants).chain(outer).collect();
            signatures.push(signature::read(&known, Callable::block(block), &mut found));
            if !found.is_empty() || block.lost || block.members.lost {
                broken.insert(number);
            }
            if !block.foreign {
                diagnostics.append(&mut found);
            }
        }
        let blocks = Blocks { constants: all_constants, signatures, broken: RefCell::new(broken) };
        for number in inner_first(file) {
            let block = &file.blocks[number];
            if findings.is_wanted() && !block.foreign && blocks.signatures[number].whole {
                by_names(file, &blocks, findings, number);
            }
            if blocks.broken.borrow().contains(&number) {
                continue;
            }
            let mut found = findings.on_trial(|| alone(file, &blocks, findings, number)).err().unwrap_or_default();
            if !block.body.is_broken() && !block.foreign {
                unused::parts(&block.members, &[&block.body], &[], &mut found);
            }
            if !found.is_empty() {
                blocks.broken.borrow_mut().insert(number);
                // What is wrong in a foreign block was said where it was written.
                if !block.foreign {
                    diagnostics.append(&mut found);
                }
            }
        }
        blocks
    }
}

/// The constants beside nets, of every scope.
fn constants(file: &File, findings: &Findings, diagnostics: &mut Vec<Diagnostic>) -> Vec<HashMap<String, Arg>> {
    let of_scope = |(number, scope): (usize, &Scope)| {
        let net = stand_in(&Name { text: String::new(), at: Loc::default() }, number, scope.lost);
        let pass = Pass {
            file,
            net: &net,
            name: "",
            sizes: HashMap::new(),
            signatures: vec![],
            states: vec![],
            constants: &[],
            blocks: &[],
            broken_blocks: &RefCell::default(),
            findings,
        };
        let mut parameters = Parameters::default();
        let mut builder = Builder::new("", &mut parameters, false);
        let mut lowering = Lowering::new(&pass, &mut builder);
        let mut frame = Frame::outside(super::nothing(&net.members, &net), HashMap::new(), scope.lost);
        lowering.constants(&mut frame, &scope.constants);
        for constant in &scope.constants {
            if let Some(value) = frame.sizes.get(&constant.name.text) {
                lowering.note(constant.name.at, value);
            }
        }
        // What is wrong in another call was said there.
        if number == 0 {
            diagnostics.append(&mut builder.diagnostics);
        }
        frame.sizes
    };
    file.scopes.iter().enumerate().map(of_scope).collect()
}

/// What an editor shows in a block: its values by the names in its head.
fn by_names(file: &File, blocks: &Blocks, findings: &Findings, number: usize) {
    let block = &file.blocks[number];
    // Those that are no sizes, such as `BIAS = true`, keep their defaults.
    let is_size = |p: &&BuildParameter| p.default.as_ref().is_none_or(|d| matches!(d.kind, ExprKind::Int(_)));
    let parameters: Vec<String> = block.parameters.iter().filter(is_size).map(|p| p.name.text.clone()).collect();
    let samples = Samples::new(block, &[&parameters[..], &blocks.signatures[number].sizes].concat());
    findings.by_names(&samples, |run| {
        let size = |name: &str| Size::constant(samples.number(name, run));
        let given = parameters.iter().map(|name| (name.clone(), Arg::Size(size(name))));
        attempt(file, blocks, findings, number, given.collect(), &size);
    });
}

/// The mistakes of a block that no use can make right.
fn alone(file: &File, blocks: &Blocks, findings: &Findings, number: usize) -> Result<(), Vec<Diagnostic>> {
    let block = &file.blocks[number];
    let open: Vec<String> =
        block.parameters.iter().filter(|p| p.default.is_none()).map(|p| p.name.text.clone()).collect();
    // What is given for a parameter need be no size.
    let mut others: HashMap<String, Arg> = HashMap::new();
    // With symbols most layers cannot be built: numbers stand for them from the start.
    let samples = Samples::new(block, &[&open[..], &blocks.signatures[number].sizes].concat());
    let attempt = |others: &HashMap<String, Arg>, run: usize| {
        let size = |name: &str| Size::constant(samples.number(name, run));
        let value = |name: &String| others.get(name).cloned().unwrap_or_else(|| Arg::Size(size(name)));
        let given = open.iter().map(|name| (name.clone(), value(name)));
        attempt(file, blocks, findings, number, given.collect(), &size)
    };
    let mut mistakes = attempt(&others, FIRST_PLAIN);
    for name in &open {
        for other in [Arg::Bool(true), Arg::Float(0.5)] {
            let wrong = |mistakes: &[Diagnostic]| mistakes.iter().filter(|m| OF_KINDS.contains(&m.code)).count();
            if wrong(&mistakes) == 0 {
                break;
            }
            let mut with = others.clone();
            with.insert(name.clone(), other);
            let again = attempt(&with, FIRST_PLAIN);
            if wrong(&again) < wrong(&mistakes) {
                (others, mistakes) = (with, again);
            }
        }
    }
    for run in FIRST_PLAIN + 1..RUNS {
        if mistakes.is_empty() {
            break;
        }
        let again = attempt(&others, run);
        mistakes.retain(|m| again.iter().any(|a| a.code == m.code && a.at == m.at));
    }
    // A rule that these sizes break may hold for others.
    mistakes.retain(|m| m.code != "N0520");
    if mistakes.is_empty() {
        return Ok(());
    }
    samples.say(&mut mistakes, &[0, 1].map(|run| attempt(&others, run)));
    Err(mistakes)
}

/// Mistakes that a parameter may make by being a size, where `true` or a fraction is meant.
const OF_KINDS: [&str; 5] = ["N0201", "N0305", "N0306", "N0512", "N0521"];

/// The mistakes of a block with these build-time parameters, the others by their defaults, and these sizes.
fn attempt(
    file: &File,
    blocks: &Blocks,
    findings: &Findings,
    number: usize,
    given: HashMap<String, Arg>,
    size: &dyn Fn(&str) -> Size,
) -> Vec<Diagnostic> {
    let block = &file.blocks[number];
    let net = stand_in(&block.name, block.scope, block.members.lost);
    let pass = Pass {
        file,
        net: &net,
        name: &block.name.text,
        sizes: Default::default(),
        signatures: vec![],
        states: vec![],
        constants: &blocks.constants,
        blocks: &blocks.signatures,
        broken_blocks: &blocks.broken,
        findings,
    };
    let mut parameters = Parameters::default();
    let mut builder = Builder::new(block.name.text.as_str(), &mut parameters, true);
    let mut lowering = Lowering::new(&pass, &mut builder);
    let owner = Owner {
        members: &block.members,
        functions: &[],
        scope: block.scope,
        path: String::new(),
        parts: RefCell::default(),
    };
    let mut frame = Frame::inside(owner.into(), given, block.lost);
    for parameter in &block.parameters {
        if let (Some(default), false) = (&parameter.default, frame.sizes.contains_key(&parameter.name.text)) {
            let value = lowering.expression(&mut frame, default);
            frame.sizes.insert(parameter.name.text.clone(), value);
        }
    }
    lowering.active.push(number);
    lowering.arguments(&mut frame, Callable::block(block), &blocks.signatures[number], size);
    if lowering.rules_and_constants(&mut frame, &block.members) {
        lowering.declare(&mut frame, Options::default());
        lowering.body(Callable::block(block), &blocks.signatures[number], &mut frame);
    }
    builder.diagnostics
}

/// A net around a block or constants, for what asks for one.
fn stand_in(name: &Name, scope: usize, lost: bool) -> Net {
    Net {
        head: crate::ast::Head::default(),
        name: name.clone(),
        parameters: vec![],
        members: Members { lost, ..Members::default() },
        functions: vec![],
        scope,
        foreign: false,
    }
}

/// The mistakes of something with its size names bound so.
type Attempt<'l> = dyn Fn(&dyn Fn(&str) -> Size) -> Option<Vec<Diagnostic>> + 'l;

/// Keeps of the mistakes with symbolic sizes those that are there with every one of these sizes too. A mistake elsewhere (no list) is none.
pub(super) fn certain(attempt: &Attempt, sizes: &[i64]) -> Result<(), Vec<Diagnostic>> {
    let Some(mut mistakes) = attempt(&Size::symbol) else { return Ok(()) };
    if mistakes.is_empty() {
        return Err(mistakes);
    }
    for &size in sizes {
        let Some(again) = attempt(&|_| Size::constant(size)) else { return Ok(()) };
        mistakes.retain(|m| again.iter().any(|a| a.code == m.code && a.at == m.at));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

/// The numbers of the blocks, those that others contain before these.
fn inner_first(file: &File) -> Vec<usize> {
    fn visit(file: &File, number: usize, seen: &mut Vec<bool>, order: &mut Vec<usize>) {
        if std::mem::replace(&mut seen[number], true) {
            return;
        }
        let block = &file.blocks[number];
        let scope = &file.scopes[block.scope];
        for part in &block.members.parts {
            part.makes(&mut |make| {
                if let Some((_, inner)) = scope.blocks.iter().find(|(n, _)| *n == make.kind.text) {
                    visit(file, *inner, seen, order);
                }
            });
        }
        order.push(number);
    }
    let (mut seen, mut order) = (vec![false; file.blocks.len()], vec![]);
    for number in 0..file.blocks.len() {
        visit(file, number, &mut seen, &mut order);
    }
    order
}
