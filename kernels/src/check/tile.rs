//! Whether the operands of a tile are there, and its geometry is one.

use castnet_program::program::{Conv, PANEL, Right, Strided, Tile};

use super::{Check, LIMIT, Refused, ensure, product};

/// So many groups, or positions of an image, are let pass though they share their memory: tables are made of them.
const TABLE: i64 = 1 << 24;

/// Lets so many multiplications pass if they can be counted. Others would take years.
fn is_work(sizes: &[i64]) -> Result<(), Refused> {
    let each = |all: i128, &size: &i64| all.checked_mul(size.into()).filter(|all| all.abs() <= 1 << 58);
    sizes.iter().try_fold(1, each).map(drop).ok_or(Refused::TooLarge)
}

/// The sizes of a convolution as numbers.
struct Sizes {
    n: i64,
    h: i64,
    w: i64,
    y: i64,
    x: i64,
}

impl Check<'_> {
    pub(super) fn tile(&self, tile: &Tile) -> Result<(), Refused> {
        ensure(self.loops.iter().all(|&size| size > 0), || "a tile of nothing".into())?;
        match tile {
            Tile::MatMul { k, a, b } => {
                let k = self.numbers.of(k)?;
                let [batch @ .., i, j] = &self.loops[..] else {
                    return Err("a product of less than matrices".to_string().into());
                };
                let (i, j) = (*i, *j);
                let groups = product(batch).unwrap_or(i64::MAX);
                ensure(k > 0, || "a product of nothing".into())?;
                is_work(&[groups, i + 8, j + PANEL, k])?;
                ensure(self.table(groups), || "more products than have results".into())?;
                self.strided(a, &[batch, &[i, k]].concat())?;
                match b {
                    Right::Strided(b) => self.strided(b, &[batch, &[k, j]].concat()),
                    Right::Panels(buffer) => self.panels(*buffer, k, j),
                    Right::PanelsTransposed(buffer) => self.panels(*buffer, j, k),
                }
            }
            Tile::Conv2d { conv, input, weight } => {
                let Sizes { n, h, w, y, x } = self.conv(conv)?;
                self.space(&[n, y, x, conv.o])?;
                self.strided(input, &[n, h, w, conv.c])?;
                self.weight(conv, *weight)
            }
            Tile::Conv2dInputGrad { conv, dy, weight } => {
                let Sizes { n, h, w, y, x } = self.conv(conv)?;
                self.space(&[n, h, w, conv.c])?;
                self.strided(dy, &[n, y, x, conv.o])?;
                self.weight(conv, *weight)
            }
            Tile::Conv2dWeightGrad { conv, input, dy } => {
                let Sizes { n, h, w, y, x } = self.conv(conv)?;
                self.space(&[conv.kernel[0], conv.kernel[1], conv.c / conv.groups, conv.o])?;
                self.strided(input, &[n, h, w, conv.c])?;
                self.strided(dy, &[n, y, x, conv.o])
            }
        }
    }

    fn space(&self, sizes: &[i64]) -> Result<(), Refused> {
        ensure(self.loops == sizes, || format!("a convolution of {sizes:?} in loops of {:?}", self.loops))
    }

    /// Whether a table may have so many entries: as many as there are elements of something, or few.
    fn table(&self, entries: i64) -> bool {
        let buffers = self.launch.touches().into_iter().map(|buffer| self.buffers[buffer].elements.end);
        entries <= buffers.max().unwrap_or(0).max(TABLE)
    }

    fn conv(&self, conv: &Conv) -> Result<Sizes, Refused> {
        let sizes = [&conv.n, &conv.h, &conv.w, &conv.y, &conv.x];
        let [n, h, w, y, x] = sizes.map(|size| self.numbers.of(size));
        let [n, h, w, y, x] = [n?, h?, w?, y?, x?];
        let (positive, padding) = ([[n, h, w, y], [x, conv.c, conv.o, conv.groups]], conv.padding);
        let strides = [conv.kernel, conv.stride, conv.dilation];
        let all = positive.iter().flatten().chain(strides.iter().flatten());
        let fits = all.clone().all(|&size| size > 0) && padding.iter().all(|&padding| padding >= 0);
        let fits = fits && all.chain(&padding).all(|&size| i128::from(size) <= LIMIT);
        ensure(fits, || "a convolution of sizes that are none".into())?;
        let whole = conv.c % conv.groups == 0 && conv.o % conv.groups == 0;
        ensure(whole, || format!("{} and {} channels in {} groups", conv.c, conv.o, conv.groups))?;
        // What windows cover differs from what there is by less than a window on each side.
        let mut extents = [0; 2];
        for (axis, (size, count)) in [(h, y), (w, x)].into_iter().enumerate() {
            let wide = |count: i64, step: i64| i128::from(count - 1) * i128::from(step);
            let reach = wide(conv.kernel[axis], conv.dilation[axis]) + 1;
            let covered = wide(count, conv.stride[axis]) + reach;
            let room = i128::from(size) + 2 * i128::from(padding[axis]);
            let fits = covered < room + reach && room < covered + i128::from(conv.stride[axis]) + reach;
            ensure(fits, || format!("{count} windows of {reach} in {size} elements"))?;
            extents[axis] = i64::try_from(covered + room).unwrap_or(i64::MAX);
        }
        let ([high, wide], [r, s]) = (extents, conv.kernel);
        let images = [conv.c, conv.o].map(|channels| product(&[n, high, wide, channels]));
        let work = is_work(&[n, high, wide, conv.c + PANEL, conv.o + PANEL, r, s]);
        work?;
        if images.contains(&None) {
            return Err(Refused::TooLarge);
        }
        let tables = [y * x, h * w, r * s * (conv.c / conv.groups)];
        ensure(tables.into_iter().all(|table| self.table(table)), || "a convolution of more than is there".into())?;
        Ok(Sizes { n, h, w, y, x })
    }

    /// Checks an operand by strides over dims of which none is empty.
    fn strided(&self, operand: &Strided, dims: &[i64]) -> Result<(), Refused> {
        let (strides, offset) = (self.numbers.all(&operand.strides)?, self.numbers.of(&operand.offset)?);
        let (mut first, mut last) = (i128::from(offset), i128::from(offset));
        for (stride, dim) in strides.into_iter().zip(dims) {
            let end = i128::from(stride) * i128::from(dim - 1);
            (first, last) = (first + end.min(0), last + end.max(0));
        }
        let there = &self.buffers[operand.buffer].elements;
        let inside = i128::from(there.start) <= first && last < there.end.into();
        ensure(inside, || format!("an operand from {first} to {last} in {there:?}"))
    }

    /// Panels of a matrix `[rows, columns]`, padding included.
    fn panels(&self, buffer: usize, rows: i64, columns: i64) -> Result<(), Refused> {
        let elements = product(&[rows, (columns + PANEL - 1) / PANEL, PANEL]);
        let there = &self.buffers[buffer].elements;
        let inside = there.start <= 0 && elements.is_some_and(|elements| elements <= there.end);
        ensure(inside, || format!("panels of {rows} by {columns} in {there:?}"))
    }

    fn weight(&self, conv: &Conv, buffer: usize) -> Result<(), Refused> {
        let rows = product(&[conv.kernel[0], conv.kernel[1], conv.c / conv.groups]).unwrap_or(i64::MAX);
        self.panels(buffer, rows, conv.o)
    }
}
