//! Blocks and private functions: which are wrong by what all uses show, and what is wrong with those that nobody uses.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use castnet_graph::builder::{Builder, Options, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::size::Size;

use super::callable::Callable;
use super::calls::is_inside;
use super::expr::Lowering;
use super::hopeless::{Knowledge, find, hopeless, unequal};
use super::parts::Owner;
use super::samples::{FIRST_PLAIN, RUNS, Samples, sample};
use super::scope::Frame;
use super::signature::{self, Signature};
use super::uses::Uses;
use super::{Findings, Pass, float, names, unused};
use crate::ast::{BuildParameter, ExprKind, File, Function, Members, Name, Net};

/// What is known of the blocks of a file.
pub struct Blocks {
    /// Of each scope: the constants that stand beside nets.
    pub constants: Vec<HashMap<String, Arg>>,
    pub(super) signatures: Vec<Signature>,
    /// Those with mistakes, all reported: what they give is unknown.
    pub(super) broken: RefCell<HashSet<usize>>,
    /// The same of private functions, by their names.
    pub(super) broken_functions: RefCell<HashSet<Loc>>,
    pub(super) uses: Uses,
    /// What no use of a private function could make right, where all uses are wrong.
    pub(super) hopeless: RefCell<HashMap<Loc, Vec<Diagnostic>>>,
}

impl Blocks {
    /// Reads the heads of all blocks, and checks what needs no use; blocks of other calls of `network!` are checked there.
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
            signatures.push(signature::read(&known, float::of_block(block), Callable::block(block), &mut found));
            if !found.is_empty() || block.lost || block.members.lost {
                broken.insert(number);
            }
            if !block.foreign {
                diagnostics.append(&mut found);
            }
        }
        let blocks = Blocks {
            constants: all_constants,
            signatures,
            broken: RefCell::new(broken),
            broken_functions: RefCell::default(),
            uses: Uses::default(),
            hopeless: RefCell::default(),
        };
        for number in inner_first(file) {
            let block = &file.blocks[number];
            if findings.is_wanted() && !block.foreign && blocks.signatures[number].whole {
                by_names(file, &blocks, findings, number);
            }
            if blocks.is_broken(number) || block.body.is_broken() || block.foreign {
                continue;
            }
            let mut found = vec![];
            unused::parts(&block.members, &[&block.body], &[], &mut found);
            if !found.is_empty() {
                // What else is wrong is told with it.
                let mut more = alone(file, &blocks, findings, number);
                // A layer that was meant where another name stands is not unused.
                more.retain(|m| m.code != "N0503");
                diagnostics.append(&mut more);
                let mut found = vec![];
                unused::parts(&block.members, &[&block.body], &[], diagnostics);
                diagnostics.append(&mut found);
                blocks.broken.borrow_mut().insert(number);
            }
        }
        blocks
    }

    fn is_broken(&self, number: usize) -> bool {
        self.broken.borrow().contains(&number)
    }

    /// After all nets were lowered: blocks and private functions of which every use shows the same mistake are broken, and it is theirs. If
    /// there is one, the nets are lowered again.
    pub fn judge(&self, file: &File, findings: &Findings, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let mut found = false;
        // First what is wrong by itself: of what calls it, nothing is known then.
        for nested in [false, true] {
            for (number, block) in file.blocks.iter().enumerate() {
                if self.is_broken(number) || !self.uses.are_wrong(block.name.at) {
                    continue;
                }
                let mut shared = self.uses.shared(block.name.at, nested, !block.parameters.is_empty());
                if shared.is_empty() && !block.foreign {
                    shared = alone(file, self, findings, number);
                    shared.retain(|m| is_inside(m) == nested);
                }
                if shared.is_empty() && !block.foreign {
                    continue;
                }
                // What is wrong in a foreign block was said where it was written; what is wrong with its use is said there.
                match block.foreign {
                    true if alone(file, self, findings, number).is_empty() => continue,
                    true => {}
                    false => diagnostics.extend(shared),
                }
                self.broken.borrow_mut().insert(number);
                found = true;
            }
            for function in file.nets.iter().filter(|net| !net.foreign).flat_map(|net| &net.functions) {
                let mut shared = self.uses.shared(function.name.at, nested, false);
                if shared.is_empty() && self.uses.are_wrong(function.name.at) {
                    shared = self.hopeless.borrow_mut().remove(&function.name.at).unwrap_or_default();
                    shared.retain(|m| is_inside(m) == nested);
                }
                let private = !function.is_entry() && !self.broken_functions.borrow().contains(&function.name.at);
                if private && !shared.is_empty() {
                    diagnostics.extend(shared);
                    self.broken_functions.borrow_mut().insert(function.name.at);
                    found = true;
                }
            }
            if found {
                self.uses.forget();
                self.hopeless.borrow_mut().clear();
                return true;
            }
        }
        false
    }

    /// The mistakes of blocks that nobody uses, as far as no use could make them right.
    pub fn unused(&self, file: &File, findings: &Findings, diagnostics: &mut Vec<Diagnostic>) {
        for number in inner_first(file) {
            let block = &file.blocks[number];
            if self.is_broken(number) || block.foreign || self.uses.has(block.name.at) {
                continue;
            }
            let found = alone(file, self, findings, number);
            if !found.is_empty() {
                self.broken.borrow_mut().insert(number);
                diagnostics.extend(found);
            }
        }
    }
}

