//! The tables: the net as bytes, its places, and the kernels that replace interpreted stages in optimised builds.

use std::collections::BTreeSet;

use castnet_graph::bytes::to_bytes;
use castnet_graph::compile::Compiled;
use castnet_graph::emit::rust::{self, Printed};
use castnet_graph::scalar::Lane;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use crate::lower::NetItem;
use crate::places::Places;

/// The net's table and `__KERNELS`: constants, and kernels that are compiled where the constants are used. A net of which no model is made
/// costs a build nothing but its checks.
pub(super) fn tables(target: &NetItem, compiled: Option<&Compiled>, places: &Places) -> TokenStream {
    let (name, ty, castnet) = (&target.name.text, super::ident(target.name, places), places.castnet());
    let net = match compiled.map(|c| to_bytes(&c.net)).transpose() {
        Ok(bytes) => Literal::byte_string(&bytes.unwrap_or_default()).into_token_stream(),
        Err(what) => {
            let message = format!("N0900: pass `emit`: {what}; this is a mistake in castnet: please report it");
            quote!(::core::compile_error!(#message))
        }
    };
    let texts: Vec<_> =
        compiled.map(|c| c.places.iter().map(|(loc, name)| places.describe(*loc, name)).collect()).unwrap_or_default();
    let printed = compiled.map(|c| rust::kernels(&c.net)).unwrap_or_default();
    let names: Vec<Ident> =
        compiled.map(|c| rust::function_names(&c.net)).unwrap_or_default().iter().map(|name| name_of(name)).collect();
    let used: BTreeSet<usize> = printed.iter().flat_map(|p| &p.stages).map(|id| id.function).collect();
    let numbers = used.iter().map(|&number| {
        let (name, number) = (&names[number], Literal::usize_unsuffixed(number));
        quote!(pub(super) const #name: usize = #number;)
    });
    let functions = printed.iter().map(|printed| function(printed, castnet));
    let entries = printed.iter().flat_map(|printed| entries(printed, &names));
    // All spans are the macro's, so that a crate that forbids unsafe code takes it. Its promise: the table is the compiler's.
    quote! {
        unsafe impl #castnet::__private::Network for #ty {
            const TABLE: #castnet::__private::NetTable = #castnet::__private::NetTable {
                name: #name,
                net: #net,
                kernels: __KERNELS,
                places: &[#(#texts),*],
            };
        }

        // In a dev build the block interpreter, which is optimised there too, beats unoptimised kernels.
        #[cfg(debug_assertions)]
        const __KERNELS: &[#castnet::__private::EmittedKernel] = &[];

        #[cfg(not(debug_assertions))]
        const __KERNELS: &[#castnet::__private::EmittedKernel] = __kernels::ALL;

        // A module, so that no name of the user's is in scope.
        #[cfg(not(debug_assertions))]
        mod __kernels {
            use #castnet::__private::EmittedKernel as Kernel;

            // The net's functions by number.
            mod function {
                #(#numbers)*
            }

            // For each launch of a function, in inference and in training, the kernels of its stages.
            pub(super) const ALL: &[Kernel] = &[#(#entries),*];

            #(#functions)*
        }
    }
}

/// The item that compiles one code.
fn function(printed: &Printed, castnet: &TokenStream) -> TokenStream {
    let name = name_of(&printed.name);
    let doc = format!(" {}", printed.doc);
    // What the printer writes is Rust; if ever it were not, rustc would say so: never a panic.
    let tokens = |text: &String| text.parse::<TokenStream>().unwrap_or_default();
    let typed = |(name, lane): &(String, Lane)| tokens(&format!("{name}: {}", lane.dtype()));
    let (inputs, outputs) = (printed.inputs.iter().map(typed), printed.outputs.iter().map(typed));
    let body = tokens(&printed.body.join("\n"));
    let far = printed.far.then(|| quote!(far));
    quote! {
        #castnet::__private::block_kernel! {
            #[doc = #doc]
            const #name(#(#inputs),*) -> (#(#outputs),*) #far { #body }
        }
    }
}

/// Where the code runs: an entry for each of its stages.
fn entries<'a>(printed: &'a Printed, functions: &'a [Ident]) -> impl Iterator<Item = TokenStream> {
    let name = name_of(&printed.name);
    printed.stages.iter().map(move |id| {
        let number = Literal::usize_unsuffixed;
        let (function, launch, stage) = (&functions[id.function], number(id.launch), number(id.stage));
        let training = id.training;
        quote! {
            Kernel { function: function::#function, training: #training, launch: #launch, stage: #stage, kernel: &#name }
        }
    })
}

/// The name of a constant.
fn name_of(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}
