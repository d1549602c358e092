//! Statements: `let`, assignments, `for`, `if`, `assert!`.

use castnet_graph::scalar::Binary;
use proc_macro2::{Delimiter, Span, TokenTree};

use super::body::Wants;
use super::{Cursor, Parser};
use crate::ast::{Expr, ExprKind, For, Over, Pattern, Statement};

impl Parser<'_> {
    /// `let x: f32[N, 4] = value;`.
    pub(super) fn let_(&mut self, cursor: &mut Cursor, statements: &mut Vec<Statement>) {
        cursor.next();
        let Some(pattern) = self.let_pattern(cursor) else {
            self.lost = true;
            // The value is still read for its own mistakes.
            cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';') && !c.is_word(0, "let"));
            match cursor.eat_sign('=') {
                true => drop(self.value(cursor)),
                false => drop(cursor.eat_sign(';')),
            }
            return;
        };
        let colon = cursor.span();
        let ty = cursor.eat_sign(':').then(|| {
            let tokens = cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';') && !c.is_word(0, "let"));
            if let Pattern::Many(..) = pattern {
                let help = "leave it out, or bind each part with a type of its own";
                self.syntax(colon, "a type stands after one name", help);
                return None;
            }
            self.ty(&mut Cursor::of(tokens, cursor.span()))
        });
        let value = match cursor.eat_sign('=') {
            true => self.value(cursor),
            false => {
                let wanted = match &pattern {
                    Pattern::Name(name, _) => format!("`=` and the value of `{}`", name.text),
                    _ => "`=` and a value".into(),
                };
                self.expected(cursor, &wanted, "write `let x = …;`");
                self.statement(cursor);
                cursor.eat_sign(';');
                Expr::broken(self.places.at(colon))
            }
        };
        statements.push(Statement::Let { pattern, ty: ty.flatten(), value });
    }

    /// The value of a `let` or an assignment, with its `;`.
    fn value(&mut self, cursor: &mut Cursor) -> Expr {
        let tokens = self.statement(cursor);
        let end = cursor.span();
        self.value_of(tokens, end, cursor)
    }

    fn value_of(&mut self, tokens: Vec<TokenTree>, end: Span, cursor: &mut Cursor) -> Expr {
        let (value, left) = self.leading_expression(tokens, end);
        cursor.back(left);
        if left > 0 {
            if !value.is_broken() {
                self.missing_semicolon(cursor);
            }
            self.lost = true;
        } else if !cursor.eat_sign(';') && !value.is_broken() {
            self.syntax(cursor.last_span(), "expected `;` after this", "a statement ends with `;`");
        }
        value
    }

    /// `x = value;`, `x += value;`: the sign stands at `tokens[sign]`.
    pub(super) fn assign(
        &mut self,
        tokens: Vec<TokenTree>,
        sign: usize,
        cursor: &mut Cursor,
        statements: &mut Vec<Statement>,
    ) {
        let operator = match &tokens[sign] {
            TokenTree::Punct(p) => p.as_char(),
            _ => '=',
        };
        let length = if operator == '=' { 1 } else { 2 };
        let span = tokens[sign].span();
        let at = self.places.tokens(&tokens[sign..sign + length]);
        let f = match operator {
            '=' => None,
            '+' => Some(Binary::Add),
            '-' => Some(Binary::Sub),
            '*' => Some(Binary::Mul),
            '/' => Some(Binary::Div),
            '%' => Some(Binary::Rem),
            '&' => Some(Binary::And),
            '|' => Some(Binary::Or),
            _ => {
                self.report("N0601", at, format!("there is no operator `{operator}=`"), "");
                cursor.eat_sign(';');
                self.lost = true;
                return;
            }
        };
        let target = match &tokens[..sign] {
            [TokenTree::Ident(ident)] => Some(self.name(ident)),
            other => {
                let first = other.first().map_or(span, TokenTree::span);
                let help = match other.first() {
                    Some(TokenTree::Group(_)) => "bind several names with `let`: `let (a, b) = …;`",
                    _ if other.iter().any(|t| matches!(t, TokenTree::Group(_))) => {
                        "tensors are values: build the new one with `cat` or `where_`"
                    }
                    _ => "write `x = …;` with `let mut x = …;` before, or the name of a `state`",
                };
                self.syntax(first, "only a name can be assigned", help);
                self.lost = true;
                None
            }
        };
        let mut right = tokens;
        right.drain(..sign + length);
        // In a round, the last `;` may be left out, as in Rust.
        let last = cursor.done();
        let end = cursor.span();
        let value = match last {
            true => self.expression(right, end),
            false => self.value_of(right, end, cursor),
        };
        let Some(target) = target else { return };
        let value = match f {
            None => value,
            Some(f) => {
                let old = Expr { at: target.at, kind: ExprKind::Name(target.text.clone()) };
                Expr { at, kind: ExprKind::Binary(f, Box::new(old), Box::new(value)) }
            }
        };
        statements.push(Statement::Assign(target, value));
    }

    /// `for i in 0..4 { … }`.
    pub(super) fn for_(&mut self, cursor: &mut Cursor, statements: &mut Vec<Statement>) {
        const FORM: &str = "write `for i in 0..4 { … }` or `for layer in layers { … }`";
        let at = self.places.at(cursor.span());
        cursor.next();
        let mut mutable = false;
        let start = cursor.span();
        let pattern = match cursor.is_word(0, "in") {
            true => {
                self.expected(cursor, "a name after `for`", FORM);
                None
            }
            false => self.pattern(cursor, &mut mutable),
        };
        if mutable {
            self.syntax(start, "the name of a round is not `mut`", "bind a new name: `let mut x = x;`");
        }
        if pattern.is_some() && !cursor.is_word(0, "in") {
            self.expected(cursor, "`in` after the name", FORM);
            self.lost = true;
        }
        cursor.take_while(|c| !c.is_word(0, "in") && !c.is_braces(0) && !c.is_sign(0, ';'));
        let found = cursor.eat_word("in");
        let tokens = cursor.take_while(|c| !c.is_sign(0, ';') && !c.is_braces(0) && !c.is_word(0, "let"));
        let end = cursor.span();
        let over = found.then(|| self.over(tokens, end));
        let Some(group) = cursor.eat_braces() else {
            if found && pattern.is_some() {
                self.expected(cursor, "`{` and the rounds of the `for`", FORM);
            }
            cursor.eat_sign(';');
            self.lost = true;
            return;
        };
        let (mut body, stray) = self.rounds(&group);
        stray.iter().for_each(|stray| self.no_effect(stray, Wants::Nothing));
        body.extend(stray.map(Statement::Stray));
        match (pattern, over) {
            (Some(pattern), Some(over)) => statements.push(Statement::For(For { at, pattern, over, body })),
            _ => self.lost = true,
        }
    }

    /// `if condition { … } else { … }` without a value, several in a chain; also the expression at the end of a branch that is none.
    pub(super) fn if_(&mut self, cursor: &mut Cursor) -> (Option<Statement>, Option<Expr>) {
        let span = cursor.span();
        let read = self.deeper(span, |parser| parser.if_here(cursor));
        read.unwrap_or_else(|| {
            super::refuse::skip_statement(cursor);
            (None, None)
        })
    }

    fn if_here(&mut self, cursor: &mut Cursor) -> (Option<Statement>, Option<Expr>) {
        cursor.next();
        let before = self.diagnostics.len();
        let condition = self.condition(cursor);
        let Some(then) = cursor.eat_braces() else {
            if self.diagnostics.len() == before {
                self.expected(cursor, "`{` after the condition", "write `if DEPTH > 2 { … }`");
            }
            self.lost = true;
            cursor.eat_sign(';');
            return (None, None);
        };
        let (then, mut stray) = self.rounds(&then);
        let mut otherwise = vec![];
        if cursor.eat_word("else") {
            if cursor.is_word(0, "if") {
                let (one, other) = self.if_(cursor);
                otherwise.extend(one);
                stray = stray.or(other);
            } else if let Some(group) = cursor.eat_braces() {
                let (statements, other) = self.rounds(&group);
                otherwise = statements;
                stray = stray.or(other);
            } else {
                self.expected(cursor, "`{` or `if` after `else`", "");
                self.lost = true;
            }
        }
        (Some(Statement::If { condition, then, otherwise }), stray)
    }

    /// What stands between `if` and its `{`.
    pub(super) fn condition(&mut self, cursor: &mut Cursor) -> Expr {
        if cursor.is_word(0, "let") {
            let span = cursor.span();
            let help = "conditions are known at build time: compare sizes, `if STRIDE != 1 { … }`";
            self.syntax(span, "`if let` does not occur in networks", help);
            cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';'));
            return Expr::broken(self.places.at(span));
        }
        let tokens = cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';') && !c.is_word(0, "let"));
        self.expression(tokens, cursor.span())
    }

    /// `assert!(D % HEADS == 0, "…");`.
    pub(super) fn assert(&mut self, cursor: &mut Cursor, statements: &mut Vec<Statement>) {
        const FORM: &str = "write `assert!(D % 4 == 0, \"why\");`";
        cursor.next();
        cursor.next();
        let Some(TokenTree::Group(group)) = cursor.next().filter(|t| matches!(t, TokenTree::Group(_))) else {
            cursor.back(1);
            self.expected(cursor, "`(` after `assert!`", FORM);
            self.statement(cursor);
            self.lost = true;
            return;
        };
        let ends = cursor.eat_sign(';') || cursor.done() || group.delimiter() == Delimiter::Brace;
        if !ends {
            self.syntax(cursor.last_span(), "expected `;` after this", "a statement ends with `;`");
        }
        let mut parts = Cursor::inside(&group).split_commas().into_iter();
        let Some(mut condition) = parts.next() else {
            self.syntax(group.span(), "expected a condition", FORM);
            return;
        };
        let end = condition.end();
        let condition = self.expression(condition.rest(), end);
        let text = parts.next().and_then(|mut part| {
            let end = part.end();
            match (part.next(), part.done()) {
                (Some(TokenTree::Literal(literal)), true) => match syn::Lit::new(literal) {
                    syn::Lit::Str(text) => Some(text.value()),
                    other => {
                        self.syntax(other.span(), "expected a text", FORM);
                        None
                    }
                },
                (found, _) => {
                    let span = found.map_or(end, |t| t.span());
                    self.syntax(span, "expected a text", FORM);
                    None
                }
            }
        });
        if let Some(more) = parts.next() {
            self.syntax(more.span(), "the text of an `assert!` has no arguments", "write the whole text");
        }
        statements.push(Statement::Assert(condition, text));
    }

    /// What a `for` runs over.
    fn over(&mut self, tokens: Vec<TokenTree>, end: Span) -> Over {
        match self.range(tokens, end) {
            Ok((from, to)) => Over::Range(from, to),
            Err(values) => Over::Values(values),
        }
    }
}

/// The position of a lone `=` or of `+=` and the like.
pub(super) fn assignment(tokens: &[TokenTree]) -> Option<usize> {
    let sign = |i: usize| match tokens.get(i) {
        Some(TokenTree::Punct(p)) => p.as_char(),
        _ => ' ',
    };
    (1..tokens.len()).find_map(|i| {
        if sign(i) != '=' || sign(i + 1) == '=' || sign(i + 1) == '>' {
            return None;
        }
        match sign(i - 1) {
            '=' | '!' | '<' | '>' => None,
            '.' => None, // `..=`
            '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' => Some(i - 1),
            _ => Some(i),
        }
    })
}
