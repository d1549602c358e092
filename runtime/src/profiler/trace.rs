//! The trace in Chrome's format: <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use std::collections::HashMap;
use std::io::{self, Write};
use std::panic::Location;

use serde_json::{Value, json};

use crate::recorder::{Event, OperationKey, Outcome, Recorded, What};

/// The one process of a trace.
const PROCESS: u32 = 1;

/// Writes all events, a line each.
pub(super) fn write(recorded: &Recorded, out: &mut dyn Write) -> io::Result<()> {
    let mut trace = Trace { recorded, numbers: HashMap::new(), out };
    trace.all()
}

struct Trace<'a> {
    recorded: &'a Recorded,
    /// Operations that were pushed and run, by number, and whether they went on after their function.
    numbers: HashMap<OperationKey, Known>,
    out: &'a mut dyn Write,
}

/// What is known of an operation.
struct Known {
    number: usize,
    pushed: bool,
    /// Its name, if it goes on after its function.
    pending: Option<u32>,
}

impl Trace<'_> {
    fn all(&mut self) -> io::Result<()> {
        let recorded = self.recorded;
        for event in recorded.threads.iter().flat_map(|(_, events)| events) {
            let (operation, pushed, pending) = match event.what {
                What::Push { operation, .. } => (operation, true, None),
                What::Operation { operation, outcome: Outcome::Pending, name } => (operation, false, Some(name)),
                What::Operation { operation, .. } | What::Completed { operation, .. } => (operation, false, None),
                What::Call { .. }
                | What::Task { .. }
                | What::Span { .. }
                | What::Mark { .. }
                | What::Counter { .. } => {
                    continue;
                }
            };
            let number = self.numbers.len() + 1;
            let known = self.numbers.entry(operation).or_insert(Known { number, pushed: false, pending: None });
            known.pushed |= pushed;
            known.pending = known.pending.or(pending);
        }
        let other = json!({"oldest events left out": recorded.dropped, "nanoseconds": recorded.length});
        writeln!(self.out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{other},\"traceEvents\":[")?;
        let process = json!({"name": "process_name", "ph": "M", "pid": PROCESS, "args": {"name": "castnet"}});
        write!(self.out, "{process}")?;
        let mut threads: Vec<&(String, Vec<Event>)> = recorded.threads.iter().collect();
        threads.sort_by_key(|(_, events)| events.iter().map(|event| event.start).min());
        for (thread, (name, events)) in threads.into_iter().enumerate() {
            let thread = thread + 1;
            let meta =
                |what: &str, args: Value| json!({"name": what, "ph": "M", "pid": PROCESS, "tid": thread, "args": args});
            write!(self.out, ",\n{}", meta("thread_name", json!({"name": name})))?;
            write!(self.out, ",\n{}", meta("thread_sort_index", json!({"sort_index": thread})))?;
            let mut events: Vec<&Event> = events.iter().collect();
            // What holds others comes before them.
            events.sort_by_key(|event| (event.start, std::cmp::Reverse(event.end)));
            events.into_iter().try_for_each(|event| self.event(thread, event))?;
        }
        writeln!(self.out, "\n]}}")
    }

    fn event(&mut self, thread: usize, event: &Event) -> io::Result<()> {
        let (start, length) = (event.start, event.end - event.start);
        match event.what {
            What::Call { call, program, sizes, failed } => {
                let program = &self.recorded.programs[program as usize];
                let mut args = json!({"call": call, "sizes": program.sizes(sizes)});
                if failed {
                    args["outcome"] = "failed".into();
                }
                self.slice(thread, "call", &program.name, start, length, &args)
            }
            What::Task { call, program, task, phase, chunks } => {
                let program = &self.recorded.programs[program as usize];
                let Some(task) = program.tasks.get(task as usize) else { return Ok(()) };
                let args = json!({"source": task.info.source, "call": call, "phase": phase, "chunks": chunks});
                self.slice(thread, "task", &task.info.name, start, length, &args)
            }
            What::Push { operation, name } => {
                let name = &self.recorded.names[name as usize];
                let args = json!({"source": line(name.location)});
                self.slice(thread, "push", &format!("push {}", name.text), start, 1, &args)?;
                self.arrow(thread, operation, "s", start)
            }
            What::Operation { operation, name, outcome } => {
                let name = &self.recorded.names[name as usize];
                let became = match outcome {
                    Outcome::Done => "done",
                    Outcome::Failed => "failed",
                    Outcome::Skipped => "skipped",
                    Outcome::Pending => "pending",
                };
                let args = json!({"source": line(name.location), "outcome": became});
                self.slice(thread, "operation", &name.text, start, length, &args)?;
                self.arrow(thread, operation, "f", start)?;
                self.pending(thread, operation, "b", start, json!({}))
            }
            What::Completed { operation, failed } => {
                let outcome = if failed { "failed" } else { "done" };
                self.pending(thread, operation, "e", start, json!({"outcome": outcome}))
            }
            What::Span { name } => {
                let name = &self.recorded.names[name as usize];
                self.slice(thread, "span", &name.text, start, length, &json!({"source": line(name.location)}))
            }
            What::Mark { name } => {
                let name = &self.recorded.names[name as usize];
                let args = json!({"source": line(name.location)});
                self.line(&json!({
                    "name": name.text, "cat": "mark", "ph": "i", "s": "t", "pid": PROCESS, "tid": thread,
                    "ts": microseconds(start), "args": args,
                }))
            }
            What::Counter { name, value } => {
                let name = &self.recorded.names[name as usize];
                // Numbers that JSON has not are 0.
                let value = if value.is_finite() { value } else { 0.0 };
                self.line(&json!({
                    "name": name.text, "ph": "C", "pid": PROCESS, "ts": microseconds(start), "args": {"value": value},
                }))
            }
        }
    }

    fn slice(
        &mut self,
        thread: usize,
        category: &str,
        name: &str,
        start: u64,
        length: u64,
        args: &Value,
    ) -> io::Result<()> {
        self.line(&json!({
            "name": name, "cat": category, "ph": "X", "pid": PROCESS, "tid": thread,
            "ts": microseconds(start), "dur": microseconds(length), "args": args,
        }))
    }

    /// An end of the arrow from a push to the function, where both are known.
    fn arrow(&mut self, thread: usize, operation: OperationKey, end: &str, at: u64) -> io::Result<()> {
        let Some(Known { number, pushed: true, .. }) = self.numbers.get(&operation) else { return Ok(()) };
        self.line(&json!({
            "name": "push", "cat": "push", "ph": end, "bp": "e", "id": number, "pid": PROCESS, "tid": thread,
            "ts": microseconds(at),
        }))
    }

    /// An end of the time in which an operation goes on, if it does so after its function.
    fn pending(&mut self, thread: usize, operation: OperationKey, end: &str, at: u64, args: Value) -> io::Result<()> {
        let Some(Known { number, pending: Some(name), .. }) = self.numbers.get(&operation) else { return Ok(()) };
        let name = &self.recorded.names[*name as usize].text;
        self.line(&json!({
            "name": name, "cat": "operation", "ph": end, "id": number, "pid": PROCESS, "tid": thread,
            "ts": microseconds(at), "args": args,
        }))
    }

    fn line(&mut self, event: &Value) -> io::Result<()> {
        write!(self.out, ",\n{event}")
    }
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn line(location: Option<&'static Location<'static>>) -> String {
    location.map_or(String::new(), |location| format!("{}:{}", location.file(), location.line()))
}