/// The constants beside nets, of every scope.
fn constants(file: &File, findings: &Findings, diagnostics: &mut Vec<Diagnostic>) -> Vec<HashMap<String, Arg>> {
    let of_scope = |number: usize, others: HashMap<String, Arg>| {
        let scope = &file.scopes[number];
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
            uses: &Uses::default(),
            findings,
        };
        let mut parameters = Parameters::default();
        let mut builder = Builder::new("", &mut parameters, false);
        let mut lowering = Lowering::new(&pass, &mut builder);
        let mut frame = Frame::outside(super::nothing(&net.members, &net), others, scope.lost);
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
    let mut known: Vec<Option<HashMap<String, Arg>>> = vec![None; file.scopes.len()];
    // As often as there are scopes: what is used was written before.
    let mut open: Vec<usize> = (0..file.scopes.len()).collect();
    let mut of_scope = of_scope;
    while !open.is_empty() {
        let before = open.len();
        open.retain(|&number| {
            let imported = &file.scopes[number].imported;
            let others = imported.iter().map(|(alias, home, name)| {
                let value = known[*home].as_ref()?.get(name).cloned();
                Some((alias.clone(), value.unwrap_or(Arg::Unknown)))
            });
            let Some(others) = others.collect() else { return true };
            let values = of_scope(number, others);
            known[number] = Some(values);
            false
        });
        if open.len() == before {
            break;
        }
    }
    known.into_iter().map(Option::unwrap_or_default).collect()
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
fn alone(file: &File, blocks: &Blocks, findings: &Findings, number: usize) -> Vec<Diagnostic> {
    findings.on_trial(|| blocks.uses.quietly(|| alone_with_samples(file, blocks, findings, number)))
}

fn alone_with_samples(file: &File, blocks: &Blocks, findings: &Findings, number: usize) -> Vec<Diagnostic> {
    let block = &file.blocks[number];
    let is_int = |p: &BuildParameter| p.default.as_ref().is_some_and(|d| matches!(d.kind, ExprKind::Int(_)));
    let open: Vec<String> =
        block.parameters.iter().filter(|p| p.default.is_none()).map(|p| p.name.text.clone()).collect();
    let sizes: Vec<String> = block.parameters.iter().filter(|p| is_int(p)).map(|p| p.name.text.clone()).collect();
    // With symbols most layers cannot be built: numbers stand for them from the start.
    let samples = Samples::new(block, &[&open[..], &sizes, &blocks.signatures[number].sizes].concat());
    let attempt_with = |kinds: &HashMap<String, Arg>, run: usize| {
        let size = |name: &str| Size::constant(samples.number(name, run));
        // Defaults need not be what a use has.
        let others = if run > FIRST_PLAIN && run % 2 == 1 { &sizes[..] } else { &[] };
        let mut given: HashMap<String, Arg> =
            open.iter().chain(others).map(|name| (name.clone(), Arg::Size(size(name)))).collect();
        given.extend(kinds.clone());
        if run > FIRST_PLAIN && run % 4 >= 2 {
            for parameter in &block.parameters {
                if let Some(ExprKind::Bool(truth)) = parameter.default.as_ref().map(|default| &default.kind) {
                    given.insert(parameter.name.text.clone(), Arg::Bool(!truth));
                }
            }
        }
        attempt(file, blocks, findings, number, given, &size)
    };
    // What is given for a parameter need be no size.
    let mut kinds: HashMap<String, Arg> = HashMap::new();
    let mut mistakes = attempt_with(&kinds, FIRST_PLAIN);
    let wrong = |mistakes: &[Diagnostic]| mistakes.iter().filter(|m| OF_KINDS.contains(&m.code)).count();
    for name in &open {
        for other in [Arg::Bool(true), Arg::Float(0.5)] {
            if wrong(&mistakes) == 0 {
                break;
            }
            let mut with = kinds.clone();
            with.insert(name.clone(), other);
            let again = attempt_with(&with, FIRST_PLAIN);
            if wrong(&again) < wrong(&mistakes) {
                (kinds, mistakes) = (with, again);
            }
        }
    }
    if mistakes.is_empty() {
        return vec![];
    }
    let runs: Vec<Vec<Diagnostic>> = (0..RUNS).map(|run| attempt_with(&kinds, run)).collect();
    let known = Knowledge::of(&block.body, Some(&block.members), !open.is_empty());
    let (named, plain) = runs.split_at(FIRST_PLAIN);
    let pairs = |m: &Diagnostic, axis: usize| -> Option<Vec<(i64, i64)>> {
        let pair = |run: &Vec<Diagnostic>| {
            let (_, found, wanted) = unequal(&find(run, m)?).into_iter().find(|(a, ..)| *a == axis)?;
            Some((found.as_const()?, wanted.as_const()?))
        };
        runs.iter().map(pair).collect()
    };
    let difference = |m: &Diagnostic, axis: usize| samples.difference(&pairs(m, axis)?);
    let mut mistakes = hopeless(mistakes, plain, &known, &difference);
    samples.say(&mut mistakes, named);
    mistakes
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
        uses: &blocks.uses,
        findings,
    };
    let mut parameters = Parameters { float: float::of_block(block), ..Parameters::default() };
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
        float: None,
        precision: None,
        scope,
        foreign: false,
    }
}

