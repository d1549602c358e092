//! A stage with all sizes known.

use castnet_program::program::{self, Launch, Level, Source, Target};
use castnet_program::scalar::{Lane, Reduction};
use castnet_program::types::DType;

use crate::access::{Access, Form, Map};
use crate::dims::Dims;
use crate::emitted::{BlockFn, BlockKernel};
use crate::interpreter::Interpreter;
use crate::isa::Isa;

/// Elements of a block at most: a few of them stay in the L1 cache.
pub(crate) const MAX_BLOCK: usize = 2048;

/// A stage of a launch.
#[derive(Debug)]
pub(crate) struct Stage {
    pub level: Level,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
    pub function: Function,
    /// Bytes of its widest lane.
    pub width: usize,
}

/// Where an input comes from.
#[derive(Debug)]
pub(crate) enum Input {
    /// Memory. `kept`: the number of the buffer that keeps it from block to block, if it often is the same.
    Load { access: Access, kept: Option<usize> },
    /// The finished sums of a tile.
    Acc,
    /// A row value.
    Row(usize, Lane),
    /// The value of the form itself.
    Index(Form, Lane),
    /// The same everywhere: [`MAX_BLOCK`] times.
    Constant(Vec<u64>),
    /// The loss scale of the step.
    LossScale,
    /// The number of a stream at the form's value, so much further in each round.
    Random(u32, Form, u64),
    /// Memory at an index that lies in memory.
    Gather(Gather),
}

/// Elements of `from`, `stride · index` further on.
#[derive(Debug)]
pub(crate) struct Gather {
    pub from: Access,
    pub index: Access,
    pub stride: i64,
    /// Indices are held below this.
    pub size: i64,
}

/// Where an output goes.
#[derive(Debug)]
pub(crate) enum Output {
    Store(Access),
    Row(usize, Lane),
    Reduce(Reduction, usize, Lane),
}

/// What computes.
#[derive(Debug)]
pub(crate) enum Function {
    Emitted(BlockFn),
    Interpreted(Interpreter),
    /// Nothing is computed: output `i` is input `.0[i]`.
    Same(Vec<usize>),
}

impl Stage {
    /// Resolves stage `stage`; `sizes` are those of all loop dims.
    pub(crate) fn new(
        launch: &Launch,
        stage: &program::Stage,
        sizes: &[i64],
        dtypes: &[DType],
        isa: Isa,
        emitted: Option<BlockKernel>,
        value: &dyn Fn(&str) -> i64,
    ) -> Stage {
        let access = |a: &program::Access| Access::new(a, dtypes[a.buffer], sizes, value);
        let code = &stage.code;
        let lanes = code.lanes().unwrap_or_else(|what| panic!("{}: {what}", launch.name));
        let inputs = stage.inputs.iter().zip(&code.inputs).map(|(source, &lane)| match source {
            Source::Load(i) => Input::Load { access: access(&launch.loads[*i]), kept: None },
            Source::Acc => Input::Acc,
            Source::Row(slot) => Input::Row(*slot, lane),
            Source::Index(dim) => {
                let steps = (0..sizes.len()).map(|d| i64::from(d == *dim)).collect();
                Input::Index(Form { offset: 0, steps }, lane)
            }
            Source::Size(size) => Input::Constant(constant(size.eval(value), lane)),
            Source::LossScale => Input::LossScale,
            Source::Random { stream, strides, offset, round } => {
                let mut steps: Vec<i64> = strides.iter().map(|s| s.eval(value)).collect();
                steps.resize(sizes.len(), 0);
                Input::Random(*stream, Form { offset: offset.eval(value), steps }, round.eval(value) as u64)
            }
            Source::Gather { from, dim, index } => {
                let from = &launch.loads[*from];
                let (stride, size) = (Access::stride(from, *dim, value), from.dims[*dim].eval(value));
                Input::Gather(Gather { from: access(from), index: access(&launch.loads[*index]), stride, size })
            }
        });
        let made = code.outputs.iter().map(|&slot| lanes[slot as usize]);
        let outputs = stage.outputs.iter().zip(made).map(|(target, lane)| match target {
            Target::Store(i) => Output::Store(access(&launch.stores[*i])),
            Target::Row(slot) => Output::Row(*slot, lane),
            Target::Reduce(op, slot) => Output::Reduce(*op, *slot, lane),
        });
        let same = code.outputs.iter().all(|&slot| (slot as usize) < code.inputs.len());
        let function = match emitted {
            _ if same => Function::Same(code.outputs.iter().map(|&slot| slot as usize).collect()),
            Some(kernel) => Function::Emitted(kernel.function(isa)),
            None => Function::Interpreted(Interpreter::new(code, isa)),
        };
        let width = lanes.iter().map(|lane| lane.bytes()).max().unwrap_or(1);
        Stage { level: stage.level, inputs: inputs.collect(), outputs: outputs.collect(), function, width }
    }

