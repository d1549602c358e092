//! Training steps a second and memory, beside PyTorch's; with `--start`, how long a program takes to its first step.
//!
//! ```sh
//! cargo bench -p castnet --bench steps -- --python PYTHON [--rounds 7] [--seconds 0.5] [--threads 2] [--quiet]
//! cargo bench -p castnet --bench steps -- --start
//! ```
//!
//! `PYTHON` is an interpreter that has torch; without it castnet runs alone. The sides run by turns, half a second each, so that what
//! else the machine does meets them alike; while one runs, the others wait for their input. That is fair for one thread; threads that
//! wait for each other lose far more to other work, so `--quiet` (Linux) waits for a second in which the machine does nothing else before
//! each round of a network.

#[path = "../tests/nets/mod.rs"]
mod nets;

use std::error::Error;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use castnet::prelude::*;
use lexopt::prelude::*;
use nets::{Example, LeNet, Mlp, Third};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const BATCH: usize = 64;
const BATCHES: usize = 8;
const STARTS: usize = 10;

struct Options {
    python: Option<OsString>,
    rounds: usize,
    seconds: f64,
    threads: usize,
    quiet: bool,
    start: bool,
    first_step: bool,
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    castnet::set_threads(options.threads);
    match (options.first_step, options.start) {
        (true, _) => first_step(),
        (_, true) => start(&options),
        _ => bench(&options),
    }
}

impl Options {
    fn parse() -> Result<Options> {
        let mut options = Options {
            python: None,
            rounds: 7,
            seconds: 0.5,
            threads: 2,
            quiet: false,
            start: false,
            first_step: false,
        };
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("python") => options.python = Some(args.value()?),
                Long("rounds") => options.rounds = args.value()?.parse()?,
                Long("seconds") => options.seconds = args.value()?.parse()?,
                Long("threads") => options.threads = args.value()?.parse()?,
                Long("quiet") => options.quiet = true,
                Long("start") => options.start = true,
                Long("first-step") => options.first_step = true,
                Long("bench") => {} // `cargo bench` says so.
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(options)
    }
}

// --- castnet ---------------------------------------------------------------------------------------------------------------

/// A network with its optimizer and batches.
struct Training<N> {
    net: N,
    sgd: Sgd,
    batches: Vec<Vec<Array>>,
    next: usize,
}

impl<N: Example> Training<N> {
    fn new() -> Result<Training<N>> {
        let batches = (0..BATCHES as u64).map(|seed| N::batch(BATCH, seed)).collect();
        Ok(Training { net: N::create(1)?, sgd: Sgd::new(0.01).momentum(0.9), batches, next: 0 })
    }
}

trait Steps {
    fn name(&self) -> &'static str;
    fn run(&mut self, steps: usize) -> Result<()>;
    /// Bytes of activations and of all that is computed on the way, as planned.
    fn planned(&self) -> i64;
}

impl<N: Example> Steps for Training<N> {
    fn name(&self) -> &'static str {
        N::NAME
    }

    fn run(&mut self, steps: usize) -> Result<()> {
        for _ in 0..steps {
            self.net.train(&mut self.sgd, &self.batches[self.next])?;
            self.next = (self.next + 1) % BATCHES;
        }
        Ok(())
    }

    fn planned(&self) -> i64 {
        let functions = self.net.as_ref().net().cpu();
        let programs = functions.iter().filter_map(|f| f.training.as_ref());
        programs.map(|p| p.arena_bytes(&|_| BATCH as i64)).sum()
    }
}

// --- PyTorch ---------------------------------------------------------------------------------------------------------------

/// `benches/pytorch.py`, waiting for what to run.
struct PyTorch {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/pytorch.py")
}

