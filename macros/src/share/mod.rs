//! Blocks, templates and constants of other calls of `network!`.
//!
//! A macro sees only its own tokens. So every block that others may use comes with a `macro_rules!` of its name ([`exports`]), which hands its
//! tokens, and those of everything that it uses itself, to whoever calls it. A `network!` with `use path::Name;` expands to `path::Name! { … }`
//! with all that it knows so far; that macro calls the macro behind `network!` again with the tokens of the block in front; and so on, until nothing is left to
//! be asked for ([`step`]). Each block keeps the scope in which it was written: the names that it uses mean what they mean there ([`link`]).

use proc_macro2::{Ident, TokenStream};

mod export;
mod import;
mod link;
mod tokens;

pub use export::{Export, exports};
pub use import::{Step, step};
pub use link::link;
pub use tokens::{PROTOCOL, castnet, idents};

/// One call of `network!` with all that it uses.
#[derive(Default)]
pub struct Call {
    /// What castnet is called where it stands.
    pub castnet: TokenStream,
    /// Its items, without the `use`s.
    pub own: TokenStream,
    /// What it uses of others.
    pub imports: Vec<Import>,
    /// The paths of its `use`s.
    pub paths: Vec<TokenStream>,
    /// Where that was written, and what that uses in turn.
    pub scopes: Vec<Shared>,
    /// A `use` could not be read.
    pub lost: bool,
}

/// `use path::Name as Alias;`, found.
#[derive(Clone)]
pub struct Import {
    /// What the user calls it.
    pub alias: Ident,
    /// Where it was written: [`Shared::id`].
    pub scope: String,
    /// What it is called there.
    pub name: String,
}

/// Blocks, templates and constants of another call of `network!`.
#[derive(Clone)]
pub struct Shared {
    /// Made of its text: two with the same one mean the same.
    pub id: String,
    /// What its items use of yet others.
    pub imports: Vec<Import>,
    /// Those of its items that are needed.
    pub items: Vec<Item>,
}

/// A block, a template or a constant as tokens.
#[derive(Clone)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// All of it.
    pub tokens: TokenStream,
}

impl Call {
    /// Adds what comes with a block that is used.
    fn add(&mut self, scopes: Vec<Shared>) {
        for new in scopes {
            let Some(known) = self.scopes.iter_mut().find(|s| s.id == new.id) else {
                self.scopes.push(new);
                continue;
            };
            for item in new.items {
                if !known.items.iter().any(|i| i.name == item.name) {
                    known.items.push(item);
                }
            }
            for import in new.imports {
                if !known.imports.iter().any(|i| i.alias == import.alias) {
                    known.imports.push(import);
                }
            }
        }
    }
}

/// A number made of a text, the same in every build (FNV-1a).
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
