//! Reductions along memory: the threads of a row take its elements in turn and combine what they have.

use super::Skeleton;
use super::access::operand;
use super::body::{Body, Handing, indented, once, over_elements};
use super::reductions::type_of;

/// Rows shorter than this are walked through by one thread.
const SHORT: i64 = 9;
/// Rows of at most this length are a warp's, longer ones (and those whose length is known at run time only) a block's.
const WARP: i64 = 1024;

pub(super) fn print(body: &Body<'_>) -> Skeleton {
    let loops = &body.loops;
    let (points, length) = (loops.points(), loops.reduced());
    // Threads of a row, and rows of a block.
    let (threads, rows) = match length.as_const() {
        Some(..SHORT) => (1, 256),
        Some(..=WARP) => (32, 8),
        _ => (256, 1),
    };
    let names = loops.names();
    let mut lines = vec![format!("const int rows = {};", super::access::expression(&points))];
    let row = if loops.space == 1 { names[0].as_str() } else { "row" };
    let (first, each) = match threads {
        1 => ("blockIdx.x * blockDim.x + threadIdx.x", "gridDim.x * blockDim.x"),
        32 => ("blockIdx.x * blockDim.y + threadIdx.y", "gridDim.x * blockDim.y"),
        _ => ("blockIdx.x", "gridDim.x"),
    };
    lines.push(format!("for (int {row} = {first}; {row} < rows; {row} += {each}) {{"));
    let mut inner = loops.decompose(0..loops.space, row);
    inner.extend(body.declare_rows());
    for (number, stage, elements) in body.stages() {
        if body.reads_stored(number) && threads > 1 {
            inner.push(if threads == 32 { "__syncwarp();".into() } else { "__syncthreads();".to_string() });
        }
        if !elements {
            let stores = if threads == 1 { "" } else { "threadIdx.x == 0" };
            inner.extend(once(body.stage(number, &Handing { stores, fours: &[], hoists: false })));
            continue;
        }
        let reduced = loops.space..loops.sizes.len();
        let r = if reduced.len() == 1 { names[loops.space].as_str() } else { "r" };
        let (from, step) = if threads == 1 {
            ("0".into(), format!("++{r}"))
        } else {
            ("threadIdx.x".to_string(), format!("{r} += {threads}"))
        };
        let lines = body.stage(number, &Handing { stores: "", fours: &[], hoists: true });
        let head = format!("for (int {r} = {from}; {r} < {}; {step}) {{", operand(&length));
        inner.extend(over_elements(head, loops.decompose(reduced, r), lines));
        for (op, slot) in Body::reductions(stage).filter(|_| threads > 1) {
            let over = if threads == 32 { "warp" } else { "block" };
            let row = body.row_name(slot);
            inner.push(format!("{row} = cn::over_{over}<cn::{}>({row});", type_of(op)));
        }
    }
    lines.extend(indented(inner));
    lines.push("}".into());
    let block = if threads == 1 { [256, 1] } else { [threads, rows as u32] };
    Skeleton { lines, threads: block, work: points, share: rows, blocks: 65536 }
}
