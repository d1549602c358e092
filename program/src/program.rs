//! The program: complete data that says what runs, on which bytes, in which order.
//!
//! A runtime can execute a program with no generated code at all. Generated kernels replace [`Stage::code`] by faster functions with the
//! same meaning.

pub mod cost;
mod donates;
pub mod ending;
mod in_place;
mod index;
pub mod lives;
mod operands;
pub mod order;
pub mod strided;

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use ending::Ending;
pub use index::Index;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::routine::Routine;
use crate::rules::Rule;
use crate::scalar::{Code, Literal, Reduction};
use crate::size::Size;
use crate::types::{DType, Type};

/// A compiled function of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// `LeNet.loss_step`.
    pub name: String,
    /// Arguments, in order.
    pub arguments: Vec<Named>,
    /// Results, in order (without gradients).
    pub results: Vec<Named>,
    /// The arguments that may be donated to a result, (argument, result): of one type, and no element of the argument is read once that of the
    /// result is written. If a call binds both to one memory, the result is the same.
    pub donates: Vec<(usize, usize)>,
    /// What the sizes of the arguments must fulfil, beyond their types.
    pub rules: Vec<Rule>,
    /// What values that it makes must fulfil; one that fails makes the call an error that changes nothing.
    pub checks: Vec<Check>,
    /// The states of the net that it reads or assigns, in all rounds of its loops; sorted.
    pub states: Vec<usize>,
    /// Those that it assigns.
    pub assigns: Vec<usize>,
    /// Every piece of memory that launches refer to.
    pub buffers: Vec<Buffer>,
    /// The kernels.
    pub launches: Vec<Launch>,
    /// What runs, in order.
    pub schedule: Vec<Task>,
    /// Bytes of the arena of activations: the greatest of these, which can be another one for other run-time sizes.
    pub arena: Vec<Size>,
    /// Bytes that are alive at one time: the greatest of these. No plan takes less.
    pub bound: Vec<Size>,
    /// Floating-point operations of one run.
    pub flops: Size,
}

/// A name with a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The type.
    pub ty: Type,
    /// For an argument of indices or class numbers: what every element must fulfil, checked before anything runs.
    pub below: Vec<Below>,
    /// Whether it lies by strides that the call tells ([`strided`]), else row-major.
    pub strided: bool,
}

/// Every element of an argument is at least `least` and below `limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Below {
    /// The smallest that may stand there.
    pub least: Size,
    /// One more than the largest that may stand there.
    pub limit: Size,
    /// A number that may stand there besides: PyTorch's `ignore_index`.
    pub or: Option<i64>,
    /// The operator or layer that says so: `cross_entropy`, `wte`.
    pub by: Arc<str>,
}

/// What every element of a value must fulfil that is made while the program runs.
///
/// The program finds the first element that does not, in row-major order, and writes some i64 *words* about it: the round of each loop
/// around it, outermost first, and its index along each axis (of a scalar: 0); then the element itself. The first word is `i64::MAX` if every
/// element is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What they must fulfil.
    pub must: Must,
    /// Where that is asked for, as [`Launch::loc`].
    pub loc: u32,
    /// Loops around the value.
    pub rounds: usize,
    /// Axes of the value.
    pub axes: usize,
}

/// What an element must fulfil.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Must {
    /// It lies in a range.
    Lie(Below),
    /// It is not 0, for this operator divides by it.
    Divide(Arc<str>),
}

impl Check {
    /// Words that tell the place: behind them stands the element.
    pub fn places(&self) -> usize {
        self.rounds + self.axes.max(1)
    }

    /// All its words.
    pub fn words(&self) -> usize {
        self.places() + 1
    }
}

impl Must {
    /// The operator or layer that asks for it.
    pub fn by(&self) -> &Arc<str> {
        match self {
            Must::Lie(below) => &below.by,
            Must::Divide(by) => by,
        }
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.least, self.limit)?;
        self.or.iter().try_for_each(|or| write!(f, " or {or}"))?;
        write!(f, " for {}", self.by)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.must {
            Must::Lie(below) => write!(f, "in {below}"),
            Must::Divide(by) => write!(f, "no 0 for {by}"),
        }?;
        write!(f, ", {} axes in {} loops", self.axes, self.rounds)
    }
}

