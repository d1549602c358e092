//! Sizes: polynomials with integer coefficients in the declared run-time names.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A product of run-time sizes, sorted by name, a name once for each power: no names are 1, `[N, T]` is N·T.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Monomial {
    /// `None` if there are none: constants are the most common sizes, and are to be made and copied at no cost.
    names: Option<Arc<[Arc<str>]>>,
}

impl Ord for Monomial {
    /// By degree, then by names: printed from the last to the first.
    fn cmp(&self, other: &Monomial) -> Ordering {
        let (a, b) = (self.names(), other.names());
        a.len().cmp(&b.len()).then_with(|| b.cmp(a))
    }
}

impl PartialOrd for Monomial {
    fn partial_cmp(&self, other: &Monomial) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Monomial {
    /// The product of names.
    pub fn new(mut names: Vec<Arc<str>>) -> Monomial {
        names.sort();
        Monomial { names: if names.is_empty() { None } else { Some(names.into()) } }
    }

    /// The names, sorted.
    pub fn names(&self) -> &[Arc<str>] {
        self.names.as_deref().unwrap_or(&[])
    }

    /// Whether this is 1.
    pub fn is_one(&self) -> bool {
        self.names.is_none()
    }

    /// The product of two monomials.
    pub fn product(&self, other: &Monomial) -> Monomial {
        match (&self.names, &other.names) {
            (None, _) => other.clone(),
            (_, None) => self.clone(),
            (Some(a), Some(b)) => Monomial::new([&a[..], &b[..]].concat()),
        }
    }

    /// `self / other`, if that is a monomial.
    pub fn quotient(&self, other: &Monomial) -> Option<Monomial> {
        if other.is_one() {
            return Some(self.clone());
        }
        let mut names = self.names().to_vec();
        for name in other.names() {
            let at = names.iter().position(|n| n == name)?;
            names.remove(at);
        }
        Some(Monomial::new(names))
    }

    /// The value under a binding of names.
    pub fn eval(&self, value: &dyn Fn(&str) -> i64) -> i64 {
        self.names().iter().fold(1, |product: i64, name| product.saturating_mul(value(name)))
    }
}

impl fmt::Display for Monomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_one() {
            true => f.write_str("1"),
            false => f.write_str(&self.names().join("*")),
        }
    }
}

/// A size: a polynomial with integer coefficients in run-time names, such as `20*N` or `N*T + 1`.
///
/// Two sizes are equal exactly if their polynomials are; a run-time name is never assumed to have a value. Arithmetic saturates: the
/// macro refuses sizes long before they are that large.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Size {
    terms: Terms,
}

/// Sorted by monomial, coefficients not zero. Nearly all sizes have one term, most are constants: a compilation makes, compares and copies
/// tens of thousands, in a compiler that is itself built without optimisation.
#[derive(Clone)]
enum Terms {
    Zero,
    One((Monomial, i64)),
    /// Two or more.
    Many(Arc<[(Monomial, i64)]>),
}

impl Default for Size {
    fn default() -> Size {
        Size { terms: Terms::Zero }
    }
}

impl PartialEq for Size {
    fn eq(&self, other: &Size) -> bool {
        match (self.as_const(), other.as_const()) {
            (None, None) => self.terms() == other.terms(),
            (a, b) => a == b,
        }
    }
}

impl Eq for Size {}

impl Hash for Size {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.terms().hash(state);
    }
}

impl Ord for Size {
    fn cmp(&self, other: &Size) -> Ordering {
        self.terms().cmp(other.terms())
    }
}

impl PartialOrd for Size {
    fn partial_cmp(&self, other: &Size) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands in the name of a part of a size, `T_over_2`: nobody can write it.
const PART: &str = "_over_";

/// Of what a name is a part, and how many parts that has: `T` and 2 of `T_over_2`, `T` and 1 of `T`.
pub fn whole(name: &str) -> (&str, i64) {
    let part = name.split_once(PART).and_then(|(whole, parts)| Some((whole, parts.parse().ok()?)));
    part.unwrap_or((name, 1))
}

/// The greatest number that divides both; of 0 and 0, 0.
pub fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// A text with its sizes told by the names that are written: `N*T / 2` for `N*T_over_2`, `T` for `2*T_over_2`.
pub fn as_written(text: &str) -> String {
    let in_term = |c: char| c.is_alphanumeric() || c == '_' || c == '*';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(in_term) {
        let (before, term) = rest.split_at(start);
        let (term, after) = term.split_at(term.find(|c| !in_term(c)).unwrap_or(term.len()));
        out += before;
        out += &term_as_written(term).unwrap_or_else(|| term.to_string());
        rest = after;
    }
    out + rest
}

/// A term of a size, if it is one in which there are parts of names.
fn term_as_written(term: &str) -> Option<String> {
    if !term.contains(PART) {
        return None;
    }
    let size: Size = term.parse().ok()?;
    let (monomial, factor) = size.as_term()?;
    let (names, parts): (Vec<&str>, Vec<i64>) = monomial.names().iter().map(|name| whole(name)).unzip();
    let parts = parts.into_iter().try_fold(1i64, |all, parts| all.checked_mul(parts))?;
    let common = gcd(factor, parts);
    let whole = Size::term(Monomial::new(names.into_iter().map(Into::into).collect()), factor / common);
    Some(if parts == common { whole.to_string() } else { format!("{whole} / {}", parts / common) })
}

impl Size {
    /// The rule by which `by` divides this size, `T % 6 == 0`, if that is a matter of one name.
    pub fn promise(&self, by: i64) -> Option<String> {
        let (monomial, factor) = self.as_term()?;
        let [name] = monomial.names() else { return None };
        let (name, parts) = whole(name);
        Some(format!("{name} % {} == 0", parts.checked_mul(by / gcd(factor, by))?))
    }

