//! What lies in the place of a row of a stack: once a loop has read the row of a round for the last time, nobody reads it again. That is a
//! buffer of the rest of the round, or the row of another stack, which then takes the whole stack's place.

use crate::fuse::Kernels;
use crate::program::lives::span;
use crate::program::order::Order;
use crate::program::{Launch, Place, Task, TaskKind};

/// Lets buffers that live in the rest of a round, and are as large as a row, lie in that row.
/// `lies_in`: for each buffer that lies in another one, that one.
pub(super) fn reuse(
    kernels: &mut Kernels,
    lies_in: &mut [Option<usize>],
    lives: &[Option<(usize, usize)>],
    order: Option<&Order>,
) {
    let schedule = kernels.schedule.clone();
    let touched: Vec<Vec<usize>> = kernels.launches.iter().map(Launch::touches).collect();
    in_tasks(kernels, lies_in, lives, &Uses { touched, order }, &schedule, 0);
}

/// What each launch reads and writes, and what comes before what; without an order, launches run as they are numbered.
struct Uses<'o> {
    touched: Vec<Vec<usize>>,
    order: Option<&'o Order>,
}

fn in_tasks(
    kernels: &mut Kernels,
    lies_in: &mut [Option<usize>],
    lives: &[Option<(usize, usize)>],
    uses: &Uses<'_>,
    tasks: &[Task],
    depth: usize,
) {
    let touched = &uses.touched;
    for task in tasks {
        let TaskKind::Loop { body, .. } = &task.kind else { continue };
        in_tasks(kernels, lies_in, lives, uses, body, depth + 1);
        let Some((start, end)) = span(body) else { continue };
        let mut wholes: Vec<usize> = touched[start..=end].iter().flatten().filter_map(|&part| lies_in[part]).collect();
        wholes.sort_unstable();
        wholes.dedup();
        for whole in wholes {
            let Some((row, mut last)) = dead_row(kernels, lies_in, uses, whole, depth, start, end) else { continue };
            if body.contains(&Task::launch(last))
                && let Some(next) = heir_stack(kernels, lies_in, touched, row, last, start, end)
            {
                move_stack(kernels, lies_in, next, row, whole);
                continue;
            }
            while body.contains(&Task::launch(last))
                && let Some(next) = heir(kernels, lies_in, lives, row, last, end)
            {
                let buffer = kernels.buffers[row].clone();
                let taken = &mut kernels.buffers[next];
                (taken.place, taken.start, taken.strides) = (buffer.place, buffer.start, buffer.strides);
                lies_in[next] = Some(whole);
                last = lives[next].map_or(end, |(_, last)| last);
            }
        }
    }
}

/// A row of a stack of which each round of a loop, in launches `start..=end`, reads its own one for the last time; and the launch that does.
fn dead_row(
    kernels: &Kernels,
    lies_in: &[Option<usize>],
    uses: &Uses<'_>,
    whole: usize,
    depth: usize,
    start: usize,
    end: usize,
) -> Option<(usize, usize)> {
    if !matches!(kernels.buffers[whole].place, Place::Arena(_)) {
        return None;
    }
    let is_part = |b: usize| b == whole || lies_in[b] == Some(whole);
    let mut found: Option<(usize, usize)> = None;
    // Whoever uses it outside of the loop must be done before, whatever runs side by side.
    if let Some(order) = uses.order {
        let is_done = |number: usize| order.happens_before(order.task_of(number), order.task_of(start));
        let user = |number: usize| uses.touched[number].iter().any(|part| is_part(*part));
        if (0..start).any(|number| user(number) && !is_done(number)) {
            return None;
        }
    }
    for (number, launch) in kernels.launches.iter().enumerate().skip(start) {
        for &part in uses.touched[number].iter().filter(|b| is_part(**b)) {
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
    lies_in: &[Option<usize>],
    touched: &[Vec<usize>],
    row: usize,
    last: usize,
    start: usize,
    end: usize,
) -> Option<usize> {
    let place = &kernels.buffers[row];
    let launch = &kernels.launches[last];
    let pairs = launch.in_place(&kernels.buffers);
    let reads = launch.reads().into_iter().filter(|b| lies_in[*b] == lies_in[row]).collect::<Vec<_>>();
    let written = launch.stores.iter().map(|s| s.buffer);
    let mut candidates = written.filter_map(|part| {
        let (whole, buffer) = (lies_in[part]?, &kernels.buffers[part]);
        let is_part = |b: &usize| *b == whole || lies_in[*b] == Some(whole);
        let alike = |b: &usize| {
            let other = &kernels.buffers[*b];
            (&other.size, &other.strides, other.start.is_zero()) == (&place.size, &place.strides, true)
                && other.dtype.bytes() == place.dtype.bytes()
        };
        let touches = |number: usize| touched[number].iter().filter(|b| is_part(b));
        let fits = matches!(buffer.place, Place::Arena(_))
            && Some(whole) != lies_in[row]
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
fn move_stack(kernels: &mut Kernels, lies_in: &mut [Option<usize>], stack: usize, row: usize, into: usize) {
    let (place, start) = (kernels.buffers[row].place.clone(), kernels.buffers[row].start.clone());
    for (part, (buffer, lies_in)) in kernels.buffers.iter_mut().zip(lies_in).enumerate() {
        if part == stack || *lies_in == Some(stack) {
            buffer.place = place.clone();
            buffer.start = &buffer.start + &start;
            *lies_in = Some(into);
        }
    }
}

/// The buffer that lives longest of those that can take the place of a row after launch `last`.
fn heir(
    kernels: &Kernels,
    lies_in: &[Option<usize>],
    lives: &[Option<(usize, usize)>],
    row: usize,
    last: usize,
    end: usize,
) -> Option<usize> {
    let place = &kernels.buffers[row];
    let launch = &kernels.launches[last];
    let is_row = |b: &usize| {
        let other = &kernels.buffers[*b];
        (&other.place, &other.start, &other.strides) == (&place.place, &place.start, &place.strides)
            && (*b == row || lies_in[*b] == lies_in[row])
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
        let whole = || lies_in[*b].is_some() || lies_in.contains(&Some(*b));
        let as_large = (&buffer.size, buffer.dtype.bytes()) == (&place.size, place.dtype.bytes());
        free && lives && as_large && !whole()
    };
    let length = |b: &usize| lives[*b].map_or(0, |(first, last)| last - first);
    (0..kernels.buffers.len()).filter(fits).max_by_key(|b| (length(b), std::cmp::Reverse(*b)))
}
