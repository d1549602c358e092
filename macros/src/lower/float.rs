//! The float type of a net: that in which it computes, and of which its parameters are.

use castnet_graph::diagnostic::Diagnostic;
use castnet_graph::types::DType;

use crate::ast::{Block, Element, Function, Net, Parameter};

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

/// The halves of which a function of the net computes in mixed precision, if it does.
pub(super) fn precision(net: &Net, function: &Function) -> Option<DType> {
    function.precision.or(net.precision).map(|told| told.dtype).filter(|dtype| dtype.is_half())
}

/// The mistakes of a net that computes in mixed precision but not in f32, and of functions that say so though others call them.
pub(super) fn imprecise(net: &Net) -> Vec<Diagnostic> {
    let own = of_net(net);
    let told = net.precision.into_iter().chain(net.functions.iter().filter_map(|f| f.precision));
    let of_other = told.filter(|told| told.dtype.is_half() && own != DType::F32).map(|told| {
        let message = format!("mixed precision is for nets of f32, and `{}` computes in {own}", net.name.text);
        Diagnostic::new("N0524", told.at, message).help("leave it out, or write `float: f32;` in the net")
    });
    let inner = net.functions.iter().filter(|f| !f.is_entry());
    let of_inner = inner.filter_map(|f| {
        let message = format!("`{}` computes as whoever calls it", f.name.text);
        let d = Diagnostic::new("N0524", f.precision?.at, message);
        Some(d.help("write `#[precision(…)]` before a `pub fn` or a `train fn`"))
    });
    of_other.chain(of_inner).collect()
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