    /// The constant `value`.
    pub fn constant(value: i64) -> Size {
        Size::term(Monomial::default(), value)
    }

    /// The run-time size called `name`.
    pub fn symbol(name: &str) -> Size {
        Size::term(Monomial::new(vec![name.into()]), 1)
    }

    /// The run-time size `name`, of which a rule says that `parts` divide it: so many times its part, a size with a name of its own.
    pub fn divided(name: &str, parts: i64) -> Size {
        Size::term(Monomial::new(vec![format!("{name}{PART}{parts}").into()]), parts)
    }

    /// `coefficient · monomial`.
    pub fn term(monomial: Monomial, coefficient: i64) -> Size {
        let terms = if coefficient == 0 { Terms::Zero } else { Terms::One((monomial, coefficient)) };
        Size { terms }
    }

    /// Monomials with their coefficients, sorted, none zero.
    pub fn terms(&self) -> &[(Monomial, i64)] {
        match &self.terms {
            Terms::Zero => &[],
            Terms::One(term) => std::slice::from_ref(term),
            Terms::Many(terms) => terms,
        }
    }

    /// The value, if no run-time name occurs.
    pub fn as_const(&self) -> Option<i64> {
        match &self.terms {
            Terms::Zero => Some(0),
            Terms::One((m, c)) if m.is_one() => Some(*c),
            _ => None,
        }
    }

    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        matches!(self.terms, Terms::Zero)
    }

    /// Whether this is the constant `value`.
    pub fn is(&self, value: i64) -> bool {
        self.as_const() == Some(value)
    }

    /// `coefficient · monomial`, if there is one term only.
    pub fn as_term(&self) -> Option<(&Monomial, i64)> {
        match &self.terms {
            Terms::One((m, c)) => Some((m, *c)),
            _ => None,
        }
    }

    /// The names that occur.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.terms().iter().flat_map(|(m, _)| m.names().iter().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// `self / other` where it comes out even as a polynomial (`other` of one term), else `None`.
    pub fn div_exact(&self, other: &Size) -> Option<Size> {
        let (monomial, coefficient) = other.as_term()?;
        let mut terms = Vec::with_capacity(self.terms().len());
        for (m, c) in self.terms() {
            if c.checked_rem(coefficient)? != 0 {
                return None;
            }
            terms.push((m.quotient(monomial)?, c / coefficient));
        }
        Some(Size::from_terms(terms))
    }

    /// `floor(self / divisor)` where that is a polynomial: every coefficient but the constant's divides.
    pub fn div_floor(&self, divisor: i64) -> Option<Size> {
        let terms = self.terms().iter().map(|(m, c)| match m.is_one() {
            true => Some((m.clone(), c.div_euclid(divisor))),
            false => (c % divisor == 0).then(|| (m.clone(), c / divisor)),
        });
        Some(Size::from_terms(terms.collect::<Option<Vec<_>>>()?))
    }

    /// The value under a binding of names.
    pub fn eval(&self, value: &dyn Fn(&str) -> i64) -> i64 {
        self.terms().iter().fold(0, |sum: i64, (m, c)| sum.saturating_add(c.saturating_mul(m.eval(value))))
    }

    /// The largest number that is counted with: far from the end of i64, so that nothing computed from a few of them overflows.
    pub const LIMIT: i64 = 1 << 50;

    /// The value under a binding of names, if no part of it is beyond [`Size::LIMIT`].
    pub fn eval_within_limit(&self, value: &dyn Fn(&str) -> i64) -> Option<i64> {
        let part = |(monomial, coefficient): &(Monomial, i64)| {
            let names = monomial.names().iter().map(|name| i128::from(value(name).unsigned_abs()));
            names.fold(i128::from(coefficient.unsigned_abs()), i128::saturating_mul)
        };
        let magnitude = self.terms().iter().map(part).fold(0, i128::saturating_add);
        (magnitude <= i128::from(Size::LIMIT)).then(|| self.eval(value))
    }

    /// Whether this is at most `other` for every value of the names, which are at least 1. `false` if that cannot be told.
    pub fn at_most(&self, other: &Size) -> bool {
        let gap = other - self;
        let rises = gap.terms().iter().all(|(m, c)| m.is_one() || *c > 0);
        rises && gap.eval(&|_| 1) >= 0
    }

