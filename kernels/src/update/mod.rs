//! Update rules of optimizers: a formula, written once ([`update_rule!`](crate::update_rule)), as data and as compiled functions.
//!
//! Every element is computed on its own without contraction, so the bits depend neither on the instruction set nor on how a parameter is
//! cut into parts. Sums over a parameter are made in f64.

mod elements;
mod formula;
mod interpreted;
mod macros;
mod real;
mod traced;

use castnet_program::program::Stage;
use castnet_program::scalar::Lane;
use castnet_program::types::DType;
use castnet_program::update::{Rule, State};

pub use elements::{Elements, Part};
pub use formula::Formula;
pub use interpreted::Interpreted;
pub use real::Real;
pub use traced::{Traced, TracedTruth};

use crate::isa::{Isa, per_isa};
use crate::math::Scalar;
use elements::BLOCK;
use formula::{Functions, Total, kept};

/// A rule that [`update_rule!`](crate::update_rule) made: by how much it is asked for, by its names, and its functions.
#[derive(Clone, Copy)]
pub struct UpdateRule {
    name: &'static str,
    states: &'static [(&'static str, Option<DType>)],
    scalars: &'static [&'static str],
    sums: usize,
    made: usize,
    f32: Functions,
    f64: Functions,
}

/// The most sums of a rule.
pub const MAX_SUMS: usize = 8;

impl std::fmt::Debug for UpdateRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(states {:?}, scalars {:?})", self.name, self.states, self.scalars)
    }
}

impl UpdateRule {
    /// Of a formula; what [`update_rule!`](crate::update_rule) calls.
    #[doc(hidden)]
    pub const fn of<F: Formula<S, N, K, M>, const S: usize, const N: usize, const K: usize, const M: usize>()
    -> UpdateRule {
        /// The states that there are, in front.
        struct Present<F, const S: usize, const N: usize, const K: usize, const M: usize>(F);

        impl<F: Formula<S, N, K, M>, const S: usize, const N: usize, const K: usize, const M: usize> Present<F, S, N, K, M> {
            const ALL: [(&'static str, Option<DType>); S] = {
                let (states, mut all) = (F::STATES, [("", None); S]);
                let (mut i, mut next) = (0, 0);
                while i < S {
                    if let Some(state) = states[i] {
                        all[next] = state;
                        next += 1;
                    }
                    i += 1;
                }
                all
            };
        }
        assert!(K <= MAX_SUMS, "a rule has too many sums");
        UpdateRule {
            name: F::NAME,
            states: const {
                let all: &[_] = &Present::<F, S, N, K, M>::ALL;
                all.split_at(kept(&F::STATES)).0
            },
            scalars: const { &F::SCALARS },
            sums: K,
            made: M,
            f32: Functions::of::<F, f32, S, N, K, M>(),
            f64: Functions::of::<F, f64, S, N, K, M>(),
        }
    }

    /// The rule's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Name and type of each state, in order; `None`: the net's float type.
    pub fn states(&self) -> &'static [(&'static str, Option<DType>)] {
        self.states
    }

    /// The names of the scalars, in order.
    pub fn scalars(&self) -> &'static [&'static str] {
        self.scalars
    }

    /// Sums over a whole parameter that are made before any element is updated; mostly 0.
    pub fn sums(&self) -> usize {
        self.sums
    }

    /// Numbers that one parameter is updated with: the scalars, and what is made of the sums.
    pub fn numbers(&self) -> usize {
        self.scalars.len() + self.made
    }

    /// The rule as data, for parameters that are computed in this lane.
    pub fn data(&self, lane: Lane) -> Rule {
        let states = self.states.iter().map(|(name, dtype)| State { name: (*name).to_string(), dtype: *dtype });
        let scalars = self.scalars.iter().map(|name| (*name).to_string());
        let stages: Vec<Stage> = (self.functions(lane).stages)();
        Rule { name: self.name.to_string(), states: states.collect(), scalars: scalars.collect(), stages }
    }

    /// Updates the elements of a part.
    ///
    /// # Safety
    /// `part` has as many states as the rule, and as many numbers, which are of the lane; all elements lie where it says, aligned, and nobody
    /// else uses them meanwhile; the gradient lies apart from what is updated.
    pub unsafe fn update(&self, isa: Isa, lane: Lane, part: &Part<'_>) {
        debug_assert_eq!(part.states.len(), self.states.len());
        // SAFETY: the machine has the instruction set; the rest is the caller's promise.
        unsafe { (self.functions(lane).update)(isa.or_portable(), part) }
    }

    /// Adds to `sums` those over the elements of a part, in an order that depends on their number only.
    ///
    /// # Safety
    /// As [`UpdateRule::update`]; there are as many sums as the rule has.
    pub unsafe fn sum(&self, isa: Isa, lane: Lane, part: &Part<'_>, sums: &mut [f64]) {
        debug_assert_eq!(sums.len(), self.sums);
        // SAFETY: as above.
        unsafe { (self.functions(lane).sums)(isa.or_portable(), part, sums) }
    }

    /// Makes of the sums of a whole parameter what stands behind the scalars in `numbers`.
    ///
    /// # Safety
    /// `sums` and `numbers` are as long as the rule says, and the numbers of the lane.
    pub unsafe fn row(&self, lane: Lane, sums: &[f64], numbers: *mut u8) {
        debug_assert_eq!(sums.len(), self.sums);
        // SAFETY: the caller's promise.
        unsafe { (self.functions(lane).row)(sums, numbers) }
    }

    fn functions(&self, lane: Lane) -> &Functions {
        match lane {
            Lane::F32 => &self.f32,
            Lane::F64 => &self.f64,
            Lane::I32 | Lane::I64 | Lane::Bool => unreachable!("an update in {lane:?}"),
        }
    }
}

/// Σ x², in double precision and in an order that depends on the length only.
pub fn sum_of_squares<T: Scalar>(isa: Isa, x: &[T]) -> f64 {
    // SAFETY: the machine has the instruction set.
    unsafe { squares_isa(isa.or_portable(), x) }
}

per_isa! {
    /// Sum of squares.
    fn squares_isa<T: Scalar>(x: &[T]) -> f64 = squares;
}

#[inline(always)]
fn squares<T: Scalar>(x: &[T]) -> f64 {
    let mut total = Total::default();
    for x in x.chunks(BLOCK) {
        let mut squares = [0.0; BLOCK];
        squares.iter_mut().zip(x).for_each(|(square, x)| *square = x.f64() * x.f64());
        total.add(&squares[..x.len()]);
    }
    total.sum()
}
