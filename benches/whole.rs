//! Training steps of whole networks: how long each takes, what arrays of blocks cost beside their rounds written out, and what a change of
//! castnet did.
//!
//! ```sh
//! cargo bench -p castnet --bench whole -- [--net NAME]... [--rounds 7] [--seconds 0.5] [--threads 1] [--beside BINARY]
//! ```
//!
//! `BINARY` is this bench as another version of castnet built it (`target/release/deps/whole-*`). All sides run by turns, half a second
//! each; while one runs, the others wait. What is shown are single steps: their median, and the 5th percentile, which other work on the
//! machine moves least. With several threads also how often they sleep in a step, where Linux counts it.

#[path = "../tests/nets/whole.rs"]
mod nets;

use std::error::Error;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use castnet::prelude::*;
use lexopt::prelude::*;
use nets::*;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A network with its optimizer and a batch.
struct Case {
    name: &'static str,
    /// The same network with its rounds written out.
    written: Option<&'static str>,
    create: fn() -> Result<Step>,
}

type Step = Box<dyn FnMut() -> Result<f32>>;

macro_rules! case {
    ($name:literal, $written:expr, $net:ident, $optimizer:expr, $x:expr, $y:expr) => {
        Case {
            name: $name,
            written: $written,
            create: || {
                let (mut net, mut optimizer) = ($net::new(&Device::cpu(), 1)?, $optimizer);
                let (x, y) = ($x?, $y?);
                Ok(Box::new(move || Ok(net.loss_step(&mut optimizer, &x, &y)?.get()?)))
            },
        }
    };
}

const CASES: [Case; 10] = [
    case!("resnet20", Some("resnet20 written"), ResNet20, sgd(), normal(&[32, 3, 32, 32]), classes(10, &[32])),
    case!("resnet20 written", None, ResNet20Written, sgd(), normal(&[32, 3, 32, 32]), classes(10, &[32])),
    case!("mobilenet", Some("mobilenet written"), MobileNetV2, sgd(), normal(&[8, 3, 64, 64]), classes(10, &[8])),
    case!("mobilenet written", None, MobileNetV2Written, sgd(), normal(&[8, 3, 64, 64]), classes(10, &[8])),
    case!("gpt", Some("gpt written"), Gpt, AdamW::new(1e-4), below(256, &[8, 128]), below(256, &[8, 128])),
    case!("gpt written", None, GptWritten, AdamW::new(1e-4), below(256, &[8, 128]), below(256, &[8, 128])),
    case!("char lstm", None, CharLstm, Adam::new(1e-4), below(128, &[32, 64]), below(128, &[32, 64])),
    case!("long sums", None, LongSums, sgd(), normal(&[1 << 16, 16]), normal(&[1 << 16, 16])),
    case!("pools", None, Pools, sgd(), normal(&[32, 3, 32, 32]), classes(10, &[32])),
    case!("unet", None, UNet, Adam::new(1e-4), normal(&[4, 3, 64, 64]), classes(4, &[4, 64, 64])),
];

fn sgd() -> Sgd {
    Sgd::new(1e-2).momentum(0.9).weight_decay(1e-4)
}

/// Marsaglia's xorshift.
fn bits() -> impl Iterator<Item = u32> {
    std::iter::successors(Some(2_463_534_242u32), |&last| {
        let mut x = last;
        x ^= x << 13;
        x ^= x >> 17;
        Some(x ^ (x << 5))
    })
}

/// Nearly normal: sums of twelve uniform numbers.
fn normal(shape: &[usize]) -> Result<Array> {
    let mut uniform = bits().map(|b| b as f32 / u32::MAX as f32);
    let n = shape.iter().product();
    let data = (0..n).map(|_| uniform.by_ref().take(12).sum::<f32>() - 6.0).collect();
    Ok(Array::from_vec::<f32>(shape, data)?)
}

fn below(limit: u32, shape: &[usize]) -> Result<Array> {
    Ok(Array::from_vec::<u32>(shape, bits().take(shape.iter().product()).map(|b| b % limit).collect())?)
}

fn classes(limit: u32, shape: &[usize]) -> Result<Array> {
    Ok(Array::from_vec::<u8>(shape, bits().take(shape.iter().product()).map(|b| (b % limit) as u8).collect())?)
}

struct Options {
    nets: Vec<String>,
    rounds: usize,
    seconds: f64,
    threads: usize,
    beside: Option<OsString>,
    serve: bool,
}

