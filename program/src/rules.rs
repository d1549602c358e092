//! Rules for sizes: what the arguments of a function must fulfil.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::size::{ParseSizeError, Size};

/// `left relation right`, or `left % modulo relation right`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The left side.
    pub left: Size,
    /// If not 0, the left side is taken modulo this.
    pub modulo: i64,
    /// How the sides compare.
    pub relation: Relation,
    /// The right side.
    pub right: Size,
    /// Whether all that it says is that something is not empty: where that has no element, nor has any result, nothing needs to run.
    pub not_empty: bool,
    /// Whose rule it is, where it is not the user's own.
    pub reason: Option<Reason>,
}

/// What to say of a rule that does not hold, beside the sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// In a graph the token's `Loc`, in a program an index into the table of source places, as a launch has.
    pub loc: u32,
    /// The layer (`bn1`) or operator.
    pub name: Arc<str>,
    /// What it needs and what to do: ``needs more than one value a channel; give it larger batches``.
    pub why: String,
}

/// How two sizes compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    Greater,
    /// `>=`.
    AtLeast,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
}

impl Relation {
    const ALL: [(Relation, &str); 6] = [
        (Relation::AtMost, "<="),
        (Relation::AtLeast, ">="),
        (Relation::Equal, "=="),
        (Relation::NotEqual, "!="),
        (Relation::Less, "<"),
        (Relation::Greater, ">"),
    ];

    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Relation::Less => left < right,
            Relation::AtMost => left <= right,
            Relation::Greater => left > right,
            Relation::AtLeast => left >= right,
            Relation::Equal => left == right,
            Relation::NotEqual => left != right,
        }
    }
}

impl Rule {
    /// `left relation right`.
    pub fn new(left: Size, relation: Relation, right: Size) -> Rule {
        Rule { left, modulo: 0, relation, right, not_empty: false, reason: None }
    }

    /// `size >= 1`, of something that would be empty else.
    pub fn not_empty(size: Size) -> Rule {
        Rule { not_empty: true, ..Rule::new(size, Relation::AtLeast, 1.into()) }
    }

    /// Whether it asks for what `other` does, whosever it is.
    pub fn asks_the_same(&self, other: &Rule) -> bool {
        let sides = |r: &Rule| (r.left.clone(), r.modulo, r.relation, r.right.clone());
        sides(self) == sides(other)
    }

    /// Adds it to others, once; what a user asks for, too, holds also where nothing is to run.
    pub fn add_to(self, rules: &mut Vec<Rule>) {
        match rules.iter_mut().find(|known| known.asks_the_same(&self)) {
            Some(known) => known.not_empty &= self.not_empty,
            None => rules.push(self),
        }
    }

    /// Whether it holds but for something that has no element with these values of the run-time sizes.
    pub fn holds_or_is_empty(&self, value: &dyn Fn(&str) -> i64) -> bool {
        self.holds(value) || self.not_empty && self.left.eval(value).saturating_add(1) == self.right.eval(value)
    }

    /// Whether it holds with these values of the run-time sizes.
    pub fn holds(&self, value: &dyn Fn(&str) -> i64) -> bool {
        let left = self.left.eval(value);
        let left = if self.modulo > 0 { left.rem_euclid(self.modulo) } else { left };
        self.relation.holds(left, self.right.eval(value))
    }

    /// Whether it holds, where that does not depend on run-time sizes. Sizes are at least 1.
    pub fn known(&self) -> Option<bool> {
        let difference = &self.left - &self.right;
        if self.modulo == 0 {
            if let Some(constant) = difference.as_const() {
                return Some(self.relation.holds(constant, 0));
            }
            let (below, above) = (self.left.at_most(&self.right), self.right.at_most(&self.left));
            return match self.relation {
                Relation::AtMost if below => Some(true),
                Relation::AtLeast if above => Some(true),
                Relation::Less if above => Some(false),
                Relation::Greater if below => Some(false),
                _ => None,
            };
        }
        if let (Some(left), Some(right)) = (self.left.as_const(), self.right.as_const()) {
            return Some(self.relation.holds(left.rem_euclid(self.modulo), right));
        }
        let even = self.left.terms().iter().all(|(_, c)| c % self.modulo == 0);
        (even && self.right.as_const().is_some()).then(|| self.relation.holds(0, self.right.as_const().unwrap_or(0)))
    }

    /// The names of run-time sizes in it.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names = self.left.names();
        names.extend(self.right.names());
        names.sort();
        names.dedup();
        names
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Relation::ALL.iter().find(|(r, _)| *r == self.relation).map_or("?", |(_, s)| s);
        match self.modulo {
            0 => write!(f, "{} {sign} {}", self.left, self.right),
            modulo if self.left.terms().len() > 1 => write!(f, "({}) % {modulo} {sign} {}", self.left, self.right),
            modulo => write!(f, "{} % {modulo} {sign} {}", self.left, self.right),
        }
    }
}

impl FromStr for Rule {
    type Err = ParseSizeError;

    /// Reads what `Display` prints.
    fn from_str(text: &str) -> Result<Rule, ParseSizeError> {
        let wrong = || ParseSizeError(text.to_string());
        let split = |(relation, sign): &(Relation, &str)| {
            let (left, right) = text.split_once(&format!(" {sign} "))?;
            Some((*relation, left, right))
        };
        let (relation, left, right) = Relation::ALL.iter().find_map(split).ok_or_else(wrong)?;
        let (left, modulo) = match left.split_once(" % ") {
            Some((left, modulo)) => (left.trim_matches(['(', ')']), modulo.parse().map_err(|_| wrong())?),
            None => (left, 0),
        };
        Ok(Rule { modulo, ..Rule::new(left.parse()?, relation, right.parse()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_back_and_decided() {
        for (text, known) in [
            ("T <= 1024", None),
            ("3 <= 1024", Some(true)),
            ("7 % 2 == 0", Some(false)),
            ("(T + 1) % 2 == 0", None),
            ("4*T % 2 == 0", Some(true)),
            ("N != N", Some(false)),
            ("N + 1 > N", Some(true)),
            ("1 <= N", Some(true)),
            ("2 <= N", None),
            ("N < 1", Some(false)),
        ] {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
            assert_eq!(rule.known(), known, "{text}");
        }
        let rule: Rule = "T % 2 == 0".parse().unwrap();
        assert!(rule.holds(&|_| 6) && !rule.holds(&|_| 7));
        assert!("T ~ 3".parse::<Rule>().is_err());
    }
}