/// A piece of memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    /// What lies there, for people: `conv1`, `d conv1.weight`.
    pub name: String,
    /// The type of the elements.
    pub dtype: DType,
    /// Elements in one round.
    pub size: Size,
    /// Where it lies.
    pub place: Place,
    /// The buffer that it is a part of, if it is: what that holds, it holds. That one is no part of another.
    pub part_of: Option<usize>,
    /// Elements from the beginning of its place to its own, in the first rounds.
    pub start: Size,
    /// How many elements further it lies in each round of the loops around a launch, outermost first; missing ones are 0. Of a parameter, a
    /// mirror, a gradient, a state: how many parameters or states.
    pub strides: Vec<Size>,
}

impl Buffer {
    /// A buffer that stays where it is.
    pub fn new(name: impl Into<String>, dtype: DType, size: Size, place: Place) -> Buffer {
        Buffer { name: name.into(), dtype, size, place, part_of: None, start: Size::constant(0), strides: vec![] }
    }
}

/// Where a buffer lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Place {
    /// The caller's array number `.0`: row-major, or strided.
    Argument(usize),
    /// The result array number `.0`: row-major, or strided.
    Result(usize),
    /// Parameter number `.0` of the net, in its master layout.
    Parameter(usize),
    /// The mirror of parameter number `.0` of the net in the buffer's type ([`Mirror`](crate::net::Mirror)).
    Mirror(usize),
    /// The gradient of parameter number `.0`, in the parameter's layout.
    Gradient(usize),
    /// State number `.0` of the net, row-major; read before it is written.
    State(usize),
    /// Word number `.0` of the program's checks, counted through.
    Check(usize),
    /// In the arena, so many bytes behind its beginning: a multiple of the width of the buffer's elements.
    Arena(Size),
}

impl Place {
    /// In the arena, nobody knows yet where.
    pub fn open() -> Place {
        Place::Arena(Size::constant(0))
    }
}

/// What is done at one place of the schedule: what it reads and writes, [`order`] tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What is done.
    pub kind: TaskKind,
    /// Which stream: tasks of one run one after the other. In the body of a loop all are of stream 0.
    pub stream: u32,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TaskKind {
    /// Launch number `.0`.
    Launch(usize),
    /// A body, `count` times, one round after the other; buffers with strides move on each round.
    Loop {
        /// Rounds.
        count: Size,
        /// From the last round to the first.
        reverse: bool,
        /// What runs each round.
        #[serde(deserialize_with = "body")]
        body: Vec<Task>,
    },
    /// What follows once gradients are known. No program stores it: [`Program::with_ending`] adds it.
    #[serde(skip)]
    Ending(Ending),
}

/// Loops in each other at most, of a program that is read: who reads bytes goes as deep as they say.
const DEPTH: usize = 64;

fn body<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Task>, D::Error> {
    thread_local! {
        static AROUND: Cell<usize> = const { Cell::new(0) };
    }
    let around = AROUND.get();
    if around >= DEPTH {
        return Err(D::Error::custom("more loops in each other than there can be"));
    }
    AROUND.set(around + 1);
    let body = Vec::deserialize(from);
    AROUND.set(around);
    body
}

impl Task {
    /// A launch on stream 0.
    pub fn launch(number: usize) -> Task {
        TaskKind::Launch(number).into()
    }

    /// A loop on stream 0.
    pub fn repeat(count: Size, reverse: bool, body: Vec<Task>) -> Task {
        TaskKind::Loop { count, reverse, body }.into()
    }
}

impl From<TaskKind> for Task {
    fn from(kind: TaskKind) -> Task {
        Task { kind, stream: 0 }
    }
}

/// One kernel with its operands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// For people: `conv1 + tanh`.
    pub name: String,
    /// Index into the caller's table of source places (`conv1 (src/main.rs:14)`).
    pub loc: u32,
    /// The space, outermost first: for a tile, `[batch or image dims.., row dims.., column]`.
    pub space: Vec<Size>,
    /// The dims that are reduced, outermost first; as loop dims they are numbered on from the space (empty for tiles).
    pub reduce: Vec<Size>,
    /// Which skeleton runs it.
    pub family: Family,
    /// What stages read.
    pub loads: Vec<Access>,
    /// What stages write.
    pub stores: Vec<Access>,
    /// What is computed, in order.
    pub stages: Vec<Stage>,
    /// If the only store is the last contribution to the gradient of this parameter: an optimizer may update in place of storing.
    pub updates: Option<usize>,
}