    /// Every linear form in it.
    pub(crate) fn forms(&mut self) -> Vec<&mut Form> {
        let inputs = self.inputs.iter_mut().flat_map(|input| match input {
            Input::Load { access, .. } => access.forms(),
            Input::Index(form, _) | Input::Random(_, form, _) => vec![form],
            Input::Gather(Gather { from, index, .. }) => from.forms().into_iter().chain(index.forms()).collect(),
            Input::Acc | Input::Row(..) | Input::Constant(_) | Input::LossScale => vec![],
        });
        let outputs = self.outputs.iter_mut().flat_map(|output| match output {
            Output::Store(access) => access.forms(),
            Output::Row(..) | Output::Reduce(..) => vec![],
        });
        inputs.chain(outputs).collect()
    }

    /// Finds the places of strided operands over the loops as they are now ([`Access::settle`]).
    pub(crate) fn settle(&mut self, loops: &Dims) {
        for input in &mut self.inputs {
            match input {
                Input::Load { access, .. } => access.settle(loops),
                Input::Gather(Gather { from, index, .. }) => {
                    from.settle(loops);
                    index.settle(loops);
                }
                Input::Acc | Input::Row(..) | Input::Index(..) | Input::Constant(_) => {}
                Input::LossScale | Input::Random(..) => {}
            }
        }
        for output in &mut self.outputs {
            if let Output::Store(access) = output {
                access.settle(loops);
            }
        }
    }

    /// Takes truth values from memory that may hold anything.
    pub(crate) fn loosen(&mut self) {
        for input in &mut self.inputs {
            if let Input::Load { access, .. } | Input::Gather(Gather { from: access, .. }) = input {
                access.loose = access.dtype == DType::Bool;
            }
        }
    }

    /// Every access in it.
    pub(crate) fn accesses(&self) -> impl Iterator<Item = &Access> {
        let inputs = self.inputs.iter().filter_map(|input| match input {
            Input::Load { access, .. } | Input::Gather(Gather { from: access, .. }) => Some(access),
            _ => None,
        });
        inputs.chain(self.stores())
    }

    /// Every store in it.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Access> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Store(access) => Some(access),
            _ => None,
        })
    }

    /// Marks loads that are the same from block to block along `row_dim`; numbers them on from `*next`.
    pub(crate) fn keep(&mut self, row_dim: usize, stored: &[usize], next: &mut usize) {
        for input in &mut self.inputs {
            if let Input::Load { access, kept } = input
                && let Map::Affine(form) = &access.map
                && form.steps[row_dim] == 0
                && !stored.contains(&access.buffer)
            {
                *kept = Some(*next);
                *next += 1;
            }
        }
    }

    /// Row values that it names, as a number of slots.
    pub(crate) fn slots(&self) -> usize {
        let read = self.inputs.iter().filter_map(|i| if let Input::Row(slot, _) = i { Some(slot + 1) } else { None });
        let written = self.outputs.iter().filter_map(|o| match o {
            Output::Row(slot, _) | Output::Reduce(_, slot, _) => Some(slot + 1),
            Output::Store(_) => None,
        });
        read.chain(written).max().unwrap_or(0)
    }
}

/// [`MAX_BLOCK`] times a number in a lane, in words.
fn constant(value: i64, lane: Lane) -> Vec<u64> {
    let word = match lane {
        Lane::F32 => u64::from((value as f32).to_bits()) * 0x1_0000_0001,
        Lane::I32 => u64::from(value as u32) * 0x1_0000_0001,
        Lane::F64 => (value as f64).to_bits(),
        Lane::I64 => value as u64,
        Lane::Bool => unreachable!("the value of a size as a truth value"),
    };
    vec![word; MAX_BLOCK * lane.bytes() / 8]
}
