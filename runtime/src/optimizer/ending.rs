//! What follows once gradients are known: the tasks of an ending, chunk by chunk on the pool. One of the few modules with `unsafe`.

use std::sync::atomic::{AtomicU64, Ordering};

use castnet_kernels::isa::Isa;
use castnet_kernels::update::Real;
use castnet_kernels::{Gradient, StepScalars};
use castnet_program::program::Level;
use castnet_program::program::cost::{Cost, operations};
use castnet_program::program::ending::{Demands, EndingKind};
use castnet_program::types::DType;

use super::slices::SliceFloat;
use super::target::Target;
use crate::backend::cpu::{EndingPhase, EndingRun, EndingWork};
use crate::float::{self, Float, with_float};
use crate::gradients::clip_factor;
use crate::memory::Shared;
use crate::net::{Loaded, Updated};
use crate::pieces::{self, PIECE, Piece};
use crate::verdict::{LOSS, RIGHT};

/// What a step does to its gradients.
pub(crate) struct Ending<'a> {
    pub(crate) target: &'a Target<'a>,
    /// The flat arena of gradients.
    pub(crate) gradients: Shared<u8>,
    pub(crate) demands: Demands,
    pub(crate) max_norm: Option<f32>,
    /// Where there is one.
    pub(crate) loss: Option<Shared<u8>>,
    /// The flat arena that gradients are added to, if they are accumulated.
    pub(crate) sum: Option<Shared<u8>>,
}

/// Divides what a function reaches of an arena of gradients by a loss scale; whether all of it is finite.
///
/// # Safety
/// The arena is one of this net, and nobody else uses it.
pub(crate) unsafe fn unscale(loaded: &Loaded, function: usize, arena: Shared<u8>, scale: f32) -> bool {
    with_float!(loaded.float, T => {
        let mut squares = 0.0;
        for piece in pieces::pieces(loaded, &loaded.net.functions[function].reaches) {
            // SAFETY: the piece lies in the arena, which is this caller's.
            let elements = unsafe { std::slice::from_raw_parts_mut(arena.0.cast::<T>().add(piece.start), piece.len) };
            float::scale(elements, Real::of(1.0 / f64::from(scale)));
            squares += T::sum_of_squares(Isa::detect(), elements);
        }
        squares.is_finite()
    })
}

impl EndingWork for Ending<'_> {
    fn chunks(&self, phase: &EndingPhase) -> u32 {
        if !self.demands.ask_for(phase.kind) {
            return 0;
        }
        match phase.kind {
            EndingKind::Squares | EndingKind::Reduce | EndingKind::Update | EndingKind::Accumulate => {
                phase.pieces.len() as u32
            }
            EndingKind::Factor | EndingKind::Numbers => 1,
            EndingKind::Commit => 0,
        }
    }

    unsafe fn run(&self, phase: &EndingPhase, chunk: usize, own: &EndingRun<'_>) {
        // SAFETY: as the caller says.
        with_float!(self.target.loaded.float, T => unsafe { self.run_of::<T>(phase, chunk, own) });
    }

    unsafe fn update(&self, of: Updated, start: usize, gradient: Gradient<'_>) {
        // SAFETY: as the caller says.
        unsafe {
            match gradient {
                Gradient::F32(run) => self.target.update(of, start, run, 1.0),
                Gradient::F64(run) => self.target.update(of, start, run, 1.0),
            }
        }
    }

    fn loaded(&self) -> &Loaded {
        self.target.loaded
    }

    fn optimizer(&self) -> (&'static str, usize) {
        let optimizer = self.target.optimizer();
        (optimizer.name(), optimizer.rule().states().count())
    }

    fn cost(&self, kind: EndingKind, elements: usize) -> Cost {
        let (target, count) = (self.target, elements as f64);
        let (loaded, rule) = (target.loaded, target.optimizer().rule());
        let float = loaded.float.bytes();
        let states: usize = rule.states().map(|(_, dtype)| dtype.map_or(float, DType::bytes)).sum();
        let stages = rule.formula().map_or(vec![], |formula| formula.data(loaded.net.float.lane()).stages);
        // The last stage updates; what is summed over the parameter stands before it.
        let (update, sums) = stages.split_last().map_or((0, 0), |(last, before)| {
            let sums = before.iter().filter(|stage| stage.level == Level::Element);
            (operations(last), sums.map(operations).sum())
        });
        let cost = |flops: usize, read: usize, written: usize| Cost {
            flops: count * flops as f64,
            read: count * read as f64,
            written: count * written as f64,
        };
        match kind {
            EndingKind::Squares => cost(2, float, 0),
            EndingKind::Accumulate => cost(2, 2 * float, float),
            EndingKind::Reduce => cost(sums, 2 * float + states, 0),
            EndingKind::Update => cost(update, 2 * float + states, float + states),
            EndingKind::Factor | EndingKind::Numbers | EndingKind::Commit => Cost::default(),
        }
    }
}

