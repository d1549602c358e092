//! What a call costs, as constant functions of the run-time sizes: `LeNet::flops(n)`, `LeNet::loss_step_memory::<AdamW>(n)`.

use castnet_graph::compile::Compiled;
use castnet_graph::net::Programs as CompiledFunction;
use castnet_graph::program::Program;
use castnet_graph::size::{Size, whole};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};

use super::ident;
use crate::ast::Function;
use crate::lower::{NetItem, type_text};
use crate::places::Places;

/// The figures of all entry points; `new` says which of them have methods of their own.
pub(super) fn figures(
    target: &NetItem,
    compiled: Option<&Compiled>,
    places: &Places,
    new: &dyn Fn(usize) -> bool,
) -> TokenStream {
    let net = target.net;
    let kept = Kept::new(compiled);
    let entries: Vec<&Function> = net.functions.iter().filter(|f| f.is_entry()).collect();
    let each = entries.iter().enumerate().filter(|(index, _)| new(*index)).map(|(index, function)| {
        let found = compiled.and_then(|c| c.net.cpu().get(index));
        let mut all = of_function(target, function, found, &kept, places);
        let sizes = Sizes::new(target, function, found.map(|f| &f.inference), places);
        if index == 0 && found.is_none_or(|f| sizes.value(&f.inference.flops).is_some()) {
            let name = ident(&function.name, places);
            let flops = format_ident!("{name}_flops");
            let doc =
                format!(" Floating-point operations of one call of [`{name}`](Self::{name}), the first function.");
            let (parameters, arguments) = (sizes.parameters(), &sizes.arguments);
            let visibility = &function.head.visibility;
            all.extend(quote! {
                #[doc = #doc]
                #[allow(dead_code)]
                #[inline]
                #visibility const fn flops(#parameters) -> u64 {
                    Self::#flops(#(#arguments),*)
                }
            });
        }
        all
    });
    each.collect()
}

/// What a model holds between calls.
struct Kept {
    /// Bytes of all parameters, padding included.
    parameters: i64,
    /// Bytes of all states and of the parameters' mirrors.
    rest: Size,
}

impl Kept {
    fn new(compiled: Option<&Compiled>) -> Kept {
        let states = compiled.iter().flat_map(|c| &c.net.states);
        let states = states.map(|s| &s.ty.len() * &(s.ty.dtype.bytes() as i64).into());
        let parameters = compiled.map_or(0, |c| c.net.parameter_bytes()) as i64;
        let mirrors = compiled.map_or(0, |c| c.net.mirror_bytes()) as i64;
        Kept { parameters, rest: states.fold(Size::constant(mirrors), |sum, bytes| &sum + &bytes) }
    }
}

fn of_function(
    target: &NetItem,
    function: &Function,
    found: Option<&CompiledFunction>,
    kept: &Kept,
    places: &Places,
) -> TokenStream {
    let name = ident(&function.name, places);
    let sizes = Sizes::new(target, function, found.map(|f| &f.inference), places);
    let mut all = of_program(function, &name, found.map(|f| &f.inference), &sizes, false, kept);
    if function.train.is_some() {
        let training = found.and_then(|f| f.training.as_ref());
        all.extend(of_program(function, &format_ident!("{name}_step"), training, &sizes, true, kept));
    }
    all
}

