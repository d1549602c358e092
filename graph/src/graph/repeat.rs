//! Loops: one body, gone through again and again.

use super::{Argument, Graph, Op, Output, Role, Value, rounds};
use crate::size::Size;
use crate::types::Type;

/// `count` rounds of one body: equal blocks are one block in the compiler.
///
/// The body's arguments are, in order: `states` values (the previous round's), `shared` values (the same each round), then values of which
/// round `r` sees row `r` (the operand has a leading axis of `count`). Its results are: the next `states`, then values that are stacked on
/// a leading axis of `count`. The results of the whole are, by [`Op::Get`]: the last states, then the stacks. The body has parameters of its
/// own in every round, and their gradients are outputs of the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// Rounds, at least one.
    pub count: Size,
    /// From the last round to the first: rows of stacks and of stacked outputs keep their round's number.
    pub reverse: bool,
    /// Carried values.
    pub states: usize,
    /// Values that every round sees.
    pub shared: usize,
    /// The body; its inputs are `Op::Input(0..)`.
    pub body: Graph,
    /// How its values lie; decided when it is lowered, row-major until then.
    pub border: Border,
}

/// The order of a value's axes in memory, outermost first; `None`: row-major.
pub type AxisOrder = Option<Vec<usize>>;

/// How the arguments and results of the body of a `Repeat` lie; what is missing lies row-major. A stack lies as its rows, one behind the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Border {
    /// Of the arguments, by number.
    pub arguments: Vec<AxisOrder>,
    /// Of the results, by number.
    pub results: Vec<AxisOrder>,
    /// Which of them lie by strides that the call tells: of no body of a loop.
    pub strided: StridedOperands,
}

/// The arguments and results of a function that lie by strides that the call tells, by number: they may be parts of larger arrays, turned, or
/// repeated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StridedOperands {
    /// Of the arguments.
    pub arguments: Vec<usize>,
    /// Of the results.
    pub results: Vec<usize>,
}

impl Repeat {
    /// The states of the net that its rounds read or assign; sorted.
    pub fn states_of_net(&self) -> Vec<usize> {
        self.body.states_in(&[rounds(self)])
    }

    /// The types of its results: the last states, then the stacks.
    pub fn types(&self) -> Vec<Type> {
        let results = self.body.outputs.iter().take_while(|o| matches!(o.role, Role::Result(_)));
        let ty = |(number, output): (usize, &Output)| {
            let mut ty = self.body.ty(output.value).clone();
            if number >= self.states {
                ty.shape.insert(0, self.count.clone());
            }
            ty
        };
        results.enumerate().map(ty).collect()
    }

    /// Whether every round sees the same as this operand.
    pub fn is_shared(&self, operand: usize) -> bool {
        (self.states..self.states + self.shared).contains(&operand)
    }

    /// Puts an argument into the body, and its operand into the loop's.
    fn insert_argument(&mut self, at: usize, operands: &mut Vec<Value>, argument: Argument, operand: Value) {
        for node in &mut self.body.nodes {
            match &mut node.op {
                Op::Input(i) if *i >= at => *i += 1,
                _ => {}
            }
        }
        self.body.arguments.insert(at, argument);
        operands.insert(at, operand);
    }

    /// Gives the body an argument that every round sees, and the loop its operand; the argument's number.
    pub fn share(&mut self, operands: &mut Vec<Value>, argument: Argument, operand: Value) -> usize {
        let number = self.states + self.shared;
        self.insert_argument(number, operands, argument, operand);
        self.shared += 1;
        number
    }

    /// Gives the loop one more state, which is `next` after a round; its number.
    pub fn carry(&mut self, operands: &mut Vec<Value>, argument: Argument, operand: Value, next: Value) -> usize {
        let number = self.states;
        self.insert_argument(number, operands, argument, operand);
        self.body.outputs.insert(number, Output { role: Role::Result(number), value: next });
        for output in &mut self.body.outputs[number + 1..] {
            if let Role::Result(result) = &mut output.role {
                *result += 1;
            }
        }
        self.states += 1;
        number
    }

    /// Lets the loop stack a value of its rounds; the number of the result.
    pub fn stack(&mut self, value: Value) -> usize {
        let results = self.body.outputs.iter().take_while(|o| matches!(o.role, Role::Result(_))).count();
        let known = self.body.outputs[self.states..results].iter().position(|o| o.value == value);
        known.map(|at| at + self.states).unwrap_or_else(|| {
            self.body.outputs.insert(results, Output { role: Role::Result(results), value });
            results
        })
    }
}