    /// The product of many sizes.
    pub fn product<'a>(sizes: impl IntoIterator<Item = &'a Size>) -> Size {
        sizes.into_iter().fold(Size::constant(1), |a, b| &a * b)
    }

    /// Writes what `Display` does; numbers, which nearly all sizes are, the short way.
    pub fn write_to(&self, text: &mut String) {
        match self.as_const() {
            Some(value) => text.push_str(&value.to_string()),
            None => text.push_str(&self.to_string()),
        }
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
        let terms = match sum.len() {
            0 => Terms::Zero,
            1 => return sum.pop().map_or(Size::default(), |(m, c)| Size::term(m, c)),
            _ => Terms::Many(sum.into()),
        };
        Size { terms }
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
        match (self.as_const(), other.as_const()) {
            (Some(a), Some(b)) => Size::constant(a.saturating_add(b)),
            (Some(0), _) => other.clone(),
            (_, Some(0)) => self.clone(),
            _ => Size::from_terms([self.terms(), other.terms()].concat()),
        }
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
        match (&self.terms, &other.terms) {
            (Terms::Zero, _) | (_, Terms::Zero) => return Size::default(),
            (Terms::One((m, c)), Terms::One((n, d))) => return Size::term(m.product(n), c.saturating_mul(*d)),
            _ => {}
        }
        let products = |(m, c): &(Monomial, i64)| {
            let (m, c) = (m.clone(), *c);
            other.terms().iter().map(move |(n, d)| (m.product(n), c.saturating_mul(*d)))
        };
        Size::from_terms(self.terms().iter().flat_map(products).collect())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(value) = self.as_const() {
            return fmt::Display::fmt(&value, f);
        }
        // Highest monomials first, the constant last: `N*T + 2*N + 1`.
        for (i, (m, c)) in self.terms().iter().rev().enumerate() {
            let sign = match (i, *c < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            let c = c.abs();
            match (m.is_one(), c) {
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
            let mut coefficient: i64 = sign;
            let mut names = Vec::new();
            for factor in term.split('*') {
                if factor.starts_with(|c: char| c.is_ascii_digit()) {
                    let factor = factor.parse().ok().and_then(|factor: i64| coefficient.checked_mul(factor));
                    coefficient = factor.ok_or_else(wrong)?;
                } else if factor.is_empty() {
                    return Err(wrong());
                } else {
                    names.push(factor.into());
                }
            }
            terms.push((Monomial::new(names), coefficient));
        }
        Ok(Size::from_terms(terms))
    }
}

/// How a size travels: nearly all are numbers.
#[derive(Serialize, Deserialize)]
enum Written {
    Number(i64),
    Terms(Vec<(Vec<Arc<str>>, i64)>),
}

impl From<Size> for Written {
    fn from(size: Size) -> Written {
        match size.as_const() {
            Some(value) => Written::Number(value),
            None => Written::Terms(size.terms().iter().map(|(m, c)| (m.names().to_vec(), *c)).collect()),
        }
    }
}

impl From<Written> for Size {
    fn from(written: Written) -> Size {
        match written {
            Written::Number(value) => Size::constant(value),
            Written::Terms(terms) => {
                Size::from_terms(terms.into_iter().map(|(names, c)| (Monomial::new(names), c)).collect())
            }
        }
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
        for wrong in ["N*", "", "9223372036854775808", "4*9223372036854775807*N"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_are_told_by_what_is_written() {
        let (half, n) = (Size::divided("T", 2).div_exact(&2.into()).unwrap(), Size::symbol("N"));
        let text = |size: &Size| as_written(&format!("found [{size}, x_over_y]"));
        assert_eq!(text(&Size::divided("T", 2)), "found [T, x_over_y]");
        assert_eq!(text(&(&half * &n)), "found [N*T / 2, x_over_y]");
        assert_eq!(text(&(&(&Size::divided("T", 2) * &n) + &(&half + &1.into()))), "found [N*T + T / 2 + 1, x_over_y]");
        assert_eq!(half.promise(3), Some("T % 6 == 0".into()));
        assert_eq!(Size::divided("T", 2).promise(4), Some("T % 4 == 0".into()));
        assert_eq!(Size::symbol("T").promise(2), Some("T % 2 == 0".into()));
        assert_eq!((&half * &n).promise(2), None);
    }

    #[test]
    fn division_is_exact_or_refused() {
        assert_eq!(size("12*N").div_exact(&size("4")), Some(size("3*N")));
        assert_eq!(size("12*N").div_exact(&size("5")), None);
        assert_eq!(size("N*T").div_exact(&size("T")), Some(size("N")));
        assert_eq!(size("4*T - 3").div_floor(2), Some(size("2*T - 2")));
        assert_eq!(size("3*T + 2").div_floor(2), None);
    }

    #[test]
    fn eval_binds_names() {
        assert_eq!(size("B*T + 2*N - 1").eval(&|name| if name == "N" { 5 } else { 3 }), 18);
    }
}
