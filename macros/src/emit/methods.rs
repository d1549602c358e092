//! The methods of a net.

use castnet_graph::compile::Compiled;
use castnet_graph::net::Function as CompiledFunction;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};

use super::{docs, ident};
use crate::ast::{Function, Net};
use crate::lower::type_text;
use crate::places::Places;

/// `impl Name { … }`.
pub(super) fn methods(net: &Net, compiled: Option<&Compiled>, places: &Places) -> TokenStream {
    let name = ident(&net.name, places);
    let parameters = compiled.map_or(0, |c| c.net.parameters.iter().map(|p| p.len()).sum());
    let parameters = Literal::usize_unsuffixed(parameters);
    let report = compiled.map(|c| super::explain::text(c, places)).unwrap_or_default();
    let entries = net.functions.iter().filter(|f| f.is_entry()).enumerate();
    let functions = entries.filter(|(index, _)| is_new(net, *index)).map(|(index, function)| {
        let compiled = compiled.and_then(|c| c.net.functions.get(index));
        self::function(index, function, compiled, places)
    });
    let figures = super::figures::figures(net, compiled, places, &|index| is_new(net, index));
    let new = format!(" A `{name}` with PyTorch's first values of parameters, drawn from `seed`.");
    quote! {
        impl #name {
            /// The number of elements of all parameters.
            pub const PARAMETERS: usize = #parameters;

            #[doc = #new]
            ///
            /// # Errors
            /// If the device is not available.
            pub fn new(device: &::castnet::__private::Device, seed: u64) -> ::castnet::__private::Result<Self> {
                ::core::result::Result::Ok(Self { model: ::castnet::__private::Model::new(&__NET, device, seed)? })
            }

            #(#functions)*

            #figures

            ::castnet::__private::network_methods!();

            /// What the compiler made of the network: graphs, gradients, kernels, the memory plan, operations and bytes.
            pub fn explain() -> &'static str {
                #report
            }
        }
    }
}

/// Whether no method has the name of entry point `index` already (which was reported then).
fn is_new(net: &Net, index: usize) -> bool {
    let entries: Vec<&Function> = net.functions.iter().filter(|f| f.is_entry()).collect();
    let name = entries[index].name.text.as_str();
    !crate::lower::is_method(net, name) && !entries[..index].iter().any(|f| f.name.text == name)
}

/// The methods of one entry point.
fn function(index: usize, function: &Function, compiled: Option<&CompiledFunction>, places: &Places) -> TokenStream {
    let name = ident(&function.name, places);
    let index = Literal::usize_unsuffixed(index);
    let mut arguments: Vec<Ident> = vec![];
    for parameter in &function.parameters {
        let name = ident(&parameter.name, places);
        // Two of one name were reported.
        let twice = arguments.contains(&name);
        arguments.push(if twice { format_ident!("{name}_{}", arguments.len()) } else { name });
    }
    let visibility = &function.visibility;
    // A private function may be there for its checks only.
    let dead = function.visibility.is_empty().then(|| quote!(#[allow(dead_code)]));
    let text = docs(&function.docs, || format!(" The function `{name}` of the network."));
    let shapes = shapes(function, compiled);
    let call = quote! {
        #text
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above; nothing has run then.
        #dead
        #visibility fn #name(&self #(, #arguments: &::castnet::__private::Array)*) -> ::castnet::__private::Result<::castnet::__private::Array> {
            ::castnet::__private::only(self.model.infer(#index, &[#(#arguments),*])?)
        }
    };
    if !function.train {
        return call;
    }
    let (step, grad, grad_add) = (suffixed(&name, "step"), suffixed(&name, "grad"), suffixed(&name, "grad_add"));
    let optimizer = Ident::new("optimizer", Span::mixed_site());
    let gradients = Ident::new("gradients", Span::mixed_site());
    let step_doc = format!(
        " One step of training: [`{name}`](Self::{name}) forward and backward in training mode, and the update."
    );
    let grad_doc = format!(" [`{name}`](Self::{name}) in training mode, and its gradients.");
    let add_doc =
        format!(" As [`{grad}`](Self::{grad}), adding to gradients that are there already; gives the objective.");
    quote! {
        #call

        #[doc = #step_doc]
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above, or the optimizer holds the state of another model; nothing has run then.
        #dead
        #visibility fn #step(
            &mut self, #optimizer: &mut impl ::castnet::__private::Optimizer #(, #arguments: &::castnet::__private::Array)*
        ) -> ::castnet::__private::Result<::castnet::__private::Loss> {
            self.model.step(#index, #optimizer, &[#(#arguments),*])
        }

        #[doc = #grad_doc]
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above; nothing has run then.
        #dead
        #visibility fn #grad(
            &mut self #(, #arguments: &::castnet::__private::Array)*
        ) -> ::castnet::__private::Result<(::castnet::__private::Array, ::castnet::__private::Gradients)> {
            let (results, gradients) = self.model.grad(#index, &[#(#arguments),*])?;
            ::core::result::Result::Ok((::castnet::__private::only(results)?, gradients))
        }

        #[doc = #add_doc]
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above, or the gradients are another network's; nothing has run then.
        #dead
        #visibility fn #grad_add(
            &mut self, #gradients: &mut ::castnet::__private::Gradients #(, #arguments: &::castnet::__private::Array)*
        ) -> ::castnet::__private::Result<::castnet::__private::Array> {
            ::castnet::__private::only(self.model.grad_add(#index, #gradients, &[#(#arguments),*])?)
        }
    }
}

/// `loss_step`, where an editor finds `loss`.
fn suffixed(name: &Ident, suffix: &str) -> Ident {
    format_ident!("{name}_{suffix}", span = name.span())
}

/// `` `image`: f32[N, 1, 28, 28] → f32[N, 10] ``.
fn shapes(function: &Function, compiled: Option<&CompiledFunction>) -> String {
    let written = |p: &crate::ast::Parameter| p.ty.as_ref().map(type_text).unwrap_or_default();
    let arguments: Vec<_> = match compiled {
        Some(f) => f.inference.arguments.iter().map(|a| format!("`{}: {}`", a.name, a.ty)).collect(),
        None => function.parameters.iter().map(|p| format!("`{}: {}`", p.name.text, written(p))).collect(),
    };
    let result = match compiled.and_then(|f| f.inference.results.first()) {
        Some(result) => result.ty.to_string(),
        None => function.result.as_ref().map(type_text).unwrap_or_default(),
    };
    match arguments.is_empty() {
        true => format!(" Gives `{result}`."),
        false => format!(" From {} to `{result}`.", arguments.join(", ")),
    }
}
