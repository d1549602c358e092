//! Sums along an axis as gathers by a table, against one loop over all elements in f64: all small sizes, and some larger ones.

use castnet_graph::decompose::{NOTHING, decompose};
use castnet_graph::graph::{Graph, Op, Origin, Output, Role, Taps};
use castnet_graph::optimise::optimise;
use castnet_graph::reference::{Inputs, Tensor, evaluate};
use castnet_graph::size::Size;
use castnet_graph::types::{DType, Type};
use castnet_graph::verify::verify;

fn ty(size: usize) -> Type {
    Type::new(DType::F32, vec![Size::constant(2), Size::constant(size as i64), Size::constant(3)])
}

/// `x[2, n, 3]` in another size along its second axis.
fn graph(taps: Taps, n: usize, m: usize) -> Graph {
    let mut graph = Graph::new("Net.f");
    let x = graph.push(Op::Parameter(0), vec![], ty(n), Origin::default());
    let value = graph.push(Op::Resample { axis: 1, taps }, vec![x], ty(m), Origin::default());
    graph.outputs.push(Output { role: Role::Result(0), value });
    graph
}

fn differs(taps: Taps, n: usize, m: usize, rounded: bool) -> f64 {
    let graph = graph(taps, n, m);
    let optimised = optimise(&decompose(&graph, &NOTHING).unwrap());
    verify(&optimised).unwrap();
    assert!(!optimised.nodes.iter().any(|node| matches!(node.op, Op::Resample { .. } | Op::MatMul { .. })));
    let x = Tensor::from_fn(&[2, n, 3], |i| ((i[0] * 7 + i[1] * 5 + i[2] * 3) % 11) as f64 - 4.0);
    let inputs = |rounded| Inputs {
        arguments: &[],
        parameters: std::slice::from_ref(&x),
        states: &[],
        rounded,
        sizes: &|_| 1,
        random: &|_, _| 0.0,
    };
    let (right, found) = (evaluate(&graph, &inputs(false)), evaluate(&optimised, &inputs(rounded)));
    right[0].floats().iter().zip(&found[0].floats()).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f64::max)
}

#[test]
fn every_element_counts_where_it_belongs_and_nowhere_else() {
    let small = (1..=17).flat_map(|n| (1..=17).map(move |m| (n, m)));
    let large = [(64, 7), (7, 64), (100, 33), (33, 100), (255, 256), (256, 255), (3, 224), (224, 3), (1000, 999)];
    for (n, m) in small.chain(large) {
        let lines = [false, true].map(|corners| [Taps::Line { corners }, Taps::LineGrad { corners }]);
        for taps in lines.into_iter().flatten().chain([Taps::Bins]) {
            // A place among so many is rounded to 2⁻²⁴ of them.
            for (rounded, limit) in [(false, 1e-9), (true, 1e-6 * (n + m) as f64)] {
                let worst = differs(taps, n, m, rounded);
                assert!(worst < limit, "{taps:?} of {n} to {m}, rounded {rounded}: {worst}");
            }
        }
    }
}

#[test]
fn bins_are_counted_in_whole_numbers_of_f32() {
    assert!(Taps::are_exact(4095, 4096) && Taps::are_exact(1 << 23, 1 << 10));
    assert!(!Taps::are_exact(4097, 4096) && !Taps::are_exact(1 << 25, 2));
    // Long bins, whose ends are rounded where they are not multiples.
    for (n, m) in [(90001, 7), (7, 90001), (4095, 4093)] {
        assert!(differs(Taps::Bins, n, m, true) < 1e-3, "{n} to {m}");
    }
}
