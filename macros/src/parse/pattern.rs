//! What `let`, `for` and closures bind: `x`, `_`, `(a, b)`, `[q, k, v]`.

use proc_macro2::{Delimiter, TokenTree};
use syn::spanned::Spanned;

use super::{Cursor, Parser};
use crate::ast::Pattern;

impl Parser<'_> {
    /// The pattern after `let`; `None` if it could not be read.
    pub(super) fn let_pattern(&mut self, cursor: &mut Cursor) -> Option<Pattern> {
        let help = "write `let x = …;`";
        if cursor.is_word(0, "mut") && matches!(cursor.peek_nth(1), Some(TokenTree::Group(_))) {
            self.syntax(cursor.span(), "`mut` stands before a name", "write `let (mut a, mut b) = …;`");
            cursor.next();
        }
        if !cursor.is_ident(0) && !matches!(cursor.peek(), Some(TokenTree::Group(_))) && !cursor.is_sign(0, '&') {
            self.expected(cursor, "a name after `let`", help);
            return None;
        }
        let start = cursor.clone();
        let pattern = self.pattern(cursor, &mut false)?;
        if cursor.is_sign(0, '=') || cursor.is_colon(0) || cursor.is_sign(0, ';') || cursor.done() {
            return Some(pattern);
        }
        match (start.peek(), &pattern) {
            (Some(token), Pattern::Name(..))
                if cursor.is_parentheses(0) || cursor.is_path(0) || cursor.is_braces(0) =>
            {
                self.syntax(token.span(), "only names, `(a, b)` and `[a, b]` are patterns", help);
            }
            (Some(TokenTree::Ident(ident)), _) => self.expected(cursor, &format!("`=` after `let {ident}`"), help),
            _ => self.expected(cursor, "`=` after the pattern", help),
        }
        None
    }

    /// A pattern at the start of `cursor`; `None`, and reported, if there is none. `mutable` becomes true if a name in it is.
    pub(super) fn pattern(&mut self, cursor: &mut Cursor, mutable: &mut bool) -> Option<Pattern> {
        let is_mutable = cursor.eat_word("mut");
        *mutable |= is_mutable;
        match cursor.peek() {
            Some(TokenTree::Ident(ident)) if ident == "_" => {
                cursor.next();
                Some(Pattern::Ignore)
            }
            Some(TokenTree::Ident(ident)) => {
                let ident = ident.clone();
                cursor.next();
                if ident == "ref" {
                    self.syntax(ident.span(), "`ref` does not occur in networks", "remove it");
                    return self.pattern(cursor, mutable);
                }
                Some(Pattern::Name(self.name(&ident), is_mutable))
            }
            Some(TokenTree::Group(group))
                if matches!(group.delimiter(), Delimiter::Parenthesis | Delimiter::Bracket) =>
            {
                let group = group.clone();
                cursor.next();
                let span = group.span();
                self.deeper(span, |parser| {
                    let mut parts = vec![];
                    let mut whole = true;
                    for mut part in Cursor::inside(&group).split_commas() {
                        let read = match part.is_sign(0, '.') {
                            true => {
                                let help = "name each part; `_` stands for one that is not needed";
                                parser.syntax(part.span(), "`..` does not occur in patterns", help);
                                None
                            }
                            false => parser.pattern(&mut part, mutable),
                        };
                        if read.is_some() && !part.done() {
                            parser.expected(&part, "`,` after the name", "write `(a, b)` or `[a, b]`");
                            whole = false;
                        }
                        whole &= read.is_some();
                        parts.extend(read);
                    }
                    let at = parser.places.at(span);
                    // `(x)` is `x`.
                    match (group.delimiter(), Cursor::inside(&group).has_comma(), parts.len()) {
                        (Delimiter::Parenthesis, false, 1) => parts.pop().filter(|_| whole),
                        _ => whole.then_some(Pattern::Many(parts, at)),
                    }
                })
                .flatten()
            }
            Some(TokenTree::Punct(p)) if p.as_char() == '&' => {
                self.syntax(cursor.span(), "values are passed without `&`", "remove it");
                None
            }
            _ => {
                self.expected(cursor, "a name", "patterns are names, `_`, `(a, b)` and `[a, b]`");
                None
            }
        }
    }

    /// A closure's parameter.
    pub(super) fn closure_pattern(&mut self, pattern: &syn::Pat, mutable: &mut bool) -> Option<Pattern> {
        match pattern {
            syn::Pat::Type(typed) => {
                let help = "leave it out: it is inferred";
                self.syntax(typed.colon_token.span, "arguments of closures have no type", help);
                self.closure_pattern(&typed.pat, mutable)
            }
            other => {
                let tokens = quote::ToTokens::to_token_stream(other);
                let mut cursor = Cursor::new(tokens, other.span());
                self.pattern(&mut cursor, mutable)
            }
        }
    }
}
