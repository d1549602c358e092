//! The flat arenas of parameters, and of what lies as they do, cut into pieces: the unit of work of whoever goes over them.

use std::ops::Range;

use castnet_program::program::{Layout, PANEL};

use crate::net::{Loaded, Updated};

/// Elements of a piece: the unit of work, and of the partial sums of a norm.
pub(crate) const PIECE: usize = 8192;

/// Some elements of a flat arena, all of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) of: Updated,
}

/// The elements of some parameters, cut into pieces.
pub(crate) fn pieces(loaded: &Loaded, parameters: &[usize]) -> Vec<Piece> {
    let cut = |&p: &usize| {
        let (start, len, of) = (loaded.offsets[p], loaded.net.padded_len(p), loaded.updated(p));
        (0..len).step_by(PIECE).map(move |at| Piece { start: start + at, len: PIECE.min(len - at), of })
    };
    parameters.iter().flat_map(cut).collect()
}

/// How many pieces all parameters have.
pub(crate) fn most_pieces(loaded: &Loaded) -> usize {
    (0..loaded.net.parameters.len()).map(|p| loaded.net.padded_len(p).div_ceil(PIECE)).sum()
}

/// The elements of a piece that are no padding, as runs of the arena.
pub(crate) fn runs(loaded: &Loaded, piece: Piece) -> impl Iterator<Item = Range<usize>> {
    let number = piece.of.parameter;
    let (offset, parameter) = (loaded.offsets[number], &loaded.net.parameters[number]);
    let (start, end) = (piece.start - offset, piece.start - offset + piece.len);
    let panel = PANEL as usize;
    // All before `whole` is data; behind it rows have `width` numbers in front.
    let (whole, width) = match loaded.net.layout(number) {
        Layout::Plain => (parameter.len(), 0),
        Layout::Panels(_) => {
            let columns = parameter.shape[0] as usize;
            (
                loaded.net.padded_len(number) / columns.next_multiple_of(panel).max(1) * (columns / panel * panel),
                columns % panel,
            )
        }
    };
    let rows = start.saturating_sub(whole) / panel..end.saturating_sub(whole).div_ceil(panel);
    let last = rows.map(move |row| whole + row * panel).map(move |at| at..at + width);
    let runs = std::iter::once(0..whole).chain(last).map(move |run| run.start.max(start)..run.end.min(end));
    runs.filter(|run| !run.is_empty()).map(move |run| offset + run.start..offset + run.end)
}
