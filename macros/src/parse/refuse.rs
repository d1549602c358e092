//! Parts of the language that this version does not have yet: each is refused at its token, with a code of its own.

use castnet_graph::diagnostic::Diagnostic;
use proc_macro2::{Delimiter, Span};
use quote::ToTokens;
use syn::spanned::Spanned;

use super::{Cursor, Parser};
use crate::ast::Expr;

/// What is refused: name, code, how a sentence about it starts, what to do instead.
const NOT_YET: &[(&str, &str, &str, &str)] = &[
    ("block", "N0610", "`block` is", "write its layers and a private `fn` into the net"),
    ("use", "N0611", "`use` is", "write the layers and functions into the net"),
    ("for", "N0612", "`for` is", "write the rounds one after the other"),
    ("if", "N0613", "`if` is", "write a function for each case, or `where_(condition, a, b)` on tensors"),
    ("scan", "N0614", "`scan` is", "write the steps one after the other"),
    ("closures", "N0614", "closures occur in `scan`, which is", "write a private `fn` and call it"),
    ("param", "N0615", "`param` is", "use a layer with a weight, such as `Linear`"),
    ("state", "N0616", "`state` is", "give the value as an argument"),
    ("attributes", "N0617", "attributes are", "doc comments (`/// …`) are kept; leave out the rest"),
    ("indexing", "N0618", "indexing is", "reduce or reshape the tensor as a whole"),
    ("tuples as results", "N0619", "tuples as results are", "write a function for each result"),
    ("where", "N0620", "`where` is", "use constant sizes"),
    ("parameters of nets", "N0621", "parameters of nets are", "use `const NAME: usize = …;` inside the net"),
    ("patterns in `let`", "N0622", "patterns in `let` are", "bind one name: `let x = …;`"),
    ("assert!", "N0623", "`assert!` is", "a declared type checks sizes too: `let x: f32[N, 4] = …;`"),
    ("arrays of layers", "N0625", "arrays of layers are", "declare the layers one by one"),
    ("tensors of layers", "N0626", "tensors of layers are", "call the layer: `fc1(x)`"),
    ("dynamic fn", "N0627", "`dynamic fn` is", "call the net's functions from ordinary Rust"),
    ("custom op", "N0628", "`custom op` is", "compose it of operators"),
    (
        "train list",
        "N0629",
        "`train` with a list of layers is",
        "write `train fn`, which updates every layer that it reaches",
    ),
    ("let mut", "N0630", "`let mut` is", "shadow the name: `let x = …; let x = …;`"),
];

/// The diagnostic for a part of the language that is not there yet: code, message, help.
pub fn not_yet(what: &str) -> (&'static str, String, &'static str) {
    match NOT_YET.iter().find(|(name, ..)| *name == what) {
        Some((_, code, subject, help)) => (code, format!("{subject} not supported yet"), help),
        None => ("N0601", format!("`{what}` is not supported yet"), ""),
    }
}

/// Names of functions that are not there yet.
pub fn function(name: &str) -> bool {
    name == "scan"
}

/// The word that starts an item of `network!` or of a net which is not there yet.
pub(super) fn item(cursor: &Cursor) -> Option<&'static str> {
    if cursor.is_colon(1) {
        return None; // A layer may be called `state`.
    }
    for word in ["block", "use", "where"] {
        if cursor.is_word(0, word) {
            return Some(word);
        }
    }
    if cursor.is_word(0, "dynamic") && cursor.is_word(1, "fn") {
        return Some("dynamic fn");
    }
    if cursor.is_word(0, "custom") && cursor.is_word(1, "op") {
        return Some("custom op");
    }
    ["param", "state"].into_iter().find(|word| cursor.is_word(0, word) && cursor.is_ident(1))
}

/// The word that starts a statement which is not there yet, or never will be.
pub(super) fn statement(cursor: &Cursor) -> Option<&'static str> {
    ["for", "if", "while", "loop", "match", "unsafe"].into_iter().find(|word| cursor.is_word(0, word))
}

