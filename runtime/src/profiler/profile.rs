//! What was recorded, as data.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::machine::{Machine, machine};
use super::table::Table;
use super::trace;
use crate::error::Result;
use crate::recorder::{Figures, Kind, Recorded};
use crate::replace::replace_with;

/// What was recorded from a [`start`](super::start) to its [`stop`](super::stop).
pub struct Profile {
    pub(super) recorded: Recorded,
    rows: Vec<Row>,
}

/// What a row of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKind {
    /// Calls of a function of a net.
    Call,
    /// A task of the function's program.
    Task,
    /// Operations of an engine, by name and source line.
    Operation,
    /// Spans of the user's, by name and source line.
    Span,
}

/// A row of the table: all that bears one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is about.
    pub kind: RowKind,
    /// The function of a call or a task, `LeNet.loss_step`; else empty.
    pub function: String,
    /// `conv1 + tanh`: what one kernel does, by its parts; of a call, the function.
    pub name: String,
    /// The source line, `src/main.rs:14`, of a task with the layer in front if its name does not tell that; the parameters of an update; empty where
    /// nothing is known.
    pub source: String,
    /// How often it ran.
    pub count: u64,
    /// How many of these failed.
    pub failed: u64,
    /// The time of all together. Of a task, from the moment when its turn came until that of the next one, on however many threads it ran.
    pub total: Duration,
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
    /// Floating-point operations of all together, as [`Cost`](castnet_program::program::cost::Cost) counts them; 0 where they are not known.
    pub flops: u64,
    /// Bytes of memory read and written by all together, each element that a run touches once.
    pub bytes: u64,
    /// Whether it computes in f64, of which a machine does half as many operations.
    pub double: bool,
}

impl Row {
    fn new(kind: RowKind, figures: &Figures) -> Row {
        let nanoseconds = |of: &AtomicU64| Duration::from_nanos(of.load(Ordering::Relaxed));
        let count = figures.count.load(Ordering::Relaxed);
        Row {
            kind,
            function: String::new(),
            name: String::new(),
            source: String::new(),
            count,
            failed: figures.failed.load(Ordering::Relaxed),
            total: nanoseconds(&figures.total),
            min: nanoseconds(&figures.min).min(nanoseconds(&figures.max)),
            max: nanoseconds(&figures.max),
            flops: 0,
            bytes: 0,
            double: false,
        }
    }

    /// Takes another one of the same name in.
    fn join(&mut self, other: &Row) {
        self.count += other.count;
        self.failed += other.failed;
        self.total += other.total;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.flops += other.flops;
        self.bytes += other.bytes;
    }

    /// The time of one on average.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos((self.total.as_nanos() / u128::from(self.count.max(1))) as u64)
    }

    /// 10⁹ floating-point operations a second.
    pub fn gflops(&self) -> f64 {
        self.flops as f64 / self.nanoseconds()
    }

    /// 10⁹ bytes a second.
    pub fn gbs(&self) -> f64 {
        self.bytes as f64 / self.nanoseconds()
    }

    fn nanoseconds(&self) -> f64 {
        (self.total.as_nanos() as f64).max(1.0)
    }

    /// The part of the time that a machine needs at least (the roofline): that of the operations or that of the bytes, whichever is longer. 1 is as quick as
    /// can be; `None` where neither is known.
    pub fn of_ceiling(&self, machine: &Machine) -> Option<f64> {
        let peak = if self.double { machine.gflops / 2.0 } else { machine.gflops };
        let touched = self.bytes / self.count.max(1);
        let least = (self.flops as f64 / peak).max(self.bytes as f64 / machine.gbs(touched));
        (self.flops + self.bytes > 0).then(|| least / self.nanoseconds())
    }
}

impl Profile {
    pub(super) fn new(recorded: Recorded) -> Profile {
        let mut rows: Vec<Row> = vec![];
        for program in &recorded.programs {
            // Two nets may have one name, and a function may be trained in several ways.
            let number = recorded.programs.iter().take_while(|other| !Arc::ptr_eq(other, program));
            let name = match number.filter(|other| other.name == program.name).count() {
                0 => program.name.clone(),
                before => format!("{} #{}", program.name, before + 1),
            };
            let call = Row::new(RowKind::Call, &program.calls);
            rows.push(Row { function: name.clone(), name: name.clone(), ..call });
            for task in &program.tasks {
                let row = Row {
                    function: name.clone(),
                    name: task.info.name.clone(),
                    source: task.info.source.clone(),
                    flops: task.flops.load(Ordering::Relaxed),
                    bytes: task.bytes.load(Ordering::Relaxed),
                    double: task.info.double,
                    ..Row::new(RowKind::Task, &task.figures)
                };
                rows.push(row);
            }
        }
        for name in &recorded.names {
            let kind = match name.kind {
                Kind::Operation => RowKind::Operation,
                Kind::Span => RowKind::Span,
                Kind::Mark | Kind::Counter => continue,
            };
            let source =
                name.location.map_or(String::new(), |location| format!("{}:{}", location.file(), location.line()));
            let row = Row { name: name.text.to_string(), source, ..Row::new(kind, &name.figures) };
            let same = |known: &&mut Row| known.kind == kind && known.name == row.name && known.source == row.source;
            match rows.iter_mut().find(same) {
                Some(known) => known.join(&row),
                None => rows.push(row),
            }
        }
        rows.retain(|row| row.count > 0);
        Profile { recorded, rows }
    }

    /// All rows: each function's calls with its tasks in the order of the program, then operations, then spans. What never ran is left out.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// From start to stop.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.recorded.length)
    }

    /// How many events the trace has.
    pub fn events(&self) -> usize {
        self.recorded.threads.iter().map(|(_, events)| events.len()).sum()
    }

    /// How many earlier events had to go to keep these.
    pub fn dropped(&self) -> u64 {
        self.recorded.dropped
    }

    /// The rows as a table, what took longest first, beside what this machine can do at most, which is [measured](machine) first.
    pub fn table(&self) -> Table<'_> {
        Table { profile: self, machine: machine() }
    }

    /// The events as Chrome's trace event format, for <https://ui.perfetto.dev>, `chrome://tracing` and others.
    pub fn trace(&self) -> String {
        let mut text = vec![];
        // Writing to memory does not fail.
        let _ = trace::write(&self.recorded, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Writes [`trace`](Profile::trace) to a file, in one go: what stood there is replaced once all is written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_trace(&self, path: impl AsRef<Path>) -> Result<()> {
        replace_with(path.as_ref(), |mut file| {
            let mut out = std::io::BufWriter::with_capacity(1 << 16, &mut file);
            trace::write(&self.recorded, &mut out)?;
            std::io::Write::flush(&mut out)
        })
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a profile of {:?} with {} rows and {} events", self.duration(), self.rows.len(), self.events())
    }
}
