//! What functions and blocks have in common: a head with arguments, and a body.

use castnet_graph::diagnostic::Loc;

use crate::ast::{Block, Body, Function, Name, Parameter, Promise};

/// A function or a block, as something that is called.
#[derive(Clone, Copy)]
pub(super) struct Callable<'a> {
    /// `function`, `block`.
    pub what: &'static str,
    /// Its name.
    pub name: &'a Name,
    /// Its arguments.
    pub parameters: &'a [Parameter],
    /// What it promises; `None` if that could not be read.
    pub promise: Option<&'a Promise>,
    /// What it computes.
    pub body: &'a Body,
    /// Its arguments come from outside: run-time sizes must be told by them.
    pub entry: bool,
    /// It gives an objective.
    pub train: bool,
    /// A part could not be read.
    pub lost: bool,
}

impl<'a> Callable<'a> {
    /// Of a function.
    pub fn function(f: &'a Function) -> Callable<'a> {
        Callable {
            what: "function",
            name: &f.name,
            parameters: &f.parameters,
            promise: f.result.as_ref(),
            body: &f.body,
            entry: f.is_entry(),
            train: f.train.is_some(),
            lost: f.lost,
        }
    }

    /// Of a block.
    pub fn block(block: &'a Block) -> Callable<'a> {
        Callable {
            what: "block",
            name: &block.name,
            parameters: &block.inputs,
            promise: block.result.as_ref(),
            body: &block.body,
            entry: false,
            train: false,
            lost: block.lost,
        }
    }

    /// Whether unknown names are no mistake, since something could not be read.
    pub fn is_lenient(&self) -> bool {
        self.lost || self.parameters.iter().any(|p| p.ty.is_none())
    }
}

/// Where a promise is written.
pub(super) fn promise_at(promise: &Promise) -> Loc {
    match promise {
        Promise::One(ty) => ty.at,
        Promise::Tuple(_, at) => *at,
    }
}
