//! Where generated tokens stand, for editors.
//!
//! rust-analyzer finds the name of a definition in the user's text only if all of the definition stands there. So what is generated around a
//! name stands at an empty place in front of the user's first word, where nobody points at it.

use std::collections::HashSet;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};

use crate::ast::{File, bare};
use crate::share::Call;

/// A name of one word for castnet, and the item that says so: `$crate` has a place of its own, which no definition may hold.
pub fn alias(file: &File, castnet: &TokenStream) -> (TokenStream, TokenStream) {
    // A module has each name once.
    let names = file.nets.iter().filter(|net| !net.foreign).map(|net| &net.name);
    let names = names.chain(file.blocks.iter().filter(|block| !block.foreign).map(|block| &block.name));
    let first = names.chain(file.instances.iter().map(|instance| &instance.name)).next();
    let name = format_ident!("__castnet_{}", first.map_or("", |name| bare(&name.text)));
    let import = quote! {
        #[allow(unused_imports)]
        use #castnet as #name;
    };
    (import, quote!(#name))
}

/// All of these tokens but the user's words, put in front of the user's first word.
pub fn settle(tokens: TokenStream, call: &Call) -> TokenStream {
    let first = call.own.clone().into_iter().find(|token| matches!(token, TokenTree::Ident(_)));
    let Some(first) = first.filter(|_| proc_macro::is_available()) else { return tokens };
    let settled = Settled {
        // No panic: inside a macro, as here, every span has one of rustc's to unwrap.
        place: first.span().unwrap().start().into(),
        words: crate::share::idents(&call.own),
        own: [Span::call_site(), Span::mixed_site()].map(|span| format!("{span:?}")),
    };
    settled.moved(tokens)
}

struct Settled {
    place: Span,
    /// Those of the user.
    words: HashSet<String>,
    /// Where what the macro writes stands at first. Spans have no other way to be compared.
    own: [String; 2],
}

impl Settled {
    fn moved(&self, tokens: TokenStream) -> TokenStream {
        let token = |mut token: TokenTree| match token {
            TokenTree::Group(group) => {
                let mut new = Group::new(group.delimiter(), self.moved(group.stream()));
                new.set_span(self.place);
                new.into()
            }
            TokenTree::Ident(word) if self.is_users(&word) => word.into(),
            TokenTree::Ident(mut word) if word == "$crate" => {
                // Which crate it means hangs on its span.
                word.set_span(word.span().located_at(self.place));
                word.into()
            }
            _ => {
                token.set_span(self.place);
                token
            }
        };
        tokens.into_iter().map(token).collect()
    }

    /// `loss`, and also `loss_step` or `draw_seeded`.
    fn is_users(&self, word: &Ident) -> bool {
        let text = word.to_string();
        let stem = ["_step", "_grad", "_grad_add", "_seeded"].iter().find_map(|suffix| text.strip_suffix(suffix));
        let written = self.words.contains(&text) || stem.is_some_and(|stem| self.words.contains(stem));
        // A word that both write is the macro's where the macro stands.
        written && !self.own.contains(&format!("{:?}", word.span()))
    }
}
