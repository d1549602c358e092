//! What a launch costs: operations and bytes under a binding of the run-time sizes.

use super::{Family, Launch, Level, Program, Stage, Target, Task, TaskKind, Tile};
use crate::scalar::Instr;
use crate::size::Size;

/// Operations and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations: two a product and its sum, one an instruction of a stage or a value that is reduced.
    pub flops: f64,
    /// Bytes read from buffers, each element once.
    pub read: f64,
    /// Bytes written to buffers, each element once.
    pub written: f64,
}

impl Cost {
    /// Bytes in both directions.
    pub fn bytes(&self) -> f64 {
        self.read + self.written
    }

    /// Operations a byte.
    pub fn intensity(&self) -> f64 {
        self.flops / self.bytes().max(1.0)
    }

    /// Takes another one in.
    pub fn add(&mut self, other: &Cost) {
        self.flops += other.flops;
        self.read += other.read;
        self.written += other.written;
    }

    /// So often as much.
    pub fn times(&self, count: f64) -> Cost {
        Cost { flops: self.flops * count, read: self.read * count, written: self.written * count }
    }
}

/// Every launch of a program in order, with how often it runs and what one run costs.
pub fn launches<'p>(program: &'p Program, value: &dyn Fn(&str) -> i64) -> Vec<(&'p Launch, i64, Cost)> {
    let mut counts = vec![0; program.launches.len()];
    count(&program.schedule, 1, value, &mut counts);
    let launches = program.launches.iter().zip(counts);
    launches.map(|(launch, count)| (launch, count, cost(program, launch, value))).collect()
}

fn count(steps: &[Task], times: i64, value: &dyn Fn(&str) -> i64, counts: &mut [i64]) {
    for step in steps {
        match &step.kind {
            TaskKind::Launch(i) => counts[*i] += times,
            TaskKind::Loop { count: rounds, body, .. } => count(body, times * rounds.eval(value), value, counts),
            TaskKind::Ending(_) => {}
        }
    }
}

/// What one run of a launch costs.
pub fn cost(program: &Program, launch: &Launch, value: &dyn Fn(&str) -> i64) -> Cost {
    let product = |sizes: &[Size]| Size::product(sizes).eval(value) as f64;
    let (space, reduced) = (product(&launch.space), product(&launch.reduce));
    let mut flops = sums(launch).eval(value) as f64;
    for stage in &launch.stages {
        let points = if stage.level == Level::Element { space * reduced } else { space };
        flops += points * operations(stage) as f64;
    }
    let bytes = |buffers: Vec<usize>, operands: &[usize]| {
        let mut seen: Vec<usize> = vec![];
        let mut sum = 0.0;
        for buffer in &buffers {
            let Some(b) = program.buffers.get(*buffer).filter(|_| !seen.contains(buffer)) else { continue };
            seen.push(*buffer);
            let whole = b.size.eval(value) as f64;
            let accesses = buffers.iter().filter(|other| *other == buffer).count() as f64;
            // A view reads only a part.
            let touched = if operands.contains(buffer) { whole } else { whole.min(accesses * space * reduced) };
            sum += touched * b.dtype.bytes() as f64;
        }
        sum
    };
    let stores = launch.stores.iter().map(|s| s.buffer).collect();
    Cost { flops, read: bytes(launch.reads(), &launch.operands()), written: bytes(stores, &[]) }
}

/// Operations of a stage at one point: its instructions, and the values that it reduces.
pub fn operations(stage: &Stage) -> usize {
    let instructions = stage.code.instrs.iter().filter(|i| !matches!(i, Instr::Const(_))).count();
    instructions + stage.outputs.iter().filter(|t| matches!(t, Target::Reduce(..))).count()
}

/// Operations of a tile's sums.
fn sums(launch: &Launch) -> Size {
    let Family::Tile(tile) = &launch.family else { return 0.into() };
    match tile {
        Tile::MatMul { k, .. } => &(&Size::product(&launch.space) * k) * &2.into(),
        Tile::Conv2d { conv, .. } | Tile::Conv2dInputGrad { conv, .. } | Tile::Conv2dWeightGrad { conv, .. } => {
            let taps = conv.kernel[0] * conv.kernel[1] * conv.c / conv.groups;
            &Size::product([&conv.n, &conv.y, &conv.x]) * &(2 * taps * conv.o).into()
        }
    }
}
