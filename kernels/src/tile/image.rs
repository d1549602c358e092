//! How the windows of a convolution lie in memory: positions and taps as two tables of offsets, images in segments, haloes.

use std::ops::Range;

use castnet_program::program::{Conv, Strided};
use castnet_program::types::DType;

use super::element::{At, Element, Operand};
use super::widen::{Half, Spans};
use super::{Run, pack};
use crate::isa::Isa;

/// Numbers of scratch for a copy with halo, unless a single line takes more.
const HALO: usize = 1 << 16;

/// A convolution's sizes as numbers. Input `[n, h, w, c]`, output positions `[n, y, x]`.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub y: usize,
    pub x: usize,
    pub o: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Negative if the first window begins inside.
    pub padding: [isize; 2],
    pub groups: usize,
}

impl Geometry {
    pub fn new(conv: &Conv, value: &dyn Fn(&str) -> i64) -> Geometry {
        let two = |v: [i64; 2]| v.map(|v| v as usize);
        Geometry {
            n: conv.n.eval(value) as usize,
            h: conv.h.eval(value) as usize,
            w: conv.w.eval(value) as usize,
            c: conv.c as usize,
            y: conv.y.eval(value) as usize,
            x: conv.x.eval(value) as usize,
            o: conv.o as usize,
            kernel: two(conv.kernel),
            stride: two(conv.stride),
            dilation: two(conv.dilation),
            padding: conv.padding.map(|p| p as isize),
            groups: conv.groups as usize,
        }
    }

    /// Whether every channel is a group of its own.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.c && self.groups == self.o
    }

    /// One of its groups.
    pub fn group(&self) -> Geometry {
        Geometry { c: self.c / self.groups, o: self.o / self.groups, groups: 1, ..self.clone() }
    }

    /// Taps, a channel each: the length of a window.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.c
    }

    /// Output positions of an image.
    pub fn positions(&self) -> usize {
        self.y * self.x
    }

    /// Lines and columns that the windows of `lines` x `columns` positions cover.
    pub fn extent(&self, lines: usize, columns: usize) -> [usize; 2] {
        let along = |n: usize, d: usize| (n - 1) * self.stride[d] + (self.kernel[d] - 1) * self.dilation[d] + 1;
        [along(lines, 0), along(columns, 1)]
    }

    /// The offset of each tap from the start of a window; `strides` of line, column and channel.
    pub fn tap_table(&self, strides: [isize; 3]) -> Vec<isize> {
        let mut table = Vec::with_capacity(self.taps());
        for r in 0..self.kernel[0] {
            for s in 0..self.kernel[1] {
                let at = (r * self.dilation[0]) as isize * strides[0] + (s * self.dilation[1]) as isize * strides[1];
                table.extend((0..self.c as isize).map(|c| at + c * strides[2]));
            }
        }
        table
    }
}

/// An operand `[image, line, column, channel]` with its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    operand: Operand,
    /// Where the first channel that is meant lies.
    first: isize,
    /// Of image, line, column and channel.
    pub strides: [isize; 4],
}

impl Image {
    pub fn new(operand: &Strided, dtypes: &[DType], value: &dyn Fn(&str) -> i64) -> Image {
        let strides = std::array::from_fn(|d| operand.strides[d].eval(value) as isize);
        Image { operand: Operand::new(operand.buffer, dtypes), first: operand.offset.eval(value) as isize, strides }
    }

    /// Whether it can only be read through a copy in scratch.
    pub fn is_half(&self) -> bool {
        self.operand.is_half()
    }

    /// For a tile of pairs, of whatever.
    pub fn to_pair(self) -> Image {
        Image { operand: self.operand.paired(), ..self }
    }

    /// For a tile of pairs: its channels two at a time, in place if they lie so.
    pub fn paired(self) -> Image {
        let [image, line, column, channel] = self.strides;
        let is_even = |place: isize| place % 2 == 0;
        if channel == 1 && [self.first, image, line, column].into_iter().all(is_even) {
            let strides = [image / 2, line / 2, column / 2, 1];
            return Image { operand: self.operand.of_pairs(), first: self.first / 2, strides };
        }
        Image { strides: [image, line, column, 2 * channel], ..self.to_pair() }
    }

