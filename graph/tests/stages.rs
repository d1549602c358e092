//! Snapshots of every stage of LeNet: someone new can follow the data from image to loss. And what the plans take.

mod common;

use castnet_graph::compile::{Compiled, Report, Source, compile};
use castnet_graph::emit::cuda;
use castnet_graph::text::ProgramText;

fn compiled(source: Source) -> Compiled {
    compile(source).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn training(compiled: &Compiled) -> &Report {
    compiled.reports.iter().find(|r| r.training).unwrap()
}

#[test]
fn lenet_is_readable_at_every_stage() {
    let compiled = compiled(common::lenet());
    let report = training(&compiled);
    insta::assert_snapshot!("lenet_graph", report.graph.to_string());
    insta::assert_snapshot!("lenet_gradient_graph", report.optimised.to_string());
    insta::assert_snapshot!("lenet_program", report.program.to_text());
}

/// Every skeleton and every form of access as CUDA C.
#[test]
fn lenet_is_readable_in_cuda() {
    let compiled = compiled(common::lenet());
    let kernels = cuda::kernels(&compiled.net, &|launch| launch.name.clone());
    let texts: Vec<String> = kernels.iter().map(|(name, kernel, _)| kernel.source(name)).collect();
    insta::assert_snapshot!("lenet_cuda", texts.join("\n"));
}

/// Bytes that PyTorch 2.15's autograd keeps for the same step at N = 64: unique storages seen by `saved_tensors_hooks`, without
/// parameters; without and with the inputs (`python benches/pytorch.py --mode saved`).
const PYTORCH: [(&str, i64, i64); 3] =
    [("Mlp", 264_708, 465_924), ("LeNet", 6_725_124, 6_926_340), ("Third", 7_178_244, 7_379_716)];

#[test]
fn plans_meet_their_lower_bound_and_stay_below_what_pytorch_keeps() {
    for (source, (name, activations, with_inputs)) in
        [common::mlp(), common::lenet(), common::third()].into_iter().zip(PYTORCH)
    {
        let compiled = compiled(source);
        let program = &training(&compiled).program;
        assert_eq!(program.arena, program.bound, "{name}");
        let bytes = program.arena_bytes(&|_| 64);
        println!("{name}: {bytes} bytes at N = 64; PyTorch keeps {activations}, {with_inputs} with its inputs");
        // Ours hold the gradients that flow back, too; the arguments lie with the caller in both.
        assert!(bytes <= with_inputs, "{name}: {bytes} bytes, PyTorch keeps {with_inputs}");
    }
}