/// The mistakes of something with its size names bound so.
type Attempt<'l> = dyn Fn(&dyn Fn(&str) -> Size) -> Option<Vec<Diagnostic>> + 'l;

/// The mistakes of a private function with symbolic sizes that no sizes can make right. A mistake elsewhere (no list) is none.
pub(super) fn private(attempt: &Attempt, function: &Function, sizes: &[String]) -> Result<(), Vec<Diagnostic>> {
    let Some(mistakes) = attempt(&Size::symbol) else { return Ok(()) };
    if mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut runs = vec![];
    for run in FIRST_PLAIN..RUNS {
        // Its head has no other names; one of these would have a number of its own.
        let at = |name: &str| sizes.iter().position(|s| s == name).unwrap_or(sizes.len());
        let size = |name: &str| Size::constant(sample(at(name), run));
        match attempt(&size) {
            Some(mistakes) => runs.push(mistakes),
            None => return Ok(()),
        }
    }
    // With names for sizes they say themselves by what they differ.
    let difference = |m: &Diagnostic, axis: usize| {
        let (_, found, wanted) = unequal(m).into_iter().find(|(a, ..)| *a == axis)?;
        Some(&found - &wanted)
    };
    let mistakes = hopeless(mistakes, &runs, &Knowledge::of(&function.body, None, false), &difference);
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
