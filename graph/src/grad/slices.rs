//! The gradient of a slice, and of several slices of one value.

use std::collections::BTreeSet;

use super::Pass;
use crate::builder::Builder;
use crate::graph::{Op, Value};
use crate::number::Number;
use crate::size::Size;
use rustc_hash::FxHashMap;

impl Pass<'_> {
    /// `g` where the slice of `x` was, zeros around it (and in between, for a step).
    pub(super) fn unslice(&mut self, g: Value, x: Value, axis: usize, start: &Size, step: i64) -> Value {
        let b = &mut self.b;
        let shape = b.shape(x);
        let (mut g, mut start) = (g, start.clone());
        if step < 0 {
            // The last element comes first.
            let last = &b.shape(g)[axis] - &1.into();
            start = &start + &(&last * &step.into());
            g = b.flip(g, axis);
        }
        if step.abs() > 1 {
            // A new axis behind the sliced one: the element, then zeros up to the next.
            let mut steps = b.shape(g);
            let count = steps[axis].clone();
            steps.insert(axis + 1, 1.into());
            let wide = b.reshape(g, steps.clone());
            steps[axis + 1] = step.abs().into();
            let wide = b.pad(wide, vec![Size::default(); steps.len()], steps.clone(), 0.0);
            steps.remove(axis + 1);
            steps[axis] = &count * &step.abs().into();
            let all = b.reshape(wide, steps);
            // What follows the last element may lie behind the end.
            let len = &(&(&count - &1.into()) * &step.abs().into()) + &1.into();
            g = b.slice(all, axis, Size::default(), len);
        }
        let mut before = vec![Size::default(); shape.len()];
        before[axis] = start;
        b.pad(g, before, shape, 0.0)
    }
}

/// A row of slices that lie side by side.
struct Row {
    axis: usize,
    start: Size,
    end: Size,
    parts: Vec<Value>,
}

/// Gradients of slices that lie side by side become one value each, with nothing to add.
pub(super) fn join(b: &mut Builder, parts: Vec<Value>) -> Vec<Value> {
    let mut rest = vec![];
    let mut rows: Vec<Row> = vec![];
    for &part in &parts {
        match slice_of(b, part) {
            Some((axis, start, inner)) => {
                let end = &start + &b.graph.shape(inner)[axis];
                rows.push(Row { axis, start, end, parts: vec![inner] });
            }
            None => rest.push(part),
        }
    }
    // Where rows begin that were not appended to another one.
    let mut starts: FxHashMap<(usize, Size), BTreeSet<usize>> = FxHashMap::default();
    for (i, row) in rows.iter().enumerate() {
        starts.entry((row.axis, row.start.clone())).or_default().insert(i);
    }
    let mut joined = false;
    let mut appended = vec![false; rows.len()];
    for i in 0..rows.len() {
        if appended[i] {
            continue;
        }
        loop {
            let next = starts.get_mut(&(rows[i].axis, rows[i].end.clone()));
            let Some((next, j)) = next.and_then(|next| next.iter().copied().find(|&j| j != i).map(|j| (next, j)))
            else {
                break;
            };
            next.remove(&j);
            (appended[j], joined) = (true, true);
            let parts = std::mem::take(&mut rows[j].parts);
            rows[i].parts.extend(parts);
            rows[i].end = rows[j].end.clone();
        }
    }
    if !joined {
        return parts;
    }
    let whole = b.shape(parts[0]);
    for row in rows.into_iter().filter(|row| !row.parts.is_empty()) {
        let value = b.cat(&row.parts, row.axis);
        let mut before = vec![Size::default(); whole.len()];
        before[row.axis] = row.start;
        rest.push(b.pad(value, before, whole.clone(), 0.0));
    }
    rest
}

/// If a value is zeros around another one, along one axis: which, from where on, and what.
fn slice_of(b: &Builder, value: Value) -> Option<(usize, Size, Value)> {
    let node = b.graph.node(value);
    let Op::Pad { before, value: Number::Float(0.0) } = &node.op else { return None };
    let inner = b.graph.shape(node.inputs[0]);
    let mut axes = (0..inner.len()).filter(|&a| inner[a] != node.ty.shape[a]);
    let axis = axes.next().filter(|_| axes.next().is_none())?;
    Some((axis, before[axis].clone(), node.inputs[0]))
}
