//! Bodies of functions: `let`s and a last expression.

use proc_macro2::{Group, TokenTree};

use super::{Cursor, Parser, refuse};
use crate::ast::{Expr, ExprKind, Let, Name};

impl Parser<'_> {
    /// What stands between the braces of a function. Sets `lost` if a statement could not be read.
    pub(super) fn body(&mut self, function: &Name, body: &Group, lost: &mut bool) -> (Vec<Let>, Expr) {
        let mut cursor = Cursor::inside(body);
        let mut lets = vec![];
        let mut tail = None;
        while !cursor.done() {
            if cursor.eat_sign(';') {
                continue;
            }
            if let Some(word) = refuse::statement(&cursor) {
                let span = cursor.span();
                self.refuse(span, word);
                refuse::skip_statement(&mut cursor);
                *lost = true;
                // As the last thing, or with an operator after it, it was meant as the result.
                if cursor.done() {
                    tail = Some(Expr::broken(self.places.at(span)));
                }
                continue;
            }
            if cursor.is_word(0, "let") {
                match self.let_(&mut cursor, lost) {
                    Some(one) => lets.push(one),
                    None => *lost = true,
                }
                continue;
            }
            if let Some(expression) = self.last_or_stray(function, &mut cursor, lost) {
                tail = Some(expression);
            }
        }
        let tail = match tail {
            Some(tail) => tail,
            None => {
                let at = self.places.at(body.span_close());
                if !*lost {
                    let message = format!("function `{}` has no result", function.text);
                    self.report("N0516", at, message, "end it with an expression without `;`");
                }
                Expr::broken(at)
            }
        };
        (lets, tail)
    }

    /// The value of a `let`, with its `;`.
    fn value(&mut self, cursor: &mut Cursor, lost: &mut bool) -> Expr {
        let tokens = self.statement(cursor);
        let end = cursor.span();
        let (value, left) = self.leading_expression(tokens, end);
        cursor.back(left);
        if left > 0 {
            // Most likely two statements: the second one is read for its own mistakes.
            self.missing_semicolon(cursor);
            *lost = true;
        } else if !cursor.eat_sign(';') {
            self.syntax(cursor.last_span(), "expected `;` after this", "a `let` ends with `;`");
        }
        value
    }

    fn missing_semicolon(&mut self, cursor: &mut Cursor) {
        let help = "is the `;` of the statement before it missing?";
        self.expected(cursor, "`;` or an operator", help);
        if !cursor.is_ident(0) {
            self.statement(cursor);
            cursor.eat_sign(';');
        }
    }

    /// `let x: f32[N, 4] = value;`; `None` if the name could not be read.
    fn let_(&mut self, cursor: &mut Cursor, lost: &mut bool) -> Option<Let> {
        cursor.next();
        if cursor.is_word(0, "mut") {
            self.refuse(cursor.span(), "let mut");
            cursor.next();
        }
        let name = match cursor.eat_ident() {
            Some(ident) if cursor.is_sign(0, '=') || cursor.is_colon(0) || cursor.is_sign(0, ';') || cursor.done() => {
                // `let _ = …` would have no effect, but does no harm either; it is a name that nobody can use.
                match ident == "_" {
                    true => Some(Name { text: "_".into(), at: self.places.at(ident.span()) }),
                    false => Some(self.name(&ident)),
                }
            }
            Some(ident) => {
                let help = "write `let x = …;`";
                match cursor.peek() {
                    Some(TokenTree::Group(_)) => self.refuse(ident.span(), "patterns in `let`"),
                    _ => self.expected(cursor, &format!("`=` after `let {ident}`"), help),
                }
                None
            }
            None => {
                match cursor.peek() {
                    Some(TokenTree::Group(group)) => self.refuse(group.span(), "patterns in `let`"),
                    _ => self.expected(cursor, "a name after `let`", "write `let x = …;`"),
                }
                None
            }
        };
        let Some(name) = name else {
            // The value is still read for its own mistakes.
            cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';') && !c.is_word(0, "let"));
            match cursor.eat_sign('=') {
                true => drop(self.value(cursor, lost)),
                false => drop(cursor.eat_sign(';')),
            }
            return None;
        };
        let ty = cursor.eat_sign(':').then(|| {
            let tokens = cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';') && !c.is_word(0, "let"));
            self.ty(&mut Cursor::of(tokens, cursor.span()))
        });
        let value = match cursor.eat_sign('=') {
            true => self.value(cursor, lost),
            false => {
                self.expected(cursor, &format!("`=` and the value of `{}`", name.text), "write `let x = …;`");
                self.statement(cursor);
                cursor.eat_sign(';');
                Expr::broken(name.at)
            }
        };
        Some(Let { name, ty: ty.flatten(), value })
    }

    /// An expression: the result if it is the last one, else one without effect.
    fn last_or_stray(&mut self, function: &Name, cursor: &mut Cursor, lost: &mut bool) -> Option<Expr> {
        let returned = cursor.is_word(0, "return");
        if returned {
            self.syntax(cursor.span(), "`return` does not occur in networks", "the last expression is the result");
            cursor.next();
        }
        let first = cursor.clone();
        let tokens = self.statement(cursor);
        if let Some(at) = assignment(&tokens) {
            let span = tokens.get(at).map_or(first.span(), TokenTree::span);
            let target: String = tokens[..at].iter().map(|t| t.to_string()).collect();
            let help = match at {
                1 => format!("values do not change: write `let {target} = …;`"),
                _ => "values do not change: bind a new one, `let x = …;`".into(),
            };
            self.syntax(span, "assignments do not occur in networks", &help);
            cursor.eat_sign(';');
            *lost = true;
            return None;
        }
        let end = cursor.span();
        let (expression, left) = self.leading_expression(tokens, end);
        cursor.back(left);
        if left > 0 {
            self.missing_semicolon(cursor);
            *lost = true;
            return None;
        }
        let silent = *lost || returned || matches!(expression.kind, ExprKind::Broken);
        let ended = cursor.is_sign(0, ';');
        let semicolon = cursor.span();
        while cursor.eat_sign(';') {}
        if cursor.done() {
            if ended && !silent {
                let message = format!("function `{}` has no result: its last expression ends with `;`", function.text);
                let at = self.places.at(semicolon);
                self.report("N0516", at, message, "remove this `;`");
            }
            return Some(expression);
        }
        if !ended {
            self.syntax(cursor.span(), "expected `;` before this", "statements end with `;`, only the result has none");
            return None;
        }
        if !silent {
            let help = "bind the result, `let x = …;`, or remove it: operations change nothing";
            self.report("N0515", expression.at, "this statement has no effect", help);
        }
        None
    }

    /// The tokens up to the `;`, or up to a `let`, before which one is missing.
    fn statement(&mut self, cursor: &mut Cursor) -> Vec<TokenTree> {
        cursor.take_while(|c| !c.is_sign(0, ';') && !c.is_word(0, "let"))
    }
}

/// The position of a lone `=` or of `+=` and the like.
fn assignment(tokens: &[TokenTree]) -> Option<usize> {
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
            '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' => Some(i - 1),
            _ => Some(i),
        }
    })
}
