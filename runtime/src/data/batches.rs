//! Batches of a data set, in order or shuffled.

use crate::array::Array;
use crate::data::Dataset;
use crate::data::shuffle::shuffle;
use crate::error::{Error, Result};
use crate::memory::collected;

/// Gives out a [`Dataset`] in batches, epoch after epoch. A batch is gathered into arrays that are used again, so nothing is
/// allocated after [`Batches::new`].
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
#[derive(Clone, Debug)]
pub struct Batches<'d, const FIELDS: usize> {
    data: &'d Dataset<FIELDS>,
    batch: usize,
    seed: Option<u64>,
    drop_last: bool,
    epoch: u64,
    /// Batches of this epoch that were given out.
    step: usize,
    order: Vec<usize>,
    full: [Array; FIELDS],
    last: Option<[Array; FIELDS]>,
}

impl<'d, const FIELDS: usize> Batches<'d, FIELDS> {
    /// Batches of `batch` examples, at the beginning of epoch 0.
    ///
    /// # Errors
    /// If `batch` is 0, or there is no memory for a batch or the order of the examples.
    pub fn new(data: &'d Dataset<FIELDS>, batch: usize) -> Result<Batches<'d, FIELDS>> {
        if batch == 0 {
            return Err(Error::Data { what: "a batch of 0 examples".to_string() });
        }
        // A batch larger than the set costs no more memory than the set.
        let short = data.len() % batch;
        let bytes = data.len().saturating_mul(size_of::<usize>());
        let no_memory = || Error::Memory { function: format!("the order of {} examples", data.len()), bytes };
        Ok(Batches {
            data,
            batch,
            seed: None,
            drop_last: false,
            epoch: 0,
            step: 0,
            order: collected(data.len(), 0..data.len()).ok_or_else(no_memory)?,
            full: data.room(if data.len() < batch { 0 } else { batch })?,
            last: if short > 0 { Some(data.room(short)?) } else { None },
        })
    }

    /// Shuffles each epoch, by this seed; begins epoch 0.
    pub fn shuffle(mut self, seed: u64) -> Batches<'d, FIELDS> {
        self.seed = Some(seed);
        self.start(0, 0);
        self
    }

    /// Leaves out the last batch of an epoch if it is shorter than the others.
    pub fn drop_last(mut self) -> Batches<'d, FIELDS> {
        self.drop_last = true;
        self
    }

    /// Goes to an epoch, after the first `step` batches of it. The order does not depend on where the batches stood before.
    pub fn start(&mut self, epoch: u64, step: usize) {
        (self.epoch, self.step) = (epoch, step);
        if let Some(seed) = self.seed {
            shuffle(&mut self.order, seed, epoch);
        }
    }

    /// [`Batches::shuffle`] and [`Batches::start`] in one.
    pub(crate) fn start_shuffled(&mut self, seed: u64, epoch: u64, step: usize) {
        self.seed = Some(seed);
        self.start(epoch, step);
    }

    /// The next batch: an array for each field, with the examples on the first axis. `None` at the end of the epoch; then the next
    /// call begins the next epoch.
    ///
    /// # Errors
    /// None that [`Dataset::new`] has not reported before.
    pub fn next_batch(&mut self) -> Result<Option<&[Array; FIELDS]>> {
        if self.step >= self.len() {
            self.start(self.epoch.wrapping_add(1), 0);
            return Ok(None);
        }
        let from = self.step * self.batch;
        let to = self.data.len().min(from + self.batch);
        self.step += 1;
        let arrays = match &mut self.last {
            Some(last) if to - from < self.batch => last,
            _ => &mut self.full,
        };
        self.data.gather(&self.order[from..to], arrays)?;
        Ok(Some(arrays))
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
