//! The training loop's bookkeeping: what comes, when it ends, and that a resumed run does the same.

use std::collections::BTreeMap;

use castnet_runtime::Array;
use castnet_runtime::data::{Dataset, Field};
use castnet_runtime::train::{Accuracy, Fit, Mean};

fn numbers(n: u32) -> Dataset<1> {
    let values = (0..n).map(|i| i as f32 / 7.0).collect();
    Dataset::new([Field::new(Array::from_vec(&[n as usize], values).unwrap())]).unwrap()
}

type State = BTreeMap<String, String>;

/// Epoch, step in it, steps in all.
fn place(state: &State) -> [u64; 3] {
    ["fit.epoch", "fit.step", "fit.steps"].map(|key| state[key].parse().unwrap())
}

/// What stands for a model: its end depends on every bit of every batch and on their order.
#[derive(Clone, Debug, PartialEq)]
struct Model(f32);

impl Model {
    fn step(&mut self, x: &Array) -> f32 {
        let mean = x.as_slice::<f32>().unwrap().iter().sum::<f32>() / x.len() as f32;
        self.0 = self.0 * 0.9 + mean;
        (self.0 - mean).abs()
    }
}

/// Runs to the end (or to `stop`) and returns the state and the mean losses at each epoch's end.
fn run(data: &Dataset<1>, model: &mut Model, from: Option<&State>, stop: u64) -> (State, Vec<u64>) {
    let mut fit = Fit::new(data, 4).unwrap().epochs(3).seed(11).stop_after(stop).progress(false);
    from.into_iter().for_each(|state| fit.resume(state).unwrap());
    let mut losses = Vec::new();
    while fit.next_epoch() {
        while let Some([x]) = fit.next_batch().unwrap() {
            let loss = model.step(x);
            fit.loss(loss);
        }
        losses.push(fit.mean_loss().to_bits());
    }
    (fit.state(), losses)
}

#[test]
fn a_resumed_run_does_the_same_bit_for_bit() {
    let data = numbers(18); // 4 full batches and one of 2
    let mut whole = Model(1.0);
    let (end, losses) = run(&data, &mut whole, None, u64::MAX);
    assert_eq!((place(&end), losses.len()), ([3, 0, 15], 3));
    for stop in 0..=15 {
        let mut model = Model(1.0);
        let (state, _) = run(&data, &mut model, None, stop);
        assert_eq!(place(&state), [stop / 5, stop % 5, stop]);
        let (state, rest) = run(&data, &mut model, Some(&state), u64::MAX);
        assert_eq!((&model, &state), (&whole, &end), "stopped after {stop}");
        assert_eq!(rest, losses[stop as usize / 5..], "stopped after {stop}");
    }
}

#[test]
fn epochs_differ_and_cover_everything() {
    let data = numbers(10);
    let mut fit = Fit::new(&data, 3).unwrap().epochs(2).progress(false);
    assert_eq!(fit.steps_per_epoch(), 4);
    assert!(fit.next_batch().unwrap().is_none(), "no epoch has begun");
    let mut epochs = Vec::new();
    while fit.next_epoch() {
        let mut seen = Vec::new();
        while let Some([x]) = fit.next_batch().unwrap() {
            seen.extend(x.as_slice::<f32>().unwrap().iter().map(|x| (x * 7.0).round() as u32));
        }
        assert!(fit.next_batch().unwrap().is_none());
        epochs.push(seen);
    }
    assert!(!fit.next_epoch());
    assert_ne!(epochs[0], epochs[1]);
    for epoch in &mut epochs {
        epoch.sort_unstable();
        assert!(epoch.iter().copied().eq(0..10));
    }
}

#[test]
fn an_epoch_left_early_is_gone_on_with() {
    let data = numbers(10);
    let mut fit = Fit::new(&data, 3).unwrap().progress(false);
    let mut rounds = 0;
    while fit.next_epoch() {
        rounds += 1;
        assert_eq!(fit.next_batch().unwrap().is_some(), rounds <= 4);
    }
    assert_eq!((rounds, place(&fit.state())), (4, [1, 0, 4]));
}

/// The state with other numbers, as a file could have them.
fn at(state: &State, epoch: u64, step: u64, steps: u64) -> State {
    let mut state = state.clone();
    state.insert("fit.epoch".to_string(), epoch.to_string());
    state.insert("fit.step".to_string(), step.to_string());
    state.insert("fit.steps".to_string(), steps.to_string());
    state.insert("mine".to_string(), "left alone".to_string());
    state
}

