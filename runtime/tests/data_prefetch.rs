//! Batches that are made ahead, and sources of examples: the very same batches, whatever is restarted, dropped, broken.

#[path = "common/source.rs"]
mod source;

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};

use castnet_runtime::data::shuffle::shuffle;
use castnet_runtime::data::{Batches, BoxError, Dataset, Examples, FieldMut, FieldType, Random};
use castnet_runtime::engine::Engine;
use castnet_runtime::train::Fit;
use castnet_runtime::{Array, Error};
use source::{Drawn, bits, epoch, rows};

/// Several threads that read, also where there is one processor.
fn begin() {
    castnet_runtime::set_threads(3);
}

fn sets(n: usize) -> [Dataset<2>; 2] {
    [rows(n), Dataset::of(Drawn(n)).unwrap()]
}

#[test]
fn batches_made_ahead_are_the_same() {
    begin();
    for data in [sets(130), sets(7), sets(1), sets(0)].concat() {
        for (batch, drop_last) in [(1, false), (3, false), (3, true), (65, false), (130, true), (200, false)] {
            let new = |depth| {
                let batches = Batches::new(&data, batch).unwrap().shuffle(5);
                let batches = if drop_last { batches.drop_last() } else { batches };
                batches.prefetch(depth).unwrap()
            };
            let mut plain = new(0);
            let expected: Vec<_> = (0..3).map(|_| epoch(&mut plain)).collect();
            for depth in [1, 2, 5, usize::MAX] {
                let mut ahead = new(depth);
                let found: Vec<_> = (0..3).map(|_| epoch(&mut ahead)).collect();
                assert!(found == expected, "{data:?}, batches of {batch}, depth {depth}");
            }
        }
    }
}

#[test]
fn an_epoch_is_restarted_amid_its_batches() {
    begin();
    for data in sets(50) {
        let mut plain = Batches::new(&data, 4).unwrap().shuffle(3);
        let epochs: Vec<_> = (0..3).map(|_| epoch(&mut plain)).collect();
        let mut ahead = Batches::new(&data, 4).unwrap().shuffle(3).prefetch(3).unwrap();
        let mut random = Random::new(1);
        for _ in 0..300 {
            let (to, step) = (random.below(3), random.below(14));
            ahead.start(to as u64, step);
            assert_eq!((ahead.epoch(), ahead.step()), (to as u64, step));
            for expected in epochs[to].iter().skip(step).take(random.below(6)) {
                assert_eq!(&bits(ahead.next_batch().unwrap().unwrap()), expected);
            }
        }
        // Prefetching can begin anywhere, too.
        ahead.start(1, 5);
        ahead.next_batch().unwrap();
        let mut again = ahead.prefetch(1).unwrap();
        assert_eq!(epoch(&mut again), epochs[1][6..]);
    }
}

#[test]
fn buffers_are_used_again() {
    begin();
    for data in sets(11) {
        for (depth, buffers) in [(0, 2), (1, 3), (2, 4), (100, 4)] {
            let mut batches = Batches::new(&data, 3).unwrap().prefetch(depth).unwrap();
            let mut places = HashSet::new();
            for _ in 0..5 {
                while let Some([x, _]) = batches.next_batch().unwrap() {
                    places.insert(x.as_slice::<f64>().unwrap().as_ptr());
                }
            }
            assert_eq!(places.len(), buffers, "depth {depth}");
        }
    }
}

type State = std::collections::BTreeMap<String, String>;

/// What a training run sees, up to so many batches.
fn train(data: &Dataset<2>, depth: usize, from: Option<&State>, stop: u64) -> (Vec<Vec<u64>>, State) {
    let mut fit =
        Fit::new(data, 4).unwrap().epochs(3).seed(11).stop_after(stop).progress(false).prefetch(depth).unwrap();
    from.into_iter().for_each(|state| fit.resume(state).unwrap());
    let mut seen = vec![];
    while fit.next_epoch() {
        while let Some(batch) = fit.next_batch().unwrap() {
            seen.push(bits(batch));
            fit.loss(0.5);
        }
    }
    (seen, fit.state())
}

