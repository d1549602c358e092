//! Attention as a primitive: a target that has it keeps it up to its kernels, one that lacks it computes the same by others.

mod common;

use castnet_graph::attention::Attention;
use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::Arg;
use castnet_graph::compile::{Source, compile, compile_for};
use castnet_graph::decompose::{EVERYTHING, Has, NOTHING, decompose};
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Argument, Graph, Op, Value};
use castnet_graph::layouts::Uses;
use castnet_graph::loops::Rounds;
use castnet_graph::net::Backend;
use castnet_graph::optimise::{optimise, share, without_dead_code};
use castnet_graph::program::Layout;
use castnet_graph::recompute::recompute;
use castnet_graph::reference::{Inputs, Tensor, evaluate};
use castnet_graph::scalar::Unary;
use castnet_graph::target::{Cpu, Target};
use castnet_graph::text::read;
use castnet_graph::types::DType;
use castnet_graph::verify::verify;
use common::{apply, given, int, layer, op, op_with, source, t, ty};

const NAME: &str = "scaled_dot_product_attention";

fn is_attention(op: &Op) -> bool {
    matches!(op, Op::Attention(_) | Op::AttentionGrad(_))
}

/// What the kernels of some processors will be.
const TILED: Has = is_attention;

/// A target that says so, as the pass that fuses does not know.
struct Tiled;

impl Target for Tiled {
    fn backend(&self) -> Backend {
        Backend::Cpu
    }

    fn has(&self) -> Has {
        TILED
    }

    fn layout(&self, shape: &[i64], uses: &Uses) -> Layout {
        Cpu.layout(shape, uses)
    }

    fn align(&self) -> i64 {
        64
    }
}

/// Attention of a sequence with itself, in a loop of two blocks if `looped`.
fn net(looped: bool) -> Source {
    let mut p = Parameters::default();
    let layers: Vec<_> = (0..2).map(|i| layer(&mut p, &format!("qkv.{i}"), "Linear", vec![given(int(24))])).collect();
    source("Net", p, move |b| {
        let x = b.argument("x", ty(DType::F32, &["N", "T", "8"]));
        let block = |b: &mut Builder, number: usize, x: Value| {
            let qkv = apply(b, &layers[number], x);
            let [q, k, v] = [0, 1, 2].map(|i| op(b, "narrow", vec![t(qkv), int(2), int(i * 8), int(8)]));
            let y = op_with(b, NAME, vec![t(q), t(k), t(v)], &[("is_causal", Arg::Bool(true))]);
            op(b, "add", vec![t(x), t(y)])
        };
        let y = match looped {
            true => {
                let rounds = Rounds { count: 2, parameters: 0..2, states: 0..0 };
                b.repeat(&[x], &[], rounds, |b, states, _| Ok(vec![block(b, 0, states[0])])).unwrap()[0]
            }
            false => (0..2).fold(x, |x, number| block(b, number, x)),
        };
        let loss = op(b, "mean", vec![t(y)]);
        b.result(loss);
    })
}

/// The passes before fusion.
fn optimised(graph: &Graph, training: bool, has: Has) -> Graph {
    let graph = match training {
        true => gradients(share(graph), &|_| true, has).unwrap(),
        false => graph.clone(),
    };
    let graph = optimise(&decompose(&graph, &has).unwrap());
    let graph = if training { without_dead_code(&recompute(&graph)) } else { graph };
    verify(&graph).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    graph
}

#[test]
fn a_target_that_has_attention_keeps_it_up_to_its_kernels() {
    for looped in [false, true] {
        let mut source = net(looped);
        let function = &source.functions[0];
        let (inference, training) = (&function.inference, function.training.as_ref().unwrap());
        for (graph, training) in [(inference, false), (training, true)] {
            let kept = optimised(graph, training, TILED);
            assert!(kept.has(&|op| matches!(op, Op::Attention(_))), "{kept}");
            assert_eq!(kept.has(&|op| matches!(op, Op::AttentionGrad(_))), training, "{kept}");
            assert!(!kept.has(&|op| matches!(op, Op::Unary(Unary::Exp))), "{kept}");
            assert!(!optimised(graph, training, NOTHING).has(&is_attention));
            assert_eq!(read(&kept.to_string()).unwrap().to_string(), kept.to_string());
        }
        // No kernels have been written: a mistake that says in which pass.
        source.functions[0].training = None;
        let mistakes = compile_for(source, &Tiled).unwrap_err();
        let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
        assert_eq!(mistake.code, "N0900");
        let says = "in pass `fuse`: Attention of `scaled_dot_product_attention` is left";
        assert!(mistake.message.contains(says), "{mistake}");
        compile(net(looped)).unwrap_or_else(|e| panic!("{e:?}"));
    }
}

