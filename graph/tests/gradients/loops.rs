//! Loops, scans, and loops in loops.

use super::*;

/// Three rounds with a Linear layer of their own each, dropout, two states, shared values, a tied weight.
#[test]
fn loops_have_the_gradient_of_central_differences() {
    // Parameters 0 to 5: weight and bias of three rounds; then what is outside.
    let sets = [vec![4, 4], vec![4], vec![4, 4], vec![4], vec![4, 4], vec![4]];
    let shapes = [&sets[..], &[vec![3, 4], vec![3, 4], vec![4, 4]]].concat();
    check("repeat", 3, &shapes, (-1.0, 1.0), &|b, x| {
        let (x, scale, tied) = (x[6], x[7], x[8]);
        let first = op(b, "matmul", vec![t(x), t(tied)]);
        let number = b.graph.node(tied).op.parameter().unwrap();
        let last = b.repeat(
            &[first, x],
            &[scale],
            Rounds { count: 3, parameters: 0..2, states: 0..0 },
            |b, states, shared| {
                let (weight, bias, tied) = (b.parameter(0), b.parameter(1), b.parameter(number));
                let y = op(b, "linear", vec![t(states[0]), t(weight), t(bias)]);
                let y = op(b, "tanh", vec![t(y)]);
                let y = op(b, "dropout", vec![t(y), Arg::Float(0.25)]);
                let y = op(b, "mul", vec![t(y), t(shared[0])]);
                let z = op(b, "matmul", vec![t(states[1]), t(tied)]);
                let z = op(b, "add", vec![t(z), t(y)]);
                Ok(vec![z, y])
            },
        );
        let last = last.unwrap();
        let product = op(b, "mul", vec![t(last[0]), t(last[1])]);
        op(b, "add", vec![t(product), t(scale)])
    });
}

/// Over the middle axis, both ways, two states, an output of another kind, weights used in the body and outside.
#[test]
fn scans_have_the_gradient_of_central_differences() {
    for (axis, reverse) in [(0, false), (1, false), (1, true), (2, true)] {
        let shapes = [vec![3, 4, 2], vec![3, 4, 2], vec![4, 4], vec![3, 4]];
        check(&format!("scan over {axis}, {reverse}"), 5, &shapes, (-1.0, 1.0), &|b, x| {
            let rows = b.shape(x[0]);
            let row: Vec<_> = (0..3).filter(|a| *a != axis).map(|a| rows[a].clone()).collect();
            let zero = b.constant(0.0, DType::F32);
            let state = b.broadcast_to(zero, &row);
            let tied = b.graph.node(x[2]).op.parameter().unwrap();
            let scale = op(b, "sin", vec![t(x[3])]);
            let (last, outputs) = b
                .scan(&[x[0], x[1]], &[state, scale], &[scale], axis, reverse, |b, states, rows, shared| {
                    let weight = b.parameter(tied);
                    let mixed = op(b, "mul", vec![t(rows[0]), t(states[0])]);
                    let next = op(b, "sin", vec![t(mixed)]);
                    let next = op(b, "add", vec![t(next), t(rows[1])]);
                    let product = op(b, "matmul", vec![t(states[1]), t(weight)]);
                    let bent = op(b, "tanh", vec![t(product)]);
                    let sum = op(b, "sum", vec![t(next)]);
                    let other = op(b, "mul", vec![t(bent), t(sum)]);
                    let other = op(b, "add", vec![t(other), t(shared[0])]);
                    let output = op(b, "mul", vec![t(other), t(sum)]);
                    Ok((vec![next, other], vec![output, next]))
                })
                .unwrap_or_else(|_| panic!("{:?}", b.diagnostics));
            let parts: Vec<Value> = [&last[..], &outputs].concat().iter().map(|v| op(b, "mean", vec![t(*v)])).collect();
            let sum = parts.into_iter().reduce(|a, c| op(b, "add", vec![t(a), t(c)])).unwrap();
            let tail = op(b, "mean", vec![t(x[2])]);
            op(b, "mul", vec![t(sum), t(tail)])
        });
    }
}