#[test]
fn a_state_of_other_data_is_refused() {
    let (data, other) = (numbers(10), numbers(11));
    let mut fit = Fit::new(&data, 3).unwrap().progress(false);
    assert!(fit.next_epoch());
    assert!(fit.next_batch().unwrap().is_some());
    let state = fit.state();
    assert_eq!(
        Fit::new(&other, 3).unwrap().resume(&state).unwrap_err().to_string(),
        "cannot resume training: examples in the data set: 11, but the checkpoint was made with 10"
    );
    assert_eq!(
        Fit::new(&data, 2).unwrap().resume(&state).unwrap_err().to_string(),
        "cannot resume training: amid an epoch; examples a batch: 2, but the checkpoint was made with 3"
    );
    // Between epochs another batch size does no harm.
    assert!(Fit::new(&data, 2).unwrap().resume(&at(&state, 0, 0, 4)).is_ok());
    // A state that nobody made ends the loop, and does not break it.
    for (epoch, step, steps) in [(0, u64::MAX, 0), (u64::MAX, 3, 0), (0, 0, u64::MAX)] {
        let mut fit = Fit::new(&data, 3).unwrap().epochs(u64::MAX).progress(false);
        fit.resume(&at(&state, epoch, step, steps)).unwrap();
        if fit.next_epoch() {
            assert!(fit.next_batch().unwrap().is_none());
        }
        let _ = fit.state();
    }
    let refused = |state: &State| Fit::new(&data, 3).unwrap().resume(state).unwrap_err().to_string();
    assert_eq!(refused(&State::new()), "cannot resume training: the checkpoint has no entry `fit.epoch`");
    let mut odd = state.clone();
    odd.insert("fit.steps".to_string(), "-1".to_string());
    assert_eq!(refused(&odd), "cannot resume training: `fit.steps` in the checkpoint is `-1`, not a whole number");
    assert!(Fit::new(&numbers(0), 3).is_err());
    assert!(Fit::new(&data, 0).is_err());
}

#[test]
fn progress_does_not_disturb() {
    let data = numbers(10);
    let mut fit = Fit::new(&data, 3).unwrap().epochs(2);
    while fit.next_epoch() {
        while let Some([x]) = fit.next_batch().unwrap() {
            let loss = x.as_slice::<f32>().unwrap()[0];
            fit.loss(loss);
        }
        fit.metric("test accuracy", 0.5);
    }
}

#[test]
fn accuracy_counts_and_refuses() {
    let nan = f32::NAN;
    let scores = Array::from_vec(&[4, 2], vec![1.0f32, 1.0, 0.0, 2.0, nan, 1.0, 3.0, nan]).unwrap();
    let mut accuracy = Accuracy::new();
    accuracy.add(&scores, &Array::from_vec(&[4], vec![0i64, 1, 1, 0]).unwrap()).unwrap();
    assert_eq!((accuracy.value(), accuracy.count()), (0.5, 4));
    let error = |scores: &Array, classes: Array| {
        let before = accuracy;
        let mut accuracy = accuracy;
        let text = accuracy.add(scores, &classes).unwrap_err().to_string();
        assert_eq!(accuracy, before);
        text
    };
    let expected = "accuracy: scores are f32[4, 2] and classes u8[3], expected floats [n, classes] and integers [n]";
    assert_eq!(error(&scores, Array::zeros::<u8>(&[3])), expected);
    assert!(error(&scores, Array::zeros::<f32>(&[4])).contains("classes f32[4]"));
    assert!(error(&Array::zeros::<i64>(&[4, 2]), Array::zeros::<u8>(&[4])).contains("i64[4, 2]"));
    let wide = Array::from_vec(&[1, 2], vec![1.0, 1.0 + f64::EPSILON]).unwrap();
    let mut of_doubles = Accuracy::new();
    of_doubles.add(&wide, &Array::from_vec(&[1], vec![1u8]).unwrap()).unwrap();
    assert_eq!(of_doubles.value(), 1.0);
    assert!(error(&Array::zeros::<f32>(&[4]), Array::zeros::<u8>(&[4])).contains("f32[4]"));
    assert_eq!(
        error(&scores, Array::from_vec(&[4], vec![0i32, 1, -1, 0]).unwrap()),
        "accuracy: class -1 is not in 0..2, the columns of the scores"
    );
    assert!(error(&Array::zeros::<f32>(&[1, 0]), Array::zeros::<u8>(&[1])).contains("class 0 is not in 0..0"));
    let mut nothing = Accuracy::new();
    nothing.add(&Array::zeros::<f32>(&[0, 0]), &Array::zeros::<u8>(&[0])).unwrap();
    assert!(nothing.value().is_nan() && Mean::new().value().is_nan());
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was() {
    let data = numbers(18);
    let mut whole = Model(1.0);
    let (end, _) = run(&data, &mut whole, None, u64::MAX);
    let mut model = Model(1.0);
    let mut fit = Fit::new(&data, 4).unwrap().epochs(3).seed(11).progress(false);
    while fit.next_epoch() {
        while let Some([x]) = fit.next_batch().unwrap() {
            let loss = model.step(x);
            fit.loss(loss);
            if fit.state()["fit.steps"] == "7" {
                fit.stop();
            }
        }
    }
    assert_eq!(place(&fit.state()), [1, 2, 7]);
    let state = fit.state();
    assert_eq!(run(&data, &mut model, Some(&state), u64::MAX).0, end);
    assert_eq!(model, whole);
}
