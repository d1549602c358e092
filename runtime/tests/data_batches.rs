//! Shuffling, batches and what they are gathered into.

use castnet_runtime::Array;
use castnet_runtime::data::shuffle::shuffle;
use castnet_runtime::data::{Batches, Dataset, Field, Normalize};

fn order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order = vec![usize::MAX; n];
    shuffle(&mut order, seed, epoch);
    order
}

fn numbers(n: i64) -> Dataset<1> {
    Dataset::new([Field::new(Array::from_vec(&[n as usize], (0..n).collect()).unwrap())]).unwrap()
}

fn epoch(batches: &mut Batches<1>) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    while let Some([x]) = batches.next_batch().unwrap() {
        all.push(x.as_slice::<i64>().unwrap().to_vec());
    }
    all
}

#[test]
fn a_shuffle_is_a_permutation_and_evenly_spread() {
    for n in [0, 1, 2, 3, 10, 1000] {
        let mut sorted = order(n, 3, 4);
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..n), "{n}");
    }
    // Each of the 24 orders of 4 comes about as often: 1000 ± 5 standard deviations.
    let mut counts = std::collections::HashMap::new();
    (0..24_000).for_each(|epoch| *counts.entry(order(4, 9, epoch)).or_insert(0) += 1);
    assert_eq!(counts.len(), 24);
    assert!(counts.values().all(|count| (845..1155).contains(count)), "{counts:?}");
}

#[test]
fn the_order_never_changes_between_versions() {
    assert_eq!(order(10, 0, 0), GOLDEN_0_0);
    assert_eq!(order(10, 1, 0), GOLDEN_1_0);
    assert_eq!(order(10, 1, 1), GOLDEN_1_1);
    let hash = order(60_000, 1, 2).iter().fold(0u64, |h, &i| h.wrapping_mul(31).wrapping_add(i as u64));
    assert_eq!(hash, GOLDEN_HASH);
}
// From a second implementation, in Python, of what `shuffle` documents.
const GOLDEN_0_0: [usize; 10] = [1, 2, 5, 7, 0, 8, 4, 3, 9, 6];
const GOLDEN_1_0: [usize; 10] = [6, 4, 7, 2, 9, 1, 5, 0, 8, 3];
const GOLDEN_1_1: [usize; 10] = [4, 3, 0, 8, 2, 5, 1, 7, 6, 9];
const GOLDEN_HASH: u64 = 0x69bfd8e138c6fe82;

#[test]
fn in_order_with_a_short_last_batch() {
    let data = numbers(7);
    let mut batches = Batches::new(&data, 3).unwrap();
    assert_eq!(batches.len(), 3);
    let expected = vec![vec![0, 1, 2], vec![3, 4, 5], vec![6]];
    assert_eq!(epoch(&mut batches), expected);
    assert_eq!(batches.epoch(), 1);
    assert_eq!(epoch(&mut batches), expected);
    let mut batches = Batches::new(&data, 3).unwrap().drop_last();
    assert_eq!(epoch(&mut batches), expected[..2]);
    assert_eq!(epoch(&mut Batches::new(&data, 7).unwrap()), [(0..7).collect::<Vec<_>>()]);
    assert_eq!(epoch(&mut Batches::new(&data, 100).unwrap()), [(0..7).collect::<Vec<_>>()]);
    assert!(Batches::new(&data, 100).unwrap().drop_last().is_empty());
    assert!(epoch(&mut Batches::new(&numbers(0), 2).unwrap()).is_empty());
    assert_eq!(Batches::new(&data, 0).unwrap_err().to_string(), "a batch of 0 examples");
}

#[test]
fn a_shuffled_epoch_can_be_entered_anywhere() {
    let data = numbers(10);
    let mut batches = Batches::new(&data, 4).unwrap().shuffle(1);
    let first = epoch(&mut batches);
    assert!(first.concat().iter().copied().eq(GOLDEN_1_0.map(|i| i as i64)));
    let second = epoch(&mut batches);
    assert!(second.concat().iter().copied().eq(GOLDEN_1_1.map(|i| i as i64)));
    let mut late = Batches::new(&data, 4).unwrap().shuffle(1);
    late.start(1, 2);
    assert_eq!(epoch(&mut late), second[2..]);
    late.start(0, 0);
    assert_eq!(epoch(&mut late), first);
    late.start(0, usize::MAX);
    assert!(epoch(&mut late).is_empty());
}

