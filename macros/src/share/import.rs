//! `use path::Name;` inside `network!`.

use castnet_graph::diagnostic::{Diagnostic, Loc};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use super::{Call, Import, tokens};
use crate::parse::Cursor;
use crate::places::Places;

/// How a `use` is written, for messages.
const FORM: &str = "write `use crate::blocks::Residual;`";

/// What a call of `network!` comes to.
pub enum Step {
    /// A block of another call is asked for.
    Ask(TokenStream),
    /// Everything is there.
    Whole(Call),
}

/// A block that is still to be asked for.
pub(super) struct Use {
    /// What the user calls it.
    pub alias: Ident,
    /// Where it is.
    pub path: TokenStream,
}

/// Reads a call of `network!`: by the user, or by the macro of a block that was asked for.
pub fn step(tokens: TokenStream, places: &mut Places, mistakes: &mut Vec<Diagnostic>) -> Step {
    let (mut call, mut uses) = match tokens::answer(tokens.clone()) {
        Some((mut call, mut uses, answer)) => {
            let asked = uses.remove(0);
            match answer {
                Some(answer) => {
                    call.paths.push(asked.path);
                    call.imports.push(Import { alias: asked.alias, scope: answer.scope, name: answer.name });
                    call.add(answer.scopes);
                }
                None => {
                    let (at, name) = (places.at(asked.alias.span()), &asked.alias);
                    let message = format!("`{name}` was written for another version of castnet");
                    let help = "let both crates use one version: `cargo tree --duplicates` shows which they use";
                    mistakes.push(Diagnostic::new("N0405", at, message).help(help));
                    call.lost = true;
                }
            }
            (call, uses)
        }
        None => Reader { places, mistakes, lost: false }.call(tokens),
    };
    if uses.is_empty() {
        unused(&call, places, mistakes);
        return Step::Whole(call);
    }
    // A name that stands twice is asked for once; the second is reported when all is there.
    uses.retain(|one| match call.imports.iter().find(|i| i.alias == one.alias) {
        Some(first) => {
            let d = Diagnostic::new("N0502", places.at(one.alias.span()), format!("`{}` is used twice", one.alias))
                .note(places.at(first.alias.span()), "the first `use` is here")
                .help(format!("remove one of them, or write `as`: `use … {} as Other;`", one.alias));
            mistakes.push(d);
            call.lost = true;
            false
        }
        None => true,
    });
    match uses.first() {
        None => Step::Whole(call),
        Some(Use { alias, path }) => {
            let state = tokens::state(&call, &uses);
            // What is found under this name may be no block: rustc's errors then stand here.
            let span = Span::call_site().located_at(alias.span());
            let castnet = &call.castnet;
            // But what is not about it stands elsewhere, or editors would show that here.
            let network = quote!([#castnet::__private::network]);
            Step::Ask(quote_spanned!(span=> #path ! { @castnet #network #state }))
        }
    }
}

/// Blocks that are used and never mentioned.
fn unused(call: &Call, places: &mut Places, mistakes: &mut Vec<Diagnostic>) {
    let mentioned = tokens::idents(&call.own);
    for import in &call.imports {
        if !call.lost && !mentioned.contains(&import.alias.to_string()) {
            let at = places.at(import.alias.span());
            let message = format!("`{}` is never used", import.alias);
            mistakes.push(Diagnostic::new("N0503", at, message).help("remove it from the `use`"));
        }
    }
}

/// Reads the `use`s of a call.
struct Reader<'a> {
    places: &'a mut Places,
    mistakes: &'a mut Vec<Diagnostic>,
    lost: bool,
}

impl Reader<'_> {
    /// All items: the `use`s, and the tokens of the others.
    fn call(&mut self, tokens: TokenStream) -> (Call, Vec<Use>) {
        let (castnet, tokens) = tokens::castnet(tokens);
        let mut cursor = Cursor::new(tokens, Span::call_site());
        let castnet = self.castnet(&mut cursor).unwrap_or(castnet);
        let (mut own, mut uses) = (TokenStream::new(), vec![]);
        while !cursor.done() {
            let n = cursor.attributes();
            let public = usize::from(cursor.is_word(n, "pub"));
            let limited = usize::from(public == 1 && cursor.is_parentheses(n + 1));
            if cursor.is_word(n + public + limited, "use") {
                for _ in 0..n {
                    cursor.next(); // Its doc comment says nothing to anybody.
                }
                self.item(&mut cursor, public + limited, &mut uses);
                continue;
            }
            own.extend(cursor.take_while(|c| !c.is_sign(0, ';') && !c.is_braces(0)));
            own.extend(cursor.next());
        }
        (Call { castnet, own, lost: self.lost, ..Call::default() }, uses)
    }

    /// `crate = ::nets::castnet;`, the first item: what castnet is called here.
    fn castnet(&mut self, cursor: &mut Cursor) -> Option<TokenStream> {
        if !(cursor.is_word(0, "crate") && cursor.is_sign(1, '=')) {
            return None;
        }
        cursor.next();
        cursor.next();
        let (start, span) = (cursor.clone(), cursor.span());
        // A path from the root: what is written stands in modules of its own too.
        let mut right = cursor.is_path(0) || cursor.eat_word("crate");
        while right && cursor.is_path(0) {
            cursor.next();
            cursor.next();
            right = cursor.eat_ident().is_some();
        }
        let path = cursor.since(&start);
        let form = "write `crate = ::name;` for a dependency, `crate = crate::name;` for what this crate names so";
        if !right {
            self.report(span, "expected the path of castnet, from the root on", form);
            cursor.take_while(|c| !c.is_sign(0, ';') && !c.is_braces(0));
        } else if !cursor.is_sign(0, ';') {
            self.report(cursor.last_span(), "expected `;` after this", form);
        }
        cursor.eat_sign(';');
        right.then_some(path)
    }

    /// `[pub] use path::Name;`.
    fn item(&mut self, cursor: &mut Cursor, visibility: usize, uses: &mut Vec<Use>) {
        if visibility > 0 {
            let help =
                "a `use` here is for this `network!`; others reach the block by an ordinary `pub use` outside of it";
            self.report(cursor.span(), "`use` inside `network!` is not public", help);
            for _ in 0..visibility {
                cursor.next();
            }
        }
        cursor.next();
        let starts = |c: &Cursor| ["pub", "net", "block", "use"].iter().any(|w| c.is_word(0, w)) || c.is_sign(0, '#');
        let tokens = cursor.take_while(|c| !c.is_sign(0, ';') && !starts(c));
        let before = self.mistakes.len();
        let mut tree = Cursor::of(tokens, cursor.span());
        self.tree(vec![], &mut tree, uses, 0);
        if !cursor.eat_sign(';') && self.mistakes.len() == before {
            self.report(cursor.last_span(), "expected `;` after this", FORM);
        }
    }

    /// `a::b::{C, D as E}`, after `prefix`.
    fn tree(&mut self, mut prefix: Vec<TokenTree>, cursor: &mut Cursor, uses: &mut Vec<Use>, depth: usize) {
        if prefix.is_empty() && cursor.is_path(0) {
            prefix.extend(cursor.next());
            prefix.extend(cursor.next());
        }
        loop {
            if let Some(group) = cursor.eat_braces() {
                for mut part in Cursor::inside(&group).split_commas() {
                    match depth < 20 {
                        true => self.tree(prefix.clone(), &mut part, uses, depth + 1),
                        false => self.fail(group.span(), "this `use` is nested too deeply", FORM),
                    }
                }
                break;
            }
            if cursor.is_sign(0, '*') {
                self.fail(cursor.span(), "`*` does not occur in `use` inside `network!`", "name each block");
                return;
            }
            let Some(ident) = cursor.eat_ident() else {
                let found = cursor.peek().map_or("nothing more".into(), |t| format!("`{t}`"));
                self.fail(cursor.span(), &format!("expected the name of a block, found {found}"), FORM);
                return;
            };
            if cursor.is_path(0) {
                prefix.push(ident.into());
                prefix.extend(cursor.next());
                prefix.extend(cursor.next());
                continue;
            }
            if ["self", "super", "crate", "_"].iter().any(|w| ident == w) {
                self.fail(ident.span(), &format!("`{ident}` is no block"), FORM);
                return;
            }
            let alias = match cursor.eat_word("as") {
                false => ident.clone(),
                true => match cursor.eat_ident() {
                    Some(alias) if alias != "_" => alias,
                    _ => {
                        self.fail(cursor.last_span(), "expected a name after `as`", "write `use … as Other;`");
                        return;
                    }
                },
            };
            prefix.push(ident.into());
            uses.push(Use { alias, path: prefix.into_iter().collect() });
            break;
        }
        if let Some(token) = cursor.peek() {
            let message = format!("expected `;` or `,` after this `use`, found `{token}`");
            self.fail(cursor.span(), &message, FORM);
        }
    }

    fn fail(&mut self, span: Span, message: &str, help: &str) {
        self.lost = true;
        self.report(span, message, help);
    }

    fn report(&mut self, span: Span, message: &str, help: &str) {
        let at: Loc = self.places.at(span);
        self.mistakes.push(Diagnostic::new("N0601", at, message).help(help));
    }
}
