//! Indices, and their short form in JSON: nearly every index is that of a loop, and is written as the loop's number.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::size::Size;

/// `((Σ coefficient · loop index + offset) / divide) mod modulo`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Index {
    /// Loop dim and coefficient.
    pub terms: Vec<(usize, i64)>,
    /// Added.
    pub offset: Size,
    /// Divided by (1: not at all). If `exact`, a remainder counts as outside; else rounded down.
    pub divide: i64,
    /// See `divide`.
    pub exact: bool,
    /// Remainder taken, if not 0.
    pub modulo: i64,
}

impl Index {
    /// The loop index itself.
    pub fn of(dim: usize) -> Index {
        Index { terms: vec![(dim, 1)], ..Index::zero() }
    }

    /// Always 0.
    pub fn zero() -> Index {
        Index { terms: vec![], offset: Size::default(), divide: 1, exact: false, modulo: 0 }
    }

    /// The index plus a size.
    pub fn plus(mut self, size: &Size) -> Index {
        self.offset = &self.offset + size;
        self
    }

    /// The linear form times a number.
    pub fn times(mut self, factor: i64) -> Index {
        self.terms.iter_mut().for_each(|(_, c)| *c *= factor);
        self.offset = &self.offset * &factor.into();
        self
    }

    /// Whether it is a plain linear form.
    pub fn is_affine(&self) -> bool {
        self.divide == 1 && self.modulo == 0
    }

    /// The loop whose index it is, if it is nothing else.
    fn dim(&self) -> Option<usize> {
        match self.terms[..] {
            [(dim, 1)] if self.offset.is_zero() && self.is_affine() && !self.exact => Some(dim),
            _ => None,
        }
    }
}

/// All of an index, what has its usual value left out.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Whole {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    terms: Vec<(usize, i64)>,
    #[serde(skip_serializing_if = "Size::is_zero")]
    offset: Size,
    #[serde(skip_serializing_if = "is_one")]
    divide: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exact: bool,
    #[serde(skip_serializing_if = "is_zero")]
    modulo: i64,
}

fn is_one(x: &i64) -> bool {
    *x == 1
}

fn is_zero(x: &i64) -> bool {
    *x == 0
}

impl Default for Whole {
    fn default() -> Whole {
        Index::zero().into()
    }
}

impl From<Index> for Whole {
    fn from(Index { terms, offset, divide, exact, modulo }: Index) -> Whole {
        Whole { terms, offset, divide, exact, modulo }
    }
}

impl From<Whole> for Index {
    fn from(Whole { terms, offset, divide, exact, modulo }: Whole) -> Index {
        Index { terms, offset, divide, exact, modulo }
    }
}

impl Serialize for Index {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.dim() {
            Some(dim) => serializer.serialize_u64(dim as u64),
            None => Whole::from(self.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Index, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Index;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a loop, or an index")
    }

    fn visit_u64<E: de::Error>(self, dim: u64) -> Result<Index, E> {
        usize::try_from(dim).map(Index::of).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Index, A::Error> {
        Whole::deserialize(de::value::MapAccessDeserializer::new(map)).map(Index::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_read_back() {
        let wide = Index { divide: 2, exact: true, modulo: 3, ..Index::of(1).times(4).plus(&Size::symbol("N")) };
        for (index, text) in [
            (Index::of(3), "3"),
            (Index::zero(), "{}"),
            (Index::of(0).plus(&1.into()), r#"{"terms":[[0,1]],"offset":1}"#),
            (wide, r#"{"terms":[[1,4]],"offset":"N","divide":2,"exact":true,"modulo":3}"#),
        ] {
            assert_eq!(serde_json::to_string(&index).unwrap(), text);
            assert_eq!(serde_json::from_str::<Index>(text).unwrap(), index);
        }
    }
}
