//! Printed functions and the interpreter give the same bits, on every instruction set, also in place.

mod common;

use castnet_kernels::isa::Isa;
use castnet_kernels::{BlockKernel, StepScalars, block_kernel};
use castnet_program::program::{Family, Index, Launch, Level, Source, Stage, Target};
use castnet_program::scalar::{Binary, Code, Instr, Literal, Reduction, Unary};
use castnet_program::types::DType;
use common::{Data, Random, access, floats, run, size};

use {Binary::*, Instr::Binary as B, Instr::Const as C, Instr::Select as S, Instr::Unary as U, Unary::*};

block_kernel! {
    /// A sum and a product of every function of one argument.
    functions(x: f32, y: f32) -> (t31: f32, t16: f32) far {
        let t0 = exp(x);
        let t1 = log(x);
        let t2 = sqrt(x);
        let t3 = rsqrt(x);
        let t4 = abs(x);
        let t5 = sign(x);
        let t6 = tanh(x);
        let t7 = sigmoid(x);
        let t8 = erf(x);
        let t9 = sin(x, &mut far);
        let t10 = cos(x, &mut far);
        let t11 = floor(x);
        let t12 = trunc(x);
        let t13 = round(y);
        let t14 = -y;
        let t15 = pow(x, y);
        let t16 = rem(x, y);
        let t17 = t0 + t1;
        let t18 = t17 + t2;
        let t19 = t18 * t3;
        let t20 = t19 - t4;
        let t21 = t20 + t5;
        let t22 = t21 * t6;
        let t23 = t22 + t7;
        let t24 = t23 / t8;
        let t25 = t24 + t9;
        let t26 = t25 * t10;
        let t27 = t26 + t11;
        let t28 = t27 - t12;
        let t29 = t28 * t13;
        let t30 = t29 + t14;
        let t31 = t30 + t15;
    }
}

fn functions_code() -> Code {
    let one = |f| U(f, 0);
    let mut instrs: Vec<Instr> =
        [Exp, Log, Sqrt, Rsqrt, Abs, Sign, Tanh, Sigmoid, Erf, Sin, Cos, Floor, Trunc].map(one).to_vec();
    instrs.extend([U(Round, 1), U(Neg, 1), B(Pow, 0, 1), B(Rem, 0, 1)]);
    let fold = [Add, Add, Mul, Sub, Add, Mul, Add, Div, Add, Mul, Add, Sub, Mul, Add, Add];
    let mut sum = 2;
    for (i, f) in fold.into_iter().enumerate() {
        instrs.push(B(f, sum, 3 + i as u32));
        sum = 1 + instrs.len() as u32;
    }
    floats(2, instrs, vec![33, 18])
}

block_kernel! {
    /// Comparisons and selections.
    truths(x: f32, y: f32) -> (t12: f32) {
        let t0 = lt(x, y);
        let t1 = le(x, y);
        let t2 = gt(x, y);
        let t3 = ge(x, y);
        let t4 = eq(x, y);
        let t5 = ne(x, y);
        let t6 = and(t0, t1);
        let t7 = or(t2, t3);
        let t8 = or(t6, t5);
        let t9 = to_f32(xor(t7, t4));
        let t10 = select(t8, x, t9);
        let t11 = 0.75;
        let t12 = t10 * t11;
    }
}

fn truths_code() -> Code {
    let mut instrs: Vec<Instr> = [Lt, Le, Gt, Ge, Eq, Ne].map(|f| B(f, 0, 1)).to_vec();
    instrs.extend([B(And, 2, 3), B(Or, 4, 5), B(Or, 8, 7), B(Xor, 9, 6), Instr::To(DType::F32, 11)]);
    instrs.extend([S(10, 0, 12), C(Literal::F32(0.75)), B(Mul, 13, 14)]);
    floats(2, instrs, vec![15])
}

block_kernel! {
    /// No contraction: the product is rounded.
    product_and_sum(x: f32, y: f32) -> (t1: f32) {
        let t0 = x * y;
        let t1 = t0 + x;
    }
}

fn product_and_sum_code() -> Code {
    floats(2, vec![B(Mul, 0, 1), B(Add, 2, 0)], vec![3])
}

block_kernel! {
    /// Two results that lie over the two inputs, crosswise.
    exchanged(x: f32, y: f32) -> (t1: f32, t0: f32, t2: f32) {
        let t0 = x - y;
        let t1 = y;
        let t2 = x;
    }
}

fn exchanged_code() -> Code {
    floats(2, vec![B(Sub, 0, 1)], vec![1, 2, 0])
}