#[test]
fn training_is_resumed_with_the_batches_that_would_have_followed() {
    begin();
    for data in sets(18) {
        let (whole, end) = train(&data, 0, None, u64::MAX);
        assert_eq!(whole.len(), 15);
        for stop in 0..=15 {
            let (seen, state) = train(&data, 2, None, stop);
            assert_eq!(seen, whole[..stop as usize]);
            assert_eq!(train(&data, 3, Some(&state), u64::MAX), (whole[stop as usize..].to_vec(), end.clone()));
        }
        // By the same loop, while batches are in flight.
        let (_, state) = train(&data, 2, None, 7);
        let mut fit = Fit::new(&data, 4).unwrap().epochs(3).seed(11).progress(false).prefetch(2).unwrap();
        for _ in 0..3 {
            assert!(fit.next_epoch() && fit.next_batch().unwrap().is_some());
            fit.resume(&state).unwrap();
            assert!(fit.next_batch().unwrap().is_none(), "no epoch has begun");
            assert!(fit.next_epoch());
            assert_eq!(bits(fit.next_batch().unwrap().unwrap()), whole[7]);
        }
        // An epoch that is left amid its batches is gone on with.
        assert!(fit.next_epoch());
        assert_eq!(bits(fit.next_batch().unwrap().unwrap()), whole[8]);
    }
}

#[test]
fn random_numbers_of_an_example_never_change_between_versions() {
    // From a second implementation, in Python, of what `Random` documents.
    for ((seed, epoch, example), expected) in [
        ((0, 0, 0), [0x5ba4_d406_0a4f_fdd3, 0xf937_c802_5cf0_e9b5]),
        ((1, 2, 3), [0x1abd_4ea6_9583_e8fd, 0x1bf6_eb2b_5fb5_85d4]),
        ((u64::MAX, u64::MAX, 60_000), [0xda40_65ed_d5a6_8a69, 0x9ef9_ef56_77b9_9f93u64]),
    ] {
        let mut random = Random::of_example(seed, epoch, example);
        assert_eq!([random.bits(), random.bits()], expected);
    }
    begin();
    let mut batches = Batches::new(&Dataset::of(Drawn(10)).unwrap(), 4).unwrap().shuffle(9).prefetch(1).unwrap();
    for epoch in 0..3 {
        while let Some([x, number]) = batches.next_batch().unwrap() {
            for (x, &number) in x.as_slice::<f64>().unwrap().chunks(3).zip(number.as_slice::<u32>().unwrap()) {
                let mut random = Random::of_example(9, epoch, number as usize);
                assert_eq!(x, [number.into(), random.unit(), random.below(1000) as f64]);
            }
        }
    }
}

/// Reads zeros, after what a function does.
struct Doing<F>(usize, F);

impl<F: Fn(usize) -> Result<(), BoxError> + Send + Sync> Examples<1> for Doing<F> {
    fn len(&self) -> usize {
        self.0
    }

    fn fields(&self) -> [FieldType; 1] {
        [FieldType::new::<u8>(&[2])]
    }

