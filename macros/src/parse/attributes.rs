//! What may stand before an item: doc comments, attributes, visibility.

use castnet_graph::diagnostic::Loc;
use castnet_graph::spelling::did_you_mean;
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

use super::{Cursor, Parser};
use crate::ast::{Argument, Attributes, Expr, Head, Memory, Multiplier, Name, PRECISION, Precision};

/// Attributes that are not doc comments: where each starts, what it holds.
pub(super) type Raw = Vec<(Span, Group)>;

/// What attributes stand before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// A net, block, instance.
    Item,
    /// A layer, block, array or `param` in a net or block.
    Part,
    /// A `state`.
    State,
    /// A function.
    Function,
    /// Anything else.
    Other,
}

/// Every attribute that there is, and how it is written.
const KNOWN: [(&str, &str); 6] = [
    ("name", "`#[name = \"0\"]` stands before a layer, block, array, `param` or `state`"),
    ("freeze", "`#[freeze]` stands before a layer, block, array or `param`"),
    ("lr_mult", "`#[lr_mult = 0.1]` stands before a layer, block, array or `param`"),
    ("wd_mult", "`#[wd_mult = 0]` stands before a layer, block, array or `param`"),
    ("memory", "`#[memory(512 MiB, N = 256)]` stands before a function"),
    ("precision", "`#[precision(bf16)]` stands before a function"),
];

/// What a budget of memory is counted in.
const UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

