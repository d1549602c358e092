//! Lines of an image as vectors along the channels need them: where they lie, or copied to scratch if channels do not lie side by side, or
//! are halves.

use std::ops::Range;

use super::element::{At, Element};
use super::image::Image;
use super::{PANEL, Run, pack};

/// Numbers of the lines that lie in scratch at a time, unless those that are needed together are more: 128 KB.
const LINES: usize = 1 << 15;

/// The lines of an image.
#[derive(Debug)]
pub(super) struct Lines {
    image: Image,
    lines: usize,
    columns: usize,
    /// Lines that have room in scratch, 32 channels each; 0: they are read where they lie.
    room: usize,
}

/// What lies in scratch: of which image, from which channel on, which lines.
#[derive(Default)]
pub(super) struct Held {
    image: usize,
    channel: usize,
    lines: Range<usize>,
}

impl Lines {
    /// Of an image of `lines` x `columns`, of which at most `most` lines are needed together.
    pub fn new(image: Image, lines: usize, columns: usize, most: usize) -> Lines {
        let room = match image.has_vectors() {
            true => 0,
            false => (LINES / (columns * PANEL).max(1)).max(most).min(lines),
        };
        Lines { image, lines, columns, room }
    }

    /// Whether at most 32 channels can be opened at a time, and opening others or going back is a copy.
    pub fn copied(&self) -> bool {
        self.room > 0
    }

    /// From a line, and from a column, to the next.
    pub fn strides(&self) -> [isize; 2] {
        match self.copied() {
            true => [self.columns * PANEL, PANEL].map(|s| s as isize),
            false => [self.image.strides[1], self.image.strides[2]],
        }
    }

    pub fn scratch(&self) -> usize {
        self.room * self.columns * PANEL
    }

    /// Where line 0 would begin: from there `lines` can be read, of these channels.
    ///
    /// # Safety
    ///
    /// The image must be there; `held` must be empty, or be what the last call with this scratch left.
    pub unsafe fn open<E: Element>(
        &self,
        run: &Run,
        image: usize,
        channels: &Range<usize>,
        lines: &Range<usize>,
        held: &mut Held,
        scratch: *mut E,
    ) -> *const E {
        let first = image as isize * self.image.strides[0];
        let from = self.image.channels_from(channels.start);
        let from = from.at(run.base).offset(first);
        if let (At::Own(from), false) = (from, self.copied()) {
            return from;
        }
        let here = held.image == image && held.channel == channels.start;
        let holds = here && held.lines.start <= lines.start && lines.end <= held.lines.end;
        if !holds && !lines.is_empty() {
            let new = lines.start..(lines.start + self.room).min(self.lines);
            // SAFETY: the caller's promise; there is room for these lines.
            unsafe { self.copy(run, from, channels.len(), &new, scratch) };
            *held = Held { image, channel: channels.start, lines: new };
        }
        scratch.cast_const().wrapping_sub(held.lines.start * self.columns * PANEL)
    }

    /// Copies lines of `channels` channels from the first one at `image` on.
    unsafe fn copy<E: Element>(&self, run: &Run, image: At<E>, channels: usize, lines: &Range<usize>, out: *mut E) {
        let [_, line, column, channel] = self.image.strides;
        // Lines that follow each other are one.
        let (count, length) = match line == column * self.columns as isize {
            true => (1, lines.len() * self.columns),
            false => (lines.len(), self.columns),
        };
        for i in 0..count {
            // SAFETY: the caller's promise.
            unsafe {
                let from = image.offset((lines.start + i) as isize * line);
                let to = out.add(i * length * PANEL);
                match (column, channel) {
                    (1, _) => pack::transpose(run.isa, from, channel, length, channels, to, PANEL),
                    (_, 1) => pack::rows(run.isa, from, column, length, channels, to),
                    _ => pack::gather(from, column, channel, length, channels, to),
                }
            }
        }
    }
}
