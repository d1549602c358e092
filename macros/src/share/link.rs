//! Foreign blocks, templates and constants as part of the tree.

use castnet_graph::diagnostic::Diagnostic;

use super::{Call, Import};
use crate::ast::{File, Scope};
use crate::parse;
use crate::places::Places;

/// Adds what a call uses of others to its tree. What is wrong in a foreign block is said where it was written.
pub fn link(file: &mut File, call: &Call, places: &mut Places, mistakes: &mut Vec<Diagnostic>) {
    places.foreign(|places| items(file, call, places));
    for import in &call.imports {
        let alias = import.alias.to_string();
        let own = file.scopes[0].blocks.iter().map(|(name, i)| (name, file.blocks[*i].name.at));
        let own = own.chain(file.scopes[0].nets.iter().map(|(name, i)| (name, file.nets[*i].name.at)));
        let mut own = own.chain(file.scopes[0].constants.iter().map(|c| (&c.name.text, c.name.at)));
        if let Some((_, at)) = own.find(|(name, _)| **name == alias) {
            let d = Diagnostic::new("N0502", at, format!("`{alias}` is defined here and used from elsewhere"))
                .note(places.at(import.alias.span()), "the `use` is here")
                .help(format!("give one of them another name: `use … {alias} as Other;`"));
            mistakes.push(d);
            continue;
        }
        see(file, 0, import, call);
    }
    for (number, shared) in call.scopes.iter().enumerate() {
        for import in &shared.imports {
            see(file, 1 + number, import, call);
        }
    }
    file.scopes[0].lost |= call.lost;
}

/// The foreign items, each call of `network!` a scope of its own.
fn items(file: &mut File, call: &Call, places: &mut Places) {
    for shared in &call.scopes {
        let number = file.scopes.len();
        let mut scope = Scope::default();
        for item in &shared.items {
            let mut said = vec![];
            let (found, _) = parse::parse(item.tokens.clone(), places, &mut said);
            scope.lost |= !said.is_empty();
            for mut block in found.blocks {
                (block.scope, block.foreign) = (number, true);
                scope.blocks.push((block.name.text.clone(), file.blocks.len()));
                file.blocks.push(block);
            }
            scope.constants.extend(found.scopes.into_iter().flat_map(|scope| scope.constants));
            for mut net in found.nets {
                (net.scope, net.foreign) = (number, true);
                scope.nets.push((net.name.text.clone(), file.nets.len()));
                file.nets.push(net);
            }
        }
        file.scopes.push(scope);
    }
}

/// Makes a foreign item visible in a scope.
fn see(file: &mut File, scope: usize, import: &Import, call: &Call) {
    let alias = import.alias.to_string();
    let number = call.scopes.iter().position(|s| s.id == import.scope).map(|i| 1 + i);
    let home = number.map(|number| &file.scopes[number]);
    let find = |list: &[(String, usize)]| list.iter().find(|(name, _)| *name == import.name).map(|(_, i)| *i);
    let (block, net) = (home.and_then(|h| find(&h.blocks)), home.and_then(|h| find(&h.nets)));
    let constant = number.filter(|n| file.scopes[*n].constant_names().any(|name| name == import.name));
    let scope = &mut file.scopes[scope];
    scope.lost |= block.is_none() && net.is_none() && constant.is_none();
    scope.imported.extend(constant.map(|number| (alias.clone(), number, import.name.clone())));
    scope.blocks.extend(block.map(|i| (alias.clone(), i)));
    scope.nets.extend(net.map(|i| (alias, i)));
}
