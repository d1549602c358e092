//! Reductions: many scalars to one. The one table of them.
//!
//! A reduction folds by a function of two scalars, whose row in [`function`](crate::function) says what it means, what computes it and its
//! name in CUDA C; so the row here says which one, and what it begins with. Everybody expands the table or asks it, and nobody else lists
//! reductions but those that do something of their own with one by name. Its operator and its gradient stand in
//! `graph/src/functions/reduction.rs`.

use serde::{Deserialize, Serialize};

use crate::function::Binary;
use crate::scalar::{Lane, Literal};
use crate::types::DType;

/// Hands the table of reductions to a macro, behind what is given in brackets.
///
/// A row: what it is; variant; name in text; the associative and commutative functions by which it folds, of which a lane takes the first
/// that it has ([`Reduction::fold`]); what it begins with ([`Reduction::identity`]); and the type in which integers and truth values are
/// reduced, `Own` or `I64` ([`Reduction::of`]).
#[macro_export]
macro_rules! with_reductions {
    ($each:ident $(($($given:tt)*))?) => {
        $each! {
            $($($given)*)?
            /// The sum; integers wrap.
            Sum sum [Add] Zero I64;
            /// The greatest; NaN if any is. Of truth values: whether any is true.
            Max max [Max, Or] Least Own;
            /// The least; NaN if any is. Of truth values: whether all are true.
            Min min [Min, And] Most Own;
            /// The product; integers wrap.
            Prod prod [Mul] One I64;
            /// Of each bit, whether it is set in an odd number; of truth values, whether an odd number is true.
            Xor xor [Xor] Zero Own;
        }
    };
}

/// What a reduction begins with: what folded with x gives x.
#[derive(Clone, Copy)]
enum First {
    Zero,
    One,
    Least,
    Most,
}

impl First {
    const fn literal(self, lane: Lane) -> Literal {
        use {First::*, Literal::*};
        match (self, lane) {
            (Zero, Lane::F32) => F32(0.0),
            (Zero, Lane::F64) => F64(0.0),
            (Zero, Lane::I32) => I32(0),
            (Zero, Lane::I64) => I64(0),
            (One, Lane::F32) => F32(1.0),
            (One, Lane::F64) => F64(1.0),
            (One, Lane::I32) => I32(1),
            (One, Lane::I64) => I64(1),
            (Least, Lane::F32) => F32(f32::NEG_INFINITY),
            (Least, Lane::F64) => F64(f64::NEG_INFINITY),
            (Least, Lane::I32) => I32(i32::MIN),
            (Least, Lane::I64) => I64(i64::MIN),
            (Most, Lane::F32) => F32(f32::INFINITY),
            (Most, Lane::F64) => F64(f64::INFINITY),
            (Most, Lane::I32) => I32(i32::MAX),
            (Most, Lane::I64) => I64(i64::MAX),
            (Zero | Least, Lane::Bool) => Bool(false),
            (One | Most, Lane::Bool) => Bool(true),
        }
    }
}

/// In which type integers and truth values are reduced.
#[derive(Clone, Copy)]
enum Whole {
    /// In their own.
    Own,
    /// In i64, which has room.
    I64,
}

macro_rules! reductions {
    ($($(#[$doc:meta])* $f:ident $name:ident [$($fold:ident),+] $first:ident $whole:ident;)*) => {
        /// Functions that reduce many scalars to one of the same lane, which is their accumulator.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reduction {
            $($(#[$doc])* $f,)*
        }

        impl Reduction {
            /// Every one.
            pub const ALL: &[Reduction] = &[$(Reduction::$f),*];

            /// Under which it is printed.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Reduction::$f => stringify!($name),)*
                }
            }

            /// The function of two scalars of a lane by which it folds. `None`: the lane is not reduced so.
            pub const fn fold(self, lane: Lane) -> Option<Binary> {
                let folds: &[Binary] = match self {
                    $(Reduction::$f => &[$(Binary::$fold),+],)*
                };
                let mut i = 0;
                while i < folds.len() {
                    if folds[i].takes(lane) {
                        return Some(folds[i]);
                    }
                    i += 1;
                }
                None
            }

            const fn first(self) -> First {
                match self {
                    $(Reduction::$f => First::$first,)*
                }
            }

            const fn whole(self) -> Whole {
                match self {
                    $(Reduction::$f => Whole::$whole,)*
                }
            }
        }
    };
}
with_reductions!(reductions);

impl Reduction {
    /// The reduction of this name.
    pub fn from_name(name: &str) -> Option<Reduction> {
        Reduction::ALL.iter().copied().find(|f| f.name() == name)
    }

    /// Whether a lane is reduced so.
    pub const fn takes(self, lane: Lane) -> bool {
        self.fold(lane).is_some()
    }

    /// What folded with x gives x.
    pub const fn identity(self, lane: Lane) -> Literal {
        self.first().literal(lane)
    }

    /// The element type to which elements of a type are reduced, which they are cast to before.
    pub fn of(self, dtype: DType) -> DType {
        match self.whole() {
            Whole::I64 if !dtype.is_float() => DType::I64,
            Whole::I64 | Whole::Own => dtype,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of every lane: what it begins with changes nothing, and order does not matter.
    #[test]
    fn every_reduction_begins_with_what_changes_nothing() {
        for (f, lane) in Reduction::ALL.iter().flat_map(|f| Lane::ALL.map(|lane| (*f, lane))) {
            assert_eq!(Reduction::from_name(f.name()), Some(f));
            let Some(fold) = f.fold(lane) else { continue };
            assert!(!fold.is_comparison(), "{f:?}: {fold:?} of {lane:?} gives truth values");
            let floats = [0.0, 1.0, -2.5, 3.0, 1e30];
            let whole = [0, 1, -1, 6, 77, i32::MAX.into(), i32::MIN.into()];
            match f.identity(lane) {
                Literal::F32(first) => check(&floats, first.into(), |x, y| fold.of_f64(x, y), f),
                Literal::F64(first) => check(&floats, first, |x, y| fold.of_f64(x, y), f),
                Literal::Bool(first) => check(&floats[..2], f64::from(u8::from(first)), |x, y| fold.of_f64(x, y), f),
                Literal::I32(first) => check(&whole, first.into(), |x, y| fold.of_i64(x, y).unwrap(), f),
                Literal::I64(first) => check(&whole, first, |x, y| fold.of_i64(x, y).unwrap(), f),
            }
        }
    }

    fn check<T: Copy + PartialEq + std::fmt::Debug>(all: &[T], first: T, fold: impl Fn(T, T) -> T, f: Reduction) {
        for &x in all {
            assert_eq!(fold(first, x), x, "{f:?} from {first:?}");
            for &y in all {
                assert_eq!(fold(x, y), fold(y, x), "{f:?} of {x:?} and {y:?}");
            }
        }
    }
}
