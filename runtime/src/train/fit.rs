//! The bookkeeping of a training loop; the loop itself stays the user's, in plain sight.

use std::collections::BTreeMap;

use crate::array::Array;
use crate::data::{Batches, Dataset};
use crate::error::{Error, Result};
use crate::train::metrics::Mean;
use crate::train::point::Point;
use crate::train::progress::Progress;

/// Epochs of shuffled batches, with progress on standard error and a state to resume from.
///
/// On a terminal each epoch has a bar with the mean loss, samples a second and the time left, which stays while the epoch is evaluated;
/// elsewhere a line says the same every ten seconds. Then one line has the epoch's mean loss, its metrics and its speed (of training,
/// without evaluation).
///
/// ```
/// use castnet_runtime::Array;
/// use castnet_runtime::data::{Dataset, Field};
/// use castnet_runtime::train::Fit;
///
/// let data = Dataset::new([Field::new(Array::from_vec(&[3], vec![1.0f32, 2.0, 3.0])?)])?;
/// let mut fit = Fit::new(&data, 2)?.epochs(2).seed(7).progress(false);
/// let mut sum = 0.0;
/// while fit.next_epoch() {
///     while let Some([x]) = fit.next_batch()? {
///         let loss = x.as_slice::<f32>()?.iter().sum::<f32>(); // net.loss_step(&mut sgd, x)?.get()?
///         sum += loss;
///         fit.loss(loss);
///     }
///     fit.metric("sum", sum.into());                           // evaluation
///     let _state = fit.state();                                // net.save_training(path, &sgd, &fit.state())?
/// }
/// assert_eq!(sum, 12.0);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
pub struct Fit<const FIELDS: usize> {
    batches: Batches<FIELDS>,
    epochs: u64,
    last_step: u64,
    show: bool,
    point: Point,
    loss: Mean,
    /// The examples in the batch given out last.
    examples: u64,
    metrics: Vec<(String, f64)>,
    progress: Option<Progress>,
    /// An epoch was begun, so its line is due and the next call of `next_epoch` goes on to the next one.
    open: bool,
}

impl<const FIELDS: usize> Fit<FIELDS> {
    /// Trains on batches of `batch` examples: 1 epoch, seed 0 and with progress, unless told otherwise.
    ///
    /// # Errors
    /// If `batch` is 0 or the data set is empty.
    pub fn new(data: &Dataset<FIELDS>, batch: usize) -> Result<Fit<FIELDS>> {
        if data.is_empty() {
            return Err(Error::Data { what: "there are no examples to train on".to_string() });
        }
        Ok(Fit {
            batches: Batches::new(data, batch)?,
            epochs: 1,
            last_step: u64::MAX,
            show: true,
            point: Point { batch: batch as u64, examples: data.len() as u64, ..Point::default() },
            loss: Mean::new(),
            examples: 0,
            metrics: Vec::new(),
            progress: None,
            open: false,
        })
    }

