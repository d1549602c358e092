//! The gradient of a slice, and of several slices of one value.

use super::Pass;
use crate::builder::Builder;
use crate::graph::{Op, Value};
use crate::size::Size;

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

/// Gradients of slices that lie side by side become one value each, with nothing to add.
pub(super) fn join(b: &mut Builder, parts: Vec<Value>) -> Vec<Value> {
    let mut rest = vec![];
    let mut slices: Vec<(usize, Size, Vec<Value>)> = vec![];
    for &part in &parts {
        match slice_of(b, part) {
            Some((axis, start, inner)) => slices.push((axis, start, vec![inner])),
            None => rest.push(part),
        }
    }
    // Any two neighbours, until there are none.
    let end = |b: &Builder, (axis, start, inner): &(usize, Size, Vec<Value>)| {
        inner.iter().fold(start.clone(), |end, &part| &end + &b.graph.shape(part)[*axis])
    };
    let pair = |b: &Builder, all: &[(usize, Size, Vec<Value>)]| {
        let pairs = (0..all.len()).flat_map(|i| (0..all.len()).map(move |j| (i, j)));
        let mut found = pairs.filter(|&(i, j)| i != j && all[i].0 == all[j].0 && end(b, &all[i]) == all[j].1);
        found.next()
    };
    let mut joined = false;
    while let Some((i, j)) = pair(b, &slices) {
        let next = std::mem::take(&mut slices[j].2);
        slices[i].2.extend(next);
        slices.remove(j);
        joined = true;
    }
    if !joined {
        return parts;
    }
    let whole = b.shape(parts[0]);
    for (axis, start, inner) in slices {
        let value = b.cat(&inner, axis);
        let mut before = vec![Size::default(); whole.len()];
        before[axis] = start;
        rest.push(b.pad(value, before, whole.clone(), 0.0));
    }
    rest
}

/// If a value is zeros around another one, along one axis: which, from where on, and what.
fn slice_of(b: &Builder, value: Value) -> Option<(usize, Size, Value)> {
    let node = b.graph.node(value);
    let Op::Pad { before, value: 0.0 } = &node.op else { return None };
    let inner = b.graph.shape(node.inputs[0]);
    let mut axes = (0..inner.len()).filter(|&a| inner[a] != node.ty.shape[a]);
    let axis = axes.next().filter(|_| axes.next().is_none())?;
    Some((axis, before[axis].clone(), node.inputs[0]))
}
