//! The methods of a net.

use castnet_graph::compile::Compiled;
use castnet_graph::net::Programs as CompiledFunction;
use castnet_graph::types::DType;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};

use super::{Known, docs, ident};
use crate::ast::{Function, Promise};
use crate::lower::{NetItem, type_text};
use crate::places::Places;

/// `impl Name { … }`.
pub(super) fn methods(
    target: &NetItem,
    compiled: Option<&Compiled>,
    known: &Known,
    constants: TokenStream,
    places: &Places,
) -> TokenStream {
    let name = ident(target.name, places);
    let (net, castnet) = (target.net, places.castnet());
    let parameters = Literal::usize_unsuffixed(known.elements);
    let report = super::text(&compiled.map(|c| super::explain::text(c, places)).unwrap_or_default());
    let entries = net.functions.iter().filter(|f| f.is_entry()).enumerate();
    let functions = entries.filter(|(index, _)| is_new(target, *index)).map(|(index, function)| {
        let compiled = compiled.and_then(|c| c.net.cpu().get(index));
        // Where nobody knows for mistakes, so that calls give no errors of their own.
        let draws = known.draws.as_ref().is_none_or(|draws| draws.get(index).is_some_and(|draws| *draws));
        let seeded = draws && !net.functions.iter().any(|f| is_seeded(&f.name.text, &function.name.text));
        self::function(target, index, function, compiled, seeded, places)
    });
    let figures = super::figures::figures(target, compiled, places, &|index| is_new(target, index));
    let new = format!(" A `{name}` with PyTorch's first values of parameters, drawn from `seed`.");
    quote! {
        impl #name {
            /// The number of elements of all parameters.
            pub const PARAMETERS: usize = #parameters;

            #constants

            #[doc = #new]
            ///
            /// # Errors
            /// If the device is not available.
            #[inline]
            pub fn new(device: &#castnet::__private::Device, seed: u64) -> #castnet::__private::Result<Self> {
                ::core::result::Result::Ok(Self { model: #castnet::__private::Model::new::<Self>(device, seed)? })
            }

            #(#functions)*

            #figures

            #castnet::__private::network_methods!();

            /// What the compiler made of the network: graphs, gradients, kernels, the memory plan, operations and bytes.
            #[inline]
            pub fn explain() -> &'static str {
                #report
            }
        }
    }
}

/// Whether no method has the name of entry point `index` already (which was reported then).
fn is_new(target: &NetItem, index: usize) -> bool {
    let net = target.net;
    let entries: Vec<&Function> = net.functions.iter().filter(|f| f.is_entry()).collect();
    let name = entries[index].name.text.as_str();
    !crate::lower::is_method(net, name) && !entries[..index].iter().any(|f| f.name.text == name)
}

/// Whether a name is that of the method `f_seeded` of a function `f`.
fn is_seeded(name: &str, of: &str) -> bool {
    name.strip_prefix(of) == Some("_seeded")
}

/// The methods of one entry point; `seeded`: with one that takes its seed.
fn function(
    target: &NetItem,
    index: usize,
    function: &Function,
    compiled: Option<&CompiledFunction>,
    seeded: bool,
    places: &Places,
) -> TokenStream {
    let (name, castnet) = (ident(&function.name, places), places.castnet());
    let index = Literal::usize_unsuffixed(index);
    let mut arguments: Vec<Ident> = vec![];
    for parameter in &function.parameters {
        let name = ident(&parameter.name, places);
        // Two of one name were reported.
        let twice = arguments.contains(&name);
        arguments.push(if twice { format_ident!("{name}_{}", arguments.len()) } else { name });
    }
    let visibility = &function.head.visibility;
    // A private function may be there for its checks only.
    let dead = function.head.visibility.is_empty().then(|| quote!(#[allow(dead_code)]));
    let text = docs(&function.head.docs, || format!(" The function `{name}` of the network."));
    let shapes = shapes(function, compiled);
    let array = quote!(#castnet::__private::Array);
    let results = Results::of(function, castnet, crate::lower::float_of(target.net));
    let (ty, value) = (results.ty(), results.value());
    let assigns = compiled.is_some_and(CompiledFunction::assigns_state);
    let (receiver, infer) = match assigns {
        true => (quote!(&mut self), quote!(infer_mut)),
        false => (quote!(&self), quote!(infer)),
    };
    let call = quote! {
        #text
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above; nothing has run then.
        #dead
        #[inline]
        #visibility fn #name(#receiver #(, #arguments: &#array)*) -> #castnet::__private::Result<#ty> {
            let results = self.model.#infer(#index, &[#(#arguments),*])?;
            #value
        }
    };
    let call = match seeded {
        false => call,
        true => {
            let (seeded, seed) = (suffixed(&name, "seeded"), Ident::new("seed", Span::mixed_site()));
            let seeded_doc = format!(
                " As [`{name}`](Self::{name}), with random numbers drawn from `seed`: the same for the same seed, arguments and parameters. No \
                 counter and no state moves."
            );
            quote! {
                #call

                #[doc = #seeded_doc]
                ///
                #[doc = #shapes]
                ///
                /// # Errors
                /// If an argument does not have the type above; nothing has run then.
                #dead
                #[inline]
                #visibility fn #seeded(
                    &self, #seed: u64 #(, #arguments: &#array)*
                ) -> #castnet::__private::Result<#ty> {
                    let results = self.model.infer_seeded(#index, #seed, &[#(#arguments),*])?;
                    #value
                }
            }
        }
    };
    if function.train.is_none() {
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
    let (step_ty, step_value) = results.step(&index, &optimizer, &arguments);
    quote! {
        #call

        #[doc = #step_doc]
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above, or the optimizer holds the state of another model; nothing has run then.
        #dead
        #[inline]
        #visibility fn #step(
            &mut self, #optimizer: &mut dyn #castnet::__private::Optimizer #(, #arguments: &#array)*
        ) -> #castnet::__private::Result<#step_ty> {
            #step_value
        }

        #[doc = #grad_doc]
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above; nothing has run then.
        #dead
        #[inline]
        #visibility fn #grad(
            &mut self #(, #arguments: &#array)*
        ) -> #castnet::__private::Result<(#ty, #castnet::__private::Gradients)> {
            let (results, gradients) = self.model.grad(#index, &[#(#arguments),*])?;
            ::core::result::Result::Ok(({ #value }?, gradients))
        }

        #[doc = #add_doc]
        ///
        #[doc = #shapes]
        ///
        /// # Errors
        /// If an argument does not have the type above, or the gradients are another network's; nothing has run then.
        #dead
        #[inline]
        #visibility fn #grad_add(
            &mut self, #gradients: &mut #castnet::__private::Gradients #(, #arguments: &#array)*
        ) -> #castnet::__private::Result<#ty> {
            let results = self.model.grad_add(#index, #gradients, &[#(#arguments),*])?;
            #value
        }
    }
}

/// What a function gives: one array, or a tuple of several.
struct Results<'a> {
    castnet: &'a TokenStream,
    /// The net's float type.
    float: DType,
    tuple: bool,
    count: usize,
}

