//! What a training run shows on standard error: a bar on a terminal, elsewhere a line every ten seconds; and a line for each epoch.

use std::fmt::Write as _;
use std::io::{Write, stderr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::bar::Bar;

/// The bar's text is made this often at most: making one allocates, and nobody reads faster.
const REFRESH: Duration = Duration::from_millis(100);

/// Where there is no bar, a line comes this often.
const EVERY: Duration = Duration::from_secs(10);

/// Takes a line.
type Sink = Box<dyn Fn(&str) + Send>;

/// The progress of one epoch.
pub(crate) struct Progress {
    watched: Arc<Watched>,
    bar: Option<Bar>,
    shown: Instant,
    /// Writes lines where there is no bar, also while the loop is busy with something else.
    ticker: Option<JoinHandle<()>>,
}

/// What the loop and the ticker share.
struct Watched {
    status: Mutex<Status>,
    over: Condvar,
}

/// Where the epoch stands.
struct Status {
    /// `epoch 1/5`.
    title: String,
    /// Batches done, those of before it was resumed included.
    step: u64,
    steps: u64,
    /// Batches done since `start`.
    done: u64,
    samples: u64,
    loss: Option<f64>,
    start: Instant,
    /// How long the batches took; what follows is evaluation.
    trained: Option<Duration>,
    over: bool,
}

impl Progress {
    /// Begins an epoch of `steps` batches, of which `step` were done before. `None` where there is no clock.
    pub(crate) fn new(title: String, step: u64, steps: u64) -> Option<Progress> {
        if cfg!(all(target_family = "wasm", target_os = "unknown")) {
            return None;
        }
        let bar = Bar::new(&title, step, steps);
        Some(Progress::writing(title, step, steps, bar, EVERY, Box::new(write_line)))
    }

    fn writing(title: String, step: u64, steps: u64, bar: Option<Bar>, every: Duration, sink: Sink) -> Progress {
        let start = Instant::now();
        let status = Status { title, step, steps, done: 0, samples: 0, loss: None, start, trained: None, over: false };
        let watched = Arc::new(Watched { status: Mutex::new(status), over: Condvar::new() });
        let shared = watched.clone();
        let tick = move || shared.tick(every, &sink);
        // Without a thread there are no lines amid an epoch.
        let ticker = bar.is_none().then(|| thread::Builder::new().name("castnet progress".into()).spawn(tick).ok());
        Progress { watched, bar, shown: start, ticker: ticker.flatten() }
    }

    /// Counts a batch.
    pub(crate) fn batch(&mut self, samples: u64) {
        let mut status = self.watched.lock();
        status.step += 1;
        status.done += 1;
        status.samples += samples;
        if let Some(bar) = &self.bar {
            bar.step();
        }
    }

    /// Shows the mean loss, if it is time to.
    pub(crate) fn loss(&mut self, mean: f64) {
        let mut status = self.watched.lock();
        status.loss = Some(mean);
        if let Some(bar) = &self.bar
            && self.shown.elapsed() >= REFRESH
        {
            self.shown = Instant::now();
            bar.message(format!("  loss {mean:.4}  {:.0} samples/s", status.rate(status.start.elapsed())));
        }
    }

    /// Stops the clock: what follows is evaluation.
    pub(crate) fn trained(&mut self) {
        let mut status = self.watched.lock();
        if status.trained.is_some() {
            return;
        }
        status.trained = Some(status.start.elapsed());
        if let Some(bar) = &self.bar {
            bar.evaluating(status.loss.map_or_else(String::new, |loss| format!("  loss {loss:.4}")));
        }
    }

    /// Ends the epoch with its line: `epoch 1/5  loss 0.1432  test accuracy 0.9875  12345 samples/s  4.9 s`.
    pub(crate) fn line(self, loss: Option<f64>, metrics: &[(String, f64)]) {
        let line = self.watched.lock().summary(loss, metrics);
        // The bar goes first.
        drop(self);
        write_line(&line);
    }
}

impl Drop for Progress {
    /// A loop that is left by an error leaves no half-drawn bar in front of the message, and nothing comes after it.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.clear();
        }
        self.watched.lock().over = true;
        self.watched.over.notify_all();
        if let Some(ticker) = self.ticker.take() {
            // It has nothing to tell.
            let _ = ticker.join();
        }
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells how it stands until the epoch is over.
    fn tick(&self, every: Duration, sink: &Sink) {
        let mut status = self.lock();
        loop {
            let waited = self.over.wait_timeout_while(status, every, |status| !status.over);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if !timeout.timed_out() {
                return;
            }
            let text = now.text(now.start.elapsed());
            // The loop does not wait for whoever reads the lines.
            drop(now);
            sink(&text);
            status = self.lock();
        }
    }
}

