//! The pipeline, a line a stage.

use castnet_graph::compile::compile;
use castnet_graph::diagnostic::Diagnostic;
use proc_macro2::TokenStream;

use crate::ast::Net;
use crate::places::Places;
use crate::{diagnostics, emit, lower, parse};

/// What `network! { tokens }` stands for.
pub fn expand(tokens: TokenStream) -> TokenStream {
    let mut places = Places::new();
    let mut mistakes = vec![];
    let nets = parse::parse(tokens, &mut places, &mut mistakes);
    same_name(&nets, &mut mistakes);
    let mut output = TokenStream::new();
    for (index, net) in nets.iter().enumerate() {
        let compiled = lower::lower(net, &mut mistakes).and_then(|source| match compile(source) {
            Ok(compiled) => Some(compiled),
            Err(more) => {
                mistakes.extend(more);
                None
            }
        });
        if !nets[..index].iter().any(|n| n.name.text == net.name.text) {
            output.extend(emit::emit(net, compiled.as_ref(), &places));
        }
    }
    output.extend(diagnostics::render(mistakes, &places));
    output
}

/// Two nets of one call with the same name.
fn same_name(nets: &[Net], mistakes: &mut Vec<Diagnostic>) {
    for (index, net) in nets.iter().enumerate() {
        if let Some(first) = nets[..index].iter().find(|n| n.name.text == net.name.text) {
            let d = Diagnostic::new("N0502", net.name.at, format!("two nets are called `{}`", net.name.text))
                .note(first.name.at, "the first one is here")
                .help("give one of them another name");
            mistakes.push(d);
        }
    }
}
