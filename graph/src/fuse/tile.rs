//! Launches of the tile family: matrix products and convolutions with what is fused into their write-back.

use super::group::Group;
use super::layout::ValueLayout;
use super::lower::{LaunchBuilder, Lower, Nest, panel_access};
use super::view::{strip_reshapes, trace};
use crate::graph::{Op, Role, Value, Window};
use crate::program::{Access, Conv, Family, Index, Launch, Level, Right, Source, Stage, Strided, Target, Tile};
use crate::scalar::Code;
use crate::size::Size;

impl<'g> Lower<'g> {
    /// The launch of group number `id`, which has a tile.
    pub(crate) fn tile_launch(
        &mut self,
        id: usize,
        group: &'g Group,
        tile: Value,
        stored: &[Value],
    ) -> Result<Launch, String> {
        let node = self.graph.node(tile);
        let (a, b) = (node.inputs[0], node.inputs[1]);
        let updates = match self.roles.get(&tile) {
            Some(Role::Gradient(number) | Role::RoundGradient { first: number, .. })
                if stored == [tile] && group.nodes.len() == 1 =>
            {
                Some(*number)
            }
            _ => None,
        };
        let gradient_panels = matches!(self.layouts.values.get(&tile), Some(ValueLayout::Panels(_)));
        // What it computes, over which space, and in which order of the group's loops; of a transpose, none is.
        let (kind, space, order): (Tile, Vec<Size>, Option<Vec<usize>>) = match &node.op {
            Op::MatMul { ta, tb } if gradient_panels && stored == [tile] => {
                // The transpose is computed: its columns are the panels' columns.
                let shape = node.ty.shape.clone();
                let space = vec![shape[1].clone(), shape[0].clone()];
                let (left, right) = (self.matrix(b, !*tb), self.matrix(a, !*ta));
                let k = self.graph.shape(a)[if *ta { 0 } else { 1 }].clone();
                (Tile::MatMul { k, a: left, b: Right::Strided(right) }, space, None)
            }
            Op::MatMul { ta, tb } => {
                let rank = node.ty.rank();
                let k = self.graph.shape(a)[if *ta { rank - 2 } else { rank - 1 }].clone();
                let left = self.matrix(a, *ta);
                let right = self.right(b, *tb);
                let space = self.graph.shape(tile).to_vec();
                (Tile::MatMul { k, a: left, b: right }, space, Some((0..group.loops.len()).collect()))
            }
            Op::Conv2d(w) => {
                let conv = self.conv(w, self.graph.shape(a), self.graph.shape(tile))?;
                let kind = Tile::Conv2d { conv, input: self.image(a), weight: self.buffer(b) };
                (kind, self.channels_last(tile), Some(vec![0, 2, 3, 1]))
            }
            Op::Conv2dInputGrad(w) => {
                let conv = self.conv(w, self.graph.shape(tile), self.graph.shape(a))?;
                let kind = Tile::Conv2dInputGrad { conv, dy: self.image(a), weight: self.buffer(b) };
                (kind, self.channels_last(tile), Some(vec![0, 2, 3, 1]))
            }
            Op::Conv2dWeightGrad(w) => {
                let conv = self.conv(w, self.graph.shape(a), self.graph.shape(b))?;
                let kind = Tile::Conv2dWeightGrad { conv, input: self.image(a), dy: self.image(b) };
                (kind, self.taps_first(tile), Some(vec![2, 3, 1, 0]))
            }
            op => return Err(format!("{op:?} is no tile")),
        };
        let (stages, (loads, stores)) = match order {
            // The stage that follows the sums.
            Some(order) => {
                let mut builder = LaunchBuilder::new(self, id, group, Nest::new(group, &order, &[]));
                (builder.point_stages(stored), builder.into_accesses())
            }
            None => {
                let (stage, store) = self.panel_store(tile, &space, &[1])?;
                (vec![stage], (vec![], vec![store]))
            }
        };
        Ok(Launch {
            name: self.name(group),
            loc: 0,
            space,
            reduce: vec![],
            family: Family::Tile(kind),
            loads,
            stores,
            stages,
            updates,
        })
    }