impl Ending<'_> {
    /// # Safety
    /// As [`Ending::run`].
    unsafe fn run_of<T: SliceFloat>(&self, phase: &EndingPhase, chunk: usize, own: &EndingRun<'_>) {
        let pieces = &own.pieces[phase.pieces.clone()];
        // SAFETY: the scalars are alive; only `factor` is written, by a phase of one chunk.
        let StepScalars { factor, bound, .. } = unsafe { *own.scalars.0 };
        let room = &mut None;
        match phase.kind {
            EndingKind::Squares => {
                // SAFETY: as the caller says.
                let sum =
                    T::sum_of_squares(Isa::detect(), clipped(unsafe { self.gradient(pieces[chunk]) }, bound, room));
                own.squares[phase.pieces.start + chunk].store(sum.to_bits(), Ordering::Relaxed);
            }
            // SAFETY: as the caller says; this phase is one chunk.
            EndingKind::Factor => unsafe { self.decide::<T>(pieces, &own.squares[phase.pieces.clone()], own) },
            // SAFETY: as the caller says; nobody updates before the next phases.
            EndingKind::Reduce => unsafe {
                self.target.sum(chunk, pieces[chunk], clipped(self.gradient::<T>(pieces[chunk]), bound, room), factor);
            },
            // SAFETY: as the caller says; this phase is one chunk.
            EndingKind::Numbers => unsafe { self.target.rows(pieces) },
            EndingKind::Update => {
                let piece = pieces[chunk];
                // SAFETY: pieces do not overlap, and each is updated once, when nobody reads the parameter any more.
                unsafe {
                    let gradient = clipped(self.gradient::<T>(piece), bound, room);
                    self.target.update(piece.of, piece.start, gradient, factor);
                }
            }
            EndingKind::Accumulate => {
                let (Some(sum), piece) = (self.sum, pieces[chunk]) else { return };
                // SAFETY: the sum has the parameters' length and type, nobody else uses it, and pieces do not overlap.
                let sum = unsafe { std::slice::from_raw_parts_mut(sum.0.cast::<T>().add(piece.start), piece.len) };
                // SAFETY: as the caller says.
                float::add_scaled(sum, unsafe { self.gradient(piece) }, factor);
            }
            EndingKind::Commit => {}
        }
    }

    /// Sets the verdict and the factor.
    ///
    /// # Safety
    /// As [`Ending::run`].
    unsafe fn decide<T: Float>(&self, pieces: &[Piece], squares: &[AtomicU64], own: &EndingRun<'_>) {
        let Demands { guarded, scaled, .. } = self.demands;
        // SAFETY: as the caller says; nobody else uses the scalars while this phase runs.
        let StepScalars { factor, scale, .. } = unsafe { &mut *own.scalars.0 };
        // SAFETY: as the caller says.
        unsafe {
            let place = if guarded && !self.is_loss_finite::<T>() {
                LOSS
            } else if guarded || scaled {
                self.not_finite::<T>(pieces, squares).map_or(RIGHT, |parameter| parameter as i64)
            } else {
                RIGHT
            };
            own.verdict.set(place);
        }
        if scaled {
            *factor /= f64::from(*scale);
        }
        if let Some(max_norm) = self.max_norm {
            let sum: f64 = squares.iter().map(|p| f64::from_bits(p.load(Ordering::Relaxed))).sum();
            *factor *= clip_factor(*factor * sum.sqrt(), max_norm);
        }
    }

    /// # Safety
    /// As [`Ending::run`].
    unsafe fn is_loss_finite<T: Float>(&self) -> bool {
        // SAFETY: as the caller says.
        self.loss.is_none_or(|loss| unsafe { *loss.0.cast::<T>() }.f64().is_finite())
    }

    /// The first parameter whose gradient is not finite.
    ///
    /// # Safety
    /// As [`Ending::run`].
    unsafe fn not_finite<T: Float>(&self, pieces: &[Piece], squares: &[AtomicU64]) -> Option<usize> {
        let bad = |&(piece, sum): &(&Piece, &AtomicU64)| {
            // The squares of finite numbers may be too large for their sum, of f64.
            !f64::from_bits(sum.load(Ordering::Relaxed)).is_finite()
                // SAFETY: as the caller says.
                && unsafe { self.gradient::<T>(*piece) }.iter().any(|x| !x.f64().is_finite())
        };
        pieces.iter().zip(squares).find(bad).map(|(piece, _)| piece.of.parameter)
    }

    /// # Safety
    /// The gradients are alive, hold the piece, are of this type, and nobody writes them.
    unsafe fn gradient<T: Float>(&self, piece: Piece) -> &[T] {
        // SAFETY: as the caller says.
        unsafe { std::slice::from_raw_parts(self.gradients.0.cast::<T>().add(piece.start), piece.len) }
    }
}

/// A gradient clipped to -`bound` to `bound` (`torch.nn.utils.clip_grad_value_`); NaN stays. It stays as it is where it lies: it may be the user's.
fn clipped<'g, T: Float>(gradient: &'g [T], bound: f64, room: &'g mut Option<[T; PIECE]>) -> &'g [T] {
    if bound == f64::INFINITY {
        return gradient;
    }
    let (room, bound) = (room.get_or_insert([T::default(); PIECE]), T::Wide::of(bound));
    for (clipped, gradient) in room.iter_mut().zip(gradient) {
        *clipped = float::clamped(*gradient, bound);
    }
    &room[..gradient.len()]
}