/// What the language cannot write: a graph in which something is made of the log-sum-exp beside the gradient of attention.
#[test]
fn no_gradient_flows_through_the_log_sum_exp() {
    let mut none = Parameters::default();
    let mut b = Builder::new("G", &mut none, true);
    let x = ty(DType::F32, &["3", "4"]);
    let x = b.push(Op::Parameter(0), vec![], x);
    let y = op(&mut b, NAME, vec![t(x), t(x), t(x)]);
    let log_sums = b.push(Op::Get(1), vec![y], ty(DType::F32, &["3"]));
    let loss = op(&mut b, "sum", vec![t(log_sums)]);
    b.result(loss);
    verify(&b.graph).unwrap();
    assert_eq!(gradients(b.graph, &|_| true, NOTHING).unwrap_err().op, "Attention");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let operands = "graph G(q: f32[N, 3, 4], k: f32[N, 5, 4], v: f32[N, 5, 2], m: bool[3, 5]) {\n    %0 = argument 0  f32[N, 3, 4]\n    \
        %1 = argument 1  f32[N, 5, 4]\n    %2 = argument 2  f32[N, 5, 2]\n    %3 = argument 3  bool[3, 5]\n";
    let node = "    %4 = attention[full, scale 2.0](%0, %1, %2, %3)  f32[N, 3, 2]; f32[N, 3]\n    result 0 = %4\n}\n";
    let whole = format!("{operands}{node}");
    verify(&read(&whole).unwrap()).unwrap();
    for (from, to, message) in [
        ("[full, scale 2.0]", "[half]", "line 6: expected `causal` or `full`, found `half`"),
        ("; f32[N, 3]", "; f32[N, 4]", "line 6: expected the types of its results, `f32[N, 3, 2]; f32[N, 3]`"),
    ] {
        let found = read(&whole.replace(from, to)).unwrap_err().to_string();
        assert!(found.starts_with(message), "{from} → {to}: {found}");
    }
    // Of operands that do not fit no further result is known.
    let whole = whole.replace("; f32[N, 3]", "");
    for (from, to, message) in [
        ("(%0, %1, %2, %3)", "(%0, %1)", "wrong number of operands"),
        ("(%0, %1, %2, %3)", "(%0, %2, %1, %3)", "which do not meet"),
        ("bool[3, 5]", "bool[5, 3]", "with a mask bool[5, 3]"),
        ("bool[3, 5]", "f64[3, 5]", "with a mask f64[3, 5]"),
        ("f32[N, 5, 2]", "f64[N, 5, 2]", "it takes one float type"),
        ("f32[N, ", "bf16[N, ", "halves widened"),
        ("attention[", "attention_grad[", "wrong number of operands"),
    ] {
        let found = verify(&read(&whole.replace(from, to)).unwrap()).unwrap_err();
        assert!(found.contains(message), "{from} → {to}: {found}");
    }
}

/// Small numbers from a seed.
fn drawn(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    ((*seed >> 33) as f64) / f64::from(1u32 << 30) - 1.0
}

/// The results of a graph of arguments that are drawn: of masks, what is above 0; of those that are added, one in three is -∞.
fn results(graph: &Graph, sizes: &dyn Fn(&str) -> i64, seed: u64) -> Vec<Tensor> {
    let mut seed = seed;
    let draw = |argument: &Argument| {
        let shape: Vec<usize> = argument.ty.shape.iter().map(|s| s.eval(sizes) as usize).collect();
        Tensor::from_fn(&shape, |_| match (&*argument.name, drawn(&mut seed)) {
            ("mask", x) if argument.ty.dtype == DType::Bool => f64::from(u8::from(x > 0.2)),
            ("mask", x) if x > 0.3 => f64::NEG_INFINITY,
            (_, x) => x,
        })
    };
    let arguments: Vec<Tensor> = graph.arguments.iter().map(draw).collect();
    evaluate(
        graph,
        &Inputs { arguments: &arguments, parameters: &[], states: &[], rounded: false, sizes, random: &|_, _| 0.5 },
    )
}

