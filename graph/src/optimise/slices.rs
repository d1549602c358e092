//! Simplification of slices, pads and what is joined of parts.

use super::Rebuild;
use crate::graph::{Node, Op, Value};
use crate::size::Size;
use crate::types::Type;

impl Rebuild {
    /// A value that is already there (or simpler nodes) in place of a slice, a pad or a joined value.
    pub(super) fn simplify_slice(&mut self, node: &Node) -> Option<Value> {
        let x = node.inputs[0];
        let below = self.out.node(x).clone();
        match (&node.op, &below.op) {
            (Op::Cat(_), _) if node.inputs.len() == 1 => Some(x),
            (Op::Cat(axis), _) => self.flat_cat(node, *axis),
            (Op::Pad { .. }, _) if below.ty == node.ty => Some(x),
            (Op::Pad { before, value }, Op::Pad { before: inner, value: other }) if value == other => {
                let before = before.iter().zip(inner).map(|(a, b)| a + b).collect();
                Some(self.with(node, Op::Pad { before, value: *value }, below.inputs, node.ty.clone()))
            }
            (Op::Slice { start, step: 1, .. }, _) if below.ty == node.ty && start.is_zero() => Some(x),
            (Op::Slice { .. }, _) if self.out.as_number(x).is_some() => {
                let c = self.out.as_number(x)?;
                Some(self.constant(node, c))
            }
            (Op::Slice { axis, start, step }, Op::Slice { axis: other, start: first, step: by }) if axis == other => {
                let op = Op::Slice { axis: *axis, start: first + &(start * &(*by).into()), step: step * by };
                Some(self.with(node, op, below.inputs, node.ty.clone()))
            }
            (Op::Slice { axis, start, step: 1 }, Op::Cat(along)) if axis == along => {
                // A slice of one part.
                let mut begin = Size::default();
                for &part in &below.inputs {
                    let end = &begin + &self.out.shape(part)[*axis];
                    if begin.at_most(start) && (start + &node.ty.shape[*axis]).at_most(&end) {
                        let op = Op::Slice { axis: *axis, start: start - &begin, step: 1 };
                        return Some(self.with(node, op, vec![part], node.ty.clone()));
                    }
                    begin = end;
                }
                None
            }
            _ => None,
        }
    }

    /// Parts that are joined along the same axis are joined all at once.
    fn flat_cat(&mut self, node: &Node, axis: usize) -> Option<Value> {
        let parts = |v: &Value| match self.out.node(*v).op {
            Op::Cat(other) if other == axis => self.out.node(*v).inputs.clone(),
            _ => vec![*v],
        };
        let flat: Vec<Value> = node.inputs.iter().flat_map(parts).collect();
        (flat.len() != node.inputs.len()).then(|| self.with(node, node.op.clone(), flat, node.ty.clone()))
    }

    /// The reshape of a slice is a slice of a reshape, where the sliced axis is kept or cut in pieces: then nothing need be copied.
    pub(super) fn reshape_of_slice(&mut self, node: &Node) -> Option<Value> {
        let (Op::Reshape, &x) = (&node.op, node.inputs.first()?) else { return None };
        let below = self.out.node(x).clone();
        let Op::Slice { axis, start, step } = &below.op else { return None };
        let inner = below.inputs[0];
        let whole = self.out.shape(inner).to_vec();
        // Axes of size 1 come and go without this.
        let long = |shape: &[Size]| shape.iter().filter(|s| !s.is(1)).cloned().collect::<Vec<_>>();
        if long(&below.ty.shape) == long(&node.ty.shape) {
            return None;
        }
        // The axis of the result in the place of the sliced one: as many elements stand before it and behind it, but for the pieces.
        let before = Size::product(&whole[..*axis]);
        let behind = Size::product(&whole[axis + 1..]);
        let shape = &node.ty.shape;
        let at = (0..shape.len()).find(|&at| Size::product(&shape[..at]) == before && !shape[at].is(1))?;
        let rest = Size::product(&shape[at + 1..]);
        let piece = if rest == behind { 1.into() } else { rest.div_exact(&behind)? };
        let all = whole[*axis].div_exact(&piece)?;
        let first = start.div_exact(&piece)?;
        if *step != 1 && !piece.is(1) || below.ty.shape[*axis] != &shape[at] * &piece {
            return None;
        }
        let mut wide = shape.clone();
        wide[at] = all;
        let ty = Type::new(node.ty.dtype, wide);
        let wide = self.with(node, Op::Reshape, vec![inner], ty);
        Some(self.with(node, Op::Slice { axis: at, start: first, step: *step }, vec![wide], node.ty.clone()))
    }
}
