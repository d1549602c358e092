//! Layers, blocks, arrays, parameters and states as statics, constants as constants.

use castnet_graph::layers::LayerKind;
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::Shadow;
use super::types::unknown;
use crate::ast::{Make, Member, Part};
use crate::emit::{ident, token};
use crate::lower::Shown;

impl<'a> Shadow<'a> {
    /// The statics of all parts, and the constants.
    pub(super) fn members(&mut self) -> TokenStream {
        let mut seen: Vec<&str> = vec![];
        let mut statics = TokenStream::new();
        for part in &self.owner.members.parts {
            if !seen.contains(&part.name.text.as_str()) {
                seen.push(&part.name.text);
                let (docs, name) = (self.docs(part), ident(&part.name, self.places));
                let ty = self.member(&part.member);
                statics.extend(quote!(#(#[doc = #docs])* pub safe static #name: #ty;));
            }
        }
        let mut constants = TokenStream::new();
        let parameters = self.owner.parameters.iter().map(|p| (&p.name, false));
        for (name, is_constant) in parameters.chain(self.owner.members.constants.iter().map(|c| (&c.name, true))) {
            if seen.contains(&name.text.as_str()) {
                continue;
            }
            seen.push(&name.text);
            let token = ident(name, self.places);
            match &self.findings.of(name.at)[..] {
                [Shown::Size(size)] if is_constant && size.as_const().is_some_and(|c| c >= 0) => {
                    let value = Literal::i64_unsuffixed(size.as_const().unwrap_or(0));
                    constants.extend(quote!(const #token: usize = #value;));
                }
                // It has a value of its own in each instance or use.
                _ => statics.extend(quote!(pub safe static #token: usize;)),
            }
        }
        quote! {
            #constants
            unsafe extern "C" { #statics }
        }
    }

    /// What stands before a part: what the user says of it, what it does and holds, what its kind does.
    fn docs(&self, part: &Part) -> Vec<String> {
        let mut lines = part.docs.clone();
        let mut paragraph = |more: Vec<String>| {
            if !lines.is_empty() && !more.is_empty() {
                lines.push(String::new());
            }
            lines.extend(more);
        };
        for line in self.findings.of_layer(part.name.at) {
            paragraph(vec![format!(" {line}")]);
        }
        let mut first = None;
        part.makes(&mut |make| first = first.or(Some(make)));
        let Some(make) = first else { return lines };
        let blocks = &self.file.scopes[0].blocks;
        match blocks.iter().find(|(name, _)| *name == make.kind.text) {
            Some((_, block)) => paragraph(self.file.blocks[*block].head.docs.clone()),
            None => {
                let kind = castnet_graph::layers::find(&make.kind.text);
                let plain = |k: &LayerKind| format!(" {}: {}", k.name, k.doc.replace('[', "\\[").replace(']', "\\]"));
                paragraph(kind.map(plain).into_iter().collect());
            }
        }
        lines
    }

    /// The type of a part.
    fn member(&mut self, member: &'a Member) -> TokenStream {
        match member {
            Member::Broken => unknown(),
            Member::Make(make) => self.make(make),
            Member::If(_, then, None) => {
                let then = self.member(then);
                self.words.insert("Option");
                quote!(Option<#then>)
            }
            Member::If(_, then, Some(otherwise)) => {
                let (then, otherwise) = (self.member(then), self.member(otherwise));
                self.words.insert("OneOf");
                quote!(OneOf<(#then, #otherwise)>)
            }
            Member::Repeat(element, _) => {
                let element = self.member(element);
                self.words.insert("Array");
                quote!(Array<#element>)
            }
            Member::List(elements) => {
                let elements: Vec<TokenStream> = elements.iter().map(|e| self.member(e)).collect();
                quote!((#(#elements,)*))
            }
            Member::Param(ty, _) | Member::State(ty, _) => self.types.of(&self.findings.of(ty.at)),
        }
    }

    fn make(&mut self, make: &'a Make) -> TokenStream {
        let name = make.kind.text.as_str();
        let kind = token(name, self.places.span(make.kind.at));
        match self.is_block(make) {
            true => quote!(#kind),
            false if castnet_graph::layers::find(name).is_some() => {
                self.kinds.insert(name);
                quote!(#kind)
            }
            false => quote!(__editor::layers::#kind),
        }
    }
}
