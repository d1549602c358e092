//! The scheduler alone, without any network: a small build, whose steps say which files they read and write.
//!
//! ```sh
//! cargo run --release --example engine
//! ```
//!
//! Independent steps run side by side. One of them fails: what needs its file is skipped and says which step is to blame, all else is
//! built. Then the mistake is mended, and the rest runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use castnet::engine::{Engine, Result, Variable};

/// Files in memory. The engine sees to it that no step reads one that is being written.
type Files = Arc<Mutex<HashMap<&'static str, String>>>;

/// A build: files, and a variable of the engine for each.
struct Build {
    engine: Engine,
    files: Files,
    variables: HashMap<&'static str, Variable>,
}

impl Build {
    fn new(workers: usize, sources: &[(&'static str, &str)]) -> Build {
        let files = sources.iter().map(|&(name, text)| (name, text.to_string())).collect();
        Build { engine: Engine::new(workers), files: Arc::new(Mutex::new(files)), variables: HashMap::new() }
    }

    fn variable(&mut self, file: &'static str) -> Variable {
        self.variables.entry(file).or_insert_with(|| self.engine.variable()).clone()
    }

    /// A step that makes a file of others. Errors name the line of the caller.
    #[track_caller]
    fn step(
        &mut self,
        name: &'static str,
        from: &'static [&'static str],
        to: &'static str,
        make: fn(&[String]) -> Result<String, String>,
    ) -> Result<()> {
        let sources: Vec<Variable> = from.iter().map(|file| self.variable(file)).collect();
        let target = self.variable(to);
        let files = self.files.clone();
        let run = move || -> Result<(), String> {
            let texts: Vec<String> = {
                let files = files.lock().map_err(|error| error.to_string())?;
                from.iter()
                    .map(|file| files.get(file).cloned().ok_or(format!("no {file}")))
                    .collect::<Result<_, _>>()?
            };
            let made = make(&texts)?;
            files.lock().map_err(|error| error.to_string())?.insert(to, made);
            println!("  {name} made {to}");
            Ok(())
        };
        // The whole file is written, so a step that is run again mends what failed.
        self.engine.operation(name).reads(&sources).overwrites(&target).push(run)
    }

    #[track_caller]
    fn link(&mut self) -> Result<()> {
        self.step("link", &["main.o", "list.o"], "program", |objects| Ok(objects.join(" + ")))?;
        self.step("test", &["program"], "report", |program| Ok(format!("{} runs", program[0])))
    }
}

/// Refuses what does not end in a semicolon.
fn compile(texts: &[String]) -> Result<String, String> {
    match texts[0].ends_with(';') {
        true => Ok(format!("[{}]", texts[0])),
        false => Err(format!("expected `;` after `{}`", texts[0])),
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut build = Build::new(2, &[("main.c", "run();"), ("list.c", "push()"), ("notes", "a list")]);

    println!("the first build");
    build.step("compile main", &["main.c"], "main.o", compile)?;
    build.step("compile list", &["list.c"], "list.o", compile)?;
    build.link()?;
    build.step("document", &["notes"], "manual", |notes| Ok(format!("How to use {}", notes[0])))?;

    // Each failure once; what was skipped because of it is not another one.
    if let Err(failures) = build.engine.wait_all() {
        println!("  failed: {failures}");
    }
    // Whoever asks for a file is told why it is not there.
    let report = build.variable("report");
    if let Err(error) = build.engine.wait_to_read(&report) {
        println!("  no report, since {error}");
    }

    println!("mended");
    build.step("mend", &["list.c"], "list.c", |texts| Ok(format!("{};", texts[0])))?;
    build.step("compile list", &["list.c"], "list.o", compile)?;
    build.link()?;
    build.engine.wait_to_read(&report)?;
    let files = build.files.lock().map_err(|error| error.to_string())?;
    println!("  {}", files["report"]);
    Ok(())
}
