//! Every element on its own: threads go through the points of the space, a point or four neighbours at a time.

use super::Skeleton;
use super::access::{Access, Map, expression};
use super::body::{Body, Handing, StageLines, indented};
use crate::program::{Source, Target};
use crate::types::DType;

/// Threads of a block.
const THREADS: i64 = 256;
/// Blocks at most: enough for every processor of a large device, each going through its share.
const BLOCKS: i64 = 16384;

pub(super) fn print(body: &Body<'_>) -> Skeleton {
    if let Some(vector) = by_four(body) {
        return vector;
    }
    let loops = &body.loops;
    let names = loops.names();
    let number = if loops.space == 1 { names[0].as_str() } else { "at" };
    let points = loops.points();
    let single = body.launch.stages.len() == 1;
    let handing = Handing { stores: "", fours: &[], hoists: single };
    let stages: Vec<StageLines> = body.stages().map(|(stage, ..)| body.stage(stage, &handing)).collect();
    let mut lines = vec![format!("const int points = {};", expression(&points))];
    lines.extend(stages.iter().flat_map(|stage| &stage.before).cloned());
    lines.push(format!(
            "for (int {number} = blockIdx.x * blockDim.x + threadIdx.x; {number} < points; {number} += gridDim.x * blockDim.x) {{"
        ));
    lines.extend(indented(loops.decompose(0..loops.space, number)));
    lines.extend(indented(body.declare_rows()));
    for stage in stages {
        if single {
            lines.extend(indented(stage.each));
        } else {
            lines.push("    {".into());
            lines.extend(indented(indented(stage.each).collect()));
            lines.push("    }".into());
        }
    }
    lines.push("}".into());
    Skeleton { lines, threads: [THREADS as u32, 1], work: points, share: THREADS, blocks: BLOCKS }
}

/// How an operand lies along the only loop dim.
#[derive(PartialEq)]
enum Along {
    /// Element `i` at point `i`.
    Dense,
    /// The same element everywhere.
    Fixed,
}

fn along(access: &Access, dtype: DType) -> Option<Along> {
    let Map::Linear(form) = &access.map else { return None };
    match form.steps[..] {
        [ref step] if step.is(0) => Some(Along::Fixed),
        [ref step] if step.is(1) && form.offset.is(0) && dtype == DType::F32 => Some(Along::Dense),
        _ => None,
    }
}

/// Four neighbours at a time by one access of 16 bytes: where all operands lie one after the other and the number of points is a multiple of
/// four for all run-time sizes.
fn by_four(body: &Body<'_>) -> Option<Skeleton> {
    let loops = &body.loops;
    let points = loops.points();
    let [stage] = &body.launch.stages[..] else { return None };
    points.div_exact(&4.into())?;
    // A gathered element lies elsewhere, however its operand lies along the loop.
    let alone = |s: &Source| matches!(s, Source::Index(_) | Source::Random { .. } | Source::Gather { .. });
    if loops.space != 1 || stage.inputs.iter().any(alone) {
        return None;
    }
    let (mut dense, mut fixed): (Vec<usize>, Vec<usize>) = (vec![], vec![]);
    for access in loops.loads.iter().chain(&loops.stores) {
        let buffer = body.program.buffers.get(access.buffer)?;
        let list = if along(access, buffer.dtype)? == Along::Dense { &mut dense } else { &mut fixed };
        if !list.contains(&access.buffer) {
            list.push(access.buffer);
        }
        let moves = buffer.strides.iter().chain([&buffer.start]);
        moves.filter(|size| !size.is_zero()).try_for_each(|size| size.div_exact(&4.into()).map(|_| ()))?;
    }
    if fixed.iter().any(|b| dense.contains(b)) || loops.stores.iter().any(|s| fixed.contains(&s.buffer)) {
        return None;
    }
    let name = loops.names().remove(0);
    let read: Vec<usize> = body.launch.loads.iter().map(|l| l.buffer).filter(|b| dense.contains(b)).collect();
    let work = points.div_exact(&4.into())?;
    let mut lines = vec![format!("const int quads = {};", expression(&work))];
    let inner = body.stage(0, &Handing { stores: "", fours: &dense, hoists: true });
    lines.extend(inner.before);
    lines.push(
        "for (int at = blockIdx.x * blockDim.x + threadIdx.x; at < quads; at += gridDim.x * blockDim.x) {".to_string(),
    );
    for buffer in &dense {
        let x = body.name(*buffer);
        lines.push(format!("    __align__(16) float four_{x}[4];"));
        if read.contains(buffer) {
            lines.push(format!("    *(float4*)four_{x} = ((const float4*){x})[at];"));
        }
    }
    lines.extend(["    #pragma unroll".into(), format!("    for (int {name} = 0; {name} < 4; ++{name}) {{")]);
    lines.extend(indented(indented(inner.each).collect()));
    lines.push("    }".into());
    for target in &stage.outputs {
        if let Target::Store(i) = target {
            let y = body.name(body.launch.stores[*i].buffer);
            lines.push(format!("    ((float4*){y})[at] = *(const float4*)four_{y};"));
        }
    }
    lines.push("}".into());
    Some(Skeleton { lines, threads: [THREADS as u32, 1], work, share: THREADS, blocks: BLOCKS })
}
