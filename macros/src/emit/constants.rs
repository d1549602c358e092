//! Constants as constants of Rust: those beside nets, and of each net its own and its build-time parameters.

use std::collections::HashMap;

use castnet_graph::call::Arg;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use super::{docs, ident};
use crate::ast::{Constant, ConstantKind};
use crate::lower::{NetItem, is_taken};
use crate::places::Places;

/// The constants that stand beside nets.
pub fn constants(constants: &[Constant], values: &HashMap<String, Arg>, places: &Places) -> TokenStream {
    let mut seen: Vec<&str> = vec![];
    let mut items = TokenStream::new();
    for constant in constants {
        let name = constant.name.text.as_str();
        // Two of one name were reported.
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let docs = docs(&constant.head.docs, || format!(" The constant `{name}`, which networks use."));
        let (name, visibility) = (ident(&constant.name, places), &constant.head.visibility);
        if let Some((ty, value)) = value(values.get(&constant.name.text), constant.kind) {
            items.extend(quote! {
                #docs
                #[allow(dead_code, non_upper_case_globals)]
                #visibility const #name: #ty = #value;
            });
        }
    }
    items
}

/// The constants and build-time parameters of a net: `Gpt2::LAYERS`.
pub(super) fn associated(target: &NetItem, values: &HashMap<String, Arg>) -> TokenStream {
    let parameters = target.net.parameters.iter().map(|p| {
        let name = p.name.text.as_str();
        (name, vec![format!(" The build-time parameter `{name}`.")], ConstantKind::Size)
    });
    let constants = target.net.members.constants.iter().map(|c| {
        let name = c.name.text.as_str();
        let docs = if c.head.docs.is_empty() { vec![format!(" The constant `{name}`.")] } else { c.head.docs.clone() };
        (name, docs, c.kind)
    });
    let mut seen: Vec<&str> = vec![];
    let mut items = TokenStream::new();
    for (name, docs, kind) in parameters.chain(constants) {
        if seen.contains(&name) || is_taken(target.net, name) {
            continue; // Reported.
        }
        seen.push(name);
        let ident = super::token(name, Span::call_site());
        if let Some((ty, value)) = value(values.get(name), kind) {
            items.extend(quote! {
                #(#[doc = #docs])*
                #[allow(dead_code, non_upper_case_globals)]
                pub const #ident: #ty = #value;
            });
        }
    }
    items
}

/// Type and value in Rust; `None` for texts and element types. Where the value has a mistake, another one of its kind stands for it.
fn value(value: Option<&Arg>, kind: ConstantKind) -> Option<(TokenStream, TokenStream)> {
    match value {
        Some(Arg::Size(size)) => {
            let value = size.as_const()?;
            let literal = Literal::i64_unsuffixed(value.saturating_abs());
            Some(if value < 0 { (quote!(i64), quote!(-#literal)) } else { (quote!(usize), quote!(#literal)) })
        }
        Some(Arg::Float(value)) => Some((quote!(f32), float(*value as f32))),
        Some(Arg::Bool(value)) => Some((quote!(bool), quote!(#value))),
        Some(Arg::Unknown) | None => Some(match kind {
            ConstantKind::Size => (quote!(usize), quote!(1)),
            ConstantKind::Float => (quote!(f32), quote!(0.0)),
            ConstantKind::Bool => (quote!(bool), quote!(false)),
        }),
        Some(_) => None,
    }
}

fn float(value: f32) -> TokenStream {
    let name = |name: &str| {
        let name = Ident::new(name, Span::call_site());
        quote!(f32::#name)
    };
    let sign = value.is_sign_negative().then(|| quote!(-));
    match value.abs() {
        value if value.is_nan() => name("NAN"),
        value if value.is_infinite() => {
            let infinity = name("INFINITY");
            quote!(#sign #infinity)
        }
        value => {
            let literal = Literal::f32_unsuffixed(value).into_token_stream();
            quote!(#sign #literal)
        }
    }
}
