//! What stages cost, roughly: how many elements make a chunk. A function of the program and its sizes alone, so that chunks are.

use castnet_program::program::{Launch, Level, Source, Stage, Target};
use castnet_program::scalar::{Code, Instr};

/// What a chunk should cost, in the units below: about eight microseconds. Less than a thread spins for, more than claiming it costs.
pub(crate) const CHUNK: i64 = 8 << 14;

/// An element of all stages at a level, in sixteenths of a nanosecond on vectors of 16; at least 1.
pub(crate) fn of(launch: &Launch, level: Level) -> i64 {
    launch.stages.iter().filter(|stage| stage.level == level).map(stage_cost).sum::<i64>().max(1)
}

fn stage_cost(stage: &Stage) -> i64 {
    let inputs = stage.inputs.iter().map(|source| match source {
        Source::Load(_) => 2,
        Source::Acc | Source::Row(_) | Source::Index(_) | Source::Size(_) | Source::LossScale => 1,
        Source::Random { .. } | Source::Gather { .. } => 16,
    });
    let outputs = stage.outputs.iter().map(|target| match target {
        Target::Store(_) | Target::Reduce(..) => 2,
        Target::Row(_) => 1,
    });
    inputs.chain(outputs).sum::<i64>() + code_cost(&stage.code)
}

fn code_cost(code: &Code) -> i64 {
    let cost = |instr: &Instr| match instr {
        Instr::Const(_) => 0,
        Instr::Select(..) | Instr::To(..) => 1,
        Instr::Unary(f, _) => f.cost(),
        Instr::Binary(f, ..) => f.cost(),
    };
    code.instrs.iter().map(cost).sum()
}
