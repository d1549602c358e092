//! Whole networks as data: what they were written as, and the bits that their programs give.

use castnet::prelude::*;
use castnet::{Device, Model};
use castnet_graph::builder::{Declared, DeclaredState, Options, Parameters};
use castnet_graph::compile::{Source, SourceFunction};
use castnet_graph::graph::Graph;
use castnet_graph::net::Net;
use castnet_graph::program::Program;
use castnet_graph::text;

use crate::nets::*;

/// All programs of a net.
pub fn programs(net: &mut Net) -> impl Iterator<Item = &mut Program> {
    net.cpu_mut().iter_mut().flat_map(|f| f.each_mut())
}

/// The number of the function whose training the golden is about.
pub fn objective<N: Example>(net: &Net) -> usize {
    let trained = |number: &usize| net.functions[*number].name == N::LOSS && net.cpu()[*number].training.is_some();
    (0..net.functions.len()).find(trained).unwrap_or_else(|| panic!("{} has no {}", net.name, N::LOSS))
}

/// A model of a net with the golden's parameters.
pub fn model<N: Example>(net: Net, golden: &Golden) -> Model {
    let mut model = Model::from_net(net, &Device::cpu(), 1).unwrap();
    for (name, value) in golden.parameters() {
        match model.state(name) {
            Ok(_) => model.set_state(name, &in_float(value, N::FLOAT)).unwrap(),
            Err(_) => model.set_parameter(name, &in_float(value, N::FLOAT)).unwrap(),
        }
    }
    model
}

/// The bits of all results and gradients, and of the states after them.
pub fn bits<N: Example>(net: Net, golden: &Golden, function: usize, poison: bool) -> Vec<u64> {
    let mut model = model::<N>(net, golden);
    model.poison(poison);
    let batch = golden.batch::<N>();
    let arguments: Vec<&Array> = batch.iter().collect();
    let mut arrays = model.infer(function, &arguments).unwrap();
    let (results, gradients) = model.grad(function, &arguments).unwrap();
    arrays.extend(results);
    arrays.extend(gradients.names().map(|name| gradients.parameter(name).unwrap()));
    arrays.iter().flat_map(floats).map(f64::to_bits).collect()
}

/// The net as it was written, out of what `explain()` shows: to be compiled for another target.
#[allow(dead_code)] // The plans' tests have no other target.
pub fn source<N: Example>(net: &Net) -> Source {
    let parameter = |p: &castnet_graph::net::Parameter| Declared {
        shape: Some((p.shape.clone(), p.init)),
        options: Options { frozen: p.frozen, lr_mult: p.lr_mult, wd_mult: p.wd_mult },
        ..Declared::new(p.name.as_str())
    };
    let state = |s: &castnet_graph::net::State| DeclaredState {
        name: s.name.as_str().into(),
        ty: Some(s.ty.clone()),
        init: s.init,
    };
    let parameters = Parameters {
        float: net.float,
        list: net.parameters.iter().map(parameter).collect(),
        states: net.states.iter().map(state).collect(),
    };
    let functions = net.functions.iter().zip(net.cpu()).map(|(function, programs)| {
        let training = programs.training.as_ref().map(|_| written(N::explain(), &function.name, true));
        let trains = training.is_some().then(|| function.reaches.clone());
        SourceFunction {
            trains,
            ..SourceFunction::new(&*function.name, written(N::explain(), &function.name, false), training)
        }
    });
    Source { name: net.name.clone(), parameters, functions: functions.collect() }
}

fn written(explained: &str, function: &str, training: bool) -> Graph {
    let graph = castnet_graph::explain::written(explained, function, training).unwrap();
    text::read(graph).unwrap_or_else(|error| panic!("{function}: {error}"))
}
