//! The table of primitives: a row for each [`Op`], all that passes ask of one that they do not know by name.
//!
//! [`Op::primitive`] is the only match here, and it names every operator. What a pass does with one of its own (its gradient, its type, its
//! loop in the reference) stands with the pass, in a match without a default arm: a new operator is a mistake of the build until somebody has
//! thought of it there.

use crate::attention;
use crate::decompose::{self, Decomposition};
use crate::graph::{Graph, Node, Op, Window};
use crate::scalar::Lane;
use crate::size::Size;

mod work;

pub(crate) use work::flops;

/// How a node takes part in fusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// An argument or parameter: read from memory.
    Leaf,
    /// Made of nothing: constants, indices, random numbers; repeated wherever it is used.
    Free,
    /// Another index into the same elements.
    View,
    /// Element by element, also a pool over operands in memory.
    Point,
    /// A reduction over axes.
    Reduce,
    /// A matrix product or a convolution: operands in memory.
    Tile,
    /// Its operands one after the other: each is stored there by the kernel that makes it.
    Joined,
    /// A kernel with nothing else in it: operands in memory.
    Alone,
    /// A loop with a body of its own: operands and results in memory.
    Region,
}

impl Class {
    /// Whether a kernel makes the value.
    pub fn is_computed(self) -> bool {
        match self {
            Class::Point | Class::Reduce | Class::Tile | Class::Alone | Class::Region => true,
            Class::Leaf | Class::Free | Class::View | Class::Joined => false,
        }
    }
}

/// What it takes to have the value once more, where the backward pass reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It lies in memory all through the program: arguments, parameters, and states, which are assigned after all reads.
    Given,
    /// It needs no operands and no memory: constants, indices, random numbers by counter.
    Free,
    /// It is an index into its operand's elements.
    View,
    /// It costs next to nothing where its operands are at hand.
    Light,
    /// It is kept, but for what a pass knows of it by name.
    Heavy,
}

/// How many operands a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operands {
    /// So many.
    Exactly(usize),
    /// So many, or one more.
    OrOneMore(usize),
    /// At least one.
    Some,
    /// One, and pairs of others, at least one.
    Slopes,
    /// As many as the node says itself.
    Any,
}

impl Operands {
    /// Whether a node may have `count` operands.
    pub fn admit(self, count: usize) -> bool {
        match self {
            Operands::Exactly(wanted) => count == wanted,
            Operands::OrOneMore(least) => count == least || count == least + 1,
            Operands::Some => count > 0,
            Operands::Slopes => count >= 3 && count % 2 == 1,
            Operands::Any => true,
        }
    }
}

/// The lanes of what is computed: of the first operand, else of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// All.
    Any,
    /// Floats and integers.
    Numbers,
    /// Floats.
    Floats,
    /// Those that a function of scalars takes.
    Unary(crate::scalar::Unary),
    /// Likewise.
    Binary(crate::scalar::Binary),
    /// Likewise.
    Reduction(crate::scalar::Reduction),
}

