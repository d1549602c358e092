//! Equal blocks in an array compute with the layouts that their rounds have when they are written out; reductions read what lies side by
//! side.

#[path = "nets/whole.rs"]
mod nets;

use std::collections::BTreeSet;

use castnet::{Device, Model};
use castnet_program::net::Net;
use castnet_program::program::{Access, Conv, Family, Index, Launch, Program, Strided, Task, TaskKind, Tile};
use nets::*;

/// The launches of a training program that run in loops, or all of them.
fn launches(steps: &[Task], inside: bool, only_rounds: bool, out: &mut Vec<usize>) {
    for step in steps {
        match &step.kind {
            TaskKind::Launch(launch) => out.extend(Some(*launch).filter(|_| inside || !only_rounds)),
            TaskKind::Loop { body, .. } => launches(body, true, only_rounds, out),
            TaskKind::Ending(_) => {}
        }
    }
}

fn image(operand: &Strided) -> String {
    let strides: Vec<String> = operand.strides.iter().map(|s| s.to_string()).collect();
    strides.join(" ")
}

/// In which order the images of a launch lie, by the loops along their dims.
fn orders(accesses: &[Access]) -> Vec<String> {
    let loops = |index: &Index| index.terms.first().map_or("-".to_string(), |(dim, _)| dim.to_string());
    let images = accesses.iter().filter(|a| a.dims.len() == 4);
    let mut orders: Vec<String> = images.map(|a| a.index.iter().map(loops).collect::<Vec<_>>().join(" ")).collect();
    orders.sort();
    orders.dedup();
    orders
}

/// What each convolution is, with the strides of what it reads and the orders of what its write-back stores.
fn convolutions(program: &Program, only_rounds: bool) -> BTreeSet<String> {
    let mut numbers = vec![];
    launches(&program.schedule, false, only_rounds, &mut numbers);
    let line = |number: &usize| {
        let launch = &program.launches[*number];
        let Family::Tile(tile) = &launch.family else { return None };
        let sizes = |conv: &Conv| {
            let Conv { h, w, c, o, kernel, stride, groups, .. } = conv;
            format!("{h}x{w}, {c} to {o} channels in {groups} groups, {kernel:?} by {stride:?}")
        };
        let stored = orders(&launch.stores).join(", ");
        match tile {
            Tile::MatMul { .. } => None,
            Tile::Conv2d { conv, input, .. } => Some(format!("forward {}: {} → {stored}", sizes(conv), image(input))),
            Tile::Conv2dInputGrad { conv, dy, .. } => Some(format!("input {}: {} → {stored}", sizes(conv), image(dy))),
            Tile::Conv2dWeightGrad { conv, input, dy } => {
                Some(format!("weight {}: {}, {}", sizes(conv), image(input), image(dy)))
            }
        }
    };
    numbers.iter().filter_map(line).collect()
}

fn training(net: &Net) -> &Program {
    net.cpu().iter().find_map(|f| f.training.as_ref()).unwrap_or_else(|| panic!("{} trains nothing", net.name))
}

fn compare(array: &Model, written: &Model, least: usize) {
    let (array, written) = (training(array.net()), training(written.net()));
    let (rounds, all) = (convolutions(array, true), convolutions(written, false));
    assert!(rounds.len() >= least, "{} convolutions run in loops:\n{rounds:#?}", rounds.len());
    let others: Vec<&String> = rounds.difference(&all).collect();
    assert!(others.is_empty(), "these lie otherwise than written out:\n{others:#?}\nwritten out: {all:#?}");
}

#[test]
fn rounds_lie_as_written_out() {
    let cpu = Device::cpu();
    compare(ResNet20::new(&cpu, 1).unwrap().as_ref(), ResNet20Written::new(&cpu, 1).unwrap().as_ref(), 9);
    compare(MobileNetV2::new(&cpu, 1).unwrap().as_ref(), MobileNetV2Written::new(&cpu, 1).unwrap().as_ref(), 20);
}

/// Reductions that read most of their elements at strides, by name.
fn at_strides(program: &Program) -> Vec<String> {
    let size = |access: &Access| access.dims.iter().map(|s| s.eval(&|_| 64)).product::<i64>();
    let is_wrong = |launch: &&Launch| {
        let side_by_side = match launch.family {
            Family::Row => launch.space.len() + launch.reduce.len() - 1,
            Family::Column => launch.space.len() - 1,
            Family::Flat | Family::Scatter(_) | Family::Routine { .. } | Family::Tile(_) => return false,
        };
        let Some(most) = launch.loads.iter().max_by_key(|access| size(access)) else { return false };
        let innermost = most.dims.iter().zip(&most.index).rev().find(|(size, _)| !size.is(1));
        innermost.is_some_and(|(_, index)| index.terms != [(side_by_side, 1)])
    };
    let wrong = program.launches.iter().filter(is_wrong);
    wrong.map(|l| format!("{} of {}: {:?} {:?} {:?}", l.name, program.name, l.space, l.reduce, l.loads)).collect()
}

#[test]
fn reductions_read_what_lies_side_by_side() {
    let cpu = Device::cpu();
    let (lstm, gpt) = (CharLstm::new(&cpu, 1).unwrap(), Gpt::new(&cpu, 1).unwrap());
    let (resnet, unet) = (ResNet20::new(&cpu, 1).unwrap(), UNet::new(&cpu, 1).unwrap());
    for model in [lstm.as_ref(), gpt.as_ref(), resnet.as_ref(), unet.as_ref()] {
        let wrong = at_strides(training(model.net()));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    // The gradient of the biases: of 64 steps of N sequences, a sum for each of 1024 columns.
    let program = training(lstm.as_ref().net());
    let biases = program.launches.iter().filter(|l| l.family == Family::Column && l.space == [1024.into()]);
    assert!(biases.count() > 0, "{program:?}");
}
