//! Where generated tokens stand, for editors.
//!
//! rust-analyzer finds the name of a definition in the user's text only if all of the definition stands there. So what is generated around a
//! name stands at an empty place in front of the user's first word, where nobody points at it.

use std::collections::HashSet;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};

use crate::share::Call;

/// Words of Rust that the user and the macro both write.
const KEYWORDS: [&str; 12] =
    ["pub", "fn", "let", "mut", "const", "use", "struct", "type", "for", "if", "else", "where"];

/// All of these tokens but the user's words, put in front of the user's first word.
pub fn settle(tokens: TokenStream, call: &Call) -> TokenStream {
    let first = call.own.clone().into_iter().find(|token| matches!(token, TokenTree::Ident(_)));
    let Some(first) = first.filter(|_| proc_macro::is_available()) else { return tokens };
    let mut words = crate::share::idents(&call.own);
    words.retain(|word| !KEYWORDS.contains(&word.as_str()));
    // No panic: inside a macro, as here, every span has one of rustc's to unwrap.
    moved(tokens, first.span().unwrap().start().into(), &words)
}

fn moved(tokens: TokenStream, place: Span, words: &HashSet<String>) -> TokenStream {
    let token = |mut token: TokenTree| match token {
        TokenTree::Group(group) => {
            let mut new = Group::new(group.delimiter(), moved(group.stream(), place, words));
            new.set_span(place);
            new.into()
        }
        TokenTree::Ident(word) if is_users(&word, words) => word.into(),
        _ => {
            token.set_span(place);
            token
        }
    };
    tokens.into_iter().map(token).collect()
}

/// `loss`, and also `loss_step`.
fn is_users(word: &Ident, words: &HashSet<String>) -> bool {
    let text = word.to_string();
    let stem = ["_step", "_grad", "_grad_add"].iter().find_map(|suffix| text.strip_suffix(suffix));
    words.contains(&text) || stem.is_some_and(|stem| words.contains(stem))
}
