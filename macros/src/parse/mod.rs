//! Tokens → [`ast`](crate::ast). Never fails: what cannot be read is reported, skipped up to the next `;` or `}`, and the rest is read.

use castnet_graph::diagnostic::{Diagnostic, Loc, did_you_mean};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};

use crate::ast::{Name, Net};
use crate::places::Places;

mod body;
mod cursor;
mod expr;
mod function;
mod net;
mod refuse;
mod types;

use cursor::Cursor;

/// The nets of one macro call. Mistakes go to `diagnostics`.
pub fn parse(tokens: TokenStream, places: &mut Places, diagnostics: &mut Vec<Diagnostic>) -> Vec<Net> {
    let mut parser = Parser { places, diagnostics };
    let mut cursor = Cursor::new(tokens, Span::call_site());
    let mut nets = vec![];
    if cursor.done() {
        parser.syntax(cursor.span(), "an empty `network!`", "write `pub net Name { … }`");
    }
    while !cursor.done() {
        nets.extend(parser.item(&mut cursor));
    }
    nets
}

/// What all parts of the parser share.
struct Parser<'a> {
    places: &'a mut Places,
    diagnostics: &'a mut Vec<Diagnostic>,
}

/// What may stand before an item.
struct Head {
    docs: Vec<String>,
    visibility: TokenStream,
}

impl Parser<'_> {
    /// Notes a mistake.
    fn report(&mut self, code: &'static str, at: Loc, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::new(code, at, message);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    /// Notes that something else was expected at a token.
    fn syntax(&mut self, span: Span, message: impl Into<String>, help: &str) {
        let at = self.places.at(span);
        self.report("N0601", at, message, help);
    }

    /// Notes that `found` stands where something else belongs.
    fn expected(&mut self, cursor: &Cursor, wanted: &str, help: &str) {
        let message = match cursor.peek() {
            Some(token) => format!("expected {wanted}, found `{}`", brief(&token.to_string())),
            None => format!("expected {wanted}, found nothing more"),
        };
        self.syntax(cursor.span(), message, help);
    }

    /// A name with its place. Raw identifiers and keywords are refused.
    fn name(&mut self, ident: &Ident) -> Name {
        let text = ident.to_string();
        let at = self.places.at(ident.span());
        if let Some(bare) = text.strip_prefix("r#") {
            let help = format!("write `{bare}_`");
            self.report("N0601", at, format!("raw identifiers such as `{text}` do not occur in networks"), &help);
            return Name { text: format!("{bare}_"), at };
        }
        if text == "_" || syn::parse_str::<Ident>(&text).is_err() {
            self.report("N0601", at, format!("`{text}` is a keyword of Rust, not a name"), "choose another name");
            return Name { text: format!("{}_", text.to_lowercase()), at };
        }
        Name { text, at }
    }

    /// One `net`; what else stands there is reported.
    fn item(&mut self, cursor: &mut Cursor) -> Option<Net> {
        let head = self.head(cursor);
        if let Some(word) = refuse::item(cursor) {
            self.refuse(cursor.span(), word);
            skip_item(cursor);
            return None;
        }
        if !cursor.eat_word("net") {
            let meant = match cursor.peek() {
                Some(proc_macro2::TokenTree::Ident(i)) => did_you_mean(&i.to_string(), ["net", "block", "use"]),
                _ => None,
            };
            let help = meant.map_or("write `pub net Name { … }`".into(), |m| format!("did you mean `{m}`?"));
            self.expected(cursor, "`net`", &help);
            skip_item(cursor);
            return None;
        }
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "the name of the net", "write `pub net Name { … }`");
            skip_item(cursor);
            return None;
        };
        let name = self.name(&ident);
        if cursor.is_sign(0, '<') {
            self.refuse(cursor.span(), "parameters of nets");
            cursor.take_while(|c| !c.is_group(0, Delimiter::Brace) && !c.is_sign(0, ';'));
        } else if cursor.is_sign(0, '=') {
            self.refuse(cursor.span(), "parameters of nets");
            skip_item(cursor);
            return None;
        } else if !cursor.is_group(0, Delimiter::Brace) {
            self.expected(cursor, &format!("`{{` after `net {}`", name.text), "write `pub net Name { … }`");
            cursor.take_while(|c| !c.is_group(0, Delimiter::Brace) && !c.is_sign(0, ';') && !c.is_word(0, "net"));
        }
        let body = match cursor.eat_group(Delimiter::Brace) {
            Some(group) => group,
            None => {
                cursor.eat_sign(';');
                let mut group = Group::new(Delimiter::Brace, TokenStream::new());
                group.set_span(ident.span());
                let mut net = self.net(head, name, &group);
                net.lost = true;
                return Some(net);
            }
        };
        Some(self.net(head, name, &body))
    }

    /// Doc comments, attributes and visibility.
    fn head(&mut self, cursor: &mut Cursor) -> Head {
        let mut docs = vec![];
        while cursor.is_sign(0, '#') {
            let span = cursor.span();
            cursor.next();
            if cursor.eat_sign('!') {
                self.syntax(span, "inner attributes and `//!` do not occur in networks", "write `///` before the item");
            }
            match cursor.eat_group(Delimiter::Bracket) {
                Some(group) => match doc_line(&group) {
                    Some(line) => docs.push(line),
                    None => self.refuse(span, "attributes"),
                },
                None => self.expected(cursor, "`[` after `#`", ""),
            }
        }
        let mut visibility = TokenStream::new();
        if cursor.is_word(0, "pub") {
            visibility.extend(cursor.next());
            if let Some(group) = cursor.eat_group(Delimiter::Parenthesis) {
                let mut whole = visibility.clone();
                whole.extend([proc_macro2::TokenTree::Group(group.clone())]);
                match syn::parse2::<syn::Visibility>(whole.clone()) {
                    Ok(_) => visibility = whole,
                    Err(_) => self.syntax(group.span(), "expected a visibility", "write `pub` or `pub(crate)`"),
                }
            }
        }
        Head { docs, visibility }
    }
}

/// The text of `#[doc = "…"]`, which is what a doc comment becomes.
fn doc_line(group: &Group) -> Option<String> {
    let mut cursor = Cursor::inside(group);
    if !(cursor.eat_word("doc") && cursor.eat_sign('=')) {
        return None;
    }
    let text: syn::LitStr = syn::parse2(cursor.next()?.into()).ok()?;
    Some(text.value())
}

/// Goes on after the next `;` or group in braces: where the next item starts.
fn skip_item(cursor: &mut Cursor) {
    cursor.take_while(|c| !c.is_sign(0, ';') && !c.is_group(0, Delimiter::Brace));
    cursor.next();
}

/// At most 40 characters, for messages.
fn brief(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

pub use refuse::{function as function_not_yet, not_yet};
pub use types::suggest as element_type;
