//! Tables: what each kernel costs, and what a call takes in all.

use std::fmt::Write;

use super::{Cost, Explain, greatest, launches, title};
use crate::compile::Report;

impl Explain<'_> {
    /// Parameters and their bytes.
    pub(super) fn net_summary(&self) -> String {
        let net = &self.compiled.net;
        let elements: usize = net.parameters.iter().map(|p| p.len()).sum();
        let (_, floats) = net.offsets();
        let mut text = format!(
            "{}: {} parameters of {elements} elements, {}\n",
            net.name,
            net.parameters.len(),
            size_text(4.0 * floats as f64)
        );
        let mirrors = net.mirror_bytes();
        if mirrors > 0 {
            let _ = writeln!(text, "copies of parameters in other types or layouts: {}", size_text(mirrors as f64));
        }
        let _ = writeln!(
            text,
            "an optimizer with one state (Sgd with momentum): as many again; with two (Adam, AdamW): twice as many"
        );
        let _ = writeln!(text, "least times on a machine with {}", self.settings.machine);
        text
    }

    /// A line a kernel.
    pub(super) fn program_summary(&self, report: &Report) -> String {
        let (program, machine) = (&report.program, &self.settings.machine);
        let value = |name: &str| self.settings.size(name);
        let binding = self.settings.binding(program);
        let at = if binding.is_empty() { String::new() } else { format!(" at {binding}") };
        let arena = greatest(&program.arena);
        let mut text = format!("== {}{at} ==\n", title(report));
        let _ = writeln!(text, "floating-point operations {}, arena {arena} bytes", program.flops);
        let launches = launches(program, &value);
        let width = launches.iter().map(|(l, ..)| l.name.chars().count()).max().unwrap_or(0).max(6);
        let _ = writeln!(
            text,
            "{:>3}  {:width$} {:>6} {:>11} {:>11} {:>8}  {:7} {:>10}  source",
            "", "kernel", "runs", "flops", "bytes", "flop/B", "bound", "least"
        );
        let mut all = Cost::default();
        let mut seconds = 0.0;
        for (number, (launch, count, cost)) in launches.into_iter().enumerate() {
            let bound = if machine.is_compute_bound(&cost) { "compute" } else { "memory" };
            let line = self.launch_line(launch).unwrap_or_default();
            let total = cost.times(count as f64);
            all.add(&total);
            seconds += machine.seconds(&total);
            let row = format!(
                "{number:>3}  {:width$} {count:>6} {:>11} {:>11} {:>8.2}  {bound:7} {:>10}  {line}",
                launch.name,
                number_text(total.flops),
                size_text(total.bytes()),
                cost.intensity(),
                time_text(machine.seconds(&total)),
            );
            let _ = writeln!(text, "{}", row.trim_end());
        }
        let _ = writeln!(
            text,
            "     {:width$} {:>6} {:>11} {:>11} {:>8.2}  {:7} {:>10}",
            "all",
            "",
            number_text(all.flops),
            size_text(all.bytes()),
            all.intensity(),
            "",
            time_text(seconds)
        );
        text
    }
}

/// `1.23 G`.
fn number_text(x: f64) -> String {
    let (unit, scale) = match x {
        x if x >= 1e9 => ("G", 1e9),
        x if x >= 1e6 => ("M", 1e6),
        x if x >= 1e3 => ("k", 1e3),
        _ => return format!("{x}"),
    };
    format!("{:.2} {unit}", x / scale)
}

/// `1.50 MiB`.
pub(super) fn size_text(bytes: f64) -> String {
    let (unit, scale) = match bytes {
        b if b >= 1024.0 * 1024.0 * 1024.0 => ("GiB", 1024.0 * 1024.0 * 1024.0),
        b if b >= 1024.0 * 1024.0 => ("MiB", 1024.0 * 1024.0),
        b if b >= 1024.0 => ("KiB", 1024.0),
        b => return format!("{b} B"),
    };
    format!("{:.2} {unit}", bytes / scale)
}

fn time_text(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.2} µs", s * 1e6),
    }
}
