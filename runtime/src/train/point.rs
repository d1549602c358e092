//! A point in a training run, as it stands in a checkpoint.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

const DROP_LAST: &str = "fit.drop_last";

/// Where a run of [`Fit`](crate::train::Fit) stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Batches done in this epoch.
    pub step: u64,
    /// Batches done in all.
    pub steps: u64,
    /// What the examples are shuffled by.
    pub seed: u64,
    /// Examples a batch.
    pub batch: u64,
    /// Examples in the data set.
    pub examples: u64,
    /// 1 if the last batch of an epoch is left out where it is shorter.
    pub drop_last: u64,
    /// The bits of the `f64` sum of this epoch's losses: as bits, because a decimal may come back as another number.
    pub loss_bits: u64,
    /// The examples in that sum.
    pub loss_examples: u64,
}

impl Point {
    /// Each number under its key in a checkpoint.
    fn entries(&mut self) -> [(&'static str, &mut u64); 9] {
        [
            ("fit.epoch", &mut self.epoch),
            ("fit.step", &mut self.step),
            ("fit.steps", &mut self.steps),
            ("fit.seed", &mut self.seed),
            ("fit.batch", &mut self.batch),
            ("fit.examples", &mut self.examples),
            (DROP_LAST, &mut self.drop_last),
            ("fit.loss_bits", &mut self.loss_bits),
            ("fit.loss_examples", &mut self.loss_examples),
        ]
    }

    /// The entries of a checkpoint.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.clone().entries().map(|(key, number)| (key.to_string(), number.to_string())).into()
    }

    /// From a checkpoint's entries; those of others are left alone.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Point> {
        let mut point = Point::default();
        for (key, number) in point.entries() {
            let found = map.get(key).map(String::as_str);
            if found.is_none() && key == DROP_LAST {
                // A file of before, when no run left it out.
                continue;
            }
            *number = found.and_then(|text| text.parse().ok()).ok_or_else(|| Error::Data {
                what: match found {
                    Some(text) => {
                        format!("cannot resume training: `{key}` in the checkpoint is `{text}`, not a whole number")
                    }
                    None => format!("cannot resume training: the checkpoint has no entry `{key}`"),
                },
            })?;
        }
        Ok(point)
    }
}