/// Arrays of blocks in a block of an array, with parameters of both; a scan in a block; a loop in a scan.
#[test]
fn loops_in_loops_have_the_gradient_of_central_differences() {
    // Two outer rounds of (a weight, then three inner rounds of a weight and a bias each); then what is outside.
    let inner = || [vec![3, 3], vec![3]];
    let round = || [vec![vec![3, 3]], inner().into(), inner().into(), inner().into()].concat();
    let shapes = [round(), round(), vec![vec![2, 3], vec![2, 3]]].concat();
    check("repeat in repeat", 9, &shapes, (-1.0, 1.0), &|b, x| {
        let (x, scale) = (x[14], x[15]);
        assert!(b.can_repeat(&rounds(2, 0..7)));
        let last = b.repeat(&[x], &[scale], rounds(2, 0..7), |b, states, shared| {
            let weight = b.parameter(0);
            let y = op(b, "matmul", vec![t(states[0]), t(weight)]);
            assert!(
                b.can_repeat(&rounds(3, 1..3)) && !b.can_repeat(&rounds(4, 1..3)) && !b.can_repeat(&rounds(1, 14..15))
            );
            let last = b.repeat(&[y], &[shared[0], weight], rounds(3, 1..3), |b, states, shared| {
                let (weight, bias) = (b.parameter(1), b.parameter(2));
                let y = op(b, "linear", vec![t(states[0]), t(weight), t(bias)]);
                let y = op(b, "tanh", vec![t(y)]);
                let z = op(b, "matmul", vec![t(y), t(shared[1])]);
                let z = op(b, "dropout", vec![t(z), Arg::Float(0.3)]);
                Ok(vec![op(b, "add", vec![t(z), t(shared[0])])])
            })?;
            Ok(vec![op(b, "sin", vec![t(last[0])])])
        });
        last.unwrap()[0]
    });
    let shapes = [vec![2, 2], vec![2, 2], vec![4, 3, 2]];
    check("scan in repeat", 11, &shapes, (-1.0, 1.0), &|b, x| {
        let last = b.repeat(&[x[2]], &[], rounds(2, 0..1), |b, states, _| {
            let zero = b.constant(0.0, DType::F32);
            let zero = b.broadcast_to(zero, &[3.into(), 2.into()]);
            let weight = b.parameter(0);
            let (last, outputs) = b.scan(states, &[zero], &[weight], 0, false, |b, states, rows, shared| {
                assert!(!b.can_repeat(&rounds(2, 0..1)));
                let y = op(b, "matmul", vec![t(rows[0]), t(shared[0])]);
                let y = op(b, "add", vec![t(y), t(states[0])]);
                let y = op(b, "tanh", vec![t(y)]);
                Ok((vec![y], vec![y]))
            })?;
            let sum = op(b, "add", vec![t(outputs[0]), t(last[0])]);
            Ok(vec![sum])
        });
        last.unwrap()[0]
    });
    check("loop in scan", 13, &[vec![4, 2, 3], vec![3, 3]], (-1.0, 1.0), &|b, x| {
        let zero = b.constant(0.5, DType::F32);
        let zero = b.broadcast_to(zero, &[2.into(), 3.into()]);
        let (_, outputs) = b
            .scan(&[x[0]], &[zero], &[x[1]], 0, true, |b, states, rows, shared| {
                let last = b.repeat(states, &[shared[0], rows[0]], rounds(2, 0..0), |b, states, shared| {
                    let y = op(b, "matmul", vec![t(states[0]), t(shared[0])]);
                    let y = op(b, "sin", vec![t(y)]);
                    Ok(vec![op(b, "add", vec![t(y), t(shared[1])])])
                })?;
                let output = op(b, "mul", vec![t(last[0]), t(rows[0])]);
                Ok((last, vec![output]))
            })
            .unwrap_or_else(|_| panic!("{:?}", b.diagnostics));
        outputs[0]
    });
}

/// Attention in the rounds of a loop, to a memory that they share, and over the rows of a scan, with a mask.
#[test]
fn attention_in_loops_has_the_gradient_of_central_differences() {
    let name = "scaled_dot_product_attention";
    let shapes = [vec![4, 4], vec![4, 4], vec![2, 3, 4], vec![2, 5, 4], vec![3, 5]];
    let repeat = |b: &mut Builder, x: &[Value]| {
        let last = b.repeat(&[x[2]], &[x[3], x[4]], rounds(2, 0..1), |b, states, shared| {
            let weight = b.parameter(0);
            let query = op(b, "matmul", vec![t(states[0]), t(weight)]);
            let own = op_with(b, name, vec![t(query), t(states[0]), t(query)], &[("is_causal", Arg::Bool(true))]);
            let y = op(b, name, vec![t(own), t(shared[0]), t(shared[0]), t(shared[1])]);
            Ok(vec![op(b, "add", vec![t(y), t(states[0])])])
        });
        last.unwrap()[0]
    };
    check("attention in repeat", 15, &shapes, (-1.0, 1.0), &repeat);
    let shapes = [vec![3, 4, 2], vec![4, 2], vec![2, 2]];
    let scan = |b: &mut Builder, x: &[Value]| {
        let (last, outputs) = b
            .scan(&[x[0]], &[x[1]], &[x[2]], 0, true, |b, states, rows, shared| {
                let query = op(b, "matmul", vec![t(rows[0]), t(shared[0])]);
                let seen = op(b, "lt", vec![t(rows[0]), Arg::Float(0.4)]);
                let seen = op(b, "narrow", vec![t(seen), int(1), int(0), int(1)]);
                let y = op(b, name, vec![t(query), t(states[0]), t(rows[0]), t(seen)]);
                let bent = op(b, "tanh", vec![t(y)]);
                let next = op(b, "add", vec![t(bent), t(states[0])]);
                Ok((vec![next], vec![y]))
            })
            .unwrap_or_else(|_| panic!("{:?}", b.diagnostics));
        let outputs = op(b, "sum", vec![t(outputs[0]), int(0)]);
        op(b, "add", vec![t(last[0]), t(outputs)])
    };
    check("attention in scan", 17, &shapes, (-1.0, 1.0), &scan);
    assert!(check_second_order("attention in scan", 18, &shapes, (-1.0, 1.0), &scan));
}
