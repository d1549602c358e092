//! Functions: their heads.

use proc_macro2::{Delimiter, Group};

use super::{Cursor, Head, Parser, skip_item};
use crate::ast::{Function, Parameter, Type};

impl Parser<'_> {
    /// `[train] fn name(x: f32[N, 4]) -> f32[N, 2] { … }`; `None` if not even the name could be read.
    pub(super) fn function(&mut self, head: Head, cursor: &mut Cursor) -> Option<Function> {
        let train = cursor.eat_word("train");
        if train && cursor.is_group(0, Delimiter::Bracket) {
            self.refuse(cursor.span(), "train list");
            cursor.next();
        }
        if !cursor.eat_word("fn") {
            self.expected(cursor, "`fn` after `train`", "write `train fn loss(…) -> f32 { … }`");
            skip_item(cursor);
            return None;
        }
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "the name of the function", "write `fn name(x: f32[N, 4]) -> f32[N, 2] { … }`");
            skip_item(cursor);
            return None;
        };
        let name = self.name(&ident);
        let mut lost = false;
        if cursor.is_sign(0, '<') {
            let help = "size names in the types of the arguments need no declaration";
            self.syntax(cursor.span(), "functions of a net have no `<…>`", help);
            cursor.take_while(|c| !c.is_group(0, Delimiter::Parenthesis) && !c.is_group(0, Delimiter::Brace));
        }
        let parameters = match cursor.eat_group(Delimiter::Parenthesis) {
            Some(group) => self.parameters(&group, &mut lost),
            None => {
                let wanted = format!("`(` after `fn {ident}`");
                self.expected(cursor, &wanted, "write `fn name(x: f32[N, 4]) -> f32[N, 2] { … }`");
                cursor.take_while(|c| !c.is_group(0, Delimiter::Brace) && !c.is_sign(0, ';') && !c.is_arrow());
                lost = true;
                vec![]
            }
        };
        let result = self.result(&ident.to_string(), cursor);
        let (lets, tail) = match cursor.eat_group(Delimiter::Brace) {
            Some(body) => self.body(&name, &body, &mut lost),
            None => {
                self.expected(cursor, "`{` and the body of the function", "");
                skip_item(cursor);
                lost = true;
                (vec![], crate::ast::Expr::broken(name.at))
            }
        };
        let Head { docs, visibility } = head;
        Some(Function { docs, visibility, train, name, parameters, result, lets, tail, lost })
    }

    fn parameters(&mut self, group: &Group, lost: &mut bool) -> Vec<Parameter> {
        let mut parameters = vec![];
        for mut part in Cursor::inside(group).split_commas() {
            let docs = self.head(&mut part);
            if !docs.docs.is_empty() {
                self.syntax(part.span(), "arguments have no doc comments", "describe them in the function's");
            }
            if part.is_sign(0, '&') || part.is_word(0, "self") || (part.is_word(0, "mut") && part.is_word(1, "self")) {
                let help = "call layers and functions by their names";
                match part.rest().iter().find(|t| t.to_string() == "self") {
                    Some(token) => self.syntax(token.span(), "functions of a net have no `self`", help),
                    None => self.syntax(group.span(), "expected `name: type`", ""),
                }
                *lost = true;
                continue;
            }
            if part.is_word(0, "mut") {
                self.syntax(part.span(), "arguments are not `mut`", "shadow the name: `let x = …;`");
                part.next();
            }
            let Some(ident) = part.eat_ident() else {
                self.expected(&part, "an argument", "write `name: f32[N, 4]`");
                *lost = true;
                continue;
            };
            let name = self.name(&ident);
            let ty = match part.eat_sign(':') {
                true => self.ty(&mut part),
                false => {
                    let wanted = format!("`:` and the type of `{ident}`");
                    self.expected(&part, &wanted, &format!("write `{ident}: f32[N, 4]`"));
                    None
                }
            };
            parameters.push(Parameter { name, ty });
        }
        parameters
    }

    fn result(&mut self, function: &str, cursor: &mut Cursor) -> Option<Type> {
        if !cursor.is_arrow() {
            let message = format!("`{function}` promises no result");
            let span = cursor.last_span();
            let help = "write `-> f32[N, 10]` after the arguments; `_` stands for a size to be inferred";
            self.syntax(span, message, help);
            cursor.take_while(|c| !c.is_group(0, Delimiter::Brace) && !c.is_sign(0, ';'));
            return None;
        }
        cursor.next();
        cursor.next();
        let tokens =
            cursor.take_while(|c| !c.is_group(0, Delimiter::Brace) && !c.is_sign(0, ';') && !c.is_word(0, "where"));
        if cursor.is_word(0, "where") {
            self.refuse(cursor.span(), "where");
            cursor.take_while(|c| !c.is_group(0, Delimiter::Brace) && !c.is_sign(0, ';'));
        }
        let mut ty = Cursor::of(tokens, cursor.span());
        if ty.is_group(0, Delimiter::Parenthesis) {
            self.refuse(ty.span(), "tuples as results");
            return None;
        }
        self.ty(&mut ty)
    }
}
