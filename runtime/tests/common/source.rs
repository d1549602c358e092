//! A source of examples for tests of loaders.

use castnet_runtime::Array;
use castnet_runtime::data::{Batches, BoxError, Dataset, Examples, Field, FieldMut, FieldType, Random};

/// Examples of three elements: the number, what it draws, and a second number that it draws.
pub struct Drawn(pub usize);

impl Examples<2> for Drawn {
    fn len(&self) -> usize {
        self.0
    }

    fn fields(&self) -> [FieldType; 2] {
        [FieldType::new::<f64>(&[3]), FieldType::new::<u32>(&[])]
    }

    fn read(&self, example: usize, random: &mut Random, [x, number]: [FieldMut<'_>; 2]) -> Result<(), BoxError> {
        x.write(&[example as f64, random.unit(), random.below(1000) as f64])?;
        Ok(number.write(&[example as u32])?)
    }
}

/// Rows of two fields, of which no two are equal.
pub fn rows(n: usize) -> Dataset<2> {
    let x = Array::from_vec(&[n, 3], (0..3 * n).map(|i| (i as f64).sin()).collect()).unwrap();
    let number = Array::from_vec(&[n], (0..n as u32).collect()).unwrap();
    Dataset::new([Field::new(x), Field::new(number)]).unwrap()
}

/// All bits of a batch.
pub fn bits([x, number]: &[Array; 2]) -> Vec<u64> {
    let x = x.as_slice::<f64>().unwrap().iter().map(|x| x.to_bits());
    x.chain(number.as_slice::<u32>().unwrap().iter().map(|&n| n.into())).collect()
}

/// The batches up to the end of the epoch.
pub fn epoch(batches: &mut Batches<2>) -> Vec<Vec<u64>> {
    let mut all = vec![];
    while let Some(batch) = batches.next_batch().unwrap() {
        all.push(bits(batch));
    }
    all
}
