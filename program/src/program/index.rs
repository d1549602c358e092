//! Index arithmetic.

use serde::{Deserialize, Serialize};

use crate::size::Size;

/// `((Σ coefficient · loop index + offset) / divide) mod modulo`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
}
