//! The bar of an epoch, on a terminal.

#[cfg(not(target_family = "wasm"))]
pub(super) use terminal::Bar;

#[cfg(target_family = "wasm")]
pub(super) use none::Bar;

#[cfg(not(target_family = "wasm"))]
mod terminal {
    use std::time::Duration;

    use console::Term;
    use indicatif::{ProgressBar, ProgressStyle};

    /// What follows the numbers is cut off where the line ends; a narrow terminal has no room for a bar before it.
    const WIDE: &str = "{prefix}  {bar:20} {pos}/{len}  {eta} left{wide_msg}";
    const NARROW: &str = "{prefix}  {pos}/{len}  {eta} left{wide_msg}";
    const EVALUATING: &str = "{prefix}{msg}  evaluating  {elapsed}";

    pub(in crate::train) struct Bar(ProgressBar);

    impl Bar {
        /// `None` if standard error is no terminal.
        pub(in crate::train) fn new(title: &str, step: u64, steps: u64) -> Option<Bar> {
            let terminal = Term::stderr();
            if !terminal.is_term() {
                return None;
            }
            let bar = ProgressBar::new(steps);
            let bar = Bar(bar);
            bar.style(if terminal.size().1 < 80 { NARROW } else { WIDE });
            bar.0.set_prefix(title.to_string());
            bar.0.set_position(step);
            // The time left is reckoned from this run's steps, not from those before it was resumed.
            bar.0.reset_eta();
            bar.0.enable_steady_tick(Duration::from_secs(1));
            Some(bar)
        }

        fn style(&self, template: &str) {
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.0.set_style(style);
            }
        }

        pub(in crate::train) fn step(&self) {
            self.0.inc(1);
        }

        pub(in crate::train) fn message(&self, text: String) {
            self.0.set_message(text);
        }

        /// The batches are done; what is shown stays until the epoch's line takes its place.
        pub(in crate::train) fn evaluating(&self, loss: String) {
            self.0.set_message(loss);
            self.0.reset_elapsed();
            self.style(EVALUATING);
            self.0.tick();
        }

        pub(in crate::train) fn clear(&self) {
            self.0.finish_and_clear();
        }
    }
}

/// Where there is no terminal.
#[cfg(target_family = "wasm")]
mod none {
    pub(in crate::train) enum Bar {}

    impl Bar {
        pub(in crate::train) fn new(_: &str, _: u64, _: u64) -> Option<Bar> {
            None
        }

        pub(in crate::train) fn step(&self) {}

        pub(in crate::train) fn message(&self, _: String) {}

        pub(in crate::train) fn evaluating(&self, _: String) {}

        pub(in crate::train) fn clear(&self) {}
    }
}
