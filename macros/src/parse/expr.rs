//! Expressions: read by syn, turned into our own; what Rust has and networks have not is refused with what to write instead.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned;

use super::{Cursor, DEPTH, Parser};
use crate::ast::{Argument, Body, Expr, ExprKind, Name, UNFINISHED};

/// What syn reads of tokens, and how many it leaves.
type Read = Result<(syn::Expr, usize), Expr>;

impl Parser<'_> {
    /// An expression, all of `tokens`; `end` is the place after them.
    pub(super) fn expression(&mut self, tokens: Vec<TokenTree>, end: Span) -> Expr {
        match self.syn_expression(tokens, end) {
            Ok(parsed) => self.convert(&parsed),
            Err(broken) => broken,
        }
    }

    /// The value of an argument, all of `tokens`: only there may a text or a closure stand.
    pub(super) fn argument_tokens(&mut self, tokens: Vec<TokenTree>, end: Span) -> Expr {
        match self.syn_expression(tokens, end) {
            Ok(parsed) => self.argument(&parsed),
            Err(broken) => broken,
        }
    }

    /// An expression at the start of `tokens`, and how many of them are left after it.
    pub(super) fn leading_expression(&mut self, tokens: Vec<TokenTree>, end: Span) -> (Expr, usize) {
        match self.read(tokens, end) {
            Ok((parsed, left)) => (self.convert(&parsed), left),
            Err(broken) => (broken, 0),
        }
    }

    /// All of `tokens` as syn reads them; what is left over is reported.
    pub(super) fn syn_expression(&mut self, tokens: Vec<TokenTree>, end: Span) -> Result<syn::Expr, Expr> {
        let mut cursor = Cursor::of(tokens.clone(), end);
        let (expression, left) = self.read(tokens, end)?;
        if left > 0 {
            cursor.rest();
            cursor.back(left);
            if !self.no_such_operator(&cursor) {
                self.expected(&cursor, "an operator or the end of the expression", "");
            }
        }
        Ok(expression)
    }

    fn read(&mut self, tokens: Vec<TokenTree>, end: Span) -> Read {
        let Some(first) = tokens.first() else {
            let at = self.places.at(end);
            self.report("N0601", at, "expected an expression", "");
            return Err(Expr::broken(at));
        };
        let (first, last) = (first.span(), tokens.last().map_or(end, TokenTree::span));
        if is_too_deep(&tokens) {
            return Err(self.too_deep(first));
        }
        let parser = |input: ParseStream| Ok((input.parse::<syn::Expr>()?, input.parse::<TokenStream>()?));
        let all = self.for_syn(tokens.iter().cloned().collect());
        match parser.parse2(all) {
            Ok((expression, left)) => Ok((expression, left.into_iter().count())),
            Err(error) => {
                // syn places a missing end at the call of the macro, for want of a token.
                let nowhere = error.span().start() == Span::call_site().start();
                let span = if nowhere { last } else { error.span() };
                let message = match error.to_string().strip_prefix("unexpected end of input, ") {
                    Some("expected identifier or integer") => "expected a name after `.`".to_string(),
                    Some(expected) if nowhere => format!("{expected} after this"),
                    Some(expected) => expected.to_string(),
                    None => error.to_string(),
                };
                self.syntax(span, message, "");
                let mended = mended(&tokens).map(|mended| self.for_syn(mended));
                if let Some(Ok((expression, left))) = mended.map(|mended| parser.parse2(mended)) {
                    return Ok((expression, left.into_iter().count()));
                }
                let at = self.places.at(span);
                self.places.keep(at, tokens);
                Err(Expr::broken(at))
            }
        }
    }

    /// syn's expression as ours.
    pub(super) fn convert(&mut self, expression: &syn::Expr) -> Expr {
        let span = expression.span();
        match self.deeper(span, |parser| parser.convert_here(expression)) {
            Some(converted) => converted,
            None => Expr::broken(self.places.at(span)),
        }
    }

    fn convert_here(&mut self, expression: &syn::Expr) -> Expr {
        match expression {
            syn::Expr::Paren(inner) => self.convert(&inner.expr),
            syn::Expr::Group(inner) => self.convert(&inner.expr),
            syn::Expr::Lit(literal) => self.literal(&literal.lit),
            syn::Expr::Path(path) => match path.path.get_ident() {
                Some(ident) if ident == "self" => {
                    let help = "layers, functions and constants are called by their names alone";
                    self.refuse_expression(ident, "functions of a net have no `self`", help)
                }
                Some(ident) if ident == UNFINISHED => Expr::broken(self.places.at(ident.span())),
                Some(ident) => {
                    let at = self.places.at(ident.span());
                    let kind = match ident.to_string().as_str() {
                        "None" => ExprKind::None,
                        text => ExprKind::Name(text.to_string()),
                    };
                    Expr { at, kind }
                }
                None => self.path(path),
            },
            syn::Expr::Array(list) => {
                let at = self.places.at(list.bracket_token.span.join());
                Expr { at, kind: ExprKind::List(list.elems.iter().map(|e| self.convert(e)).collect()) }
            }
            syn::Expr::Repeat(list) => {
                let at = self.places.at(list.bracket_token.span.join());
                let (value, count) = (self.convert(&list.expr), self.convert(&list.len));
                Expr { at, kind: ExprKind::Repeat(Box::new(value), Box::new(count)) }
            }
            syn::Expr::Tuple(tuple) => {
                let at = self.places.at(tuple.paren_token.span.join());
                Expr { at, kind: ExprKind::Tuple(tuple.elems.iter().map(|e| self.convert(e)).collect()) }
            }
            syn::Expr::Call(call) => match &*call.func {
                syn::Expr::Path(path) if path.path.get_ident().is_some_and(|i| i != "self") => {
                    let callee = path.path.get_ident().map(|i| (i.to_string(), i.span()));
                    self.call(callee, None, &call.args)
                }
                callee => self.apply(callee, &call.args),
            },
            syn::Expr::MethodCall(call) => {
                if let Some(turbofish) = &call.turbofish {
                    let help = "types are arguments: `.cast(f32)`";
                    return self.refuse_expression(turbofish, "`::<…>` does not occur in networks", help);
                }
                let receiver = match &*call.receiver {
                    syn::Expr::Path(path) if path.path.is_ident("self") => {
                        let help = format!("leave it out: `{}(…)`", call.method);
                        self.refuse_expression(path, "functions of a net have no `self`", &help);
                        None
                    }
                    receiver => Some(receiver),
                };
                self.call(Some((call.method.to_string(), call.method.span())), receiver, &call.args)
            }
            syn::Expr::Field(field) => self.field(field),
            syn::Expr::Index(index) => self.index(index),
            syn::Expr::Unary(unary) => self.unary(unary),
            syn::Expr::Binary(binary) => self.binary(binary),
            syn::Expr::If(one) => self.choose(one),
            syn::Expr::Block(block) if block.label.is_none() => {
                let group = self.braces(&block.block);
                let at = self.places.at(group.span_open());
                let body = self.body("this block", &group);
                match body.statements.is_empty() {
                    true => body.tail,
                    false => Expr { at, kind: ExprKind::Block(Box::new(body)) },
                }
            }
            _ => self.refused(expression),
        }
    }

    /// `wte.weight`, `pair.0`.
    fn field(&mut self, field: &syn::ExprField) -> Expr {
        let (text, span) = match &field.member {
            syn::Member::Named(name) => (name.to_string(), name.span()),
            syn::Member::Unnamed(index) => (index.index.to_string(), index.span()),
        };
        let at = self.places.at(span);
        if let syn::Expr::Path(path) = &*field.base
            && path.path.is_ident("self")
        {
            let help = format!("leave it out: `{text}`");
            self.refuse_expression(path, "functions of a net have no `self`", &help);
            return Expr { at, kind: ExprKind::Name(text) };
        }
        let base = self.convert(&field.base);
        Expr { at, kind: ExprKind::Field(Box::new(base), Name { text, at }) }
    }

    /// `if STRIDE != 1 { down(x) } else { x }`.
    fn choose(&mut self, one: &syn::ExprIf) -> Expr {
        let at = self.places.at(one.if_token.span);
        let condition = match &*one.cond {
            syn::Expr::Let(let_) => {
                let help = "conditions are known at build time: compare sizes, `if STRIDE != 1 { … }`";
                self.refuse_expression(let_.let_token, "`if let` does not occur in networks", help)
            }
            condition => self.convert(condition),
        };
        let group = self.braces(&one.then_branch);
        let then = self.body("this branch", &group);
        let otherwise = match &one.else_branch {
            None => {
                let help = "write `if … { a } else { b }`";
                self.report("N0601", at, "an `if` that gives a value has an `else`", help);
                return Expr::broken(at);
            }
            Some((_, otherwise)) => match &**otherwise {
                syn::Expr::Block(block) => {
                    let group = self.braces(&block.block);
                    self.body("this branch", &group)
                }
                other => Body { statements: vec![], tail: self.convert(other) },
            },
        };
        Expr { at, kind: ExprKind::If(Box::new(condition), Box::new(then), Box::new(otherwise)) }
    }

    /// `stage1[0](x)`: what is called is no plain name.
    fn apply(&mut self, callee: &syn::Expr, given: &syn::punctuated::Punctuated<syn::Expr, syn::Token![,]>) -> Expr {
        let callee = self.convert(callee);
        let at = callee.at;
        let arguments = self.given(given);
        match callee.kind {
            ExprKind::Broken => callee,
            ExprKind::Index(..) | ExprKind::Field(..) => {
                Expr { at, kind: ExprKind::Apply(Box::new(callee), arguments) }
            }
            _ => {
                self.report("N0601", at, "this cannot be called", "call layers, functions and operators by name");
                Expr::broken(at)
            }
        }
    }

    fn call(
        &mut self,
        callee: Option<(String, Span)>,
        receiver: Option<&syn::Expr>,
        given: &syn::punctuated::Punctuated<syn::Expr, syn::Token![,]>,
    ) -> Expr {
        let Some((text, span)) = callee else { return Expr::broken(Default::default()) };
        let at = self.places.at(span);
        let receiver = receiver.map(|r| Argument { name: None, value: self.convert(r) });
        let mut arguments: Vec<Argument> = receiver.into_iter().collect();
        arguments.extend(self.given(given));
        Expr { at, kind: ExprKind::Call(Name { text, at }, arguments) }
    }

    /// What stands between the parentheses of a call.
    fn given(&mut self, given: &syn::punctuated::Punctuated<syn::Expr, syn::Token![,]>) -> Vec<Argument> {
        let mut arguments = vec![];
        for argument in given {
            let syn::Expr::Assign(assign) = argument else {
                arguments.push(Argument { name: None, value: self.argument(argument) });
                continue;
            };
            let value = self.argument(&assign.right);
            let name = match &*assign.left {
                syn::Expr::Path(path) => path.path.get_ident(),
                _ => None,
            };
            match name {
                Some(ident) => {
                    let at = self.places.at(ident.span());
                    arguments.push(Argument { name: Some(Name { text: ident.to_string(), at }), value });
                }
                None => {
                    self.refuse_expression(&assign.left, "expected the name of an argument", "write `name = value`");
                }
            }
        }
        arguments
    }

    /// The value of an argument: only there may a text or a closure stand.
    fn argument(&mut self, value: &syn::Expr) -> Expr {
        match value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                Expr { at: self.places.at(text.span()), kind: ExprKind::Text(text.value()) }
            }
            syn::Expr::Closure(closure) => self.closure(closure),
            _ => self.convert(value),
        }
    }

    /// `|state, x| (next, output)`.
    fn closure(&mut self, closure: &syn::ExprClosure) -> Expr {
        let at = self.places.at(closure.inputs_begin.span);
        let mut patterns = vec![];
        let mut mutable = false;
        for input in &closure.inputs {
            match self.closure_pattern(input, &mut mutable) {
                Some(pattern) => patterns.push(pattern),
                None => return Expr::broken(at),
            }
        }
        if mutable {
            let help = "bind a new name inside: `let mut h = h;`";
            self.report("N0601", at, "arguments of closures are not `mut`", help);
        }
        let body = match &*closure.body {
            syn::Expr::Block(block) if block.label.is_none() => {
                let group = self.braces(&block.block);
                self.body("this closure", &group)
            }
            other => Body { statements: vec![], tail: self.convert(other) },
        };
        Expr { at, kind: ExprKind::Closure(patterns, Box::new(body)) }
    }
}

