//! Blocks in every order of their axes, on every instruction set, against one element at a time.

use castnet_program::scalar::Lane;
use castnet_program::types::DType;

use super::{Grid, SLACK, gather, ramp, scatter};
use crate::isa::Isa;

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Grids whose axes lie in all orders, tight or with gaps, now and then as every second element.
fn grids() -> impl Iterator<Item = Grid> {
    let sizes = [[1, 4, 5], [1, 40, 33], [3, 17, 2], [5, 1, 16], [2, 3, 64], [33, 2, 20], [4, 16, 16], [7, 9, 11]];
    sizes.into_iter().flat_map(|sizes| {
        ORDERS.into_iter().flat_map(move |order| {
            [(1, 0), (1, 3), (2, 0)].into_iter().map(move |(first, gap)| {
                let (mut strides, mut next) = ([0; 3], first);
                for d in order {
                    strides[d] = next;
                    next = next * sizes[d] as i64 + gap;
                }
                let ([planes, rows, cols], [plane, row, col]) = (sizes, strides);
                Grid { planes, rows, cols, plane, row, col }
            })
        })
    })
}

/// Where the elements lie, in the order of the block.
fn places(g: Grid) -> Vec<usize> {
    let all = (0..g.planes as i64).flat_map(|p| (0..g.rows as i64).map(move |r| (p, r)));
    let all = all.flat_map(|(p, r)| (0..g.cols as i64).map(move |c| (p, r, c)));
    all.map(|(p, r, c)| (p * g.plane + r * g.row + c * g.col) as usize).collect()
}

#[test]
fn blocks_are_read_and_written_in_any_order() {
    for grid in grids() {
        let places = places(grid);
        let (n, most) = (places.len(), places.iter().max().unwrap() + 1);
        let memory: Vec<f32> = (0..most).map(|i| i as f32).collect();
        for isa in Isa::available() {
            let mut block = vec![-1.0f32; n + SLACK];
            // SAFETY: the grid lies in the memory.
            unsafe { gather(isa, DType::F32, memory.as_ptr().cast(), grid, block.as_mut_ptr().cast()) };
            let right = places.iter().zip(&block).all(|(place, x)| *x == *place as f32);
            assert!(right, "{grid:?} on {isa:?} is read as {block:?}");
            let mut written = vec![-1.0f32; most];
            // SAFETY: as above.
            unsafe { scatter(isa, DType::F32, block.as_ptr().cast(), written.as_mut_ptr().cast(), grid) };
            let mut expected = vec![-1.0f32; most];
            places.iter().for_each(|&place| expected[place] = place as f32);
            assert_eq!(written, expected, "{grid:?} on {isa:?} is written");
        }
    }
}

#[test]
fn linear_forms_have_their_values() {
    for grid in grids() {
        for (first, isa) in Isa::available().into_iter().flat_map(|isa| [0, -7, 1 << 40].map(|first| (first, isa))) {
            let mut block = vec![-1i64; grid.planes * grid.rows * grid.cols + SLACK];
            // SAFETY: the block has room.
            unsafe { ramp(isa, Lane::I64, first, grid, block.as_mut_ptr().cast()) };
            let right = places(grid).iter().zip(&block).all(|(place, x)| *x == first + *place as i64);
            assert!(right, "{grid:?} from {first} on {isa:?}");
            if first < 1 << 31 {
                let mut block = vec![-1i32; grid.planes * grid.rows * grid.cols + SLACK];
                // SAFETY: as above.
                unsafe { ramp(isa, Lane::I32, first, grid, block.as_mut_ptr().cast()) };
                let right = places(grid).iter().zip(&block).all(|(place, x)| i64::from(*x) == first + *place as i64);
                assert!(right, "{grid:?} from {first} in i32 on {isa:?}");
            }
        }
    }
}
