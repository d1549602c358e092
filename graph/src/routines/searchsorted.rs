//! Where elements belong in sorted rows.

use std::cmp::Ordering;

use super::along::{Along, PLAIN};
use super::{Rule, row};
use crate::builder::{Builder, Checked};
use crate::call::{Arg, Bound, Kind, named, required};
use crate::diagnostic::Diagnostic;
use crate::graph::Call;
use crate::number::{self, Number};
use crate::ops::Operator;
use crate::routine::Routine;
use crate::types::{DType, Type, shape_text};

pub(super) const RULE: Rule = Rule {
    results: |_, operands| match operands[0].dtype == operands[1].dtype {
        true => Ok(vec![Type::new(DType::I64, operands[1].shape.to_vec())]),
        false => Err(format!("`searchsorted` of {} and {}", operands[0], operands[1])),
    },
    flops: |operands| &row(operands[1]) * &16.into(),
    reference,
    ..PLAIN
};

pub(super) const OPERATORS: &[Operator] = &[Operator {
    name: "searchsorted",
    doc: "For each element of `values` how many elements of its row of `sorted_sequence` are smaller (`right`: or equal), as i64. Rows are the last axes; one row serves all. Found by halving, as PyTorch does it: a row with NaN is not in order.",
    signature: &[
        required("sorted_sequence", Kind::Tensor),
        required("values", Kind::Tensor),
        named("right", Kind::Bool, "false"),
    ],
    build: searchsorted,
}];

fn searchsorted(b: &mut Builder, bound: &Bound) -> Checked<Arg> {
    let (mut sorted, x) = (bound.tensor(b, 0, None), bound.tensor(b, 1, None));
    let along = Along::of(b, bound, 2, -1, sorted)?;
    let (from, mut to) = (b.shape(sorted), b.shape(x));
    let scalar = to.is_empty();
    if scalar {
        to.push(1.into());
    }
    let mut rows = to[..to.len() - 1].to_vec();
    if b.graph.dtype(sorted) != b.graph.dtype(x) {
        let (a, c) = (b.ty(sorted).clone(), b.ty(x).clone());
        let message = format!("element types differ in `searchsorted`: {a} and {c}");
        return bound.wrong(b, "N0201", 1, message, format!("convert one of them: `.cast({})`", a.dtype));
    }
    rows.push(from[along.axis()].clone());
    if from.len() == 1 {
        sorted = b.broadcast_to(sorted, &rows);
    } else if from != rows {
        let message = format!(
            "`searchsorted` of {} in rows of {}: all sizes but the last must be equal",
            shape_text(&to),
            shape_text(&from)
        );
        let d = Diagnostic::new("N0102", bound.at(1), message)
            .note(b.made_at(sorted), format!("the rows come from `{}`", b.made_by(sorted)));
        return b.report(d.help("give one row, or a row for each row of the values"));
    }
    let shape = b.shape(x);
    let x = b.reshape(x, to);
    let call = Call { routine: Routine::Searchsorted, reverse: bound.bool(2).unwrap_or(false), length: None };
    let found = b.routine(call, vec![sorted, x])[0];
    Ok(Arg::Tensor(if scalar { b.reshape(found, shape) } else { found }))
}

fn reference(right: bool, x: &[&[Number]], y: &mut [Vec<Number>]) {
    for (place, value) in y[0].iter_mut().zip(x[1]) {
        // What is no number is passed by, as PyTorch does.
        let before = |element: Number| match number::order(element, *value) {
            Some(Ordering::Less) | None => true,
            Some(Ordering::Equal) => right,
            Some(Ordering::Greater) => false,
        };
        let (mut start, mut end) = (0, x[0].len());
        while start < end {
            let middle = start + (end - start) / 2;
            if before(x[0][middle]) { start = middle + 1 } else { end = middle }
        }
        *place = Number::Int(start as i64);
    }
}