impl Lanes {
    /// Whether there is such an operator of a lane.
    pub fn admit(self, lane: Lane) -> bool {
        match self {
            Lanes::Any => true,
            Lanes::Numbers => lane != Lane::Bool,
            Lanes::Floats => lane.is_float(),
            Lanes::Unary(f) => f.takes(lane),
            Lanes::Binary(f) => f.takes(lane),
            Lanes::Reduction(f) => f.takes(lane),
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Primitive {
    /// How many operands.
    pub operands: Operands,
    /// How it is fused.
    pub class: Class,
    /// Whether it reads its operands from memory, not element by element from a neighbour in its kernel.
    pub reads_memory: bool,
    /// Whether to make it again.
    pub weight: Weight,
    /// Whether it is a function of elements that, of constants and indices alone, is made of nothing, too.
    pub is_function: bool,
    /// Of what is found by windows: which, and how many elements each tap loads.
    pub window: Option<(Window, i64)>,
    /// Of which lanes there is one.
    pub lanes: Lanes,
    /// Floating-point operations of a node.
    pub flops: fn(&Graph, &Node) -> Size,
    /// How it is written by others where a target has no kernel of it.
    pub decomposition: Option<Decomposition>,
}

impl Primitive {
    /// A row of which only this much is said: of any lane, without windows, operands element by element, no operations.
    fn new(operands: usize, class: Class, weight: Weight) -> Primitive {
        Primitive {
            operands: Operands::Exactly(operands),
            class,
            reads_memory: false,
            weight,
            is_function: false,
            window: None,
            lanes: Lanes::Any,
            flops: work::none,
            decomposition: None,
        }
    }

    fn given() -> Primitive {
        Primitive::new(0, Class::Leaf, Weight::Given)
    }

    fn free() -> Primitive {
        Primitive::new(0, Class::Free, Weight::Free)
    }

    fn view() -> Primitive {
        Primitive::new(1, Class::View, Weight::View)
    }

    /// One operation an element.
    fn function(operands: usize, lanes: Lanes) -> Primitive {
        let point = Primitive::new(operands, Class::Point, Weight::Light);
        Primitive { is_function: true, lanes, flops: work::each, ..point }
    }

    /// What no target has.
    fn decomposed(operands: usize, decomposition: Decomposition) -> Primitive {
        let point = Primitive::new(operands, Class::Point, Weight::Heavy);
        Primitive { lanes: Lanes::Floats, decomposition: Some(decomposition), ..point }
    }

    /// A point whose operands lie in memory.
    fn addressed(operands: usize) -> Primitive {
        Primitive { reads_memory: true, ..Primitive::new(operands, Class::Point, Weight::Heavy) }
    }

    /// A pool, its gradient, or what goes by its winners; `loads` elements a tap.
    fn pool(operands: usize, window: Window, loads: i64) -> Primitive {
        let point = Primitive::addressed(operands);
        Primitive { window: Some((window, loads)), lanes: Lanes::Numbers, flops: work::each, ..point }
    }

    /// A tile of its own, or what it is written by.
    fn attention(operands: usize, flops: fn(&Graph, &Node) -> Size, decomposition: Decomposition) -> Primitive {
        let operands = Operands::OrOneMore(operands);
        Primitive { operands, decomposition: Some(decomposition), ..Primitive::tile(flops) }
    }

    fn tile(flops: fn(&Graph, &Node) -> Size) -> Primitive {
        let tile = Primitive::new(2, Class::Tile, Weight::Heavy);
        Primitive { reads_memory: true, lanes: Lanes::Floats, flops, ..tile }
    }
}

impl Op {
    /// The operator's row.
    pub(crate) fn primitive(&self) -> Primitive {
        use Primitive as P;
        match self {
            Op::Input(_) | Op::Parameter(_) | Op::RoundParameter { .. } => P::given(),
            Op::Mirror { .. } | Op::State(_) | Op::RoundState { .. } => P::given(),
            Op::Const(_) | Op::Size(_) | Op::Iota(_) | Op::LossScale | Op::Random(_) => P::free(),
            Op::Unary(f) => P::function(1, Lanes::Unary(*f)),
            Op::Binary(f) => P::function(2, Lanes::Binary(*f)),
            Op::Select => P::function(3, Lanes::Any),
            Op::Cast => P::function(1, Lanes::Any),
            Op::Detach => P::new(1, Class::Point, Weight::View),
            Op::WithSlope => P { operands: Operands::Slopes, ..P::new(0, Class::Point, Weight::Heavy) },
            Op::Softmax(_) | Op::SafeSoftmax(_) | Op::LogSoftmax(_) => P::decomposed(1, decompose::softmax),
            Op::Normalize(_) => P::decomposed(3, decompose::normalize),
            Op::Resample { .. } => P::decomposed(1, decompose::resample),
            Op::Broadcast | Op::Reshape | Op::Permute(_) => P::view(),
            Op::After => P { operands: Operands::Exactly(2), ..P::view() },
            Op::Slice { .. } => P::new(1, Class::View, Weight::Light),
            Op::Pad { .. } => P::addressed(1),
            Op::Gather { .. } => P::addressed(2),
            Op::Cat(_) => P { operands: Operands::Some, ..P::new(0, Class::Joined, Weight::Heavy) },
            Op::Scatter { .. } => {
                let alone = P::new(2, Class::Alone, Weight::Heavy);
                P { reads_memory: true, lanes: Lanes::Numbers, flops: work::of_operand, ..alone }
            }
            Op::Reduce(f, _) => {
                let reduce = P::new(1, Class::Reduce, Weight::Heavy);
                P { lanes: Lanes::Reduction(*f), flops: work::of_operand, ..reduce }
            }
            Op::MatMul { .. } => P::tile(work::product),
            Op::Conv2d(_) => P::tile(work::conv),
            Op::Conv2dInputGrad(_) => P::tile(work::conv_input_grad),
            Op::Conv2dWeightGrad(_) => P::tile(work::conv_weight_grad),
            Op::MaxPool2d(w) | Op::SumPool2d(w) => P { flops: work::windows, ..P::pool(1, *w, 1) },
            Op::SumPool2dGrad(w) | Op::MaxPool2dIndex(w) => P::pool(1, *w, 1),
            Op::MaxPool2dGrad(w) | Op::MaxPool2dGather(w) => P::pool(2, *w, 1),
            Op::MaxPool2dScatter(w) => P::pool(2, *w, 2),
            Op::Attention(_) => P::attention(3, work::attention, attention::decomposition),
            Op::AttentionGrad(_) => P::attention(3 + attention::MORE, work::attention_grad, attention::gradient),
            Op::Copy => P::new(1, Class::Point, Weight::Heavy),
            Op::Routine(call) => {
                let alone = P::new(call.routine.arity().0, Class::Alone, Weight::Heavy);
                P { reads_memory: true, flops: work::routine, ..alone }
            }
            Op::Repeat(_) => {
                let region = P::new(0, Class::Region, Weight::Heavy);
                P { operands: Operands::Any, reads_memory: true, flops: work::rounds, ..region }
            }
            Op::Get(_) => P::new(1, Class::Leaf, Weight::Heavy),
        }
    }
}
