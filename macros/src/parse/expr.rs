//! Expressions: read by syn, turned into our own; what Rust has and networks have not is refused with what to write instead.

use castnet_graph::scalar::{Binary, Unary};
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned;

use super::{Cursor, Parser};
use crate::ast::{Argument, Expr, ExprKind, Name};

/// Expressions nested deeper than this are refused, so that no input overflows the stack.
const DEPTH: usize = 100;

impl Parser<'_> {
    /// An expression, all of `tokens`; `end` is the place after them.
    pub(super) fn expression(&mut self, tokens: Vec<TokenTree>, end: Span) -> Expr {
        let mut cursor = Cursor::of(tokens.clone(), end);
        let (expression, left) = self.leading_expression(tokens, end);
        if left > 0 {
            cursor.rest();
            cursor.back(left);
            self.expected(&cursor, "an operator or the end of the expression", "");
        }
        expression
    }

    /// An expression at the start of `tokens`, and how many of them are left after it.
    pub(super) fn leading_expression(&mut self, tokens: Vec<TokenTree>, end: Span) -> (Expr, usize) {
        let Some(first) = tokens.first() else {
            let at = self.places.at(end);
            self.report("N0601", at, "expected an expression", "");
            return (Expr::broken(at), 0);
        };
        let (first, last) = (first.span(), tokens.last().map_or(end, TokenTree::span));
        if is_too_deep(&tokens) {
            return (self.too_deep(first), 0);
        }
        let parser = |input: ParseStream| Ok((input.parse::<syn::Expr>()?, input.parse::<TokenStream>()?));
        match parser.parse2(index_lists(tokens.into_iter().collect())) {
            Ok((expression, left)) => (self.convert(&expression, 0), left.into_iter().count()),
            Err(error) => {
                // syn places a missing end at the call of the macro, for want of a token.
                let nowhere = error.span().start() == Span::call_site().start();
                let span = if nowhere { last } else { error.span() };
                let message = match error.to_string().strip_prefix("unexpected end of input, ") {
                    Some(expected) if nowhere => format!("{expected} after this"),
                    Some(expected) => expected.to_string(),
                    None => error.to_string(),
                };
                self.syntax(span, message, "");
                (Expr::broken(self.places.at(span)), 0)
            }
        }
    }

    /// The arguments of a layer.
    pub(super) fn arguments(&mut self, group: &Group) -> Vec<Argument> {
        let mut arguments = vec![];
        for mut part in Cursor::inside(group).split_commas() {
            if part.done() {
                self.syntax(part.span(), "expected an argument, found `,`", "remove the comma");
                continue;
            }
            let separator = ['=', ':'].into_iter().find(|s| part.is_sign(1, *s) && !part.is_sign(2, *s));
            let name = match (part.peek(), separator) {
                (Some(TokenTree::Ident(ident)), Some(separator)) => {
                    let name = Name { text: ident.to_string(), at: self.places.at(ident.span()) };
                    part.next();
                    if separator == ':' {
                        let help = format!("write `{} = …`", name.text);
                        self.syntax(part.span(), "arguments are given with `=`", &help);
                    }
                    part.next();
                    Some(name)
                }
                _ => None,
            };
            let tokens = part.rest();
            let value = self.expression(tokens, part.span());
            arguments.push(Argument { name, value });
        }
        arguments
    }

    fn too_deep(&mut self, span: Span) -> Expr {
        let at = self.places.at(span);
        self.report("N0602", at, "this expression is nested too deeply", "give its parts names: `let x = …;`");
        Expr::broken(at)
    }

    /// syn's expression as ours.
    pub(super) fn convert(&mut self, expression: &syn::Expr, depth: usize) -> Expr {
        if depth > DEPTH {
            return self.too_deep(expression.span());
        }
        match expression {
            syn::Expr::Paren(inner) => self.convert(&inner.expr, depth + 1),
            syn::Expr::Group(inner) => self.convert(&inner.expr, depth + 1),
            syn::Expr::Lit(literal) => self.literal(&literal.lit),
            syn::Expr::Path(path) => match path.path.get_ident() {
                Some(ident) => {
                    let at = self.places.at(ident.span());
                    let kind = match ident.to_string().as_str() {
                        "None" => ExprKind::None,
                        text => ExprKind::Name(text.to_string()),
                    };
                    Expr { at, kind }
                }
                None => self.refuse_expression(expression, "paths do not occur in networks", "use a plain name"),
            },
            syn::Expr::Array(list) => {
                let at = self.places.at(list.bracket_token.span.join());
                Expr { at, kind: ExprKind::List(list.elems.iter().map(|e| self.convert(e, depth + 1)).collect()) }
            }
            syn::Expr::Tuple(tuple) => {
                let at = self.places.at(tuple.paren_token.span.join());
                Expr { at, kind: ExprKind::Tuple(tuple.elems.iter().map(|e| self.convert(e, depth + 1)).collect()) }
            }
            syn::Expr::Call(call) => match &*call.func {
                syn::Expr::Path(path) if path.path.get_ident().is_some() => {
                    let callee = path.path.get_ident().map(|i| (i.to_string(), i.span()));
                    self.call(callee, None, &call.args, depth)
                }
                other => {
                    let broken = self.convert(other, depth + 1);
                    if !matches!(broken.kind, ExprKind::Broken) {
                        self.report(
                            "N0601",
                            broken.at,
                            "this cannot be called",
                            "call layers, functions and operators by name",
                        );
                    }
                    Expr::broken(broken.at)
                }
            },
            syn::Expr::MethodCall(call) => {
                if let Some(turbofish) = &call.turbofish {
                    let help = "types are arguments: `.cast(f32)`";
                    return self.refuse_expression(turbofish, "`::<…>` does not occur in networks", help);
                }
                self.call(Some((call.method.to_string(), call.method.span())), Some(&call.receiver), &call.args, depth)
            }
            syn::Expr::Unary(unary) => {
                let f = match unary.op {
                    syn::UnOp::Neg(_) => Unary::Neg,
                    syn::UnOp::Not(_) => Unary::Not,
                    _ => return self.refuse_expression(unary.op, "`*` before a value does not occur in networks", ""),
                };
                let at = self.places.stream(unary.op.to_token_stream());
                let x = self.convert(&unary.expr, depth + 1);
                // A negative literal is one thing, underlined as a whole.
                let kind = match (f, &x.kind) {
                    (Unary::Neg, ExprKind::Int(value)) => ExprKind::Int(-value),
                    (Unary::Neg, ExprKind::Float(value)) => ExprKind::Float(-value),
                    _ => return Expr { at, kind: ExprKind::Unary(f, Box::new(x)) },
                };
                Expr { at: self.places.between(at, x.at), kind }
            }
            syn::Expr::Binary(binary) => self.binary(binary, depth),
            _ => self.refused(expression, depth),
        }
    }

    fn binary(&mut self, binary: &syn::ExprBinary, depth: usize) -> Expr {
        use syn::BinOp::*;
        let f = match binary.op {
            Add(_) => Binary::Add,
            Sub(_) => Binary::Sub,
            Mul(_) => Binary::Mul,
            Div(_) => Binary::Div,
            Rem(_) => Binary::Rem,
            Lt(_) => Binary::Lt,
            Le(_) => Binary::Le,
            Gt(_) => Binary::Gt,
            Ge(_) => Binary::Ge,
            Eq(_) => Binary::Eq,
            Ne(_) => Binary::Ne,
            BitAnd(_) => Binary::And,
            BitOr(_) => Binary::Or,
            And(_) => {
                return self.refuse_expression(
                    binary.op,
                    "`&&` does not occur in networks",
                    "write `&`, which works element by element",
                );
            }
            Or(_) => {
                return self.refuse_expression(
                    binary.op,
                    "`||` does not occur in networks",
                    "write `|`, which works element by element",
                );
            }
            BitXor(_) => {
                return self.refuse_expression(
                    binary.op,
                    "there is no operator `^`",
                    "write `.pow(2)` for a power, `!=` for exclusive or",
                );
            }
            Shl(_) | Shr(_) => {
                return self.refuse_expression(
                    binary.op,
                    "there are no shifts",
                    "multiply or divide by a power of two",
                );
            }
            _ => return self.refuse_expression(binary.op, "values do not change", "bind a new one: `let x = x + …;`"),
        };
        let at = self.places.stream(binary.op.to_token_stream());
        let x = self.convert(&binary.left, depth + 1);
        let y = self.convert(&binary.right, depth + 1);
        Expr { at, kind: ExprKind::Binary(f, Box::new(x), Box::new(y)) }
    }

    fn call(
        &mut self,
        callee: Option<(String, Span)>,
        receiver: Option<&syn::Expr>,
        given: &syn::punctuated::Punctuated<syn::Expr, syn::Token![,]>,
        depth: usize,
    ) -> Expr {
        let Some((text, span)) = callee else { return Expr::broken(Default::default()) };
        let at = self.places.at(span);
        let receiver = receiver.map(|r| Argument { name: None, value: self.convert(r, depth + 1) });
        let mut arguments: Vec<Argument> = receiver.into_iter().collect();
        for argument in given {
            if let (syn::Expr::Closure(closure), "scan") = (argument, text.as_str()) {
                // `scan` itself is refused when its name is looked up.
                arguments.push(Argument { name: None, value: Expr::broken(self.places.at(closure.or1_token.span)) });
                continue;
            }
            let syn::Expr::Assign(assign) = argument else {
                arguments.push(Argument { name: None, value: self.argument(argument, depth) });
                continue;
            };
            let value = self.argument(&assign.right, depth);
            let syn::Expr::Path(path) = &*assign.left else {
                self.refuse_expression(&assign.left, "expected the name of an argument", "write `name = value`");
                continue;
            };
            match path.path.get_ident() {
                Some(ident) => {
                    let at = self.places.at(ident.span());
                    arguments.push(Argument { name: Some(Name { text: ident.to_string(), at }), value });
                }
                None => {
                    self.refuse_expression(path, "expected the name of an argument", "write `name = value`");
                }
            }
        }
        Expr { at, kind: ExprKind::Call(Name { text, at }, arguments) }
    }

    /// The value of an argument: only there may a text stand.
    fn argument(&mut self, value: &syn::Expr, depth: usize) -> Expr {
        match value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                Expr { at: self.places.at(text.span()), kind: ExprKind::Text(text.value()) }
            }
            _ => self.convert(value, depth + 1),
        }
    }

    fn literal(&mut self, literal: &syn::Lit) -> Expr {
        let at = self.places.at(literal.span());
        let (kind, suffix) = match literal {
            syn::Lit::Bool(value) => (ExprKind::Bool(value.value), ""),
            syn::Lit::Int(value) => match value.base10_parse::<i64>() {
                Ok(number) if number <= i64::from(i32::MAX) => (ExprKind::Int(number), value.suffix()),
                _ => {
                    let message = format!("the number {} is too large", value.base10_digits());
                    self.report(
                        "N0517",
                        at,
                        message,
                        "integers are at most 2147483647; a number may be written as `1e10`",
                    );
                    return Expr::broken(at);
                }
            },
            syn::Lit::Float(value) => match value.base10_parse::<f64>() {
                Ok(number) if number.is_finite() && (number as f32).is_finite() => {
                    (ExprKind::Float(number), value.suffix())
                }
                _ => {
                    let message = format!("the number {value} is too large for f32");
                    self.report("N0517", at, message, "the largest f32 is about 3.4e38");
                    return Expr::broken(at);
                }
            },
            _ => {
                self.report("N0601", at, "only numbers, `true` and `false` are literals of networks", "");
                return Expr::broken(at);
            }
        };
        if !suffix.is_empty() {
            let message = format!("numbers have no suffix here, found `{suffix}`");
            self.report("N0601", at, message, "leave it out: a number takes the type of the tensor beside it");
        }
        Expr { at, kind }
    }
}

