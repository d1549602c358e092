//! What Rust has and networks have not, and what this version does not have yet: each is refused at its token.

use castnet_graph::diagnostic::Diagnostic;
use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;

use super::{Cursor, Parser};
use crate::ast::Expr;

/// What is still to come: name, code, what to do instead.
const NOT_YET: [(&str, &str, &str); 2] = [
    ("dynamic fn", "N0627", "call the net's functions from ordinary Rust"),
    ("custom op", "N0628", "compose it of operators"),
];

/// The word that starts an item which is not there yet.
pub(super) fn item(cursor: &Cursor) -> Option<&'static str> {
    if cursor.is_word(0, "dynamic") && cursor.is_word(1, "fn") {
        return Some("dynamic fn");
    }
    (cursor.is_word(0, "custom") && cursor.is_word(1, "op")).then_some("custom op")
}

/// The word that starts a statement which there will never be.
pub(super) fn statement(cursor: &Cursor) -> Option<&'static str> {
    ["while", "loop", "match", "unsafe", "break", "continue"].into_iter().find(|word| cursor.is_word(0, word))
}

impl Parser<'_> {
    /// Reports a part of the language that is not there yet (or, for Rust's other keywords, never will be).
    pub(super) fn refuse(&mut self, span: Span, what: &str) {
        let at = self.places.at(span);
        if let Some((_, code, help)) = NOT_YET.iter().find(|(name, ..)| *name == what) {
            let message = format!("`{what}` is not supported yet");
            self.diagnostics.push(Diagnostic::new(code, at, message).help(*help));
            return;
        }
        let help = match what {
            "while" | "loop" => {
                "the number of rounds is known at build time: `for i in 0..4 { … }`, or `scan` over an axis"
            }
            "break" | "continue" => {
                "the number of rounds is fixed: leave rounds out with `if` on build-time conditions"
            }
            "match" => "write `if … { … } else if … { … } else { … }` on build-time conditions, `where_` on tensors",
            _ => "a network is a chain of tensor operations, fixed at build time",
        };
        self.report("N0601", at, format!("`{what}` does not occur in networks"), help);
    }

    /// Refuses what Rust has and networks have not.
    pub(super) fn refused(&mut self, expression: &syn::Expr) -> Expr {
        let word = |parser: &mut Self, span: Span, what: &str| {
            parser.refuse(span, what);
            Expr::broken(parser.places.at(span))
        };
        match expression {
            syn::Expr::While(e) => word(self, e.while_token.span, "while"),
            syn::Expr::Loop(e) => word(self, e.loop_token.span, "loop"),
            syn::Expr::Match(e) => word(self, e.match_token.span, "match"),
            syn::Expr::Unsafe(e) => word(self, e.unsafe_token.span, "unsafe"),
            syn::Expr::Break(e) => word(self, e.break_token.span, "break"),
            syn::Expr::Continue(e) => word(self, e.continue_token.span, "continue"),
            syn::Expr::ForLoop(e) => {
                let help = "collect it in a `let mut` before: `x = …;` in each round";
                self.refuse_expression(e.for_token, "a `for` has no value", help)
            }
            syn::Expr::Let(e) => {
                self.refuse_expression(e.let_token, "`let` does not occur in expressions", "write it as a statement")
            }
            syn::Expr::Range(e) => {
                let tokens = e.limits.to_token_stream();
                let help = "write `arange(0, 4)` for the tensor of these numbers";
                self.refuse_expression(tokens, "ranges occur in `for` and in index lists", help)
            }
            syn::Expr::Closure(e) => {
                let help = "write a private `fn` and call it";
                self.refuse_expression(e.inputs_begin, "closures occur only as arguments of `scan`", help)
            }
            syn::Expr::Macro(e) if e.mac.path.is_ident("assert") => {
                self.refuse_expression(&e.mac.path, "`assert!` has no value", "write it as a statement")
            }
            syn::Expr::Macro(e) => {
                let name = e.mac.path.get_ident().map(|i| i.to_string()).unwrap_or_default();
                let help = match name.as_str() {
                    "assert_eq" | "debug_assert_eq" => "write `assert!(a == b);`",
                    "debug_assert" => "write `assert!(…);`, which is checked at build time",
                    "vec" => "write a list: `[a, b]`",
                    "println" | "print" | "dbg" | "eprintln" => {
                        "return the value, or look at the graph: `CASTNET_EXPLAIN=1`"
                    }
                    _ => "only `assert!` does",
                };
                self.refuse_expression(&e.mac.path, "macros do not occur in networks", help)
            }
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
                "assignments do not occur in expressions",
                "write it as a statement, `x = …;`; `==` compares",
            ),
            syn::Expr::Struct(e) => {
                self.refuse_expression(&e.path, "structs do not occur in networks", "write a tuple: `(a, b)`")
            }
            other => {
                let at = self.places.at(other.span());
                self.report("N0601", at, "this kind of expression does not occur in networks", "");
                Expr::broken(at)
            }
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
        cursor.take_while(|c| !c.is_braces(0) && !c.is_sign(0, ';'));
        cursor.next();
        if !cursor.is_word(0, "else") {
            return;
        }
    }
}
