//! What names stand for at a place in a function or block.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use castnet_graph::call::Arg;

use super::parts::{Owner, Part};

/// What a local name stands for.
#[derive(Clone)]
pub(super) enum Local<'a> {
    /// A value.
    Value(Arg),
    /// A layer or block, in a `for` over an array of them.
    Part(Rc<Part<'a>>),
}

/// What names stand for inside one function or block.
pub(super) struct Frame<'a> {
    /// Whose layers, blocks and functions are seen.
    pub owner: Rc<Owner<'a>>,
    /// Sizes, constants and build-time parameters; [`Arg::Unknown`] if the value is unknown because of a mistake.
    pub sizes: HashMap<String, Arg>,
    /// Unknown names that were reported.
    pub reported: HashSet<String>,
    /// A part of the source could not be read: unknown names are no mistake.
    pub lenient: bool,
    /// Outside functions only constants are known.
    pub outside: bool,
    locals: Vec<Entry<'a>>,
}

struct Entry<'a> {
    name: String,
    local: Local<'a>,
    mutable: bool,
}

impl<'a> Frame<'a> {
    /// Where no function is: in constants and declarations of layers.
    pub fn outside(owner: Rc<Owner<'a>>, sizes: HashMap<String, Arg>, lenient: bool) -> Frame<'a> {
        Frame { outside: true, ..Frame::inside(owner, sizes, lenient) }
    }

    /// At the start of a function.
    pub fn inside(owner: Rc<Owner<'a>>, sizes: HashMap<String, Arg>, lenient: bool) -> Frame<'a> {
        Frame { owner, sizes, reported: HashSet::new(), lenient, outside: false, locals: vec![] }
    }

    /// A frame that sees the same, with locals of its own.
    pub fn inner(&self) -> Frame<'a> {
        Frame::inside(self.owner.clone(), self.sizes.clone(), self.lenient)
    }

    /// Binds a name; what it stood for is seen again when the scope ends.
    pub fn bind(&mut self, name: &str, local: Local<'a>, mutable: bool) {
        self.locals.push(Entry { name: name.into(), local, mutable });
    }

    /// What a local name stands for.
    pub fn local(&self, name: &str) -> Option<&Local<'a>> {
        self.locals.iter().rev().find(|e| e.name == name).map(|e| &e.local)
    }

    /// Gives a local name a new value; `None` if there is none, `Some(false)` if it was bound without `mut`.
    pub fn assign(&mut self, name: &str, value: Arg) -> Option<bool> {
        let entry = self.locals.iter_mut().rev().find(|e| e.name == name)?;
        if entry.mutable {
            entry.local = Local::Value(value);
        }
        Some(entry.mutable)
    }

    /// Starts a scope: hand the result to [`Frame::leave`].
    pub fn enter(&self) -> usize {
        self.locals.len()
    }

    /// Ends a scope.
    pub fn leave(&mut self, mark: usize) {
        self.locals.truncate(mark);
    }

    /// The names of the locals, in the order in which they were bound.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.locals.iter().map(|e| e.name.as_str())
    }

    /// Every local as it is seen now, with whether it is `mut`.
    pub fn seen(&self) -> Vec<(String, Local<'a>, bool)> {
        let mut seen: Vec<(String, Local<'a>, bool)> = vec![];
        for entry in self.locals.iter().rev() {
            if !seen.iter().any(|(name, ..)| *name == entry.name) {
                seen.push((entry.name.clone(), entry.local.clone(), entry.mutable));
            }
        }
        seen.reverse();
        seen
    }
}