impl Parser<'_> {
    /// Doc comments, attributes and visibility.
    pub(super) fn head(&mut self, cursor: &mut Cursor) -> (Head, Raw) {
        let (mut docs, mut attributes) = (vec![], vec![]);
        while cursor.is_sign(0, '#') {
            let span = cursor.span();
            cursor.next();
            if cursor.eat_sign('!') {
                self.syntax(span, "inner attributes and `//!` do not occur in networks", "write `///` before the item");
                cursor.eat_group(Delimiter::Bracket);
                continue;
            }
            match cursor.eat_group(Delimiter::Bracket) {
                Some(group) => match doc_line(&group) {
                    Some(line) => docs.push(line),
                    None => attributes.push((span, group)),
                },
                None => self.expected(cursor, "`[` after `#`", ""),
            }
        }
        let mut visibility = TokenStream::new();
        if cursor.is_word(0, "pub") {
            visibility.extend(cursor.next());
            if let Some(group) = cursor.eat_group(Delimiter::Parenthesis) {
                let mut whole = visibility.clone();
                whole.extend([TokenTree::Group(group.clone())]);
                match syn::parse2::<syn::Visibility>(whole.clone()) {
                    Ok(_) => visibility = whole,
                    Err(_) => self.syntax(group.span(), "expected a visibility", "write `pub` or `pub(crate)`"),
                }
            }
        }
        (Head { docs, visibility }, attributes)
    }

    /// Refuses attributes where none belongs.
    pub(super) fn no_attributes(&mut self, attributes: Raw, place: Bearer) {
        for (span, group) in attributes {
            self.misplaced(span, &group, place);
        }
    }

    /// Refuses an attribute here: it belongs somewhere else, or there is none such.
    fn misplaced(&mut self, span: Span, group: &Group, place: Bearer) {
        let name = Cursor::inside(group).eat_ident().map(|i| i.to_string()).unwrap_or_default();
        let at = self.places.at(span);
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, form)) if place == Bearer::State => {
                let message = format!("a `state` is not trained: `#[{name}]` has no meaning here");
                let help = if name == "memory" { form } else { "leave it out" };
                self.report("N0604", at, message, help);
            }
            Some((_, form)) => {
                self.report("N0604", at, format!("`#[{name}]` does not belong here"), form);
            }
            None => {
                let help = match did_you_mean(&name, KNOWN.map(|(known, _)| known)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => {
                        "there are `name`, `freeze`, `lr_mult` and `wd_mult` for parts, `memory` and `precision` for functions"
                            .into()
                    }
                };
                self.report("N0604", at, format!("there is no attribute `{name}` in networks"), &help);
            }
        }
    }

    /// `#[name = "0"]`, `#[freeze]`, `#[lr_mult = 0.1]`, `#[wd_mult = 0]`.
    pub(super) fn part_attributes(&mut self, attributes: Raw, place: Bearer) -> Attributes {
        let mut found = Attributes::default();
        for (span, group) in attributes {
            let mut inside = Cursor::inside(&group);
            let name = inside.eat_ident().map(|i| i.to_string()).unwrap_or_default();
            let known = match place {
                Bearer::Part => &["name", "freeze", "lr_mult", "wd_mult"][..],
                Bearer::State => &["name"],
                _ => &[],
            };
            if !known.contains(&name.as_str()) {
                self.misplaced(span, &group, place);
                continue;
            }
            let at = self.places.at(span);
            let twice = match name.as_str() {
                "name" => found.key.is_some(),
                "freeze" => found.freeze.is_some(),
                "lr_mult" => found.lr_mult.is_some(),
                _ => found.wd_mult.is_some(),
            };
            if twice {
                self.report("N0604", at, format!("`#[{name}]` stands here twice"), "leave one of them out");
                continue;
            }
            if name == "name" {
                found.key = self.key(inside);
                continue;
            }
            if name == "freeze" {
                found.freeze = Some(at);
                if !inside.done() {
                    self.expected(&inside, "`]` after `freeze`", "write `#[freeze]`");
                }
                continue;
            }
            let value = self.multiplier(&name, inside);
            match name.as_str() {
                "lr_mult" => found.lr_mult = Some(value),
                _ => found.wd_mult = Some(value),
            }
        }
        found
    }

    /// `= "0"`: what checkpoints call a part.
    fn key(&mut self, mut inside: Cursor) -> Option<Name> {
        const FORM: &str = "write `#[name = \"0\"]`: the key in checkpoints, words or numbers with `.` between them";
        let text = match (inside.eat_sign('='), inside.next()) {
            (true, Some(TokenTree::Literal(literal))) if inside.done() => match syn::Lit::new(literal) {
                syn::Lit::Str(text) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        match text.filter(|text| text.value().split('.').all(is_word)) {
            Some(text) => Some(Name { text: text.value(), at: self.places.at(text.span()) }),
            None => {
                let span = inside.last_span();
                self.syntax(span, "expected the name of the part in checkpoints", FORM);
                None
            }
        }
    }

    /// `= 0.1`, or `(weight = 0.1, bias = 2)`.
    fn multiplier(&mut self, name: &str, mut inside: Cursor) -> Multiplier {
        let form = format!("write `#[{name} = 0.1]`, or `#[{name}(bias = 0.1)]` for one tensor of a layer");
        if let Some(group) = inside.eat_group(Delimiter::Parenthesis) {
            if !inside.done() {
                self.expected(&inside, &format!("`]` after `{name}(…)`"), &form);
            }
            return Multiplier::Tensors(self.tensor_multipliers(&group, &form));
        }
        if !inside.eat_sign('=') {
            self.expected(&inside, &format!("`=` or `(` after `{name}`"), &form);
            return Multiplier::All(Expr::broken(self.places.at(inside.span())));
        }
        let end = inside.clone();
        let tokens = inside.rest();
        Multiplier::All(self.expression(tokens, end.end()))
    }

    /// `weight = 0.1, bias = 2`.
    fn tensor_multipliers(&mut self, group: &Group, form: &str) -> Vec<(Name, Expr)> {
        let mut tensors: Vec<(Name, Expr)> = vec![];
        let mut inside = Cursor::inside(group);
        if inside.done() {
            self.expected(&inside, "the name of a tensor", form);
        }
        for mut part in inside.split_commas() {
            let name = part.eat_ident();
            match name {
                Some(ident) if part.eat_sign('=') => {
                    let (name, end) = (self.name(&ident), part.clone().end());
                    let tokens = part.rest();
                    let value = self.expression(tokens, end);
                    if tensors.iter().any(|(other, _)| other.text == name.text) {
                        let message = format!("`{}` stands here twice", name.text);
                        self.report("N0604", name.at, message, "leave one of them out");
                        continue;
                    }
                    tensors.push((name, value));
                }
                _ => {
                    part.back(usize::from(name.is_some()));
                    self.expected(&part, "`bias = 0.1`", form);
                }
            }
        }
        tensors
    }

    /// `#[memory(512 MiB, N = 256, optimizer = Sgd)]`, `#[precision(bf16)]`.
    pub(super) fn function_attributes(&mut self, attributes: Raw) -> (Option<Memory>, Option<Precision>) {
        let (mut memory, mut precision) = (None, None);
        for (span, group) in attributes {
            let mut inside = Cursor::inside(&group);
            let (name, twice, form) = match &inside {
                word if word.is_word(0, "memory") => {
                    ("memory", memory.is_some(), "write `#[memory(512 MiB, N = 256)]`")
                }
                word if word.is_word(0, PRECISION) => (PRECISION, precision.is_some(), "write `#[precision(bf16)]`"),
                _ => {
                    self.misplaced(span, &group, Bearer::Function);
                    continue;
                }
            };
            inside.next();
            let (first, last) = (self.places.at(span), self.places.at(group.span()));
            let at = self.places.between(first, last);
            let Some(arguments) = inside.eat_group(Delimiter::Parenthesis).filter(|_| !twice) else {
                match twice {
                    true => self.report("N0604", at, format!("`#[{name}]` stands here twice"), "leave one of them out"),
                    false => self.expected(&inside, &format!("`(` after `{name}`"), form),
                }
                continue;
            };
            let mut arguments = Cursor::inside(&arguments);
            match (name, arguments.clone().eat_ident()) {
                ("memory", _) => memory = self.memory(at, arguments),
                (_, Some(ident)) => {
                    arguments.next();
                    precision = self.precision(
                        &ident,
                        "write `#[precision(bf16)]`, `#[precision(f16)]`, or `#[precision(f32)]` for none",
                    );
                    if !arguments.done() {
                        self.expected(&arguments, "`)` after the type", form);
                    }
                }
                (_, None) => self.expected(&arguments, "`bf16`", form),
            }
        }
        (memory, precision)
    }

    fn memory(&mut self, at: Loc, mut inside: Cursor) -> Option<Memory> {
        const FORM: &str = "write `#[memory(512 MiB, N = 256)]`: the budget, then each run-time size";
        let before = self.diagnostics.len();
        let mut parts = inside.split_commas().into_iter();
        let Some(mut budget) = parts.next() else {
            self.report("N0601", at, "expected the budget, such as `512 MiB`", FORM);
            return None;
        };
        let bytes = self.bytes(&mut budget);
        if bytes.is_none() && budget.is_ident(0) && budget.was_literal() {
            let units = UNITS.map(|(name, _)| name).join(", ");
            self.expected(&budget, "a unit", &format!("units: {units}"));
        } else if bytes.is_none() {
            let span = budget.span();
            self.syntax(span, "expected the budget, such as `512 MiB`", FORM);
        } else if !budget.done() {
            self.expected(&budget, "`,` after the budget", FORM);
        }
        let mut arguments = vec![];
        for mut part in parts {
            let name = part.eat_ident();
            match name {
                Some(ident) if part.eat_sign('=') => {
                    let name = self.name(&ident);
                    let tokens = part.rest();
                    let value = self.expression(tokens, part.span());
                    arguments.push(Argument { name: Some(name), value });
                }
                _ => {
                    part.back(usize::from(name.is_some()));
                    self.expected(&part, "`N = 256` or `optimizer = Sgd`", FORM);
                }
            }
        }
        // Half a budget would only be found to lack the other half.
        let whole = self.diagnostics.len() == before;
        bytes.filter(|_| whole).map(|bytes| Memory { at, bytes, arguments })
    }

    /// `512 MiB`; `None` leaves the cursor at the token that is wrong.
    fn bytes(&mut self, cursor: &mut Cursor) -> Option<u64> {
        let TokenTree::Literal(literal) = cursor.peek()? else { return None };
        let (number, suffix) = match syn::Lit::new(literal.clone()) {
            syn::Lit::Int(int) => (int.base10_digits().parse::<f64>().ok()?, int.suffix().to_string()),
            syn::Lit::Float(float) => (float.base10_digits().parse::<f64>().ok()?, float.suffix().to_string()),
            _ => return None,
        };
        cursor.next();
        let unit = match suffix.as_str() {
            "" => match cursor.eat_ident() {
                Some(ident) => ident.to_string(),
                None => "B".into(),
            },
            suffix => suffix.to_string(),
        };
        match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => Some((number * *factor as f64) as u64),
            None => {
                cursor.back(1);
                None
            }
        }
    }
}

/// The text of `#[doc = "…"]`, which is what a doc comment becomes.
fn doc_line(group: &Group) -> Option<String> {
    let mut cursor = Cursor::inside(group);
    if !(cursor.eat_word("doc") && cursor.eat_sign('=')) {
        return None;
    }
    let text: syn::LitStr = syn::parse2(cursor.next()?.into()).ok()?;
    Some(text.value())
}
