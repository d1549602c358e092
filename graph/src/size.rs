//! Sizes: polynomials with integer coefficients in the declared run-time names.

use std::fmt;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A product of run-time sizes, sorted by name, a name once for each power: `[]` is 1, `[N, T]` is N·T.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Monomial(pub Vec<Arc<str>>);

impl Ord for Monomial {
    /// By degree, then by names: printed from the last to the first.
    fn cmp(&self, other: &Monomial) -> std::cmp::Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| other.0.cmp(&self.0))
    }
}

impl PartialOrd for Monomial {
    fn partial_cmp(&self, other: &Monomial) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Monomial {
    /// The product of two monomials.
    pub fn product(&self, other: &Monomial) -> Monomial {
        let mut names = self.0.clone();
        names.extend(other.0.iter().cloned());
        names.sort();
        Monomial(names)
    }

    /// `self / other`, if that is a monomial.
    pub fn quotient(&self, other: &Monomial) -> Option<Monomial> {
        let mut names = self.0.clone();
        for name in &other.0 {
            let at = names.iter().position(|n| n == name)?;
            names.remove(at);
        }
        Some(Monomial(names))
    }

    /// The value under a binding of names.
    pub fn eval(&self, value: &dyn Fn(&str) -> i64) -> i64 {
        self.0.iter().map(|n| value(n)).product()
    }
}

impl fmt::Display for Monomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("1");
        }
        f.write_str(&self.0.join("*"))
    }
}

/// A size: a polynomial with integer coefficients in run-time names, such as `20*N` or `N*T + 1`.
///
/// Two sizes are equal exactly if their polynomials are; a run-time name is never assumed to have a value. Arithmetic saturates: the
/// macro refuses sizes long before they are that large.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size {
    /// Sorted by monomial, coefficients not zero.
    terms: Vec<(Monomial, i64)>,
}

impl Size {
    /// The constant `value`.
    pub fn constant(value: i64) -> Size {
        Size::term(Monomial::default(), value)
    }

    /// The run-time size called `name`.
    pub fn symbol(name: &str) -> Size {
        Size::term(Monomial(vec![name.into()]), 1)
    }

    /// `coefficient · monomial`.
    pub fn term(monomial: Monomial, coefficient: i64) -> Size {
        let terms = if coefficient == 0 { vec![] } else { vec![(monomial, coefficient)] };
        Size { terms }
    }

    /// Monomials with their coefficients, sorted, none zero.
    pub fn terms(&self) -> &[(Monomial, i64)] {
        &self.terms
    }

    /// The value, if no run-time name occurs.
    pub fn as_const(&self) -> Option<i64> {
        match self.terms.as_slice() {
            [] => Some(0),
            [(m, c)] if m.0.is_empty() => Some(*c),
            _ => None,
        }
    }

    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether this is the constant `value`.
    pub fn is(&self, value: i64) -> bool {
        self.as_const() == Some(value)
    }

    /// `coefficient · monomial`, if there is one term only.
    pub fn as_term(&self) -> Option<(&Monomial, i64)> {
        match self.terms.as_slice() {
            [(m, c)] => Some((m, *c)),
            _ => None,
        }
    }

    /// The names that occur.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.terms.iter().flat_map(|(m, _)| m.0.iter().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// `self / other` where it comes out even as a polynomial (`other` of one term), else `None`.
    pub fn div_exact(&self, other: &Size) -> Option<Size> {
        let (monomial, coefficient) = other.as_term()?;
        let mut terms = Vec::with_capacity(self.terms.len());
        for (m, c) in &self.terms {
            if c.checked_rem(coefficient)? != 0 {
                return None;
            }
            terms.push((m.quotient(monomial)?, c / coefficient));
        }
        terms.sort();
        Some(Size { terms })
    }

    /// The value under a binding of names.
    pub fn eval(&self, value: &dyn Fn(&str) -> i64) -> i64 {
        self.terms.iter().map(|(m, c)| c * m.eval(value)).sum()
    }

    /// Whether this is at most `other` for every value of the names, which are at least 1. `false` if that cannot be told.
    pub fn at_most(&self, other: &Size) -> bool {
        let gap = other - self;
        let rises = gap.terms.iter().all(|(m, c)| m.0.is_empty() || *c > 0);
        rises && gap.terms.iter().map(|(_, c)| c).sum::<i64>() >= 0
    }

