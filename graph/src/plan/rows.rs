//! What lies in the place of a row of a stack: once a loop has read the row of a round for the last time, nobody reads it again. That is a
//! buffer of the rest of the round, or the row of another stack, which then takes the whole stack's place.

use crate::fuse::Kernels;
use crate::program::lives::span;
use crate::program::{Launch, Place, Step};

/// Lets buffers that live in the rest of a round, and are as large as a row, lie in that row.
pub(super) fn reuse(kernels: &mut Kernels, lives: &[Option<(usize, usize)>]) {
    let schedule = kernels.schedule.clone();
    let touched: Vec<Vec<usize>> = kernels.launches.iter().map(Launch::touches).collect();
    in_steps(kernels, lives, &touched, &schedule, 0);
}

/// `touched`: what each launch reads and writes.
fn in_steps(
    kernels: &mut Kernels,
    lives: &[Option<(usize, usize)>],
    touched: &[Vec<usize>],
    steps: &[Step],
    depth: usize,
) {
    for step in steps {
        let Step::Repeat { body, .. } = step else { continue };
        in_steps(kernels, lives, touched, body, depth + 1);
        let Some((start, end)) = span(body) else { continue };
        let mut wholes: Vec<usize> =
            touched[start..=end].iter().flatten().filter_map(|&part| kernels.rows_of[part]).collect();
        wholes.sort_unstable();
        wholes.dedup();
        for whole in wholes {
            let Some((row, mut last)) = dead_row(kernels, touched, whole, depth, start, end) else { continue };
            if body.contains(&Step::launch(last))
                && let Some(next) = heir_stack(kernels, touched, row, last, start, end)
            {
                move_stack(kernels, next, row, whole);
                continue;
            }
            while body.contains(&Step::launch(last))
                && let Some(next) = heir(kernels, lives, row, last, end)
            {
                let buffer = kernels.buffers[row].clone();
                let taken = &mut kernels.buffers[next];
                (taken.place, taken.start, taken.strides) = (buffer.place, buffer.start, buffer.strides);
                kernels.rows_of[next] = Some(whole);
                last = lives[next].map_or(end, |(_, last)| last);
            }
        }
    }
}

/// A row of a stack of which each round of a loop, in launches `start..=end`, reads its own one for the last time; and the launch that does.
fn dead_row(
    kernels: &Kernels,
    touched: &[Vec<usize>],
    whole: usize,
    depth: usize,
    start: usize,
    end: usize,
) -> Option<(usize, usize)> {
    if !matches!(kernels.buffers[whole].place, Place::Arena(_)) {
        return None;
    }
    let is_part = |b: usize| b == whole || kernels.rows_of[b] == Some(whole);
    let mut found: Option<(usize, usize)> = None;
    for (number, launch) in kernels.launches.iter().enumerate().skip(start) {
        for &part in touched[number].iter().filter(|b| is_part(**b)) {
            let buffer = &kernels.buffers[part];
            let moves = buffer.strides.len() == depth + 1 && buffer.strides[depth] == buffer.size;
            let known = found.is_none_or(|(row, _)| {
                let row = &kernels.buffers[row];
                (&row.start, &row.strides, &row.size) == (&buffer.start, &buffer.strides, &buffer.size)
            });
            if number > end || !moves || !known || launch.stores.iter().any(|s| s.buffer == part) {
                return None;
            }
            found = Some((found.map_or(part, |(row, _)| row), number));
        }
    }
    found
}

/// A stack whose rows are first written where that launch reads the row that dies, and that nobody touches before the loop.
fn heir_stack(
    kernels: &Kernels,
    touched: &[Vec<usize>],
    row: usize,
    last: usize,
    start: usize,
    end: usize,
) -> Option<usize> {
    let place = &kernels.buffers[row];
    let launch = &kernels.launches[last];
    let pairs = launch.in_place(&kernels.buffers);
    let reads = launch.reads().into_iter().filter(|b| kernels.rows_of[*b] == kernels.rows_of[row]).collect::<Vec<_>>();
    let written = launch.stores.iter().map(|s| s.buffer);
    let mut candidates = written.filter_map(|part| {
        let (whole, buffer) = (kernels.rows_of[part]?, &kernels.buffers[part]);
        let is_part = |b: &usize| *b == whole || kernels.rows_of[*b] == Some(whole);
        let alike = |b: &usize| {
            let other = &kernels.buffers[*b];
            (&other.size, &other.strides, other.start.is_zero()) == (&place.size, &place.strides, true)
                && other.dtype.bytes() == place.dtype.bytes()
        };
        let touches = |number: usize| touched[number].iter().filter(|b| is_part(b));
        let fits = matches!(buffer.place, Place::Arena(_))
            && Some(whole) != kernels.rows_of[row]
            && reads.iter().all(|read| pairs.contains(&(*read, part)))
            && (0..last).all(|number| touches(number).next().is_none())
            && (last.max(start)..=end).all(|number| touches(number).all(alike))
            && kernels.buffers[whole].start.is_zero()
            && kernels.buffers[whole].strides.is_empty();
        fits.then_some(whole)
    });
    candidates.next()
}

/// Lets a stack lie where another one does, whose row `row` is.
fn move_stack(kernels: &mut Kernels, stack: usize, row: usize, into: usize) {
    let (place, start) = (kernels.buffers[row].place.clone(), kernels.buffers[row].start.clone());
    for part in 0..kernels.buffers.len() {
        if part == stack || kernels.rows_of[part] == Some(stack) {
            let buffer = &mut kernels.buffers[part];
            buffer.place = place.clone();
            buffer.start = &buffer.start + &start;
            kernels.rows_of[part] = Some(into);
        }
    }
}

/// The buffer that lives longest of those that can take the place of a row after launch `last`.
fn heir(kernels: &Kernels, lives: &[Option<(usize, usize)>], row: usize, last: usize, end: usize) -> Option<usize> {
    let place = &kernels.buffers[row];
    let launch = &kernels.launches[last];
    let is_row = |b: &usize| {
        let other = &kernels.buffers[*b];
        (&other.place, &other.start, &other.strides) == (&place.place, &place.start, &place.strides)
            && (*b == row || kernels.rows_of[*b] == kernels.rows_of[row])
    };
    let in_place = |b: usize| {
        let read: Vec<usize> = launch.touches().into_iter().filter(is_row).collect();
        let pairs = launch.in_place(&kernels.buffers);
        read.iter().all(|row| pairs.contains(&(*row, b)))
    };
    let fits = |b: &usize| {
        let buffer = &kernels.buffers[*b];
        let free = matches!(buffer.place, Place::Arena(_)) && buffer.strides.is_empty() && buffer.start.is_zero();
        let lives =
            lives[*b].is_some_and(|(first, until)| until <= end && (first > last || first == last && in_place(*b)));
        let whole = || kernels.rows_of[*b].is_some() || kernels.rows_of.contains(&Some(*b));
        let as_large = (&buffer.size, buffer.dtype.bytes()) == (&place.size, place.dtype.bytes());
        free && lives && as_large && !whole()
    };
    let length = |b: &usize| lives[*b].map_or(0, |(first, last)| last - first);
    (0..kernels.buffers.len()).filter(fits).max_by_key(|b| (length(b), std::cmp::Reverse(*b)))
}
