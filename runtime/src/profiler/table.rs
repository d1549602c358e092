//! The table.

use std::fmt;
use std::time::Duration;

use super::machine::Machine;
use super::profile::{Profile, Row, RowKind};

/// A profile as a table, by its `Display`.
pub struct Table<'p> {
    pub(super) profile: &'p Profile,
    pub(super) machine: Machine,
}

/// Longer names are cut off.
const NAME: usize = 48;

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (profile, rows) = (self.profile, self.profile.rows());
        writeln!(f, "{}; at most, {}", time(profile.duration()), self.machine)?;
        if profile.dropped() > 0 {
            let all = profile.dropped() + profile.events() as u64;
            writeln!(f, "the trace lacks the {} oldest events of {all}; the table has all", profile.dropped())?;
        }
        if rows.is_empty() {
            return writeln!(f, "nothing was recorded");
        }
        let width = rows.iter().filter(|row| row.kind != RowKind::Call).map(|row| row.name.chars().count());
        let width = width.max().unwrap_or(0).clamp(8, NAME);
        let mut calls: Vec<&Row> = rows.iter().filter(|row| row.kind == RowKind::Call).collect();
        calls.sort_by_key(|row| std::cmp::Reverse(row.total));
        for call in calls {
            self.calls(f, call, width)?;
        }
        // Tasks of calls that had not returned when the profiler was stopped.
        let is_open = |row: &&Row| {
            row.kind == RowKind::Task
                && !rows.iter().any(|call| call.kind == RowKind::Call && call.function == row.function)
        };
        self.section(f, "tasks of calls that had not returned", width, rows.iter().filter(is_open).collect())?;
        for (title, kind) in [("operations", RowKind::Operation), ("spans", RowKind::Span)] {
            self.section(f, title, width, rows.iter().filter(|row| row.kind == kind).collect())?;
        }
        Ok(())
    }
}

impl Table<'_> {
    fn calls(&self, f: &mut fmt::Formatter<'_>, call: &Row, width: usize) -> fmt::Result {
        let of_all = percent(part(call.total, self.profile.duration()));
        let (failed, function) = (failed(call), &call.function);
        writeln!(
            f,
            "\n{function}: {} calls{failed}, {} ({of_all} of the time), mean {}, min {}, max {}",
            call.count,
            time(call.total),
            time(call.mean()),
            time(call.min),
            time(call.max),
        )?;
        let rows = self.profile.rows().iter();
        let mut tasks: Vec<&Row> = rows.filter(|r| r.kind == RowKind::Task && r.function == *function).collect();
        tasks.sort_by_key(|row| std::cmp::Reverse(row.total));
        head(f, "task", width, true)?;
        for task in &tasks {
            self.row(f, task, width, call.total)?;
        }
        let inside: Duration = tasks.iter().map(|row| row.total).sum();
        let rest = call.total.saturating_sub(inside);
        let share = percent(part(rest, call.total));
        writeln!(f, "  {:width$} {share:>7} {:>8} {:>9}", "(before and after tasks)", "", time(rest))
    }

    fn section(&self, f: &mut fmt::Formatter<'_>, title: &str, width: usize, mut rows: Vec<&Row>) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.total));
        writeln!(f, "\n{title}")?;
        let is_costed = rows.iter().any(|row| row.kind == RowKind::Task);
        head(f, "name", width, is_costed)?;
        let whole = self.profile.duration();
        rows.iter().try_for_each(|row| self.row(f, row, width, whole))
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, row: &Row, width: usize, whole: Duration) -> fmt::Result {
        let share = percent(part(row.total, whole));
        // A row is a line, whatever its name.
        let shown = row.name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let name: String = match row.name.chars().count() > width {
            true => shown.take(width - 1).chain(['…']).collect(),
            false => shown.collect(),
        };
        write!(
            f,
            "  {name:width$} {:>7} {:>8} {:>9} {:>9} {:>9} {:>9}",
            share,
            row.count,
            time(row.total),
            time(row.mean()),
            time(row.min),
            time(row.max)
        )?;
        if row.kind == RowKind::Task {
            let ceiling = row.of_ceiling(&self.machine).map(percent).unwrap_or_default();
            write!(f, " {:>8} {:>8} {ceiling:>8}", rate(row.gflops()), rate(row.gbs()))?;
        }
        match (row.source.is_empty(), failed(row)) {
            (true, failed) => writeln!(f, "{failed}"),
            (false, failed) => writeln!(f, "  {}{failed}", row.source),
        }
    }
}

fn head(f: &mut fmt::Formatter<'_>, name: &str, width: usize, costs: bool) -> fmt::Result {
    let times = ["share", "count", "total", "mean", "min", "max"];
    let [share, count, total, mean, min, max] = times;
    write!(f, "  {name:width$} {share:>7} {count:>8} {total:>9} {mean:>9} {min:>9} {max:>9}")?;
    if costs {
        write!(f, " {:>8} {:>8} {:>8}", "GFLOP/s", "GB/s", "ceiling")?;
    }
    writeln!(f, "  source")
}

fn failed(row: &Row) -> String {
    if row.failed == 0 { String::new() } else { format!(" ({} failed)", row.failed) }
}

fn part(of: Duration, whole: Duration) -> f64 {
    of.as_secs_f64() / whole.as_secs_f64().max(1e-9)
}

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

fn rate(rate: f64) -> String {
    match rate {
        r if r >= 100.0 => format!("{r:.0}"),
        r if r >= 0.005 => format!("{r:.2}"),
        _ => "-".to_string(),
    }
}

/// Three digits and a unit.
fn time(of: Duration) -> String {
    let nanoseconds = of.as_nanos() as f64;
    let (number, unit) = match nanoseconds {
        n if n >= 1e9 => (n / 1e9, "s"),
        n if n >= 1e6 => (n / 1e6, "ms"),
        n if n >= 1e3 => (n / 1e3, "µs"),
        n => return format!("{n} ns"),
    };
    match number {
        n if n >= 100.0 => format!("{n:.0} {unit}"),
        n if n >= 10.0 => format!("{n:.1} {unit}"),
        n => format!("{n:.2} {unit}"),
    }
}