impl Parser<'_> {
    /// Reports a part of the language that is not there yet (or, for Rust's other keywords, never will be).
    pub(super) fn refuse(&mut self, span: Span, what: &str) {
        let at = self.places.at(span);
        if matches!(what, "while" | "loop" | "match" | "unsafe") {
            let message = format!("`{what}` does not occur in networks");
            self.report("N0601", at, message, "a network is a chain of tensor operations, fixed at build time");
            return;
        }
        let (code, message, help) = not_yet(what);
        let diagnostic = Diagnostic::new(code, at, message);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    /// Refuses what Rust has and networks have not.
    pub(super) fn refused(&mut self, expression: &syn::Expr, depth: usize) -> Expr {
        let not_yet = |parser: &mut Self, span: Span, what: &str| {
            parser.refuse(span, what);
            Expr::broken(parser.places.at(span))
        };
        match expression {
            syn::Expr::If(e) => not_yet(self, e.if_token.span, "if"),
            syn::Expr::ForLoop(e) => not_yet(self, e.for_token.span, "for"),
            syn::Expr::While(e) => not_yet(self, e.while_token.span, "while"),
            syn::Expr::Loop(e) => not_yet(self, e.loop_token.span, "loop"),
            syn::Expr::Match(e) => not_yet(self, e.match_token.span, "match"),
            syn::Expr::Index(e) => {
                self.convert(&e.expr, depth + 1);
                not_yet(self, e.bracket_token.span.join(), "indexing")
            }
            syn::Expr::Range(e) => not_yet(self, e.limits.span(), "indexing"),
            syn::Expr::Field(e) => match (&*e.base, &e.member) {
                (syn::Expr::Path(_), syn::Member::Named(member)) => not_yet(self, member.span(), "tensors of layers"),
                _ => self.refuse_expression(&e.member, "values have no fields", ""),
            },
            syn::Expr::Closure(e) => not_yet(self, e.or1_token.span, "closures"),
            syn::Expr::Macro(e) if e.mac.path.is_ident("assert") => not_yet(self, e.span(), "assert!"),
            syn::Expr::Macro(e) => self.refuse_expression(&e.mac.path, "macros do not occur in networks", ""),
            syn::Expr::Cast(e) => {
                let help = format!("write `.cast({})`", e.ty.to_token_stream());
                self.refuse_expression(e.as_token, "`as` does not occur in networks", &help)
            }
            syn::Expr::Reference(e) => {
                self.refuse_expression(e.and_token, "values are passed without `&`", "remove it")
            }
            syn::Expr::Try(e) => {
                self.refuse_expression(e.question_token, "nothing fails inside a network", "remove the `?`")
            }
            syn::Expr::Return(e) => self.refuse_expression(
                e.return_token,
                "`return` does not occur in networks",
                "the last expression is the result",
            ),
            syn::Expr::Assign(e) => self.refuse_expression(
                e.eq_token,
                "assignments do not occur in networks",
                "bind a new value, `let x = …;`; `==` compares",
            ),
            syn::Expr::Block(e) => {
                let span = e.block.brace_token.span.open();
                let help = "write the statements of the block into the function";
                self.syntax(span, "blocks in braces do not occur in expressions", help);
                Expr::broken(self.places.at(span))
            }
            syn::Expr::Repeat(e) => {
                self.refuse_expression(e.semi_token, "lists are written element by element", "write `[0, 0, 0]`")
            }
            other => self.refuse_expression(other, "this kind of expression does not occur in networks", ""),
        }
    }

    /// Refuses an expression, at these tokens.
    pub(super) fn refuse_expression(&mut self, tokens: impl ToTokens, message: &str, help: &str) -> Expr {
        let at = self.places.stream(tokens.to_token_stream());
        self.report("N0601", at, message, help);
        Expr::broken(at)
    }
}

/// Skips a statement that starts with a block keyword: up to the end of its last block.
pub(super) fn skip_statement(cursor: &mut Cursor) {
    loop {
        cursor.take_while(|c| !c.is_group(0, Delimiter::Brace) && !c.is_sign(0, ';'));
        cursor.next();
        if !cursor.is_word(0, "else") {
            return;
        }
    }
}
