//! Build-time parameters: `<CHANNELS, STRIDE = 1>` and what is given for them, `<32, STRIDE = 2>`.

use proc_macro2::TokenTree;

use super::{Cursor, Parser, brief};
use crate::ast::{Argument, BuildParameter, Expr};

impl Parser<'_> {
    /// `<CHANNELS, STRIDE = 1>` after the name of a net or block; `None` if there is none.
    pub(super) fn build_parameters(&mut self, cursor: &mut Cursor) -> Option<Vec<BuildParameter>> {
        let mut parameters = vec![];
        for mut part in self.between_angles(cursor)? {
            if part.done() {
                continue; // Reported.
            }
            let const_ = part.eat_word("const");
            let Some(ident) = part.eat_ident() else {
                self.expected(&part, "the name of a parameter", "write `<CHANNELS, STRIDE = 1>`");
                self.lost = true;
                continue;
            };
            let name = self.name(&ident);
            if const_ || part.is_colon(0) {
                let help = format!("write `{}` alone", name.text);
                self.syntax(ident.span(), "build-time parameters have no type", &help);
                part.take_while(|c| !c.is_sign(0, '='));
            }
            let default = match part.eat_sign('=') {
                true => Some(self.build_value(&mut part)),
                false => {
                    if !part.done() {
                        self.expected(
                            &part,
                            &format!("`,`, `=` or `>` after `{ident}`"),
                            "write `<CHANNELS, STRIDE = 1>`",
                        );
                    }
                    None
                }
            };
            parameters.push(BuildParameter { name, default });
        }
        Some(parameters)
    }

    /// `<32, STRIDE = 2>` after the name of a block or template; `None` if there is none.
    pub(super) fn angles(&mut self, cursor: &mut Cursor) -> Option<Vec<Argument>> {
        let mut arguments = vec![];
        for mut part in self.between_angles(cursor)? {
            if part.done() {
                let value = Expr::broken(self.places.at(part.span()));
                arguments.push(Argument { name: None, value });
                continue;
            }
            let name = match part.peek() {
                Some(TokenTree::Ident(ident)) if part.is_sign(1, '=') && !part.is_sign(2, '=') => {
                    let ident = ident.clone();
                    part.next();
                    part.next();
                    Some(self.name(&ident))
                }
                _ => None,
            };
            let value = self.build_value(&mut part);
            arguments.push(Argument { name, value });
        }
        Some(arguments)
    }

    /// A number, a name or, in braces, an expression: all of `part`.
    fn build_value(&mut self, part: &mut Cursor) -> Expr {
        if part.is_braces(0) && part.peek_nth(1).is_none() {
            let Some(group) = part.eat_braces() else { return Expr::broken(self.places.at(part.span())) };
            let mut inside = Cursor::inside(&group);
            let tokens = inside.rest();
            return self.expression(tokens, inside.span());
        }
        let sign = usize::from(part.is_sign(0, '-'));
        let (end, start) = (part.end(), part.span());
        let tokens = part.rest();
        let plain = tokens.len() == 1 + sign && !matches!(tokens.last(), Some(TokenTree::Punct(_)));
        if !plain && !tokens.is_empty() {
            let text: Vec<String> = tokens.iter().map(|t| t.to_string()).collect();
            let help = format!("write `{{ {} }}`", brief(&text.join(" ")));
            self.syntax(start, "an expression between `<` and `>` stands in braces", &help);
        }
        self.expression(tokens, end)
    }

    /// What stands between `<` and `>`, split at its commas; what could not be read is empty.
    fn between_angles(&mut self, cursor: &mut Cursor) -> Option<Vec<Cursor>> {
        // `Gpt::<4>`, as Rust writes it in expressions.
        if cursor.is_path(0) && cursor.is_sign(2, '<') {
            self.syntax(cursor.span(), "`::` does not stand before `<`", "remove it");
            cursor.next();
            cursor.next();
        }
        let open = cursor.span();
        if !cursor.eat_sign('<') {
            return None;
        }
        let mut nested = None;
        let inside = cursor.take_while(|c| {
            // A group or part after a name or number belongs to what follows: `block Wide<D(x: …)`.
            let next = c.is_braces(0) || c.is_parentheses(0) || (c.is_ident(0) && c.is_colon(1));
            let body = next && !c.was_any_sign() && !c.was_word("const");
            if c.is_sign(0, '<') {
                nested = Some(c.span());
            }
            !(c.is_sign(0, '>') || c.is_arrow() || c.is_sign(0, ';') || body)
        });
        let end = cursor.span();
        if !cursor.eat_sign('>') {
            self.syntax(open, "this `<` is not closed", "write `>` after the last parameter");
            self.lost = true;
        }
        if let Some(inner) = nested {
            let help = "build-time parameters are sizes and truth values, not blocks";
            self.syntax(inner, "`<…>` does not occur in `<…>`", help);
            self.lost = true;
            return Some(vec![Cursor::of(vec![], end)]);
        }
        let mut parts = vec![];
        for part in Cursor::of(inside, end).split_commas() {
            match part.done() {
                true => self.syntax(part.span(), "expected a parameter, found `,`", "remove the comma"),
                false => parts.push(part),
            }
        }
        Some(parts)
    }
}
