//! Operators and literals.

use castnet_graph::scalar::{Binary, Unary};
use quote::ToTokens;

use super::{Cursor, Parser, constants};
use crate::ast::{Expr, ExprKind};

impl Parser<'_> {
    /// `-x`, `!x`.
    pub(super) fn unary(&mut self, unary: &syn::ExprUnary) -> Expr {
        let f = match unary.op {
            syn::UnOp::Neg(_) => Unary::Neg,
            syn::UnOp::Not(_) => Unary::Not,
            _ => return self.refuse_expression(unary.op, "`*` before a value does not occur in networks", "remove it"),
        };
        let at = self.places.stream(unary.op.to_token_stream());
        // The least i64 is the opposite of no other.
        if let (Unary::Neg, syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(value), .. })) = (f, &*unary.expr)
            && value.suffix().is_empty()
            && value.base10_parse::<u64>().is_ok_and(|number| number == i64::MIN.unsigned_abs())
        {
            let number = self.places.at(value.span());
            return Expr { at: self.places.between(at, number), kind: ExprKind::Long(i64::MIN) };
        }
        let x = self.convert(&unary.expr);
        // A negative literal is one thing, underlined as a whole.
        let kind = match (f, &x.kind) {
            (Unary::Neg, ExprKind::Int(value)) => ExprKind::Int(-value),
            (Unary::Neg, ExprKind::Long(value)) if *value > i64::MIN => ExprKind::Long(-value),
            (Unary::Neg, ExprKind::Float(value)) => ExprKind::Float(-value),
            _ => return Expr { at, kind: ExprKind::Unary(f, Box::new(x)) },
        };
        Expr { at: self.places.between(at, x.at), kind }
    }

    /// `x + y`.
    pub(super) fn binary(&mut self, binary: &syn::ExprBinary) -> Expr {
        use syn::BinOp::*;
        let f = match binary.op {
            Mul(star) => match &*binary.right {
                syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Deref(second), .. }) => {
                    let tokens = quote::quote!(#star #second);
                    let help = "write `x.pow(2)`; a square is `x * x`";
                    return self.refuse_expression(tokens, "there is no operator `**`", help);
                }
                _ => Binary::Mul,
            },
            Add(_) => Binary::Add,
            Sub(_) => Binary::Sub,
            Div(_) => Binary::Div,
            Rem(_) => Binary::Rem,
            Lt(_) => Binary::Lt,
            Le(_) => Binary::Le,
            Gt(_) => Binary::Gt,
            Ge(_) => Binary::Ge,
            Eq(_) => Binary::Eq,
            Ne(_) => Binary::Ne,
            BitAnd(_) => Binary::And,
            BitOr(_) => Binary::Or,
            And(_) | Or(_) => {
                let at = self.places.stream(binary.op.to_token_stream());
                let (x, y) = (Box::new(self.convert(&binary.left)), Box::new(self.convert(&binary.right)));
                let kind = if matches!(binary.op, And(_)) { ExprKind::And(x, y) } else { ExprKind::Or(x, y) };
                return Expr { at, kind };
            }
            BitXor(_) => {
                let help = "write `.pow(2)` for a power, `.bitwise_xor(…)` for exclusive or";
                return self.refuse_expression(binary.op, "there is no operator `^`", help);
            }
            Shl(_) => {
                let help = "write `.bitwise_left_shift(…)`";
                return self.refuse_expression(binary.op, "there is no operator `<<`", help);
            }
            Shr(_) => {
                let help = "write `.bitwise_right_shift(…)`";
                return self.refuse_expression(binary.op, "there is no operator `>>`", help);
            }
            _ => {
                let help = "write it as a statement: `x += …;`";
                return self.refuse_expression(binary.op, "assignments do not occur in expressions", help);
            }
        };
        let at = self.places.stream(binary.op.to_token_stream());
        let x = self.convert(&binary.left);
        let y = self.convert(&binary.right);
        Expr { at, kind: ExprKind::Binary(f, Box::new(x), Box::new(y)) }
    }

    /// Reports what stands after an expression, if it is an operator of another language.
    pub(super) fn no_such_operator(&mut self, cursor: &Cursor) -> bool {
        let (operator, help) = match cursor.peek() {
            Some(proc_macro2::TokenTree::Punct(p)) => match p.as_char() {
                '@' => ("@", "write `x.matmul(y)`"),
                _ => return false,
            },
            Some(proc_macro2::TokenTree::Ident(word)) if !cursor.is_sign(1, '=') && !cursor.is_parentheses(1) => {
                match word.to_string().as_str() {
                    "and" => ("and", "write `&` element by element, `&&` in conditions"),
                    "or" => ("or", "write `|` element by element, `||` in conditions"),
                    _ => return false,
                }
            }
            _ => return false,
        };
        self.syntax(cursor.span(), format!("there is no operator `{operator}`"), help);
        true
    }

    /// `f32::INFINITY`, `std::f32::consts::PI`: numbers of Rust's library. A macro cannot read other constants.
    pub(super) fn path(&mut self, path: &syn::ExprPath) -> Expr {
        let words: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let plain = path.qself.is_none() && path.path.segments.iter().all(|segment| segment.arguments.is_none());
        let number = match &words[..] {
            ["std" | "core", rest @ ..] => constants::number(rest),
            all => constants::number(all),
        };
        if let Some(number) = number.filter(|_| plain) {
            return Expr { at: self.places.stream(path.to_token_stream()), kind: ExprKind::Float(number) };
        }
        let text = words.join("::");
        let name = words.last().copied().unwrap_or_default();
        let is_constant = plain && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        match is_constant {
            true => {
                let message = format!("a macro cannot read `{text}`, a constant of Rust");
                let help = format!(
                    "move it to the top of this `network!`, `pub const {name}: usize = …;`, which Rust sees as well; or write it in the \
                     net, which then has it as `Net::{name}`"
                );
                self.refuse_expression(path, &message, &help)
            }
            false => self.refuse_expression(path, "paths do not occur in networks", "use a plain name"),
        }
    }

    /// `5`, `0.5`, `true`.
    pub(super) fn literal(&mut self, literal: &syn::Lit) -> Expr {
        let at = self.places.at(literal.span());
        let (kind, suffix) = match literal {
            syn::Lit::Bool(value) => (ExprKind::Bool(value.value), ""),
            syn::Lit::Int(value) => match value.base10_parse::<i64>() {
                Ok(number) if number <= i64::from(i32::MAX) => (ExprKind::Int(number), value.suffix()),
                Ok(number) => (ExprKind::Long(number), value.suffix()),
                Err(_) => {
                    let message = format!("the number {} is too large", value.base10_digits());
                    let help =
                        "integers are at most 9223372036854775807; a number beside floats may be written as `1e20`";
                    self.report("N0517", at, message, help);
                    return Expr::broken(at);
                }
            },
            syn::Lit::Float(value) => match value.base10_parse::<f64>() {
                Ok(number) if number.is_finite() && (number as f32).is_finite() => {
                    (ExprKind::Float(number), value.suffix())
                }
                _ => {
                    let message = format!("the number {value} is too large");
                    self.report("N0517", at, message, "numbers are at most about 3.4e38, beside f64 too");
                    return Expr::broken(at);
                }
            },
            syn::Lit::Str(_) => {
                let help = "names of modes are given as arguments: `gelu(approximate = \"tanh\")`";
                self.report("N0601", at, "a text is no value of networks", help);
                return Expr::broken(at);
            }
            _ => {
                self.report("N0601", at, "only numbers, `true` and `false` are literals of networks", "");
                return Expr::broken(at);
            }
        };
        if !suffix.is_empty() {
            let message = format!("numbers have no suffix here, found `{suffix}`");
            self.report("N0601", at, message, "leave it out: a number takes the type of the tensor beside it");
        }
        Expr { at, kind }
    }
}
