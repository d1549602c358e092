//! The pipeline, a line a stage: from the graphs of a net's functions to its programs.

use std::sync::Arc;

use crate::budget::Budget;
use crate::builder::Parameters;
use crate::checks::checks_first;
use crate::decompose::decompose;
use crate::diagnostic::{Diagnostic, Loc};
use crate::fuse::{Kernels, lower};
use crate::grad::{gradients, scaled_gradients};
use crate::graph::{Argument, Graph, Op, Output, Role, StridedOperands};
use crate::layouts;
use crate::mirrors;
use crate::net::{ForTarget, Function, Init, Net, Parameter, Programs, State};
use crate::optimise::{optimise, share, without_dead_code};
use crate::plan::{Plan, plan};
use crate::precision::mixed;
use crate::primitives::flops;
use crate::program::order::{Conflicts, Order};
use crate::program::{Check, Named, Program, arena_bytes};
use crate::recompute::{Segments, recompute};
use crate::rules::Rule;
use crate::size::Size;
use crate::streams;
use crate::target::{Cpu, Target};
use crate::types::{DType, Type};

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
    /// For a `train fn`: the parameters that it updates (`None`: all); the others are constants there.
    pub trains: Option<Vec<usize>>,
    /// What it may take.
    pub memory: Option<Budget>,
    /// Which of its arguments and results lie by strides that the call tells; all others lie row-major.
    pub strided: StridedOperands,
    /// The halves with which it computes in mixed precision, if it does.
    pub precision: Option<DType>,
}

impl SourceFunction {
    /// A function that updates whatever it reaches and may take any memory.
    pub fn new(name: impl Into<String>, inference: Graph, training: Option<Graph>) -> SourceFunction {
        SourceFunction {
            name: name.into(),
            inference,
            training,
            trains: None,
            memory: None,
            strided: StridedOperands::default(),
            precision: None,
        }
    }

    /// Whether a call in inference mode draws random numbers.
    pub fn draws(&self) -> bool {
        self.inference.has(&|op| matches!(op, Op::Random(_)))
    }
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
    /// In mixed precision, if it computes so.
    pub mixed: Option<Graph>,
    /// With gradients, optimised.
    pub optimised: Graph,
    /// Fused and planned.
    pub program: Program,
}

/// Compiles every function for the CPU.
pub fn compile(source: Source) -> Result<Compiled, Vec<Diagnostic>> {
    compile_for(source, &Cpu)
}

