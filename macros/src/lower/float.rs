//! The float type of a net: that in which it computes, and of which its parameters are.

use castnet_graph::diagnostic::{Diagnostic, Loc};
use castnet_graph::types::DType;

use crate::ast::{Block, Element, Net, Parameter};

/// That which the net says, else that of its functions' arguments, else f32.
pub(super) fn of_net(net: &Net, diagnostics: &mut Vec<Diagnostic>) -> DType {
    if let Some((float, _)) = net.float {
        return float;
    }
    let mut floats = named(net.functions.iter().flat_map(|f| &f.parameters));
    let Some((first, first_at)) = floats.next() else { return DType::default() };
    if let Some((other, at)) = floats.find(|(dtype, _)| *dtype != first) {
        let name = &net.name.text;
        let message = format!("arguments of `{name}` are {first} and {other}: which one it computes in is not told");
        let d = Diagnostic::new("N0524", at, message).note(first_at, format!("this one is {first}")).help(format!(
            "write `float: {first};` or `float: {other};` in the net, and `.cast(float)` on the other argument"
        ));
        diagnostics.push(d);
    }
    first
}

/// Of a block that is looked at without a net around it: that of its arguments.
pub(super) fn of_block(block: &Block) -> DType {
    named(&block.inputs).next().map_or(DType::default(), |(dtype, _)| dtype)
}

/// The float types that are named.
fn named<'a>(parameters: impl IntoIterator<Item = &'a Parameter>) -> impl Iterator<Item = (DType, Loc)> {
    let types = parameters.into_iter().filter_map(|p| p.ty.as_ref());
    types.filter_map(|ty| match ty.element {
        Element::Named(dtype) if dtype.is_float() => Some((dtype, ty.at)),
        Element::Named(_) | Element::Float => None,
    })
}
