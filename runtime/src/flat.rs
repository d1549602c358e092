//! What is done to the flat arenas of parameters and gradients, piece by piece, on the pool. One of the few modules with `unsafe`.

use std::sync::atomic::{AtomicU64, Ordering};

use castnet_kernels::isa::Isa;
use castnet_kernels::update::Real;
use castnet_kernels::{Gradient, Update};

use crate::float::{self, Float, FloatType, Part, with_float};
use crate::memory::{Memory, Shared};
use crate::net::Loaded;
use crate::optimizer::Optimizer;
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
        let (start, len, of) = (loaded.offsets[p], loaded.net.parameters[p].padded_len(), loaded.updated(p));
        (0..len).step_by(PIECE).map(move |at| Piece { start: start + at, len: PIECE.min(len - at), of })
    };
    parameters.iter().flat_map(cut).collect()
}

/// The parameters of a model and the state of its optimizer, to be changed by many threads at once.
pub(crate) struct Target<'a> {
    optimizer: &'a dyn Optimizer,
    /// Updates done of each parameter.
    steps: &'a [u64],
    float: FloatType,
    parameters: Shared<u8>,
    states: [Option<Shared<u8>>; 2],
    /// Of each arena.
    elements: usize,
}

impl<'a> Target<'a> {
    /// Borrows both: the optimizer must have its state, of the same length as the parameters.
    pub(crate) fn new(optimizer: &'a mut dyn Optimizer, loaded: &Loaded, parameters: &'a mut Memory) -> Target<'a> {
        let float = loaded.float;
        let states = optimizer.state_mut().arenas(parameters.len());
        let steps = optimizer.state().parameter_steps();
        let elements = parameters.len() / float.bytes();
        Target { optimizer, steps, float, parameters: Shared::new(parameters.as_mut_ptr()), states, elements }
    }

    /// The parameters' arena.
    pub(crate) fn parameters(&self) -> Shared<u8> {
        self.parameters
    }

    /// Updates `gradient.len()` elements from `start` on.
    ///
    /// # Safety
    /// No other thread uses these elements meanwhile.
    unsafe fn update<T: Float>(&self, of: Updated, start: usize, gradient: &[T]) {
        let len = gradient.len();
        assert!(T::DTYPE == self.float.dtype() && start + len <= self.elements, "an update beyond the parameters");
        // SAFETY: the arenas have `elements` numbers of this type each and are borrowed uniquely for 'a; the caller keeps others away from
        // these ones.
        let slice = |arena: Shared<u8>| unsafe { std::slice::from_raw_parts_mut(arena.0.cast::<T>().add(start), len) };
        let [first, second] = self.states.map(|state| state.map_or(&mut [][..], slice));
        let step = self.steps[of.parameter] + 1;
        let part = Part { parameter: slice(self.parameters), gradient, first, second };
        T::update(self.optimizer, self.optimizer.state().factors(of), step, part);
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
                Gradient::F32(run) => self.target.update(self.of, self.start + at, run),
                Gradient::F64(run) => self.target.update(self.of, self.start + at, run),
            }
        }
    }
}

/// What follows once the gradients are known, as phases of chunks: sums of squares; whether to update, and by what factor; the updates.
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
    pub(crate) const PHASES: usize = 3;

    /// The first phase that runs only if the verdict's word is right, which the one before it sets.
    pub(crate) const DECIDED: usize = 2;

    /// Chunks of each phase.
    pub(crate) fn counts(&self) -> [u32; Ending::PHASES] {
        let pieces = self.pieces.len() as u32;
        let summing = u32::from(self.guarded || self.max_norm.is_some());
        [summing * pieces, summing, pieces]
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
        with_float!(self.target.float, T => unsafe { self.run_of::<T>(phase, chunk, verdict) });
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
            _ => {
                let piece = self.pieces[chunk];
                // SAFETY: as the caller says.
                let gradient = unsafe { self.gradient::<T>(piece) };
                if let Some(sum) = self.sum {
                    // SAFETY: the sum has the parameters' length and type, nobody else uses it, and pieces do not overlap.
                    let sum = unsafe { std::slice::from_raw_parts_mut(sum.0.cast::<T>().add(piece.start), piece.len) };
                    return float::add(sum, gradient);
                }
                // SAFETY: pieces do not overlap, and each is updated once.
                unsafe { self.update(piece, gradient, self.factor()) }
            }
        }
    }

    fn factor(&self) -> f64 {
        f64::from_bits(self.factor.load(Ordering::Relaxed))
    }

    /// # Safety
    /// As [`Target::update`].
    unsafe fn update<T: Float>(&self, piece: Piece, gradient: &[T], factor: f64) {
        if factor == 1.0 {
            // SAFETY: as the caller says.
            return unsafe { self.target.update(piece.of, piece.start, gradient) };
        }
        // The gradients themselves stay as they are: they may be the user's.
        let (mut scaled, factor) = ([T::default(); 512], T::Wide::rounded(factor));
        for (block, gradient) in gradient.chunks(scaled.len()).enumerate() {
            let scaled_now = &mut scaled[..gradient.len()];
            scaled_now.iter_mut().zip(gradient).for_each(|(s, g)| *s = T::rounded(g.wide() * factor));
            // SAFETY: as the caller says.
            unsafe { self.target.update(piece.of, piece.start + 512 * block, scaled_now) }
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
