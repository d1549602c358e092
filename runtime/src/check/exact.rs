//! A function as it was written, before anything is fused or planned, in f64: what the build made of it is held against this.

use std::collections::BTreeMap;

use castnet_graph::grad;
use castnet_graph::graph::{Argument, Graph, Node, Op, Output, Role, Value};
use castnet_graph::net::{Init, Net, State};
use castnet_graph::reference::{Effects, Inputs, Tensor, evaluate_with_rounds};
use castnet_graph::text;
use castnet_graph::types::DType;
use castnet_kernels::Context;
use castnet_kernels::random::{Mode, key, uniform};

use super::Mistake;
use super::arguments::Call;
use super::sizes;
use crate::array::Array;
use crate::model::Model;

/// A function with all that it reads.
pub(super) struct Exact<'c> {
    pub(super) graph: Graph,
    pub(super) parameters: Vec<Tensor>,
    states: Vec<Tensor>,
    arguments: Vec<Tensor>,
    call: &'c Call,
    /// What the model's next call draws.
    draws: Context,
}

/// What a function gives, by numbers.
#[derive(Default)]
pub(super) struct Values {
    pub(super) results: BTreeMap<usize, Tensor>,
    pub(super) gradients: BTreeMap<usize, Tensor>,
    pub(super) states: BTreeMap<usize, Tensor>,
}

impl<'c> Exact<'c> {
    /// A function as `explain()` shows it, where a model stands.
    pub(super) fn new(model: &Model, call: &'c Call, explained: &str, training: bool) -> Result<Exact<'c>, Mistake> {
        let net = model.net();
        let mode = if training { Mode::Training } else { Mode::Inference };
        let parameters = (0..net.parameters.len())
            .map(|number| tensor(&model.parameter_number(number)?))
            .collect::<Result<_, Mistake>>()?;
        Ok(Exact {
            graph: written(explained, call, training)?,
            parameters,
            states: states(model, net, call)?,
            arguments: call.arguments.iter().map(tensor).collect::<Result<_, _>>()?,
            call,
            draws: model.calls().context(model.seed(), call.function, mode),
        })
    }

    /// The graph with gradients of what the function updates, unfused.
    pub(super) fn with_gradients(&self, model: &Model) -> Result<Graph, Mistake> {
        let reaches = &model.net().functions[self.call.function].reaches;
        grad::gradients(self.graph.clone(), &|number| reaches.contains(&number))
            .map_err(|rule| Mistake(format!("`{}`: {rule:?}", self.call.name)))
    }

    /// What a graph of this function gives; `rounded` to f32 after each operation or not at all.
    pub(super) fn evaluate(&self, graph: &Graph, rounded: bool) -> Values {
        let (list, effects) = self.run(graph, &self.parameters, rounded);
        let mut values = Values { results: BTreeMap::new(), gradients: effects.gradients, states: effects.states };
        for (output, value) in graph.outputs.iter().zip(list) {
            match output.role {
                Role::Result(i) => values.results.insert(i, value),
                Role::Gradient(i) => values.gradients.insert(i, value),
                Role::State(i) => values.states.insert(i, value),
                Role::RoundGradient { .. } | Role::RoundState { .. } => None,
            };
        }
        values
    }

    /// The first result as a function of the parameters; what no gradient flows through stays as it is here.
    pub(super) fn objective(&mut self) -> impl Fn(&[Tensor]) -> f64 + '_ {
        self.hold_detached();
        self.graph.outputs.truncate(1);
        |parameters| self.run(&self.graph, parameters, false).0.first().map_or(f64::NAN, |loss| loss.data[0])
    }

    /// Makes arguments of the values that are detached.
    fn hold_detached(&mut self) {
        let detached = |(_, node): &(usize, &Node)| matches!(node.op, Op::Detach);
        let nodes: Vec<usize> = self.graph.nodes.iter().enumerate().filter(detached).map(|(i, _)| i).collect();
        let mut probe = self.graph.clone();
        probe.outputs = nodes.iter().map(|&i| Output { role: Role::Result(0), value: Value(i as u32) }).collect();
        let (values, _) = self.run(&probe, &self.parameters, false);
        for (node, value) in nodes.into_iter().zip(values) {
            let node = &mut self.graph.nodes[node];
            node.op = Op::Input(self.arguments.len());
            node.inputs.clear();
            self.graph.arguments.push(Argument { ty: node.ty.clone(), name: "".into(), below: vec![] });
            self.arguments.push(value);
        }
    }

    fn run(&self, graph: &Graph, parameters: &[Tensor], rounded: bool) -> (Vec<Tensor>, Effects) {
        let inputs = Inputs {
            arguments: &self.arguments,
            parameters,
            states: &self.states,
            rounded,
            sizes: &sizes::value(&self.call.sizes),
            random: &|stream, index| uniform(key(self.draws.root, stream), self.draws.call, index).into(),
        };
        evaluate_with_rounds(graph, &inputs)
    }
}

/// A graph out of the text of `explain()`.
fn written(explained: &str, call: &Call, training: bool) -> Result<Graph, Mistake> {
    let function = call.name.rsplit('.').next().unwrap_or_default();
    let title = format!("== {function}{} ==\n", if training { "_step" } else { "" });
    let behind = |text: &str, mark: &str| text.split_once(mark).map(|(_, rest)| rest.to_string());
    let text = behind(explained, &title).and_then(|part| behind(&part, "as written\n"));
    let graph = text.as_deref().and_then(|text| text.split_once("\n}\n")).map(|(graph, _)| format!("{graph}\n}}\n"));
    let Some(graph) = graph else {
        return Err(Mistake(format!("`{}`: `explain()` does not show it", call.name)));
    };
    text::read(&graph).map_err(|error| Mistake(format!("`{}` in `explain()`: {error}", call.name)))
}

fn states(model: &Model, net: &Net, call: &Call) -> Result<Vec<Tensor>, Mistake> {
    let state = |state: &State| match model.state(&state.name)? {
        Some(array) => tensor(&array),
        // With a run-time size, not seen yet.
        None => {
            let shape: Vec<usize> = state.ty.shape.iter().map(|size| sizes::eval(size, &call.sizes) as usize).collect();
            let first = if let Init::Constant(first) = state.init { f64::from(first) } else { 0.0 };
            let elements = vec![first; shape.iter().product()];
            Ok(Tensor::new(shape, elements))
        }
    };
    net.states.iter().map(state).collect()
}

/// An array of any element type that a function takes.
pub(super) fn tensor(array: &Array) -> Result<Tensor, Mistake> {
    let data: Vec<f64> = match array.dtype() {
        DType::F32 => array.as_slice::<f32>()?.iter().map(|&x| x.into()).collect(),
        DType::F64 => array.as_slice::<f64>()?.to_vec(),
        DType::U8 => array.as_slice::<u8>()?.iter().map(|&x| x.into()).collect(),
        DType::I8 => array.as_slice::<i8>()?.iter().map(|&x| x.into()).collect(),
        DType::I32 => array.as_slice::<i32>()?.iter().map(|&x| x.into()).collect(),
        DType::U32 => array.as_slice::<u32>()?.iter().map(|&x| x.into()).collect(),
        DType::I64 => array.as_slice::<i64>()?.iter().map(|&x| x as f64).collect(),
        DType::Bool => array.as_slice::<bool>()?.iter().map(|&x| x.into()).collect(),
        DType::F16 | DType::BF16 => {
            return Err(Mistake(format!("{} is not checked yet", array.describe())));
        }
    };
    Ok(Tensor::new(array.shape().to_vec(), data))
}

/// The root of the sum of squares.
pub(super) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}
