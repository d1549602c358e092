//! Bodies: statements and a last expression.

use proc_macro2::{Group, TokenTree};

use super::attributes::Bearer;
use super::members::is_member;
use super::net::tells_type;
use super::statement::assignment;
use super::{Cursor, Parser, refuse};
use crate::ast::{Body, Expr, FLOAT, Members, Name, Statement};

/// What a body is for.
#[derive(Clone, Copy)]
pub(super) enum Wants<'a> {
    /// Its last expression is the result of this: `function `f``.
    Value(&'a str),
    /// Nothing: a round of a `for`, a branch of an `if` among statements.
    Nothing,
}

impl Parser<'_> {
    /// What stands between the braces of `what`, whose result is the last expression.
    pub(super) fn body(&mut self, what: &str, group: &Group) -> Body {
        self.whole(what, group, None)
    }

    /// What stands between the braces of a block.
    pub(super) fn block_body(&mut self, name: &Name, group: &Group, members: &mut Members) -> Body {
        self.whole(&format!("block `{}`", name.text), group, Some(members))
    }

    /// Statements without a result, and the expression at their end that is none.
    pub(super) fn rounds(&mut self, group: &Group) -> (Vec<Statement>, Option<Expr>) {
        let mut cursor = Cursor::inside(group);
        self.deeper(group.span(), |parser| parser.statements(&mut cursor, Wants::Nothing, None)).unwrap_or_default()
    }

    fn whole(&mut self, what: &str, group: &Group, members: Option<&mut Members>) -> Body {
        let mut cursor = Cursor::inside(group);
        let read = self.deeper(group.span(), |parser| parser.statements(&mut cursor, Wants::Value(what), members));
        let (statements, tail) = read.unwrap_or_default();
        let tail = tail.unwrap_or_else(|| {
            let at = self.places.at(group.span_close());
            if !self.lost {
                let help = match statements.last() {
                    Some(Statement::If { otherwise, .. }) if otherwise.is_empty() => {
                        "an `if` that gives the result has an `else`"
                    }
                    _ => "end it with an expression without `;`",
                };
                self.report("N0516", at, format!("{what} has no result"), help);
            }
            Expr::broken(at)
        });
        Body { statements, tail }
    }

    /// Statements (and, in a block, its members) up to the end, with the last expression if there is one without a `;`.
    fn statements(
        &mut self,
        cursor: &mut Cursor,
        wants: Wants,
        mut members: Option<&mut Members>,
    ) -> (Vec<Statement>, Option<Expr>) {
        let mut statements = vec![];
        let mut tail = None;
        while !cursor.done() {
            if cursor.eat_sign(';') {
                continue;
            }
            if let Some(members) = members.as_deref_mut().filter(|_| is_member(cursor)) {
                let (head, attributes) = self.head(cursor);
                if tells_type(cursor) {
                    let (message, help) = match cursor.is_word(0, FLOAT) {
                        true => (
                            "a block has no float type of its own",
                            "leave it out, and write `float[…]`: a block has the float type of the net that uses it",
                        ),
                        false => (
                            "a block has no precision of its own",
                            "leave it out: a block computes as the function that uses it",
                        ),
                    };
                    self.no_item(cursor.span(), message, help, cursor);
                    continue;
                }
                self.lost |= !self.member(head, attributes, cursor, members);
                continue;
            }
            if cursor.is_sign(0, '#') {
                let (_, attributes) = self.head(cursor);
                self.no_attributes(attributes, Bearer::Other);
                continue;
            }
            if let Some(word) = refuse::statement(cursor) {
                let span = cursor.span();
                self.refuse(span, word);
                refuse::skip_statement(cursor);
                self.lost = true;
                // As the last thing, or with an operator after it, it was meant as the result.
                if cursor.done() {
                    tail = Some(Expr::broken(self.places.at(span)));
                }
                continue;
            }
            if let Some(word) =
                ["fn", "pub", "block", "net"].into_iter().find(|w| cursor.is_word(0, w) && !cursor.is_sign(1, '.'))
                && cursor.is_ident(1)
            {
                let help = "functions stand in nets; blocks and nets beside each other";
                self.no_item(cursor.span(), &format!("`{word}` does not occur in a body"), help, cursor);
                self.lost = true;
                continue;
            }
            if cursor.is_word(0, "let") {
                self.let_(cursor, &mut statements);
            } else if cursor.is_word(0, "for") {
                self.for_(cursor, &mut statements);
            } else if cursor.is_word(0, "assert") && cursor.is_sign(1, '!') {
                self.assert(cursor, &mut statements);
            } else if cursor.is_word(0, "if") && !self.gives_a_value(cursor, wants) {
                let (one, stray) = self.if_(cursor);
                statements.extend(one);
                stray.iter().for_each(|stray| self.no_effect(stray, wants));
                statements.extend(stray.map(Statement::Stray));
            } else if let Some(expression) = self.last_or_stray(cursor, wants, &mut statements) {
                tail = Some(expression);
            }
        }
        (statements, tail)
    }

    /// Whether the `if` here is an expression: the last thing where a result belongs, or with an operator after it.
    fn gives_a_value(&self, cursor: &Cursor, wants: Wants) -> bool {
        let mut after = cursor.clone();
        let mut otherwise = false;
        loop {
            after.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';'));
            after.next();
            if !after.eat_word("else") {
                break;
            }
            otherwise |= after.is_braces(0);
        }
        match after.peek() {
            None => otherwise && matches!(wants, Wants::Value(_)),
            Some(TokenTree::Punct(sign)) => !matches!(sign.as_char(), ';' | '#' | '-' | '!' | '*' | '&' | '\''),
            Some(_) => false,
        }
    }

    /// An expression: the result if it is the last one, else an assignment, or one without effect.
    fn last_or_stray(&mut self, cursor: &mut Cursor, wants: Wants, statements: &mut Vec<Statement>) -> Option<Expr> {
        let returned = cursor.is_word(0, "return");
        if returned {
            self.syntax(cursor.span(), "`return` does not occur in networks", "the last expression is the result");
            cursor.next();
        }
        let tokens = self.statement(cursor);
        if let Some(at) = assignment(&tokens) {
            self.assign(tokens, at, cursor, statements);
            return None;
        }
        let end = cursor.span();
        let (expression, left) = self.leading_expression(tokens, end);
        cursor.back(left);
        if left > 0 {
            if !expression.is_broken() {
                self.missing_semicolon(cursor);
            }
            self.lost = true;
            statements.push(Statement::Stray(expression));
            return None;
        }
        let silent = self.lost || returned || expression.is_broken();
        let ended = cursor.is_sign(0, ';');
        let semicolon = cursor.span();
        while cursor.eat_sign(';') {}
        match wants {
            Wants::Value(what) if cursor.done() => {
                if ended && !silent {
                    let message = format!("{what} has no result: its last expression ends with `;`");
                    let at = self.places.at(semicolon);
                    self.report("N0516", at, message, "remove this `;`");
                }
                return Some(expression);
            }
            Wants::Nothing if cursor.done() && !ended => return Some(expression),
            _ if !ended => {
                if !expression.is_broken() {
                    let help = "statements end with `;`, only the result has none";
                    self.syntax(cursor.span(), "expected `;` before this", help);
                }
                self.lost = true;
            }
            _ if !silent => self.no_effect(&expression, wants),
            _ => {}
        }
        statements.push(Statement::Stray(expression));
        None
    }

    /// Reports an expression whose value nothing uses.
    pub(super) fn no_effect(&mut self, expression: &Expr, wants: Wants) {
        if expression.is_broken() || self.lost {
            return;
        }
        let help = match wants {
            Wants::Value(_) => "bind the result, `let x = …;`, or remove it: operations change nothing",
            Wants::Nothing => "assign the result, `x = …;`, or remove it: operations change nothing",
        };
        self.report("N0515", expression.at, "this statement has no effect", help);
    }

    /// After a value, something else than `;` follows: most likely the next statement, which is read for its own mistakes.
    pub(super) fn missing_semicolon(&mut self, cursor: &mut Cursor) {
        if self.no_such_operator(cursor) {
            self.statement(cursor);
            cursor.eat_sign(';');
            return;
        }
        let help = "is the `;` of the statement before it missing?";
        self.expected(cursor, "`;` or an operator", help);
        if !cursor.is_ident(0) {
            self.statement(cursor);
            cursor.eat_sign(';');
        }
    }

    /// The tokens up to the `;`, or up to a `let` or `for`, before which one is missing.
    pub(super) fn statement(&mut self, cursor: &mut Cursor) -> Vec<TokenTree> {
        let mut first = true;
        cursor.take_while(|c| {
            let starts = !first && (c.is_word(0, "let") || c.is_word(0, "for")) && !c.was_word("if");
            first = false;
            !c.is_sign(0, ';') && !starts
        })
    }
}
