//! Places in the user's source: numbers outside this crate, spans here; and what castnet is called there.

use std::collections::HashMap;

use castnet_graph::diagnostic::Loc;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;

/// The table from [`Loc`] to spans; 0 is "nowhere".
pub struct Places {
    entries: Vec<Place>,
    /// Those in items of other calls.
    foreign: std::ops::Range<u32>,
    /// Tokens of expressions that could not be read.
    unread: HashMap<Loc, TokenStream>,
    /// The path of the crate `castnet`.
    castnet: TokenStream,
}

struct Place {
    first: Span,
    last: Span,
}

impl Places {
    /// Only "nowhere", which is the call of the macro.
    pub fn new() -> Places {
        let nowhere = Place { first: Span::call_site(), last: Span::call_site() };
        Places { entries: vec![nowhere], foreign: 0..0, unread: HashMap::new(), castnet: quote!(::castnet) }
    }

    /// From here on the crate is called so: a path that means the same in every module.
    pub fn call_castnet(&mut self, path: TokenStream) {
        self.castnet = path;
    }

    /// What the crate is called where the macro's output stands.
    pub fn castnet(&self) -> &TokenStream {
        &self.castnet
    }

    /// The places that `read` finds are in items of other calls.
    pub fn foreign<T>(&mut self, read: impl FnOnce(&mut Places) -> T) -> T {
        let start = self.entries.len() as u32;
        let result = read(self);
        self.foreign = start..self.entries.len() as u32;
        result
    }

    /// Whether a place is in an item of another call, which may be in another crate.
    pub fn is_foreign(&self, loc: Loc) -> bool {
        self.foreign.contains(&loc.0)
    }

    /// A token.
    pub fn at(&mut self, span: Span) -> Loc {
        self.add(span, span)
    }

    /// From the first of these tokens to the last.
    pub fn tokens(&mut self, tokens: &[TokenTree]) -> Loc {
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => self.add(first.span(), last.span()),
            _ => Loc::default(),
        }
    }

    /// From the first of these tokens to the last.
    pub fn stream(&mut self, tokens: TokenStream) -> Loc {
        let tokens: Vec<_> = tokens.into_iter().collect();
        self.tokens(&tokens)
    }

    /// From the start of one place to the end of another.
    pub fn between(&mut self, first: Loc, last: Loc) -> Loc {
        let (first, last) = (self.span(first), self.get(last).last);
        self.add(first, last)
    }

    /// Keeps the tokens of an expression that could not be read.
    pub fn keep(&mut self, at: Loc, tokens: Vec<TokenTree>) {
        self.unread.insert(at, tokens.into_iter().collect());
    }

    /// The tokens of an expression that could not be read.
    pub fn unread(&self, at: Loc) -> Option<&TokenStream> {
        self.unread.get(&at)
    }

    fn add(&mut self, first: Span, last: Span) -> Loc {
        self.entries.push(Place { first, last });
        Loc(self.entries.len() as u32 - 1)
    }

    fn get(&self, loc: Loc) -> &Place {
        self.entries.get(loc.0 as usize).unwrap_or(&self.entries[0])
    }

    /// The first token of a place.
    pub fn span(&self, loc: Loc) -> Span {
        self.get(loc).first
    }

    /// First and last token of a place.
    pub fn ends(&self, loc: Loc) -> (Span, Span) {
        let place = self.get(loc);
        (place.first, place.last)
    }

    /// `src/main.rs:14`; `None` for "nowhere".
    pub fn line(&self, loc: Loc) -> Option<String> {
        if loc == Loc::default() {
            return None;
        }
        let span = self.span(loc);
        Some(format!("{}:{}", span.file(), span.start().line))
    }

    /// `conv1 (src/main.rs:14)`, for tables.
    pub fn describe(&self, loc: Loc, name: &str) -> String {
        match self.line(loc) {
            None => name.to_string(),
            Some(line) => format!("{name} ({line})"),
        }
    }

    /// For sorting: line and column; places of other files come as they were found.
    pub fn order(&self, loc: Loc) -> (usize, usize) {
        let start = self.span(loc).start();
        (start.line, start.column)
    }
}
