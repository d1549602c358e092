//! Functions: their heads.

use proc_macro2::{Delimiter, Group};

use super::attributes::Raw;
use super::file::starts_item;
use super::{Cursor, Parser, skip_item};
use crate::ast::{Function, Head, Name, Parameter, Promise, Train};

/// How a function is written, for messages.
const FUNCTION: &str = "write `fn name(x: f32[N, 4]) -> f32[N, 2] { … }`";

impl Parser<'_> {
    /// `[train] fn name(x: f32[N, 4]) -> f32[N, 2] { … }`; `None` if not even the name could be read.
    pub(super) fn function(&mut self, head: Head, attributes: Raw, cursor: &mut Cursor) -> Option<Function> {
        let (memory, precision) = self.function_attributes(attributes);
        let train = self.train(cursor);
        if !cursor.eat_word("fn") {
            self.expected(cursor, "`fn` after `train`", "write `train fn loss(…) -> f32 { … }`");
            skip_item(cursor);
            return None;
        }
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "the name of the function", FUNCTION);
            skip_item(cursor);
            return None;
        };
        let name = self.name(&ident);
        self.lost = false;
        if cursor.is_sign(0, '<') {
            let help = "size names in the types of the arguments need no declaration";
            self.syntax(cursor.span(), "functions of a net have no `<…>`", help);
            cursor.take_while(|c| !c.is_parentheses(0) && !c.is_braces(0));
        }
        let parameters = self.inputs(&format!("fn {ident}"), FUNCTION, cursor);
        let result = self.result(&ident.to_string(), cursor);
        let body = match cursor.eat_braces() {
            Some(body) => self.body(&format!("function `{}`", name.text), &body),
            None => self.no_body("function", &ident, cursor),
        };
        let lost = std::mem::replace(&mut self.lost, false);
        Some(Function { head, train, memory, precision, name, parameters, result, body, lost })
    }

    /// `train`, `train[generator, encoder]`.
    fn train(&mut self, cursor: &mut Cursor) -> Option<Train> {
        if !cursor.eat_word("train") {
            return None;
        }
        let Some(group) = cursor.eat_group(Delimiter::Bracket) else { return Some(Train { names: None }) };
        let mut names: Vec<Name> = vec![];
        for mut part in Cursor::inside(&group).split_commas() {
            match part.eat_ident() {
                Some(ident) if part.done() => names.push(self.name(&ident)),
                found => {
                    part.back(usize::from(found.is_some() && part.done()));
                    let help = "write `train[generator] fn`: parts of the net, by name";
                    self.expected(&part, "the name of a layer, block, array or `param`", help);
                }
            }
        }
        if names.is_empty() && Cursor::inside(&group).done() {
            self.syntax(group.span(), "a `train` list without names", "write `train fn` to update everything");
            return Some(Train { names: None });
        }
        Some(Train { names: Some(names) })
    }

    /// `(x: f32[N, 4], …)` after `what`.
    pub(super) fn inputs(&mut self, what: &str, form: &str, cursor: &mut Cursor) -> Vec<Parameter> {
        match cursor.eat_group(Delimiter::Parenthesis) {
            Some(group) => self.parameters(&group),
            None => {
                self.expected(cursor, &format!("`(` after `{what}`"), form);
                cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';') && !c.is_arrow());
                self.lost = true;
                vec![]
            }
        }
    }

    fn parameters(&mut self, group: &Group) -> Vec<Parameter> {
        let mut parameters = vec![];
        for mut part in Cursor::inside(group).split_commas() {
            if part.is_sign(0, '#') {
                let span = part.span();
                let (head, attributes) = self.head(&mut part);
                match head.docs.is_empty() && attributes.len() == 1 {
                    true => self.no_attributes(attributes, super::attributes::Bearer::Other),
                    false => {
                        self.syntax(span, "arguments have no doc comments", "describe them in the function's");
                    }
                }
            }
            if part.is_sign(0, '&') || part.is_word(0, "self") || (part.is_word(0, "mut") && part.is_word(1, "self")) {
                let help = "call layers and functions by their names";
                match part.rest().iter().find(|t| t.to_string() == "self") {
                    Some(token) => self.syntax(token.span(), "functions of a net have no `self`", help),
                    None => self.syntax(group.span(), "expected `name: type`", ""),
                }
                self.lost = true;
                continue;
            }
            if part.is_word(0, "mut") {
                self.syntax(part.span(), "arguments are not `mut`", "bind a new name: `let mut x = x;`");
                part.next();
            }
            let Some(ident) = part.eat_ident() else {
                self.expected(&part, "an argument", "write `name: f32[N, 4]`");
                self.lost = true;
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

    /// `-> f32[N, 10]`, `-> (f32, f32[N, 10])`.
    pub(super) fn result(&mut self, name: &str, cursor: &mut Cursor) -> Option<Promise> {
        if !cursor.is_arrow() {
            let message = format!("`{name}` promises no result");
            let span = cursor.last_span();
            let help = "write `-> f32[N, 10]` after the arguments; `_` stands for a size to be inferred";
            self.syntax(span, message, help);
            cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';'));
            return None;
        }
        cursor.next();
        cursor.next();
        let ends = |c: &Cursor| c.is_word(0, "where") || c.is_word(0, "fn") || c.is_word(0, "train") || starts_item(c);
        let tokens = cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';') && !ends(c));
        let end = cursor.span();
        if cursor.is_word(0, "where") {
            let help = "write `where T <= CONTEXT;` inside the braces of the net or block";
            self.syntax(cursor.span(), "rules do not stand before the body", help);
            cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';'));
        }
        self.promise(&mut Cursor::of(tokens, end))
    }
}