    /// Stores the sums of a space `[k, j]` as panels.
    fn panel_store(&mut self, tile: Value, space: &[Size], order: &[usize]) -> Result<(Stage, Access), String> {
        let buffer = self.buffer(tile);
        let (shape, index) = ([space[1].clone(), space[0].clone()], [Index::of(1), Index::of(0)]);
        let (dims, index) = panel_access(&shape, &index, order)?;
        let lane = self.graph.dtype(tile).lane();
        let code = Code { inputs: vec![lane], instrs: vec![], outputs: vec![0] };
        let stage = Stage { level: Level::Element, inputs: vec![Source::Acc], code, outputs: vec![Target::Store(0)] };
        Ok((stage, Access::new(buffer, dims, index)))
    }

    /// Elements from one index to the next along each axis of a view of something in memory.
    fn strided(&mut self, view: Value) -> Strided {
        let base = trace(self.graph, view);
        let memory = strip_reshapes(self.graph, base.value);
        let shape = self.graph.shape(base.value);
        if let Some(ValueLayout::Strided(of_axes)) = self.layouts.values.get(&base.value).cloned() {
            let mut strides = vec![Size::constant(0); self.graph.shape(view).len()];
            let mut offset = Size::default();
            for (along, stride) in base.axes.iter().zip(&of_axes) {
                if let Some(view_axis) = along.axis {
                    strides[view_axis] = stride * &along.step.into();
                }
                offset = &offset + &(stride * &along.offset);
            }
            return Strided { buffer: self.buffer(memory), strides, offset };
        }
        let order = match self.layouts.values.get(&base.value) {
            Some(ValueLayout::Order(order)) if memory == base.value => order.clone(),
            _ => (0..shape.len()).collect(),
        };
        let mut strides = vec![Size::constant(0); self.graph.shape(view).len()];
        let (mut stride, mut offset) = (Size::constant(1), Size::default());
        for &axis in order.iter().rev() {
            let along = &base.axes[axis];
            if let Some(view_axis) = along.axis {
                strides[view_axis] = &stride * &along.step.into();
            }
            offset = &offset + &(&stride * &along.offset);
            stride = &stride * &shape[axis];
        }
        Strided { buffer: self.buffer(memory), strides, offset }
    }

    /// A matrix operand by strides of `batch.., row, column`, transposed if asked.
    fn matrix(&mut self, view: Value, transposed: bool) -> Strided {
        let mut strided = self.strided(view);
        let rank = strided.strides.len();
        if transposed {
            strided.strides.swap(rank - 2, rank - 1);
        }
        strided
    }

    /// The right operand: a parameter in panels is used as it lies.
    fn right(&mut self, view: Value, tb: bool) -> Right {
        match self.layouts.values.get(&view) {
            Some(ValueLayout::Panels(_)) if tb => Right::Panels(self.buffer(view)),
            Some(ValueLayout::Panels(_)) => Right::PanelsTransposed(self.buffer(view)),
            _ => Right::Strided(self.matrix(view, tb)),
        }
    }

    /// An image operand by strides of `n, height, width, channel`.
    fn image(&mut self, view: Value) -> Strided {
        let strided = self.strided(view);
        Strided { strides: [0, 2, 3, 1].map(|axis| strided.strides[axis].clone()).to_vec(), ..strided }
    }

    fn channels_last(&self, value: Value) -> Vec<Size> {
        let shape = self.graph.shape(value);
        [0, 2, 3, 1].map(|axis| shape[axis].clone()).to_vec()
    }

    /// The space of a weight's gradient: (kernel row, kernel column, input channel), output channel.
    fn taps_first(&self, value: Value) -> Vec<Size> {
        let shape = self.graph.shape(value);
        [2, 3, 1, 0].map(|axis| shape[axis].clone()).to_vec()
    }

    fn conv(&self, w: &Window, x: &[Size], y: &[Size]) -> Result<Conv, String> {
        let known = |s: &Size| s.as_const().ok_or_else(|| format!("a convolution of {s} channels: no number"));
        Ok(Conv {
            n: x[0].clone(),
            h: x[2].clone(),
            w: x[3].clone(),
            c: known(&x[1])?,
            y: y[2].clone(),
            x: y[3].clone(),
            o: known(&y[1])?,
            kernel: w.kernel,
            stride: w.stride,
            padding: w.padding,
            dilation: w.dilation,
            groups: w.groups,
        })
    }
}
