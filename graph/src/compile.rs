//! The pipeline, a line a stage: from the graphs of a net's functions to its programs.

use crate::builder::Parameters;
use crate::diagnostic::{Diagnostic, Loc};
use crate::fuse::{Kernels, lower};
use crate::grad::gradients;
use crate::graph::{Graph, Op, Role};
use crate::net::{Function, Init, Net, Parameter};
use crate::optimise::{optimise, share, without_dead_code};
use crate::plan::plan;
use crate::program::{Layout, Named, Program};
use crate::recompute::recompute;
use crate::rules::Rule;
use crate::size::Size;
use crate::types::Type;

/// A net as it was written: its functions as graphs.
#[derive(Clone, Debug)]
pub struct Source {
    /// `LeNet`.
    pub name: String,
    /// In the order of declaration.
    pub parameters: Parameters,
    /// Every entry point.
    pub functions: Vec<SourceFunction>,
}

/// A function as it was written.
#[derive(Clone, Debug)]
pub struct SourceFunction {
    /// `loss`.
    pub name: String,
    /// In inference mode.
    pub inference: Graph,
    /// For a `train fn`: in training mode, without gradients; the first result is the objective.
    pub training: Option<Graph>,
}

/// A net as it runs.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Parameters and programs.
    pub net: Net,
    /// Places in the source; `Launch::loc` is an index into this list.
    pub places: Vec<(Loc, String)>,
    /// What each program was made of.
    pub reports: Vec<Report>,
}

/// The stages of one program, for `explain`.
#[derive(Clone, Debug)]
pub struct Report {
    /// `loss`, and whether this is its training program.
    pub function: String,
    /// See `function`.
    pub training: bool,
    /// As written.
    pub graph: Graph,
    /// With gradients, optimised.
    pub optimised: Graph,
    /// Fused and planned.
    pub program: Program,
}

/// Compiles every function.
pub fn compile(source: Source) -> Result<Compiled, Vec<Diagnostic>> {
    let mut compiled = Compiled {
        net: Net { name: source.name.clone(), parameters: parameters(&source.parameters), functions: vec![] },
        places: vec![],
        reports: vec![],
    };
    let mut mistakes = vec![];
    for function in &source.functions {
        let inference = compiled.program(&function.name, function.inference.clone(), false);
        let training = function.training.clone().map(|graph| compiled.program(&function.name, graph, true));
        match (inference, training.transpose()) {
            (Ok(inference), Ok(training)) => {
                let trained = training.as_ref().and(compiled.reports.last());
                let reaches = trained.map_or(vec![], |r| r.optimised.gradients().into_iter().collect());
                compiled.net.functions.push(Function { name: function.name.clone(), inference, training, reaches });
            }
            (a, b) => mistakes.extend(a.err().into_iter().chain(b.err())),
        }
    }
    if mistakes.is_empty() { Ok(compiled) } else { Err(mistakes) }
}

fn parameters(declared: &Parameters) -> Vec<Parameter> {
    let parameter = |p: &crate::builder::Declared| {
        // What no function uses has no shape: it takes no part.
        let (shape, init) = p.shape.clone().unwrap_or((vec![], Init::Constant(0.0)));
        let layout = if shape.is_empty() { Layout::Plain } else { p.layout.clone() };
        Parameter { name: p.name.to_string(), shape, layout, init }
    };
    declared.list.iter().map(parameter).collect()
}

impl Compiled {
    /// One function: the way of the data.
    fn program(&mut self, function: &str, graph: Graph, training: bool) -> Result<Program, Diagnostic> {
        let broken = |pass: &str, what: String| {
            Diagnostic::new(
                "N0900",
                Loc::default(),
                format!("the compiler broke `{}` in pass `{pass}`: {what}", graph.name),
            )
            .help("this is a mistake in castnet: please report it with the network")
        };
        let checked = |pass: &str, g: Graph| crate::verify::verify(&g).map(|()| g).map_err(|what| broken(pass, what));

        let written = checked("build", graph.clone())?;
        let differentiated = match training {
            true => gradients(share(&written)).map_err(|e| e.diagnostic(Loc::default()))?,
            false => written.clone(),
        };
        let differentiated = checked("grad", differentiated)?;
        let optimised = checked("optimise", optimise(&differentiated))?;
        let optimised =
            if training { checked("recompute", without_dead_code(&recompute(&optimised)))? } else { optimised };
        let mut kernels = lower(&optimised, &self.net.parameters);
        let planned = plan(&mut kernels);
        let program = self.assemble(&graph, kernels, planned);
        crate::verify::verify_program(&program).map_err(|what| broken("plan", what))?;
        crate::verify::verify_outputs(&optimised, &program).map_err(|what| broken("fuse", what))?;

        let function = function.to_string();
        self.reports.push(Report { function, training, graph, optimised, program: program.clone() });
        Ok(program)
    }

