//! Figures over many batches.

use castnet_program::types::DType;

use crate::array::{Array, Element};
use crate::data::{Batches, Dataset};
use crate::error::{Error, Result};
use crate::float::{Float, FloatType, with_float};

/// A weighted mean.
///
/// ```
/// let mut mean = castnet_runtime::train::Mean::new();
/// mean.add(2.0, 3);
/// mean.add(6.0, 1);
/// assert_eq!(mean.value(), 3.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    /// The mean of nothing.
    pub fn new() -> Mean {
        Mean::default()
    }

    /// Counts `value` `times` times: the loss of a batch as many times as it has examples.
    pub fn add(&mut self, value: f64, times: u64) {
        self.sum += value * times as f64;
        self.count = self.count.saturating_add(times);
    }

    /// The mean so far; NaN if nothing was counted.
    pub fn value(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// How much was counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum and count: what a checkpoint keeps.
    pub(crate) fn parts(&self) -> (f64, u64) {
        (self.sum, self.count)
    }

    /// The mean with these [`Mean::parts`].
    pub(crate) fn of_parts(sum: f64, count: u64) -> Mean {
        Mean { sum, count }
    }
}

/// The share of examples whose highest score is that of their class.
///
/// ```
/// use castnet_runtime::{Array, train::Accuracy};
///
/// let scores = Array::from_vec(&[2, 3], vec![0.1f32, 0.7, 0.2, 0.5, 0.2, 0.3])?;
/// let mut accuracy = Accuracy::new();
/// accuracy.add(&scores, &Array::from_vec(&[2], vec![1u8, 2])?)?;
/// assert_eq!(accuracy.value(), 0.5);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accuracy {
    right: u64,
    count: u64,
}

impl Accuracy {
    /// Nothing counted yet.
    pub fn new() -> Accuracy {
        Accuracy::default()
    }

    /// Counts a batch: scores, floats `[n, classes]`, and classes `[n]` of any integer type. Of equal scores the first counts as the highest; a
    /// row with a NaN is wrong, whatever its class.
    ///
    /// # Errors
    /// If an element type or shape is another, or a class is not in `0..classes`; nothing is counted then.
    pub fn add(&mut self, scores: &Array, classes: &Array) -> Result<()> {
        let right = match classes.dtype() {
            DType::U8 => right::<u8>(scores, classes),
            DType::I8 => right::<i8>(scores, classes),
            DType::I16 => right::<i16>(scores, classes),
            DType::I32 => right::<i32>(scores, classes),
            DType::U32 => right::<u32>(scores, classes),
            DType::I64 => right::<i64>(scores, classes),
            DType::F32 | DType::F16 | DType::BF16 | DType::F64 | DType::Bool => Err(mistake(scores, classes)),
        }?;
        self.right += right;
        self.count += classes.len() as u64;
        Ok(())
    }

    /// From 0 to 1; NaN if nothing was counted.
    pub fn value(&self) -> f64 {
        self.right as f64 / self.count as f64
    }

    /// The number of examples counted.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// The accuracy over a data set of inputs and classes, `batch` examples at a time; `scores` gives floats `[n, classes]` for a batch of inputs.
///
/// ```
/// use castnet_runtime::{Array, data::{Dataset, Field}, train::accuracy};
///
/// let points = Array::from_vec(&[3, 2], vec![0.0f32, 1.0, 2.0, 1.0, 0.0, 5.0])?;
/// let classes = Array::from_vec(&[3], vec![1u8, 0, 0])?;
/// let test = Dataset::new([Field::new(points), Field::new(classes)])?;
/// let share = accuracy(&test, 2, |points| Ok(points.clone()))?; // |image| net.scores(image)
/// assert_eq!(share, 2.0 / 3.0);
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
///
/// # Errors
/// If `batch` is 0, `scores` fails, or [`Accuracy::add`] does.
pub fn accuracy(test: &Dataset<2>, batch: usize, mut scores: impl FnMut(&Array) -> Result<Array>) -> Result<f64> {
    let mut accuracy = Accuracy::new();
    let mut batches = Batches::new(test, batch)?;
    while let Some([input, class]) = batches.next_batch()? {
        accuracy.add(&scores(input)?, class)?;
    }
    Ok(accuracy.value())
}

fn right<T: Element + Into<i64>>(scores: &Array, classes: &Array) -> Result<u64> {
    let (&[n, width], &[m]) = (scores.shape(), classes.shape()) else {
        return Err(mistake(scores, classes));
    };
    let Some(float) = FloatType::of(scores.dtype()).filter(|_| n == m) else {
        return Err(mistake(scores, classes));
    };
    let classes = classes.as_slice::<T>()?.iter().map(|&class| class.into());
    if let Some(class) = classes.clone().find(|class| !(0..width as i64).contains(class)) {
        return Err(Error::Data {
            what: format!("accuracy: class {class} is not in 0..{width}, the columns of the scores"),
        });
    }
    // No class fits in 0..0, so rows are not empty here if there are any.
    Ok(with_float!(float, T => {
        let rows = scores.as_slice::<T>()?.chunks_exact(width.max(1));
        rows.zip(classes).filter(|(row, class)| highest(row) == Some(*class as usize)).count() as u64
    }))
}

/// The first place with the highest score; `None` if a score is NaN.
fn highest<T: Float>(row: &[T]) -> Option<usize> {
    let mut best = 0;
    for (i, score) in row.iter().enumerate() {
        if score.f64().is_nan() {
            return None;
        }
        if score.f64() > row[best].f64() {
            best = i;
        }
    }
    Some(best)
}

fn mistake(scores: &Array, classes: &Array) -> Error {
    let what = format!(
        "accuracy: scores are {} and classes {}, expected floats [n, classes] and integers [n]",
        scores.describe(),
        classes.describe()
    );
    Error::Data { what }
}
