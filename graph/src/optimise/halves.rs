//! Halves: read as they lie where that can be, widened and rounded no oftener than need be.

use super::Rebuild;
use crate::graph::{Node, Op, Value};
use crate::primitives::Class;
use crate::scalar::{Binary, Unary};
use crate::types::{DType, Type};

/// How far to look for what a value is made of.
const DEPTH: usize = 8;

impl Rebuild {
    /// What is widened only for who reads it from memory stays as it is: products, convolutions, pools, gathers read halves. Views are taken of
    /// halves, so that nothing stands between.
    pub(super) fn of_halves(&mut self, node: &Node) -> Option<Value> {
        if node.op == Op::Cast && node.ty.dtype.is_half() {
            return self.rounded(node);
        }
        let half = |v: &Value| self.out.widened(*v).filter(|_| self.out.dtype(*v) == DType::F32);
        let primitive = node.op.primitive();
        // Attention takes one type alone.
        let is_whole = primitive.decomposition.is_some();
        let reads_halves = primitive.reads_memory && matches!(primitive.class, Class::Tile | Class::Point) && !is_whole;
        if reads_halves && node.inputs.iter().any(|x| half(x).is_some()) {
            let inputs = node.inputs.iter().map(|x| half(x).unwrap_or(*x)).collect();
            return Some(self.with(node, node.op.clone(), inputs, node.ty.clone()));
        }
        if !matches!(node.op, Op::Broadcast | Op::Reshape | Op::Permute(_) | Op::Slice { .. }) {
            return None;
        }
        let x = half(&node.inputs[0])?;
        let narrow = Type::new(self.out.dtype(x), node.ty.shape.clone());
        let view = self.with(node, node.op.clone(), vec![x], narrow);
        Some(self.with(node, Op::Cast, vec![view], node.ty.clone()))
    }

    /// What was rounded already, and only widened since, is not rounded again, and of a view what it shows is: the kernel that makes it does so.
    fn rounded(&mut self, node: &Node) -> Option<Value> {
        if let Some(half) = self.out.widened(node.inputs[0]).filter(|half| *self.out.ty(*half) == node.ty) {
            return Some(half);
        }
        let below = self.out.node(node.inputs[0]).clone();
        match below.op {
            Op::Reshape | Op::Permute(_) | Op::Broadcast if self.out.as_number(node.inputs[0]).is_none() => {
                let ty = Type::new(node.ty.dtype, self.out.shape(below.inputs[0]).to_vec());
                let half = self.with(node, Op::Cast, vec![below.inputs[0]], ty);
                Some(self.with(node, below.op, vec![half], node.ty.clone()))
            }
            // Each part is rounded by who makes it.
            Op::Cat(_) => {
                let parts = below.inputs.iter().map(|part| {
                    let ty = Type::new(node.ty.dtype, self.out.shape(*part).to_vec());
                    self.with(node, Op::Cast, vec![*part], ty)
                });
                let parts = parts.collect();
                Some(self.with(node, below.op, parts, node.ty.clone()))
            }
            _ => None,
        }
    }

    /// If `half` is the half that `x` was rounded to, and rounding changed nothing (of the greater of two halves, say): the half made wide, which
    /// whoever comes later reads in place of `x`, so that `x` need not lie in memory too.
    pub(super) fn exact_half(&mut self, x: Value, half: Value) -> Option<Value> {
        let made = self.out.node(half).clone();
        let rounds = made.op == Op::Cast && made.inputs == [x] && made.ty.dtype.is_half();
        // What is widened here already is read so.
        if !rounds || self.out.node(x).op == Op::Cast || !self.is_half(x, made.ty.dtype, DEPTH) {
            return None;
        }
        let ty = self.out.ty(x).clone();
        Some(self.intern(Node { op: Op::Cast, inputs: vec![half], ty, origin: made.origin }))
    }

    /// Whether every number of the value is one of this type.
    fn is_half(&self, value: Value, half: DType, depth: usize) -> bool {
        let node = self.out.node(value);
        if node.ty.dtype == half {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        let are = |values: &[Value]| values.iter().all(|v| self.is_half(*v, half, depth));
        match &node.op {
            Op::Const(c) => c.to(half) == *c,
            Op::Cast => self.out.dtype(node.inputs[0]) == half,
            Op::Broadcast | Op::Reshape | Op::Permute(_) | Op::Slice { .. } | Op::Detach | Op::Copy => {
                are(&node.inputs)
            }
            Op::Unary(Unary::Neg | Unary::Abs) | Op::Binary(Binary::Max | Binary::Min) => are(&node.inputs),
            Op::MaxPool2d(_) => are(&node.inputs),
            Op::Pad { value, .. } => value.to(half) == *value && are(&node.inputs),
            Op::Select => are(&node.inputs[1..]),
            Op::Gather { .. } => are(&node.inputs[..1]),
            _ => false,
        }
    }
}