    fn assemble(&mut self, graph: &Graph, kernels: Kernels, plan: crate::plan::Plan) -> Program {
        let flops = flops(&kernels.graph);
        let mut launches = kernels.launches;
        for (launch, place) in launches.iter_mut().zip(kernels.places) {
            let place = (place, launch.name.clone());
            launch.loc = self.places.iter().position(|p| *p == place).unwrap_or(self.places.len()) as u32;
            if launch.loc as usize == self.places.len() {
                self.places.push(place);
            }
        }
        let named = |name: &str, ty: &Type| Named { name: name.into(), ty: ty.clone(), below: None };
        let results = graph.outputs.iter().filter(|o| matches!(o.role, Role::Result(_)));
        Program {
            name: graph.name.clone(),
            arguments: graph.arguments.iter().map(|a| Named { below: a.below, ..named(&a.name, &a.ty) }).collect(),
            results: results.map(|o| named(&graph.node(o.value).origin.name, graph.ty(o.value))).collect(),
            rules: rules(graph),
            buffers: kernels.buffers,
            schedule: kernels.schedule,
            launches,
            arena: plan.classes,
            bound: plan.bound,
            flops,
        }
    }
}

/// The rules of a graph and of the loops in it, none twice.
fn rules(graph: &Graph) -> Vec<Rule> {
    let mut all = graph.rules.clone();
    for node in &graph.nodes {
        if let Op::Repeat(repeat) = &node.op {
            all.extend(rules(&repeat.body));
        }
    }
    let mut seen: Vec<Rule> = vec![];
    for rule in all {
        if !seen.contains(&rule) {
            seen.push(rule);
        }
    }
    seen
}

/// Floating-point operations: two a product-and-sum, one an element of everything pointwise or reduced.
fn flops(graph: &Graph) -> Size {
    let node_flops = |node: &crate::graph::Node| match &node.op {
        Op::MatMul { ta, .. } => {
            let a = graph.shape(node.inputs[0]);
            let k = &a[if *ta { a.len() - 2 } else { a.len() - 1 }];
            &(&node.ty.len() * k) * &2.into()
        }
        Op::Conv2d(_) => &(&node.ty.len() * &Size::product(&graph.shape(node.inputs[1])[1..])) * &2.into(),
        Op::Conv2dInputGrad(_) => {
            let per_pixel = Size::product(&graph.shape(node.inputs[1])[1..]);
            &(&graph.ty(node.inputs[0]).len() * &per_pixel) * &2.into()
        }
        Op::Conv2dWeightGrad(_) => {
            let per_pixel = Size::product(&node.ty.shape[1..]);
            &(&graph.ty(node.inputs[1]).len() * &per_pixel) * &2.into()
        }
        Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast => node.ty.len(),
        Op::Repeat(repeat) => &flops(&repeat.body) * &repeat.count,
        Op::Reduce(..) => graph.ty(node.inputs[0]).len(),
        Op::MaxPool2d(w) | Op::SumPool2d(w) => &node.ty.len() * &(w.kernel[0] * w.kernel[1]).into(),
        Op::MaxPool2dGrad(_) | Op::SumPool2dGrad(_) | Op::MaxPool2dIndex(_) | Op::MaxPool2dScatter(_) => node.ty.len(),
        _ => Size::constant(0),
    };
    graph.nodes.iter().fold(Size::constant(0), |sum, node| &sum + &node_flops(node))
}
