//! The buffers that a launch touches, each named in one place.

use super::{Family, Launch, Right, Tile};

impl Right {
    /// Its buffer.
    pub fn buffer(&self) -> usize {
        match self {
            Right::Strided(b) => b.buffer,
            Right::Panels(b) | Right::PanelsTransposed(b) => *b,
        }
    }

    fn buffer_mut(&mut self) -> &mut usize {
        match self {
            Right::Strided(b) => &mut b.buffer,
            Right::Panels(b) | Right::PanelsTransposed(b) => b,
        }
    }
}

impl Tile {
    /// The buffers of its operands, the left one first.
    pub fn buffers(&self) -> [usize; 2] {
        match self {
            Tile::MatMul { a, b, .. } => [a.buffer, b.buffer()],
            Tile::Conv2d { input: x, weight, .. } | Tile::Conv2dInputGrad { dy: x, weight, .. } => [x.buffer, *weight],
            Tile::Conv2dWeightGrad { input, dy, .. } => [input.buffer, dy.buffer],
        }
    }

    fn buffers_mut(&mut self) -> [&mut usize; 2] {
        match self {
            Tile::MatMul { a, b, .. } => [&mut a.buffer, b.buffer_mut()],
            Tile::Conv2d { input: x, weight, .. } | Tile::Conv2dInputGrad { dy: x, weight, .. } => {
                [&mut x.buffer, weight]
            }
            Tile::Conv2dWeightGrad { input, dy, .. } => [&mut input.buffer, &mut dy.buffer],
        }
    }
}

impl Launch {
    /// The buffers that a tile reads as operands.
    pub fn operands(&self) -> Vec<usize> {
        match &self.family {
            Family::Tile(tile) => tile.buffers().to_vec(),
            Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => vec![],
        }
    }

    /// The buffers that it reads.
    pub fn reads(&self) -> Vec<usize> {
        self.loads.iter().map(|load| load.buffer).chain(self.operands()).collect()
    }

    /// The buffers that it writes.
    pub fn writes(&self) -> impl Iterator<Item = usize> {
        self.stores.iter().map(|store| store.buffer)
    }

    /// The buffers that it reads or writes.
    pub fn touches(&self) -> Vec<usize> {
        self.reads().into_iter().chain(self.writes()).collect()
    }

    /// Every buffer that it names, to be named anew.
    pub fn buffers_mut(&mut self) -> impl Iterator<Item = &mut usize> {
        let operands = match &mut self.family {
            Family::Tile(tile) => Some(tile.buffers_mut()),
            Family::Flat | Family::Row | Family::Column | Family::Scatter(_) | Family::Routine { .. } => None,
        };
        let accesses = self.loads.iter_mut().chain(&mut self.stores).map(|access| &mut access.buffer);
        accesses.chain(operands.into_iter().flatten())
    }
}