/// A launch over `n` floats: loads from the first buffers, stores to `stores`.
fn flat(n: usize, code: Code, stores: &[usize]) -> Launch {
    let plain = |buffer| access(buffer, &[n], vec![Index::of(0)]);
    let inputs = (0..code.inputs.len()).map(Source::Load).collect();
    let outputs = (0..stores.len()).map(Target::Store).collect();
    Launch {
        name: "flat".into(),
        loc: 0,
        space: vec![size(n)],
        reduce: vec![],
        family: Family::Flat,
        loads: (0..code.inputs.len()).map(plain).collect(),
        stores: stores.iter().map(|&b| plain(b)).collect(),
        stages: vec![Stage { level: Level::Element, inputs, code, outputs }],
        updates: None,
    }
}

fn same_bits(kernel: &BlockKernel, code: Code, stores: &[usize]) {
    let scalars = StepScalars::default();
    for n in [1, 63, 64, 65, 255, 1000, 5003] {
        let mut random = Random(n as u64);
        let data: Vec<Data> = (0..5).map(|_| Data::random(DType::F32, n, &mut random)).collect();
        let launch = flat(n, code.clone(), stores);
        for isa in Isa::available() {
            let (mut interpreted, mut emitted) = (data.clone(), data.clone());
            run(&launch, &mut interpreted, isa, &[None], &scalars, None);
            run(&launch, &mut emitted, isa, &[Some(*kernel)], &scalars, None);
            for (a, b) in interpreted.iter().zip(&emitted) {
                // The sign of a NaN is nobody's promise.
                let word = |v: &f64| if v.is_nan() { None } else { Some((*v as f32).to_bits()) };
                let bits = |d: &Data| d.values.iter().map(word).collect::<Vec<_>>();
                assert_eq!(bits(a), bits(b), "{n} elements, {isa:?}");
            }
        }
    }
}

#[test]
fn the_same_bits() {
    same_bits(&functions, functions_code(), &[2, 3]);
    same_bits(&truths, truths_code(), &[2]);
    same_bits(&product_and_sum, product_and_sum_code(), &[2]);
    same_bits(&exchanged, exchanged_code(), &[2, 3, 4]);
}

#[test]
fn the_same_bits_in_place() {
    same_bits(&functions, functions_code(), &[0, 1]);
    same_bits(&functions, functions_code(), &[1, 0]);
    same_bits(&truths, truths_code(), &[1]);
    same_bits(&product_and_sum, product_and_sum_code(), &[0]);
    same_bits(&exchanged, exchanged_code(), &[0, 2, 1]);
}

#[test]
fn the_same_bits_of_split_reductions() {
    for (family, dims) in [(Family::Row, [2, 300_000]), (Family::Column, [300_000, 2])] {
        let index = match family {
            Family::Row => vec![Index::of(0), Index::of(1)],
            _ => vec![Index::of(1), Index::of(0)],
        };
        let mut launch = flat(2, product_and_sum_code(), &[2]);
        (launch.family, launch.reduce) = (family, vec![size(300_000)]);
        launch.loads.iter_mut().enumerate().for_each(|(i, load)| *load = access(i, &dims, index.clone()));
        launch.stages[0].outputs = vec![Target::Reduce(Reduction::Sum, 0)];
        launch.stages.push(Stage {
            level: Level::Row,
            inputs: vec![Source::Row(0); 2],
            code: product_and_sum_code(),
            outputs: vec![Target::Store(0)],
        });
        let mut random = Random(5);
        let data = [600_000, 600_000, 2].map(|n| Data::random(DType::F32, n, &mut random));
        for isa in Isa::available() {
            let (mut interpreted, mut emitted) = (data.clone(), data.clone());
            let kernel = run(&launch, &mut interpreted, isa, &[], &StepScalars::default(), None);
            run(&launch, &mut emitted, isa, &[Some(product_and_sum); 2], &StepScalars::default(), None);
            assert!(kernel.parts() == 2 && kernel.chunks(0) >= 8);
            assert!(interpreted[2] == emitted[2] && interpreted[2] != data[2], "{isa:?}");
        }
    }
}

/// A product and a sum are two roundings on every instruction set.
#[test]
fn no_contraction() {
    let (n, scalars) = (777, StepScalars::default());
    let mut random = Random(3);
    let data: Vec<Data> = (0..3).map(|_| Data::random(DType::F32, n, &mut random)).collect();
    for isa in Isa::available() {
        let mut got = data.clone();
        run(&flat(n, product_and_sum_code(), &[2]), &mut got, isa, &[Some(product_and_sum)], &scalars, None);
        for i in 0..n {
            let (x, y) = (data[0].values[i] as f32, data[1].values[i] as f32);
            assert_eq!(got[2].values[i], f64::from(x * y + x));
        }
    }
}

/// Kernels are shared by all threads of a pool.
#[test]
fn kernels_are_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<castnet_kernels::Kernel>();
    shared::<BlockKernel>();
    shared::<castnet_kernels::Run<'_>>();
}
