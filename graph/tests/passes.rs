//! Passes on graphs in files: each case of `passes/<pass>.txt` is a title, a graph, and what the pass makes of it; of those in `programs/`, the
//! program.
//!
//! `UPDATE_PASSES=1` writes what the passes make; look at the difference.

mod common;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use castnet_graph::builder::{Declared, Parameters};
use castnet_graph::check::check_plan;
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::decompose::{NOTHING, decompose};
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Op, Origin};
use castnet_graph::net::Init;
use castnet_graph::optimise::{optimise, share, without_dead_code};
use castnet_graph::program::Program;
use castnet_graph::recompute::recompute;
use castnet_graph::text::read;
use castnet_graph::text::{ProgramText, program::read as read_program};
use castnet_graph::verify::verify;

type Pass = fn(&Graph) -> Graph;

const PASSES: [(&str, Pass); 6] = [
    ("dead", without_dead_code),
    ("decompose", |graph| decompose(graph, &NOTHING).unwrap_or_else(|e| panic!("{e:?}"))),
    ("gradient", |graph| gradients(graph.clone(), &|_| true, NOTHING).unwrap_or_else(|e| panic!("{e:?}"))),
    ("optimise", optimise),
    ("recompute", |graph| without_dead_code(&recompute(graph))),
    ("share", share),
];

/// Title and graph of each case of a file; the results are left out.
fn cases(text: &str) -> Vec<(String, String)> {
    let mut cases = vec![];
    for part in text.split("\n## ").skip(1) {
        let (title, rest) = part.split_once('\n').expect("a title has a line of its own");
        let graph = rest.split("\n=>\n").next().unwrap_or(rest);
        cases.push((title.to_string(), graph.trim().to_string()));
    }
    cases
}

/// Compares a file with what is made of the graphs in it, or writes that.
fn check_file(path: &Path, make: &dyn Fn(&str, &Graph) -> String) {
    let at = path.display();
    let written = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{at}: {e}"));
    let mut made = written.split("\n## ").next().unwrap_or_default().trim().to_string() + "\n";
    for (title, text) in cases(&written) {
        let graph = read(&text).unwrap_or_else(|e| panic!("{at}, {title}: {e}"));
        verify(&graph).unwrap_or_else(|e| panic!("{at}, {title}: {e}"));
        let _ = write!(made, "\n## {title}\n\n{graph}=>\n{}", make(&title, &graph));
    }
    match std::env::var_os("UPDATE_PASSES") {
        Some(_) => std::fs::write(path, made).unwrap(),
        None => assert_eq!(made, written, "{at}: UPDATE_PASSES=1 writes what is made"),
    }
}

/// The files of a folder of these tests.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect()
}

#[test]
fn passes_do_to_graphs_in_files_what_the_files_say() {
    let files = files("passes");
    for path in &files {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let (_, pass) = PASSES.iter().find(|(pass, _)| *pass == name).unwrap_or_else(|| panic!("no pass {name}"));
        check_file(path, &|title, graph| {
            let result = pass(graph);
            verify(&result).unwrap_or_else(|e| panic!("{name}, {title}: {e}"));
            result.to_string()
        });
    }
    assert_eq!(files.len(), PASSES.len(), "every pass has a file");
}

/// Fusion, layouts and the memory plan: each file of `programs/` is a matter with the programs that come out, in training mode where the
/// title ends with that word.
#[test]
fn programs_of_graphs_in_files_are_what_the_files_say() {
    for path in files("programs") {
        check_file(&path, &|title, graph| {
            let training = title.ends_with("(training)");
            let program = program(graph, training);
            check_plan(&program).unwrap_or_else(|e| panic!("{title}: {e}"));
            let back = read_program(&program.listing()).unwrap_or_else(|e| panic!("{title}: {e}"));
            assert_eq!(back, program, "{title}");
            let text = program.to_text();
            text.lines().map(|line| line.trim_end().to_string() + "\n").collect()
        });
    }
}

