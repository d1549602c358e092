//! Updates of the flat arena of parameters by pieces, whoever asks for them: a kernel that has made a gradient, or the ending of a step. One of the few
//! modules with `unsafe`.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use castnet_kernels::isa::Isa;
use castnet_kernels::update::{Elements, MAX_SUMS, Part, Real, UpdateRule};

use super::slices::{SliceFloat, Slices};
use super::{MAX_SLICES, Optimizer, Placed, Rule};
use crate::float::Float;
use crate::memory::{Memory, Shared};
use crate::mirrors;
use crate::net::{Loaded, Updated};
use crate::pieces::{Piece, runs};

/// The parameters of a model and the state of its optimizer, to be changed by many threads at once.
pub(crate) struct Target<'a> {
    optimizer: &'a dyn Optimizer,
    rule: Rule<'a>,
    isa: Isa,
    pub(crate) loaded: &'a Loaded,
    parameters: Elements,
    states: &'a [Elements],
    /// The numbers of a formula, of all parameters.
    numbers: Shared<u8>,
    /// Room for what a formula sums, of each piece.
    sums: &'a [AtomicU64],
    /// By what all gradients are multiplied: -1 if the objective is made greater.
    direction: f64,
}

impl<'a> Target<'a> {
    /// Borrows both: the optimizer must be prepared for this net.
    pub(crate) fn new(optimizer: &'a mut dyn Optimizer, loaded: &'a Loaded, parameters: &'a mut Memory) -> Target<'a> {
        optimizer.state_mut().place();
        let optimizer = &*optimizer;
        assert!(parameters.len() == loaded.model_bytes(), "not this net's parameters");
        let parameters = Elements { base: parameters.as_mut_ptr(), dtype: loaded.net.float };
        let Placed { states, numbers, sums } = optimizer.state().placed();
        let direction = if optimizer.maximizes() { -1.0 } else { 1.0 };
        let (rule, isa) = (optimizer.rule(), Isa::detect());
        Target { optimizer, rule, isa, loaded, parameters, states, numbers, sums, direction }
    }

    /// The optimizer that updates.
    pub(crate) fn optimizer(&self) -> &dyn Optimizer {
        self.optimizer
    }

    /// The parameters' arena.
    pub(crate) fn parameters(&self) -> Shared<u8> {
        Shared::new(self.parameters.base)
    }

    /// Where the numbers of a formula lie for one parameter.
    fn numbers(&self, formula: &UpdateRule, of: Updated) -> *mut u8 {
        self.numbers.0.wrapping_add(of.parameter * formula.numbers() * self.loaded.net.float.lane().bytes())
    }

    /// Some elements from `start` on, with the formula's numbers.
    fn part<T: Float>(&self, formula: &UpdateRule, of: Updated, start: usize, gradient: &[T], factor: f64) -> Part<'a> {
        let (len, numbers) = (gradient.len(), self.numbers(formula, of));
        let elements = self.loaded.bytes() / self.loaded.float.bytes();
        assert!(T::DTYPE == self.loaded.net.float && start + len <= elements, "an update beyond the parameters");
        let gradient = Elements { base: gradient.as_ptr().cast_mut().cast(), dtype: T::DTYPE };
        let (parameter, states) = (self.parameters, self.states);
        Part { parameter, gradient, states, start, len, factor: factor * self.direction, numbers }
    }

    /// Updates `gradient.len()` elements from `start` on by the gradient times `factor`, and their mirrors.
    ///
    /// # Safety
    /// No other thread uses these elements or their mirrors meanwhile.
    pub(crate) unsafe fn update<T: SliceFloat>(&self, of: Updated, start: usize, gradient: &[T], factor: f64) {
        let _written = Written { target: self, parameter: of.parameter, elements: start..start + gradient.len() };
        match self.rule {
            Rule::Formula(formula) => {
                let part = self.part(formula, of, start, gradient, factor);
                // SAFETY: the arenas have as many elements of their types as the parameters have, as `optimizer::prepare` made them, and are
                // borrowed uniquely for 'a; the caller keeps others away from these ones. The numbers are the rule's.
                unsafe { formula.update(self.isa, self.loaded.net.float.lane(), &part) }
            }
            // SAFETY: the caller's promise.
            Rule::Slices { .. } => unsafe { self.update_slices(of, start, gradient, factor * self.direction) },
        }
    }

