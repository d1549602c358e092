//! A formula as code: what runs it over the elements of a parameter, and what it is as data.

use std::array::from_fn;
use std::marker::PhantomData;

use castnet_program::program::{Level, Source, Stage, Target};
use castnet_program::scalar::{Lane, Reduction, Slot};
use castnet_program::types::DType;
use castnet_program::update::{PARAMETER, Rule};

use super::elements::{BLOCK, Part, give, take};
use super::real::Real;
use super::traced::{Traced, trace};
use crate::isa::{Isa, per_isa};
use crate::math::Scalar;

/// What [`update_rule!`](crate::update_rule) makes of a formula with S states, N scalars, K sums over the parameter and M numbers made of these.
pub trait Formula<const S: usize, const N: usize, const K: usize, const M: usize>: 'static {
    /// The rule's name.
    const NAME: &'static str;
    /// The states; `None` is one that this variant does without.
    const STATES: [Option<(&'static str, Option<DType>)>; S];
    /// The scalars' names.
    const SCALARS: [&'static str; N];

    /// What is summed over all elements.
    fn sums<T: Real>(parameter: T, gradient: T, states: [T; S], scalars: [T; N]) -> [T::Wide; K];

    /// What is made of the sums.
    fn row<W: Real>(sums: [W; K], scalars: [W; N]) -> [W; M];

    /// The new parameter and the new states.
    fn update<T: Real>(parameter: T, gradient: T, states: [T; S], scalars: [T; N], row: [T; M]) -> (T, [T; S]);
}

/// What formulas are compiled for.
pub(super) trait Compute: Real<Wide = f64> + Scalar {}

impl Compute for f32 {}
impl Compute for f64 {}

/// The states of a formula that there are.
pub(super) const fn kept<const S: usize>(states: &[Option<(&'static str, Option<DType>)>; S]) -> usize {
    let (mut count, mut i) = (0, 0);
    while i < S {
        count += states[i].is_some() as usize;
        i += 1;
    }
    count
}

/// The functions of a formula in one lane.
#[derive(Clone, Copy)]
pub(super) struct Functions {
    /// Updates the part's elements.
    pub(super) update: unsafe fn(Isa, &Part<'_>, &mut [f64]),
    /// Adds the sums over the part's elements.
    pub(super) sums: unsafe fn(Isa, &Part<'_>, &mut [f64]),
    /// Writes what is made of the sums behind the scalars.
    pub(super) row: unsafe fn(&[f64], *mut u8),
    /// The same as data.
    pub(super) stages: fn() -> Vec<Stage>,
}

impl Functions {
    pub(super) const fn of<F, T, const S: usize, const N: usize, const K: usize, const M: usize>() -> Functions
    where
        F: Formula<S, N, K, M>,
        T: Compute,
    {
        Functions {
            update: run_isa::<Update<F, T, S, N, K, M>>,
            sums: run_isa::<Sums<F, T, S, N, K, M>>,
            row: row::<F, T, S, N, K, M>,
            stages: stages::<F, T, S, N, K, M>,
        }
    }
}

/// What is compiled for each instruction set.
trait Body {
    /// # Safety
    /// As [`super::UpdateRule::update`].
    unsafe fn run(part: &Part<'_>, sums: &mut [f64]);
}

per_isa! {
    /// Runs it.
    fn run_isa<B: Body>(part: &Part<'_>, sums: &mut [f64]) = B::run;
}

struct Update<F, T, const S: usize, const N: usize, const K: usize, const M: usize>(PhantomData<(F, T)>);

impl<F, T, const S: usize, const N: usize, const K: usize, const M: usize> Body for Update<F, T, S, N, K, M>
where
    F: Formula<S, N, K, M>,
    T: Compute,
{
    #[inline(always)]
    unsafe fn run(part: &Part<'_>, _: &mut [f64]) {
        let states = const { &F::STATES };
        // SAFETY: the caller's promise; blocks end where the part does.
        unsafe {
            let (scalars, row) = (numbers::<T, N>(part.numbers), numbers::<T, M>(part.numbers.add(N * size_of::<T>())));
            each_block::<T, S>(part, states, |at, count, parameter, gradient, before| {
                // Collected apart, so that the loop vectorises wherever they lie.
                let mut parameters = [T::default(); BLOCK];
                let mut after = [[T::default(); BLOCK]; S];
                for i in 0..BLOCK {
                    let states = from_fn(|state| before[state][i]);
                    let (parameter, states) = F::update(parameter[i], gradient[i], states, scalars, row);
                    parameters[i] = parameter;
                    for state in 0..S {
                        after[state][i] = states[state];
                    }
                }
                give(part.parameter, part.start + at, count, &parameters);
                let mut present = part.states.iter();
                for state in 0..S {
                    if states[state].is_some()
                        && let Some(elements) = present.next()
                    {
                        give(*elements, part.start + at, count, &after[state]);
                    }
                }
            });
        }
    }
}

struct Sums<F, T, const S: usize, const N: usize, const K: usize, const M: usize>(PhantomData<(F, T)>);

impl<F, T, const S: usize, const N: usize, const K: usize, const M: usize> Body for Sums<F, T, S, N, K, M>
where
    F: Formula<S, N, K, M>,
    T: Compute,
{
    #[inline(always)]
    unsafe fn run(part: &Part<'_>, sums: &mut [f64]) {
        let mut lanes = [Total::default(); K];
        // SAFETY: the caller's promise.
        unsafe {
            let scalars = numbers::<T, N>(part.numbers);
            each_block::<T, S>(part, const { &F::STATES }, |_, count, parameter, gradient, before| {
                let mut values = [[0.0; BLOCK]; K];
                for i in 0..BLOCK {
                    let states = from_fn(|state| before[state][i]);
                    let found = F::sums(parameter[i], gradient[i], states, scalars);
                    for sum in 0..K {
                        values[sum][i] = found[sum];
                    }
                }
                for (lanes, values) in lanes.iter_mut().zip(&values) {
                    lanes.add(&values[..count]);
                }
            });
        }
        for (sum, lanes) in sums.iter_mut().zip(lanes) {
            *sum += lanes.sum();
        }
    }
}

/// Hands the elements on block by block, with the number of the first and how many they are: the parameter, its gradient times the part's
/// factor, the states. What is behind the last element means nothing.
///
/// # Safety
/// As [`super::UpdateRule::update`].
#[inline(always)]
unsafe fn each_block<T: Compute, const S: usize>(
    part: &Part<'_>,
    states: &[Option<(&'static str, Option<DType>)>; S],
    mut run: impl FnMut(usize, usize, &[T; BLOCK], &[T; BLOCK], [&[T; BLOCK]; S]),
) {
    let factor = T::of(part.factor);
    let (mut first, mut second, mut more) = ([T::default(); BLOCK], [T::default(); BLOCK], [[T::default(); BLOCK]; S]);
    for at in (0..part.len).step_by(BLOCK) {
        let count = BLOCK.min(part.len - at);
        let mut scaled = [T::default(); BLOCK];
        // SAFETY: the caller's promise; `count` elements are left.
        unsafe {
            let parameter = take(part.parameter, part.start + at, count, &mut first);
            let gradient = take(part.gradient, at, count, &mut second);
            for i in 0..BLOCK {
                scaled[i] = factor * gradient[i];
            }
            let mut present = part.states.iter();
            let (mut pads, mut state) = (more.iter_mut(), 0);
            let before = from_fn(|_| {
                let pad = pads.next().unwrap_or_else(|| unreachable!("a pad for each state"));
                state += 1;
                match states[state - 1].and_then(|_| present.next()) {
                    Some(elements) => take(*elements, part.start + at, count, pad),
                    None => &*pad,
                }
            });
            run(at, count, parameter, &scaled, before);
        }
    }
}

/// # Safety
/// N numbers lie there.
#[inline(always)]
unsafe fn numbers<T: Copy, const N: usize>(from: *const u8) -> [T; N] {
    // SAFETY: the caller's promise.
    unsafe { from.cast::<[T; N]>().read_unaligned() }
}

/// # Safety
/// N scalars lie there, and there is room for M numbers behind them.
unsafe fn row<F, T, const S: usize, const N: usize, const K: usize, const M: usize>(sums: &[f64], numbers_at: *mut u8)
where
    F: Formula<S, N, K, M>,
    T: Compute,
{
    // SAFETY: the caller's promise.
    unsafe {
        let scalars = numbers::<T, N>(numbers_at).map(Real::wide);
        let made = F::row(from_fn(|sum| sums[sum]), scalars).map(T::narrow);
        numbers_at.cast::<T>().add(N).cast::<[T; M]>().write_unaligned(made);
    }
}

/// A sum whose order depends on the number of elements only: sixteen sums side by side, then in halves.
#[derive(Clone, Copy, Default)]
pub(super) struct Total([f64; Total::LANES]);

impl Total {
    const LANES: usize = 16;

    /// Adds elements; but for the last ones, a multiple of sixteen at a time.
    #[inline(always)]
    pub(super) fn add(&mut self, values: &[f64]) {
        let (chunks, rest) = values.as_chunks::<{ Total::LANES }>();
        for chunk in chunks {
            for (sum, value) in self.0.iter_mut().zip(chunk) {
                *sum += value;
            }
        }
        for (sum, value) in self.0.iter_mut().zip(rest) {
            *sum += value;
        }
    }

    #[inline(always)]
    pub(super) fn sum(mut self) -> f64 {
        let mut width = Total::LANES / 2;
        while width > 0 {
            for lane in 0..width {
                self.0[lane] += self.0[lane + width];
            }
            width /= 2;
        }
        self.0[0]
    }
}

/// The formula as data, in the lane of T: the sums, what is made of them, the update.
fn stages<F, T, const S: usize, const N: usize, const K: usize, const M: usize>() -> Vec<Stage>
where
    F: Formula<S, N, K, M>,
    T: Compute,
{
    let states = kept(&F::STATES);
    let lane_of = |dtype: Option<DType>| dtype.map_or(T::LANE, DType::lane);
    let element = |row: usize| -> (Vec<Source>, Vec<Lane>) {
        let elements = [T::LANE; 2].into_iter().chain(F::STATES.iter().flatten().map(|(_, dtype)| lane_of(*dtype)));
        let lanes: Vec<Lane> = elements.chain([T::LANE; N]).collect();
        let sources = (0..lanes.len()).map(Source::Load).chain((K..K + row).map(Source::Row));
        (sources.collect(), lanes.into_iter().chain(std::iter::repeat_n(T::LANE, row)).collect())
    };
    // The states in T's lane; what there is not is 0.
    let before = |lanes: &[Lane]| -> [Traced<T>; S] {
        let mut slot = Rule::state(0);
        from_fn(|state| match F::STATES[state] {
            None => Traced::of(0.0),
            Some(_) => {
                slot += 1;
                Traced::of_lane(slot as Slot - 1, lanes[slot - 1])
            }
        })
    };
    let scalar = |number: usize| Traced::<T>::at((Rule::state(states) + number) as Slot);
    let mut stages = vec![];
    if K > 0 {
        let (inputs, lanes) = element(0);
        let code = trace(lanes.clone(), || {
            let sums = F::sums(Traced::<T>::at(0), Traced::at(1), before(&lanes), from_fn(scalar));
            sums.map(|sum| sum.0).to_vec()
        });
        let outputs = (0..K).map(|sum| Target::Reduce(Reduction::Sum, sum)).collect();
        stages.push(Stage { level: Level::Element, inputs, code, outputs });
        let loads = (0..N).map(|number| Source::Load(Rule::state(states) + number));
        let inputs = (0..K).map(Source::Row).chain(loads).collect();
        let lanes = [Lane::F64; K].into_iter().chain([T::LANE; N]).collect();
        let code = trace(lanes, || {
            let sums = from_fn(|sum| Traced::<f64>::at(sum as Slot));
            let made = F::row(sums, from_fn(|number| Traced::<T>::at((K + number) as Slot).wide()));
            made.map(|made| Traced::<T>::narrow(made).0).to_vec()
        });
        let outputs = (K..K + M).map(Target::Row).collect();
        stages.push(Stage { level: Level::Row, inputs, code, outputs });
    }
    let (inputs, lanes) = element(M);
    let code = trace(lanes.clone(), || {
        let row = from_fn(|made| Traced::at((lanes.len() - M + made) as Slot));
        let (parameter, after) = F::update(Traced::<T>::at(0), Traced::at(1), before(&lanes), from_fn(scalar), row);
        let after = after.iter().zip(F::STATES).filter_map(|(after, state)| Some(after.to_lane(lane_of(state?.1))));
        std::iter::once(parameter.0).chain(after).collect()
    });
    let outputs = (PARAMETER..=states).map(Target::Store).collect();
    stages.push(Stage { level: Level::Element, inputs, code, outputs });
    stages
}