    /// Whether vectors along the channels can be read where they lie.
    pub fn has_vectors(&self) -> bool {
        self.strides[3] == 1 && !self.is_half()
    }

    /// The same from channel `channel` on.
    pub fn channels_from(self, channel: usize) -> Image {
        Image { first: self.first + channel as isize * self.strides[3], ..self }
    }

    /// The address of its first element.
    pub fn at<E: Element>(&self, base: &dyn Fn(usize) -> *mut u8) -> At<E> {
        self.operand.start(base).offset(self.first)
    }
}

/// Some lines of an image, or several whole images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub image: usize,
    pub images: usize,
    pub line: usize,
    pub lines: usize,
}

/// An input seen through windows.
#[derive(Debug)]
pub(super) struct Windows {
    pub g: Geometry,
    image: Image,
    /// Copied to scratch with a halo, because windows reach outside, or because it was asked for.
    pub copied: bool,
    /// Of a segment.
    images: usize,
    lines: usize,
    /// The window of each position of a segment, relative to the first.
    pub positions: Vec<isize>,
    /// The taps, relative to a window.
    pub taps: Vec<isize>,
}

impl Windows {
    /// Cuts the positions into segments of about `most`; `copy`: copied even if no window reaches outside.
    pub fn new(g: Geometry, image: Image, most: usize, copy: bool) -> Windows {
        let [high, wide] = g.extent(g.y, g.x);
        let inside = |p: isize, covered: usize, size: usize| p == 0 && covered <= size;
        let copied = copy || !inside(g.padding[0], high, g.h) || !inside(g.padding[1], wide, g.w);
        let numbers = |lines: usize| g.extent(lines, g.x)[0] * wide * g.c;
        let (mut images, mut lines) = ((most / g.positions()).clamp(1, g.n), g.y);
        if g.positions() > most {
            lines = (most / g.x).clamp(1, g.y);
        }
        while copied && images * numbers(lines) > HALO && images * lines > 1 {
            if images > 1 {
                images -= 1;
            } else {
                lines -= 1;
            }
        }
        // Segments of nearly the same length.
        images = g.n.div_ceil(g.n.div_ceil(images));
        lines = g.y.div_ceil(g.y.div_ceil(lines));
        let inner = match copied {
            true => [numbers(lines), wide * g.c, g.c, 1].map(|s| s as isize),
            false => image.strides,
        };
        let mut positions = Vec::with_capacity(images * lines * g.x);
        let step = [0, 1].map(|d| g.stride[d] as isize * inner[d + 1]);
        for i in 0..images as isize {
            for y in 0..lines as isize {
                positions.extend((0..g.x as isize).map(|x| i * inner[0] + y * step[0] + x * step[1]));
            }
        }
        let taps = g.tap_table([inner[1], inner[2], inner[3]]);
        Windows { g, image, copied, images, lines, positions, taps }
    }

    pub fn segments(&self) -> usize {
        self.g.n.div_ceil(self.images) * self.g.y.div_ceil(self.lines)
    }

    pub fn segment(&self, number: usize) -> Segment {
        let cuts = self.g.y.div_ceil(self.lines);
        let (image, line) = (number / cuts * self.images, number % cuts * self.lines);
        let images = self.images.min(self.g.n - image);
        Segment { image, images, line, lines: self.lines.min(self.g.y - line) }
    }

    /// Numbers of scratch for a segment.
    pub fn scratch_len(&self) -> usize {
        let [high, wide] = self.g.extent(self.lines, self.g.x);
        if self.copied { (self.images * high * wide * self.g.c).next_multiple_of(16) } else { 0 }
    }

    /// The offsets of a segment's windows from the address that [`Windows::open`] gives.
    pub fn rows(&self, s: &Segment) -> &[isize] {
        &self.positions[..s.images * s.lines * self.g.x]
    }

