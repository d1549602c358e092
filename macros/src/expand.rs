//! The pipeline, a line a stage.

use castnet_graph::compile::compile;
use castnet_graph::diagnostic::{Diagnostic, did_you_mean};
use proc_macro2::TokenStream;

use crate::ast::{File, Instance, Net};
use crate::lower::{self, Blocks, Target};
use crate::places::Places;
use crate::{diagnostics, emit, parse};

/// What `network! { tokens }` stands for.
pub fn expand(tokens: TokenStream) -> TokenStream {
    let mut places = Places::new();
    let mut mistakes = vec![];
    let file = parse::parse(tokens, &mut places, &mut mistakes);
    let blocks = Blocks::check(&file, &mut mistakes);
    let mut output = TokenStream::new();
    let mut names: Vec<&str> = vec![];
    for target in targets(&file, &mut mistakes) {
        let compiled = lower::lower(&file, &blocks, &target, &mut mistakes).and_then(|source| match compile(source) {
            Ok(compiled) => Some(compiled),
            Err(more) => {
                mistakes.extend(more);
                None
            }
        });
        if !names.contains(&target.name.text.as_str()) {
            output.extend(emit::emit(&target, compiled.as_ref(), &places));
        }
        names.push(&target.name.text);
    }
    output.extend(diagnostics::render(mistakes, &places));
    output
}

/// The nets to be made: those without parameters, and instances of those that have some.
fn targets<'a>(file: &'a File, mistakes: &mut Vec<Diagnostic>) -> Vec<Target<'a>> {
    let whole = file.nets.iter().filter(|n| !n.foreign && n.parameters.is_empty());
    let mut targets: Vec<Target> =
        whole.map(|net| Target { head: &net.head, name: &net.name, net, arguments: &[] }).collect();
    for instance in &file.instances {
        if let Some(net) = template(file, instance, mistakes) {
            let (head, name, arguments) = (&instance.head, &instance.name, &instance.arguments[..]);
            targets.push(Target { head, name, net, arguments });
        }
    }
    targets
}

fn template<'a>(file: &'a File, instance: &'a Instance, mistakes: &mut Vec<Diagnostic>) -> Option<&'a Net> {
    let Some(scope) = file.scopes.first() else { return None };
    let of = &instance.of;
    if let Some((_, number)) = scope.nets.iter().find(|(name, _)| *name == of.text) {
        return file.nets.get(*number);
    }
    if scope.lost {
        return None;
    }
    let d = Diagnostic::new("N0404", of.at, format!("there is no net `{}` of which this could be an instance", of.text));
    let known = scope.nets.iter().map(|(name, _)| name.as_str());
    mistakes.push(match did_you_mean(&of.text, known) {
        Some(meant) => d.help(format!("did you mean `{meant}`?")),
        None => d.help(format!("define it, `net {}<…> {{ … }}`, or `use` it from another module", of.text)),
    });
    None
}