/// The program of a graph. Weights of layers, which are called so, lie in panels, as layers declare them.
fn program(graph: &Graph, training: bool) -> Program {
    let mut parameters = Parameters::default();
    declare(graph, 1, &mut parameters.list);
    let function = SourceFunction::new("f", graph.clone(), training.then(|| graph.clone()));
    let source = Source { name: "G".into(), parameters, functions: vec![function] };
    let mut net = compile(source).unwrap_or_else(|e| panic!("{e:?}\n{graph}")).net;
    let mut function = net.targets.remove(0).programs.remove(0);
    function.training.take().unwrap_or(function.inference)
}

/// Declares the parameters of a graph, those of the rounds of its loops, too.
fn declare(graph: &Graph, rounds: usize, list: &mut Vec<Declared>) {
    for node in &graph.nodes {
        let (first, count) = match &node.op {
            Op::Parameter(number) => (*number, 1),
            Op::RoundParameter { first, .. } => (*first, rounds),
            Op::Repeat(repeat) => {
                declare(&repeat.body, repeat.count.as_const().unwrap_or(1) as usize, list);
                continue;
            }
            _ => continue,
        };
        let name = &node.origin.name;
        let shape: Vec<i64> = node.ty.shape.iter().filter_map(|size| size.as_const()).collect();
        for number in first..first + count {
            let missing = || Declared::new("missing");
            list.resize_with(list.len().max(number + 1), missing);
            let shape = Some((shape.clone(), Init::Constant(0.0)));
            list[number] = Declared { shape, ..Declared::new(format!("{name}.{number}")) };
        }
    }
}

/// Places are not part of the text, nor of which calls nodes are parts.
fn without_places(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    for node in &mut graph.nodes {
        node.origin = Origin::new(Default::default(), node.origin.name.clone());
        if let Op::Repeat(repeat) = &mut node.op {
            repeat.body = without_places(&repeat.body);
        }
    }
    graph
}

#[test]
fn every_graph_of_the_tests_is_read_back() {
    for source in common::all() {
        let compiled = compile(source).unwrap_or_else(|e| panic!("{e:?}"));
        for graph in compiled.reports.iter().flat_map(|r| [&r.graph, &r.optimised]) {
            let back = read(&graph.to_string()).unwrap_or_else(|e| panic!("{}: {e}\n{graph}", graph.name));
            assert_eq!(back, without_places(graph), "{graph}");
        }
    }
}

#[test]
fn every_program_of_the_tests_is_read_back() {
    for source in common::all() {
        let compiled = compile(source).unwrap_or_else(|e| panic!("{e:?}"));
        for program in compiled.reports.iter().map(|r| &r.program) {
            let listing = program.listing();
            let back = read_program(&listing).unwrap_or_else(|e| panic!("{}: {e}\n{listing}", program.name));
            assert_eq!(back, *program, "{listing}");
        }
    }
}

