//! What goes from one macro to the next, as tokens.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;

use super::import::Use;
use super::{Call, Import, Item, Shared};
use crate::parse::Cursor;

/// What the macro of a block answers.
pub(super) struct Answer {
    /// Where the block was written: [`Shared::id`].
    pub scope: String,
    /// What it is called there.
    pub name: String,
    /// It, and everything that it uses.
    pub scopes: Vec<Shared>,
}

/// What this build of castnet hands from macro to macro; another build may do so in another form.
pub const PROTOCOL: u32 = 1;

/// Splits off what `network!` and `check!` put in front: `@castnet [path]`, what castnet is called where they are called. Without it
/// that is `::castnet`.
pub fn castnet(tokens: TokenStream) -> (TokenStream, TokenStream) {
    let mut cursor = Cursor::new(tokens.clone(), Span::call_site());
    let path = match cursor.eat_sign('@') && cursor.eat_word("castnet") {
        true => cursor.eat_group(Delimiter::Bracket),
        false => None,
    };
    match path {
        Some(path) => (path.stream(), tokens.into_iter().skip(3).collect()),
        None => (quote!(::castnet), tokens),
    }
}

/// All that is known before the next block is asked for.
pub(super) fn state(call: &Call, uses: &[Use]) -> TokenStream {
    let Call { castnet, own, imports, paths, scopes, lost } = call;
    let uses = uses.iter().map(|Use { alias, path }| quote!(#alias { #path }));
    let (imports, scopes) = (imports.iter().map(import), scopes.iter().map(shared));
    quote!([{ #castnet } { #own } #lost [#(#uses)*] [#(#imports)*] [#({ #paths })*] [#(#scopes)*]])
}

fn import(Import { alias, scope, name }: &Import) -> TokenStream {
    quote!(#alias #scope #name)
}

/// A scope with its items.
pub(super) fn shared(Shared { id, imports, items }: &Shared) -> TokenStream {
    let imports = imports.iter().map(import);
    let items = items.iter().map(|Item { name, tokens }| quote!(#name { #tokens }));
    quote!((#id [#(#imports)*] [#(#items)*]))
}

/// `@castnet 1 (id name [scopes]) [state]`; `None` if it is something else. No answer, if it is of another [`PROTOCOL`].
pub(super) fn answer(tokens: TokenStream) -> Option<(Call, Vec<Use>, Option<Answer>)> {
    let mut cursor = Cursor::new(tokens, Span::call_site());
    if !(cursor.eat_sign('@') && cursor.eat_word("castnet")) {
        return None;
    }
    let protocol = match cursor.next()? {
        TokenTree::Literal(version) => version.to_string(),
        _ => return None,
    };
    let mut inside = open(&mut cursor, Delimiter::Parenthesis)?;
    let answer = match protocol == PROTOCOL.to_string() {
        true => {
            let (scope, name) = (text(&mut inside)?, text(&mut inside)?);
            Some(Answer { scope, name, scopes: list(&mut inside, read_shared)? })
        }
        false => None,
    };

    let mut state = open(&mut cursor, Delimiter::Bracket)?;
    let (castnet, own) = (state.eat_braces()?.stream(), state.eat_braces()?.stream());
    let lost = state.eat_ident()? == "true";
    let uses = list(&mut state, |c| Some(Use { alias: c.eat_ident()?, path: c.eat_braces()?.stream() }))?;
    let imports = list(&mut state, read_import)?;
    let paths = list(&mut state, |c| Some(c.eat_braces()?.stream()))?;
    let scopes = list(&mut state, read_shared)?;
    (!uses.is_empty()).then_some((Call { castnet, own, imports, paths, scopes, lost }, uses, answer))
}

fn read_import(cursor: &mut Cursor) -> Option<Import> {
    Some(Import { alias: cursor.eat_ident()?, scope: text(cursor)?, name: text(cursor)? })
}

fn read_shared(cursor: &mut Cursor) -> Option<Shared> {
    let mut inside = open(cursor, Delimiter::Parenthesis)?;
    let id = text(&mut inside)?;
    let imports = list(&mut inside, read_import)?;
    let items = list(&mut inside, |c| Some(Item { name: text(c)?, tokens: c.eat_braces()?.stream() }))?;
    Some(Shared { id, imports, items })
}

fn open(cursor: &mut Cursor, delimiter: Delimiter) -> Option<Cursor> {
    cursor.eat_group(delimiter).map(|group: Group| Cursor::inside(&group))
}

fn list<T>(cursor: &mut Cursor, mut read: impl FnMut(&mut Cursor) -> Option<T>) -> Option<Vec<T>> {
    let mut inside = open(cursor, Delimiter::Bracket)?;
    let mut found = vec![];
    while !inside.done() {
        found.push(read(&mut inside)?);
    }
    Some(found)
}

fn text(cursor: &mut Cursor) -> Option<String> {
    match syn::Lit::new(match cursor.next()? {
        TokenTree::Literal(literal) => literal,
        _ => return None,
    }) {
        syn::Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

/// Every name in these tokens.
pub fn idents(tokens: &TokenStream) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut level = vec![tokens.clone()];
    while let Some(tokens) = level.pop() {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => drop(found.insert(Ident::to_string(&ident))),
                TokenTree::Group(group) => level.push(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
    found
}