#[test]
fn the_same_arrays_are_filled_again() {
    let data = numbers(8);
    let mut batches = Batches::new(&data, 3).unwrap().shuffle(5);
    let mut places = std::collections::HashSet::new();
    for _ in 0..3 {
        while let Some([x]) = batches.next_batch().unwrap() {
            places.insert((x.as_slice::<i64>().unwrap().as_ptr(), x.len()));
        }
    }
    assert_eq!(places.len(), 2); // The full batch and the last one.
}

#[test]
fn images_become_normalised_floats() {
    let images = Array::from_vec(&[3, 1, 2], vec![0u8, 255, 51, 102, 1, 2]).unwrap();
    let labels = Array::from_vec(&[3], vec![3u8, 1, 2]).unwrap();
    let normalize = Normalize { mean: 0.5, std: 0.25 };
    let field = Field::new(images.clone()).shape(&[1, 1, 2]).normalize(normalize);
    let data = Dataset::new([field, Field::new(labels)]).unwrap();
    let mut batches = Batches::new(&data, 2).unwrap();
    let Some([image, label]) = batches.next_batch().unwrap() else { panic!("no batch") };
    assert_eq!(image.shape(), [2, 1, 1, 2]);
    let expected = [-2.0, 2.0, (0.2 - 0.5) / 0.25, (0.4 - 0.5) / 0.25];
    assert_eq!(image.as_slice::<f32>().unwrap(), expected);
    assert_eq!(label.as_slice::<u8>().unwrap(), [3, 1]);
    let Some([image, label]) = batches.next_batch().unwrap() else { panic!("no batch") };
    assert_eq!((image.shape(), label.as_slice::<u8>().unwrap()), (&[1, 1, 1, 2][..], &[2u8][..]));
    assert_eq!(image.as_slice::<f32>().unwrap(), &normalize.apply(&images).unwrap().as_slice::<f32>().unwrap()[4..]);
}

#[test]
fn every_element_type_is_gathered() {
    fn check<T: castnet_runtime::Element + PartialEq>(a: T, b: T) {
        let data = Dataset::new([Field::new(Array::from_vec(&[2, 1], vec![a, b]).unwrap())]).unwrap();
        let mut batches = Batches::new(&data, 1).unwrap();
        batches.start(0, 1);
        let Some([x]) = batches.next_batch().unwrap() else { panic!("no batch") };
        assert_eq!((x.shape(), x.item::<T>().unwrap()), (&[1usize, 1][..], b));
    }
    check(1.0f32, 2.0);
    check(1.0f64, 2.0);
    check(1i8, -2);
    check(1u8, 2);
    check(1i32, -2);
    check(1u32, 2);
    check(1i64, -2);
    check(false, true);
}

#[test]
fn mistakes_in_a_dataset() {
    let array = |shape: &[usize]| Array::zeros::<f32>(shape);
    let text = |fields: [Field; 2]| Dataset::new(fields).unwrap_err().to_string();
    assert_eq!(
        text([Field::new(array(&[3])), Field::new(array(&[2]))]),
        "field 1 of the dataset: 2 examples, but field 0 has 3"
    );
    assert_eq!(
        text([Field::new(array(&[3])), Field::new(Array::scalar(1f32))]),
        "field 1 of the dataset: a scalar has no axis of examples"
    );
    assert_eq!(
        text([Field::new(array(&[3])), Field::new(array(&[3, 4])).shape(&[3])]),
        "field 1 of the dataset: an example is f32[4], which does not fill the shape [3]"
    );
    assert_eq!(
        text([Field::new(array(&[3])).normalize(Normalize::MNIST), Field::new(array(&[3]))]),
        "field 0 of the dataset: normalize takes u8 pixels, the array is f32[3]"
    );
    let flat = Normalize { mean: 0.0, std: 0.0 };
    let field = || Field::new(Array::zeros::<u8>(&[3]));
    assert!(text([field(), field().normalize(flat)]).contains("std = 0"));
    assert!(Dataset::new([]).is_err());
    assert!(Normalize::MNIST.apply(&array(&[1])).is_err());
}
