//! What names stand for, as far as an editor must know it.

use castnet_graph::layers::{self, LayerKind};

use super::Shadow;
use crate::ast::{Function, Make, Member, Part};

/// What a name stands for.
pub(super) enum Named<'a> {
    /// A name of a `let`, an argument, a round.
    Local,
    /// A layer, block, array, parameter or state.
    Part(&'a Part),
    /// A function of the net.
    Function(&'a Function),
    /// A constant, a build-time parameter or a size.
    Size,
    /// Nothing that is known.
    Unknown,
}

impl<'a> Shadow<'a> {
    /// What a name stands for here.
    pub(super) fn named(&self, name: &str) -> Named<'a> {
        if self.locals.iter().any(|local| local == name) {
            return Named::Local;
        }
        let owner = &self.owner;
        let own = owner.members.constants.iter().map(|c| c.name.text.as_str());
        let constant = own.chain(self.file.scopes[0].constant_names()).any(|constant| constant == name);
        if constant || owner.parameters.iter().any(|p| p.name.text == name) || self.sizes.contains(name) {
            return Named::Size;
        }
        if let Some(part) = owner.members.parts.iter().find(|p| p.name.text == name) {
            return Named::Part(part);
        }
        match owner.functions.iter().find(|f| f.name.text == name) {
            Some(function) => Named::Function(function),
            None => Named::Unknown,
        }
    }

    /// The kind of a layer; `None` for blocks, arrays and whatever else a part may be.
    pub(super) fn layer(&self, member: &Member) -> Option<&'static LayerKind> {
        match member {
            Member::Make(make) if !self.is_block(make) => layers::find(&make.kind.text),
            _ => None,
        }
    }

    /// Whether this is a block that the call of `network!` sees.
    pub(super) fn is_block(&self, make: &Make) -> bool {
        self.file.scopes[0].blocks.iter().any(|(name, _)| *name == make.kind.text)
    }
}
