//! What this machine can do at most, measured.

use std::fmt;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use castnet_kernels::isa::Isa;
use castnet_kernels::multiply_adds;

use crate::pool::{self, Work};

/// What all threads together can do at most, as far as short loops of multiply-adds and copies show.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// How many threads.
    pub threads: usize,
    /// 10⁹ floating-point operations a second, in f32.
    pub gflops: f64,
    /// 10⁹ bytes a second, read and written, by how many bytes are touched: the more, the farther from the processor they lie.
    pub bandwidths: Vec<(u64, f64)>,
}

impl Machine {
    /// 10⁹ bytes a second if so many are touched.
    pub fn gbs(&self, bytes: u64) -> f64 {
        let found = self.bandwidths.iter().find(|(most, _)| bytes <= *most).or(self.bandwidths.last());
        found.map_or(f64::INFINITY, |(_, gbs)| *gbs)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads do {:.0} GFLOP/s", self.threads, self.gflops)?;
        for (number, (bytes, gbs)) in self.bandwidths.iter().enumerate() {
            match number + 1 == self.bandwidths.len() {
                false => write!(f, ", {gbs:.0} GB/s in {} MiB", bytes >> 20)?,
                true => write!(f, ", {gbs:.0} GB/s beyond")?,
            }
        }
        Ok(())
    }
}

/// What this machine can do with the threads that there are now. It takes some tens of milliseconds at the first call; what was found is kept.
pub fn machine() -> Machine {
    static FOUND: Mutex<Vec<Machine>> = Mutex::new(Vec::new());
    let threads = pool::threads();
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = found.iter().find(|machine| machine.threads == threads) {
        return known.clone();
    }
    found.push(measure(threads));
    found[found.len() - 1].clone()
}

/// A tenth of a millisecond of one core, about: long beside a hand-over between threads, short beside what else takes a processor away.
const MULTIPLY_ADDS: usize = 1 << 22;

/// As much of copies, in bytes written.
const COPIED: usize = 2 << 20;

/// Bytes that copies read and write: what caches of single cores hold, what they share at best, what lies beyond most of them.
const TOUCHED: [usize; 3] = [1 << 20, 8 << 20, 128 << 20];

fn measure(threads: usize) -> Machine {
    let isa = Isa::detect();
    let flops = Phase { chunks: 2 * threads, each: &|_| _ = black_box(multiply_adds(isa, MULTIPLY_ADDS)) };
    let per_chunk = multiply_adds(isa, MULTIPLY_ADDS);
    let gflops = (flops.chunks * per_chunk) as f64 / flops.best() / 1e9;
    let mut bandwidths: Vec<(u64, f64)> = TOUCHED.iter().filter_map(|&bytes| bandwidth(threads, bytes)).collect();
    // What holds for more bytes holds for fewer.
    let mut least: f64 = 0.0;
    for (_, gbs) in bandwidths.iter_mut().rev() {
        least = least.max(*gbs);
        *gbs = least;
    }
    Machine { threads, gflops, bandwidths }
}

/// By copies, each thread in a part of its own.
fn bandwidth(threads: usize, bytes: usize) -> Option<(u64, f64)> {
    let part = (bytes / 2 / threads).max(1 << 12);
    let filled = |byte: u8| {
        let mut memory = vec![];
        memory.try_reserve_exact(part).ok()?;
        memory.resize(part, byte);
        Some(memory)
    };
    let parts = (0..threads).map(|_| Some(Mutex::new((filled(1)?, filled(2)?))));
    let parts = parts.collect::<Option<Vec<Mutex<(Vec<u8>, Vec<u8>)>>>>()?;
    // Parts that are longer than a run are gone through run by run.
    let (once, times, next) = (part.min(COPIED), (COPIED / part).max(1), AtomicUsize::new(0));
    let copy = |chunk: usize| {
        let mut part = parts[chunk].lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = &mut *part;
        let windows = (from.len() / once).max(1);
        let start = next.fetch_add(1, Ordering::Relaxed) / threads % windows * once;
        for _ in 0..times {
            black_box(&mut to[start..start + once]).copy_from_slice(black_box(&from[start..start + once]));
        }
    };
    let seconds = Phase { chunks: threads, each: &copy }.best();
    Some((bytes as u64, (2 * once * threads * times) as f64 / seconds / 1e9))
}

/// One phase of a job.
struct Phase<'a> {
    chunks: usize,
    each: &'a (dyn Fn(usize) + Sync),
}

impl Phase<'_> {
    /// The shortest of many runs, in seconds: others may have had the processor in most of them.
    fn best(&self) -> f64 {
        let (mut best, start) = (Duration::MAX, Instant::now());
        for run in 0.. {
            if run >= 16 && start.elapsed() > Duration::from_millis(15) {
                break;
            }
            let start = Instant::now();
            // Nothing in it panics.
            let _ = pool::run(0..1, usize::MAX, self);
            best = best.min(start.elapsed());
        }
        best.as_secs_f64().max(1e-9)
    }
}

impl Work for Phase<'_> {
    fn chunks(&self, _: usize) -> u32 {
        self.chunks as u32
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn run(&self, _: usize, chunk: usize, _: usize) {
        (self.each)(chunk);
    }
}
