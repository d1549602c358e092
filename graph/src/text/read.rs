//! Reads graphs back from their text. Places in the source are not part of it.

use super::line::{Line, Problem, ReadError};

use super::primitives;
use crate::diagnostic::Loc;
use crate::graph::{Argument, Border, Call, Graph, Node, Op, Origin, Output, Repeat, Role, Value};
use crate::number::Number;
use crate::program::{Check, Must};
use crate::routine::Routine;
use crate::scalar::{Binary, Reduction, Unary};
use crate::types::Type;

/// The graph that a text shows. Origins have names and no places; whether the graph is sound is the verifier's question.
pub fn read(text: &str) -> Result<Graph, ReadError> {
    let mut lines = Lines { lines: text.lines().collect(), at: 0 };
    let graph = lines.graph()?;
    match lines.next() {
        None => Ok(graph),
        Some(line) => Err(lines.error(line.wrong("the end of the text"))),
    }
}

struct Lines<'t> {
    lines: Vec<&'t str>,
    /// The lines read.
    at: usize,
}

impl<'t> Lines<'t> {
    /// The next line with anything in it.
    fn next(&mut self) -> Option<Line<'t>> {
        while let Some(text) = self.lines.get(self.at) {
            self.at += 1;
            if !text.trim().is_empty() {
                return Some(Line { rest: text.trim() });
            }
        }
        None
    }

    fn error(&self, problem: Problem) -> ReadError {
        problem.at(self.at)
    }

    fn graph(&mut self) -> Result<Graph, ReadError> {
        let mut head = self.next().unwrap_or(Line { rest: "" });
        let mut graph = head.head().map_err(|e| self.error(e))?;
        loop {
            let Some(mut line) = self.next() else {
                return Err(self.error(Line { rest: "" }.wrong("`}` at the end of the graph")));
            };
            if line.rest == "}" {
                return Ok(graph);
            }
            if line.eat("where ") {
                let rule = line.rest.parse().map_err(|_| self.error(line.wrong("a rule such as `T <= 1024`")))?;
                graph.rules.push(rule);
                continue;
            }
            if line.eat("expects ") {
                let check = line.check().map_err(|e| self.error(e))?;
                graph.checks.push((Loc::default(), check));
                continue;
            }
            if !line.rest.starts_with('%') {
                let output = line.output().map_err(|e| self.error(e))?;
                graph.outputs.push(output);
                continue;
            }
            let (mut node, further) = line.node(graph.nodes.len()).map_err(|e| self.error(e))?;
            match &mut node.op {
                Op::Repeat(repeat) => repeat.body = self.graph()?,
                Op::Const(c) | Op::Pad { value: c, .. } => *c = c.to(node.ty.dtype),
                _ => {}
            }
            graph.nodes.push(node);
            let has = graph.nodes.last().is_some_and(|node| graph.several(node).is_some());
            let types = if has { graph.types(Value(graph.nodes.len() as u32 - 1)) } else { vec![] };
            if !types.iter().skip(1).eq(&further) {
                let types: Vec<String> = types.iter().map(Type::to_string).collect();
                return Err(self.error(line.wrong(&format!("the types of its results, `{}`", types.join("; ")))));
            }
        }
    }
}

/// What stands in a line of a graph.
pub(super) trait GraphLine {
    fn value(&mut self) -> Result<Value, Problem>;

    /// A number of a graph.
    fn constant(&mut self) -> Result<Number, Problem>;

    /// `in 0..10 for wte, 2 axes in 1 loops`, `no 0 for remainder, 1 axes in 0 loops`.
    fn check(&mut self) -> Result<Check, Problem>;

    /// `graph LeNet.loss(image: f32[N, 1, 28, 28], digit: u8[N] in 0..10 for cross_entropy) {`
    fn head(&mut self) -> Result<Graph, Problem>;

    /// `result 0 = %5`.
    fn output(&mut self) -> Result<Output, Problem>;

    /// `+ 6·round + 2·round`, as many as follow.
    fn rounds(&mut self) -> Result<Vec<usize>, Problem>;