    /// Makes a segment of the group's channels readable and gives the address of its first window.
    ///
    /// # Safety
    ///
    /// The input must be there, and [`Windows::scratch_len`] of scratch.
    pub unsafe fn open<E: Element>(&self, run: &Run, s: &Segment, scratch: *mut E) -> At<E> {
        let g = &self.g;
        let line = (s.line * g.stride[0]) as isize - g.padding[0];
        let image = self.image.channels_from(run.group * g.c);
        let from = image.at(run.base).offset(s.image as isize * image.strides[0]);
        if !self.copied {
            return from.offset(line * self.image.strides[1]);
        }
        // SAFETY: the caller's promise; lines and columns outside the input are not read.
        unsafe {
            let [_, wide] = g.extent(self.lines, g.x);
            let image = g.extent(self.lines, g.x)[0] * wide * g.c;
            let high = g.extent(s.lines, g.x)[0];
            for i in 0..s.images {
                let from = from.offset(i as isize * self.image.strides[0]);
                for r in 0..high {
                    self.copy_line(run.isa, from, line + r as isize, wide, scratch.add(i * image + r * wide * g.c));
                }
            }
        }
        At::Own(scratch)
    }

    /// A line with zeros where it is outside.
    unsafe fn copy_line<E: Element>(&self, isa: Isa, image: At<E>, line: isize, wide: usize, out: *mut E) {
        let (g, [_, high, right, deep]) = (&self.g, self.image.strides);
        let c = g.c;
        let columns = inside(g.padding[1], wide, g.w);
        // SAFETY: `out` has `wide` columns of `c`; only lines and columns that exist are read.
        unsafe {
            if line < 0 || line >= g.h as isize || columns.is_empty() {
                return std::ptr::write_bytes(out, 0, wide * c);
            }
            std::ptr::write_bytes(out, 0, columns.start * c);
            std::ptr::write_bytes(out.add(columns.end * c), 0, (wide - columns.end) * c);
            let from = image.offset(line * high + (columns.start as isize - g.padding[1]) * right);
            let out = out.add(columns.start * c);
            let n = columns.len();
            match ([right, deep], from) {
                ([_, 2], At::Half(Half::Pairs, from)) => {
                    E::widen(isa, Half::Pairs, from, Spans::Even(n, right), 2 * c, out, c);
                }
                (_, At::Half(Half::Pairs, from)) => pack::turn_pairs(isa, from, [right, deep / 2], n, c, out),
                (_, At::Own(from)) if (deep == 1 || c == 1) && right == c as isize => {
                    std::ptr::copy_nonoverlapping(from, out, n * c);
                }
                (_, At::Half(half, from)) if (deep == 1 || c == 1) && right == c as isize => {
                    E::widen(isa, half, from, Spans::Even(1, 0), n * c, out, 0);
                }
                ([_, 1], At::Half(half, from)) => E::widen(isa, half, from, Spans::Even(n, right), c, out, c),
                ([_, 1], At::Own(from)) => {
                    for x in 0..n {
                        let (from, to) = (from.offset(x as isize * right), out.add(x * c));
                        (0..c).for_each(|ch| *to.add(ch) = *from.add(ch));
                    }
                }
                ([1, _], from) => pack::transpose(isa, from, deep, n, c, out, c),
                (_, from) => {
                    for (x, ch) in (0..n).flat_map(|x| (0..c).map(move |ch| (x, ch))) {
                        *out.add(x * c + ch) = from.offset(x as isize * right + ch as isize * deep).read();
                    }
                }
            }
        }
    }
}

/// Which of `0..wide` columns lie inside an input of `size`, when column `padding` is its first.
pub(super) fn inside(padding: isize, wide: usize, size: usize) -> Range<usize> {
    let clamp = |v: isize| v.clamp(0, wide as isize) as usize;
    clamp(padding)..clamp(padding + size as isize)
}
