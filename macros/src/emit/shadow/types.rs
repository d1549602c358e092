//! Types that read as in a network: `f32<N, 20, 12, 12>`.
//!
//! Rust has one list of parameters for each struct, so there is a struct `f32` for each way to mix names and numbers: a parameter of it is a
//! type where the size has a name, a constant where it is a number. Each lies in a module of its own, since all have the same name.

use std::collections::{BTreeMap, BTreeSet};

use castnet_graph::size::Size;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};

use crate::lower::Shown;

/// The structs that the types of a net or block need.
#[derive(Default)]
pub(super) struct Types {
    /// By their modules: the name of the struct, and for each axis whether its size is a number.
    structs: BTreeMap<String, (String, Vec<bool>)>,
    /// Sizes with names: `N`, `N·T`.
    sizes: BTreeSet<String>,
    /// The types of names and calls, in order.
    aliases: Vec<TokenStream>,
}

/// A value has no more types than this, for readers.
const ALTERNATIVES: usize = 6;

impl Types {
    /// A name for the type of a value that was found to be this. To complete what is written at the cursor, rust-analyzer compares what the
    /// macro gives with a word there and without it: up to the cursor it must be the same text, whatever types follow from that word.
    pub fn alias(&mut self, found: &[Shown]) -> Ident {
        let ty = self.of(found);
        self.aliases.push(ty);
        format_ident!("__Type{}", self.aliases.len())
    }

    /// The type of a value that was found to be this; several, if it differs from use to use.
    pub fn of(&mut self, found: &[Shown]) -> TokenStream {
        match found {
            [] => unknown(),
            [one] => self.one(one),
            many => {
                let many = many.iter().take(ALTERNATIVES).map(|one| self.one(one));
                let many: Vec<TokenStream> = many.collect();
                quote!(__editor::OneOf<(#(#many),*)>)
            }
        }
    }

    fn one(&mut self, shown: &Shown) -> TokenStream {
        match shown {
            Shown::Tensor(ty) => self.generic(ty.dtype.name(), &ty.shape),
            Shown::Size(size) => self.generic("size", std::slice::from_ref(size)),
            Shown::Float => quote!(f64),
            Shown::Bool => quote!(bool),
            Shown::List(parts) => {
                let parts = parts.iter().map(|part| self.one(part));
                let parts: Vec<TokenStream> = parts.collect();
                quote!((#(#parts,)*))
            }
            Shown::Unknown => unknown(),
        }
    }

    fn generic(&mut self, name: &str, sizes: &[Size]) -> TokenStream {
        let numbers: Vec<bool> = sizes.iter().map(|size| count(size).is_some()).collect();
        let letters: String = numbers.iter().map(|number| if *number { 'c' } else { 't' }).collect();
        let module = format!("__{name}_{letters}");
        let arguments: Vec<TokenStream> = sizes.iter().map(|size| self.size(size)).collect();
        let (path, ident) = (format_ident!("{module}"), format_ident!("{name}"));
        self.structs.entry(module).or_insert((name.to_string(), numbers));
        match arguments.is_empty() {
            true => quote!(#path::#ident),
            false => quote!(#path::#ident<#(#arguments),*>),
        }
    }

    fn size(&mut self, size: &Size) -> TokenStream {
        if let Some(count) = count(size) {
            let count = Literal::u64_unsuffixed(count);
            return quote!(#count);
        }
        let name = name(size);
        let ident = Ident::new(&name, Span::call_site());
        self.sizes.insert(name);
        quote!(#ident)
    }

    /// All of them, and the sizes that `declared` does not have yet.
    pub fn items(&self, declared: &BTreeSet<String>, castnet: &TokenStream) -> TokenStream {
        let sizes = self.sizes.difference(declared).map(|name| {
            let ident = Ident::new(name, Span::call_site());
            quote!(struct #ident {})
        });
        let structs = self.structs.iter().map(|(module, (name, numbers))| {
            let (module, name) = (format_ident!("{module}"), format_ident!("{name}"));
            let letter = |(i, number): (usize, &bool)| (format_ident!("S{i}"), *number);
            let letters: Vec<(Ident, bool)> = numbers.iter().enumerate().map(letter).collect();
            let declared = letters.iter().map(|(l, number)| if *number { quote!(const #l: usize) } else { quote!(#l) });
            let declared: Vec<TokenStream> = declared.collect();
            let all = letters.iter().map(|(l, _)| l);
            let types = letters.iter().filter(|(_, number)| !number).map(|(l, _)| l);
            quote! {
                mod #module {
                    pub struct #name<#(#declared),*>(::core::marker::PhantomData<(#(#types,)*)>);
                    impl<#(#declared),*> ::core::ops::Deref for #name<#(#all),*> {
                        type Target = #castnet::__editor::Tensor;
                        fn deref(&self) -> &Self::Target {
                            #castnet::__editor::any()
                        }
                    }
                }
            }
        });
        let aliases = self.aliases.iter().enumerate().map(|(i, ty)| {
            let name = format_ident!("__Type{}", i + 1);
            quote!(type #name = #ty;)
        });
        quote!(#(#aliases)* #(#sizes)* #(#structs)*)
    }
}

/// Where nothing is known.
pub(super) fn unknown() -> TokenStream {
    quote!(__editor::Tensor)
}

fn count(size: &Size) -> Option<u64> {
    size.as_const().and_then(|c| u64::try_from(c).ok())
}

/// A size that is no number as a name: `N`, `N·T`, `_2·N_plus_1`.
fn name(size: &Size) -> String {
    let text = size
        .to_string()
        .replace(" + ", "_plus_")
        .replace(" - ", "_minus_")
        .replace(" / ", "_over_")
        .replace(" * ", "·")
        .replace('*', "·");
    let text: String = text.chars().map(|c| if c.is_alphanumeric() || c == '·' { c } else { '_' }).collect();
    match text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text != "_" {
        true => text,
        false => format!("_{text}"),
    }
}