#[cfg(test)]
mod tests {
    use castnet_graph::builder::{Declared, Parameters};
    use castnet_graph::compile::{Source, compile};
    use castnet_program::net::Init;

    use super::*;
    use crate::backend::cpu::EndingAlone;
    use crate::memory::Memory;
    use crate::net::Loaded;
    use crate::optimizer::{self, Optimizer, Sgd};
    use crate::verdict::{NotFinite, Outcome};

    /// Some pieces, a whole one among them.
    const SHAPES: [i64; 3] = [20_000, 3, 40];

    fn loaded() -> Loaded {
        let declared = |(number, &len): (usize, &i64)| Declared {
            shape: Some((vec![len], Init::Constant(0.5))),
            ..Declared::new(format!("w{number}"))
        };
        let list = SHAPES.iter().enumerate().map(declared).collect();
        let parameters = Parameters { list, ..Parameters::default() };
        let net = compile(Source { name: "Net".into(), parameters, functions: vec![] });
        Loaded::new(net.unwrap_or_else(|e| panic!("{e:?}")).net, &[], &[]).unwrap()
    }

    fn gradients(loaded: &Loaded, scale: f32) -> Memory {
        let mut all = loaded.arena().unwrap();
        all.slice_mut::<f32>().iter_mut().enumerate().for_each(|(i, g)| *g = scale * (i as f32 * 0.37).sin());
        all
    }

    /// An ending of all parameters on its own; what becomes of it, of the parameters, and of what is added up.
    fn end(gradients: &mut Memory, scale: f32, demands: Demands, max_norm: Option<f32>) -> (Outcome, Memory, Memory) {
        let loaded = loaded();
        let (mut parameters, mut sum) = (loaded.arena().unwrap(), loaded.arena().unwrap());
        let mut sgd = Sgd::new(0.1).momentum(0.9);
        optimizer::prepare(&mut sgd, 1, &loaded).unwrap();
        let target = Target::new(&mut sgd, &loaded, &mut parameters);
        let ending = Ending {
            target: &target,
            gradients: Shared::new(gradients.as_mut_ptr()),
            demands: Demands { scaled: scale != 1.0, clipped: max_norm.is_some(), ..demands },
            max_norm,
            loss: None,
            sum: demands.accumulated.then(|| Shared::new(sum.as_mut_ptr())),
        };
        let mut scalars = StepScalars { scale, ..StepScalars::default() };
        let alone = EndingAlone::new(&loaded, &[0, 1, 2]).unwrap();
        // SAFETY: all arenas are of this net.
        let outcome = unsafe { alone.run(&ending, &mut scalars) }.unwrap();
        assert_eq!(sgd.state().steps(), 0);
        (outcome, parameters, sum)
    }

    /// A power of 2 leaves no trace, neither in updates nor where gradients are clipped or added up.
    #[test]
    fn gradients_are_unscaled() {
        let none = Demands::default();
        let accumulated = Demands { accumulated: true, ..none };
        for (demands, max_norm) in [(none, None), (none, Some(0.5)), (accumulated, None)] {
            let [plain, scaled] = [1.0, 1024.0].map(|scale| {
                let (outcome, parameters, sum) = end(&mut gradients(&loaded(), scale), scale, demands, max_norm);
                assert_eq!(outcome, Outcome::Done);
                [parameters, sum].map(|memory| memory.slice::<u32>().to_vec())
            });
            assert!(plain == scaled && plain.iter().flatten().any(|bits| *bits != 0), "{demands:?}, {max_norm:?}");
        }
    }

    /// The first of two; squares that overflow alone do not count.
    #[test]
    fn an_overflow_skips_the_step() {
        let (none, guarded) = (Demands::default(), Demands { guarded: true, ..Demands::default() });
        let loaded = loaded();
        for bad in [f32::INFINITY, f32::NAN] {
            let mut gradients = gradients(&loaded, 2.0);
            for parameter in [2, 1] {
                gradients.slice_mut::<f32>()[loaded.offsets[parameter] + 2] = bad;
            }
            let not_finite = Outcome::NotFinite(NotFinite::Gradient(1));
            for (scale, demands, expected) in
                [(2.0, none, Outcome::Overflow), (2.0, guarded, Outcome::Overflow), (1.0, guarded, not_finite)]
            {
                for accumulated in [false, true] {
                    let demands = Demands { accumulated, ..demands };
                    let (outcome, parameters, sum) = end(&mut gradients, scale, demands, None);
                    assert_eq!(outcome, expected);
                    let all = [parameters, sum];
                    assert!(all.iter().flat_map(|memory| memory.slice::<u32>()).all(|bits| *bits == 0), "{demands:?}");
                }
            }
            // Nobody asks.
            assert_eq!(end(&mut gradients, 1.0, none, None).0, Outcome::Done);
        }
        let mut large = gradients(&loaded, 1.0);
        large.slice_mut::<f32>()[5] = f32::MAX;
        assert_eq!(end(&mut large, 2.0, none, None).0, Outcome::Done);
    }
}
