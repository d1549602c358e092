//! What stands between the braces of a net.

use castnet_graph::types::DType;
use proc_macro2::{Group, Ident, TokenTree};

use super::attributes::{Bearer, Raw};
use super::members::is_member;
use super::{Cursor, Parser, refuse, skip_item};
use crate::ast::{FLOAT, Head, Net, PRECISION, Precision};

/// Whether `float: f64;` or `precision: bf16;` starts here: what may be an element type stands behind the colon, and no layer, which has a
/// capital letter.
pub(super) fn tells_type(cursor: &Cursor) -> bool {
    let named =
        matches!(cursor.peek_nth(2), Some(TokenTree::Ident(word)) if word.to_string().starts_with(char::is_lowercase));
    (cursor.is_word(0, FLOAT) || cursor.is_word(0, PRECISION)) && cursor.is_colon(1) && named
}

/// What an item may be, for messages.
const ITEM: &str = "a layer, `const` or `fn`";

impl Parser<'_> {
    /// All items of a net.
    pub(super) fn net(&mut self, net: &mut Net, body: &Group) {
        let mut cursor = Cursor::inside(body);
        while !cursor.done() {
            if !self.item_of_net(&mut cursor, net) {
                net.members.lost = true;
            }
        }
        net.members.lost |= std::mem::replace(&mut self.lost, false);
    }

    /// One item; `false` if it could not be read.
    fn item_of_net(&mut self, cursor: &mut Cursor, net: &mut Net) -> bool {
        if cursor.eat_sign(';') {
            return true; // A stray semicolon does no harm.
        }
        let (head, attributes) = self.head(cursor);
        if cursor.is_word(0, "fn") || (cursor.is_word(0, "train") && !cursor.is_colon(1)) {
            return match self.function(head, attributes, cursor) {
                Some(function) => {
                    net.functions.push(function);
                    true
                }
                None => false,
            };
        }
        if let Some(word) = refuse::item(cursor) {
            self.refuse(cursor.span(), word);
            skip_item(cursor);
            return false;
        }
        if !head.visibility.is_empty() {
            let help = "layers and constants belong to the net: leave out `pub`";
            self.expected(cursor, "`fn` or `train fn` after `pub`", help);
            if !is_member(cursor) {
                skip_item(cursor);
                return false;
            }
        }
        if tells_type(cursor) {
            self.no_attributes(attributes, Bearer::Other);
            return if cursor.is_word(0, FLOAT) { self.float(cursor, net) } else { self.precision_of_net(cursor, net) };
        }
        match is_member(cursor) {
            true => self.member(head, attributes, cursor, &mut net.members),
            false => self.no_member(head, attributes, cursor),
        }
    }

    /// `float: f64;`
    fn float(&mut self, cursor: &mut Cursor, net: &mut Net) -> bool {
        cursor.next();
        cursor.next();
        let Some(ident) = cursor.eat_ident() else { return false };
        let (at, name) = (self.places.at(ident.span()), ident.to_string());
        let float = DType::from_name(&name).filter(|dtype| dtype.is_float());
        match (float, net.float) {
            (None, _) => {
                self.report(
                    "N0501",
                    at,
                    format!("`{name}` is no float type"),
                    "write one of `float: f32;`, `float: f64;`, `float: bf16;`, `float: f16;`",
                );
            }
            (Some(_), Some(_)) => {
                self.report("N0502", at, "the float type of the net is told twice", "leave one of them out");
            }
            (Some(float), None) => net.float = Some(float),
        }
        self.semicolon(cursor);
        float.is_some()
    }

    /// `precision: bf16;`
    fn precision_of_net(&mut self, cursor: &mut Cursor, net: &mut Net) -> bool {
        cursor.next();
        cursor.next();
        let Some(ident) = cursor.eat_ident() else { return false };
        let told = self.precision(&ident, "write `precision: bf16;` or `precision: f16;`");
        if let (Some(told), Some(_)) = (told, net.precision) {
            self.report("N0502", told.at, "the precision of the net is told twice", "leave one of them out");
        }
        net.precision = net.precision.or(told);
        self.semicolon(cursor);
        told.is_some()
    }

    /// A type of halves, or f32, which stands for none.
    pub(super) fn precision(&mut self, ident: &Ident, form: &str) -> Option<Precision> {
        let (at, name) = (self.places.at(ident.span()), ident.to_string());
        let dtype = DType::from_name(&name).filter(|dtype| dtype.is_half() || *dtype == DType::F32);
        if dtype.is_none() {
            self.report("N0501", at, format!("there is no mixed precision with `{name}`"), form);
        }
        dtype.map(|dtype| Precision { at, dtype })
    }

    /// Something else stands where an item belongs.
    fn no_member(&mut self, head: Head, attributes: Raw, cursor: &mut Cursor) -> bool {
        drop(head);
        if cursor.done() && !attributes.is_empty() {
            let help = "an attribute stands before what it describes";
            self.expected(cursor, ITEM, help);
            return false;
        }
        self.no_attributes(attributes, Bearer::Other);
        let help = match (cursor.peek(), cursor.peek_nth(1)) {
            (None, _) => "a doc comment stands before what it describes".into(),
            (Some(TokenTree::Ident(word)), _) if word == "let" => "`let` stands inside a function".into(),
            (Some(TokenTree::Ident(word)), _) if word == "block" || word == "net" => {
                format!("a `{word}` stands beside nets, not in them")
            }
            (Some(TokenTree::Ident(word)), _) if word == "use" => "`use` stands beside nets, not in them".into(),
            (Some(TokenTree::Ident(word)), _) if word == "for" || word == "if" => {
                format!("`{word}` stands inside a function, or after the `:` of a layer")
            }
            (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(_))) => {
                let meant = match word.to_string().as_str() {
                    "func" | "function" | "def" | "fun" => Some("fn"),
                    "parameter" | "weight" => Some("param"),
                    "buffer" => Some("state"),
                    word => {
                        let known = ["fn", "train", "const", "pub", "param", "state", "where"];
                        castnet_graph::spelling::did_you_mean(word, known)
                    }
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
}