impl PyTorch {
    fn start(python: &OsString, threads: usize, more: &[&str]) -> Result<PyTorch> {
        let mut child = Command::new(python)
            .arg(script())
            .args(["--threads", &threads.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".into());
        };
        let mut process = PyTorch { child, input, output: BufReader::new(output) };
        match process.line()?.as_str() {
            "ready" => Ok(process),
            other => Err(format!("PyTorch says {other:?}").into()),
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_string())
    }

    /// Seconds a step.
    fn time(&mut self, net: &str, steps: usize) -> Result<f64> {
        writeln!(self.input, "{net} {steps}")?;
        let line = self.line()?;
        line.parse().map_err(|_| format!("PyTorch says {line:?}").into())
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What autograd keeps of a loss at the benches' batch (`pytorch.py --mode saved`): everything, and without parameters and batch.
fn saved() -> Result<Vec<(String, [i64; 2])>> {
    let all: serde_json::Value = serde_json::from_str(include_str!("../tests/golden/saved.json"))?;
    let lines = all.as_array().into_iter().flatten().filter(|line| line["N"] == BATCH);
    let of = |line: &serde_json::Value| -> Result<(String, [i64; 2])> {
        let bytes = |key: &str| line[key].as_i64().ok_or(format!("no {key} in {line}"));
        Ok((line["net"].as_str().unwrap_or_default().to_string(), [bytes("all")?, bytes("activations")?]))
    };
    lines.map(of).collect()
}

// --- side by side ----------------------------------------------------------------------------------------------------------

/// Steps a second of one side and net, a number a round.
#[derive(Clone, Default)]
struct Rates(Vec<f64>);

impl Rates {
    fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        if n == 0 { f64::NAN } else { (sorted[n / 2] + sorted[(n - 1) / 2]) / 2.0 }
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn greatest(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    /// Round by round.
    fn over(&self, other: &Rates) -> Rates {
        Rates(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }
}

fn bench(options: &Options) -> Result<()> {
    let mut trainings: [Box<dyn Steps>; 3] =
        [Box::new(Training::<Mlp>::new()?), Box::new(Training::<LeNet>::new()?), Box::new(Training::<Third>::new()?)];
    let mut opponents = vec![];
    if let Some(python) = &options.python {
        opponents.push(("PyTorch", PyTorch::start(python, options.threads, &[])?));
        opponents.push(("PyTorch, fused SGD", PyTorch::start(python, options.threads, &["--fused"])?));
    }
    let sides = 1 + opponents.len();
    let mut rates = vec![vec![Rates::default(); sides]; trainings.len()];
    let mut steps = vec![vec![20; sides]; trainings.len()];
    // Round 0 warms up and finds out how many steps fill the time.
    for round in 0..=options.rounds {
        for (number, training) in trainings.iter_mut().enumerate() {
            while options.quiet && busy()? > 0.05 {}
            for turn in 0..sides {
                let side = (turn + round) % sides;
                let count = steps[number][side];
                let seconds = match side.checked_sub(1) {
                    None => {
                        let start = Instant::now();
                        training.run(count)?;
                        start.elapsed().as_secs_f64() / count as f64
                    }
                    Some(opponent) => opponents[opponent].1.time(training.name(), count)?,
                };
                match round {
                    0 => steps[number][side] = ((options.seconds / seconds) as usize).max(1),
                    _ => rates[number][side].0.push(1.0 / seconds),
                }
                // Threads that spin for a while after their work come to rest.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    println!("training steps a second at batch {BATCH}, {} threads, {} rounds", options.threads, options.rounds);
    for (training, rates) in trainings.iter().zip(&rates) {
        let ours = &rates[0];
        let show = |name: &str, r: &Rates| {
            print!("{:6} {name:19} {:8.0} ({:.0} to {:.0})", training.name(), r.median(), r.least(), r.greatest());
        };
        show("castnet", ours);
        println!();
        for ((name, _), theirs) in opponents.iter().zip(&rates[1..]) {
            show(name, theirs);
            let each = ours.over(theirs);
            let ratio = ours.median() / theirs.median();
            println!("; castnet is {ratio:.2} times as fast ({:.2} to {:.2})", each.least(), each.greatest());
        }
    }
    drop(opponents);

    println!("bytes of a step at batch {BATCH}");
    let saved = saved()?;
    for training in &trainings {
        print!("{:6} castnet plans {}", training.name(), training.planned());
        match saved.iter().find(|(net, _)| net == training.name()) {
            Some((_, [all, activations])) => {
                println!("; PyTorch saves {all}, of which {activations} are neither parameters nor the batch")
            }
            None => println!(),
        }
    }
    Ok(())
}

/// The part of all processors' time that was used during a second.
fn busy() -> Result<f64> {
    // user nice system idle iowait irq softirq steal, since the start.
    let read = || -> Result<[f64; 2]> {
        let text = std::fs::read_to_string("/proc/stat")?;
        let times: Vec<f64> =
            text.lines().next().unwrap_or_default().split(' ').filter_map(|t| t.parse().ok()).collect();
        let idle: f64 = times.iter().skip(3).take(2).sum();
        Ok([idle, times.iter().take(8).sum()])
    };
    let before = read()?;
    std::thread::sleep(Duration::from_secs(1));
    let after = read()?;
    Ok(1.0 - (after[0] - before[0]) / (after[1] - before[1]))
}

// --- from nothing to the first step ----------------------------------------------------------------------------------------

/// What `--start` runs: says how long making the data took.
fn first_step() -> Result<()> {
    let start = Instant::now();
    let batch = LeNet::batch(BATCH, 1);
    let data = start.elapsed();
    let mut net = LeNet::create(1)?;
    net.train(&mut Sgd::new(0.01).momentum(0.9), &batch)?;
    println!("{}", data.as_secs_f64());
    Ok(())
}

fn start(options: &Options) -> Result<()> {
    let mut times = Rates::default();
    for _ in 0..STARTS {
        let start = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--first-step", "--threads", &options.threads.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let data: f64 = line.trim().parse()?;
        times.0.push(1000.0 * (start.elapsed().as_secs_f64() - data));
        child.wait()?;
    }
    let (median, least, greatest) = (times.median(), times.least(), times.greatest());
    println!(
        "from process start to LeNet's first step: {median:.1} ms ({least:.1} to {greatest:.1}), median of {STARTS}"
    );
    Ok(())
}
