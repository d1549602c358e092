//! A function as it was written, before anything is fused or planned, in f64 and of integers exactly: what the build made of it is held against this.

use std::collections::BTreeMap;

use castnet_graph::decompose::EVERYTHING;
use castnet_graph::grad;
use castnet_graph::graph::{Graph, Role};
use castnet_graph::number::Number;
use castnet_graph::reference::{Effects, Inputs, Tensor, detached, evaluate_holding, evaluate_with_rounds};
use castnet_graph::text;
use castnet_kernels::StepScalars;
use castnet_kernels::random::{Mode, key, uniform};
use castnet_program::net::{Init, Net, State};
use castnet_program::types::DType;

use super::Mistake;
use super::arguments::Call;
use super::sizes;
use crate::array::{Array, Element};
use crate::model::Model;

/// A function with all that it reads.
pub(super) struct Exact<'c> {
    pub(super) graph: Graph,
    pub(super) parameters: Vec<Tensor>,
    states: Vec<Tensor>,
    arguments: Vec<Tensor>,
    call: &'c Call,
    /// What the model's next call draws.
    draws: StepScalars,
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
            draws: model.calls().next(model.seed(), call.function, mode),
        })
    }

    /// The graph with gradients of what the function updates, unfused.
    pub(super) fn with_gradients(&self, model: &Model) -> Result<Graph, Mistake> {
        let reaches = &model.net().functions[self.call.function].reaches;
        grad::gradients(self.graph.clone(), &|number| reaches.contains(&number), EVERYTHING)
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
                Role::RoundGradient { .. } | Role::RoundState { .. } | Role::Check(_) => None,
            };
        }
        values
    }

    /// The first result as a function of the parameters; what no gradient flows through stays as it is here.
    pub(super) fn objective(&self) -> impl Fn(&[Tensor]) -> f64 + '_ {
        let mut graph = self.graph.clone();
        graph.outputs.truncate(1);
        let held = self.with(&self.parameters, false, |inputs| detached(&graph, inputs));
        move |parameters| {
            let results = self.with(parameters, false, |inputs| evaluate_holding(&graph, inputs, &held));
            results.first().map_or(f64::NAN, |loss| loss.data[0].f64())
        }
    }

    fn run(&self, graph: &Graph, parameters: &[Tensor], rounded: bool) -> (Vec<Tensor>, Effects) {
        self.with(parameters, rounded, |inputs| evaluate_with_rounds(graph, inputs))
    }

    fn with<T>(&self, parameters: &[Tensor], rounded: bool, evaluate: impl FnOnce(&Inputs) -> T) -> T {
        evaluate(&Inputs {
            arguments: &self.arguments,
            parameters,
            states: &self.states,
            rounded,
            sizes: &sizes::value(&self.call.sizes),
            random: &|stream, index| uniform(key(self.draws.root, stream), self.draws.call, index).into(),
        })
    }
}

/// A graph out of the text of `explain()`.
fn written(explained: &str, call: &Call, training: bool) -> Result<Graph, Mistake> {
    let function = call.name.rsplit('.').next().unwrap_or_default();
    let Some(graph) = castnet_graph::explain::written(explained, function, training) else {
        return Err(Mistake(format!("`{}`: `explain()` does not show it", call.name)));
    };
    text::read(graph).map_err(|error| Mistake(format!("`{}` in `explain()`: {error}", call.name)))
}

fn states(model: &Model, net: &Net, call: &Call) -> Result<Vec<Tensor>, Mistake> {
    let state = |state: &State| match model.state(&state.name)? {
        Some(array) => tensor(&array),
        // With a run-time size, not seen yet.
        None => {
            let shape: Vec<usize> = state.ty.shape.iter().map(|size| sizes::eval(size, &call.sizes) as usize).collect();
            let first = if let Init::Constant(first) = state.init { first } else { 0.0 };
            let elements = vec![first; shape.iter().product()];
            Ok(Tensor::new(shape, elements))
        }
    };
    net.states.iter().map(state).collect()
}

/// An array of any element type that a function takes.
pub(super) fn tensor(array: &Array) -> Result<Tensor, Mistake> {
    match array.dtype() {
        DType::F32 => elements(array, |x: f32| Number::Float(x.into())),
        DType::F64 => elements(array, Number::Float),
        DType::F16 => elements(array, |x: half::f16| Number::Float(x.into())),
        DType::BF16 => elements(array, |x: half::bf16| Number::Float(x.into())),
        DType::U8 => elements(array, |x: u8| Number::Int(x.into())),
        DType::I8 => elements(array, |x: i8| Number::Int(x.into())),
        DType::I16 => elements(array, |x: i16| Number::Int(x.into())),
        DType::I32 => elements(array, |x: i32| Number::Int(x.into())),
        DType::U32 => elements(array, |x: u32| Number::Int(x.into())),
        DType::I64 => elements(array, Number::Int),
        DType::Bool => elements(array, |x: bool| Number::Int(x.into())),
    }
}

fn elements<T: Element>(array: &Array, number: impl Fn(T) -> Number) -> Result<Tensor, Mistake> {
    let elements = array.as_slice::<T>()?.iter().map(|x| number(*x)).collect();
    Ok(Tensor::new(array.shape().to_vec(), elements))
}

/// The root of the sum of squares.
pub(super) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}