/// Compiles every function for a target.
pub fn compile_for(source: Source, target: &dyn Target) -> Result<Compiled, Vec<Diagnostic>> {
    let mut compiled = Compiled {
        net: Net {
            name: source.name.clone(),
            float: source.parameters.float,
            parameters: parameters(&source.parameters),
            states: states(&source.parameters),
            functions: vec![],
            targets: vec![],
        },
        places: vec![],
        reports: vec![],
    };
    let mut mistakes = vec![];
    // Graph to graph, function by function.
    let mut functions = vec![];
    for mut function in source.functions {
        let inference = std::mem::take(&mut function.inference);
        let graphs = [(inference, false)].into_iter().chain(function.training.take().map(|graph| (graph, true)));
        let mut passed = vec![];
        for (graph, training) in graphs {
            match compiled.optimised(&function, graph, training, target) {
                Ok(optimised) => passed.push(optimised),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        functions.push((function, passed));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    // How parameters lie, by all of these.
    let graphs = functions.iter().flat_map(|(_, passed)| passed).map(|p| (&p.optimised, p.training));
    let (lies, elsewhere) = layouts::choose(&compiled.net.parameters, compiled.net.float, graphs, target);
    compiled.net.targets = vec![lies.clone()];
    if !elsewhere.is_empty() {
        for passed in functions.iter_mut().flat_map(|(_, passed)| passed) {
            passed.optimised = mirrors::elsewhere(&passed.optimised, &elsewhere);
            crate::verify::verify(&passed.optimised).map_err(|what| vec![broken(&passed.graph, "mirrors", what)])?;
        }
    }
    // Graph to program, function by function.
    let mut programs = vec![];
    for (function, passed) in functions {
        let mut made = vec![];
        for passed in passed {
            match compiled.program(&function, passed, target, &lies) {
                Ok(program) => made.push(program),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let mut made = made.into_iter();
        let (Some(inference), training) = (made.next(), made.next()) else { continue };
        let trained = training.as_ref().and(compiled.reports.last());
        let reaches = trained.map_or(vec![], |r| r.optimised.gradients().into_iter().collect());
        compiled.net.functions.push(Function { name: function.name, reaches });
        programs.push(Programs { inference, training });
    }
    compiled.net.targets = vec![ForTarget { programs, ..lies }];
    if mistakes.is_empty() { Ok(compiled) } else { Err(mistakes) }
}

/// A graph that went through the passes from graph to graph.
struct Optimised {
    /// As written.
    graph: Graph,
    mixed: Option<Graph>,
    training: bool,
    optimised: Graph,
}

/// What no pass may leave behind.
fn broken(graph: &Graph, pass: &str, what: String) -> Diagnostic {
    let message = format!("the compiler broke `{}` in pass `{pass}`: {what}", graph.name);
    Diagnostic::new("N0900", Loc::default(), message)
        .help("this is a mistake in castnet: please report it with the network")
}

fn parameters(declared: &Parameters) -> Vec<Parameter> {
    let parameter = |p: &crate::builder::Declared| {
        // What no function uses has no shape: it takes no part.
        let (shape, init) = p.shape.clone().unwrap_or((vec![], Init::Constant(0.0)));
        let crate::builder::Options { frozen, lr_mult, wd_mult } = p.options;
        Parameter { frozen, lr_mult, wd_mult, ..Parameter::new(p.name.to_string(), shape, init) }
    };
    declared.list.iter().map(parameter).collect()
}

fn states(declared: &Parameters) -> Vec<State> {
    let state = |s: &crate::builder::DeclaredState| {
        let ty = s.ty.clone().unwrap_or_else(|| Type::new(DType::F32, vec![]));
        State { name: s.name.to_string(), ty, init: s.init }
    };
    declared.states.iter().map(state).collect()
}

/// A graph, its kernels and their plan.
type Lowered = (Graph, Kernels, Plan);

/// Cuts the forward pass into segments that are made again, so that the arena is within so many bytes; if no number of segments that is worth
/// trying does, by the one that takes the least. Those that should do by estimate are planned first, as few as will do.
fn within<E>(
    whole: Lowered,
    allowed: i64,
    budget: &Budget,
    lowered: &dyn Fn(Graph) -> Result<Lowered, E>,
) -> Result<Lowered, E> {
    let bytes = |l: &Lowered| arena_bytes(&l.2.arena, &|name| budget.value(name));
    let written = whole.0.clone();
    let segments = Segments::new(&written, &|name| budget.value(name));
    let choices = segments.choices();
    let enough = choices.iter().position(|(_, bytes)| *bytes <= allowed).unwrap_or(choices.len());
    let (fewer, more) = choices.split_at(enough);
    let mut best = whole;
    // The estimate knows neither the gradients that flow nor what fusing spares, and more segments may take more.
    for (count, _) in more.iter().chain(fewer.iter().rev()) {
        if bytes(&best) <= allowed {
            break;
        }
        let tried = lowered(without_dead_code(&segments.graph(*count)))?;
        if bytes(&tried) < bytes(&best) {
            best = tried;
        }
    }
    Ok(best)
}

/// What one stream takes more than another plan may, in tenths.
const DEARER: i64 = 11;

/// Streams for the tasks, and a place for each buffer: as many streams as the target has, fewer where these would take too much memory.
fn planned(kernels: &mut Kernels, target: &dyn Target) -> Plan {
    if target.streams() <= 1 {
        return plan(kernels, target.align(), None);
    }
    let (open, serial) = (kernels.clone(), plan(kernels, target.align(), None));
    let bytes = |plan: &Plan| arena_bytes(&plan.arena, &|_| streams::SIZE);
    let conflicts = Conflicts::new(&open.schedule, &open.launches, &open.buffers);
    for count in (2..=target.streams()).rev() {
        let mut side_by_side = open.clone();
        streams::assign(&mut side_by_side.schedule, &open.launches, &conflicts, count);
        let order = Order::new(&side_by_side.schedule, &conflicts);
        let plan = plan(&mut side_by_side, target.align(), Some(&order));
        if bytes(&plan) * 10 <= bytes(&serial) * DEARER {
            *kernels = side_by_side;
            return plan;
        }
    }
    serial
}

impl Compiled {
    /// The passes from graph to graph, each verified.
    fn optimised(
        &self,
        function: &SourceFunction,
        graph: Graph,
        training: bool,
        target: &dyn Target,
    ) -> Result<Optimised, Diagnostic> {
        let verified = |pass: &str, made: Graph| match crate::verify::verify(&made) {
            Ok(()) => Ok(made),
            Err(what) => Err(broken(&graph, pass, what)),
        };
        let updated = |number: usize| {
            !self.net.parameters[number].frozen && function.trains.as_ref().is_none_or(|t| t.contains(&number))
        };
        // Of f16, small gradients would be nothing.
        let gradients = if function.precision == Some(DType::F16) { scaled_gradients } else { gradients };
        let differentiated =
            |made: &Graph| gradients(share(made), &updated, target.has()).map_err(|e| e.diagnostic(Loc::default()));
        let decomposed = |made: &Graph| {
            decompose(made, &target.has()).map_err(|e| broken(&graph, "decompose", format!("{} has no gradient", e.op)))
        };

        self.states_have_sizes(&graph)?;
        crate::verify::verify(&graph).map_err(|what| broken(&graph, "build", what))?;
        let mixed = function.precision.map(|half| verified("precision", mixed(&graph, half))).transpose()?;
        let start = mixed.as_ref().unwrap_or(&graph);
        let whole = if training { Some(verified("grad", differentiated(start)?)?) } else { None };
        let mut made = verified("decompose", decomposed(whole.as_ref().unwrap_or(start))?)?;
        made = verified("optimise", optimise(&made))?;
        if let Some(mirrored) = mirrors::halves(&made, self.net.float) {
            made = verified("mirrors", optimise(&mirrored))?;
        }
        if training {
            made = verified("recompute", without_dead_code(&recompute(&made)))?;
        }
        Ok(Optimised { optimised: made, graph, mixed, training })
    }

    /// The passes from graph to program, each verified: kernels and their plan, once more with less kept if they take more memory than they may.
    fn program(
        &mut self,
        function: &SourceFunction,
        Optimised { graph, mixed, training, optimised }: Optimised,
        target: &dyn Target,
        lies: &ForTarget,
    ) -> Result<Program, Diagnostic> {
        let net = &self.net;
        let lowered = |made: Graph| {
            let made = checks_first(made);
            let mut kernels = lower(&made, lies, &function.strided).map_err(|what| broken(&graph, "fuse", what))?;
            let planned = planned(&mut kernels, target);
            Ok((made, kernels, planned))
        };
        let mut best = lowered(optimised)?;
        if let Some(budget) = &function.memory {
            let bytes = |arena: &[Size]| arena_bytes(arena, &|name| budget.value(name));
            let allowed = budget.bytes - budget.of(net, training, 0).total();
            if training && bytes(&best.2.arena) > allowed {
                best = within(best, allowed, budget, &lowered)?;
                crate::verify::verify(&best.0).map_err(|what| broken(&graph, "recompute", what))?;
            }
            let taken = budget.of(net, training, bytes(&best.2.arena));
            if taken.total() > budget.bytes {
                let loops = best.0.nodes.iter().any(|node| matches!(node.op, Op::Repeat(_)));
                return Err(budget.exceeded(&graph.name, &taken, training, loops));
            }
        }
        let (optimised, kernels, planned) = best;
        let program = self.assemble(&graph, &function.strided, kernels, planned);
        crate::verify::verify_program(&program).map_err(|what| broken(&graph, "plan", what))?;
        crate::verify::verify_outputs(&optimised, &program).map_err(|what| broken(&graph, "fuse", what))?;

        let function = function.name.clone();
        self.reports.push(Report { function, training, graph, mixed, optimised, program: program.clone() });
        Ok(program)
    }

    /// The run-time sizes of every state that the function uses must be told by an argument.
    fn states_have_sizes(&self, graph: &Graph) -> Result<(), Diagnostic> {
        let told =
            |name: &Arc<str>| graph.arguments.iter().any(|a| a.ty.shape.iter().any(|s| s.names().contains(name)));
        for node in &graph.nodes {
            let own = node.op.state().into_iter().chain(match &node.op {
                Op::Repeat(repeat) => repeat.states_of_net(),
                _ => vec![],
            });
            for state in own.filter_map(|number| self.net.states.get(number)) {
                let Some(name) = state.ty.shape.iter().flat_map(|s| s.names()).find(|n| !told(n)) else { continue };
                let message = format!(
                    "`{}` uses the state `{}`, {}, but none of its arguments tells `{name}`",
                    graph.name, state.name, state.ty
                );
                let help = format!("use `{name}` in an argument's type, or make it a constant");
                return Err(Diagnostic::new("N0514", node.origin.loc, message).help(help));
            }
        }
        Ok(())
    }

    /// The number of a place in the source, with what stands there.
    fn place(&mut self, place: Loc, name: &str) -> u32 {
        let known = self.places.iter().position(|(loc, what)| *loc == place && what == name);
        known.unwrap_or_else(|| {
            self.places.push((place, name.into()));
            self.places.len() - 1
        }) as u32
    }

    /// The rules of a program.
    fn rules(&mut self, graph: &Graph) -> Vec<Rule> {
        let mut rules = rules(graph);
        for reason in rules.iter_mut().filter_map(|rule| rule.reason.as_mut()) {
            reason.loc = self.place(Loc(reason.loc), &reason.name);
        }
        rules
    }

    fn assemble(
        &mut self,
        graph: &Graph,
        strided: &StridedOperands,
        kernels: Kernels,
        plan: crate::plan::Plan,
    ) -> Program {
        let flops = flops(&kernels.graph);
        let mut launches = kernels.launches;
        for (launch, place) in launches.iter_mut().zip(kernels.places) {
            launch.loc = self.place(place, &launch.name);
        }
        let mut checks = vec![];
        for (place, check) in &graph.checks {
            checks.push(Check { loc: self.place(*place, check.must.by()), ..check.clone() });
        }
        let argument = |(number, a): (usize, &Argument)| Named {
            name: a.name.to_string(),
            ty: a.ty.clone(),
            below: a.below.clone(),
            strided: strided.arguments.contains(&number),
        };
        let result = |(number, o): (usize, &Output)| Named {
            name: graph.node(o.value).origin.name.to_string(),
            ty: graph.ty(o.value).clone(),
            below: vec![],
            strided: strided.results.contains(&number),
        };
        let results = graph.outputs.iter().filter(|o| matches!(o.role, Role::Result(_)));
        let mut program = Program {
            name: graph.name.clone(),
            arguments: graph.arguments.iter().enumerate().map(argument).collect(),
            results: results.enumerate().map(result).collect(),
            donates: vec![],
            rules: self.rules(graph),
            checks,
            states: kernels.graph.states(),
            assigns: kernels.graph.assigns(),
            buffers: kernels.buffers,
            schedule: kernels.schedule,
            launches,
            arena: plan.arena,
            bound: plan.bound,
            flops,
        };
        program.donates = program.donations();
        program
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
    all.into_iter().for_each(|rule| rule.add_to(&mut seen));
    seen
}
