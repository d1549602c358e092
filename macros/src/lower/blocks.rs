//! Calls of blocks, and of arrays of them: rounds of one body where the elements are equal.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use castnet_graph::builder::{Builder, Reported};
use castnet_graph::call::{Arg, Given};
use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::graph::Value;
use castnet_graph::layers::Layer;
use castnet_graph::loops::Rounds;
use castnet_graph::types::Type;

use super::bind::bind;
use super::callable::Callable;
use super::expr::Lowering;
use super::parts::{Inner, Owner, Part, Use};
use super::scope::Frame;
use crate::ast::Name;

impl<'a> Lowering<'a, '_, '_> {
    /// `residual(x)`: the body of the block, inlined; its parts are declared by the first call.
    pub fn call_block(&mut self, used: &Use<'a>, callee: &Name, given: &[Given]) -> Arg {
        let pass = self.pass;
        let block = &pass.file.blocks[used.block];
        let callable = Callable::block(block);
        let signature = &pass.blocks[used.block];
        if pass.broken_blocks.borrow().contains(&used.block) {
            return Arg::Unknown;
        }
        if self.active.contains(&used.block) {
            let message = format!("block `{}` contains itself", block.name.text);
            let d = Diagnostic::new("N0508", used.at, message).note(block.name.at, "it is defined here");
            return self.mistake(d.help("the parts of a block are other blocks, so that there is an end"));
        }
        let known = used.inner.borrow().as_ref().map(|inner| inner.owner.clone());
        let first = known.is_none();
        let owner = known.unwrap_or_else(|| {
            Rc::new(Owner {
                members: &block.members,
                functions: &[],
                scope: block.scope,
                path: format!("{}.", used.path),
                parts: RefCell::default(),
            })
        });
        let mut frame = Frame::inside(owner.clone(), used.arguments.clone(), block.lost);
        if !bind(self, callable, signature, &mut frame, callee, given) || self.is_too_large(callee.at) {
            return Arg::Unknown;
        }
        self.active.push(used.block);
        let (parameters, states) = (self.b.parameters.list.len(), self.b.parameters.states.len());
        let value = self.inlined(callee, &callable, |l| {
            if !l.rules_and_constants(&mut frame, &block.members) {
                return Arg::Unknown;
            }
            l.note_sizes(&frame, &block.parameters, &block.members);
            if first {
                l.declare(&mut frame, used.options);
                let inner = Inner {
                    owner,
                    sizes: frame.sizes.clone(),
                    parameters: Cell::new(None),
                    states: Cell::new(None),
                    seen: RefCell::default(),
                };
                *used.inner.borrow_mut() = Some(inner);
            } else if !l.same_sizes(used, &frame, callee.at) {
                return Arg::Unknown;
            }
            l.body(callable, signature, &mut frame)
        });
        self.active.pop();
        if first && let Some(inner) = used.inner.borrow().as_ref() {
            inner.parameters.set(Some((parameters, self.b.parameters.list.len() - parameters)));
            inner.states.set(Some((states, self.b.parameters.states.len() - states)));
        }
        value
    }

    /// Whether a later call has the sizes on which the declarations of the block's parts depend.
    fn same_sizes(&mut self, used: &Use<'a>, frame: &Frame<'a>, at: Loc) -> bool {
        let inner = used.inner.borrow();
        let Some(inner) = inner.as_ref() else { return true };
        let block = &self.pass.file.blocks[used.block];
        let mut differs: Option<(String, String, String)> = None;
        for part in &block.members.parts {
            part.walk(&mut |expression| {
                if let crate::ast::ExprKind::Name(name) = &expression.kind
                    && let (Some(Arg::Size(before)), Some(Arg::Size(now))) =
                        (inner.sizes.get(name), frame.sizes.get(name))
                    && before != now
                {
                    differs = Some((name.clone(), before.to_string(), now.to_string()));
                }
            });
        }
        let Some((name, before, now)) = differs else { return true };
        let message = format!(
            "`{}` is used with two sizes: its `{name}` is {before} by its first use and {now} here, and its parts depend on it",
            used.path
        );
        let d = Diagnostic::new("N0104", at, message).note(used.at, "it is declared here");
        self.mistake(d.help("declare a second block for the other size"));
        false
    }

