//! Routines: what is no loop nest over scalar code. The one list of them.
//!
//! A routine sees arrays whose last axis is a *row* and whose other axes say how many rows there are: as many of every operand and result.
//! Each row is a task of its own. What a routine means stands in `graph/src/routines/<name>.rs` (types, gradient, costs, reference), how a CPU
//! runs it in `kernels/src/routines/<name>.rs`; both rooms expand this list, so that one line here is all that ties them together.

use serde::{Deserialize, Serialize};

/// Hands the list of routines to a macro: module, variant, operands and results of each.
#[macro_export]
macro_rules! with_routines {
    ($each:ident) => {
        $each! {
            sort Sort 1 2,
            topk Topk 1 2,
            cumsum Cumsum 1 1,
            cumprod Cumprod 1 1,
            logcumsumexp Logcumsumexp 1 1,
            recurrence Recurrence 2 1,
            searchsorted Searchsorted 2 1,
            median Median 1 2,
            nonzero Nonzero 1 2,
        }
    };
}

macro_rules! names {
    ($($module:ident $name:ident $operands:literal $results:literal,)*) => {
        /// A routine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs)] // Each has a file of its own.
        pub enum Routine {
            $($name,)*
        }

        impl Routine {
            /// Every routine.
            pub const ALL: &[Routine] = &[$(Routine::$name),*];

            /// `sort`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Routine::$name => stringify!($module),)*
                }
            }

            /// How many arrays it reads, and how many it writes, memory to work in not counted.
            pub fn arity(self) -> (usize, usize) {
                match self {
                    $(Routine::$name => ($operands, $results),)*
                }
            }
        }
    };
}

with_routines!(names);

impl Routine {
    /// The routine of this name.
    pub fn from_name(name: &str) -> Option<Routine> {
        Routine::ALL.iter().copied().find(|routine| routine.name() == name)
    }
}
