//! Compiled nets as Rust: a struct with methods, the tables, the kernels.

use castnet_graph::compile::Compiled;
use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::ast::Name;
use crate::lower::Target;
use crate::places::Places;

mod explain;
mod export;
mod figures;
mod methods;
mod tables;

pub use export::export;

/// The Rust of a net. Without `compiled` (there are mistakes) it has the same methods on empty tables, so that the code that uses the net
/// gives no errors of its own.
pub fn emit(target: &Target, compiled: Option<&Compiled>, places: &Places) -> TokenStream {
    let name = ident(target.name, places);
    let visibility = &target.head.visibility;
    let docs = docs(&target.head.docs, || format!(" The network `{name}`."));
    let tables = tables::tables(target, compiled, places);
    let methods = methods::methods(target, compiled, places);
    let watch = match compiled {
        Some(compiled) => explain::write(compiled, places),
        None => TokenStream::new(),
    };
    quote! {
        #docs
        #visibility struct #name {
            model: ::castnet::__private::Model,
        }

        const _: () = {
            #tables
            #methods
            impl ::core::convert::AsRef<::castnet::__private::Model> for #name {
                fn as_ref(&self) -> &::castnet::__private::Model {
                    &self.model
                }
            }
            impl ::core::convert::AsMut<::castnet::__private::Model> for #name {
                fn as_mut(&mut self) -> &mut ::castnet::__private::Model {
                    &mut self.model
                }
            }
            impl ::core::fmt::Debug for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Debug::fmt(&self.model, f)
                }
            }
            #watch
        };
    }
}

/// A name of the user's as a token at its place.
fn ident(name: &Name, places: &Places) -> Ident {
    Ident::new(&name.text, places.span(name.at))
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
