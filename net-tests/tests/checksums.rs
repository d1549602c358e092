//! Exclusive or of all: in loops, fused with what is around it, over few elements and in pieces, of run-time sizes; no gradient flows
//! through it, but beside it.

#![forbid(unsafe_code)]

use castnet::prelude::*;
use castnet::{Element, check, set_threads};

network! {
    pub net Checksums {
        const D: usize = 20;
        param weight: f32[D] = ones;

        /// A chain: each round goes on with the last one's columns, and gives their checksum.
        pub fn chained(x: i64[T, N, D]) -> (i64[T], i64[D]) {
            let (last, sums) = scan(x, zeros([D], dtype = i64), |last, x| {
                let next = x.reduce_xor(0).bitwise_xor(last * 31);
                (next, next.reduce_xor())
            });
            (sums, last)
        }

        /// Over much: rows, columns, everything, and how many are odd.
        pub fn long(x: u8[2, N], y: i32[N, D]) -> (u8[2], i32[D], i32, bool) {
            ((x + 1).reduce_xor(1), y.reduce_xor(0), y.reduce_xor(), (y > 0).reduce_xor())
        }

        /// Of each row whether an odd number of elements is positive; the others count.
        pub train fn masked(x: f32[N, D]) -> f32 {
            let odd = (x > 0.0).reduce_xor(1, keepdim = true);
            where_(odd, 0.0, x * weight).sum()
        }
    }
}

fn numbers(n: usize) -> impl Iterator<Item = u64> {
    (0..n as u64).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).map(|x| x ^ x >> 29)
}

fn array<T: Element>(shape: &[usize], of: impl Fn(u64) -> T) -> castnet::Result<Array> {
    Array::from_vec(shape, numbers(shape.iter().product()).map(of).collect())
}

#[test]
fn in_loops() -> castnet::Result<()> {
    let net = Checksums::new(&Device::cpu(), 1)?;
    for (t, n) in [(1, 1), (4, 7), (3, 1000)] {
        let x = array(&[t, n, 20], |x| x as i64)?;
        let (sums, last) = net.chained(&x)?;
        let (mut columns, mut expected) = ([0i64; 20], vec![]);
        for round in x.as_slice::<i64>()?.chunks(n * 20) {
            let begun = columns.map(|c| c.wrapping_mul(31));
            columns = round.chunks(20).fold(begun, |all, row| std::array::from_fn(|j| all[j] ^ row[j]));
            expected.push(columns.iter().fold(0, |all, x| all ^ x));
        }
        assert_eq!(sums.as_slice::<i64>()?, expected, "{t} rounds of {n}");
        assert_eq!(last.as_slice::<i64>()?, columns, "{t} rounds of {n}");
    }
    Ok(())
}

#[test]
fn over_much() -> castnet::Result<()> {
    let net = Checksums::new(&Device::cpu(), 1)?;
    for n in [1, 17, 5000, 300_001] {
        let (x, y) = (array(&[2, n], |x| x as u8)?, array(&[n, 20], |x| x as i32)?);
        let (xs, ys) = (x.as_slice::<u8>()?, y.as_slice::<i32>()?);
        let rows: Vec<u8> = xs.chunks(n).map(|row| row.iter().fold(0, |all, x| all ^ x.wrapping_add(1))).collect();
        let columns: [i32; 20] = std::array::from_fn(|j| ys.iter().skip(j).step_by(20).fold(0, |all, y| all ^ y));
        let odd = ys.iter().filter(|y| **y > 0).count() % 2 == 1;
        for threads in [1, 3] {
            set_threads(threads);
            let found = net.long(&x, &y)?;
            assert_eq!(found.0.as_slice::<u8>()?, rows, "{n}, {threads} threads");
            assert_eq!(found.1.as_slice::<i32>()?, columns, "{n}, {threads} threads");
            assert_eq!(
                found.2.as_slice::<i32>()?,
                [columns.iter().fold(0, |all, y| all ^ y)],
                "{n}, {threads} threads"
            );
            assert_eq!(found.3.as_slice::<bool>()?, [odd], "{n}, {threads} threads");
        }
    }
    Ok(())
}

#[test]
fn gradients_flow_beside_it() -> castnet::Result<()> {
    let mut net = Checksums::new(&Device::cpu(), 1)?;
    let x = array(&[9, 20], |x| (x % 16) as f32 - 8.0)?;
    let (_, gradients) = net.masked_grad(&x)?;
    let even = |row: &&[f32]| row.iter().filter(|x| **x > 0.0).count() % 2 == 0;
    let rows: Vec<&[f32]> = x.as_slice::<f32>()?.chunks(20).filter(even).collect();
    assert!((1..9).contains(&rows.len()));
    let expected: Vec<f32> = (0..20).map(|j| rows.iter().map(|row| row[j]).sum()).collect();
    assert_eq!(gradients.parameter("weight")?.as_slice::<f32>()?, expected);
    Ok(())
}

#[test]
fn as_written() {
    check!(Checksums);
}
