//! The float type of a net: that in which it computes, and of which its parameters are.

use castnet_graph::types::DType;

use crate::ast::{Block, Element, Net, Parameter};

/// That which the net says, else that of its functions' arguments, else f32.
pub fn of_net(net: &Net) -> DType {
    let told = net.float;
    told.or_else(|| named(net.functions.iter().flat_map(|f| &f.parameters)).next()).unwrap_or_default()
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
