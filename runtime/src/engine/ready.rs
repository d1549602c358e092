//! The operations that could run, and which of them runs next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::dependencies::Id;

/// An operation that has waited for so many others to be taken counts as one priority higher. So none waits for ever.
const AGE: i64 = 64;

/// A queue by priority and age.
///
/// All age alike, so which of two comes first never changes: by priority · [`AGE`] less the number of operations taken before it came.
pub(super) struct Ready {
    /// Those of priority 0, in the order in which they came; with the number of operations taken before.
    even: VecDeque<(i64, Id)>,
    /// Those of other priorities: the key, then the lower ticket.
    uneven: BinaryHeap<(i64, Reverse<u64>, u32)>,
    taken: i64,
    /// Entries of operations that were started otherwise, or stand here again with a higher priority.
    stale: usize,
    #[cfg(test)]
    pub(super) pick: Option<Pick>,
}

impl Ready {
    pub(super) fn new() -> Ready {
        Ready {
            even: VecDeque::new(),
            uneven: BinaryHeap::new(),
            taken: 0,
            stale: 0,
            #[cfg(test)]
            pick: None,
        }
    }

    /// How many stand here, with those that were started otherwise.
    pub(super) fn len(&self) -> usize {
        self.even.len() + self.uneven.len()
    }

    /// Whether nothing stands here, not even what was started otherwise.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(super) fn push(&mut self, id: Id, priority: i32) {
        match priority {
            0 => self.even.push_back((self.taken, id)),
            _ => self.uneven.push((i64::from(priority) * AGE - self.taken, Reverse(id.ticket), id.index)),
        }
    }

    /// Notes that an operation that stands here was started by somebody who did not take it from here, or that it was pushed once more.
    pub(super) fn outdated(&mut self, is_ready: impl Fn(Id) -> bool) {
        self.stale += 1;
        if self.stale > 64 && self.stale * 2 > self.len() {
            self.stale = 0;
            self.even.retain(|&(_, id)| is_ready(id));
            self.uneven.retain(|&(_, Reverse(ticket), index)| is_ready(Id { index, ticket }));
        }
    }

    /// Takes the next operation for which `is_ready` holds; the others are forgotten.
    #[inline]
    pub(super) fn pop(&mut self, is_ready: impl Fn(Id) -> bool) -> Option<Id> {
        loop {
            #[cfg(test)]
            self.rearrange();
            let id = if self.uneven.is_empty() { self.even.pop_front()?.1 } else { self.pop_of_both()? };
            if is_ready(id) {
                self.taken += 1;
                return Some(id);
            }
            self.stale = self.stale.saturating_sub(1);
        }
    }

    #[cold]
    fn pop_of_both(&mut self) -> Option<Id> {
        let even = self.even.front().map(|&(taken, _)| -taken);
        let uneven = self.uneven.peek().map(|&(key, ..)| key);
        if even >= uneven {
            return Some(self.even.pop_front()?.1);
        }
        let (_, Reverse(ticket), index) = self.uneven.pop()?;
        Some(Id { index, ticket })
    }
}

/// Other orders, which tests ask for: the result must not depend on it.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) enum Pick {
    Last,
    Random(u64),
    LargestTicket,
}

#[cfg(test)]
impl Ready {
    /// Brings the one that is to be next to the front, as if all had priority 0.
    fn rearrange(&mut self) {
        let Some(pick) = &mut self.pick else { return };
        self.even.extend(self.uneven.drain().map(|(_, Reverse(ticket), index)| (0, Id { index, ticket })));
        let all = 0..self.even.len();
        let chosen = match pick {
            Pick::Last => all.last(),
            Pick::LargestTicket => all.max_by_key(|&i| self.even[i].1.ticket),
            Pick::Random(seed) => {
                *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let number = (*seed >> 33) as usize;
                (!all.is_empty()).then(|| number % all.len())
            }
        };
        if let Some(chosen) = chosen {
            self.even.swap(0, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ticket: u64) -> Id {
        Id { index: ticket as u32, ticket }
    }

    #[test]
    fn higher_priorities_come_first_and_equals_in_order() {
        let mut ready = Ready::new();
        for (ticket, priority) in [(1, 0), (2, -1), (3, 5), (4, 0), (5, 5), (6, i32::MAX), (7, i32::MIN)] {
            ready.push(id(ticket), priority);
        }
        let order: Vec<u64> = std::iter::from_fn(|| ready.pop(|_| true)).map(|id| id.ticket).collect();
        assert_eq!(order, [6, 3, 5, 1, 4, 2, 7]);
    }

    #[test]
    fn whoever_waits_long_enough_is_next() {
        for (low, high) in [(0, 1), (-1, 0), (-3, 7)] {
            let mut ready = Ready::new();
            ready.push(id(1), low);
            // A stream of others that never ends.
            let waited = (2..).take_while(|&ticket| {
                ready.push(id(ticket), high);
                ready.pop(|_| true) != Some(id(1))
            });
            let waited = waited.count() as i64;
            assert!((waited - AGE * i64::from(high - low)).abs() <= 1, "{waited} others came first");
        }
    }

    #[test]
    fn what_was_started_otherwise_is_forgotten() {
        let mut ready = Ready::new();
        let tickets = if cfg!(miri) { 1000 } else { 100_000 };
        for ticket in 1..=tickets {
            ready.push(id(ticket), (ticket % 2) as i32);
            ready.outdated(|id| id.ticket > ticket || id.ticket == 1);
        }
        assert!(ready.even.len() + ready.uneven.len() < 300);
        assert_eq!(ready.pop(|id| id.ticket == 1), Some(id(1)));
        assert_eq!(ready.pop(|id| id.ticket == 1), None);
    }
}
