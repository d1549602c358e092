//! A formula as code: what runs it over the elements of a parameter, and what it is as data.

use std::array::from_fn;
use std::marker::PhantomData;

use castnet_program::program::{Level, Source, Stage, Target};
use castnet_program::scalar::{Lane, Reduction, Slot};
use castnet_program::types::DType;
use castnet_program::update::{PARAMETER, Rule};

use super::elements::{BLOCK, Part, each_run};
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
    pub(super) update: unsafe fn(Isa, &Part<'_>),
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
            update: update::<F, T, S, N, K, M>,
            sums: sums::<F, T, S, N, K, M>,
            row: row::<F, T, S, N, K, M>,
            stages: stages::<F, T, S, N, K, M>,
        }
    }
}

/// What is compiled for each instruction set.
trait Body {
    type T: Compute;

    /// Updates some elements. The first states are parameters of their own, as the compiler must know that they lie apart to make vectors of them;
    /// what there is not is empty.
    ///
    /// # Safety
    /// The numbers are those of the rule; the slices have one length.
    #[allow(clippy::too_many_arguments)]
    unsafe fn update(
        numbers: *const u8,
        factor: Self::T,
        parameter: &mut [Self::T],
        gradient: &[Self::T],
        first: &mut [Self::T],
        second: &mut [Self::T],
        third: &mut [Self::T],
        more: &mut [&mut [Self::T]],
    );

    /// Adds the sums over some elements.
    ///
    /// # Safety
    /// As above.
    unsafe fn sum(
        numbers: *const u8,
        factor: Self::T,
        parameter: &[Self::T],
        gradient: &[Self::T],
        states: &[&mut [Self::T]],
        totals: &mut [Total],
    );
}

per_isa! {
    /// An update.
    fn update_isa<B: Body>(
        numbers: *const u8,
        factor: B::T,
        parameter: &mut [B::T],
        gradient: &[B::T],
        first: &mut [B::T],
        second: &mut [B::T],
        third: &mut [B::T],
        more: &mut [&mut [B::T]],
    ) = B::update;
    /// Sums.
    fn sum_isa<B: Body>(
        numbers: *const u8,
        factor: B::T,
        parameter: &[B::T],
        gradient: &[B::T],
        states: &[&mut [B::T]],
        totals: &mut [Total],
    ) = B::sum;
}

struct Elementwise<F, T, const S: usize, const N: usize, const K: usize, const M: usize>(PhantomData<(F, T)>);

/// States that are parameters of their own.
const APART: usize = 3;

impl<F, T, const S: usize, const N: usize, const K: usize, const M: usize> Body for Elementwise<F, T, S, N, K, M>
where
    F: Formula<S, N, K, M>,
    T: Compute,
{
    type T = T;

    #[inline(always)]
    unsafe fn update(
        numbers_at: *const u8,
        factor: T,
        parameter: &mut [T],
        gradient: &[T],
        first: &mut [T],
        second: &mut [T],
        third: &mut [T],
        more: &mut [&mut [T]],
    ) {
        // SAFETY: the caller's promise.
        let (scalars, row) = unsafe { (numbers(numbers_at), numbers(numbers_at.add(N * size_of::<T>()))) };
        let present: [bool; S] = const { present(&F::STATES) };
        // The same lengths, told to the compiler.
        let len = parameter.len();
        let gradient = &gradient[..len];
        let of = |state: usize| if state < S && present[state] { len } else { 0 };
        let (first, second, third) = (&mut first[..of(0)], &mut second[..of(1)], &mut third[..of(2)]);
        for i in 0..len {
            let before: [T; S] = from_fn(|state| match state {
                _ if !present[state] => T::default(),
                0 => first[i],
                1 => second[i],
                2 => third[i],
                _ => more[state - APART][i],
            });
            let (new, after) = F::update(parameter[i], factor * gradient[i], before, scalars, row);
            parameter[i] = new;
            for (state, after) in after.into_iter().enumerate() {
                match state {
                    _ if !present[state] => {}
                    0 => first[i] = after,
                    1 => second[i] = after,
                    2 => third[i] = after,
                    _ => more[state - APART][i] = after,
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn sum(
        numbers_at: *const u8,
        factor: T,
        parameter: &[T],
        gradient: &[T],
        states: &[&mut [T]],
        totals: &mut [Total],
    ) {
        // SAFETY: the caller's promise.
        let scalars = unsafe { numbers(numbers_at) };
        let present: [bool; S] = const { present(&F::STATES) };
        for at in (0..parameter.len()).step_by(BLOCK) {
            let range = at..parameter.len().min(at + BLOCK);
            let (parameter, gradient) = (&parameter[range.clone()], &gradient[range.clone()]);
            let before: [&[T]; S] = from_fn(|state| if present[state] { &states[state][range.clone()] } else { &[] });
            let mut values = [[0.0; BLOCK]; K];
            for i in 0..parameter.len() {
                let states = from_fn(|state| if present[state] { before[state][i] } else { T::default() });
                let found = F::sums(parameter[i], factor * gradient[i], states, scalars);
                for (values, found) in values.iter_mut().zip(found) {
                    values[i] = found;
                }
            }
            for (total, values) in totals.iter_mut().zip(&values) {
                total.add(&values[..parameter.len()]);
            }
        }
    }
}

/// Which states there are.
const fn present<const S: usize>(states: &[Option<(&'static str, Option<DType>)>; S]) -> [bool; S] {
    let (mut present, mut i) = ([false; S], 0);
    while i < S {
        present[i] = states[i].is_some();
        i += 1;
    }
    present
}

/// # Safety
/// As [`super::UpdateRule::update`].
unsafe fn update<F, T, const S: usize, const N: usize, const K: usize, const M: usize>(isa: Isa, part: &Part<'_>)
where
    F: Formula<S, N, K, M>,
    T: Compute,
{
    let run = |parameter: &mut [T], gradient: &[T], mut states: [&mut [T]; S]| {
        let (mut apart, more) = states.split_at_mut(S.min(APART));
        let mut next = || apart.split_off_first_mut().map(std::mem::take).unwrap_or_default();
        let (first, second, third) = (next(), next(), next());
        let factor = T::of(part.factor);
        // SAFETY: the caller's promise.
        unsafe {
            update_isa::<Elementwise<F, T, S, N, K, M>>(
                isa,
                part.numbers,
                factor,
                parameter,
                gradient,
                first,
                second,
                third,
                more,
            );
        }
    };
    // SAFETY: the caller's promise.
    unsafe { each_run(part, &F::STATES, true, run) }
}

/// # Safety
/// As [`super::UpdateRule::sum`].
unsafe fn sums<F, T, const S: usize, const N: usize, const K: usize, const M: usize>(
    isa: Isa,
    part: &Part<'_>,
    sums: &mut [f64],
) where
    F: Formula<S, N, K, M>,
    T: Compute,
{
    let mut totals = [Total::default(); K];
    let run = |parameter: &mut [T], gradient: &[T], states: [&mut [T]; S]| {
        let factor = T::of(part.factor);
        // SAFETY: the caller's promise.
        unsafe {
            sum_isa::<Elementwise<F, T, S, N, K, M>>(
                isa,
                part.numbers,
                factor,
                parameter,
                gradient,
                &states,
                &mut totals,
            );
        }
    };
    // SAFETY: the caller's promise.
    unsafe { each_run(part, &F::STATES, false, run) };
    for (sum, total) in sums.iter_mut().zip(totals) {
        *sum += total.sum();
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