/// The tokens with a name wherever one is missing: after a `.`, after an operator at the end or before a `,`. `None` if none is.
fn mended(tokens: &[TokenTree]) -> Option<TokenStream> {
    let mut found = false;
    let mut mended = vec![];
    for (i, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let inside = self::mended(&inner);
                found |= inside.is_some();
                let mut new = Group::new(group.delimiter(), inside.unwrap_or_else(|| group.stream()));
                new.set_span(group.span());
                mended.push(new.into());
            }
            other => mended.push(other.clone()),
        }
        let TokenTree::Punct(sign) = token else { continue };
        let is_sign = |at: Option<usize>, sign: char| match at.and_then(|at| tokens.get(at)) {
            Some(TokenTree::Punct(p)) => p.as_char() == sign,
            _ => false,
        };
        let ends = i + 1 == tokens.len() || is_sign(Some(i + 1), ',');
        let misses = match sign.as_char() {
            '.' if is_sign(i.checked_sub(1), '.') || is_sign(Some(i + 1), '.') => false,
            '.' => !matches!(tokens.get(i + 1), Some(TokenTree::Ident(_) | TokenTree::Literal(_))),
            '+' | '-' | '*' | '/' | '%' | '&' | '|' | '=' | '<' | '>' | '!' => ends,
            _ => false,
        };
        if misses {
            found = true;
            mended.push(Ident::new(UNFINISHED, sign.span()).into());
        }
    }
    found.then(|| mended.into_iter().collect())
}

