//! The memory plan: where each activation lies.
//!
//! A buffer lives from the launch that writes it to the last launch that reads it. Within a class (all buffers whose size is a multiple
//! of one monomial) placing them is integer offset assignment over the coefficients, so the plan holds for every value of the run-time
//! sizes. Best fit, the largest first, ties by longer life (cf. Pisarchyk & Lee, *Efficient Memory Management for Deep Neural Net
//! Inference*, 2020); where that misses the max-live lower bound, other orders are tried, and a bounded local search moves buffers forward in
//! the best one. Before that, `rows` and `gaps` let buffers lie where a loop needs its own no more.

mod gaps;
mod rows;

use crate::fuse::Kernels;
use crate::program::{ArenaClass, Family, Launch, Level, Place, Source, Step, Target};
use crate::size::Size;

/// Offsets and coefficients are multiples of this many floats where that costs little, so that every buffer starts on a cache line.
const ALIGN: i64 = 16;

/// A finished plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One part of the arena a class.
    pub classes: Vec<ArenaClass>,
    /// Max-live lower bound, a coefficient for each class.
    pub bound: Vec<i64>,
}

/// One piece of memory: a buffer, or several that take each other's place.
#[derive(Clone, Debug)]
struct Block {
    buffers: Vec<usize>,
    class: usize,
    floats: i64,
    first: usize,
    last: usize,
    offset: i64,
    /// When others lie in its place, in the rounds of a loop.
    taken: Vec<(usize, usize)>,
}

/// Which launches write and read each buffer: first and last one. What lives when a loop begins or ends lives all through it.
pub fn lives(launches: &[Launch], schedule: &[Step], buffers: usize) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; buffers];
    for (step, launch) in launches.iter().enumerate() {
        for buffer in launch.touches() {
            let (first, _) = lives[buffer].unwrap_or((step, step));
            lives[buffer] = Some((first, step));
        }
    }
    let loops = loops(schedule);
    lives.iter_mut().for_each(|life| extend(life, &loops));
    lives
}

pub(crate) fn extend_through_loops(life: &mut Option<(usize, usize)>, schedule: &[Step]) {
    extend(life, &loops(schedule));
}

fn extend(life: &mut Option<(usize, usize)>, loops: &[(usize, usize)]) {
    let Some((first, last)) = life else { return };
    for &(start, end) in loops {
        let inside = start <= *first && *last <= end;
        let apart = *last < start || end < *first;
        if !inside && !apart {
            (*first, *last) = ((*first).min(start), (*last).max(end));
        }
    }
}

/// The first and last launch of every loop, inner loops before those around them.
fn loops(schedule: &[Step]) -> Vec<(usize, usize)> {
    let bodies =
        schedule.iter().filter_map(|step| if let Step::Repeat { body, .. } = step { Some(body) } else { None });
    bodies.flat_map(|body| loops(body).into_iter().chain(span(body))).collect()
}