impl Options {
    fn parse() -> Result<Options> {
        let mut options = Options { nets: vec![], rounds: 7, seconds: 0.5, threads: 1, beside: None, serve: false };
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("net") => options.nets.push(args.value()?.string()?),
                Long("rounds") => options.rounds = args.value()?.parse()?,
                Long("seconds") => options.seconds = args.value()?.parse()?,
                Long("threads") => options.threads = args.value()?.parse()?,
                Long("beside") => options.beside = Some(args.value()?),
                Long("serve") => options.serve = true,
                Long("bench") => {} // `cargo bench` says so.
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    castnet::set_threads(options.threads);
    if options.serve { serve() } else { bench(&options) }
}

/// Milliseconds of each step for so many seconds.
fn run(step: &mut Step, seconds: f64) -> Result<Vec<f64>> {
    let (begin, mut times) = (Instant::now(), vec![]);
    while times.len() < 2 || begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        step()?;
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    Ok(times)
}

/// How often threads of this process have slept, where the system says so.
fn sleeps() -> Option<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        sum += count.trim().parse::<u64>().ok()?;
    }
    Some(sum)
}

/// Runs what is asked for, a line `seconds name` each, and answers with the times.
fn serve() -> Result<()> {
    let mut steps: Vec<Option<Step>> = CASES.iter().map(|_| None).collect();
    for line in std::io::stdin().lines() {
        let line = line?;
        let (seconds, name) = line.split_once(' ').ok_or("no name")?;
        let number = CASES.iter().position(|case| case.name == name).ok_or("no such network")?;
        let times = run(started(&mut steps, number)?, seconds.parse()?)?;
        println!("{}", times.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

/// The network of a case, made when it is needed for the first time.
fn started(steps: &mut [Option<Step>], number: usize) -> Result<&mut Step> {
    let step = match steps[number].take() {
        Some(step) => step,
        None => (CASES[number].create)()?,
    };
    Ok(steps[number].insert(step))
}

/// The bench of another version.
struct Other {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(binary: &OsString, threads: usize) -> Result<Other> {
        let mut command = Command::new(binary);
        command.args(["--serve", "--threads", &threads.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".into());
        };
        Ok(Other { child, input, output: BufReader::new(output) })
    }

    fn run(&mut self, name: &str, seconds: f64) -> Result<Vec<f64>> {
        writeln!(self.input, "{seconds} {name}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let times: std::result::Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        Ok(times?)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Times that not more than this part of all are below.
fn percentile(times: &mut [f64], part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get((part * times.len() as f64) as usize).copied().unwrap_or(f64::NAN)
}

fn bench(options: &Options) -> Result<()> {
    let mut other = options.beside.as_ref().map(|binary| Other::start(binary, options.threads)).transpose()?;
    let mut steps: Vec<Option<Step>> = CASES.iter().map(|_| None).collect();
    let wanted = |case: &Case| {
        let is_named = |net: &String| case.name == net || case.name.strip_suffix(" written") == Some(net);
        options.nets.is_empty() || options.nets.iter().any(is_named)
    };
    let (mut ours, mut theirs) = (vec![vec![]; CASES.len()], vec![vec![]; CASES.len()]);
    let mut slept = vec![None; CASES.len()];
    // Round 0 warms up.
    for round in 0..=options.rounds {
        for (number, case) in CASES.iter().enumerate().filter(|(_, case)| wanted(case)) {
            let step = started(&mut steps, number)?;
            let before = sleeps();
            let times = run(step, options.seconds)?;
            let here = sleeps().zip(before).map(|(after, before)| after - before);
            let their_times = other.as_mut().map(|other| other.run(case.name, options.seconds)).transpose()?;
            if round > 0 {
                ours[number].extend(times);
                slept[number] = here.map(|here| slept[number].unwrap_or(0) + here);
                theirs[number].extend(their_times.unwrap_or_default());
            }
        }
    }
    println!("ms a training step, {} threads, {} rounds: median (5th percentile)", options.threads, options.rounds);
    let both = |times: &mut [f64]| [percentile(times, 0.5), percentile(times, 0.05)];
    let figures: Vec<[f64; 2]> = ours.iter_mut().map(|times| both(times)).collect();
    for (number, case) in CASES.iter().enumerate().filter(|(_, case)| wanted(case)) {
        let [median, least] = figures[number];
        print!("{:18} {median:8.2} ({least:.2})", case.name);
        if let Some(written) = case.written.and_then(|name| CASES.iter().position(|case| case.name == name)) {
            let [m, l] = figures[written];
            print!("; {:.2} ({:.2}) times as fast as written out", m / median, l / least);
        }
        if other.is_some() {
            let [m, l] = both(&mut theirs[number]);
            print!("; the other takes {m:.2} ({l:.2}): {:.2} ({:.2}) times as fast", m / median, l / least);
        }
        if let Some(slept) = slept[number].filter(|_| options.threads > 1) {
            print!("; threads sleep {:.1} times a step", slept as f64 / ours[number].len() as f64);
        }
        println!();
    }
    Ok(())
}
