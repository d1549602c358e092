//! Chunks follow what a launch costs, not how many elements it has.

mod common;

use castnet_graph::program::{Family, Index, Launch, Level, Source, Stage, Target};
use castnet_graph::scalar::{Binary, Code, Instr, Unary};
use castnet_graph::types::DType;
use castnet_kernels::Kernel;
use castnet_kernels::isa::Isa;
use common::{access, size};

/// Chunks of `elements` elements of code with two inputs and an output.
fn chunks(elements: usize, instrs: Vec<Instr>) -> usize {
    let outputs = vec![1 + instrs.len() as u32];
    let launch = Launch {
        name: "chunks".into(),
        loc: 0,
        space: vec![size(elements)],
        reduce: vec![],
        family: Family::Flat,
        loads: (0..2).map(|buffer| access(buffer, &[elements], vec![Index::of(0)])).collect(),
        stores: vec![access(2, &[elements], vec![Index::of(0)])],
        stages: vec![Stage {
            level: Level::Element,
            inputs: vec![Source::Load(0), Source::Load(1)],
            code: Code { inputs: 2, instrs, outputs },
            outputs: vec![Target::Store(0)],
        }],
        updates: None,
    };
    Kernel::new(&launch, &[DType::F32; 3], Isa::detect(), &[], &|_| 0).chunks()
}

#[test]
fn the_gates_of_a_small_recurrent_net_are_several_chunks() {
    // Three sigmoids and two tanh of 64 x 128 values.
    let gates = [Unary::Sigmoid, Unary::Sigmoid, Unary::Sigmoid, Unary::Tanh, Unary::Tanh];
    let gates: Vec<Instr> = gates.into_iter().enumerate().map(|(i, f)| Instr::Unary(f, i as u32)).collect();
    assert!(chunks(64 * 128, gates.clone()) >= 4);
    // Half of the elements, half of the chunks.
    assert!(chunks(64 * 128, gates.clone()) <= 8 && chunks(64 * 64, gates) >= 2);
}

#[test]
fn a_sum_of_a_few_thousand_values_is_one() {
    assert_eq!(chunks(8192, vec![Instr::Binary(Binary::Add, 0, 1)]), 1);
    assert!(chunks(1 << 20, vec![Instr::Binary(Binary::Add, 0, 1)]) >= 32);
}