    /// Ends after so many epochs, those before a [`Fit::resume`] included.
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.epochs = epochs;
        self
    }

    /// Ends after so many batches in all, those before a [`Fit::resume`] included, even amid an epoch.
    pub fn stop_after(mut self, steps: u64) -> Self {
        self.last_step = steps;
        self
    }

    /// Leaves out the last batch of an epoch if it is shorter than the others: which examples these are differs from epoch to epoch. For nets
    /// that need more than one example at a time, as batch norm does.
    pub fn drop_last(mut self) -> Self {
        self.batches = self.batches.drop_last();
        self.point.drop_last = 1;
        self
    }

    /// Makes up to `depth` batches of an epoch ahead while the net is trained: see [`Batches::prefetch`]. A resumed run may have another depth.
    ///
    /// # Errors
    /// If there is no memory for so many batches.
    pub fn prefetch(mut self, depth: usize) -> Result<Self> {
        self.batches = self.batches.prefetch(depth)?;
        Ok(self)
    }

    /// Shuffles by this seed. A resumed run keeps the seed that it began with.
    pub fn seed(mut self, seed: u64) -> Self {
        self.point.seed = seed;
        self
    }

    /// Whether to write to standard error.
    pub fn progress(mut self, show: bool) -> Self {
        self.show = show;
        self
    }

    /// Goes on where [`Fit::state`] was taken, with the very batches that would have followed then. Entries of `state` that are not
    /// [`Fit`]'s are left alone.
    ///
    /// # Errors
    /// If `state` lacks entries, the data set had another number of examples then, or the state is amid an epoch and batches had
    /// another size then or [`Fit::drop_last`] differs.
    pub fn resume(&mut self, state: &BTreeMap<String, String>) -> Result<()> {
        let (now, then) = (&self.point, Point::from_map(state)?);
        let differ = |what: &str, now: u64, then: u64| Error::Data {
            what: format!("cannot resume training: {what} {now}, but the checkpoint was made with {then}"),
        };
        if now.examples != then.examples {
            return Err(differ("examples in the data set:", now.examples, then.examples));
        }
        if now.batch != then.batch && then.step > 0 {
            return Err(differ("amid an epoch; examples a batch:", now.batch, then.batch));
        }
        if now.drop_last != then.drop_last && then.step > 0 {
            return Err(differ("amid an epoch; `drop_last` (1) or not (0):", now.drop_last, then.drop_last));
        }
        self.loss = Mean::of_parts(f64::from_bits(then.loss_bits), then.loss_examples);
        self.point = Point { batch: now.batch, drop_last: now.drop_last, ..then };
        (self.open, self.progress) = (false, None);
        Ok(())
    }

    /// Ends an epoch, if one was begun, and begins the next one; false when training is over. An epoch that was left amid its batches
    /// is gone on with.
    pub fn next_epoch(&mut self) -> bool {
        if std::mem::take(&mut self.open) {
            self.report();
            self.point = self.here();
            self.loss = Mean::of_parts(f64::from_bits(self.point.loss_bits), self.point.loss_examples);
        }
        if self.point.epoch >= self.epochs || self.point.steps >= self.last_step {
            return false;
        }
        self.open = true;
        self.metrics.clear();
        let step = self.point.step.min(self.batches.len() as u64) as usize;
        self.batches.start_shuffled(self.point.seed, self.point.epoch, step);
        let title = format!("epoch {}/{}", self.point.epoch + 1, self.epochs);
        let new = || Progress::new(title, self.point.step, self.batches.len() as u64);
        self.progress = self.show.then(new).flatten();
        true
    }

    /// Writes the line of this epoch now instead of with the next call of [`Fit::next_epoch`]: before something else is written.
    pub fn report(&mut self) {
        if let Some(progress) = self.progress.take() {
            let loss = (self.loss.count() > 0).then(|| self.loss.value());
            progress.line(loss, &self.metrics);
        }
    }

    /// Ends training here: no batch and no epoch follows. [`Fit::state`] is where a later run goes on.
    pub fn stop(&mut self) {
        self.last_step = self.point.steps;
    }

    /// The next batch, as [`Batches::next_batch`] gives it; `None` at the end of the epoch, when training is over, and before the
    /// first [`Fit::next_epoch`].
    ///
    /// # Errors
    /// As [`Batches::next_batch`], and the batch counts as given out; if [`Fit::drop_last`] leaves no batch at all.
    pub fn next_batch(&mut self) -> Result<Option<&[Array; FIELDS]>> {
        if self.open && self.batches.is_empty() {
            let (examples, batch) = (self.point.examples, self.point.batch);
            let what = format!("`drop_last` leaves nothing to train on: {examples} examples make no batch of {batch}");
            return Err(Error::Data { what });
        }
        if !self.open || self.point.step >= self.batches.len() as u64 || self.point.steps >= self.last_step {
            if let Some(progress) = &mut self.progress {
                progress.trained();
            }
            return Ok(None);
        }
        let examples = self.point.batch.min(self.point.examples - self.point.step * self.point.batch);
        self.point.step += 1;
        self.point.steps += 1;
        self.examples = examples;
        if let Some(progress) = &mut self.progress {
            progress.batch(examples);
        }
        self.batches.next_batch()
    }

    /// Counts the mean loss of the batch given out last into the mean of the epoch.
    pub fn loss(&mut self, loss: impl Into<f64>) {
        self.loss.add(loss.into(), self.examples);
        if let Some(progress) = &mut self.progress {
            progress.loss(self.loss.value());
        }
    }

    /// Puts a figure into the line of this epoch.
    pub fn metric(&mut self, name: &str, value: f64) {
        self.metrics.push((name.to_string(), value));
    }

    /// The mean loss of this epoch so far; NaN before the first.
    pub fn mean_loss(&self) -> f64 {
        self.loss.value()
    }

    /// The number of batches of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.batches.len()
    }

    /// Where training stands, as entries for a checkpoint, to which others may be added: every batch given out counts as done. With
    /// the model's and the optimizer's state this is all that a resumed run needs to do what this one would have done, bit for bit.
    ///
    /// Keys are `fit.epoch` and `fit.step`, the epoch and the number of batches done in it, `fit.steps` of all epochs, `fit.seed`,
    /// `fit.batch`, `fit.examples`, `fit.drop_last`, and the running mean of the loss.
    pub fn state(&self) -> BTreeMap<String, String> {
        self.here().to_map()
    }

    /// The end of an epoch is the beginning of the next.
    fn here(&self) -> Point {
        if self.point.step >= self.batches.len() as u64 {
            let epoch = self.point.epoch.saturating_add(1);
            return Point { epoch, step: 0, loss_bits: 0, loss_examples: 0, ..self.point.clone() };
        }
        let (sum, loss_examples) = self.loss.parts();
        Point { loss_bits: sum.to_bits(), loss_examples, ..self.point.clone() }
    }
}
