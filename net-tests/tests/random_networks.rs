//! Ten of the random nets, written in the language: `network!` gives what the compiler gives from their graphs, which
//! `runtime/tests/random_nets.rs` holds against f64. In release this compares generated kernels with the table's interpreter.

#[path = "../../runtime/tests/nets/mod.rs"]
mod nets;
#[path = "random_networks/written.rs"]
mod written;

use castnet::{Array, Device, Model};
use castnet_graph::compile::compile;
use nets::{Numbers, random_net, random_net_text};

/// The first ten that have at least two layers with weights, all of which the loss reaches.
const NETS: [u64; 10] = [7, 10, 14, 15, 17, 19, 27, 31, 32, 52];

#[test]
fn the_written_nets_are_the_random_ones() {
    let mut text = String::from(
        "//! Written by `UPDATE_NETS=1 cargo test -p castnet-net-tests --test random_networks`.\n#![allow(missing_docs)]\n\nuse castnet::prelude::*;\n",
    );
    for number in NETS {
        text += &format!("\n{}", random_net_text(number));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/random_networks/written.rs");
    if std::env::var_os("UPDATE_NETS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == text, "run with UPDATE_NETS=1 and look at the difference");
}

/// Loss and gradients of both, for several N, from the same parameters.
fn compare(number: u64, mut ours: impl AsMut<Model>) {
    let source = random_net(number);
    let arguments = source.functions[0].inference.arguments.clone();
    let compiled = compile(source).unwrap_or_else(|mistakes| panic!("net {number}: {mistakes:?}"));
    let mut reference = Model::from_net(compiled.net, &Device::cpu(), 3).unwrap();
    let ours = ours.as_mut();
    let names: Vec<String> = ours.parameters().map(|(name, _)| name.to_string()).collect();
    assert!(!names.is_empty());
    for name in &names {
        reference.set_parameter(name, &ours.parameter(name).unwrap()).unwrap();
    }
    for n in [1usize, 2, 7, 64, 129] {
        let mut numbers = Numbers(number * 77 + n as u64);
        let arrays: Vec<Array> = arguments
            .iter()
            .map(|a| {
                let shape: Vec<usize> = a.ty.shape.iter().map(|s| s.eval(&|_| n as i64) as usize).collect();
                let len = shape.iter().product();
                match a.ty.dtype.is_float() {
                    true => Array::from_vec(&shape, (0..len).map(|_| numbers.unit() as f32).collect()).unwrap(),
                    false => Array::from_vec(&shape, (0..len).map(|_| numbers.below(3) as u8).collect()).unwrap(),
                }
            })
            .collect();
        let arrays: Vec<&Array> = arrays.iter().collect();
        let (a, da) = ours.grad(0, &arrays).unwrap();
        let (b, db) = reference.grad(0, &arrays).unwrap();
        assert_eq!(
            a[0].item::<f32>().unwrap().to_bits(),
            b[0].item::<f32>().unwrap().to_bits(),
            "net {number}, N = {n}"
        );
        for name in &names {
            let (x, y) = (da.parameter(name).unwrap(), db.parameter(name).unwrap());
            let bits = |a: &Array| a.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&x), bits(&y), "net {number}, N = {n}: the gradient of {name}");
        }
    }
}

macro_rules! compare_all {
    ($($number:literal $net:ident),*) => {
        #[test]
        fn written_nets_compute_the_same_bits() {
            $(compare($number, written::$net::new(&Device::cpu(), 3).unwrap());)*
        }
    };
}

compare_all! { 7 Net7, 10 Net10, 14 Net14, 15 Net15, 17 Net17, 19 Net19, 27 Net27, 31 Net31, 32 Net32, 52 Net52 }
