//! Index lists, `x[.., 0..5, i]`, and ranges.

use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;

use super::Parser;
use crate::ast::{Expr, ExprKind, Item, ItemKind};
use castnet_graph::scalar::Binary;

/// Words after which brackets hold a list, not an index.
const NO_VALUE: [&str; 10] = ["in", "return", "let", "mut", "else", "if", "match", "while", "break", "as"];

impl Parser<'_> {
    /// Tokens as syn can read them. Rust's grammar has no index lists, so the brackets of `x[.., 0]` hold a tuple: `x[(.., 0)]`. Groups in
    /// braces hold statements of ours: syn sees their numbers, `{ 7 }`.
    pub(super) fn for_syn(&mut self, tokens: TokenStream) -> TokenStream {
        let mut after_value = false;
        let mut after_match = false;
        let mut result = vec![];
        for token in tokens {
            let is_index = after_value;
            after_value = match &token {
                TokenTree::Ident(word) => {
                    after_match |= word == "match";
                    !NO_VALUE.iter().any(|w| word == w)
                }
                TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
                TokenTree::Literal(_) => true,
                TokenTree::Punct(_) => false,
            };
            result.push(match token {
                TokenTree::Group(group) => {
                    let inner = match group.delimiter() {
                        // Refused anyway: without arms, syn can read on.
                        Delimiter::Brace if std::mem::take(&mut after_match) => TokenStream::new(),
                        Delimiter::Brace => self.number(&group),
                        Delimiter::Bracket if is_index => {
                            let mut tuple = Group::new(Delimiter::Parenthesis, self.for_syn(group.stream()));
                            tuple.set_span(group.span());
                            TokenTree::Group(tuple).into()
                        }
                        _ => self.for_syn(group.stream()),
                    };
                    let mut new = Group::new(group.delimiter(), inner);
                    new.set_span(group.span());
                    TokenTree::Group(new)
                }
                other => other,
            });
        }
        result.into_iter().collect()
    }

    fn number(&mut self, group: &Group) -> TokenStream {
        let mut number = Literal::usize_unsuffixed(self.braces.len());
        number.set_span(group.span());
        self.braces.push(group.clone());
        TokenTree::Literal(number).into()
    }

    /// The group that syn saw as a number.
    pub(super) fn braces(&self, block: &syn::Block) -> Group {
        let number = match block.stmts.as_slice() {
            [syn::Stmt::Expr(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }), _)] => {
                number.base10_parse::<usize>().ok()
            }
            _ => None,
        };
        let group = number.and_then(|n| self.braces.get(n)).cloned();
        group.unwrap_or_else(|| Group::new(Delimiter::Brace, TokenStream::new()))
    }

    /// `x[.., 0..5, i]`.
    pub(super) fn index(&mut self, index: &syn::ExprIndex) -> Expr {
        let at = self.places.at(index.bracket_token.span.join());
        let x = self.convert(&index.expr);
        let list: Vec<&syn::Expr> = match &*index.index {
            syn::Expr::Tuple(tuple) => tuple.elems.iter().collect(),
            syn::Expr::Paren(paren) => vec![&paren.expr],
            other => vec![other],
        };
        if list.is_empty() {
            self.report("N0601", at, "an index list without indices", "write `x[0]` or `x[.., 0..5]`");
            return Expr::broken(at);
        }
        let items = list.into_iter().map(|e| self.entry(e)).collect();
        Expr { at, kind: ExprKind::Index(Box::new(x), items) }
    }

    /// One entry of an index list.
    fn entry(&mut self, entry: &syn::Expr) -> Item {
        let tokens = quote::ToTokens::to_token_stream(entry);
        let at = self.places.stream(tokens);
        let syn::Expr::Range(range) = entry else {
            let value = self.convert(entry);
            return Item { at, kind: ItemKind::At(value) };
        };
        let from = range.start.as_ref().map(|e| self.convert(e));
        let to = range.end.as_ref().map(|e| self.convert(e));
        let to = match range.limits {
            syn::RangeLimits::HalfOpen(_) => to,
            syn::RangeLimits::Closed(_) => to.and_then(|e| match e.kind {
                ExprKind::Int(-1) => None, // Up to the last one, and with it.
                _ => Some(self.one_more(e)),
            }),
        };
        match (from, to) {
            (None, None) => Item { at, kind: ItemKind::All },
            (from, to) => Item { at, kind: ItemKind::Range(from, to) },
        }
    }

    /// `from..to`, all of `tokens`; another expression, if it is none.
    pub(super) fn range(&mut self, tokens: Vec<TokenTree>, end: Span) -> Result<(Expr, Expr), Expr> {
        let parsed = self.syn_expression(tokens, end)?;
        let syn::Expr::Range(range) = &parsed else { return Err(self.convert(&parsed)) };
        let span = range.limits.span();
        let (Some(from), Some(to)) = (&range.start, &range.end) else {
            self.syntax(span, "a `for` runs from one number to another", "write `for i in 0..4 { … }`");
            return Err(Expr::broken(self.places.at(span)));
        };
        let (from, to) = (self.convert(from), self.convert(to));
        Ok(match range.limits {
            syn::RangeLimits::HalfOpen(_) => (from, to),
            syn::RangeLimits::Closed(_) => {
                let to = self.one_more(to);
                (from, to)
            }
        })
    }

    /// The end of a range whose last element this is.
    fn one_more(&mut self, last: Expr) -> Expr {
        let at = last.at;
        match last.kind {
            ExprKind::Broken => last,
            ExprKind::Int(value) => Expr { at, kind: ExprKind::Int(value + 1) },
            _ => {
                let one = Expr { at, kind: ExprKind::Int(1) };
                Expr { at, kind: ExprKind::Binary(Binary::Add, Box::new(last), Box::new(one)) }
            }
        }
    }
}