impl Status {
    /// Samples a second of training.
    fn rate(&self, elapsed: Duration) -> f64 {
        self.samples as f64 / self.trained.unwrap_or(elapsed).as_secs_f64().max(1e-9)
    }

    /// `epoch 1/5  120/938  loss 0.4321  12345 samples/s  35 s left`, or `epoch 1/5  loss 0.4321  evaluating`.
    fn text(&self, elapsed: Duration) -> String {
        let mut text = self.title.clone();
        let loss = self.loss.map_or_else(String::new, |loss| format!("  loss {loss:.4}"));
        if self.trained.is_some() {
            let _ = write!(text, "{loss}  evaluating");
            return text;
        }
        let _ = write!(text, "  {}/{}{loss}", self.step, self.steps);
        if self.done > 0 {
            let left = elapsed.as_secs_f64() / self.done as f64 * self.steps.saturating_sub(self.step) as f64;
            let _ = write!(text, "  {:.0} samples/s  {left:.0} s left", self.rate(elapsed));
        }
        text
    }

    fn summary(&self, loss: Option<f64>, metrics: &[(String, f64)]) -> String {
        let elapsed = self.start.elapsed();
        let mut line = self.title.clone();
        if let Some(loss) = loss {
            let _ = write!(line, "  loss {loss:.4}");
        }
        for (name, value) in metrics {
            let _ = write!(line, "  {name} {value:.4}");
        }
        let seconds = self.trained.unwrap_or(elapsed).as_secs_f64();
        let _ = write!(line, "  {:.0} samples/s  {seconds:.1} s", self.rate(elapsed));
        line
    }
}

fn write_line(line: &str) {
    // A closed standard error is no reason to stop training.
    let _ = writeln!(stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// An epoch of ten batches without a bar, and the lines that come amid it.
    fn progress() -> (Progress, std::sync::mpsc::Receiver<String>) {
        let (send, lines) = channel();
        let sink = move |line: &str| drop(send.send(line.to_string()));
        let progress = Progress::writing("epoch 2/3".into(), 4, 10, None, Duration::from_millis(1), Box::new(sink));
        (progress, lines)
    }

    #[test]
    fn lines_come_while_the_loop_does_something_else_and_end_with_the_epoch() {
        let (mut progress, lines) = progress();
        assert_eq!(lines.recv().unwrap(), "epoch 2/3  4/10");
        progress.batch(32);
        progress.loss(0.5);
        let line = lines.iter().find(|line| line.contains("loss")).unwrap();
        assert!(line.starts_with("epoch 2/3  5/10  loss 0.5000  ") && line.ends_with(" s left"), "{line}");
        progress.trained();
        let evaluating = "epoch 2/3  loss 0.5000  evaluating";
        assert_eq!(lines.iter().find(|line| line.contains("evaluating")).unwrap(), evaluating);
        assert_eq!(lines.recv().unwrap(), evaluating);
        drop(progress);
        // Nothing can come any more: this ends.
        assert!(lines.iter().all(|line| line == evaluating));
    }

    #[test]
    fn the_time_left_is_reckoned_from_the_batches_of_this_run() {
        let (progress, _lines) = progress();
        let mut status = progress.watched.lock();
        (status.step, status.done, status.samples, status.loss) = (6, 2, 64, Some(1.25));
        assert_eq!(status.text(Duration::from_secs(8)), "epoch 2/3  6/10  loss 1.2500  8 samples/s  16 s left");
        status.trained = Some(Duration::from_secs(16));
        let summary = status.summary(Some(1.25), &[("accuracy".into(), 0.5)]);
        assert_eq!(summary, "epoch 2/3  loss 1.2500  accuracy 0.5000  4 samples/s  16.0 s");
    }
}