#[test]
fn what_is_no_program_is_refused_with_line_and_token() {
    let listing = "program F.f\nargument f32[N]: x\nresult f32[N]: exp\nwhere N <= 9, not empty, at 3 for x: grow: it\n\
        expects 1 axes in 0 loops, at 2: in 0..N or -1 for gather\nstates []\nassigns []\narena [N]\nbound [N]\nflops (2*N)\n\
        buffer 0 f32 (N) argument 0: x\nbuffer 1 f32 (N) arena (0) start (N) strides [3, N - 1]: exp\n\
        launch 0 at 1: exp\n    space [N] reduce [] flat\n    load 0 = b0[N] at [2·%0 + -3·%1 + (N - 1) ÷ 2 mod 3] \
        while %0 in (N) else -inf\n    store 0 = b1[N] at [%0]\n    each element\n        t0: f32 = load 0\n        \
        t1 = 0.5\n        t2 = max(t0, t1)\n        store 0 = t2\n    updates 0\nschedule\n    repeat (N) reversed\n        \
        launch 0\n    end\n";
    let read_back = read_program(listing).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(read_back.listing(), listing);
    for (from, to, message) in [
        ("program F.f", "graph F.f", "line 1: expected `program` and its name, found `graph`"),
        ("program F.f", "program", "line 1: expected `program` and its name, found `program`"),
        ("argument f32", "argument f33", "line 2: expected an element type, found `f33`"),
        ("N <= 9", "N is 9", "line 4: expected a rule such as `T <= 1024`, found `N`"),
        ("0..N or", "0-N or", "line 5: expected a range of numbers and what it is for, found `0-N`"),
        ("states", "stats", "line 6: expected a part of a program, found `stats`"),
        ("arena [N]", "arena [N*]", "line 8: expected a size, found `N*`"),
        ("(2*N)", "(2*N) more", "line 10: expected the end of the line, found `more`"),
        ("buffer 1", "buffer 2", "line 12: expected `1`, found `2`"),
        ("arena (0)", "heap (0)", "line 12: expected the place of a buffer, found `heap`"),
        ("flat", "flt", "line 14: expected a family of launches, found `flt`"),
        ("at [2·", "at 2·", "line 15: expected `[`, found `2·%0`"),
        ("2·%0", "2 %0", "line 15: expected `·%`, found `%0`"),
        ("else -inf", "else -info", "line 15: expected a number, found `-info`"),
        ("store 0 = b1", "store 0 = c1", "line 16: expected `b`, found `c1`"),
        ("each element", "each time", "line 17: expected `row`, found `time`"),
        ("t0: f32 = load", "t0: f16 = load", "line 18: expected `f32`, `f64`, `i32`, `i64` or `bool`, found `f16`"),
        ("= load 0", "= lode 0", "line 18: expected where an input comes from, found `lode`"),
        ("t1 = 0.5", "t2 = 0.5", "line 19: expected `t1`, found `t2`"),
        ("max(t0, t1)", "most(t0, t1)", "line 20: expected a function with its operands, found `most`"),
        ("max(t0, t1)", "max(t0)", "line 20: expected a function with its operands, found `max`"),
        (
            "    updates",
            "    update",
            "line 22: expected a line of code, a part of a launch, the next launch or `schedule`, found `update`",
        ),
        (
            "schedule\n",
            "",
            "line 23: expected a line of code, a part of a launch, the next launch or `schedule`, found `repeat`",
        ),
        ("        launch 0", "        lunch 0", "line 25: expected `launch`, `repeat` or `end`, found `lunch`"),
        ("    end\n", "", "line 26: expected `end` of a repeat, found the end of the line"),
    ] {
        let text = listing.replacen(from, to, 1);
        assert_ne!(text, listing, "{from}");
        assert_eq!(read_program(&text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn what_is_no_graph_is_refused_with_line_and_token() {
    let graph =
        "graph G(x: f32[N]) {\n    %0 = argument 0  f32[N]  x\n    %1 = exp(%0)  f32[N]  exp\n    result 0 = %1\n}\n";
    assert!(read(graph).is_ok());
    for (from, to, message) in [
        ("exp(%0)", "expo(%0)", "line 3: expected a primitive, found `expo`"),
        ("exp(%0)", "exp(%0", "line 3: expected `,`, found `f32`"),
        ("%1 = exp", "%2 = exp", "line 3: expected `%1`, found `%2`"),
        ("f32[N]  exp", "f33[N]  exp", "line 3: expected an element type, found `f33`"),
        ("f32[N]  exp", "f32[N*]  exp", "line 3: expected a size, found `N*`"),
        ("result", "product", "line 4: expected a node, a result or `}`, found `product`"),
        ("= %1\n}", "= %1\n", "line 5: expected `}` at the end of the graph, found the end of the line"),
        ("argument 0", "argument x", "line 2: expected a number, found `x`"),
        ("(x: f32", "(x f32", "line 1: expected a name and `:`, found `x`"),
        ("}\n", "}\nmore", "line 6: expected the end of the text, found `more`"),
    ] {
        let text = graph.replacen(from, to, 1);
        assert_eq!(read(&text).unwrap_err().to_string(), message, "{text}");
    }
}
