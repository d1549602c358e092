//! What is done to the flat arenas of parameters and gradients, piece by piece, on the pool. One of the few modules with `unsafe`.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use castnet_kernels::isa::Isa;
use castnet_kernels::update::{Elements, MAX_SUMS, Part, Real, UpdateRule};
use castnet_kernels::{Gradient, Update};
use castnet_program::program::{Layout, PANEL};

use crate::float::{self, Float, Slices, with_float};
use crate::memory::{Memory, Shared};
use crate::mirrors;
use crate::net::Loaded;
use crate::optimizer::{MAX_SLICES, Optimizer, Placed, Rule};
use crate::verdict::{RIGHT, Word};

/// Elements of a piece: the unit of work, and of the partial sums of a norm.
const PIECE: usize = 8192;

/// Some elements of a flat arena, all of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) of: Updated,
}

/// A parameter as an update sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Updated {
    /// Its number.
    pub(crate) parameter: usize,
    /// By the attributes before its layer.
    pub(crate) lr_mult: f32,
    pub(crate) wd_mult: f32,
}

/// The elements of some parameters, cut into pieces.
pub(crate) fn pieces(loaded: &Loaded, parameters: &[usize]) -> Vec<Piece> {
    let cut = |&p: &usize| {
        let (start, len, of) = (loaded.offsets[p], loaded.net.padded_len(p), loaded.updated(p));
        (0..len).step_by(PIECE).map(move |at| Piece { start: start + at, len: PIECE.min(len - at), of })
    };
    parameters.iter().flat_map(cut).collect()
}

/// How many pieces all parameters have.
pub(crate) fn most_pieces(loaded: &Loaded) -> usize {
    (0..loaded.net.parameters.len()).map(|p| loaded.net.padded_len(p).div_ceil(PIECE)).sum()
}

/// The elements of a piece that are no padding, as runs of the arena.
fn runs(loaded: &Loaded, piece: Piece) -> impl Iterator<Item = Range<usize>> {
    let number = piece.of.parameter;
    let (offset, parameter) = (loaded.offsets[number], &loaded.net.parameters[number]);
    let (start, end) = (piece.start - offset, piece.start - offset + piece.len);
    let panel = PANEL as usize;
    // All before `whole` is data; behind it rows have `width` numbers in front.
    let (whole, width) = match loaded.net.layout(number) {
        Layout::Plain => (parameter.len(), 0),
        Layout::Panels(_) => {
            let columns = parameter.shape[0] as usize;
            (
                loaded.net.padded_len(number) / columns.next_multiple_of(panel).max(1) * (columns / panel * panel),
                columns % panel,
            )
        }
    };
    let rows = start.saturating_sub(whole) / panel..end.saturating_sub(whole).div_ceil(panel);
    let last = rows.map(move |row| whole + row * panel).map(move |at| at..at + width);
    let runs = std::iter::once(0..whole).chain(last).map(move |run| run.start.max(start)..run.end.min(end));
    runs.filter(|run| !run.is_empty()).map(move |run| offset + run.start..offset + run.end)
}

/// The parameters of a model and the state of its optimizer, to be changed by many threads at once.
pub(crate) struct Target<'a> {
    optimizer: &'a dyn Optimizer,
    rule: Rule<'a>,
    isa: Isa,
    loaded: &'a Loaded,
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

    /// The parameters' arena.
    pub(crate) fn parameters(&self) -> Shared<u8> {
        Shared::new(self.parameters.base)
    }

    /// Whether an element can be updated only when something of the whole parameter is known.
    pub(crate) fn is_reduced(&self) -> bool {
        self.rule.sums() > 0
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
    unsafe fn update<T: Float>(&self, of: Updated, start: usize, gradient: &[T], factor: f64) {
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

    /// # Safety
    /// As [`Target::update`].
    unsafe fn update_slices<T: Float>(&self, of: Updated, start: usize, gradient: &[T], factor: f64) {
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
            T::update(self.rule, factors, step, slices);
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

/// Updates one parameter in place of storing its gradient.
pub(crate) struct InPlace<'a> {
    pub(crate) target: &'a Target<'a>,
    /// Where the parameter starts in the flat arena.
    pub(crate) start: usize,
    pub(crate) of: Updated,
}

impl Update for InPlace<'_> {
    unsafe fn update(&self, _: usize, at: usize, gradient: Gradient<'_>) {
        // SAFETY: the kernel hands over each element of the parameter once, and `session::in_place` made sure that no other launch reads it.
        unsafe {
            match gradient {
                Gradient::F32(run) => self.target.update(self.of, self.start + at, run, 1.0),
                Gradient::F64(run) => self.target.update(self.of, self.start + at, run, 1.0),
            }
        }
    }
}

/// What follows once the gradients are known, as phases of chunks: sums of squares; whether to update, and by what factor; what the rule sums
/// over each parameter, and what it makes of it; the updates.
pub(crate) struct Ending<'a> {
    pub(crate) target: &'a Target<'a>,
    /// The flat arena of gradients.
    pub(crate) gradients: Shared<u8>,
    /// What is to be updated here.
    pub(crate) pieces: &'a [Piece],
    /// One a piece, for the sums of squares.
    pub(crate) partials: &'a [AtomicU64],
    pub(crate) max_norm: Option<f32>,
    /// If a loss or a gradient that is not finite shall keep the parameters as they are.
    pub(crate) guarded: bool,
    /// Where there is one.
    pub(crate) loss: Option<Shared<u8>>,
    /// The bits of what gradients are multiplied by, clipping aside at first.
    pub(crate) factor: AtomicU64,
    /// The flat arena to which gradients are added in place of an update.
    pub(crate) sum: Option<Shared<u8>>,
}

