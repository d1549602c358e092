//! Compiled nets as Rust: a struct with methods, the tables, the kernels.

use std::collections::HashMap;

use castnet_graph::call::Arg;
use castnet_graph::compile::{Compiled, Source, SourceFunction};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use crate::ast::{Member, Members, Name, Part};
use crate::lower::{NetItem, type_text};
use crate::places::Places;

mod constants;
mod explain;
mod export;
mod figures;
mod methods;
mod settle;
mod shadow;
mod tables;

pub use constants::constants;
pub use export::export;
pub use settle::{alias, settle};
pub use shadow::shadow;

/// What is known of a net before it is compiled, which an editor does not wait for.
#[derive(Default)]
pub struct Known {
    /// The elements of all parameters.
    elements: usize,
    /// For each entry point whether it draws random numbers; `None` if there are mistakes.
    draws: Option<Vec<bool>>,
}

impl Known {
    /// Of a net without mistakes.
    pub fn of(source: &Source) -> Known {
        let draws = source.functions.iter().map(SourceFunction::draws).collect();
        Known { elements: source.parameters.elements(), draws: Some(draws) }
    }
}

/// The Rust of a net. Without `compiled` (there are mistakes) it has the same methods on empty tables, so that the code that uses the net
/// gives no errors of its own.
pub fn emit(
    target: &NetItem,
    compiled: Option<&Compiled>,
    known: &Known,
    constants: &HashMap<String, Arg>,
    places: &Places,
) -> TokenStream {
    let (name, castnet) = (ident(target.name, places), places.castnet());
    let visibility = &target.head.visibility;
    let docs = docs(&target.head.docs, || format!(" The network `{name}`."));
    let parts = parts(&target.net.members);
    let tables = tables::tables(target, compiled, places);
    let constants = constants::associated(target, constants);
    let methods = methods::methods(target, compiled, known, constants, places);
    let watch = match compiled {
        Some(compiled) => explain::write(compiled, places),
        None => TokenStream::new(),
    };
    quote! {
        #docs
        #parts
        #visibility struct #name {
            model: #castnet::__private::Model,
        }

        const _: () = {
            #tables
            #methods
            impl ::core::convert::AsRef<#castnet::__private::Model> for #name {
                #[inline]
                fn as_ref(&self) -> &#castnet::__private::Model {
                    &self.model
                }
            }
            impl ::core::convert::AsMut<#castnet::__private::Model> for #name {
                #[inline]
                fn as_mut(&mut self) -> &mut #castnet::__private::Model {
                    &mut self.model
                }
            }
            impl ::core::clone::Clone for #name {
                #[inline]
                fn clone(&self) -> Self {
                    #name { model: ::core::clone::Clone::clone(&self.model) }
                }
            }
            impl ::core::fmt::Debug for #name {
                #[inline]
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Debug::fmt(&self.model, f)
                }
            }
            #watch
        };
    }
}

/// A long text as a literal. A raw one: nothing in it has to be escaped, which takes long character by character in a macro that is built
/// without optimisation, and it can be read where the expansion is looked at.
fn text(text: &str) -> TokenStream {
    // Quotation marks are everywhere, others nearly nowhere.
    let mut marks = String::from("#");
    while text.contains('#') && text.contains(&format!("\"{marks}")) {
        marks.push('#');
    }
    let raw = format!("r{marks}\"{text}\"{marks}");
    // Of the compiler itself where there is one: `proc_macro2` would read the text before it hands it on.
    let literal = match proc_macro::is_available() {
        true => raw.parse().ok().map(|l| proc_macro::TokenStream::from(proc_macro::TokenTree::Literal(l)).into()),
        false => raw.parse::<Literal>().ok().map(Literal::into_token_stream),
    };
    // A carriage return alone is what no raw literal can hold.
    literal.unwrap_or_else(|| text.to_token_stream())
}

/// A name of the user's as a token at its place.
fn ident(name: &Name, places: &Places) -> Ident {
    token(&name.text, places.span(name.at))
}

/// A word of the user's as a token.
fn token(text: &str, span: Span) -> Ident {
    match text.strip_prefix("r#") {
        Some(bare) => Ident::new_raw(bare, span),
        None => Ident::new(text, span),
    }
}

/// A doc comment; `default` if the user wrote none.
fn docs(lines: &[String], default: impl FnOnce() -> String) -> TokenStream {
    match lines {
        [] => {
            let line = default();
            quote!(#[doc = #line])
        }
        lines => quote!(#(#[doc = #lines])*),
    }
}

/// The parts of a net, as a list in its doc comment: `` - `conv1`: `Conv2d`. What the user wrote about it ``.
fn parts(members: &Members) -> TokenStream {
    if members.parts.is_empty() {
        return TokenStream::new();
    }
    let line = |part: &Part| {
        let about: Vec<&str> = part.docs.iter().map(|line| line.trim()).collect();
        let about = if about.is_empty() { String::new() } else { format!(". {}", about.join(" ")) };
        format!(" - `{}`: {}{about}", part.name.text, kind(&part.member))
    };
    let lines = members.parts.iter().map(line);
    quote! {
        ///
        /// # Parts
        ///
        #(#[doc = #lines])*
    }
}

/// What a part is, for readers.
fn kind(member: &Member) -> String {
    match member {
        Member::Broken => "unknown".into(),
        Member::Make(make) => format!("`{}`", make.kind.text),
        Member::If(_, then, None) => format!("{} or nothing", kind(then)),
        Member::If(_, then, Some(otherwise)) => format!("{} or {}", kind(then), kind(otherwise)),
        Member::Repeat(element, _) => format!("an array of {}", kind(element)),
        Member::List(elements) => {
            let mut kinds: Vec<String> = elements.iter().map(kind).collect();
            kinds.dedup();
            format!("an array of {}", kinds.join(", "))
        }
        Member::Param(ty, _) => format!("a parameter, `{}`", type_text(ty)),
        Member::State(ty, _) => format!("a state, `{}`", type_text(ty)),
    }
}
