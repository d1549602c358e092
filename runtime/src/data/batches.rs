//! Batches of a data set, in order or shuffled, made when they are wanted or ahead of it.

use std::fmt;

use crate::array::Array;
use crate::data::Dataset;
use crate::data::ring::Ring;
use crate::data::shuffle::shuffle;
use crate::error::{Error, Result};
use crate::memory::collected;
use crate::pool;

/// Gives out a [`Dataset`] in batches, epoch after epoch. A batch is made in arrays that are used again, so nothing is allocated after
/// [`Batches::new`] but by what reads the examples.
///
/// By default the examples come in their order, and the last batch is as short as it must be. The order of a shuffled epoch is a
/// function of seed and epoch alone ([`shuffle`]).
///
/// ```
/// use castnet_runtime::Array;
/// use castnet_runtime::data::{Batches, Dataset, Field};
///
/// let data = Dataset::new([Field::new(Array::from_vec(&[5], vec![0i64, 10, 20, 30, 40])?)])?;
/// let mut batches = Batches::new(&data, 2)?;
/// let mut sizes = Vec::new();
/// while let Some([numbers]) = batches.next_batch()? {
///     sizes.push(numbers.len());
/// }
/// assert_eq!(sizes, [2, 2, 1]);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
pub struct Batches<const FIELDS: usize> {
    data: Dataset<FIELDS>,
    batch: usize,
    seed: Option<u64>,
    drop_last: bool,
    depth: usize,
    epoch: u64,
    /// Batches of this epoch that were given out.
    step: usize,
    /// Those, and the ones after them that are being made.
    begun: usize,
    order: Vec<usize>,
    ring: Ring<FIELDS>,
}

impl<const FIELDS: usize> Batches<FIELDS> {
    /// Batches of `batch` examples, at the beginning of epoch 0.
    ///
    /// # Errors
    /// If `batch` is 0, or there is no memory for a batch or the order of the examples.
    pub fn new(data: &Dataset<FIELDS>, batch: usize) -> Result<Batches<FIELDS>> {
        if batch == 0 {
            return Err(Error::Data { what: "a batch of 0 examples".to_string() });
        }
        let bytes = data.len().saturating_mul(size_of::<usize>());
        let no_memory = || Error::Memory { function: format!("the order of {} examples", data.len()), bytes };
        Ok(Batches {
            data: data.clone(),
            batch,
            seed: None,
            drop_last: false,
            depth: 0,
            epoch: 0,
            step: 0,
            begun: 0,
            order: collected(data.len(), 0..data.len()).ok_or_else(no_memory)?,
            ring: Ring::new(data, batch, 0)?,
        })
    }

    /// Shuffles each epoch, by this seed; begins epoch 0.
    pub fn shuffle(mut self, seed: u64) -> Batches<FIELDS> {
        self.start_at(Some(seed), 0, 0);
        self
    }

    /// Leaves out the last batch of an epoch if it is shorter than the others.
    pub fn drop_last(mut self) -> Batches<FIELDS> {
        self.drop_last = true;
        self
    }

    /// Makes up to `depth` batches of an epoch ahead of the one that was given out last, by operations of the process's engine
    /// ([`Engine::global`](crate::engine::Engine::global)), while the program does something else. Batches are the same to the bit, and come
    /// in the same order. They lie in `depth` + 2 buffers, or fewer if an epoch has fewer batches. 0: each is made when it is asked for.
    ///
    /// # Errors
    /// If there is no memory for so many batches.
    pub fn prefetch(self, depth: usize) -> Result<Batches<FIELDS>> {
        // The old buffers go first.
        drop(self.ring);
        let ring = Ring::new(&self.data, self.batch, depth)?;
        Ok(Batches { depth, begun: self.step, ring, ..self })
    }

    /// Goes to an epoch, after the first `step` batches of it. The order does not depend on where the batches stood before.
    pub fn start(&mut self, epoch: u64, step: usize) {
        self.start_at(self.seed, epoch, step);
    }

    /// [`Batches::shuffle`] and [`Batches::start`] in one.
    pub(crate) fn start_shuffled(&mut self, seed: u64, epoch: u64, step: usize) {
        self.start_at(Some(seed), epoch, step);
    }

    fn start_at(&mut self, seed: Option<u64>, epoch: u64, step: usize) {
        // What is made ahead stays if it is what comes next.
        if (seed, epoch, step) == (self.seed, self.epoch, self.step) {
            return;
        }
        self.ring.stop();
        (self.seed, self.epoch, self.step, self.begun) = (seed, epoch, step, step);
        if let Some(seed) = seed {
            shuffle(&mut self.order, seed, epoch);
        }
    }

    /// The next batch: an array for each field, with the examples on the first axis. `None` at the end of the epoch; then the next
    /// call begins the next epoch.
    ///
    /// # Errors
    /// What a [source](crate::data::Examples) says of the first example of this batch that it cannot read ([`Error::Example`]); the next call
    /// gives the next batch. Of arrays, none that [`Dataset::new`] has not reported before.
    pub fn next_batch(&mut self) -> Result<Option<&[Array; FIELDS]>> {
        let (step, steps) = (self.step, self.len());
        if step >= steps {
            self.start(self.epoch.wrapping_add(1), 0);
            return Ok(None);
        }
        while self.begun < steps.min(step.saturating_add(self.depth).saturating_add(1)) {
            let examples = &self.order[self.examples_of(self.begun)];
            self.ring.begin(self.begun, examples, self.seed.unwrap_or(0), self.epoch, self.helpers());
            self.begun += 1;
        }
        self.step += 1;
        self.ring.finish(step, self.examples_of(step).len()).map(Some)
    }

    /// Where the examples of a batch stand in the order.
    fn examples_of(&self, step: usize) -> std::ops::Range<usize> {
        let from = step * self.batch;
        from..self.data.len().min(from.saturating_add(self.batch))
    }

    /// How many operations make a batch. Rows that are copied when they are wanted need none.
    fn helpers(&self) -> usize {
        match self.depth > 0 || self.data.is_read() {
            true => (pool::threads() - 1).max(1),
            false => 0,
        }
    }

    /// The number of batches of an epoch.
    pub fn len(&self) -> usize {
        match self.drop_last {
            true => self.data.len() / self.batch,
            false => self.data.len().div_ceil(self.batch),
        }
    }

    /// Whether an epoch has no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of examples of a batch, but for a shorter last one.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The epoch that the next batch belongs to.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many batches of this epoch were given out.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The number of examples in the data set.
    pub fn examples(&self) -> usize {
        self.data.len()
    }
}

impl<const FIELDS: usize> fmt::Debug for Batches<FIELDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (epoch, step, steps) = (self.epoch, self.step, self.len());
        write!(f, "Batches of {} from {:?}, at {step} of {steps} in epoch {epoch}", self.batch, self.data)
    }
}