/// The skeletons.
#[allow(clippy::large_enum_variant)] // One a launch, and few of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Family {
    /// No reduction: every element on its own.
    #[default]
    Flat,
    /// A reduction whose dims are innermost in memory.
    Row,
    /// A reduction over outer dims, the vectors run along the last dim of the space.
    Column,
    /// `store[.., loads[0], ..] += loads[1]` for every point of the reduction: sums of what arrives, zero where nothing does. Dim `.0` of the
    /// space is the one that the indices name; the loads do not run along it.
    Scatter(usize),
    /// A routine over whole arrays, row by row: what it reads are the loads, what it writes the stores, and behind them memory to work in if it
    /// needs any. The space names the rows; what is behind it in the dims of an access is one row, contiguous, row-major.
    Routine {
        /// Which one.
        routine: Routine,
        /// Whether it goes the other way: what that is, the routine says.
        reverse: bool,
    },
    /// Products summed over a reduction, the result (`Source::Acc`) handed to the stage tile by tile.
    Tile(Tile),
}

/// What a tile computes. `space` names the loop dims of the result, the last one the tile's columns (the vector axis).
///
/// Operands are floats; the lane of the sums follows from their types ([`Lane::of_products`](crate::scalar::Lane::of_products)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Tile {
    /// `acc[batch.., i, j] = Σ_k a[batch.., i, k] · b[batch.., k, j]`; space `[batch.., i, j]`.
    MatMul {
        /// The length of the reduction.
        k: Size,
        /// The left operand, by strides of `batch.., i, k`.
        a: Strided,
        /// The right operand.
        b: Right,
    },
    /// `acc[n, y, x, o] = Σ_{r,s,c} input[n, y·stride + r·dilation - padding, …, c] · weight[(r,s,c), o]`; space `[n, y, x, o]`. With
    /// groups, `c` counts within the group of `o`, here and below.
    Conv2d {
        /// Geometry.
        conv: Conv,
        /// `[n, h, w, c]`, by strides.
        input: Strided,
        /// Panels of `[(r,s,c), o]`.
        weight: usize,
    },
    /// `acc[n, h, w, c] = Σ dy[n, y, x, o] · weight[(r,s,c), o]` over all that touched it; space `[n, h, w, c]`.
    Conv2dInputGrad {
        /// Geometry.
        conv: Conv,
        /// `[n, y, x, o]`, by strides.
        dy: Strided,
        /// Panels of `[(r,s,c), o]`.
        weight: usize,
    },
    /// `acc[(r,s,c), o] = Σ_{n,y,x} input[…] · dy[n, y, x, o]`; space `[r, s, c, o]`.
    Conv2dWeightGrad {
        /// Geometry.
        conv: Conv,
        /// `[n, h, w, c]`, by strides.
        input: Strided,
        /// `[n, y, x, o]`, by strides.
        dy: Strided,
    },
}

/// The sizes of a convolution: input `[n, h, w, c]`, output `[n, y, x, o]`, whose channels fall into `groups`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // Named in the sentence above.
pub struct Conv {
    pub n: Size,
    pub h: Size,
    pub w: Size,
    pub c: i64,
    pub y: Size,
    pub x: Size,
    pub o: i64,
    pub kernel: [i64; 2],
    pub stride: [i64; 2],
    pub padding: [i64; 2],
    pub dilation: [i64; 2],
    pub groups: i64,
}

/// An operand read by strides: element `(i, j, …)` lies at `Σ strides · index`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strided {
    /// Which buffer.
    pub buffer: usize,
    /// Elements from one index to the next, an entry each dim.
    pub strides: Vec<Size>,
    /// Where index 0 of all dims lies, in elements.
    pub offset: Size,
}

