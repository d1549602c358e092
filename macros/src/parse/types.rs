//! Types: `f32[N, 1, 28, 28]`.

use castnet_graph::spelling::did_you_mean;
use castnet_graph::types::DType;
use proc_macro2::{Delimiter, TokenTree};

use super::{Cursor, Parser, brief};
use crate::ast::{Axis, Element, FLOAT, Promise, Type};

/// What others call element types.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("float32", "f32"),
    ("single", "f32"),
    ("half", "f16"),
    ("float16", "f16"),
    ("bfloat16", "bf16"),
    ("double", "f64"),
    ("float64", "f64"),
    ("int", "i32"),
    ("int8", "i8"),
    ("uint8", "u8"),
    ("byte", "u8"),
    ("int32", "i32"),
    ("uint32", "u32"),
    ("long", "i64"),
    ("int64", "i64"),
    ("usize", "i64"),
    ("isize", "i64"),
    ("u64", "i64"),
    ("boolean", "bool"),
];

/// What `name` may have been meant to be.
pub fn suggest(name: &str) -> Option<&'static str> {
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, real)| *real);
    other.or_else(|| did_you_mean(name, DType::ALL.iter().map(|d| d.name())))
}

impl Parser<'_> {
    /// `f32[N, 10]`, `(f32, f32[N, 10])`: all of `cursor`. `None` if it could not be read.
    pub(super) fn promise(&mut self, cursor: &mut Cursor) -> Option<Promise> {
        if !cursor.is_parentheses(0) || cursor.peek_nth(1).is_some() {
            return self.ty(cursor).map(Promise::One);
        }
        let group = cursor.eat_group(Delimiter::Parenthesis)?;
        let mut types = vec![];
        let mut whole = true;
        for mut part in Cursor::inside(&group).split_commas() {
            if part.is_parentheses(0) {
                self.syntax(part.span(), "a tuple in a tuple", "results are flat: `(f32, f32[N, 10])`");
                whole = false;
                continue;
            }
            match self.ty(&mut part) {
                Some(ty) => types.push(ty),
                None => whole = false,
            }
        }
        if !whole {
            return None;
        }
        match types.len() {
            0 => {
                self.syntax(group.span(), "`()` is no result", "write `-> f32[N, 10]`");
                None
            }
            1 => types.pop().map(Promise::One),
            _ => Some(Promise::Tuple(types, self.places.at(group.span()))),
        }
    }

    /// A type, all of `cursor`. `None` if it could not be read.
    pub(super) fn ty(&mut self, cursor: &mut Cursor) -> Option<Type> {
        let all = cursor.clone().rest();
        let at = self.places.tokens(&all);
        if let Some(group) = cursor.eat_group(Delimiter::Bracket) {
            self.syntax(group.span(), "an array type of Rust where a tensor type belongs", "write `f32[N, 4]`");
            return None;
        }
        if cursor.is_sign(0, '&') {
            self.syntax(cursor.span(), "values are passed without `&`", "write the type alone: `f32[N, 4]`");
            return None;
        }
        let Some(ident) = cursor.eat_ident() else {
            self.expected(cursor, "a type", "write `f32[N, 4]`, or `f32` for a scalar");
            return None;
        };
        let element = match ident.to_string().as_str() {
            FLOAT => Some(Element::Float),
            name => DType::from_name(name).map(Element::Named),
        };
        let Some(element) = element else {
            let at = self.places.at(ident.span());
            if ["Tensor", "Array", "tensor", "FloatTensor"].contains(&ident.to_string().as_str()) {
                let help = "a type is the element type and the sizes: `f32[N, 4]`";
                self.report("N0501", at, format!("there is no type `{ident}` in networks"), help);
                return None;
            }
            let help = match suggest(&ident.to_string()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("element types: {}, `{FLOAT}`", DType::ALL.map(DType::name).join(", ")),
            };
            self.report("N0501", at, format!("there is no element type `{ident}`"), &help);
            return None;
        };
        let axes = match cursor.eat_group(Delimiter::Bracket) {
            Some(group) => self.axes(Cursor::inside(&group))?,
            None => vec![],
        };
        if cursor.is_sign(0, '<') {
            let help = format!("sizes stand in brackets: `{}[N, 4]`", element.name());
            self.syntax(cursor.span(), "types of tensors have no `<…>`", &help);
            return None;
        }
        if let Some(token) = cursor.peek() {
            let message = format!("expected the end of the type, found `{}`", brief(&token.to_string()));
            self.syntax(cursor.span(), message, "sizes stand in brackets: `f32[N, 4]`");
            return None;
        }
        Some(Type { element, axes, at })
    }

    fn axes(&mut self, mut cursor: Cursor) -> Option<Vec<Axis>> {
        let mut axes = vec![];
        let mut whole = true;
        for part in cursor.split_commas() {
            match (part.peek(), part.peek_nth(1)) {
                (None, _) => {
                    self.syntax(part.span(), "expected a size, found `,`", "remove the comma");
                    whole = false;
                }
                (Some(TokenTree::Ident(i)), None) if i == "_" => axes.push(Axis::Any(self.places.at(i.span()))),
                _ => {
                    let end = part.span();
                    axes.push(Axis::Size(self.expression(part.clone().rest(), end)));
                }
            }
        }
        whole.then_some(axes)
    }
}
