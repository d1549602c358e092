//! What a training run shows on standard error: a bar on a terminal, else one line an epoch.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A message is made this often at most: making one allocates, and nobody reads faster.
const REFRESH: Duration = Duration::from_millis(100);

/// The progress of one epoch.
pub(crate) struct Progress {
    /// `epoch 1/5`.
    title: String,
    bar: Option<ProgressBar>,
    start: Instant,
    shown: Instant,
    samples: u64,
    trained: Option<Duration>,
}

impl Progress {
    /// Begins an epoch of `steps` batches, of which `step` were done before.
    pub(crate) fn new(title: String, step: u64, steps: u64) -> Progress {
        let now = Instant::now();
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(steps);
            if let Ok(style) = ProgressStyle::with_template("{prefix}  {bar:30} {pos}/{len}{msg}  {eta} left") {
                bar.set_style(style);
            }
            bar.set_prefix(title.clone());
            bar.set_position(step);
            // The time left is reckoned from this run's steps, not from those before it was resumed.
            bar.reset_eta();
            bar
        });
        Progress { title, bar, start: now, shown: now, samples: 0, trained: None }
    }

    /// Counts a batch.
    pub(crate) fn batch(&mut self, samples: u64) {
        self.samples += samples;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Shows the mean loss, if it is time to.
    pub(crate) fn loss(&mut self, mean: f64) {
        if let Some(bar) = &self.bar
            && self.shown.elapsed() >= REFRESH
        {
            self.shown = Instant::now();
            let rate = self.samples as f64 / self.start.elapsed().as_secs_f64();
            bar.set_message(format!("  loss {mean:.4}  {rate:.0} samples/s"));
        }
    }

    /// Stops the clock: what follows is evaluation.
    pub(crate) fn trained(&mut self) {
        self.trained.get_or_insert_with(|| self.start.elapsed());
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Writes the epoch's line: `epoch 1/5  loss 0.1432  test accuracy 0.9875  12345 samples/s  4.9 s`.
    pub(crate) fn line(&self, loss: Option<f64>, metrics: &[(String, f64)]) {
        let seconds = self.trained.unwrap_or_else(|| self.start.elapsed()).as_secs_f64();
        let mut line = self.title.clone();
        if let Some(loss) = loss {
            let _ = write!(line, "  loss {loss:.4}");
        }
        for (name, value) in metrics {
            let _ = write!(line, "  {name} {value:.4}");
        }
        let rate = self.samples as f64 / seconds.max(1e-9);
        let _ = write!(line, "  {rate:.0} samples/s  {seconds:.1} s");
        // A closed standard error is no reason to stop training.
        let _ = writeln!(stderr(), "{line}");
    }
}

impl Drop for Progress {
    /// A loop that is left by an error leaves no half-drawn bar in front of the message.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
