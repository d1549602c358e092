//! Threads that call one model at the same time: each call has memory of its own, whatever the others compute.

mod common;

use std::sync::Barrier;

use castnet_runtime::{Array, Device, Model, Sgd};
use common::regression;

const INPUTS: usize = 20;
const OUTPUTS: usize = 33;
const THREADS: usize = 4;

fn model() -> Model {
    Model::from_net(regression(INPUTS as i64, OUTPUTS as i64), &Device::cpu(), 1).unwrap()
}

fn array(rows: usize, columns: usize) -> Array {
    let value = |i: usize| ((i * rows + i) as f32 * 0.37).sin();
    Array::from_vec(&[rows, columns], (0..rows * columns).map(value).collect()).unwrap()
}

fn bits(arrays: &[Array]) -> Vec<u32> {
    arrays.iter().flat_map(|array| array.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits())).collect()
}

/// More sizes than bindings are kept.
#[test]
fn each_has_its_own_result() {
    let model = model();
    let inputs: Vec<Array> = (1..=12).map(|rows| array(rows, INPUTS)).collect();
    let expected: Vec<_> = inputs.iter().map(|x| bits(&model.infer(0, &[x]).unwrap())).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (model, inputs, expected) = (&model, &inputs, &expected);
            scope.spawn(move || {
                for call in 0..200 {
                    // Some threads stay with one size for long, others go on to the next.
                    let at = (call / (1 + 9 * (thread % 2)) + thread) % inputs.len();
                    assert_eq!(bits(&model.infer(0, &[&inputs[at]]).unwrap()), expected[at], "{thread}, {call}");
                }
            });
        }
    });
}

/// Threads that miss the same binding at the same time.
#[test]
fn all_find_a_binding_that_nobody_has() {
    let model = model();
    let barrier = Barrier::new(THREADS);
    for rows in 1..100 {
        let x = array(rows, INPUTS);
        let all: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let call = || {
                barrier.wait();
                bits(&model.infer(0, &[&x]).unwrap())
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(call)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|bits| *bits == all[0] && bits.len() == rows * OUTPUTS), "{rows} rows");
    }
}

/// Mistakes of one thread are nothing to another one.
#[test]
fn an_error_is_its_callers_alone() {
    let model = model();
    let (right, wrong) = (array(3, INPUTS), array(3, INPUTS + 1));
    let expected = bits(&model.infer(0, &[&right]).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (model, right, wrong, expected) = (&model, &right, &wrong, &expected);
            scope.spawn(move || {
                for _ in 0..200 {
                    match thread % 2 {
                        0 => assert_eq!(bits(&model.infer(0, &[right]).unwrap()), *expected),
                        _ => assert!(model.infer(0, &[wrong]).unwrap_err().to_string().contains("f32[N, 20]")),
                    }
                }
            });
        }
    });
}

/// Steps of batches by turns, each with memory for its results, after calls side by side.
#[test]
fn steps_are_those_of_a_model_that_nobody_else_calls() {
    let (mut alone, mut shared) = (model(), model());
    let batches: Vec<[Array; 2]> = (1..=7).map(|rows| [array(rows, INPUTS), array(rows, OUTPUTS)]).collect();
    let [mut one, mut other] = [(); 2].map(|()| Sgd::new(0.1).momentum(0.9));
    for step in 0..21 {
        let [x, y] = &batches[step % batches.len()];
        let expected = alone.step(1, &mut one, &[x, y]).unwrap().get().unwrap();
        let found = shared.step(1, &mut other, &[x, y]).unwrap().get().unwrap();
        assert_eq!(expected.to_bits(), found.to_bits(), "step {step}");
        let expected = bits(&alone.infer(0, &[x]).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| assert_eq!(bits(&shared.infer(0, &[x]).unwrap()), expected));
            }
        });
    }
}