    fn read(&self, example: usize, _: &mut Random, [x]: [FieldMut<'_>; 1]) -> Result<(), BoxError> {
        x.into_slice::<u8>()?[0] = example as u8;
        (self.1)(example)
    }
}

#[test]
fn what_goes_wrong_is_told_at_its_batch() {
    begin();
    let broken = |example| match example {
        // Both of one batch: the first one is told, whoever reads them first.
        10 | 11 => Err(format!("{example}.png: cut off").into()),
        17 => panic!("17 on purpose"),
        20 => std::panic::panic_any(20),
        _ => Ok(()),
    };
    let data = Dataset::of(Doing(22, broken)).unwrap();
    for depth in [0, 1, 2, 100] {
        let mut batches = Batches::new(&data, 4).unwrap().prefetch(depth).unwrap();
        for _ in 0..10 {
            let mut told = vec![];
            loop {
                match batches.next_batch() {
                    Ok(Some([x])) => told.push(x.as_slice::<u8>().unwrap()[0].to_string()),
                    Ok(None) => break,
                    Err(error) => told.push(error.to_string()),
                }
            }
            let expected = [
                "0",
                "4",
                "example 10: 10.png: cut off",
                "12",
                "example 17: its source panicked: 17 on purpose",
                "example 20: its source panicked: no message",
            ];
            assert_eq!(told, expected);
        }
    }
    let mut fit = Fit::new(&data, 4).unwrap().progress(false).prefetch(2).unwrap();
    assert!(fit.next_epoch());
    let mut order = [0; 22];
    shuffle(&mut order, 0, 0);
    for examples in order.chunks(4) {
        assert_eq!(fit.next_batch().is_ok(), !examples.iter().any(|example| [10, 11, 17, 20].contains(example)));
    }
    assert!(fit.next_batch().unwrap().is_none() && !fit.next_epoch());
    // Nothing of it is a failure of the engine's.
    Engine::global().wait_all().unwrap();
}

#[test]
fn examples_of_another_type_than_their_field() {
    begin();
    struct Wrong(fn(FieldMut<'_>) -> castnet_runtime::Result<()>);
    impl Examples<1> for Wrong {
        fn len(&self) -> usize {
            1
        }
        fn fields(&self) -> [FieldType; 1] {
            [FieldType::new::<f32>(&[2, 3])]
        }
        fn read(&self, _: usize, _: &mut Random, [x]: [FieldMut<'_>; 1]) -> Result<(), BoxError> {
            assert_eq!((x.ty().shape(), x.ty().dtype()), (&[2, 3][..], castnet_runtime::DType::F32));
            Ok((self.0)(x)?)
        }
    }
    let told = |read| {
        let mut batches = Batches::new(&Dataset::of(Wrong(read)).unwrap(), 1).unwrap().prefetch(1).unwrap();
        batches.next_batch().map(|batch| batch.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(told(|x| x.set(&Array::zeros::<f32>(&[2, 3]))), Ok(true));
    let declared = "example 0: a field is f32[2, 3], and what was read";
    assert_eq!(told(|x| x.set(&Array::zeros::<f32>(&[3, 2]))), Err(format!("{declared} f32[3, 2]")));
    assert_eq!(told(|x| x.set(&Array::zeros::<u8>(&[2, 3]))), Err(format!("{declared} u8[2, 3]")));
    let count = "example 0: 5 elements do not fill the shape [2, 3], which has 6".to_string();
    assert_eq!(told(|x| x.write(&[0f32; 5])), Err(count));
    let types = "example 0: the array's elements are f32, not f64".to_string();
    assert_eq!(told(|x| x.write(&[0f64; 6])), Err(types.clone()));
    assert_eq!(told(|x| x.into_slice::<f64>().map(drop)), Err(types));
}

#[test]
fn what_is_not_written_is_zero() {
    begin();
    let mut batches = Batches::new(&Dataset::of(Doing(9, |_| Ok(()))).unwrap(), 2).unwrap().prefetch(1).unwrap();
    while let Some([x]) = batches.next_batch().unwrap() {
        assert!(x.as_slice::<u8>().unwrap().iter().skip(1).step_by(2).all(|&x| x == 0));
    }
    /// Writes into its buffer in the first epoch only.
    struct Once(Mutex<usize>);
    impl Examples<1> for Once {
        fn len(&self) -> usize {
            3
        }
        fn fields(&self) -> [FieldType; 1] {
            [FieldType::new::<bool>(&[])]
        }
        fn read(&self, _: usize, _: &mut Random, [x]: [FieldMut<'_>; 1]) -> Result<(), BoxError> {
            let mut read = self.0.lock().map_err(|error| error.to_string())?;
            *read += 1;
            if *read <= 3 { Ok(x.write(&[true])?) } else { Ok(()) }
        }
    }
    let mut batches = Batches::new(&Dataset::of(Once(Mutex::new(0))).unwrap(), 3).unwrap();
    for expected in [true, false] {
        let Some([x]) = batches.next_batch().unwrap() else { panic!("no batch") };
        assert_eq!(x.as_slice::<bool>().unwrap(), [expected; 3]);
        assert!(batches.next_batch().unwrap().is_none());
    }
}

#[test]
fn sources_without_examples_or_numbers() {
    let none = Dataset::of(Drawn(0)).unwrap();
    assert!(none.is_empty());
    assert!(Batches::new(&none, 2).unwrap().prefetch(3).unwrap().next_batch().unwrap().is_none());
    assert!(Fit::new(&none, 2).is_err());
    struct Endless(usize, Vec<usize>);
    impl Examples<1> for Endless {
        fn len(&self) -> usize {
            self.0
        }
        fn fields(&self) -> [FieldType; 1] {
            [FieldType::new::<f32>(&self.1)]
        }
        fn read(&self, _: usize, _: &mut Random, _: [FieldMut<'_>; 1]) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let error = Dataset::of(Endless(1, vec![1 << 40, 1 << 40])).unwrap_err().to_string();
    assert_eq!(error, "f32[1099511627776, 1099511627776] has more elements than there can be");
    let memory = |result: Result<Batches<1>, Error>| assert!(matches!(result, Err(Error::Memory { .. })));
    memory(Batches::new(&Dataset::of(Endless(usize::MAX, vec![])).unwrap(), 1));
    memory(Batches::new(&Dataset::of(Endless(1, vec![1 << 60])).unwrap(), 1));
    let wide = Dataset::of(Endless(1 << 20, vec![1 << 20])).unwrap();
    memory(Batches::new(&wide, 1).unwrap().prefetch(usize::MAX));
    struct Nothing;
    impl Examples<0> for Nothing {
        fn len(&self) -> usize {
            1
        }
        fn fields(&self) -> [FieldType; 0] {
            []
        }
        fn read(&self, _: usize, _: &mut Random, _: [FieldMut<'_>; 0]) -> Result<(), BoxError> {
            Ok(())
        }
    }
    assert_eq!(Dataset::of(Nothing).unwrap_err().to_string(), "a source of examples without a field");
}

/// Says that it reads an example behind the first two, and does so when it is allowed to.
fn gated() -> (Dataset<1>, Arc<()>, Receiver<usize>, Sender<()>) {
    let (alive, (told, tells), (allows, allowed)) = (Arc::new(()), channel(), channel());
    let (held, told, allowed) = (alive.clone(), Mutex::new(told), Mutex::new(allowed));
    let read = move |example| {
        let _held = &held;
        if example >= 2 {
            told.lock().map_err(|e| e.to_string())?.send(example)?;
            // An end of the other side is permission, too.
            let _ = allowed.lock().map_err(|e| e.to_string())?.recv();
        }
        Ok(())
    };
    (Dataset::of(Doing(100, read)).unwrap(), alive, tells, allows)
}

#[test]
fn a_loader_is_dropped_while_batches_are_made() {
    begin();
    for wait in [true, false] {
        let (data, alive, tells, allows) = gated();
        let mut batches = Batches::new(&data, 2).unwrap().prefetch(3).unwrap();
        drop(data);
        assert!(batches.next_batch().unwrap().is_some());
        if wait {
            // Another thread is inside the source, and stays there.
            tells.recv().unwrap();
        }
        drop(batches);
        drop(allows);
        Engine::global().wait_all().unwrap();
        assert_eq!(Arc::strong_count(&alive), 1, "the source is gone");
    }
    // A thousand of them at once.
    for data in sets(40) {
        for number in 0..1000 {
            let mut batches = Batches::new(&data, 3).unwrap().shuffle(number).prefetch(4).unwrap();
            (0..number % 4).for_each(|_| assert!(batches.next_batch().unwrap().is_some()));
        }
    }
}

#[test]
fn examples_of_a_batch_are_read_side_by_side() {
    begin();
    for depth in [0, 2] {
        let both = Barrier::new(2);
        let data = Dataset::of(Doing(20, move |_| Ok(_ = both.wait()))).unwrap();
        let mut batches = Batches::new(&data, 2).unwrap().prefetch(depth).unwrap();
        // Nobody gets beyond one example alone.
        for _ in 0..10 {
            assert!(batches.next_batch().unwrap().is_some());
        }
    }
}

#[test]
fn inside_an_operation() {
    begin();
    let data = sets(30);
    let mut expected: Vec<_> = data.iter().map(|data| epoch(&mut Batches::new(data, 4).unwrap())).collect();
    let engine = Engine::global();
    for (data, expected) in data.into_iter().zip(expected.drain(..)) {
        // More than the engine has threads.
        for _ in 0..8 {
            let (data, expected) = (data.clone(), expected.clone());
            let run = move || match epoch(&mut Batches::new(&data, 4)?.prefetch(2)?) == expected {
                true => Ok(()),
                false => Err(BoxError::from("other batches")),
            };
            engine.operation("an epoch").push(run).unwrap();
        }
    }
    engine.wait_all().unwrap();
}