impl Results<'_> {
    fn of<'a>(function: &Function, castnet: &'a TokenStream, float: DType) -> Results<'a> {
        match &function.result {
            Some(Promise::Tuple(types, _)) => Results { castnet, float, tuple: true, count: types.len() },
            _ => Results { castnet, float, tuple: false, count: 1 },
        }
    }

    /// `Array`, `(Array, Array)`.
    fn ty(&self) -> TokenStream {
        let castnet = self.castnet;
        let arrays = (0..self.count).map(|_| quote!(#castnet::__private::Array));
        match self.tuple {
            true => quote!((#(#arrays,)*)),
            false => quote!(#(#arrays)*),
        }
    }

    /// From `results`, a list, to a `Result` of that type.
    fn value(&self) -> TokenStream {
        let castnet = self.castnet;
        match self.tuple {
            false => quote!(#castnet::__private::only(results)),
            true => {
                let parts = (0..self.count).map(|_| quote!(#castnet::__private::next(&mut results)?));
                quote! {
                    let mut results = results.into_iter();
                    ::core::result::Result::Ok((#(#parts,)*))
                }
            }
        }
    }

    /// The type and body of a step: the loss, and what else the function gives.
    fn step(&self, index: &Literal, optimizer: &Ident, arguments: &[Ident]) -> (TokenStream, TokenStream) {
        let castnet = self.castnet;
        let (loss, step, with_results) = match self.float {
            DType::F64 => (quote!(Loss<f64>), quote!(step_f64), quote!(step_with_results_f64)),
            _ => (quote!(Loss), quote!(step), quote!(step_with_results)),
        };
        if !self.tuple {
            let value = quote!(self.model.#step(#index, #optimizer, &[#(#arguments),*]));
            return (quote!(#castnet::__private::#loss), value);
        }
        let arrays = (1..self.count).map(|_| quote!(#castnet::__private::Array));
        let parts = (1..self.count).map(|_| quote!(#castnet::__private::next(&mut results)?));
        let value = quote! {
            let (loss, results) = self.model.#with_results(#index, #optimizer, &[#(#arguments),*])?;
            let mut results = results.into_iter();
            ::core::result::Result::Ok((loss, #(#parts,)*))
        };
        (quote!((#castnet::__private::#loss, #(#arrays,)*)), value)
    }
}

/// `loss_step`, where an editor finds `loss`.
fn suffixed(name: &Ident, suffix: &str) -> Ident {
    format_ident!("{name}_{suffix}", span = name.span())
}

/// `` `image`: f32[N, 1, 28, 28] → f32[N, 10] ``.
pub(super) fn shapes(function: &Function, compiled: Option<&CompiledFunction>) -> String {
    let written = |p: &crate::ast::Parameter| p.ty.as_ref().map(type_text).unwrap_or_default();
    let arguments: Vec<_> = match compiled {
        Some(f) => f.inference.arguments.iter().map(|a| format!("`{}: {}`", a.name, a.ty)).collect(),
        None => function.parameters.iter().map(|p| format!("`{}: {}`", p.name.text, written(p))).collect(),
    };
    let results: Vec<String> = match (compiled, &function.result) {
        (Some(f), _) => f.inference.results.iter().map(|r| r.ty.to_string()).collect(),
        (None, Some(Promise::One(ty))) => vec![type_text(ty)],
        (None, Some(Promise::Tuple(types, _))) => types.iter().map(type_text).collect(),
        (None, None) => vec![],
    };
    let tuple = matches!(&function.result, Some(Promise::Tuple(..)));
    let result = if tuple { format!("({})", results.join(", ")) } else { results.join(", ") };
    match arguments.is_empty() {
        true => format!(" Gives `{result}`."),
        false => format!(" From {} to `{result}`.", arguments.join(", ")),
    }
}
