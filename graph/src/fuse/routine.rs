//! Launches of routines: whole rows in memory, results row-major, and memory to work in that the plan has a place for.

use super::group::Group;
use super::lower::Lower;
use super::view::strip_reshapes;
use crate::graph::{Call, Op, Value};
use crate::program::{Access, Buffer, Family, Index, Launch, Place};
use crate::size::Size;
use crate::types::Type;

impl Lower<'_> {
    pub(crate) fn routine_launch(&mut self, group: &Group, call: &Call) -> Launch {
        let (graph, node) = (self.graph, group.nodes[0]);
        let operands: Vec<Type> = graph.node(node).inputs.iter().map(|v| graph.ty(*v).clone()).collect();
        let operands_ref: Vec<&Type> = operands.iter().collect();
        let rank = operands[0].rank();
        let loads = graph.node(node).inputs.iter().zip(&operands).map(|(operand, ty)| {
            let memory = strip_reshapes(graph, *operand);
            rows(self.buffer(memory), &ty.shape, rank)
        });
        let loads = loads.collect();
        let mut stores = vec![];
        for (number, ty) in graph.types(node).iter().enumerate() {
            let buffer = if number == 0 { self.buffer(node) } else { self.result(node, number, ty) };
            stores.push(rows(buffer, &ty.shape, rank));
        }
        if let Some((dtype, size)) = call.scratch(&operands_ref) {
            let name = format!("memory of {}", call.routine.name());
            let buffer = self.add_buffer(Buffer::new(name, dtype, size.clone(), Place::open()), None);
            stores.push(Access::new(buffer, vec![size], vec![Index::zero()]));
        }
        let (space, reduce) = operands[0].shape.split_at(rank - 1);
        Launch {
            name: self.name(group),
            loc: 0,
            space: space.to_vec(),
            reduce: reduce.to_vec(),
            family: Family::Routine { routine: call.routine, reverse: call.reverse },
            loads,
            stores,
            stages: vec![],
            updates: None,
        }
    }

    /// The buffer of a result beside the first, which those who read it find by its number.
    fn result(&mut self, node: Value, number: usize, ty: &Type) -> usize {
        let name = self.graph.node(node).origin.name.to_string();
        let buffer = self.add_buffer(Buffer::new(name, ty.dtype, ty.len(), Place::open()), None);
        let gets = self.graph.nodes.iter().enumerate();
        let gets: Vec<usize> =
            gets.filter(|(_, n)| n.op == Op::Get(number) && n.inputs == [node]).map(|(at, _)| at).collect();
        gets.into_iter().for_each(|at| self.set_buffer(Value(at as u32), buffer));
        buffer
    }
}

/// All of a buffer, of which each point of the space has a row.
fn rows(buffer: usize, shape: &[Size], rank: usize) -> Access {
    // A result of another length than the row is a row, too: the index names no element of it.
    let index = (0..shape.len()).map(|d| if d + 1 < rank { Index::of(d) } else { Index::zero() });
    Access::new(buffer, shape.to_vec(), index.collect())
}
