//! What others need to use a block, template or constant of this call: its tokens, and everything that it uses itself.

use std::collections::HashSet;

use proc_macro2::TokenStream;

use super::{Call, Item, Shared, fingerprint, tokens};
use crate::ast::{File, Head, Name};

/// A block, template or constant that others may use.
pub struct Export<'a> {
    /// Doc comment and visibility.
    pub head: &'a Head,
    /// Its name.
    pub name: &'a Name,
    /// Where it was written: [`Shared::id`].
    pub scope: String,
    /// It, and everything that it uses, each with its scope, as tokens.
    pub scopes: Vec<TokenStream>,
}

/// The blocks, templates and constants of a call that are not private. `items` are all of its own.
pub fn exports<'a>(file: &'a File, call: &Call, items: Vec<Item>) -> Vec<Export<'a>> {
    let blocks = file.blocks.iter().filter(|b| !b.foreign).map(|b| (&b.head, &b.name));
    let templates = file.nets.iter().filter(|n| !n.foreign && !n.parameters.is_empty()).map(|n| (&n.head, &n.name));
    let constants = file.scopes[0].constants.iter().map(|c| (&c.head, &c.name));
    let heads = blocks.chain(templates).chain(constants);
    let heads: Vec<(&Head, &Name)> = heads.filter(|(head, _)| !head.visibility.is_empty()).collect();
    if heads.is_empty() {
        return vec![];
    }
    let text: String = items.iter().map(|item| item.tokens.to_string()).collect();
    let uses: String = call.imports.iter().map(|i| format!("{} {} {}", i.alias, i.scope, i.name)).collect();
    let id = format!("{:016x}", fingerprint(&format!("{text} {uses}")));
    let mut all = vec![Shared { id: id.clone(), imports: call.imports.clone(), items }];
    all.extend(call.scopes.iter().cloned());
    let mut exports: Vec<Export> = vec![];
    for (head, name) in heads {
        // Of two of the same name, which was reported, others see the first.
        if !exports.iter().any(|e| e.name.text == name.text) {
            let scopes = reach(&all, &id, &name.text).iter().map(tokens::shared).collect();
            exports.push(Export { head, name, scope: id.clone(), scopes });
        }
    }
    exports
}

/// What an item needs of all scopes: every name in it that may be one of theirs.
fn reach(all: &[Shared], id: &str, name: &str) -> Vec<Shared> {
    let mut needed: HashSet<(String, String)> = HashSet::new();
    let mut open = vec![(id.to_string(), name.to_string())];
    while let Some((id, name)) = open.pop() {
        let Some(scope) = all.iter().find(|s| s.id == id) else { continue };
        if !needed.insert((id, name.clone())) {
            continue;
        }
        let Some(item) = scope.items.iter().find(|i| i.name == name) else { continue };
        let mentioned = tokens::idents(&item.tokens);
        for other in scope.items.iter().filter(|i| mentioned.contains(&i.name)) {
            open.push((scope.id.clone(), other.name.clone()));
        }
        for import in scope.imports.iter().filter(|i| mentioned.contains(&i.alias.to_string())) {
            open.push((import.scope.clone(), import.name.clone()));
        }
    }
    let mut reached = vec![];
    for scope in all {
        let is_needed = |name: &str| needed.contains(&(scope.id.clone(), name.to_string()));
        let items: Vec<Item> = scope.items.iter().filter(|i| is_needed(&i.name)).cloned().collect();
        let mentioned: HashSet<String> = items.iter().flat_map(|i| tokens::idents(&i.tokens)).collect();
        let imports = scope.imports.iter().filter(|i| mentioned.contains(&i.alias.to_string())).cloned().collect();
        if !items.is_empty() {
            reached.push(Shared { id: scope.id.clone(), imports, items });
        }
    }
    reached
}
