//! The items of a net: constants, layers, functions.

use proc_macro2::{Delimiter, Group, TokenTree};

use super::{Cursor, Head, Parser, refuse, skip_item};
use crate::ast::{Argument, Constant, Layer, Name, Net};

/// What an item may be, for messages.
const ITEM: &str = "a layer, `const` or `fn`";

impl Parser<'_> {
    /// What stands between the braces of a net.
    pub(super) fn net(&mut self, head: Head, name: Name, body: &Group) -> Net {
        let mut net = Net {
            docs: head.docs,
            visibility: head.visibility,
            name,
            constants: vec![],
            layers: vec![],
            functions: vec![],
            lost: false,
        };
        let mut cursor = Cursor::inside(body);
        while !cursor.done() {
            if !self.net_item(&mut cursor, &mut net) {
                net.lost = true;
            }
        }
        net
    }

    /// One item; `false` if it could not be read.
    fn net_item(&mut self, cursor: &mut Cursor, net: &mut Net) -> bool {
        if cursor.is_sign(0, ';') {
            cursor.next(); // A stray semicolon does no harm.
            return true;
        }
        let head = self.head(cursor);
        if let Some(word) = refuse::item(cursor) {
            self.refuse(cursor.span(), word);
            skip_item(cursor);
            return false;
        }
        if cursor.is_word(0, "fn") || (cursor.is_word(0, "train") && !cursor.is_colon(1)) {
            return match self.function(head, cursor) {
                Some(function) => {
                    net.functions.push(function);
                    true
                }
                None => false,
            };
        }
        if !head.visibility.is_empty() {
            self.expected(
                cursor,
                "`fn` or `train fn` after `pub`",
                "layers and constants belong to the net: leave out `pub`",
            );
            if !(cursor.is_colon(1) || cursor.is_word(0, "const")) {
                skip_item(cursor);
                return false;
            }
        }
        if cursor.is_word(0, "const") {
            return self.constant(cursor, net);
        }
        if cursor.is_ident(0) && cursor.is_colon(1) {
            return self.layer(cursor, net);
        }
        let help = match (cursor.peek(), cursor.peek_nth(1)) {
            (None, _) => "a doc comment stands before what it describes".into(),
            (Some(TokenTree::Ident(word)), _) if word == "let" => "`let` stands inside a function".into(),
            (Some(TokenTree::Ident(word)), _) if word == "train" => "write `train fn loss(…) -> f32 { … }`".into(),
            (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(_))) => {
                let meant = match word.to_string().as_str() {
                    "func" | "function" | "def" | "fun" => Some("fn"),
                    word => castnet_graph::diagnostic::did_you_mean(word, ["fn", "train", "const", "pub"]),
                };
                meant.map_or("declare a layer with `name: Linear(10);`".into(), |m| format!("did you mean `{m}`?"))
            }
            (Some(TokenTree::Ident(word)), Some(TokenTree::Punct(p))) if p.as_char() == '=' => {
                format!("declare a layer with `:`, as in `{word}: Linear(10);`")
            }
            _ => "declare a layer with `name: Linear(10);`".into(),
        };
        self.expected(cursor, ITEM, &help);
        skip_item(cursor);
        false
    }

    /// `const D: usize = 256;`.
    fn constant(&mut self, cursor: &mut Cursor, net: &mut Net) -> bool {
        cursor.next();
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "the name of the constant", "write `const D: usize = 256;`");
            skip_item(cursor);
            return false;
        };
        let name = self.name(&ident);
        if cursor.eat_sign(':') {
            let ty = cursor.take_while(|c| !c.is_sign(0, '=') && !c.is_sign(0, ';'));
            if ty.len() != 1 || ty[0].to_string() != "usize" {
                let span = ty.first().map_or(cursor.span(), |t| t.span());
                self.syntax(span, "constants of a net are sizes", "write `const D: usize = 256;`");
            }
        } else if cursor.is_sign(0, '=') {
            let message = format!("the type of `{ident}` is missing");
            self.syntax(ident.span(), message, &format!("write `const {ident}: usize = …;`"));
        }
        let value = match cursor.eat_sign('=') {
            true => {
                let tokens = cursor.take_while(|c| !c.is_sign(0, ';'));
                let end = cursor.span();
                self.expression(tokens, end)
            }
            false => {
                self.expected(cursor, "`=` and the value of the constant", "write `const D: usize = 256;`");
                cursor.take_while(|c| !c.is_sign(0, ';'));
                crate::ast::Expr::broken(name.at)
            }
        };
        net.constants.push(Constant { name, value });
        self.semicolon(cursor);
        true
    }

    /// `conv1: Conv2d(20, kernel_size = 5);`.
    fn layer(&mut self, cursor: &mut Cursor, net: &mut Net) -> bool {
        let Some(ident) = cursor.eat_ident() else { return false };
        let name = self.name(&ident);
        cursor.eat_sign(':');
        let (kind, arguments) = self.layer_kind(cursor);
        net.layers.push(Layer { name, kind, arguments });
        true
    }

    fn layer_kind(&mut self, cursor: &mut Cursor) -> (Option<Name>, Vec<Argument>) {
        let refused = if cursor.is_group(0, Delimiter::Bracket) {
            Some("arrays of layers")
        } else if cursor.is_word(0, "if") {
            Some("if")
        } else if cursor.is_ident(0) && cursor.is_sign(1, '<') {
            Some("block")
        } else {
            None
        };
        if let Some(what) = refused {
            self.refuse(cursor.span(), what);
            cursor.take_while(|c| !c.is_sign(0, ';'));
            cursor.next();
            return (None, vec![]);
        }
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "a layer", "write `name: Linear(10);`");
            cursor.take_while(|c| !c.is_sign(0, ';'));
            cursor.next();
            return (None, vec![]);
        };
        let mut kind = Some(self.name(&ident));
        let arguments = match cursor.eat_group(Delimiter::Parenthesis) {
            Some(group) => self.arguments(&group),
            None if cursor.is_sign(0, ':') && cursor.is_sign(1, ':') => {
                let help = "write the name alone: `Linear(10);`";
                self.syntax(ident.span(), "kinds of layers have no path", help);
                cursor.take_while(|c| !c.is_sign(0, ';') && !starts_item(c));
                kind = None;
                vec![]
            }
            None => {
                let help = format!("write `{ident}(…);` with its arguments, as in `Linear(10);`");
                self.expected(cursor, &format!("`(` after `{ident}`"), &help);
                cursor.take_while(|c| !c.is_sign(0, ';') && !starts_item(c));
                kind = None;
                vec![]
            }
        };
        self.semicolon(cursor);
        (kind, arguments)
    }

    /// The `;` after an item. If it is missing and the next item starts, that is all that is wrong.
    fn semicolon(&mut self, cursor: &mut Cursor) {
        if cursor.eat_sign(';') {
            return;
        }
        if cursor.done() || starts_item(cursor) || cursor.is_sign(0, ',') {
            self.syntax(cursor.last_span(), "expected `;` after this", "items of a net end with `;`");
            cursor.eat_sign(',');
            return;
        }
        self.expected(cursor, "`;`", "");
        cursor.take_while(|c| !c.is_sign(0, ';') && !starts_item(c));
        cursor.eat_sign(';');
    }
}

/// Whether an item seems to start here.
fn starts_item(cursor: &Cursor) -> bool {
    let word = ["pub", "fn", "train", "const", "use", "block"].iter().any(|w| cursor.is_word(0, w));
    word || cursor.is_sign(0, '#') || (cursor.is_ident(0) && cursor.is_colon(1))
}
