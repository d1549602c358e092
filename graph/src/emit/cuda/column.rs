//! Reductions across memory: a block takes 32 neighbouring points, its rows of threads share the reduction.

use super::Skeleton;
use super::access::{expression, operand};
use super::body::{Body, Handing, once, over_elements};
use super::reductions::type_of;

/// Points of a block.
const COLUMNS: i64 = 32;
/// Reductions shorter than this are shared by 8 rows of threads, else by 32.
const SHORT: i64 = 256;

pub(super) fn print(body: &Body<'_>) -> Skeleton {
    let loops = &body.loops;
    let (points, length) = (loops.points(), loops.reduced());
    let rows = if length.as_const().is_some_and(|length| length < SHORT) { 8 } else { 32 };
    let names = loops.names();
    // A block has 32 columns to the end, so that all its threads meet at the barriers; those beyond the last store nothing.
    let mut lines = vec![
        format!("const int columns = {};", expression(&points)),
        "const int column = blockIdx.x * 32 + threadIdx.x;".into(),
        "const bool inside = column < columns;".into(),
    ];
    let point = if loops.space == 1 { names[0].as_str() } else { "point" };
    if loops.space > 0 {
        lines.push(format!("const int {point} = inside ? column : columns - 1;"));
    }
    lines.extend(loops.decompose(0..loops.space, point));
    lines.extend(body.declare_rows());
    for (number, stage, elements) in body.stages() {
        if body.reads_stored(number) {
            lines.push("__syncthreads();".into());
        }
        if !elements {
            let handing = Handing { stores: "inside && threadIdx.y == 0", fours: &[], hoists: false };
            lines.extend(once(body.stage(number, &handing)));
            continue;
        }
        let reduced = loops.space..loops.sizes.len();
        let r = if reduced.len() == 1 { names[loops.space].as_str() } else { "r" };
        let stage_lines = body.stage(number, &Handing { stores: "inside", fours: &[], hoists: true });
        let head = format!("for (int {r} = threadIdx.y; {r} < {}; {r} += {rows}) {{", operand(&length));
        lines.extend(over_elements(head, loops.decompose(reduced, r), stage_lines));
        for (op, slot) in Body::reductions(stage) {
            let row = body.row_name(slot);
            lines.push(format!("{row} = cn::over_column<cn::{}>({row});", type_of(op)));
        }
    }
    Skeleton { lines, threads: [COLUMNS as u32, rows], work: points, share: COLUMNS, blocks: i64::from(i32::MAX) }
}
