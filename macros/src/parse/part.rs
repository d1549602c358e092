//! Parts of nets and blocks: layers, blocks, arrays of them, `param` and `state`.

use proc_macro2::{Delimiter, Group};

use super::attributes::{Bearer, Raw};
use super::members::starts_member;
use super::{Cursor, Parser, skip_item};
use crate::ast::{Argument, Head, Make, Member, Members, Name, Part};

/// How a part is written, for messages.
const PART: &str = "write `name: Linear(10);`";

impl Parser<'_> {
    /// `conv1: Conv2d(20, kernel_size = 5);`.
    pub(super) fn part(&mut self, head: Head, attributes: Raw, cursor: &mut Cursor, members: &mut Members) -> bool {
        let Some(ident) = cursor.eat_ident() else { return false };
        let name = self.name(&ident);
        cursor.eat_sign(':');
        let attributes = self.part_attributes(attributes, Bearer::Part);
        let before = self.diagnostics.len();
        let member = self.made(cursor);
        members.parts.push(Part { docs: head.docs, attributes, name, member });
        self.semicolon_after(before, cursor);
        true
    }

    /// `param scale: f32[D] = ones;`, `state h: f32[N, 256] = zeros;`.
    pub(super) fn tensor(&mut self, head: Head, attributes: Raw, cursor: &mut Cursor, members: &mut Members) -> bool {
        let state = cursor.is_word(0, "state");
        let (word, form, place) = match state {
            true => ("state", "write `state h: f32[N, 256] = zeros;`", Bearer::State),
            false => ("param", "write `param scale: f32[256] = ones;`", Bearer::Part),
        };
        cursor.next();
        let Some(ident) = cursor.eat_ident() else {
            skip_item(cursor);
            return false;
        };
        let name = self.name(&ident);
        let attributes = self.part_attributes(attributes, place);
        let before = self.diagnostics.len();
        let ty = match cursor.eat_sign(':') {
            true => {
                let tokens = cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';') && !starts_member(c));
                self.ty(&mut Cursor::of(tokens, cursor.span()))
            }
            false => {
                self.expected(cursor, &format!("`:` and the type of `{ident}`"), form);
                cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';') && !starts_member(c));
                None
            }
        };
        let value = match cursor.eat_sign('=') {
            true => Some(self.initial(cursor)),
            false => {
                self.expected(cursor, &format!("`=` and the first value of the {word}"), form);
                cursor.take_while(|c| !c.is_sign(0, ';') && !starts_member(c));
                None
            }
        };
        let member = match (ty, value) {
            (Some(ty), Some(value)) => match state {
                true => Member::State(ty, value),
                false => Member::Param(ty, value),
            },
            _ => Member::Broken,
        };
        members.parts.push(Part { docs: head.docs, attributes, name, member });
        self.semicolon_after(before, cursor);
        true
    }

    /// `Conv2d(20)`, `Residual<16>`, `[Residual<16>; 3]`, `if … { … }`: up to what no longer belongs to it.
    fn made(&mut self, cursor: &mut Cursor) -> Member {
        let span = cursor.span();
        self.deeper(span, |parser| parser.made_here(cursor)).unwrap_or_else(|| {
            cursor.take_while(|c| !c.is_sign(0, ';'));
            Member::Broken
        })
    }

    fn made_here(&mut self, cursor: &mut Cursor) -> Member {
        if let Some(group) = cursor.eat_group(Delimiter::Bracket) {
            return self.array(&group);
        }
        if cursor.is_word(0, "if") {
            return self.choice(cursor);
        }
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "a layer or block", PART);
            cursor.take_while(|c| !c.is_sign(0, ';') && !starts_member(c));
            return Member::Broken;
        };
        if cursor.is_path(0) && !cursor.is_sign(2, '<') {
            let help = "write the name alone, `Linear(10);`; blocks of other modules come by `use`";
            self.syntax(ident.span(), "kinds of layers have no path", help);
            cursor.take_while(|c| !c.is_sign(0, ';') && (c.is_path(0) || !starts_member(c)));
            return Member::Broken;
        }
        let kind = self.name(&ident);
        let angles = self.angles(cursor);
        let parens = cursor.eat_group(Delimiter::Parenthesis).map(|group| self.arguments(&group));
        if cursor.is_braces(0) {
            let help = format!("arguments stand in parentheses: `{}(…)`", kind.text);
            self.expected(cursor, "`;`", &help);
            cursor.next();
            return Member::Broken;
        }
        Member::Make(Make { kind, angles, parens })
    }

    /// `[Residual<16>; 3]`, `[Residual<32, 2>, Residual<32>]`.
    fn array(&mut self, group: &Group) -> Member {
        let mut inside = Cursor::inside(group);
        if inside.done() {
            self.syntax(group.span(), "an array of no layers", "write `[Linear(10); 3]` or `[Linear(10), Linear(5)]`");
            return Member::Broken;
        }
        let first = self.made(&mut inside);
        if inside.eat_sign(';') {
            let tokens = inside.rest();
            if matches!(first, Member::Broken) {
                return first;
            }
            let count = self.expression(tokens, inside.span());
            return Member::Repeat(Box::new(first), Box::new(count));
        }
        let mut list = vec![first];
        while !inside.done() {
            if !inside.eat_sign(',') {
                let wanted = if list.len() == 1 { "`,` or `;`" } else { "`,`" };
                self.expected(&inside, wanted, "write `[Linear(10); 3]` or `[Linear(10), Linear(5)]`");
                inside.rest();
                list.push(Member::Broken);
            } else if !inside.done() {
                let one = self.made(&mut inside);
                if matches!(one, Member::Broken) {
                    inside.take_while(|c| !c.is_sign(0, ','));
                }
                list.push(one);
            }
        }
        Member::List(list)
    }

    /// `if STRIDE != 1 { Conv2d(…) } else { … }`.
    fn choice(&mut self, cursor: &mut Cursor) -> Member {
        cursor.next();
        let condition = self.condition(cursor);
        let Some(then) = cursor.eat_braces() else {
            self.expected(cursor, "`{` after the condition", "write `if WIDTH > 8 { Linear(10) } else { Linear(5) }`");
            cursor.take_while(|c| !c.is_sign(0, ';') && !starts_member(c));
            return Member::Broken;
        };
        let then = self.only(&then);
        let otherwise = match cursor.eat_word("else") {
            false => None,
            true if cursor.is_word(0, "if") => Some(self.made(cursor)),
            true => match cursor.eat_braces() {
                Some(group) => Some(self.only(&group)),
                None => {
                    self.expected(cursor, "`{` or `if` after `else`", "");
                    Some(Member::Broken)
                }
            },
        };
        Member::If(Box::new(condition), Box::new(then), otherwise.map(Box::new))
    }

    /// The one part in the braces of an `if`.
    fn only(&mut self, group: &Group) -> Member {
        let mut inside = Cursor::inside(group);
        let member = self.made(&mut inside);
        if !inside.done() && !matches!(member, Member::Broken) {
            let help = match inside.is_sign(0, ';') {
                true => "remove the `;`: it stands after the whole `if`",
                false => "write `if WIDTH > 8 { Linear(10) } else { Linear(5) }`",
            };
            self.expected(&inside, "`}` after the layer", help);
        }
        member
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
            let name = match (part.is_ident(0), separator) {
                (true, Some(separator)) => part.eat_ident().map(|ident| {
                    let name = Name { text: ident.to_string(), at: self.places.at(ident.span()) };
                    if separator == ':' {
                        let help = format!("write `{} = …`", name.text);
                        self.syntax(part.span(), "arguments are given with `=`", &help);
                    }
                    part.next();
                    name
                }),
                _ => None,
            };
            let tokens = part.rest();
            let value = self.argument_tokens(tokens, part.span());
            arguments.push(Argument { name, value });
        }
        arguments
    }
}