/// The loops of the reference against what the primitives are written by: values and gradients.
#[test]
fn the_decomposition_computes_what_the_primitive_means() {
    let masks: [Option<(bool, &[&str])>; 6] = [
        None,
        Some((true, &["L", "S"])),
        Some((true, &["N", "1", "1", "S"])),
        Some((false, &["3", "L", "S"])),
        Some((false, &["S"])),
        Some((false, &["N", "1", "L", "1"])),
    ];
    let mut seed = 7;
    for float in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for features in ["E", "4"] {
            for (mask, causal) in masks.into_iter().map(|mask| (mask, false)).chain([(None, true)]) {
                for scale in [Arg::None, Arg::Float(0.3)] {
                    let mut none = Parameters { float, ..Parameters::default() };
                    let mut b = Builder::new("G", &mut none, true);
                    let q = b.argument("q", ty(float, &["N", "1", "L", features]));
                    let k = b.argument("k", ty(float, &["3", "S", features]));
                    let v = b.argument("v", ty(float, &["N", "3", "S", "F"]));
                    let mask = mask
                        .map(|(truth, shape)| b.argument("mask", ty(if truth { DType::Bool } else { float }, shape)));
                    let operands = [q, k, v].into_iter().chain(mask).map(t).collect();
                    let more = [("scale", scale.clone()), ("is_causal", Arg::Bool(causal))];
                    let y = op_with(&mut b, NAME, operands, &more);
                    let bent = op(&mut b, "sin", vec![t(y)]);
                    let loss = op(&mut b, "sum", vec![t(bent)]);
                    let sources: Vec<Value> = [q, k, v].into_iter().chain(mask).collect();
                    let floats: Vec<Value> = sources.into_iter().filter(|v| b.graph.dtype(*v).is_float()).collect();
                    let gradients = b.grad(loss, &floats).unwrap();
                    [y].into_iter().chain(gradients).for_each(|v| b.result(v));
                    let whole = b.graph;
                    verify(&whole).unwrap();
                    assert!(whole.has(&|op| matches!(op, Op::AttentionGrad(_))));
                    let written = decompose(&whole, &NOTHING).unwrap();
                    verify(&written).unwrap();
                    assert!(!written.has(&is_attention) && decompose(&whole, &EVERYTHING).unwrap() == whole);
                    let optimised = optimise(&written);
                    verify(&optimised).unwrap();
                    // As if halves had room: where they are rounded differs.
                    let [whole, written, optimised] = [whole, written, optimised].map(|graph| graph.with_wide_halves());
                    for (l, s) in [(4, 5), (1, 3), (3, 1)] {
                        seed += 1;
                        let sizes = |name: &str| match name {
                            "N" => 2,
                            "L" => l,
                            "S" => s,
                            _ => 4,
                        };
                        let right = results(&whole, &sizes, seed);
                        for (what, graph) in [("decomposed", &written), ("optimised", &optimised)] {
                            for (number, (a, b)) in right.iter().zip(results(graph, &sizes, seed)).enumerate() {
                                assert_eq!(a.shape, b.shape);
                                let (a, b) = (a.floats(), b.floats());
                                let far = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                                let all = a.iter().chain(&b).all(|x| x.is_finite());
                                assert!(all && far < 1e-12, "{what}, seed {seed}, result {number}: {far}\n{whole}");
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The logarithms of the sums, too, and of a row that sees nothing.
#[test]
fn the_log_sum_exp_is_what_it_says() {
    for (float, causal, masked) in [(DType::F32, true, false), (DType::F64, false, true), (DType::F32, false, true)] {
        let mut none = Parameters::default();
        let mut b = Builder::new("G", &mut none, false);
        let mut operands: Vec<Value> = ["q", "k", "v"].map(|name| b.argument(name, ty(float, &["2", "T", "4"]))).into();
        operands.extend(masked.then(|| b.argument("mask", ty(DType::Bool, &["2", "1", "1"]))));
        let attention = Attention { causal, scale: None, half: None };
        let y = b.push(Op::Attention(attention), operands, ty(float, &["2", "T", "4"]));
        let log_sums = b.push(Op::Get(1), vec![y], ty(float, &["2", "T"]));
        b.result(log_sums);
        verify(&b.graph).unwrap();
        for seed in 0..8 {
            let sizes = |_: &str| 5;
            let (right, found) =
                (results(&b.graph, &sizes, seed), results(&optimised(&b.graph, false, NOTHING), &sizes, seed));
            for (a, b) in right[0].floats().iter().zip(&found[0].floats()) {
                assert!(a == b || (a - b).abs() < 1e-12, "seed {seed}: {a} and {b}");
                assert!(a.is_finite() || masked && *a == f64::NEG_INFINITY, "{a}");
            }
        }
    }
}
