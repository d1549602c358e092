//! Operators along one axis, as routines over rows: the axis is moved to the end and back.

use super::Rule;
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, Param, required};
use crate::graph::{Call, Value};
use crate::ops::Operator;
use crate::routine::Routine;
use crate::size::Size;

/// The tensor before the dot.
pub(super) const X: Param = required("input", Kind::Tensor);

/// Takes the place of an operator while the list of all is put together.
pub(super) const NONE: Operator = Operator { name: "", doc: "", signature: &[], build: |_, _| Ok(Arg::Unknown) };

/// What most rules have in common: nothing to work in, nothing that flows back.
pub(super) const PLAIN: Rule = Rule {
    results: |_, operands| Ok(vec![operands[0].clone()]),
    numbers: |_| super::Numbers::Any,
    gradient: |_, _| vec![],
    scratch: |_| None,
    flops: |operands| super::row(operands[0]),
    reference: |_, _, _| {},
};

/// A routine along an axis of tensors of one rank.
pub(super) struct Along {
    axis: usize,
    rank: usize,
}

impl Along {
    /// Along the axis that argument `slot` names; `default`: the one it names if it was left out.
    pub(super) fn of(b: &mut Builder, bound: &Bound, slot: usize, default: i64, x: Value) -> Checked<Along> {
        let rank = b.rank(x);
        if rank == 0 {
            let message = format!("`{}` of a scalar, which has no axis", bound.callee);
            return bound.wrong(b, "N0105", 0, message, "give a tensor with at least one axis");
        }
        let axis = bound.axis(b, slot, bound.int(slot).unwrap_or(default), rank)?;
        Ok(Along { axis, rank })
    }

    /// The axis.
    pub(super) fn axis(&self) -> usize {
        self.axis
    }

    /// A tensor with the axis at the end.
    pub(super) fn rows(&self, b: &mut Builder, x: Value) -> Value {
        let mut order: Vec<usize> = (0..self.rank).filter(|a| *a != self.axis).collect();
        order.push(self.axis);
        b.permute(x, &order)
    }

    /// A tensor of rows, with the axis where it was.
    pub(super) fn back(&self, b: &mut Builder, rows: Value) -> Value {
        let mut order: Vec<usize> = (0..self.rank - 1).collect();
        order.insert(self.axis, self.rank - 1);
        b.permute(rows, &order)
    }

    /// The results of a routine.
    pub(super) fn call(
        &self,
        b: &mut Builder,
        routine: Routine,
        reverse: bool,
        length: Option<Size>,
        operands: &[Value],
    ) -> Vec<Value> {
        let operands = operands.iter().map(|x| self.rows(b, *x)).collect();
        let results = b.routine(Call { routine, reverse, length }, operands);
        results.into_iter().map(|y| self.back(b, y)).collect()
    }
}