/// The first and last launch of a body.
fn span(body: &[Step]) -> Option<(usize, usize)> {
    let spans = body.iter().filter_map(|step| match step {
        Step::Launch(launch) => Some((*launch, *launch)),
        Step::Repeat { body, .. } => span(body),
    });
    spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Places every arena buffer.
pub fn plan(kernels: &mut Kernels) -> Plan {
    let mut lives = lives(&kernels.launches, &kernels.schedule, kernels.buffers.len());
    rows::reuse(kernels, &lives);
    let loops = loops(&kernels.schedule);
    for row in 0..lives.len() {
        // Rows keep the whole alive.
        let Some(whole) = kernels.rows_of[row] else { continue };
        let Some((first, last)) = lives[row].take() else { continue };
        let (a, b) = lives[whole].unwrap_or((first, last));
        lives[whole] = Some((a.min(first), b.max(last)));
        extend(&mut lives[whole], &loops);
    }
    let mut classes: Vec<Size> = vec![];
    let mut blocks: Vec<Block> = vec![];
    for (id, buffer) in kernels.buffers.iter().enumerate() {
        let (Place::Arena { .. }, Some((first, last))) = (&buffer.place, lives[id]) else { continue };
        // A size of several terms is a class of its own.
        let (monomial, coefficient) = match buffer.size.as_term() {
            Some((m, c)) => (Size::term(m.clone(), 1), c),
            None => (buffer.size.clone(), 1),
        };
        let class = classes.iter().position(|c| *c == monomial).unwrap_or_else(|| {
            classes.push(monomial);
            classes.len() - 1
        });
        blocks.push(Block { buffers: vec![id], class, floats: coefficient, first, last, offset: 0, taken: vec![] });
    }
    align(&classes, &mut blocks);
    join_in_place(kernels, &mut blocks);
    let sizes: Vec<Size> = kernels.buffers.iter().map(|b| b.size.clone()).collect();
    gaps::fill(&kernels.launches, &kernels.schedule, &sizes, &mut blocks);
    let mut plan = Plan { classes: vec![], bound: vec![] };
    for (class, monomial) in classes.into_iter().enumerate() {
        let mut members: Vec<&mut Block> = blocks.iter_mut().filter(|b| b.class == class).collect();
        let bound = max_live(&members);
        let height = place(&mut members, bound);
        plan.classes.push(ArenaClass { monomial, height });
        plan.bound.push(bound);
    }
    for block in &blocks {
        for &buffer in &block.buffers {
            kernels.buffers[buffer].place = Place::Arena { class: block.class, offset: block.offset };
        }
    }
    for row in 0..kernels.buffers.len() {
        if let Some(whole) = kernels.rows_of[row] {
            kernels.buffers[row].place = kernels.buffers[whole].place.clone();
        }
    }
    plan
}

/// Rounds the floats of all blocks up: to whole cache lines, but in a class of run-time size that would grow by more than a fiftieth, only to
/// what all its blocks have in common.
fn align(classes: &[Size], blocks: &mut [Block]) {
    let rounded = |floats: i64, to: i64| (floats + to - 1) / to * to;
    for (class, monomial) in classes.iter().enumerate() {
        let members = || blocks.iter().filter(|b| b.class == class).map(|b| b.floats);
        let (plain, lines) = (members().sum::<i64>(), members().map(|floats| rounded(floats, ALIGN)).sum::<i64>());
        let dear = monomial.as_const().is_none() && lines * 50 > plain * 51;
        let to = if dear { members().fold(ALIGN, gcd) } else { ALIGN };
        blocks.iter_mut().filter(|b| b.class == class).for_each(|b| b.floats = rounded(b.floats, to));
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The most floats that live at one time.
fn max_live(blocks: &[&mut Block]) -> i64 {
    let end = blocks.iter().map(|b| b.last + 2).max().unwrap_or(0);
    let mut change = vec![0; end];
    for block in blocks {
        change[block.first] += block.floats;
        change[block.last + 1] -= block.floats;
    }
    let lives = change.iter().scan(0, |live, change| {
        *live += change;
        Some(*live)
    });
    lives.max().unwrap_or(0)
}

/// Best fit in a few orders, the best one repaired by a bounded search; returns the height.
fn place(blocks: &mut [&mut Block], bound: i64) -> i64 {
    let life = |b: &Block| (b.last - b.first + 1) as i64;
    // Largest first, longest first, both, and as they come.
    let key = |b: &Block, way: usize| match way {
        0 => (-b.floats, -life(b), b.first),
        1 => (-life(b), -b.floats, b.first),
        2 => (-b.floats * life(b), -b.floats, b.first),
        _ => (b.first as i64, -b.floats, b.last),
    };
    let mut best: Option<(i64, Vec<i64>, Vec<usize>)> = None;
    for way in 0..4 {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by_key(|&i| key(blocks[i], way));
        let (height, offsets) = best_fit(blocks, &order);
        if best.as_ref().is_none_or(|(least, ..)| height < *least) {
            best = Some((height, offsets, order));
        }
        if height <= bound {
            break;
        }
    }
    let Some((mut height, mut offsets, mut order)) = best else { return 0 };
    let mut random = 1u64;
    let mut below = |n: usize| {
        // Knuth's MMIX generator: builds repeat.
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) as usize % n.max(1)
    };
    // Move a buffer that reaches the top, or any other one, forward: bounded by rounds, not by time.
    for round in 0..SEARCH / blocks.len().max(1) {
        if height <= bound {
            break;
        }
        let top: Vec<usize> =
            (0..order.len()).filter(|&i| offsets[order[i]] + blocks[order[i]].floats == height).collect();
        let at = if round % 2 == 0 { top[below(top.len())] } else { below(order.len()) };
        let mut other = order.clone();
        let moved = other.remove(at);
        other.insert(below(at + 1), moved);
        let (found, places) = best_fit(blocks, &other);
        if found <= height {
            (height, offsets, order) = (found, places, other);
        }
    }
    blocks.iter_mut().zip(&offsets).for_each(|(b, o)| b.offset = *o);
    height
}

/// Placements of one block that a search may try in all.
const SEARCH: usize = 40_000;

/// Puts each block into the smallest gap that holds it among the blocks that live at the same time.
fn best_fit(blocks: &[&mut Block], order: &[usize]) -> (i64, Vec<i64>) {
    let mut offsets = vec![0; blocks.len()];
    let mut placed: Vec<usize> = vec![];
    let mut height = 0;
    for &i in order {
        let block = &blocks[i];
        let meets = |j: &&usize| blocks[**j].first <= block.last && block.first <= blocks[**j].last;
        let mut taken: Vec<(i64, i64)> =
            placed.iter().filter(meets).map(|&j| (offsets[j], offsets[j] + blocks[j].floats)).collect();
        taken.sort_unstable();
        let (mut end, mut best) = (0, None);
        for (from, to) in taken {
            let gap = from - end;
            if gap >= block.floats && best.is_none_or(|(size, _)| gap < size) {
                best = Some((gap, end));
            }
            end = end.max(to);
        }
        offsets[i] = best.map_or(end, |(_, at)| at);
        height = height.max(offsets[i] + block.floats);
        placed.push(i);
    }
    (height, offsets)
}

/// Joins a buffer that dies in a launch with one that the launch writes at the very same places.
fn join_in_place(kernels: &Kernels, blocks: &mut Vec<Block>) {
    let mut block_of = vec![None; kernels.buffers.len()];
    for (number, block) in blocks.iter().enumerate() {
        block.buffers.iter().for_each(|&buffer| block_of[buffer] = Some(number));
    }
    for (step, launch) in kernels.launches.iter().enumerate() {
        for (from, to) in launch.in_place() {
            let (Some(a), Some(b)) = (block_of[from], block_of[to]) else { continue };
            let (old, new) = (&blocks[a], &blocks[b]);
            if a == b || old.last != step || new.first != step || (old.class, old.floats) != (new.class, new.floats) {
                continue;
            }
            let (last, buffers) = (new.last, std::mem::take(&mut blocks[b].buffers));
            buffers.iter().for_each(|&buffer| block_of[buffer] = Some(a));
            blocks[a].last = last;
            blocks[a].buffers.extend(buffers);
        }
    }
    blocks.retain(|block| !block.buffers.is_empty());
}

impl Launch {
    /// The buffers that the launch reads or writes.
    pub fn touches(&self) -> Vec<usize> {
        let mut out: Vec<usize> = self.reads();
        out.extend(self.stores.iter().map(|s| s.buffer));
        out
    }

    /// The buffers that the launch reads.
    pub fn reads(&self) -> Vec<usize> {
        let mut out: Vec<usize> = self.loads.iter().map(|l| l.buffer).collect();
        out.extend(self.operands());
        out
    }

    /// The buffers that a tile reads as operands.
    pub fn operands(&self) -> Vec<usize> {
        use crate::program::{Right, Tile};
        match &self.family {
            Family::Tile(Tile::MatMul { a, b, .. }) => match b {
                Right::Strided(b) => vec![a.buffer, b.buffer],
                Right::Panels(b) | Right::PanelsTransposed(b) => vec![a.buffer, *b],
            },
            Family::Tile(Tile::Conv2d { input: x, weight, .. } | Tile::Conv2dInputGrad { dy: x, weight, .. }) => {
                vec![x.buffer, *weight]
            }
            Family::Tile(Tile::Conv2dWeightGrad { input, dy, .. }) => vec![input.buffer, dy.buffer],
            _ => vec![],
        }
    }

    /// Pairs (read, written) of buffers whose elements are read only at points that write the same element.
    pub fn in_place(&self) -> Vec<(usize, usize)> {
        if matches!(self.family, Family::Scatter(_)) {
            return vec![];
        }
        let operands = self.operands();
        let mut pairs = vec![];
        for (number, store) in self.stores.iter().enumerate() {
            let written = self.stages.iter().position(|stage| stage.outputs.contains(&Target::Store(number)));
            let Some(written) = written.filter(|&at| self.stages[at].level == Level::Element) else { continue };
            // Every stage goes over all elements of a row before the next one does.
            let later: Vec<usize> = self.stages[written + 1..]
                .iter()
                .flat_map(|stage| &stage.inputs)
                .filter_map(|input| if let Source::Load(load) = input { Some(self.loads[*load].buffer) } else { None })
                .collect();
            for load in &self.loads {
                if later.contains(&load.buffer) {
                    continue;
                }
                let (from, to) = (load.buffer, store.buffer);
                let same_place = |l: &crate::program::Access| {
                    self.stores.iter().any(|s| s.buffer == to && s.dims == l.dims && s.index == l.index)
                };
                let everywhere = self.loads.iter().filter(|l| l.buffer == from).all(same_place);
                if everywhere && !operands.contains(&from) && !pairs.contains(&(from, to)) {
                    pairs.push((from, to));
                }
            }
        }
        pairs
    }
}
