//! The float type of a net: that in which it computes, and of which its parameters are.

use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::types::DType;

use crate::ast::{Block, Element, Net, Parameter};

/// That which the net says, else that of its functions' arguments, else f32.
pub fn of_net(net: &Net) -> DType {
    let told = net.float;
    told.or_else(|| named(net.functions.iter().flat_map(|f| &f.parameters)).next()).unwrap_or_default()
}

/// The mistake of a net whose arguments are of two float types, and which does not say which of them is its own.
pub(super) fn undecided(net: &Net) -> Option<Diagnostic> {
    if net.float.is_some() {
        return None;
    }
    let own = of_net(net);
    let mut parameters = net.functions.iter().flat_map(|f| &f.parameters);
    let (at, other) = parameters.find_map(|p| {
        let other = named([p]).find(|dtype| *dtype != own)?;
        Some((p.ty.as_ref()?.at, other))
    })?;
    let message =
        format!("arguments of `{}` are of {own} and of {other}: of which type are its parameters?", net.name.text);
    Some(Diagnostic::new("N0513", at, message).help(format!("write `float: {own};` in the net, or `float: {other};`")))
}

/// Of a block that is looked at without a net around it: that of its arguments.
pub(super) fn of_block(block: &Block) -> DType {
    named(&block.inputs).next().unwrap_or_default()
}

/// The float types that are named.
fn named<'a>(parameters: impl IntoIterator<Item = &'a Parameter>) -> impl Iterator<Item = DType> {
    let types = parameters.into_iter().filter_map(|p| p.ty.as_ref());
    types.filter_map(|ty| match ty.element {
        Element::Named(dtype) if dtype.is_float() => Some(dtype),
        Element::Named(_) | Element::Float => None,
    })
}
