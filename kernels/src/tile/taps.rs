//! The input of a padded convolution as the gradient of its weights sees it: each tap with the positions where it is inside.

use std::ops::Range;

use super::PANEL;
use super::Run;
use super::element::Element;
use super::image::{Geometry, Image, Segment};
use super::micro::{Product, Rows};
use super::pairs::OUTSIDE;
use super::widen::Widened;

/// The input, tap by tap.
#[derive(Debug)]
pub(super) struct Taps {
    g: Geometry,
    image: Image,
    /// Lines of a segment.
    lines: usize,
    /// How far images, lines and columns of `dy` are from each other.
    dy: [isize; 3],
    /// Whether two positions are a step: then each tap has all columns, and 0 stands for those that are outside.
    pairs: bool,
    /// For each column of the kernel: the positions of a segment at which it is inside.
    columns: Vec<Column>,
    /// Where the channels lie.
    channels: Vec<isize>,
}

#[derive(Debug)]
struct Column {
    x: Range<usize>,
    /// Offsets of the positions' inputs, and of their `dy`, from the first.
    input: Vec<isize>,
    dy: Vec<isize>,
}

impl Taps {
    pub fn new(g: Geometry, image: Image, lines: usize, dy: [isize; 3], pairs: bool) -> Taps {
        let strides = image.strides;
        let column = |s: usize| {
            let inside = seen(&g, 1, s, g.x, g.w);
            let x = if pairs { 0..g.x } else { inside.clone() };
            let at = |line: isize, column: isize| {
                let x = &x;
                let positions = (0..lines as isize).flat_map(move |y| (0..x.len() as isize).map(move |x| (y, x)));
                positions.map(move |(y, x)| y * line + x * column).collect::<Vec<_>>()
            };
            let mut input = at(g.stride[0] as isize * strides[1], g.stride[1] as isize * strides[2]);
            if pairs {
                let outside = input.iter_mut().enumerate().filter(|(i, _)| !inside.contains(&(i % g.x)));
                outside.for_each(|(_, at)| *at = OUTSIDE);
            }
            let dy = at(dy[1], dy[2]);
            Column { x, input, dy }
        };
        let columns = (0..g.kernel[1]).map(column).collect();
        let channels = (0..g.c as isize).map(|c| c * strides[3]).collect();
        Taps { g, image, lines, dy, pairs, columns, channels }
    }

    /// All segments: lines of one image.
    pub fn segments(&self) -> impl Iterator<Item = Segment> {
        let lines = (0..self.g.y).step_by(self.lines);
        (0..self.g.n).flat_map(move |image| {
            lines.clone().map(move |line| Segment { image, images: 1, line, lines: self.lines.min(self.g.y - line) })
        })
    }

    /// Adds the contribution of a segment to the sums of some rows of one tap.
    ///
    /// # Safety
    ///
    /// `dy` must be the segment's first position, `acc` the sums of the rows, 32 apart.
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn add<E: Element>(
        &self,
        run: &Run,
        segment: &Segment,
        rows: Range<usize>,
        dy: *const E,
        cols: usize,
        acc: *mut E,
        (widened, scratch): (&Widened, *mut E),
    ) {
        let g = &self.g;
        let (spot, channel) = (rows.start / g.c, rows.start % g.c);
        let (r, s) = (spot / g.kernel[1], spot % g.kernel[1]);
        let column = &self.columns[s];
        let seen = seen(g, 0, r, g.y, g.h);
        let (top, bottom) = (seen.start.max(segment.line), seen.end.min(segment.line + segment.lines));
        if top >= bottom || column.x.is_empty() {
            return;
        }
        let positions = (bottom - top) * column.x.len();
        let at = |d: usize, position: usize, tap: usize| {
            (position * g.stride[d] + tap * g.dilation[d]) as isize - g.padding[d]
        };
        let strides = &self.image.strides;
        let line = at(0, top, r) * strides[1];
        let input = segment.image as isize * strides[0] + line + at(1, column.x.start, s) * strides[2];
        // SAFETY: the positions are those that are inside; the caller's promise for the rest.
        unsafe {
            let a = self.image.channels_from(run.group * g.c).at(run.base).offset(input);
            let (rows, steps) = (&self.channels[channel..channel + rows.len()], &column.input[..positions]);
            let (a, rows, steps) = widened.open(run.isa, a, rows, steps, scratch);
            Product {
                a,
                rows,
                steps,
                b: dy.offset((top - segment.line) as isize * self.dy[1] + column.x.start as isize * self.dy[2]),
                b_rows: if self.pairs { Rows::Even(PANEL) } else { Rows::Table(&column.dy[..positions]) },
                cols,
                acc,
                pitch: PANEL,
                add: true,
            }
            .run(run.isa);
        }
    }
}

/// At which of `count` positions along axis `d` a tap lies inside an input of `size`.
fn seen(g: &Geometry, d: usize, tap: usize, count: usize, size: usize) -> Range<usize> {
    let (first, step) = ((tap * g.dilation[d]) as isize - g.padding[d], g.stride[d] as isize);
    let ceil = |v: isize| ((v + step - 1).max(0) / step).clamp(0, count as isize) as usize;
    ceil(-first)..ceil(size as isize - first).max(ceil(-first))
}