    /// `stage1(x)`: the elements in turn. The first arguments go round, the others are the same for each element.
    pub fn call_array(&mut self, elements: &[Rc<Part<'a>>], callee: &Name, given: &[Given]) -> Arg {
        let mut given = given.to_vec();
        let mut value = given.first().map_or(Arg::Unknown, |g| g.value.clone());
        let mut at = 0;
        while at < elements.len() {
            let run = elements[at..].iter().take_while(|e| e.equals(&elements[at])).count();
            if run > 1
                && let Some(result) = self.rounds(&elements[at..at + run], callee, &given)
            {
                value = result;
                at += run;
            } else {
                value = self.call_part(&elements[at], callee, &given);
                at += 1;
            }
            if value == Arg::Unknown {
                return value; // Reported; the next element would only say it again.
            }
            // A tuple goes round as the first arguments.
            let round = if let Arg::List(values) = &value { values.clone() } else { vec![value.clone()] };
            if round.len() <= given.len() {
                given.iter_mut().zip(round).for_each(|(given, value)| given.value = value);
            }
        }
        value
    }

    /// Equal elements as rounds of one body; `None` if what goes round changes its type, or nothing does.
    fn rounds(&mut self, elements: &[Rc<Part<'a>>], callee: &Name, given: &[Given]) -> Option<Arg> {
        let tensor = |g: &Given| if let Arg::Tensor(value) = g.value { Some(value) } else { None };
        let tensors: Vec<Value> = given.iter().filter_map(tensor).collect();
        let types: Vec<Type> = tensors.iter().map(|v| self.b.ty(*v).clone()).collect();
        let results = self.results_of(&elements[0], callee, given, &types)?;
        let carried = results.len();
        let same = carried > 0 && carried <= tensors.len() && results == types[..carried];
        // What goes round must come first, as tensors.
        if !same || given[..carried].iter().any(|g| g.name.is_some() || tensor(g).is_none()) {
            return None;
        }
        let (first, set) = span_of(&elements[0], false)?;
        let (first_state, state_set) = span_of(&elements[0], true)?;
        for (round, element) in elements.iter().enumerate().skip(1) {
            self.follow(&elements[0], element);
            let at = |first: usize, set: usize| (first + round * set, set);
            if span_of(element, false)? != at(first, set) || span_of(element, true)? != at(first_state, state_set) {
                return None; // Called on its own before: its parameters lie elsewhere.
            }
        }
        let (states, shared) = tensors.split_at(carried);
        let rounds = Rounds {
            count: elements.len() as i64,
            parameters: first..first + set,
            states: first_state..first_state + state_set,
        };
        if !self.b.can_repeat(&rounds) {
            return None;
        }
        let (pass, active) = (self.pass, self.active.clone());
        self.b.origin.loc = callee.at;
        self.b.origin.name = callee.text.as_str().into();
        let outcome = self.b.repeat(states, shared, rounds, |b, states, shared| {
            let inner = with_tensors(given, states.iter().chain(shared).map(|v| Arg::Tensor(*v)));
            let mut lowering = Lowering { pass, b, active };
            match lowering.call_part(&elements[0], callee, &inner) {
                Arg::Tensor(value) => Ok(vec![value]),
                Arg::List(values) => {
                    values.iter().map(|v| if let Arg::Tensor(value) = v { Ok(*value) } else { Err(Reported) }).collect()
                }
                _ => Err(Reported),
            }
        });
        let Ok(values) = outcome else { return Some(Arg::Unknown) };
        let mut values: Vec<Arg> = values.into_iter().map(Arg::Tensor).collect();
        Some(if carried == 1 { values.remove(0) } else { Arg::List(values) })
    }

    /// The types that a call of this element gives, found out in a graph that is thrown away; `None` if it has a mistake (which the real
    /// call will report).
    fn results_of(&mut self, element: &Part<'a>, callee: &Name, given: &[Given], types: &[Type]) -> Option<Vec<Type>> {
        if let Some(results) = seen(element, types) {
            return Some(results);
        }
        let mut trial = Builder::new("trial", self.b.parameters, self.b.training);
        let mut lowering = Lowering { pass: self.pass, b: &mut trial, active: self.active.clone() };
        let tensors: Vec<Arg> = types.iter().map(|ty| Arg::Tensor(lowering.b.argument("x", ty.clone()))).collect();
        let inner = with_tensors(given, tensors.into_iter());
        let value = lowering.call_part(element, callee, &inner);
        if !trial.diagnostics.is_empty() {
            return None;
        }
        let values = if let Arg::List(values) = value { values } else { vec![value] };
        let ty = |v: &Arg| if let Arg::Tensor(value) = v { Some(trial.ty(*value).clone()) } else { None };
        let results: Vec<Type> = values.iter().map(ty).collect::<Option<_>>()?;
        if let Part::Block(used) = element
            && let Some(inner) = used.inner.borrow().as_ref()
        {
            inner.seen.borrow_mut().push((types.to_vec(), results.clone()));
        }
        Some(results)
    }

    /// Declares the parts of a block as those of an equal one that was called: the same, with parameters of their own.
    fn follow(&mut self, first: &Part<'a>, element: &Part<'a>) {
        match (first, element) {
            (Part::Block(from), Part::Block(to)) if to.inner.borrow().is_none() => {
                let inner = from.inner.borrow();
                let Some(inner) = inner.as_ref() else { return };
                let (Some((start, count)), Some((state, states))) = (inner.parameters.get(), inner.states.get()) else {
                    return;
                };
                let moved = Moved {
                    from: format!("{}.", from.path),
                    to: format!("{}.", to.path),
                    parameters: self.b.parameters.list.len() - start,
                    states: self.b.parameters.states.len() - state,
                };
                for number in start..start + count {
                    let mut declared = self.b.parameters.list[number].clone();
                    declared.name = moved.name(&declared.name).into();
                    self.b.parameters.list.push(declared);
                }
                for number in state..state + states {
                    let mut declared = self.b.parameters.states[number].clone();
                    declared.name = moved.name(&declared.name).into();
                    self.b.parameters.states.push(declared);
                }
                *to.inner.borrow_mut() = Some(moved.inner(inner));
            }
            (Part::Layer(from, _), Part::Layer(to, _)) => {
                for (&from, &to) in from.tensors.iter().zip(&to.tensors) {
                    if self.b.parameters.list[to].shape.is_none() {
                        self.b.parameters.list[to].shape = self.b.parameters.list[from].shape.clone();
                    }
                }
            }
            _ => {}
        }
    }
}

/// The arguments with these tensors in place of their own.
fn with_tensors(given: &[Given], mut tensors: impl Iterator<Item = Arg>) -> Vec<Given> {
    let value = |value: &Arg| match value {
        Arg::Tensor(_) => tensors.next().unwrap_or(Arg::Unknown),
        other => other.clone(),
    };
    let values: Vec<Arg> = given.iter().map(|g| &g.value).map(value).collect();
    given.iter().zip(values).map(|(g, value)| Given { value, ..g.clone() }).collect()
}

/// What a call of this element gave before, for arguments of these types.
fn seen(element: &Part, types: &[Type]) -> Option<Vec<Type>> {
    let Part::Block(used) = element else { return None };
    let inner = used.inner.borrow();
    let seen = inner.as_ref()?.seen.borrow();
    seen.iter().find(|(known, _)| known == types).map(|(_, results)| results.clone())
}

/// First number and count of the parameters (or states) of an element that was called.
fn span_of(element: &Part, states: bool) -> Option<(usize, usize)> {
    match element {
        Part::Layer(layer, _) => match states {
            true => Some((layer.states.start, layer.states.len())),
            false => Some((layer.tensors.first().copied().unwrap_or(0), layer.tensors.len())),
        },
        Part::Block(used) => {
            let inner = used.inner.borrow();
            let inner = inner.as_ref()?;
            if states { inner.states.get() } else { inner.parameters.get() }
        }
        _ => None,
    }
}

/// From the parts of one block to those of an equal one.
struct Moved {
    from: String,
    to: String,
    parameters: usize,
    states: usize,
}

impl Moved {
    fn name(&self, name: &str) -> String {
        match name.strip_prefix(self.from.as_str()) {
            Some(rest) => format!("{}{rest}", self.to),
            None => name.into(),
        }
    }

    fn inner<'a>(&self, inner: &Inner<'a>) -> Inner<'a> {
        let shifted = |span: Option<(usize, usize)>, by: usize| span.map(|(first, count)| (first + by, count));
        let parts = inner.owner.parts.borrow().iter().map(|(name, part)| (*name, Rc::new(self.part(part)))).collect();
        let owner = Owner {
            members: inner.owner.members,
            functions: inner.owner.functions,
            scope: inner.owner.scope,
            path: self.name(&inner.owner.path),
            parts: RefCell::new(parts),
        };
        Inner {
            owner: Rc::new(owner),
            sizes: inner.sizes.clone(),
            parameters: Cell::new(shifted(inner.parameters.get(), self.parameters)),
            states: Cell::new(shifted(inner.states.get(), self.states)),
            seen: RefCell::new(inner.seen.borrow().clone()),
        }
    }

    fn part<'a>(&self, part: &Part<'a>) -> Part<'a> {
        match part {
            Part::Broken => Part::Broken,
            Part::Absent(at) => Part::Absent(*at),
            Part::Parameter(number) => Part::Parameter(number + self.parameters),
            Part::State(number) => Part::State(number + self.states),
            Part::Layer(layer, given) => {
                let layer = Layer {
                    name: self.name(&layer.name),
                    tensors: layer.tensors.iter().map(|t| t + self.parameters).collect(),
                    states: layer.states.start + self.states..layer.states.end + self.states,
                    ..layer.clone()
                };
                Part::Layer(layer, given.clone())
            }
            Part::Array(elements, at) => Part::Array(elements.iter().map(|e| Rc::new(self.part(e))).collect(), *at),
            Part::Block(used) => Part::Block(Use {
                block: used.block,
                path: self.name(&used.path),
                at: used.at,
                arguments: used.arguments.clone(),
                options: used.options,
                inner: RefCell::new(used.inner.borrow().as_ref().map(|inner| self.inner(inner))),
            }),
        }
    }
}
