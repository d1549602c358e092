//! What editors see of networks beside what rustc compiles: ordinary Rust in which every name of the user's stands at its place.
//!
//! Layers are statics of documented types, operators documented methods, names of `let` have types that read as in a network, and blocks are
//! structs. rust-analyzer then knows by itself what to show on hover, what to offer after a `.`, and where things are defined. The words that
//! are named here stand in `castnet::__editor`. rustc never sees any of this.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::{docs, ident, token};
use crate::ast::{Axis, BuildParameter, ExprKind, File, Function, Members, Name, Parameter, Part, Type};
use crate::lower::Findings;
use crate::places::Places;
use crate::share::Call;

mod expression;
mod names;
mod parts;
mod statement;
mod types;

use types::Types;

/// Writes one net or block for editors.
struct Shadow<'a> {
    file: &'a File,
    call: &'a Call,
    places: &'a Places,
    findings: &'a Findings,
    owner: Owner<'a>,
    /// The size names that the heads of functions bind.
    sizes: BTreeSet<String>,
    /// The names that are bound at a place.
    locals: Vec<String>,
    types: Types,
    /// The layers that occur.
    kinds: BTreeSet<&'a str>,
    /// Those of `castnet::__editor` that stand without a path.
    words: BTreeSet<&'static str>,
}

/// What a net and a block have in common.
struct Owner<'a> {
    members: &'a Members,
    parameters: &'a [BuildParameter],
    functions: &'a [Function],
    /// Whose methods the entry points are: the net's, if it is no template.
    net: Option<&'a Name>,
}

/// All nets and blocks of a call of `network!`.
pub fn shadow(file: &File, call: &Call, findings: &Findings, places: &Places) -> TokenStream {
    let uses = uses(call);
    let nets = file.nets.iter().filter(|net| !net.foreign).map(|net| {
        let owner = Owner {
            members: &net.members,
            parameters: &net.parameters,
            functions: &net.functions,
            net: net.parameters.is_empty().then_some(&net.name),
        };
        let heads = net.functions.iter().flat_map(|f| &f.parameters);
        let mut shadow = Shadow::new(file, call, places, findings, owner);
        let sizes = shadow.declare(heads);
        let functions = shadow.functions();
        shadow.finish(&uses, sizes, functions)
    });
    let blocks = file.blocks.iter().filter(|block| !block.foreign).map(|block| {
        let name = ident(&block.name, places);
        let (docs, visibility) =
            (docs(&block.head.docs, || format!(" The block `{}`.", block.name.text)), &block.head.visibility);
        let owner = Owner { members: &block.members, parameters: &block.parameters, functions: &[], net: None };
        let mut shadow = Shadow::new(file, call, places, findings, owner);
        let sizes = shadow.declare(block.inputs.iter());
        let body = shadow.callable(&block.inputs, block.result.as_ref(), &block.body);
        let inside = shadow.finish(&uses, sizes, quote!(fn __body() { #body }));
        quote! {
            #docs
            #[allow(dead_code)]
            #visibility struct #name {}
            #inside
        }
    });
    quote!(#(#nets)* #(#blocks)*)
}

/// The `use`s of a call, with the blocks' structs in mind.
fn uses(call: &Call) -> TokenStream {
    let uses = call.imports.iter().zip(&call.paths).map(|(import, path)| {
        let alias = &import.alias;
        match path.clone().into_iter().last() {
            Some(last) if *alias == last.to_string() => quote!(use #path;),
            _ => quote!(use #path as #alias;),
        }
    });
    uses.collect()
}

impl<'a> Shadow<'a> {
    fn new(file: &'a File, call: &'a Call, places: &'a Places, findings: &'a Findings, owner: Owner<'a>) -> Shadow<'a> {
        let (sizes, types) = (BTreeSet::new(), Types::default());
        Shadow {
            file,
            call,
            places,
            findings,
            owner,
            sizes,
            locals: vec![],
            types,
            kinds: BTreeSet::new(),
            words: BTreeSet::new(),
        }
    }

    /// The run-time sizes that these arguments bind, as structs: each where it stands first.
    fn declare(&mut self, parameters: impl Iterator<Item = &'a Parameter>) -> TokenStream {
        let mut items = TokenStream::new();
        let parameters_of_it = self.owner.parameters.iter().map(|p| p.name.text.as_str());
        let constants = self.owner.members.constants.iter().map(|c| c.name.text.as_str());
        let outer = self.file.scopes[0].constant_names();
        let known: Vec<&str> = parameters_of_it.chain(constants).chain(outer).collect();
        for ty in parameters.filter_map(|p| p.ty.as_ref()) {
            let Type { axes, .. } = ty;
            for axis in axes {
                let Axis::Size(size) = axis else { continue };
                size.walk(&mut |e| {
                    if let ExprKind::Name(name) = &e.kind
                        && !known.contains(&name.as_str())
                        && self.sizes.insert(name.clone())
                    {
                        let name = token(name, self.places.span(e.at));
                        items.extend(quote! {
                            /// A size that is known when the program runs: the argument's.
                            struct #name;
                        });
                    }
                });
            }
        }
        items
    }

    /// All of it, as a constant that nobody can name.
    fn finish(mut self, uses: &TokenStream, sizes: TokenStream, bodies: TokenStream) -> TokenStream {
        let (declarations, members) = (self.declarations(), self.members());
        let castnet = &self.call.castnet;
        // In modules of their own, from where only paths from the root are seen.
        let types = self.types.items(&self.sizes, castnet);
        let words = self.words.iter().map(|word| Ident::new(word, Span::call_site()));
        let kinds = self.kinds.iter().map(|kind| Ident::new(kind, Span::call_site()));
        quote! {
            #[allow(warnings, clippy::all)]
            const _: () = {
                #bodies
                #declarations
                #members
                #sizes
                #types
                #uses
                use #castnet::__editor::{self, #(#words),*};
                use __editor::layers::{#(#kinds),*};
            };
        }
    }

    /// The expressions in declarations and rules.
    fn declarations(&mut self) -> TokenStream {
        let members = self.owner.members;
        let mut values = vec![];
        for part in &members.parts {
            self.declaration(part, &mut values);
        }
        members.rules.iter().for_each(|rule| values.push(self.value(rule)));
        let values = expression::opaque(&values);
        quote!(fn __declarations() { #values; })
    }

    fn declaration(&mut self, part: &'a Part, values: &mut Vec<TokenStream>) {
        part.makes(&mut |make| {
            for argument in make.angles.iter().chain(&make.parens).flatten() {
                // First values have names of their own.
                if !argument.name.as_ref().is_some_and(|n| matches!(n.text.as_str(), "init" | "bias_init")) {
                    values.push(self.value(&argument.value));
                }
            }
        });
    }
}
