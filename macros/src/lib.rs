//! The `network!` macro of castnet: tokens in, tables and kernels out.
//!
//! `share` fetches the blocks that a network uses of other calls, `parse` reads tokens into an `ast`, `lower` turns that into graphs (and finds every mistake), `castnet_graph::compile` makes programs
//! of them, `emit` writes those as Rust. `expand` is the whole of it.

mod ast;
mod check;
mod diagnostics;
mod emit;
mod expand;
mod lower;
mod parse;
mod places;
mod share;
#[cfg(test)]
mod tests;

/// What `castnet::network!` calls, with what castnet is called there in front.
#[doc(hidden)]
#[proc_macro]
pub fn network(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand::expand(tokens.into()).into()
}

/// What `castnet::check!` calls, with what castnet is called there in front.
#[doc(hidden)]
#[proc_macro]
pub fn check(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    check::expand(tokens.into()).into()
}
