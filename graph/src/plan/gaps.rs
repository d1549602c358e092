//! What lies in the place of a loop's state while nobody needs it: in a round, between the last read of the old value and the write of the new
//! one.

use super::Tenants;
use crate::program::lives::span;
use crate::program::{Access, Buffer, Launch, Task, TaskKind};
use crate::size::Size;

/// Between which launches of a round a buffer holds nothing: the last that reads the old value, and the one that writes the new one.
#[derive(Clone, Copy)]
struct Gap {
    from: usize,
    to: usize,
}

/// Joins blocks that live inside a gap with the block around it.
pub(super) fn fill(launches: &[Launch], schedule: &[Task], buffers: &[Buffer], blocks: &mut Vec<Tenants>) {
    let reads: Vec<Vec<usize>> = launches.iter().map(Launch::reads).collect();
    in_steps(launches, &reads, schedule, buffers, blocks);
}

/// `reads`: what each launch reads.
fn in_steps(launches: &[Launch], reads: &[Vec<usize>], steps: &[Task], buffers: &[Buffer], blocks: &mut Vec<Tenants>) {
    for step in steps {
        let TaskKind::Loop { body, .. } = &step.kind else { continue };
        in_steps(launches, reads, body, buffers, blocks);
        let mut owner = 0;
        while owner < blocks.len() {
            let gap = gap(launches, reads, body, buffers, &blocks[owner]);
            while let Some(at) = gap.and_then(|gap| candidate(launches, buffers, &gap, owner, blocks)) {
                let taker = blocks.remove(at);
                owner -= usize::from(at < owner);
                let around = &mut blocks[owner];
                around.align = around.align.max(taker.align);
                around.buffers.extend(taker.buffers);
                around.taken.push((taker.life.first, taker.life.last));
            }
            owner += 1;
        }
    }
}

/// The gap of a block in the rounds of a loop, if the block is one buffer there that is written as a whole.
fn gap(launches: &[Launch], reads: &[Vec<usize>], body: &[Task], buffers: &[Buffer], block: &Tenants) -> Option<Gap> {
    let (start, end) = span(body)?;
    if block.life.first >= start && block.life.last <= end || block.life.last < start || block.life.first > end {
        return None;
    }
    let own = |buffer: &usize| block.buffers.contains(buffer);
    let direct = |launch: usize| body.contains(&Task::launch(launch));
    let mut written = None;
    for (launch, l) in launches.iter().enumerate().take(end + 1).skip(start) {
        for store in l.stores.iter().filter(|s| own(&s.buffer)) {
            if written.replace((launch, store)).is_some() {
                return None;
            }
        }
    }
    let (to, store) = written?;
    let is_read = |launch: &usize| reads[*launch].iter().any(own);
    let from = (start..=to).rfind(is_read)?;
    let later = (to + 1..=end).any(|launch| is_read(&launch));
    let whole = covers(&launches[to], store, &buffers[store.buffer].size);
    (from < to && !later && direct(from) && direct(to) && whole).then_some(Gap { from, to })
}

/// Whether a store writes every element of its buffer.
fn covers(launch: &Launch, store: &Access, size: &Size) -> bool {
    let loops: Vec<&Size> = launch.space.iter().chain(&launch.reduce).collect();
    let mut seen = vec![];
    let along = |(dim, index): (&Size, &crate::program::Index)| {
        if dim.is(1) {
            return true;
        }
        let plain =
            index.terms.len() == 1 && index.terms[0].1 == 1 && *index == crate::program::Index::of(index.terms[0].0);
        plain && !seen.contains(&index.terms[0].0) && loops.get(index.terms[0].0) == Some(&dim) && {
            seen.push(index.terms[0].0);
            true
        }
    };
    store.outside.is_none()
        && store.within.is_empty()
        && Size::product(&store.dims) == *size
        && store.dims.iter().zip(&store.index).all(along)
}

/// The largest block that fits into the gap of another one.
fn candidate(launches: &[Launch], buffers: &[Buffer], gap: &Gap, owner: usize, blocks: &[Tenants]) -> Option<usize> {
    let around = &blocks[owner];
    let in_place = |launch: usize, from: &Tenants, to: &Tenants| {
        let pairs = || launches[launch].in_place(buffers);
        from.bytes == to.bytes && pairs().iter().any(|(a, b)| from.buffers.contains(a) && to.buffers.contains(b))
    };
    let fits = |at: &usize| {
        let block = &blocks[*at];
        *at != owner
            && (block.class, block.bytes <= around.bytes) == (around.class, true)
            && block.life.first >= gap.from
            && block.life.last <= gap.to
            && (block.life.first > gap.from || in_place(gap.from, around, block))
            && (block.life.last < gap.to || in_place(gap.to, block, around))
            && around.taken.iter().all(|(first, last)| block.life.last < *first || *last < block.life.first)
    };
    (0..blocks.len()).filter(fits).max_by_key(|at| (blocks[*at].bytes, blocks[*at].life.last - blocks[*at].life.first))
}