    /// Sums over a piece what the rule asks for, of its gradient times `factor`; it is number `at` of the pieces that [`Target::rows`] is given.
    ///
    /// # Safety
    /// Nobody changes these elements meanwhile.
    pub(crate) unsafe fn sum<T: Float>(&self, at: usize, piece: Piece, gradient: &[T], factor: f64) {
        let Rule::Formula(formula) = self.rule else { return };
        let (count, lane) = (formula.sums(), self.loaded.net.float.lane());
        let mut sums = [0.0; MAX_SUMS];
        for run in runs(self.loaded, piece) {
            let gradient = &gradient[run.start - piece.start..run.end - piece.start];
            let part = self.part(formula, piece.of, run.start, gradient, factor);
            // SAFETY: as in `update`; what is summed is only read.
            unsafe { formula.sum(self.isa, lane, &part, &mut sums[..count]) };
        }
        for (slot, sum) in self.sums[at * count..].iter().zip(&sums[..count]) {
            slot.store(sum.to_bits(), Ordering::Relaxed);
        }
    }

    /// Makes of these sums the numbers that each parameter is updated by: the pieces are those of whole parameters.
    ///
    /// # Safety
    /// Nobody else uses the numbers meanwhile.
    pub(crate) unsafe fn rows(&self, pieces: &[Piece]) {
        let Rule::Formula(formula) = self.rule else { return };
        let count = formula.sums();
        let slots = self.sums.chunks(count.max(1));
        let mut sums = [0.0; MAX_SUMS];
        for (at, (piece, slots)) in pieces.iter().zip(slots).enumerate() {
            sums.iter_mut().zip(slots).for_each(|(sum, slot)| *sum += f64::from_bits(slot.load(Ordering::Relaxed)));
            if pieces.get(at + 1).is_none_or(|next| next.of.parameter != piece.of.parameter) {
                let numbers = self.numbers(formula, piece.of);
                // SAFETY: the numbers are the rule's, as `optimizer::prepare` made them, and nobody else uses them, as the caller says.
                unsafe { formula.row(self.loaded.net.float.lane(), &sums[..count], numbers) };
                sums = [0.0; MAX_SUMS];
            }
        }
    }

    /// # Safety
    /// As [`Target::update`].
    unsafe fn update_slices<T: SliceFloat>(&self, of: Updated, start: usize, gradient: &[T], factor: f64) {
        let state = self.optimizer.state();
        let (factors, step) = (state.factors(of), state.parameter_steps()[of.parameter] + 1);
        // SAFETY: as in `update`; states of slices are of the net's float type.
        let slice = |at: usize, len: usize, elements: Elements| unsafe {
            std::slice::from_raw_parts_mut(elements.base.cast::<T>().add(start + at), len)
        };
        let run = |at: usize, gradient: &[T]| {
            let mut states: [&mut [T]; MAX_SLICES] = std::array::from_fn(|_| &mut [][..]);
            let present = states.iter_mut().zip(self.states);
            present.for_each(|(state, elements)| *state = slice(at, gradient.len(), *elements));
            let states = &mut states[..self.states.len()];
            let slices = Slices { parameter: slice(at, gradient.len(), self.parameters), gradient, states };
            T::update_slices(self.rule, factors, step, slices);
        };
        if factor == 1.0 {
            return run(0, gradient);
        }
        // The gradients themselves stay as they are: they may be the user's.
        let (mut scaled, factor) = ([T::default(); 512], T::Wide::of(factor));
        for (block, gradient) in gradient.chunks(scaled.len()).enumerate() {
            let scaled_now = &mut scaled[..gradient.len()];
            scaled_now.iter_mut().zip(gradient).for_each(|(s, g)| *s = T::rounded(g.wide() * factor));
            run(512 * block, scaled_now);
        }
    }
}

/// Elements of a parameter that an update is writing: their mirrors follow when it is done, and if a user's rule panics, too.
struct Written<'t, 'a> {
    target: &'t Target<'a>,
    parameter: usize,
    elements: Range<usize>,
}

impl Drop for Written<'_, '_> {
    fn drop(&mut self) {
        let (target, elements) = (self.target, self.elements.clone());
        // SAFETY: the memory is that of a model, which `Target::new` borrowed; whoever calls `Target::update` keeps others away from these
        // elements and their mirrors.
        unsafe { mirrors::write(target.loaded, target.isa, target.parameters(), self.parameter, elements) }
    }
}
