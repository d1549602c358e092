//! The atomic core of a job: which chunks of the current phase are still to be claimed.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Bits of the word that count the chunks left; the rest is the number of the opening.
const LEFT_BITS: u32 = 24;

/// The largest number of chunks of a phase.
pub(crate) const MAX_CHUNKS: u32 = (1 << LEFT_BITS) - 1;

/// One word: how often a phase was opened, and how many chunks of the present one are left.
///
/// A claim is one compare-and-swap of the whole word, so that nobody can claim more than there is, nor a chunk of another phase than the
/// one that it saw. The 40 bits of the opening last for 12 days at one a microsecond before a claimant that slept since then
/// could mistake a new phase for the old one.
pub(crate) struct Ticket(AtomicU64);

impl Ticket {
    /// Nothing to claim.
    pub(crate) fn new() -> Ticket {
        Ticket(AtomicU64::new(0))
    }

    /// Offers `chunks` chunks. Only one thread may do so, and only when none is left.
    ///
    /// Everything it wrote before is seen by whoever claims one of them.
    pub(crate) fn open(&self, chunks: u32) {
        let opening = (self.0.load(Ordering::Relaxed) >> LEFT_BITS) + 1;
        self.0.store(opening << LEFT_BITS | u64::from(chunks), Ordering::Release);
    }

    /// How often a phase was opened.
    pub(crate) fn openings(&self) -> u64 {
        self.0.load(Ordering::Relaxed) >> LEFT_BITS
    }

    /// How many chunks are left.
    pub(crate) fn left(&self) -> u32 {
        self.0.load(Ordering::Acquire) as u32 & MAX_CHUNKS
    }

    /// Takes one chunk, if one is left and `admitted` holds for the opening it belongs to; returns how many there were.
    ///
    /// What `admitted` reads must be written before [`Ticket::open`] and again only after all chunks are done; if it saw a later
    /// value, the word has changed too, and the swap fails.
    pub(crate) fn claim(&self, admitted: impl Fn() -> bool) -> Option<u32> {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let left = word as u32 & MAX_CHUNKS;
            if left == 0 || !admitted() {
                return None;
            }
            match self.0.compare_exchange_weak(word, word - 1, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some(left),
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_claimed_once() {
        let ticket = Ticket::new();
        assert_eq!(ticket.claim(|| true), None);
        for chunks in [1, 3, if cfg!(miri) { 1000 } else { MAX_CHUNKS }] {
            ticket.open(chunks);
            assert_eq!(ticket.claim(|| false), None);
            for expected in (1..=chunks.min(5)).map(|i| chunks + 1 - i) {
                assert_eq!(ticket.claim(|| true), Some(expected));
            }
            while ticket.left() > 0 {
                ticket.claim(|| true);
            }
            assert_eq!(ticket.claim(|| true), None);
        }
    }
}