    /// `%4 = add(%2, %3)  f32[N, 20]  conv1`, the body of a loop still empty.
    /// Also the types of its results from the second on.
    fn node(&mut self, number: usize) -> Result<(Node, Vec<Type>), Problem>;

    fn operation(&mut self) -> Result<(Op, Vec<Value>), Problem>;

    /// `%3.1`, or `%3ᵀ · %4`.
    fn get_or_product(&mut self) -> Result<(Op, Vec<Value>), Problem>;

    /// `routine topk to 5 reversed(%1)`.
    fn routine(&mut self) -> Result<(Op, Vec<Value>), Problem>;

    /// `repeat 3 reversed(%1; %2, %3; %4)`.
    fn repeat(&mut self) -> Result<(Op, Vec<Value>), Problem>;
}

impl GraphLine for Line<'_> {
    fn value(&mut self) -> Result<Value, Problem> {
        self.expect("%")?;
        Ok(Value(self.number()?))
    }

    fn constant(&mut self) -> Result<Number, Problem> {
        let before = self.rest;
        let text = self.take(|c| c.is_alphanumeric() || "-+.".contains(c));
        text.parse().map_err(|_| Line { rest: before }.wrong("a number"))
    }

    fn check(&mut self) -> Result<Check, Problem> {
        let must = match self.word() {
            "in" => Must::Lie(self.below()?),
            _ => {
                self.expect("0")?;
                self.expect("for")?;
                Must::Divide(self.take(|c| c != ',').trim().into())
            }
        };
        self.expect(",")?;
        let axes = self.number()?;
        self.expect("axes in")?;
        let rounds = self.number()?;
        self.expect("loops")?;
        Ok(Check { must, loc: 0, rounds, axes })
    }

    fn head(&mut self) -> Result<Graph, Problem> {
        self.expect("graph ")?;
        let Some(end) = self.rest.find('(') else { return Err(self.wrong("a name and `(`")) };
        let mut graph = Graph::new(&self.rest[..end]);
        self.rest = &self.rest[end..];
        graph.arguments = self.list("(", ")", |line| {
            let Some(end) = line.rest.find(':') else { return Err(line.wrong("a name and `:`")) };
            let name = line.rest[..end].trim().into();
            line.rest = &line.rest[end + 1..];
            let ty = line.ty()?;
            let mut below = vec![];
            while line.eat("in ") {
                below.push(line.below()?);
            }
            Ok(Argument { name, ty, below })
        })?;
        self.expect("{")?;
        Ok(graph)
    }

    fn output(&mut self) -> Result<Output, Problem> {
        let before = self.rest;
        let role = match self.word() {
            "result" => Role::Result(self.number()?),
            "check" => Role::Check(self.number()?),
            "gradient" => match (self.number()?, self.rounds()?) {
                (number, steps) if steps.is_empty() => Role::Gradient(number),
                (first, steps) => Role::RoundGradient { first, steps },
            },
            "state" => match (self.number()?, self.rounds()?) {
                (number, steps) if steps.is_empty() => Role::State(number),
                (first, steps) => Role::RoundState { first, steps },
            },
            _ => return Err(Line { rest: before }.wrong("a node, a result or `}`")),
        };
        self.expect("=")?;
        let output = Output { role, value: self.value()? };
        if self.rest.is_empty() { Ok(output) } else { Err(self.wrong("the end of the line")) }
    }

    fn rounds(&mut self) -> Result<Vec<usize>, Problem> {
        let mut steps = vec![];
        while self.eat("+") {
            steps.push(self.number()?);
            self.expect("·round")?;
        }
        Ok(steps)
    }

    fn node(&mut self, number: usize) -> Result<(Node, Vec<Type>), Problem> {
        let before = self.rest;
        if self.value()?.index() != number {
            return Err(Line { rest: before }.wrong(&format!("`%{number}`")));
        }
        self.expect("=")?;
        let (op, inputs) = self.operation()?;
        let ty = self.ty()?;
        let mut further = vec![];
        while self.eat(";") {
            further.push(self.ty()?);
        }
        let origin = Origin::new(Loc::default(), self.rest.trim());
        Ok((Node { op, inputs, ty, origin }, further))
    }

    fn operation(&mut self) -> Result<(Op, Vec<Value>), Problem> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('%') {
            return self.get_or_product();
        }
        let before = self.rest;
        let name = self.word();
        let leaf = match name {
            "argument" => Some(Op::Input(self.number()?)),
            "parameter" => Some(match (self.number()?, self.rounds()?) {
                (number, steps) if steps.is_empty() => Op::Parameter(number),
                (first, steps) => Op::RoundParameter { first, steps },
            }),
            "mirror" => Some(Op::Mirror { first: self.number()?, steps: self.rounds()? }),
            "state" => Some(match (self.number()?, self.rounds()?) {
                (number, steps) if steps.is_empty() => Op::State(number),
                (first, steps) => Op::RoundState { first, steps },
            }),
            "size" => Some(Op::Size(self.size()?)),
            "iota" => {
                self.expect("along")?;
                Some(Op::Iota(self.number()?))
            }
            "loss_scale" => Some(Op::LossScale),
            "random" => {
                self.expect("stream")?;
                Some(Op::Random(self.number()?))
            }
            _ => None,
        };
        if let Some(op) = leaf {
            return Ok((op, vec![]));
        }
        if name == "repeat" {
            return self.repeat();
        }
        if name == "routine" {
            return self.routine();
        }
        let op = match primitives::read(name, self)? {
            Some(op) => op,
            None if self.rest.starts_with('[') => match Reduction::from_name(name) {
                Some(f) => Op::Reduce(f, self.list("[", "]", Line::number)?),
                None => return Err(Line { rest: before }.wrong("a primitive")),
            },
            None if self.rest.starts_with('(') => match (Unary::from_name(name), Binary::from_name(name)) {
                (Some(f), _) => Op::Unary(f),
                (_, Some(f)) => Op::Binary(f),
                _ => return Err(Line { rest: before }.wrong("a primitive")),
            },
            None => {
                self.rest = before;
                let constant = self.take(|c| c != ' ').parse();
                return constant
                    .map(|c| (Op::Const(c), vec![]))
                    .map_err(|_| Line { rest: before }.wrong("a primitive"));
            }
        };
        Ok((op, self.list("(", ")", Line::value)?))
    }

    fn get_or_product(&mut self) -> Result<(Op, Vec<Value>), Problem> {
        let a = self.value()?;
        if self.eat(".") {
            return Ok((Op::Get(self.number()?), vec![a]));
        }
        let ta = self.eat("ᵀ");
        self.expect("·")?;
        let b = self.value()?;
        Ok((Op::MatMul { ta, tb: self.eat("ᵀ") }, vec![a, b]))
    }

    fn routine(&mut self) -> Result<(Op, Vec<Value>), Problem> {
        let before = self.rest;
        let Some(routine) = Routine::from_name(self.word()) else {
            return Err(Line { rest: before }.wrong("the name of a routine"));
        };
        let length = if self.eat("to") { Some(self.size()?) } else { None };
        let reverse = self.eat("reversed");
        Ok((Op::Routine(Call { routine, reverse, length }), self.list("(", ")", Line::value)?))
    }

    fn repeat(&mut self) -> Result<(Op, Vec<Value>), Problem> {
        let (count, reverse) = (self.size()?, self.eat("reversed"));
        self.expect("(")?;
        let mut parts = [vec![], vec![], vec![]];
        let mut part = 0;
        while !self.eat(")") {
            match part < 2 && self.eat(";") {
                true => part += 1,
                false => {
                    if !parts[part].is_empty() {
                        self.expect(",")?;
                    }
                    parts[part].push(self.value()?);
                }
            }
        }
        let (states, shared) = (parts[0].len(), parts[1].len());
        let repeat = Repeat { count, reverse, states, shared, body: Graph::default(), border: Border::default() };
        Ok((Op::Repeat(Box::new(repeat)), parts.concat()))
    }
}
