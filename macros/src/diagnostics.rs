//! Diagnostics as `compile_error!`: one for each mistake, at its token, notes and help in the text.

use castnet_graph::diagnostic::Diagnostic;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::places::Places;

/// One `compile_error!` for each mistake, in the order of the source, none twice.
pub fn render(mut diagnostics: Vec<Diagnostic>, places: &Places, editor: bool) -> TokenStream {
    diagnostics.sort_by_key(|d| places.order(d.at));
    let mut seen: Vec<(&'static str, String, (usize, usize))> = vec![];
    let mut rendered = TokenStream::new();
    for diagnostic in &diagnostics {
        let key = (diagnostic.code, diagnostic.message.clone(), places.order(diagnostic.at));
        if !seen.contains(&key) {
            rendered.extend(match editor {
                true => editor_error(diagnostic, places),
                false => compile_error(diagnostic, places),
            });
            seen.push(key);
        }
    }
    rendered
}

fn compile_error(diagnostic: &Diagnostic, places: &Places) -> TokenStream {
    let (first, last) = places.ends(diagnostic.at);
    let (first, last) = (Ident::new("first", first), Ident::new("last", last));
    syn::Error::new_spanned(quote!(#first #last), text(diagnostic, places)).to_compile_error()
}

/// The same for an editor, which shows on hover what all the words mean that stand at the mistake: only the one does that tells it the place.
fn editor_error(diagnostic: &Diagnostic, places: &Places) -> TokenStream {
    let text = text(diagnostic, places);
    let name = Ident::new("compile_error", places.span(diagnostic.at));
    quote_spanned!(Span::mixed_site()=> ::core::#name! { #text })
}

/// The message with its notes and help, as rustc sets those of its own.
pub fn text(diagnostic: &Diagnostic, places: &Places) -> String {
    let mut text = format!("{}: {}", diagnostic.code, diagnostic.message);
    for note in &diagnostic.notes {
        text.push_str("\n  = note: ");
        text.push_str(&note.text);
        if let Some(line) = places.line(note.at) {
            text.push_str(&format!(" ({line})"));
        }
    }
    if let Some(help) = &diagnostic.help {
        text.push_str("\n  = help: ");
        text.push_str(help);
    }
    text
}
