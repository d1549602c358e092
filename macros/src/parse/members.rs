//! What stands in nets and blocks beside functions and statements: constants, parts, rules.

use super::attributes::{Bearer, Raw};
use super::statement::assignment;
use super::{Cursor, Parser, skip_item};
use crate::ast::{Constant, ConstantKind, Expr, ExprKind, Head, Members};

/// Whether a constant, a rule or a part starts here, after its attributes.
pub(super) fn is_member(cursor: &Cursor) -> bool {
    let n = cursor.attributes();
    let declared = |word| cursor.is_word(n, word) && cursor.is_ident(n + 1);
    let part = cursor.is_ident(n) && cursor.is_colon(n + 1);
    part || cursor.is_word(n, "const") || cursor.is_word(n, "where") || declared("param") || declared("state")
}

/// Whether an item of a net or block seems to start here.
pub(super) fn starts_member(cursor: &Cursor) -> bool {
    let word = ["pub", "fn", "train", "let"].iter().any(|w| cursor.is_word(0, w));
    word || cursor.is_sign(0, '#') || is_member(cursor)
}

impl Parser<'_> {
    /// A constant, a rule or a part, which [`is_member`]; `false` if it could not be read.
    pub(super) fn member(&mut self, head: Head, attributes: Raw, cursor: &mut Cursor, members: &mut Members) -> bool {
        if cursor.is_colon(1) {
            return self.part(head, attributes, cursor, members);
        }
        if cursor.is_word(0, "const") {
            self.no_attributes(attributes, Bearer::Other);
            let constant = self.constant(head, cursor);
            let read = constant.is_some();
            members.constants.extend(constant);
            return read;
        }
        if cursor.is_word(0, "where") {
            self.no_attributes(attributes, Bearer::Other);
            self.rules(cursor, members);
            return true;
        }
        self.tensor(head, attributes, cursor, members)
    }

    /// `const D: usize = 256;`; `None` if not even the name could be read.
    pub(super) fn constant(&mut self, head: Head, cursor: &mut Cursor) -> Option<Constant> {
        cursor.next();
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "the name of the constant", "write `const D: usize = 256;`");
            skip_item(cursor);
            return None;
        };
        let name = self.name(&ident);
        let mut kind = ConstantKind::Size;
        if cursor.eat_sign(':') {
            let ty = cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';'));
            let text: Vec<String> = ty.iter().map(|token| token.to_string()).collect();
            match ConstantKind::ALL.iter().find(|(name, _)| text == [*name]) {
                Some((_, found)) => kind = *found,
                None => {
                    let span = ty.first().map_or(cursor.span(), |t| t.span());
                    let message = "a constant is a `usize`, an `f32` or a `bool`";
                    self.syntax(span, message, "write `const D: usize = 256;`, `const RATE: f32 = 0.1;`");
                }
            }
        } else if cursor.is_sign(0, '=') {
            let message = format!("the type of `{ident}` is missing");
            self.syntax(ident.span(), message, &format!("write `const {ident}: usize = …;`"));
        }
        let value = match cursor.eat_sign('=') {
            true => self.initial(cursor),
            false => {
                self.expected(cursor, "`=` and the value of the constant", "write `const D: usize = 256;`");
                cursor.take_while(|c| !c.is_sign(0, ';'));
                Expr::broken(name.at)
            }
        };
        self.semicolon(cursor);
        Some(Constant { head, name, kind, value })
    }

    /// The value of a constant, `param` or `state`: up to the `;`, or to where one is missing.
    pub(super) fn initial(&mut self, cursor: &mut Cursor) -> Expr {
        let tokens = cursor.take_while(|c| !c.is_sign(0, ';') && !starts_member(c));
        self.expression(tokens, cursor.span())
    }

    /// `where T <= CONTEXT, D % HEADS == 0;`.
    fn rules(&mut self, cursor: &mut Cursor, members: &mut Members) {
        const FORM: &str = "write `where T <= CONTEXT, D % HEADS == 0;`";
        cursor.next();
        let tokens = cursor.take_while(|c| !c.is_sign(0, ';') && !starts_member(c));
        let end = cursor.span();
        let parts = Cursor::of(tokens, end).split_commas();
        if parts.is_empty() {
            self.expected(cursor, "a rule after `where`", FORM);
        }
        for mut part in parts {
            if part.done() {
                self.syntax(part.span(), "expected a rule, found `,`", "remove the comma");
                continue;
            }
            let (end, start) = (part.end(), part.clone());
            if let Some(sign) = assignment(&start.clone().rest()) {
                let span = start.peek_nth(sign).map_or(end, |t| t.span());
                self.syntax(span, "a rule compares: `=` assigns", "write `==`");
                continue;
            }
            let rule = self.expression(part.rest(), end);
            match &rule.kind {
                ExprKind::Broken => {}
                ExprKind::Binary(f, ..) if f.is_comparison() => members.rules.push(rule),
                ExprKind::And(..) => {
                    self.report("N0601", rule.at, "rules are separated by `,`", FORM);
                }
                _ => self.report("N0601", rule.at, "a rule is a comparison of sizes", FORM),
            }
        }
        self.semicolon(cursor);
    }

    /// The `;` after an item of which `before` mistakes were known: if there are more, a missing one is not another.
    pub(super) fn semicolon_after(&mut self, before: usize, cursor: &mut Cursor) {
        if self.diagnostics.len() == before {
            return self.semicolon(cursor);
        }
        cursor.take_while(|c| !c.is_sign(0, ';') && !starts_member(c));
        cursor.eat_sign(';');
    }

    /// The `;` after an item. If it is missing and the next item starts, that is all that is wrong.
    pub(super) fn semicolon(&mut self, cursor: &mut Cursor) {
        if cursor.eat_sign(';') {
            return;
        }
        if cursor.done() || starts_member(cursor) || cursor.is_sign(0, ',') {
            self.syntax(cursor.last_span(), "expected `;` after this", "items of a net or block end with `;`");
            cursor.eat_sign(',');
            return;
        }
        self.expected(cursor, "`;`", "is the `;` of what stands before it missing?");
        self.lost = true;
        cursor.take_while(|c| !c.is_sign(0, ';') && !starts_member(c));
        cursor.eat_sign(';');
    }
}