/// Whether an expression is nested so deeply that reading it might overflow the stack: each group is a step down, and so may be each sign
/// (an operator before an operator before …) and each of some words. Braces are read on their own.
fn is_too_deep(tokens: &[TokenTree]) -> bool {
    descent(tokens, 3 * DEPTH / 2).is_none()
}

/// How deep the deepest entry of a list goes; `None` if deeper than `limit`.
fn descent(tokens: &[TokenTree], limit: usize) -> Option<usize> {
    const PREFIXES: [&str; 10] = ["return", "break", "if", "match", "while", "let", "move", "as", "static", "async"];
    // Of the entry that is being read: signs, links of its chain, the deepest of its groups.
    let (mut signs, mut links, mut inner) = (0, 0, 0);
    let mut deepest = 0;
    for token in tokens {
        match token {
            TokenTree::Punct(p) if p.as_char() == ',' => (signs, links, inner) = (0, 0, 0),
            TokenTree::Punct(p) if p.as_char() == '.' => links += 1,
            TokenTree::Punct(p) => signs += 1 + usize::from(matches!(p.as_char(), '|' | '=')),
            TokenTree::Ident(word) => signs += 2 * usize::from(PREFIXES.iter().any(|p| word == p)),
            TokenTree::Literal(_) => {}
            TokenTree::Group(group) => {
                links += 1;
                // What reading each costs, in operators; the brackets of an index become two groups.
                let cost = match group.delimiter() {
                    Delimiter::Brace => continue,
                    Delimiter::Bracket => 5,
                    _ => 3,
                };
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                inner = inner.max(cost + descent(&inside, limit.checked_sub(signs + cost)?)?);
            }
        }
        deepest = deepest.max(signs + inner);
        // A long chain of calls nests too, but less while it is read.
        if deepest > limit || links > 10 * DEPTH {
            return None;
        }
    }
    Some(deepest)
}