    /// The product of many sizes.
    pub fn product<'a>(sizes: impl IntoIterator<Item = &'a Size>) -> Size {
        sizes.into_iter().fold(Size::constant(1), |a, b| &a * b)
    }

    fn from_terms(mut terms: Vec<(Monomial, i64)>) -> Size {
        terms.sort();
        let mut sum: Vec<(Monomial, i64)> = Vec::with_capacity(terms.len());
        for (m, c) in terms {
            match sum.last_mut() {
                Some((last, total)) if *last == m => *total = total.saturating_add(c),
                _ => sum.push((m, c)),
            }
        }
        sum.retain(|(_, c)| *c != 0);
        Size { terms: sum }
    }
}

impl From<i64> for Size {
    fn from(value: i64) -> Size {
        Size::constant(value)
    }
}

impl Add for &Size {
    type Output = Size;
    fn add(self, other: &Size) -> Size {
        Size::from_terms(self.terms.iter().chain(&other.terms).cloned().collect())
    }
}

impl Sub for &Size {
    type Output = Size;
    fn sub(self, other: &Size) -> Size {
        self + &(other * &Size::constant(-1))
    }
}

impl Mul for &Size {
    type Output = Size;
    fn mul(self, other: &Size) -> Size {
        let mut terms = Vec::with_capacity(self.terms.len() * other.terms.len());
        for (m, c) in &self.terms {
            for (n, d) in &other.terms {
                terms.push((m.product(n), c.saturating_mul(*d)));
            }
        }
        Size::from_terms(terms)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        // Highest monomials first, the constant last: `N*T + 2*N + 1`.
        for (i, (m, c)) in self.terms.iter().rev().enumerate() {
            let sign = match (i, *c < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            let c = c.abs();
            match (m.0.is_empty(), c) {
                (true, _) => write!(f, "{sign}{c}")?,
                (false, 1) => write!(f, "{sign}{m}")?,
                (false, _) => write!(f, "{sign}{c}*{m}")?,
            }
        }
        Ok(())
    }
}

/// The text was not a size as [`Size`] prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSizeError(pub(crate) String);

impl fmt::Display for ParseSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a size", self.0)
    }
}

impl std::error::Error for ParseSizeError {}

impl FromStr for Size {
    type Err = ParseSizeError;

    /// Reads what `Display` prints.
    fn from_str(text: &str) -> Result<Size, ParseSizeError> {
        let wrong = || ParseSizeError(text.to_string());
        let mut terms = Vec::new();
        let spaced = text.replace(" - ", " + -");
        for term in spaced.split(" + ") {
            let (sign, term) = match term.strip_prefix('-') {
                Some(rest) => (-1, rest),
                None => (1, term),
            };
            let mut coefficient = sign;
            let mut names = Vec::new();
            for factor in term.split('*') {
                if factor.starts_with(|c: char| c.is_ascii_digit()) {
                    coefficient *= factor.parse::<i64>().map_err(|_| wrong())?;
                } else if factor.is_empty() {
                    return Err(wrong());
                } else {
                    names.push(factor.into());
                }
            }
            names.sort();
            terms.push((Monomial(names), coefficient));
        }
        Ok(Size::from_terms(terms))
    }
}

impl Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_const() {
            Some(value) => serializer.serialize_i64(value),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Size, E> {
                Ok(Size::constant(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Size, E> {
                i64::try_from(value).map(Size::constant).map_err(E::custom)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Size {
        text.parse().unwrap()
    }

    #[test]
    fn arithmetic_is_canonical() {
        let n = Size::symbol("N");
        assert_eq!((&(&n + &1.into()) * &(&n - &1.into())).to_string(), "N*N - 1");
        assert_eq!(&n - &n, Size::constant(0));
        assert_eq!((&n * &Size::symbol("B")).to_string(), "B*N");
    }

    #[test]
    fn text_is_read_back() {
        for text in ["0", "7", "-3", "N", "20*N", "B*T + 2*N - 1", "-N + 4"] {
            assert_eq!(size(text).to_string(), text);
        }
        assert!("N*".parse::<Size>().is_err());
    }

    #[test]
    fn division_is_exact_or_refused() {
        assert_eq!(size("12*N").div_exact(&size("4")), Some(size("3*N")));
        assert_eq!(size("12*N").div_exact(&size("5")), None);
        assert_eq!(size("N*T").div_exact(&size("T")), Some(size("N")));
    }

    #[test]
    fn eval_binds_names() {
        assert_eq!(size("B*T + 2*N - 1").eval(&|name| if name == "N" { 5 } else { 3 }), 18);
    }
}
