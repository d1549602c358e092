//! Which taps reach a position of a result along one axis, and from where: of a convolution, or of the gradient of its input.

use super::image::Geometry;

/// Positions `first, first + step, …` with the same taps.
#[derive(Debug)]
pub(super) struct Positions {
    pub first: usize,
    pub step: usize,
    pub count: usize,
    /// Each tap, with the position of the source that it reaches the first position from.
    pub taps: Vec<(usize, usize)>,
    /// From one position of the run to the next, so many of the source.
    pub advance: usize,
}

impl Positions {
    /// The numbers in the run of the positions that lie in `from..to`.
    pub fn within(&self, from: usize, to: usize) -> std::ops::Range<usize> {
        let at = |position: usize| position.saturating_sub(self.first).div_ceil(self.step).min(self.count);
        at(from)..at(to)
    }
}

/// The runs of the output positions of a convolution along axis `d`, whose source is the input.
pub(super) fn forward(g: &Geometry, d: usize) -> Vec<Positions> {
    let (size, count) = ([g.h, g.w][d], [g.y, g.x][d]);
    let source = |at: usize, tap: usize| {
        let position = (at * g.stride[d] + tap * g.dilation[d]) as isize - g.padding[d];
        usize::try_from(position).ok().filter(|p| *p < size)
    };
    runs(count, 1, g.stride[d], g.kernel[d], source)
}

/// The runs of the input positions, whose source is the gradient of the output.
pub(super) fn backward(g: &Geometry, d: usize) -> Vec<Positions> {
    let (size, count) = ([g.h, g.w][d], [g.y, g.x][d]);
    let source = |at: usize, tap: usize| {
        let scaled = usize::try_from(at as isize + g.padding[d] - (tap * g.dilation[d]) as isize).ok()?;
        (scaled.is_multiple_of(g.stride[d]) && scaled / g.stride[d] < count).then(|| scaled / g.stride[d])
    };
    runs(size, g.stride[d], 1, g.kernel[d], source)
}

fn runs(
    positions: usize,
    step: usize,
    advance: usize,
    taps: usize,
    source: impl Fn(usize, usize) -> Option<usize>,
) -> Vec<Positions> {
    let mut runs: Vec<Positions> = vec![];
    for phase in 0..step.min(positions) {
        let start = runs.len();
        for at in (phase..positions).step_by(step) {
            let found: Vec<_> = (0..taps).filter_map(|tap| Some((tap, source(at, tap)?))).collect();
            let follows = |run: &Positions| {
                let moved = run.taps.iter().map(|&(tap, from)| (tap, from + run.count * advance));
                moved.eq(found.iter().copied())
            };
            match runs[start..].last_mut().filter(|run| follows(run)) {
                Some(run) => run.count += 1,
                None => runs.push(Positions { first: at, step, count: 1, taps: found, advance }),
            }
        }
    }
    runs
}
