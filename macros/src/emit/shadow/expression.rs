//! Expressions. A call of an operator is a call of a method of the same name, with all its arguments in order and the type that was found
//! of it; whatever has no form of its own in Rust becomes a tuple of what stands in it.

use castnet_graph::call::{Kind, Param, one_by_one_slot};
use castnet_graph::diagnostic::Loc;
use castnet_graph::ops;
use castnet_graph::types::DType;
use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::Shadow;
use super::names::Named;
use crate::ast::{Argument, Expr, ExprKind, Item, ItemKind, Member, Name, UNFINISHED};
use crate::emit::token;

impl<'a> Shadow<'a> {
    /// An expression as an argument.
    pub(super) fn value(&mut self, e: &'a Expr) -> TokenStream {
        match &e.kind {
            ExprKind::Broken => match self.places.unread(e.at) {
                // What cannot be read here, rust-analyzer reads as far as it goes.
                Some(tokens) => tokens.clone(),
                None => quote!(&()),
            },
            ExprKind::Name(name) => self.name(name, e.at),
            ExprKind::Int(value) => {
                let value = Literal::i64_unsuffixed(value.saturating_abs());
                quote!(#value)
            }
            ExprKind::Long(_) | ExprKind::Float(_) | ExprKind::Bool(_) => quote!(()),
            ExprKind::Text(_) | ExprKind::None => quote!(()),
            ExprKind::List(parts) | ExprKind::Tuple(parts) => {
                let parts: Vec<TokenStream> = parts.iter().map(|p| self.value(p)).collect();
                quote!((#(#parts,)*))
            }
            ExprKind::Call(callee, arguments) => self.call(callee, arguments),
            ExprKind::Apply(callee, arguments) => {
                let (output, callee) = (self.found(e.at), self.value(callee));
                let arguments = self.arguments(arguments);
                quote!(__editor::call::<#output>(#callee, (#(#arguments,)*)))
            }
            ExprKind::Field(x, name) => self.field(x, name),
            ExprKind::Index(x, items) => {
                let mut all = vec![self.value(x)];
                items.iter().for_each(|item| self.item(item, &mut all));
                opaque(&all)
            }
            ExprKind::Unary(_, x) => opaque(&[self.value(x)]),
            ExprKind::Repeat(x, y) | ExprKind::Binary(_, x, y) | ExprKind::And(x, y) | ExprKind::Or(x, y) => {
                let both = [self.value(x), self.value(y)];
                opaque(&both)
            }
            ExprKind::If(condition, then, otherwise) => {
                let all = [self.value(condition), self.body(then), self.body(otherwise)];
                opaque(&all)
            }
            ExprKind::Block(body) => self.body(body),
            ExprKind::Closure(patterns, body) => {
                let mark = self.locals.len();
                let bound: Vec<TokenStream> = patterns.iter().map(|p| self.bind(p, None)).collect();
                let body = self.body(body);
                self.locals.truncate(mark);
                quote!({ #(#bound)* #body })
            }
        }
    }

    /// An expression before a dot: something that has the methods of tensors.
    fn receiver(&mut self, e: &'a Expr) -> TokenStream {
        match &e.kind {
            ExprKind::Name(name) => match self.named(name) {
                Named::Local | Named::Part(_) => {
                    let name = token(name, self.places.span(e.at));
                    quote!(#name)
                }
                _ => opaque(&[self.value(e)]),
            },
            ExprKind::Call(..) | ExprKind::Field(..) | ExprKind::Apply(..) => self.value(e),
            _ => opaque(&[self.value(e)]),
        }
    }

    fn name(&mut self, name: &str, at: Loc) -> TokenStream {
        let span = self.places.span(at);
        let ident = token(name, span);
        match (self.named(name), DType::from_name(name)) {
            (Named::Unknown, Some(DType::F16 | DType::BF16)) => quote!(()),
            (Named::Unknown, Some(_)) => quote!(__editor::element::<#ident>()),
            (Named::Function(function), _) => self.function(function, at),
            _ => quote!(&#ident),
        }
    }

    /// `f(a, k = v)` and `a.f(k = v)`.
    fn call(&mut self, callee: &'a Name, arguments: &'a [Argument]) -> TokenStream {
        let name = callee.text.as_str();
        let span = self.places.span(callee.at);
        let (ident, output) = (token(name, span), self.found(callee.at));
        let callable = match self.named(name) {
            Named::Local | Named::Part(_) => Some(quote!(&#ident)),
            Named::Function(function) => Some(self.function(function, callee.at)),
            Named::Size | Named::Unknown => None,
        };
        if let Some(callable) = callable {
            let arguments = self.arguments(arguments);
            return quote!(__editor::call::<#output>(#callable, (#(#arguments,)*)));
        }
        if let "scan" | "grad" = name {
            let count = if name == "scan" { 5 } else { 2 };
            let mut arguments = self.arguments(arguments);
            arguments.resize(count, quote!(()));
            return quote!(__editor::functions::#ident::<#output>(#(#arguments),*));
        }
        let Some(operator) = ops::find(name) else {
            // Nobody knows it, or it is still being written.
            return match arguments.split_first() {
                Some((first, _)) if name == UNFINISHED => self.receiver(&first.value),
                Some((first, rest)) => {
                    let (first, rest) = (self.receiver(&first.value), self.arguments(rest));
                    quote!(#first.#ident(#(#rest),*))
                }
                None => quote!(#ident()),
            };
        };
        let mut slots = slots(operator.signature, arguments);
        let method = matches!(operator.signature.first().map(|p| p.kind), Some(Kind::Tensor | Kind::Operand));
        if !method {
            let slots: Vec<TokenStream> = slots.iter().map(|slot| self.slot(slot, quote!(()))).collect();
            return quote!(__editor::functions::#ident::<#output>(#(#slots),*));
        }
        let first = match slots.remove(0)[..] {
            [first, ..] => self.receiver(first),
            [] => quote!(__editor::tensor(())),
        };
        let slots: Vec<TokenStream> = slots.iter().map(|slot| self.slot(slot, quote!(__editor::DEFAULT))).collect();
        quote!(#first.#ident::<#output>(#(#slots),*))
    }

    /// An argument of an operator, or what stands for one that was left out; what was written one by one is a list.
    fn slot(&mut self, given: &[&'a Expr], left_out: TokenStream) -> TokenStream {
        match given {
            [] => left_out,
            [one] => self.value(one),
            several => {
                let several: Vec<TokenStream> = several.iter().map(|e| self.value(e)).collect();
                quote!((#(#several,)*))
            }
        }
    }

    pub(super) fn arguments(&mut self, arguments: &'a [Argument]) -> Vec<TokenStream> {
        arguments.iter().map(|a| self.value(&a.value)).collect()
    }

    /// `wte.weight`, `pair.0`, `x.shape`.
    fn field(&mut self, x: &'a Expr, name: &'a Name) -> TokenStream {
        // Layers have the tensors of their defaults; recurrent ones with more layers have more of them.
        let is_known = match &x.kind {
            ExprKind::Name(base) => match self.named(base) {
                Named::Part(part) => match self.layer(&part.member) {
                    Some(kind) => !matches!(kind.name, "LSTM" | "GRU" | "RNN") || !is_tensor(&name.text),
                    None => matches!(part.member, Member::Param(..) | Member::State(..)),
                },
                _ => true,
            },
            _ => !is_tensor(&name.text),
        };
        if name.text == UNFINISHED {
            return self.receiver(x);
        }
        if !is_known || name.text.starts_with(|c: char| c.is_ascii_digit()) {
            return opaque(&[self.receiver(x)]);
        }
        let (base, name) = (self.receiver(x), token(&name.text, self.places.span(name.at)));
        quote!(#base.#name)
    }

    fn item(&mut self, item: &'a Item, all: &mut Vec<TokenStream>) {
        match &item.kind {
            ItemKind::All => {}
            ItemKind::At(e) => all.push(self.value(e)),
            ItemKind::Range(from, to) => from.iter().chain(to).for_each(|e| all.push(self.value(e))),
        }
    }

    /// The type that was found of a name or call.
    pub(super) fn found(&mut self, at: Loc) -> Ident {
        self.types.alias(&self.findings.of(at))
    }
}

/// What is given for each parameter of an operator.
fn slots<'a>(signature: &[Param], arguments: &'a [Argument]) -> Vec<Vec<&'a Expr>> {
    let mut slots = vec![vec![]; signature.len()];
    let (mut next, last) = (0, one_by_one_slot(signature));
    for argument in arguments {
        let slot = match &argument.name {
            Some(name) => signature.iter().position(|p| p.name == name.text),
            None => {
                next += 1;
                Some(last.map_or(next - 1, |last| last.min(next - 1)))
            }
        };
        if let Some(slot) = slot.and_then(|slot| slots.get_mut(slot)) {
            slot.push(&argument.value);
        }
    }
    slots
}

/// `weight_ih_l1_reverse`.
fn is_tensor(name: &str) -> bool {
    name.starts_with("weight") || name.starts_with("bias")
}

/// Values of which a tensor of unknown type is made.
pub(super) fn opaque(values: &[TokenStream]) -> TokenStream {
    quote!(__editor::tensor((#(#values,)*)))
}