/// What is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NotFinite {
    Loss,
    /// The gradient of the parameter with this number: of several the first one.
    Gradient(usize),
}

impl NotFinite {
    /// As the word of a verdict has it. The loss comes before all parameters.
    fn place(this: Option<NotFinite>) -> i64 {
        match this {
            None => RIGHT,
            Some(NotFinite::Loss) => -1,
            Some(NotFinite::Gradient(parameter)) => parameter as i64,
        }
    }

    /// What [`NotFinite::place`] was made of.
    pub(crate) fn at(place: i64) -> Option<NotFinite> {
        match place {
            RIGHT => None,
            _ if place < 0 => Some(NotFinite::Loss),
            _ => Some(NotFinite::Gradient(place as usize)),
        }
    }
}

impl Ending<'_> {
    /// Phases of an ending.
    pub(crate) const PHASES: usize = 5;

    /// The first phase that runs only if the verdict's word is right, which the one before it sets.
    pub(crate) const DECIDED: usize = 2;

    /// Chunks of each phase.
    pub(crate) fn counts(&self) -> [u32; Ending::PHASES] {
        let pieces = self.pieces.len() as u32;
        let summing = u32::from(self.guarded || self.max_norm.is_some());
        let reducing = u32::from(self.sum.is_none() && self.target.is_reduced());
        [summing * pieces, summing, reducing * pieces, reducing, pieces]
    }

    /// What is not finite, if anything is.
    ///
    /// # Safety
    /// As [`Ending::run`].
    unsafe fn not_finite<T: Float>(&self) -> Option<NotFinite> {
        // SAFETY: as the caller says.
        if self.loss.is_some_and(|loss| !unsafe { *loss.0.cast::<T>() }.f64().is_finite()) {
            return Some(NotFinite::Loss);
        }
        let bad = |&(piece, sum): &(&Piece, &AtomicU64)| {
            // The squares of finite numbers may be too large for their sum, of f64.
            !f64::from_bits(sum.load(Ordering::Relaxed)).is_finite()
                // SAFETY: as the caller says.
                && unsafe { self.gradient::<T>(*piece) }.iter().any(|x| !x.f64().is_finite())
        };
        let piece = self.pieces.iter().zip(self.partials).find(bad);
        piece.map(|(piece, _)| NotFinite::Gradient(piece.of.parameter))
    }

    /// Runs one chunk. `verdict` is right at first; phases from [`Ending::DECIDED`] on are not to run if it no longer is.
    ///
    /// # Safety
    /// The phases run in order, after whatever writes the gradients and the loss, each chunk once; gradients, sum and loss are alive, of the
    /// target's float type, and hold all pieces; the word is alive and nobody else writes it.
    pub(crate) unsafe fn run(&self, phase: usize, chunk: usize, verdict: Word) {
        // SAFETY: as the caller says.
        with_float!(self.target.loaded.float, T => unsafe { self.run_of::<T>(phase, chunk, verdict) });
    }

    /// # Safety
    /// As [`Ending::run`].
    unsafe fn run_of<T: Float>(&self, phase: usize, chunk: usize, verdict: Word) {
        match phase {
            0 => {
                // SAFETY: as the caller says.
                let sum = T::sum_of_squares(Isa::detect(), unsafe { self.gradient(self.pieces[chunk]) });
                self.partials[chunk].store(sum.to_bits(), Ordering::Relaxed);
            }
            1 => {
                let partials = self.partials[..self.pieces.len()].iter();
                let sum: f64 = partials.map(|p| f64::from_bits(p.load(Ordering::Relaxed))).sum();
                if self.guarded {
                    // SAFETY: as the caller says; this phase is one chunk.
                    unsafe { verdict.set(NotFinite::place(self.not_finite::<T>())) };
                }
                if let Some(max_norm) = self.max_norm {
                    let scale = self.factor();
                    let factor = scale * clip_factor(scale * sum.sqrt(), max_norm);
                    self.factor.store(factor.to_bits(), Ordering::Relaxed);
                }
            }
            // SAFETY: as the caller says.
            2 => unsafe { self.sum::<T>(chunk) },
            // SAFETY: as the caller says; this phase is one chunk.
            3 => unsafe { self.rows() },
            4.. => {
                let piece = self.pieces[chunk];
                // SAFETY: as the caller says.
                let gradient = unsafe { self.gradient::<T>(piece) };
                if let Some(sum) = self.sum {
                    // SAFETY: the sum has the parameters' length and type, nobody else uses it, and pieces do not overlap.
                    let sum = unsafe { std::slice::from_raw_parts_mut(sum.0.cast::<T>().add(piece.start), piece.len) };
                    return float::add(sum, gradient);
                }
                // SAFETY: pieces do not overlap, and each is updated once.
                unsafe { self.target.update(piece.of, piece.start, gradient, self.factor()) }
            }
        }
    }

    /// By what gradients are multiplied, once it is known.
    fn factor(&self) -> f64 {
        f64::from_bits(self.factor.load(Ordering::Relaxed))
    }

    /// What the rule sums over a piece.
    ///
    /// # Safety
    /// As [`Ending::run`].
    unsafe fn sum<T: Float>(&self, chunk: usize) {
        let Rule::Formula(formula) = self.target.rule else { return };
        let (piece, count) = (self.pieces[chunk], formula.sums());
        let mut sums = [0.0; MAX_SUMS];
        for run in runs(self.target.loaded, piece) {
            // SAFETY: as the caller says; nobody updates before the next phases.
            unsafe {
                let gradient = &self.gradient::<T>(piece)[run.start - piece.start..run.end - piece.start];
                let part = self.target.part(formula, piece.of, run.start, gradient, self.factor());
                formula.sum(self.target.isa, self.target.loaded.net.float.lane(), &part, &mut sums[..count]);
            }
        }
        for (slot, sum) in self.target.sums[chunk * count..].iter().zip(&sums[..count]) {
            slot.store(sum.to_bits(), Ordering::Relaxed);
        }
    }

    /// What the rule makes of the sums, of every parameter.
    ///
    /// # Safety
    /// As [`Ending::run`]; nobody else does it.
    unsafe fn rows(&self) {
        let Rule::Formula(formula) = self.target.rule else { return };
        let count = formula.sums();
        let slots = self.target.sums.chunks(count.max(1));
        let mut sums = [0.0; MAX_SUMS];
        for (at, (piece, slots)) in self.pieces.iter().zip(slots).enumerate() {
            sums.iter_mut().zip(slots).for_each(|(sum, slot)| *sum += f64::from_bits(slot.load(Ordering::Relaxed)));
            if self.pieces.get(at + 1).is_none_or(|next| next.of.parameter != piece.of.parameter) {
                let numbers = self.target.numbers(formula, piece.of);
                // SAFETY: the numbers are the rule's, as `optimizer::prepare` made them, and nobody else uses them now.
                unsafe { formula.row(self.target.loaded.net.float.lane(), &sums[..count], numbers) };
                sums = [0.0; MAX_SUMS];
            }
        }
    }

    /// # Safety
    /// The gradients are alive, hold the piece, are of this type, and nobody writes them.
    unsafe fn gradient<T: Float>(&self, piece: Piece) -> &[T] {
        // SAFETY: as the caller says.
        unsafe { std::slice::from_raw_parts(self.gradients.0.cast::<T>().add(piece.start), piece.len) }
    }
}

/// By what gradients of this norm are multiplied (`torch.nn.utils.clip_grad_norm_`).
pub(crate) fn clip_factor(norm: f64, max_norm: f32) -> f64 {
    // Not `min`, which would turn a norm of NaN into a factor of 1.
    let factor = f64::from(max_norm) / (norm + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}
