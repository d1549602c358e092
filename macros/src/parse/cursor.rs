//! A position in a list of tokens, with what the parser asks of it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// A position in a list of tokens.
#[derive(Clone)]
pub struct Cursor {
    tokens: Vec<TokenTree>,
    at: usize,
    end: Span,
}

impl Cursor {
    /// At the start of `tokens`; `end` is what stands after them, for "something is missing here".
    pub fn new(tokens: TokenStream, end: Span) -> Cursor {
        Cursor { tokens: tokens.into_iter().flat_map(bare).collect(), at: 0, end }
    }

    /// At the start of a list of tokens.
    pub fn of(tokens: Vec<TokenTree>, end: Span) -> Cursor {
        Cursor { tokens, at: 0, end }
    }

    /// At the start of what a group holds.
    pub fn inside(group: &Group) -> Cursor {
        Cursor::new(group.stream(), group.span_close())
    }

    /// Whether nothing is left.
    pub fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The next token.
    pub fn peek(&self) -> Option<&TokenTree> {
        self.peek_nth(0)
    }

    /// The token `n` places further.
    pub fn peek_nth(&self, n: usize) -> Option<&TokenTree> {
        self.tokens.get(self.at + n)
    }

    /// Takes the next token.
    pub fn next(&mut self) -> Option<TokenTree> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// The tokens taken since `start`, an earlier copy of this.
    pub fn since(&self, start: &Cursor) -> TokenStream {
        self.tokens[start.at..self.at].iter().cloned().collect()
    }

    /// Gives back the last `n` tokens.
    pub fn back(&mut self, n: usize) {
        self.at = self.at.saturating_sub(n);
    }

    /// Where the next token stands, or the end.
    pub fn span(&self) -> Span {
        self.peek().map_or(self.end, |t| t.span())
    }

    /// Where the last token taken stands.
    pub fn last_span(&self) -> Span {
        self.last().map_or(self.end, |t| t.span())
    }

    /// Whether the token `n` places further is this word.
    pub fn is_word(&self, n: usize, word: &str) -> bool {
        matches!(self.peek_nth(n), Some(TokenTree::Ident(i)) if i == word)
    }

    /// Whether the token `n` places further is a name or keyword.
    pub fn is_ident(&self, n: usize) -> bool {
        matches!(self.peek_nth(n), Some(TokenTree::Ident(_)))
    }

    /// Whether the token `n` places further is this sign.
    pub fn is_sign(&self, n: usize, sign: char) -> bool {
        matches!(self.peek_nth(n), Some(TokenTree::Punct(p)) if p.as_char() == sign)
    }

    /// Whether the token `n` places further is a lone `:`, not half of a `::`.
    pub fn is_colon(&self, n: usize) -> bool {
        self.is_sign(n, ':') && !self.is_sign(n + 1, ':')
    }

    /// Whether the tokens `n` places further are `::`.
    pub fn is_path(&self, n: usize) -> bool {
        self.is_sign(n, ':') && self.is_sign(n + 1, ':')
    }

    /// Whether the next tokens are `->`.
    pub fn is_arrow(&self) -> bool {
        self.is_sign(0, '-') && self.is_sign(1, '>')
    }

    /// Whether the token `n` places further is a group in these delimiters.
    pub fn is_group(&self, n: usize, delimiter: Delimiter) -> bool {
        matches!(self.peek_nth(n), Some(TokenTree::Group(g)) if g.delimiter() == delimiter)
    }

    /// Whether the token `n` places further is a group in braces.
    pub fn is_braces(&self, n: usize) -> bool {
        self.is_group(n, Delimiter::Brace)
    }

    /// Whether the token `n` places further is a group in parentheses.
    pub fn is_parentheses(&self, n: usize) -> bool {
        self.is_group(n, Delimiter::Parenthesis)
    }

    /// The number of tokens in the attributes that start here.
    pub fn attributes(&self) -> usize {
        let mut n = 0;
        while self.is_sign(n, '#') && self.is_group(n + 1, Delimiter::Bracket) {
            n += 2;
        }
        n
    }

    /// The last token taken.
    fn last(&self) -> Option<&TokenTree> {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i))
    }

    /// Whether the last token taken is this word.
    pub fn was_word(&self, word: &str) -> bool {
        matches!(self.last(), Some(TokenTree::Ident(i)) if i == word)
    }

    /// Whether the last token taken is a number or text.
    pub fn was_literal(&self) -> bool {
        matches!(self.last(), Some(TokenTree::Literal(_)))
    }

    /// Whether the last token taken is a sign.
    pub fn was_any_sign(&self) -> bool {
        matches!(self.last(), Some(TokenTree::Punct(_)))
    }

    /// What stands after all tokens.
    pub fn end(&self) -> Span {
        self.end
    }

    /// Takes the next token if it is this word.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    /// Takes the next token if it is this sign.
    pub fn eat_sign(&mut self, sign: char) -> bool {
        let found = self.is_sign(0, sign);
        self.at += usize::from(found);
        found
    }

    /// Takes the next token if it is a group in these delimiters.
    pub fn eat_group(&mut self, delimiter: Delimiter) -> Option<Group> {
        match self.peek() {
            Some(TokenTree::Group(g)) if g.delimiter() == delimiter => {
                let group = g.clone();
                self.at += 1;
                Some(group)
            }
            _ => None,
        }
    }

    /// Takes the next token if it is a group in braces.
    pub fn eat_braces(&mut self) -> Option<Group> {
        self.eat_group(Delimiter::Brace)
    }

    /// Takes the next token if it is a name or keyword.
    pub fn eat_ident(&mut self) -> Option<Ident> {
        match self.peek() {
            Some(TokenTree::Ident(i)) => {
                let ident = i.clone();
                self.at += 1;
                Some(ident)
            }
            _ => None,
        }
    }

    /// Takes tokens as long as `more` says so.
    pub fn take_while(&mut self, mut more: impl FnMut(&Cursor) -> bool) -> Vec<TokenTree> {
        let start = self.at;
        while !self.done() && more(self) {
            self.at += 1;
        }
        self.tokens[start..self.at].to_vec()
    }

    /// Whether a comma is left.
    pub fn has_comma(&self) -> bool {
        self.tokens[self.at..].iter().any(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ','))
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> Vec<TokenTree> {
        self.take_while(|_| true)
    }

    /// Splits what is left at its commas; a trailing comma adds nothing. Each part comes with the place of its end.
    pub fn split_commas(&mut self) -> Vec<Cursor> {
        let mut parts = vec![];
        while !self.done() {
            let part = self.take_while(|c| !c.is_sign(0, ','));
            let end = self.span();
            self.eat_sign(',');
            parts.push(Cursor::of(part, end));
        }
        parts
    }
}

/// A token without the invisible group that a `macro_rules!` fragment puts around it: names, visibilities (also empty ones). Around
/// an expression it stays, since it binds as parentheses do.
fn bare(token: TokenTree) -> Vec<TokenTree> {
    let TokenTree::Group(group) = &token else { return vec![token] };
    if group.delimiter() != Delimiter::None {
        return vec![token];
    }
    let inner: Vec<TokenTree> = group.stream().into_iter().flat_map(bare).collect();
    match inner.first() {
        Some(TokenTree::Ident(first)) if inner.len() == 1 || first == "pub" => inner,
        Some(TokenTree::Literal(_)) if inner.len() == 1 => inner,
        Some(TokenTree::Group(first)) if inner.len() == 1 && first.delimiter() == Delimiter::Brace => inner,
        None => inner,
        _ => vec![token],
    }
}