/// `f_flops` and `f_memory`; of a step with an optimizer.
fn of_program(
    function: &Function,
    name: &Ident,
    program: Option<&Program>,
    sizes: &Sizes,
    step: bool,
    kept: &Kept,
) -> TokenStream {
    let visibility = &function.head.visibility;
    let (flops_name, memory_name) = (format_ident!("{name}_flops"), format_ident!("{name}_memory"));
    let nothing = Size::constant(0);
    let arena = program.map_or(&[][..], |p| &p.arena).iter().map(|size| sizes.value(size)).collect::<Option<Vec<_>>>();
    let flops = sizes.value(program.map_or(&nothing, |p| &p.flops));
    let castnet = &sizes.castnet;
    let copies = if step { 2 } else { 1 };
    let constant = sizes.value(&(&kept.rest + &kept.parameters.saturating_mul(copies).into()));
    let fixed = arena.zip(constant);
    let parameters = sizes.parameters();
    let flops_doc = format!(" Floating-point operations of one call of [`{name}`](Self::{name}).");
    let memory_doc = format!(
        " Bytes that [`{name}`](Self::{name}) needs: parameters, states, {}activations. Arguments, results and the scratch of \
         each thread come to that.",
        if step { "gradients, what the optimizer `O` remembers, " } else { "" }
    );
    let (generics, states) = match step {
        true => {
            let bytes = Literal::usize_unsuffixed(kept.parameters as usize);
            let optimizer = Ident::new("O", Span::mixed_site());
            (quote!(<#optimizer: #castnet::__private::Footprint>), quote!(#optimizer::STATES.saturating_mul(#bytes)))
        }
        false => (TokenStream::new(), quote!(0)),
    };
    // What depends on a size that no argument of this function has, such as a state's, has no figure.
    let flops = flops.map(|flops| {
        quote! {
            #[doc = #flops_doc]
            #[allow(dead_code, unused_variables)]
            #[inline]
            #visibility const fn #flops_name(#parameters) -> u64 {
                #flops
            }
        }
    });
    let memory = fixed.map(|(arena, constant)| {
        quote! {
            #[doc = #memory_doc]
            #[allow(dead_code, unused_variables)]
            #[inline]
            #visibility const fn #memory_name #generics(#parameters) -> usize {
                #castnet::__private::memory(&[#(#arena),*], #constant, #states)
            }
        }
    });
    quote!(#flops #memory)
}

/// The run-time sizes of a function, in the order in which they occur in its arguments.
struct Sizes {
    names: Vec<String>,
    arguments: Vec<Ident>,
    /// What castnet is called.
    castnet: TokenStream,
}

impl Sizes {
    fn new(target: &NetItem, function: &Function, program: Option<&Program>, places: &Places) -> Sizes {
        let mut names: Vec<String> = vec![];
        let mut add = |name: &str| {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_string());
            }
        };
        match program {
            Some(program) => {
                let sizes = program.arguments.iter().flat_map(|a| &a.ty.shape);
                sizes.flat_map(Size::names).for_each(|name| add(whole(&name).0));
            }
            // There are mistakes: the names as they are written, so that calls give no errors of their own.
            None => {
                let texts: Vec<_> = function.parameters.iter().filter_map(|p| p.ty.as_ref().map(type_text)).collect();
                for word in texts.iter().flat_map(|t| t.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')) {
                    let own = target.net.members.constants.iter().map(|c| c.name.text.as_str());
                    let constant = own.chain(target.outer.constant_names()).any(|name| name == word);
                    if word.starts_with(|c: char| c.is_ascii_uppercase()) && !constant {
                        add(word);
                    }
                }
            }
        }
        let arguments = names.iter().map(|name| argument(name)).collect();
        Sizes { names, arguments, castnet: places.castnet().clone() }
    }

    /// `n: usize, t: usize`.
    fn parameters(&self) -> TokenStream {
        let arguments = &self.arguments;
        quote!(#(#arguments: usize),*)
    }

    /// A size as an expression of type u64, which ends at `u64::MAX`; `None` if a name occurs that no argument has.
    fn value(&self, size: &Size) -> Option<TokenStream> {
        let mut terms = vec![];
        for (monomial, coefficient) in size.terms() {
            let coefficient = Literal::i64_unsuffixed(*coefficient);
            let mut factors = vec![];
            for name in monomial.names() {
                let (whole, parts) = whole(name);
                let argument = self.names.iter().position(|n| n == whole).map(|i| &self.arguments[i])?;
                let count = Literal::i64_unsuffixed(parts);
                factors.push(if parts == 1 { quote!(#argument) } else { quote!(#argument / #count) });
            }
            terms.push(quote!((#coefficient, &[#(#factors),*])));
        }
        let castnet = &self.castnet;
        Some(quote!(#castnet::__private::size(&[#(#terms),*])))
    }
}

/// The parameter of a run-time size: its name in lower case.
fn argument(name: &str) -> Ident {
    let lower = name.to_lowercase();
    let is_free = syn::parse_str::<Ident>(&lower).is_ok();
    Ident::new(&if is_free { lower } else { format!("{lower}_") }, Span::call_site())
}