/// Whether an expression is nested so deeply that reading it might overflow the stack: groups in groups, or many signs in one of them (a
/// sign may be an operator before an operator before …). A long chain of calls nests too, but less while it is read.
fn is_too_deep(tokens: &[TokenTree]) -> bool {
    let mut level: Vec<Vec<TokenTree>> = vec![tokens.to_vec()];
    for _ in 0..DEPTH {
        for tokens in &level {
            let signs = tokens.iter().filter(|t| matches!(t, TokenTree::Punct(p) if !matches!(p.as_char(), ',' | '.')));
            let is_dot = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == '.');
            let links = tokens.iter().filter(|t| is_dot(t) || matches!(t, TokenTree::Group(_)));
            if signs.count() > 2 * DEPTH || links.count() > 10 * DEPTH {
                return true;
            }
        }
        level = level.iter().flatten().filter_map(group).map(|g| g.stream().into_iter().collect()).collect();
        if level.is_empty() {
            return false;
        }
    }
    true
}

fn group(token: &TokenTree) -> Option<Group> {
    match token {
        TokenTree::Group(group) => Some(group.clone()),
        _ => None,
    }
}

/// `x[.., 0]` as `x[(.., 0)]`: Rust's grammar has no index lists, so their brackets hold a tuple by the time syn sees them.
fn index_lists(tokens: TokenStream) -> TokenStream {
    let mut after_value = false;
    let mut result = vec![];
    for token in tokens {
        let is_index = after_value;
        after_value = match &token {
            TokenTree::Ident(word) => {
                !["in", "return", "let", "mut", "else", "if", "match", "while"].iter().any(|w| word == w)
            }
            TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
            TokenTree::Literal(_) => true,
            TokenTree::Punct(_) => false,
        };
        result.push(match token {
            TokenTree::Group(group) => {
                let mut inner = index_lists(group.stream());
                if is_index && group.delimiter() == Delimiter::Bracket {
                    let mut tuple = Group::new(Delimiter::Parenthesis, inner);
                    tuple.set_span(group.span());
                    inner = TokenTree::Group(tuple).into();
                }
                let mut new = Group::new(group.delimiter(), inner);
                new.set_span(group.span());
                TokenTree::Group(new)
            }
            other => other,
        });
    }
    result.into_iter().collect()
}
