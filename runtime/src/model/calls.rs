//! How often each function has drawn random numbers: no call draws those of another one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use castnet_kernels::StepScalars;
use castnet_kernels::random::{Mode, root};
use castnet_program::net::Net;

/// The numbers of the next calls, for each function in inference and in training; those of programs that draw nothing stay 0.
///
/// A call takes its number when it begins, so side by side no two have the same; one that fails gives it back, unless another call has taken the
/// next one meanwhile.
pub(crate) struct Calls(Vec<[Counter; 2]>);

#[derive(Default)]
struct Counter {
    draws: bool,
    next: AtomicU64,
}

/// What a call draws. Dropped, the call has failed, and the next one draws the same.
pub(super) struct Draw<'c> {
    /// With gradients that are what they are.
    pub(super) scalars: StepScalars,
    counter: Option<&'c Counter>,
}

impl Draw<'_> {
    /// The call has succeeded.
    pub(super) fn succeed(mut self) {
        self.counter = None;
    }
}

impl Drop for Draw<'_> {
    fn drop(&mut self) {
        if let Some(counter) = self.counter {
            let own = self.scalars.call;
            let _ = counter.next.compare_exchange(own + 1, own, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// The counters of functions by name, as they are saved: of inference, of training.
pub(crate) type Saved = BTreeMap<String, [u64; 2]>;

impl Clone for Calls {
    fn clone(&self) -> Calls {
        let counter = |c: &Counter| Counter { draws: c.draws, next: AtomicU64::new(c.next.load(Ordering::Relaxed)) };
        Calls(self.0.iter().map(|counters| counters.each_ref().map(counter)).collect())
    }
}

impl Calls {
    pub(super) fn new(net: &Net) -> Calls {
        let counter = |draws| Counter { draws, ..Counter::default() };
        let of = |f: &castnet_program::net::Programs| {
            [counter(f.inference.draws()), counter(f.training.as_ref().is_some_and(|p| p.draws()))]
        };
        Calls(net.cpu().iter().map(of).collect())
    }

    fn counter(&self, function: usize, mode: Mode) -> Option<&Counter> {
        self.0.get(function).map(|[inference, training]| if mode == Mode::Training { training } else { inference })
    }

    /// What the next call will draw.
    #[cfg(feature = "check")]
    pub(crate) fn next(&self, seed: u64, function: usize, mode: Mode) -> StepScalars {
        let number = self.counter(function, mode).map_or(0, |counter| counter.next.load(Ordering::Relaxed));
        StepScalars::new(root(seed, function, mode), number)
    }

    /// The number of a call that begins.
    pub(super) fn begin(&self, seed: u64, function: usize, mode: Mode) -> Draw<'_> {
        let counter = self.counter(function, mode).filter(|counter| counter.draws);
        let number = counter.map_or(0, |counter| counter.next.fetch_add(1, Ordering::Relaxed));
        Draw { scalars: StepScalars::new(root(seed, function, mode), number), counter }
    }

    /// All numbers of another model of this network.
    #[cfg(feature = "check")]
    pub(super) fn copy_from(&mut self, other: &Calls) {
        for (own, other) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *own.next.get_mut() = other.next.load(Ordering::Relaxed);
        }
    }

    pub(crate) fn save(&self, net: &Net) -> Saved {
        let numbers = |counters: &[Counter; 2]| counters.each_ref().map(|c| c.next.load(Ordering::Relaxed));
        let drawing = |counters: &&[Counter; 2]| counters.iter().any(|c| c.draws);
        let named = net.functions.iter().zip(&self.0).filter(|(_, counters)| drawing(counters));
        named.map(|(function, counters)| (function.name.clone(), numbers(counters))).collect()
    }

    /// Functions that are not named begin at `others`.
    pub(super) fn restore(&mut self, net: &Net, saved: &Saved, others: u64) {
        for (function, counters) in net.functions.iter().zip(&mut self.0) {
            let numbers = saved.get(&function.name).copied().unwrap_or([others; 2]);
            for (counter, number) in counters.iter_mut().zip(numbers).filter(|(c, _)| c.draws) {
                *counter.next.get_mut() = number;
            }
        }
    }
}
