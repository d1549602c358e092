//! Functions, bodies of blocks, and statements.

use castnet_graph::diagnostic::Loc;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};

use super::Shadow;
use super::expression::opaque;
use super::names::Named;
use super::types::unknown;
use crate::ast::{Axis, Body, Expr, Function, Over, Parameter, Pattern, Promise, Statement, Type};
use crate::emit::{docs, ident, methods, token};

impl<'a> Shadow<'a> {
    /// What a function of the net is called in an editor: the method, if it is one.
    pub(super) fn function(&mut self, function: &'a Function, at: Loc) -> TokenStream {
        let name = token(&function.name.text, self.places.span(at));
        match self.owner.net.filter(|_| function.is_entry()) {
            Some(net) => {
                let net = token(&net.text, Span::call_site());
                quote!(#net::#name)
            }
            None => quote!(#name),
        }
    }

    /// The functions of the net.
    pub(super) fn functions(&mut self) -> TokenStream {
        let mut all = TokenStream::new();
        for (number, function) in self.owner.functions.iter().enumerate() {
            let method = self.owner.net.is_some() && function.is_entry();
            let twice = self.owner.functions[..number].iter().any(|f| f.name.text == function.name.text);
            let name = match method || twice {
                true => format_ident!("__function{number}"),
                false => ident(&function.name, self.places),
            };
            let docs = docs(&function.head.docs, || format!(" The function `{}`.", function.name.text));
            let shapes = methods::shapes(function, None);
            let trained = function.train.iter().flat_map(|t| t.names.iter().flatten());
            let trained: Vec<TokenStream> = trained
                .filter(|name| matches!(self.named(&name.text), Named::Part(_)))
                .map(|name| {
                    let name = ident(name, self.places);
                    quote!(&#name)
                })
                .collect();
            let body = self.callable(&function.parameters, function.result.as_ref(), &function.body);
            all.extend(quote! {
                #docs
                ///
                #[doc = #shapes]
                fn #name() {
                    __editor::tensor((#(#trained,)*));
                    #body
                }
            });
        }
        all
    }

    /// The arguments, statements and result of a function or block.
    pub(super) fn callable(
        &mut self,
        parameters: &'a [Parameter],
        result: Option<&'a Promise>,
        body: &'a Body,
    ) -> TokenStream {
        let mark = self.locals.len();
        let mut sizes = vec![];
        let mut bound = TokenStream::new();
        for parameter in parameters {
            parameter.ty.iter().for_each(|ty| self.axes(ty, &mut sizes));
            let ty = self.found(parameter.name.at);
            let name = ident(&parameter.name, self.places);
            bound.extend(quote!(let #name: #ty = __editor::any();));
            self.local(&parameter.name.text);
        }
        match result {
            Some(Promise::One(ty)) => self.axes(ty, &mut sizes),
            Some(Promise::Tuple(types, _)) => types.iter().for_each(|ty| self.axes(ty, &mut sizes)),
            None => {}
        }
        let sizes = opaque(&sizes);
        let body = self.body(body);
        self.locals.truncate(mark);
        quote!(#sizes; #bound #body;)
    }

    /// Statements and their result, in braces.
    pub(super) fn body(&mut self, body: &'a Body) -> TokenStream {
        let mark = self.locals.len();
        let statements = self.statements(&body.statements);
        let tail = opaque(&[self.value(&body.tail)]);
        self.locals.truncate(mark);
        quote!({ #statements #tail })
    }

    fn statements(&mut self, statements: &'a [Statement]) -> TokenStream {
        statements.iter().map(|s| self.statement(s)).collect()
    }

    fn statement(&mut self, statement: &'a Statement) -> TokenStream {
        match statement {
            Statement::Let { pattern, ty, value, .. } => {
                let mut sizes = vec![];
                ty.iter().for_each(|ty| self.axes(ty, &mut sizes));
                let sizes = (!sizes.is_empty()).then(|| opaque(&sizes)).map(|sizes| quote!(#sizes;));
                let bound = self.bind(pattern, Some(value));
                quote!(#sizes #bound)
            }
            Statement::Assign(name, value) => {
                let value = self.value(value);
                let name = ident(name, self.places);
                let assigned = opaque(&[quote!(&#name), value]);
                quote!(#assigned;)
            }
            Statement::For(one) => {
                let over = match &one.over {
                    Over::Range(from, to) => opaque(&[self.value(from), self.value(to)]),
                    Over::Values(values) => opaque(&[self.value(values)]),
                };
                let mark = self.locals.len();
                let bound = self.bind(&one.pattern, None);
                let body = self.statements(&one.body);
                self.locals.truncate(mark);
                quote!({ #over; #bound #body })
            }
            Statement::If { condition, then, otherwise } => {
                let condition = self.value(condition);
                let mark = self.locals.len();
                let then = self.statements(then);
                self.locals.truncate(mark);
                let otherwise = self.statements(otherwise);
                self.locals.truncate(mark);
                quote!({ __editor::tensor(#condition); { #then } { #otherwise } })
            }
            Statement::Assert(value, _) | Statement::Stray(value) => {
                let value = self.value(value);
                quote!(__editor::tensor(#value);)
            }
        }
    }

    /// `let (a, b): (f32<N, 4>, f32<N>) = …;`.
    pub(super) fn bind(&mut self, pattern: &'a Pattern, value: Option<&'a Expr>) -> TokenStream {
        let value = match value {
            Some(value) => {
                let value = self.value(value);
                quote!(__editor::known(#value))
            }
            None => quote!(__editor::any()),
        };
        let (names, ty) = self.pattern(pattern);
        quote!(let #names: #ty = #value;)
    }

    fn pattern(&mut self, pattern: &'a Pattern) -> (TokenStream, TokenStream) {
        match pattern {
            Pattern::Ignore => (quote!(_), unknown()),
            Pattern::Name(name, _) => {
                let ty = self.found(name.at);
                self.local(&name.text);
                let name = ident(name, self.places);
                (quote!(#name), quote!(#ty))
            }
            Pattern::Many(patterns, _) => {
                let (names, types): (Vec<_>, Vec<_>) = patterns.iter().map(|p| self.pattern(p)).unzip();
                (quote!((#(#names,)*)), quote!((#(#types,)*)))
            }
        }
    }

    /// From here on a name is a local one.
    fn local(&mut self, name: &str) {
        self.locals.push(name.to_string());
    }

    /// The sizes in a type.
    fn axes(&mut self, ty: &'a Type, all: &mut Vec<TokenStream>) {
        for axis in &ty.axes {
            if let Axis::Size(size) = axis {
                all.push(self.value(size));
            }
        }
    }
}
