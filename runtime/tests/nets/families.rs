//! Which kinds of launches a program has in its loops.

use std::collections::BTreeMap;

use castnet_program::program::{Conv, Family, Launch, Program, Right, Source, Strided, Task, TaskKind, Tile};

/// Each kind, and how many launches of it are in loops and read or write something that moves on with the rounds.
pub type Counts = BTreeMap<String, usize>;

pub fn in_loops(program: &Program) -> Counts {
    let mut counts = Counts::new();
    count(program, &program.schedule, false, &mut counts);
    counts
}

fn count(program: &Program, steps: &[Task], inside: bool, counts: &mut Counts) {
    for step in steps {
        match &step.kind {
            TaskKind::Loop { body, .. } => count(program, body, true, counts),
            TaskKind::Ending(_) => {}
            TaskKind::Launch(number) => {
                let launch = &program.launches[*number];
                let moves = |buffer: usize| program.buffers[buffer].strides.iter().any(|s| !s.is_zero());
                if inside && buffers(launch).into_iter().any(moves) {
                    kinds(launch).into_iter().for_each(|kind| *counts.entry(kind).or_default() += 1);
                }
            }
        }
    }
}

/// Its family, and what its stages read by other ways than a load.
fn kinds(launch: &Launch) -> Vec<String> {
    let mut kinds = vec![match &launch.family {
        Family::Flat => "flat".to_string(),
        Family::Row => "row".into(),
        Family::Column => "column".into(),
        Family::Scatter(_) => "scatter".into(),
        Family::Routine { routine, .. } => routine.name().into(),
        Family::Tile(Tile::MatMul { b: Right::Strided(_), .. }) => "matmul".into(),
        Family::Tile(Tile::MatMul { b: Right::Panels(_), .. }) => "matmul by panels".into(),
        Family::Tile(Tile::MatMul { b: Right::PanelsTransposed(_), .. }) => "matmul by transposed panels".into(),
        Family::Tile(Tile::Conv2d { conv, .. }) => format!("{} conv2d", channels(conv)),
        Family::Tile(Tile::Conv2dInputGrad { conv, .. }) => format!("{} input gradient", channels(conv)),
        Family::Tile(Tile::Conv2dWeightGrad { conv, .. }) => format!("{} weight gradient", channels(conv)),
    }];
    for source in launch.stages.iter().flat_map(|stage| &stage.inputs) {
        match source {
            Source::Gather { .. } => kinds.push("gather".into()),
            Source::Random { .. } => kinds.push("random".into()),
            Source::Index(_) => kinds.push("index".into()),
            Source::Load(_) | Source::Acc | Source::Row(_) | Source::Size(_) | Source::LossScale => {}
        }
    }
    kinds
}

fn channels(conv: &Conv) -> String {
    let strided = if conv.stride == [1, 1] { "" } else { "strided " };
    let groups = match conv.groups {
        1 => "dense",
        groups if groups == conv.c && groups == conv.o => "depthwise",
        _ => "grouped",
    };
    format!("{strided}{groups}")
}

fn buffers(launch: &Launch) -> Vec<usize> {
    let operands = match &launch.family {
        Family::Tile(Tile::MatMul { a, b, .. }) => {
            let (Right::Strided(Strided { buffer: b, .. }) | Right::Panels(b) | Right::PanelsTransposed(b)) = b;
            vec![a.buffer, *b]
        }
        Family::Tile(Tile::Conv2d { input, weight, .. }) => vec![input.buffer, *weight],
        Family::Tile(Tile::Conv2dInputGrad { dy, weight, .. }) => vec![dy.buffer, *weight],
        Family::Tile(Tile::Conv2dWeightGrad { input, dy, .. }) => vec![input.buffer, dy.buffer],
        Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => vec![],
    };
    operands.into_iter().chain(launch.loads.iter().chain(&launch.stores).map(|access| access.buffer)).collect()
}
