//! Chunks follow what a launch costs, not how many elements it has.

mod common;

use castnet_kernels::Kernel;
use castnet_kernels::isa::Isa;
use castnet_program::program::{Family, Index, Launch, Level, Source, Stage, Target};
use castnet_program::scalar::{Binary, Instr, Reduction, Unary};
use castnet_program::types::DType;
use common::{access, floats, size};

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
            code: floats(2, instrs, outputs),
            outputs: vec![Target::Store(0)],
        }],
        updates: None,
    };
    Kernel::new(&launch, &[DType::F32; 3], Isa::detect(), &[], &|_| 0).chunks(0)
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

/// Chunks of each part of `points` sums over `reduced` values, which lie innermost for rows and outermost for columns.
fn sums(family: Family, points: usize, reduced: usize) -> Vec<usize> {
    let load = match family {
        Family::Row => access(0, &[points, reduced], vec![Index::of(0), Index::of(1)]),
        _ => access(0, &[reduced, points], vec![Index::of(1), Index::of(0)]),
    };
    let stage =
        |level, from, to| Stage { level, inputs: vec![from], code: floats(1, vec![], vec![0]), outputs: vec![to] };
    let launch = Launch {
        name: "sums".into(),
        loc: 0,
        space: vec![size(points)],
        reduce: vec![size(reduced)],
        family,
        loads: vec![load],
        stores: vec![access(1, &[points], vec![Index::of(0)])],
        stages: vec![
            stage(Level::Element, Source::Load(0), Target::Reduce(Reduction::Sum, 0)),
            stage(Level::Row, Source::Row(0), Target::Store(0)),
        ],
        updates: None,
    };
    let kernel = Kernel::new(&launch, &[DType::F32; 2], Isa::detect(), &[], &|_| 0);
    (0..kernel.parts()).map(|part| kernel.chunks(part)).collect()
}

#[test]
fn long_reductions_are_split() {
    use Family::{Column, Row};
    // The gradient of a bias over a million rows, the sum of a whole tensor, statistics of a few channels.
    for (family, points) in [(Column, 64), (Column, 1), (Row, 1), (Row, 8)] {
        let chunks = sums(family, points, 1_000_000);
        assert!(chunks.len() == 2 && chunks[0] >= 12 && chunks[1] <= points, "{points}: {chunks:?}");
    }
    // Once there are enough of them, they grow.
    assert_eq!(sums(Column, 64, 1_000_000), sums(Column, 64, 10_000_000));
    // What is short is not split, nor what threads can share as it is.
    for (family, points, reduced) in [(Row, 1, 30_000), (Column, 64, 1000), (Row, 1000, 30_000), (Column, 65_536, 1000)]
    {
        assert_eq!(sums(family, points, reduced).len(), 1, "{points} sums of {reduced}");
    }
}
