//! Blocks, templates and constants for other calls of `network!`, as `macro_rules!` that hand out their tokens.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::ident;
use crate::ast::bare;
use crate::places::Places;
use crate::share::{Export, PROTOCOL};

/// The macro of a block, template or constant.
pub fn export(export: &Export, places: &Places) -> TokenStream {
    let (name, visibility) = (ident(export.name, places), &export.head.visibility);
    let hidden = hidden(export, places);
    let (id, text, scopes) = (&export.scope, &export.name.text, &export.scopes);
    let protocol = Literal::u32_unsuffixed(PROTOCOL);
    let docs = super::docs(&export.head.docs, || format!(" `{text}`, for `network!`."));
    let message = format!("`{text}` is a part of networks: write `use …::{text};` inside `network! {{ … }}`");
    // Only a macro that is exported can be seen from other crates; it then lies in the crate's root, under a name that nobody else has.
    let exported = (visibility.to_string() == "pub").then(|| quote!(#[macro_export]));
    // rustc shows where it is defined: at its name.
    let place = Span::call_site().located_at(places.span(export.name.at));
    let import = quote_spanned! {place=>
        #[allow(unused_imports)]
        #visibility use #hidden as #name;
    };
    quote! {
        #docs
        #[doc(hidden)]
        #[allow(unused_macros, non_local_definitions)]
        #exported
        macro_rules! #hidden {
            (@castnet [$($network:tt)*] $state:tt) => {
                $($network)* ! { @castnet #protocol (#id #text [#(#scopes)*]) $state }
            };
            ($($other:tt)*) => {
                ::core::compile_error!(#message);
            };
        }
        #docs
        #import
    }
}

/// A name of its own for each block of each call.
fn hidden(export: &Export, places: &Places) -> Ident {
    let span = places.span(export.name.at);
    let place = format!("{}:{}:{}", span.file(), span.start().line, span.start().column);
    // Where a macro of the user's writes the same block twice, only the calls differ; nothing but their spans' text tells them apart.
    let number = crate::share::fingerprint(&format!("{} {place} {:?}", export.scope, Span::call_site()));
    format_ident!("__castnet_{}_{number:016x}", bare(&export.name.text), span = span)
}
