//! `check!`: tests of a network, written out.

use castnet_graph::diagnostic::Diagnostic;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::Path;

use crate::places::Places;
use crate::{diagnostics, share};

/// The tests, what they call, and whether that needs the net as it was written.
const TESTS: [(&str, &str, bool); 6] = [
    ("gradients_are_derivatives", "gradients", true),
    ("fusing_does_not_show", "fused", true),
    ("planned_memory_does_not_show", "memory", false),
    ("threads_do_not_show", "one_thread", false),
    ("kernels_do_what_the_interpreter_does", "kernels", false),
    ("saved_is_loaded", "saved", false),
];

/// A module of tests, named after the network.
pub fn expand(tokens: TokenStream) -> TokenStream {
    let mut places = Places::new();
    let (castnet, tokens) = share::castnet(tokens);
    let path = match read(tokens, &mut places) {
        Ok(path) => path,
        Err(mistake) => return diagnostics::render(vec![mistake], &places, false),
    };
    let Some(last) = path.segments.last() else { return TokenStream::new() };
    let module = format_ident!("check_{}", snake(&last.ident.to_string()), span = last.ident.span());
    let net = from_within(&path);
    let tests = TESTS.iter().map(|(test, function, written)| {
        let (test, function) = (format_ident!("{test}"), format_ident!("{function}"));
        let written = written.then(|| quote!(, <#net>::explain()));
        quote! {
            #[test]
            fn #test() -> ::core::result::Result<(), #castnet::check::Mistake> {
                let net = <#net>::new(&#castnet::Device::cpu(), 1)?;
                #castnet::check::#function(::core::convert::AsRef::as_ref(&net) #written)
            }
        }
    });
    quote! {
        mod #module {
            #[allow(unused_imports)]
            use super::*;

            #(#tests)*
        }
    }
}

/// The name of a net, with the modules before it.
fn read(tokens: TokenStream, places: &mut Places) -> Result<Path, Diagnostic> {
    let mut wrong = |span, message: &str| {
        let help = "write `castnet::check!(LeNet);`, a line for each net";
        Diagnostic::new("N0601", places.at(span), message).help(help)
    };
    let after = tokens.clone().into_iter().last().map_or(Span::call_site(), |token| token.span());
    let path: Path = syn::parse2(tokens).map_err(|error| match error.to_string().starts_with("unexpected end") {
        true => wrong(after, "expected the name of a net"),
        false => wrong(error.span(), "expected the name of a net and nothing more"),
    })?;
    match path.segments.iter().find(|s| !s.arguments.is_none()) {
        None => Ok(path),
        Some(segment) => Err(wrong(
            segment.ident.span(),
            "a net that is tested has no parameters: make one of the template, `net Small = Gpt<4>;`",
        )),
    }
}

/// The path as one module further in sees it.
fn from_within(path: &Path) -> TokenStream {
    let segments: Vec<_> = path.segments.iter().collect();
    match segments.first() {
        Some(first) if path.leading_colon.is_none() && first.ident == "self" => {
            let rest = &segments[1..];
            quote!(super #(:: #rest)*)
        }
        Some(first) if path.leading_colon.is_none() && first.ident == "super" => quote!(super::#path),
        _ => quote!(#path),
    }
}

/// `LeNet` is `le_net`, `ResNet20` is `res_net20`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut before: Option<char> = None;
    for c in name.chars() {
        if c.is_uppercase() && before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit()) {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
        before = Some(c);
    }
    // A name is an identifier without `r#` then.
    let raw = snake.strip_prefix("r#").map(str::to_string);
    raw.unwrap_or(snake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_names_of_their_own() {
        assert_eq!(snake("LeNet"), "le_net");
        assert_eq!(snake("ResNet20"), "res_net20");
        assert_eq!(snake("UNet"), "unet");
    }

    #[test]
    fn what_is_no_name_is_a_mistake() {
        for wrong in ["", "5", "\"LeNet\"", "LeNet, Net", "LeNet LeNet", "nets::", "Gpt<4>", "LeNet()", "net LeNet { }"]
        {
            let text = expand(wrong.parse().unwrap()).to_string();
            assert!(text.contains("compile_error") && text.contains("N0601"), "{wrong}: {text}");
        }
    }

    #[test]
    fn paths_are_those_of_the_module_around() {
        let within = |path: &str| from_within(&syn::parse_str(path).unwrap()).to_string().replace(' ', "");
        assert_eq!(within("super::LeNet"), "super::super::LeNet");
        assert_eq!(within("self::LeNet"), "super::LeNet");
        assert_eq!(within("nets::LeNet"), "nets::LeNet");
        assert_eq!(within("crate::LeNet"), "crate::LeNet");
    }
}
