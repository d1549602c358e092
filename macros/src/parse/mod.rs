//! Tokens → [`ast`](crate::ast). Never fails: what cannot be read is reported, skipped up to the next `;` or `}`, and the rest is read.

use castnet_graph::diagnostic::{Diagnostic, Loc};
use proc_macro2::{Group, Ident, Span, TokenStream};

use crate::ast::{Expr, File, Name};
use crate::places::Places;
use crate::share::Item;

mod angles;
mod attributes;
mod body;
mod constants;
mod cursor;
mod expr;
mod file;
mod function;
mod index;
mod members;
mod net;
mod operators;
mod part;
mod pattern;
mod refuse;
mod statement;
#[cfg(test)]
mod tests;
mod types;

pub use cursor::Cursor;

pub use types::suggest as element_type;

/// Everything in one macro call, also the tokens of its blocks and nets. Mistakes go to `diagnostics`.
pub fn parse(tokens: TokenStream, places: &mut Places, diagnostics: &mut Vec<Diagnostic>) -> (File, Vec<Item>) {
    let mut parser = Parser { places, diagnostics, braces: vec![], depth: 0, deep: false, lost: false };
    let mut file = File::default();
    let items = parser.file(Cursor::new(tokens, Span::call_site()), &mut file);
    (file, items)
}

/// What all parts of the parser share.
struct Parser<'a> {
    places: &'a mut Places,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Groups in braces of the expressions that are being read: syn sees their numbers instead.
    braces: Vec<Group>,
    /// How deep in expressions, bodies and members this is.
    depth: usize,
    /// That it is too deep was reported.
    deep: bool,
    /// A part of the function or block that is being read could not be read.
    lost: bool,
}

/// Nested deeper than this is refused, so that no input overflows the stack.
const DEPTH: usize = 100;

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

    /// A name with its place. Keywords are refused; as a raw identifier, `r#type`, one is a name.
    fn name(&mut self, ident: &Ident) -> Name {
        let text = ident.to_string();
        let at = self.places.at(ident.span());
        if text == "_" || syn::parse_str::<Ident>(&text).is_err() {
            let other = format!("{}_", text.to_lowercase());
            let help = match text.as_str() {
                "_" => "choose a name".to_string(),
                // Rust has no raw form of these.
                "self" | "Self" | "super" | "crate" => format!("choose another name, such as `{other}`"),
                _ => format!("write `r#{text}`, which checkpoints call `{text}`, or another name, such as `{other}`"),
            };
            self.report("N0601", at, format!("`{text}` is a keyword of Rust, not a name"), &help);
            return Name { text: other, at };
        }
        Name { text, at }
    }

    /// Goes one level deeper; `None`, and reported, if that is too deep.
    fn deeper<T>(&mut self, span: Span, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= DEPTH {
            self.too_deep(span);
            return None;
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        self.deep &= self.depth > 0;
        Some(result)
    }

    fn too_deep(&mut self, span: Span) -> Expr {
        let at = self.places.at(span);
        // Once for each thing that is nested.
        if self.depth == 0 || !self.deep {
            self.report("N0602", at, "this is nested too deeply", "give its parts names: `let x = …;`");
            self.deep = self.depth > 0;
        }
        self.lost = true;
        Expr::broken(at)
    }
}

/// Goes on after the next `;` or group in braces: where the next item starts.
fn skip_item(cursor: &mut Cursor) {
    cursor.take_while(|c| !c.is_sign(0, ';') && !c.is_braces(0));
    cursor.next();
}

/// At most 40 characters, for messages.
fn brief(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}
