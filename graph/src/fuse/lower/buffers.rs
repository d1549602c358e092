//! Where values lie: buffers, and the elements of a node in one.

use super::Lower;
use crate::diagnostic::Loc;
use crate::fuse::layout::ValueLayout;
use crate::fuse::view::strip_reshapes;
use crate::graph::{Op, Role, Value};
use crate::program::{Access, Buffer, Index, Launch, PANEL, Place, Task};
use crate::scalar::Literal;
use crate::size::Size;

impl Lower<'_> {
    /// The element of a node in memory (or of a reshape of one) at an index.
    pub fn access(&mut self, value: Value, index: &[Index], outside: Option<Literal>) -> Access {
        if let Some((whole, (axis, begin))) = self.parts.get(&value).cloned() {
            let mut index = index.to_vec();
            index[axis] = index[axis].clone().plus(&begin);
            return self.access(whole, &index, outside);
        }
        let memory = strip_reshapes(self.graph, value);
        let buffer = self.buffer(memory);
        let shape = self.graph.shape(value);
        let layout = match memory == value {
            true => self.layouts.values.get(&value).cloned(),
            false => None,
        };
        let (dims, index) = match layout.unwrap_or_else(|| ValueLayout::plain(shape.len())) {
            ValueLayout::Order(order) => {
                (order.iter().map(|&a| shape[a].clone()).collect(), order.iter().map(|&a| index[a].clone()).collect())
            }
            ValueLayout::Strided(strides) => {
                let access = Access::strided(buffer, shape.to_vec(), strides, index.to_vec());
                return Access { outside, ..access };
            }
            ValueLayout::Panels(order) => panel_access(shape, index, &order).unwrap_or_else(|what| {
                self.broken.get_or_insert(what);
                (vec![], vec![])
            }),
        };
        Access { outside, ..Access::new(buffer, dims, index) }
    }

    /// The buffer of a node.
    pub fn buffer(&mut self, value: Value) -> usize {
        if let Some(&known) = self.buffer_of.get(&value) {
            return known;
        }
        let node = self.graph.node(value);
        let place = match (&node.op, self.roles.get(&value)) {
            (Op::Input(number), _) => Place::Argument(*number),
            (Op::Parameter(number) | Op::RoundParameter { first: number, .. }, _) => Place::Parameter(*number),
            (Op::Mirror { first, .. }, _) => Place::Mirror(*first),
            (_, Some(Role::Result(number))) => Place::Result(*number),
            (_, Some(Role::Gradient(number) | Role::RoundGradient { first: number, .. })) => Place::Gradient(*number),
            (Op::State(number) | Op::RoundState { first: number, .. }, _) => Place::State(*number),
            (_, Some(Role::State(number) | Role::RoundState { first: number, .. })) => Place::State(*number),
            (_, Some(Role::Check(word))) => Place::Check(*word),
            (_, None) => Place::open(),
        };
        if let Place::State(number) = place
            && let Some(&known) = self.state_buffers.get(&number)
        {
            self.buffer_of.insert(value, known);
            return known;
        }
        let dtype = node.ty.dtype;
        let plain = ValueLayout::plain(node.ty.rank());
        let size = self.layouts.values.get(&value).unwrap_or(&plain).elements(&node.ty.shape).unwrap_or_else(|what| {
            self.broken.get_or_insert(what);
            Size::default()
        });
        let name = node.origin.name.to_string();
        let strides = match (&node.op, self.roles.get(&value)) {
            (Op::RoundParameter { steps, .. } | Op::Mirror { steps, .. } | Op::RoundState { steps, .. }, _)
            | (_, Some(Role::RoundGradient { steps, .. } | Role::RoundState { steps, .. })) => {
                steps.iter().map(|step| Size::constant(*step as i64)).collect()
            }
            _ => vec![],
        };
        let state = if let Place::State(number) = place { Some(number) } else { None };
        let buffer = self.add_buffer(Buffer { strides, ..Buffer::new(name, dtype, size, place) }, None);
        self.state_buffers.extend(state.map(|number| (number, buffer)));
        self.buffer_of.insert(value, buffer);
        buffer
    }

    /// A new buffer, a part of another one if so.
    pub fn add_buffer(&mut self, buffer: Buffer, part_of: Option<usize>) -> usize {
        self.out.buffers.push(Buffer { part_of, ..buffer });
        self.out.buffers.len() - 1
    }

    /// Appends a launch to the schedule.
    pub fn push(&mut self, launch: Launch, place: Loc) {
        self.out.schedule.push(Task::launch(self.out.launches.len()));
        self.out.launches.push(launch);
        self.out.places.push(place);
    }

    /// Says where a value lies.
    pub fn set_buffer(&mut self, value: Value, buffer: usize) {
        self.buffer_of.insert(value, buffer);
    }
}

/// `[⌈j/32⌉][k..][32]`.
pub(crate) fn panel_access(
    shape: &[Size],
    index: &[Index],
    order: &[usize],
) -> Result<(Vec<Size>, Vec<Index>), String> {
    let columns = shape[0].as_const().ok_or_else(|| format!("panels of {} columns: no number", shape[0]))?;
    let mut dims = vec![Size::constant((columns + PANEL - 1) / PANEL)];
    let mut out = vec![Index { divide: PANEL, ..index[0].clone() }];
    for &axis in order {
        dims.push(shape[axis].clone());
        out.push(index[axis].clone());
    }
    dims.push(Size::constant(PANEL));
    out.push(Index { modulo: PANEL, ..index[0].clone() });
    Ok((dims, out))
}