impl Strided {
    /// From the start of a buffer on.
    pub fn new(buffer: usize, strides: Vec<Size>) -> Strided {
        Strided { buffer, strides, offset: Size::default() }
    }
}

/// The right operand of a matrix product, `[k, j]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Right {
    /// By strides of `batch.., k, j`.
    Strided(Strided),
    /// Panels of `[k, j]` ([`Layout::Panels`]): used as they lie.
    Panels(usize),
    /// Panels of `[j, k]`: the transpose of what lies there.
    PanelsTransposed(usize),
}

/// One operand of a stage: which element belongs to a point of the loops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// Which buffer.
    pub buffer: usize,
    /// The dims of the memory, outermost first.
    pub dims: Vec<Size>,
    /// Elements from one index to the next along each dim; `None`: row-major. Of strided arguments and results ([`strided`]).
    pub strides: Option<Vec<Size>>,
    /// The index along each dim.
    pub index: Vec<Index>,
    /// If an index may lie outside its dim: what a load gives there; a store skips it.
    pub outside: Option<Literal>,
    /// Further indices that count as outside unless they are at least 0 and below a size: of views that end before the memory does.
    pub within: Vec<(Index, Size)>,
}

impl Access {
    /// The element at an index, which is inside.
    pub fn new(buffer: usize, dims: Vec<Size>, index: Vec<Index>) -> Access {
        Access { buffer, dims, strides: None, index, outside: None, within: vec![] }
    }

    /// The axes that move elements, which those of size 1 do not: each element lies where another access's does if these are equal, and the
    /// strides.
    pub fn long_axes(&self) -> impl Iterator<Item = (&Size, &Index)> {
        let first = |index: &Index| index.terms.is_empty() && index.offset.is_zero();
        self.dims.iter().zip(&self.index).filter(move |(size, index)| !(size.is(1) && first(index)))
    }
}

/// A pure elementwise function with where its inputs come from and where its outputs go.
///
/// Stages run in order over each block of rows; an element stage sees every point of the loops, a row stage every point of the space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Over all loops, or once a point of the space.
    pub level: Level,
    /// One for each input of the code.
    pub inputs: Vec<Source>,
    /// The function.
    pub code: Code,
    /// One for each output of the code.
    pub outputs: Vec<Target>,
}

/// What a stage runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Every point of space and reduction.
    Element,
    /// Every point of the space.
    Row,
}

/// Where an input of a stage comes from. Its lane stands in the code ([`Code::inputs`]): that of the memory's element type for what is loaded,
/// that of the launch's operands for finished sums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// `loads[.0]`.
    Load(usize),
    /// The finished sum of a tile.
    Acc,
    /// Row value number `.0`, made by an earlier stage.
    Row(usize),
    /// The index of loop dim `.0`, as i32 or i64; a binding sees to it that a dim with an i32 index is no longer than that counts.
    Index(usize),
    /// The value of a size, the same everywhere: a number of any lane; to a float it is rounded.
    Size(Size),
    /// The loss scale of the step, f32 ([`crate::program::ending`]).
    LossScale,
    /// Uniform in [0, 1), f32: the number at position `Σ strides · loop index` of a stream.
    Random {
        /// Which stream.
        stream: u32,
        /// For each loop dim.
        strides: Vec<Size>,
        /// How many numbers further each round of the loops around the launch draws (rounds of loops in loops are counted through).
        round: Size,
        /// The position of the first.
        offset: Size,
    },
    /// `loads[from]` with its index along dim `dim` of the memory given by `loads[index]`, held inside the dim.
    Gather {
        /// What is read.
        from: usize,
        /// Which dim of its memory is indexed.
        dim: usize,
        /// The indices.
        index: usize,
    },
}

/// Where an output of a stage goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// `stores[.0]`.
    Store(usize),
    /// Row value number `.0` (of a row stage).
    Row(usize),
    /// Reduced over the reduction dims to row value number `.1` (of an element stage).
    Reduce(Reduction, usize),
}

/// How a parameter lies in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// Row-major.
    Plain,
    /// A matrix `[k, j]` in panels of 32 columns, `[⌈j/32⌉][k][32]`, padding zero. `j` is axis 0 of the shape (output features or channels),
    /// `k` the other axes in this order, outermost first.
    Panels(Vec<usize>),
}

