//! Sums of more than 10⁷ elements: near the exact ones, however long; the same bits on any number of threads, on every instruction set.
//!
//! PyTorch 2.15 on the same numbers, for comparison: 10⁻⁶ and better for sums and means (`sum` of 2 · 10⁷ times 0.1: 9.5e-7, over columns
//! 8.9e-7), 3.9e-2 for a product of a row of 4 · 10⁶ times 0.1 with ones, 1e-2 for the norm.

mod expression;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_kernels::isa::Isa;
use castnet_program::net::Init;
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::{Array, Device, Model, set_threads};

/// Few arrays of this size have room side by side, and the number of threads is the process's.
static ALONE: Mutex<()> = Mutex::new(());

/// More than 2²⁴ ones, where adding 1 to an f32 changes nothing.
const MANY: usize = (1 << 24) + 4096 + 64;

/// The same number everywhere, whose rounding never cancels; numbers spread over [0, 1).
fn data(n: usize) -> [Vec<f32>; 3] {
    let spread = |i: usize| ((i.wrapping_mul(2_654_435_761) >> 8) & 0xff_ffff) as f32 / 16_777_216.0;
    [vec![1.0; n], vec![0.1; n], (0..n).map(spread).collect()]
}

/// A function `x ↦ text` of an argument, with the gradient of a parameter `bias` of some shape if it stands in the text.
fn model(text: &str, shape: &[usize], bias: Option<&[usize]>) -> Model {
    let list = bias.map(|bias| Declared {
        shape: Some((bias.iter().map(|&s| s as i64).collect(), Init::Constant(0.0))),
        ..Declared::new("bias")
    });
    let mut parameters = Parameters { list: list.into_iter().collect(), ..Parameters::default() };
    let mut graph = |training: bool| {
        let mut b = Builder::new("f", &mut parameters, training);
        let sizes: Vec<Size> = shape.iter().map(|&s| Size::constant(s as i64)).collect();
        let mut inputs = HashMap::from([("x", b.argument("x", Type::new(DType::F32, sizes)))]);
        if bias.is_some() {
            inputs.insert("bias", b.parameter(0));
        }
        match expression::evaluate(&mut b, &inputs, text) {
            Some(Arg::Tensor(value)) => b.result(value),
            _ => panic!("{text}: {:?}", b.diagnostics),
        }
        b.graph
    };
    let (inference, training) = (graph(false), bias.is_some().then(|| graph(true)));
    let functions = vec![SourceFunction::new("f", inference, training)];
    let source = Source { name: "Long".into(), parameters, functions };
    let compiled = compile(source).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    Model::from_net(compiled.net, &Device::cpu(), 0).unwrap()
}

/// What a text gives, or the gradient of its bias, on every instruction set and with one thread and several, must be near `exact`.
fn check(text: &str, shape: &[usize], bias: Option<&[usize]>, x: Vec<f32>, exact: &[f64], tolerance: f64) {
    let x = Array::from_vec(shape, x).unwrap();
    for isa in Isa::available() {
        let mut bits: Option<Vec<u32>> = None;
        for threads in [1, 3] {
            set_threads(threads);
            let mut model = model(text, shape, bias);
            model.use_instruction_set(isa);
            let found = match bias {
                None => model.infer(0, &[&x]).unwrap().remove(0),
                Some(_) => model.grad(0, &[&x]).unwrap().1.parameter("bias").unwrap(),
            };
            let found = found.as_slice::<f32>().unwrap();
            assert_eq!(found.len(), exact.len());
            for (f, e) in found.iter().zip(exact) {
                let off = (f64::from(*f) - e).abs() / e.abs();
                assert!(off <= tolerance, "{text} of {shape:?}, {isa:?}: {f}, exactly {e}: off by {off:.1e}");
            }
            let now: Vec<u32> = found.iter().map(|f| f.to_bits()).collect();
            assert_eq!(*bits.get_or_insert_with(|| now.clone()), now, "{text}: {threads} threads");
        }
    }
}

/// Sums of what stands at places of the same remainder.
fn columns(x: &[f32], n: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n];
    x.iter().enumerate().for_each(|(i, &x)| sums[i % n] += f64::from(x));
    sums
}

#[test]
fn sums_along_rows_and_columns() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for x in data(MANY) {
        let all: f64 = columns(&x, 1)[0];
        check("x.sum()", &[MANY], None, x.clone(), &[all], 1e-6);
        check("x.mean()", &[MANY / 64, 64], None, x.clone(), &[all / MANY as f64], 1e-6);
        check("x.sum(0)", &[MANY / 8, 8], None, x.clone(), &columns(&x, 8), 1e-6);
        let halves: Vec<f64> = x.chunks(MANY / 2).map(|half| columns(half, 1)[0]).collect();
        check("x.sum(1)", &[2, MANY / 2], None, x.clone(), &halves, 1e-6);
    }
}

#[test]
fn statistics_of_channels() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let [_, _, x] = data(MANY);
    // Channels of images: short rows, many times.
    let shape = [MANY / 64, 2, 4, 8];
    let mut sums = [0.0; 2];
    x.iter().enumerate().for_each(|(i, &x)| sums[i / 32 % 2] += f64::from(x));
    let means = sums.map(|sum| sum / (MANY / 2) as f64);
    check("x.mean([0, 2, 3])", &shape, None, x.clone(), &means, 1e-6);
    let mut squares = [0.0; 2];
    x.iter().enumerate().for_each(|(i, &x)| squares[i / 32 % 2] += (f64::from(x) - means[i / 32 % 2]).powi(2));
    let variances = squares.map(|sum| sum / (MANY / 2) as f64);
    check("x.var([0, 2, 3], correction = 0)", &shape, None, x.clone(), &variances, 1e-6);
    // What a batch norm makes of it has the variance 1, up to its eps.
    let exact: Vec<f64> = variances.iter().map(|v| v / (v + 1e-5)).collect();
    check("x.batch_norm(training = true).square().mean([0, 2, 3])", &shape, None, x, &exact, 2e-6);
}

#[test]
fn losses_and_gradients_of_what_is_shared() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for x in data(MANY) {
        let square: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
        check("x.mse_loss(x - x)", &[MANY], None, x.clone(), &[square / MANY as f64], 1e-6);
        // The gradient of a bias is the sum over all rows, that of a factor the sum of products.
        check("(x * (x + bias)).sum()", &[MANY / 8, 8], Some(&[8]), x.clone(), &columns(&x, 8), 1e-6);
        check("(x * bias).sum()", &[MANY], Some(&[1]), x.clone(), &columns(&x, 1), 1e-6);
    }
}

#[test]
fn products_over_many_steps() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Pieces of 1024 steps are added one after the other: their number, not that of the steps, makes the error.
    for (x, tolerance) in data(MANY / 2).into_iter().zip([0.0, 2e-3, 1e-5]) {
        let exact = columns(&x, 2);
        check(
            "x.t().matmul(x * 0.0 + 1.0)",
            &[MANY / 4, 2],
            None,
            x.clone(),
            &[exact[0], exact[0], exact[1], exact[1]],
            tolerance,
        );
        check("x.linear(bias).sum()", &[MANY / 4, 2], Some(&[1, 2]), x, &exact, tolerance.max(1e-6));
    }
}