/// Columns of a panel.
pub const PANEL: i64 = 32;

impl Layout {
    /// Floats that a tensor of this shape takes, padding included.
    pub fn floats(&self, shape: &[i64]) -> i64 {
        match self {
            Layout::Plain => shape.iter().product(),
            Layout::Panels(_) => (shape[0] + PANEL - 1) / PANEL * PANEL * shape[1..].iter().product::<i64>(),
        }
    }

    /// The same as memory is laid out by it: a multiple of 16.
    pub fn padded(&self, shape: &[i64]) -> usize {
        (self.floats(shape) as usize).next_multiple_of(16)
    }

    /// Where element `index` of a tensor of this shape lies.
    pub fn position(&self, shape: &[i64], index: &[i64]) -> i64 {
        match self {
            Layout::Plain => shape.iter().zip(index).fold(0, |at, (s, i)| at * s + i),
            Layout::Panels(order) => {
                let k = order.iter().fold(0, |at, &axis| at * shape[axis] + index[axis]);
                let rows: i64 = shape[1..].iter().product();
                (index[0] / PANEL * rows + k) * PANEL + index[0] % PANEL
            }
        }
    }

    /// Where the element with this row-major number lies in a tensor of this shape.
    pub fn place(&self, shape: &[i64], number: usize) -> usize {
        let Layout::Panels(order) = self else { return number };
        let (panel, rows) = (PANEL as usize, shape[1..].iter().product::<i64>() as usize);
        let index = |axis: usize| number / shape[axis + 1..].iter().product::<i64>() as usize % shape[axis] as usize;
        let row = order.iter().fold(0, |at, &axis| at * shape[axis] as usize + index(axis));
        let column = number / rows;
        (column / panel * rows + row) * panel + column % panel
    }

    /// The row-major number of the element that lies here, the other way round; `None` of padding.
    pub fn number(&self, shape: &[i64], at: usize) -> Option<usize> {
        let len = shape.iter().product::<i64>() as usize;
        let Layout::Panels(order) = self else { return (at < len).then_some(at) };
        let (panel, rows) = (PANEL as usize, shape[1..].iter().product::<i64>() as usize);
        let column = at / panel / rows * panel + at % panel;
        let mut row = at / panel % rows;
        let mut number = column * rows;
        for &axis in order.iter().rev() {
            let size = shape[axis] as usize;
            number += row % size * shape[axis + 1..].iter().product::<i64>() as usize;
            row /= size;
        }
        (column < shape[0] as usize).then_some(number)
    }
}

impl Program {
    /// Whether it assigns a state.
    pub fn assigns_state(&self) -> bool {
        !self.assigns.is_empty()
    }

    /// Whether it draws random numbers.
    pub fn draws(&self) -> bool {
        let mut sources = self.launches.iter().flat_map(|l| &l.stages).flat_map(|s| &s.inputs);
        sources.any(|source| matches!(source, Source::Random { .. }))
    }

    /// Whether its gradients are those of the loss times the loss scale.
    pub fn is_scaled(&self) -> bool {
        let mut sources = self.launches.iter().flat_map(|l| &l.stages).flat_map(|s| &s.inputs);
        sources.any(|source| matches!(source, Source::LossScale))
    }

    /// The words of all checks.
    pub fn words(&self) -> usize {
        self.checks.iter().map(Check::words).sum()
    }

    /// The names of the run-time sizes, sorted.
    pub fn symbols(&self) -> Vec<Arc<str>> {
        let sizes = self.arguments.iter().flat_map(|a| &a.ty.shape);
        let mut names: Vec<_> = sizes.flat_map(Size::names).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Bytes of the arena under a binding of the run-time sizes.
    pub fn arena_bytes(&self, value: &dyn Fn(&str) -> i64) -> i64 {
        arena_bytes(&self.arena, value)
    }
}

/// Bytes of an arena under a binding of the run-time sizes.
pub fn arena_bytes(arena: &[Size], value: &dyn Fn(&str) -> i64) -> i64 {
    arena.iter().map(|size| size.eval(value)).max().unwrap_or(0)
}
