//! Reads programs back from their listings.

use super::super::line::{Line, Problem, ReadError};
use crate::program::ending::{Ending, EndingKind};
use crate::program::{
    Access, Buffer, Check, Conv, Family, Index, Launch, Level, Must, Named, Place, Program, Right, Source, Stage,
    Strided, Target, Task, TaskKind, Tile,
};
use crate::routine::Routine;
use crate::rules::{Reason, Rule};
use crate::scalar::{Binary, Code, Instr, Literal, Reduction, Slot, Unary};
use crate::size::Size;
use crate::types::DType;

/// The program that a listing shows ([`ProgramText::listing`](super::ProgramText::listing)). Whether it holds together is another question.
///
/// # Errors
/// The first line that is wrong.
pub fn read(text: &str) -> Result<Program, ReadError> {
    let mut reader = Reader::default();
    let mut last = 0;
    for (i, text) in text.lines().enumerate() {
        last = i + 1;
        if !text.trim().is_empty() {
            reader.line(Line { rest: text }).map_err(|problem| problem.at(last))?;
        }
    }
    reader.finish().map_err(|problem| problem.at(last + 1))
}

/// What has been read.
#[derive(Default)]
struct Reader {
    program: Program,
    /// What the next lines are about.
    part: Part,
    /// The loops that are open.
    open: Vec<Task>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Part {
    #[default]
    Start,
    Head,
    Launch,
    Stage,
    Schedule,
}

/// Loops in loops; deeper ones would be no program of a compiler.
const DEEPEST: usize = 64;

impl Reader {
    fn line(&mut self, mut line: Line<'_>) -> Result<(), Problem> {
        let before = line.rest;
        let word = line.word();
        let part = self.part;
        let known = match part {
            Part::Start => word == "program",
            Part::Schedule => self.step(word, &mut line)?,
            Part::Stage if self.code(word, &mut line)? => true,
            Part::Stage | Part::Launch if self.of_launch(word, &mut line)? => true,
            _ => self.head(word, &mut line)?,
        };
        if self.part == Part::Start {
            let name = line.rest.trim();
            if !known || name.is_empty() {
                return Err(Line { rest: before }.wrong("`program` and its name"));
            }
            (self.program.name, self.part) = (name.into(), Part::Head);
            return Ok(());
        }
        if !known {
            return Err(Line { rest: before }.wrong(match self.part {
                Part::Start | Part::Head => "a part of a program",
                Part::Launch => "a part of a launch, the next launch or `schedule`",
                Part::Stage => "a line of code, a part of a launch, the next launch or `schedule`",
                Part::Schedule => "`launch`, `repeat` or `end`",
            }));
        }
        line.end()
    }

    fn finish(self) -> Result<Program, Problem> {
        let nothing = Line { rest: "" };
        match self.part {
            Part::Schedule if self.open.is_empty() => Ok(self.program),
            Part::Schedule => Err(nothing.wrong("`end` of a repeat")),
            _ => Err(nothing.wrong("`schedule`")),
        }
    }

    /// What stands outside of launches.
    fn head(&mut self, word: &str, line: &mut Line<'_>) -> Result<bool, Problem> {
        let p = &mut self.program;
        match word {
            "argument" => p.arguments.push(line.named()?),
            "result" => p.results.push(line.named()?),
            "donates" => {
                let argument = line.number()?;
                line.expect("to")?;
                p.donates.push((argument, line.number()?));
            }
            "where" => p.rules.push(line.rule()?),
            "expects" => p.checks.push(line.check()?),
            "states" => p.states = line.list("[", "]", Line::number)?,
            "assigns" => p.assigns = line.list("[", "]", Line::number)?,
            "arena" => p.arena = line.sizes()?,
            "bound" => p.bound = line.sizes()?,
            "flops" => p.flops = line.bracketed()?,
            "buffer" => {
                line.numbered(p.buffers.len())?;
                p.buffers.push(line.buffer()?);
            }
            "launch" => {
                line.numbered(p.launches.len())?;
                line.expect("at")?;
                let loc = line.number()?;
                p.launches.push(Launch { loc, name: line.name()?, ..Launch::default() });
                self.part = Part::Launch;
            }
            "schedule" => self.part = Part::Schedule,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A line of a launch, but for its code.
    fn of_launch(&mut self, word: &str, line: &mut Line<'_>) -> Result<bool, Problem> {
        let Some(launch) = self.program.launches.last_mut() else { return Ok(false) };
        match word {
            "space" => {
                launch.space = line.sizes()?;
                line.expect("reduce")?;
                launch.reduce = line.sizes()?;
                launch.family = line.family()?;
            }
            "load" => {
                line.numbered(launch.loads.len())?;
                launch.loads.push(line.access()?);
            }
            "store" => {
                line.numbered(launch.stores.len())?;
                launch.stores.push(line.access()?);
            }
            "each" => {
                let level = match line.eat("element") {
                    true => Level::Element,
                    false => line.expect("row").map(|()| Level::Row)?,
                };
                launch.stages.push(Stage { level, inputs: vec![], code: Code::default(), outputs: vec![] });
                self.part = Part::Stage;
            }
            "updates" => launch.updates = Some(line.number()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `t0: f32 = load 3`, `t4 = exp(t3)`, `store 0 = t4`.
    fn code(&mut self, word: &str, line: &mut Line<'_>) -> Result<bool, Problem> {
        let Some(Stage { inputs, code, outputs, .. }) =
            self.program.launches.last_mut().and_then(|launch| launch.stages.last_mut())
        else {
            return Ok(false);
        };
        if let "store" | "row" = word {
            let number = line.number()?;
            line.expect("=")?;
            let before = line.rest;
            outputs.push(match line.word() {
                _ if word == "store" => {
                    line.rest = before;
                    Target::Store(number)
                }
                name => match Reduction::from_name(name) {
                    Some(function) => Target::Reduce(function, number),
                    None => {
                        line.rest = before;
                        Target::Row(number)
                    }
                },
            });
            code.outputs.push(line.slot()?);
            return Ok(true);
        }
        let Some(number) = word.strip_prefix('t') else { return Ok(false) };
        let next = inputs.len() + code.instrs.len();
        if number != next.to_string() {
            return Err(Line { rest: word }.wrong(&format!("`t{next}`")));
        }
        if code.instrs.is_empty() && line.eat(":") {
            let before = line.rest;
            let dtype = line.dtype()?;
            if dtype.lane().dtype() != dtype {
                return Err(Line { rest: before }.wrong("`f32`, `f64`, `i32`, `i64` or `bool`"));
            }
            line.expect("=")?;
            code.inputs.push(dtype.lane());
            inputs.push(line.source()?);
        } else {
            line.expect("=")?;
            code.instrs.push(line.instr()?);
        }
        Ok(true)
    }

    fn step(&mut self, word: &str, line: &mut Line<'_>) -> Result<bool, Problem> {
        let step = match word {
            "launch" => {
                let kind = TaskKind::Launch(line.number()?);
                Task { kind, stream: line.stream()? }
            }
            "repeat" if self.open.len() < DEEPEST => {
                let (count, reverse) = (line.bracketed()?, line.eat("reversed"));
                let kind = TaskKind::Loop { count, reverse, body: vec![] };
                self.open.push(Task { kind, stream: line.stream()? });
                return Ok(true);
            }
            "end" => match self.open.pop() {
                Some(task) => task,
                None => return Ok(false),
            },
            _ => {
                let Some(kind) = EndingKind::ALL.into_iter().find(|kind| kind.name() == word) else { return Ok(false) };
                let of = line.list("[", "]", Line::number)?;
                Task { kind: TaskKind::Ending(Ending { kind, of }), stream: line.stream()? }
            }
        };
        let around = self.open.last_mut().map(|task| &mut task.kind);
        match around {
            Some(TaskKind::Loop { body, .. }) => body.push(step),
            Some(TaskKind::Launch(_) | TaskKind::Ending(_)) | None => self.program.schedule.push(step),
        }
        Ok(true)
    }
}

impl Line<'_> {
    fn stream(&mut self) -> Result<u32, Problem> {
        if self.eat("on stream") { self.number() } else { Ok(0) }
    }

    /// The number of what is listed next.
    fn numbered(&mut self, next: usize) -> Result<(), Problem> {
        let before = self.rest;
        match self.number::<usize>() {
            Ok(number) if number == next => Ok(()),
            _ => Err(Line { rest: before }.wrong(&format!("`{next}`"))),
        }
    }

    /// `: ` and all that follows.
    fn name(&mut self) -> Result<String, Problem> {
        self.expect(": ")?;
        Ok(std::mem::take(&mut self.rest).into())
    }

    fn sizes(&mut self) -> Result<Vec<Size>, Problem> {
        self.list("[", "]", Line::size)
    }

    /// `(N + 1)`.
    fn bracketed(&mut self) -> Result<Size, Problem> {
        self.expect("(")?;
        let size = self.size()?;
        self.expect(")")?;
        Ok(size)
    }

    /// `b3`.
    fn memory(&mut self) -> Result<usize, Problem> {
        self.expect("b")?;
        self.number()
    }

    fn named(&mut self) -> Result<Named, Problem> {
        let ty = self.ty()?;
        let strided = self.eat("strided");
        let mut below = vec![];
        while self.eat("in ") {
            below.push(self.below()?);
        }
        Ok(Named { ty, below, strided, name: self.name()? })
    }

    fn rule(&mut self) -> Result<Rule, Problem> {
        let end = self.rest.find(", ").unwrap_or(self.rest.len());
        let (rule, rest) = self.rest.split_at(end);
        let read: Result<Rule, _> = rule.trim().parse();
        let mut rule = read.map_err(|_| self.wrong("a rule such as `T <= 1024`"))?;
        self.rest = rest;
        rule.not_empty = self.eat(", not empty");
        if self.eat(", at") {
            let loc = self.number()?;
            self.expect("for ")?;
            let name = self.until(": ").ok_or_else(|| self.wrong("a name and `: `"))?.into();
            rule.reason = Some(Reason { loc, name, why: std::mem::take(&mut self.rest).into() });
        }
        Ok(rule)
    }

    fn check(&mut self) -> Result<Check, Problem> {
        let axes = self.number()?;
        self.expect("axes in")?;
        let rounds = self.number()?;
        self.expect("loops, at")?;
        let loc = self.number()?;
        self.expect(":")?;
        let must = match self.eat("in ") {
            true => Must::Lie(self.below()?),
            false => {
                self.expect("no 0 for ")?;
                Must::Divide(std::mem::take(&mut self.rest).into())
            }
        };
        Ok(Check { must, loc, rounds, axes })
    }

    fn buffer(&mut self) -> Result<Buffer, Problem> {
        let (dtype, size) = (self.dtype()?, self.bracketed()?);
        let before = self.rest;
        let place = match self.word() {
            "argument" => Place::Argument(self.number()?),
            "result" => Place::Result(self.number()?),
            "parameter" => Place::Parameter(self.number()?),
            "mirror" => Place::Mirror(self.number()?),
            "gradient" => Place::Gradient(self.number()?),
            "state" => Place::State(self.number()?),
            "check" => Place::Check(self.number()?),
            "arena" => Place::Arena(self.bracketed()?),
            _ => return Err(Line { rest: before }.wrong("the place of a buffer")),
        };
        let part_of = if self.eat("part of") { Some(self.number()?) } else { None };
        let start = if self.eat("start") { self.bracketed()? } else { Size::default() };
        let strides = if self.eat("strides") { self.sizes()? } else { vec![] };
        Ok(Buffer { name: self.name()?, dtype, size, place, part_of, start, strides })
    }

    fn family(&mut self) -> Result<Family, Problem> {
        let before = self.rest;
        Ok(match self.word() {
            "flat" => Family::Flat,
            "row" => Family::Row,
            "column" => Family::Column,
            "scatter" => Family::Scatter(self.number()?),
            "routine" => {
                let name = Line { rest: self.rest };
                let routine = Routine::from_name(self.word()).ok_or_else(|| name.wrong("the name of a routine"))?;
                Family::Routine { routine, reverse: self.eat("reverse") }
            }
            "matmul" => Family::Tile(Tile::MatMul { k: self.bracketed()?, a: self.strided()?, b: self.right()? }),
            "convolution" => {
                let (input, weight) = (self.strided()?, self.with()?);
                Family::Tile(Tile::Conv2d { input, weight, conv: self.conv()? })
            }
            "spread" => {
                let (dy, weight) = (self.strided()?, self.with()?);
                Family::Tile(Tile::Conv2dInputGrad { dy, weight, conv: self.conv()? })
            }
            "correlation" => {
                let input = self.strided()?;
                self.expect("with")?;
                let dy = self.strided()?;
                Family::Tile(Tile::Conv2dWeightGrad { input, dy, conv: self.conv()? })
            }
            _ => return Err(Line { rest: before }.wrong("a family of launches")),
        })
    }

    fn with(&mut self) -> Result<usize, Problem> {
        self.expect("with")?;
        self.memory()
    }

    fn right(&mut self) -> Result<Right, Problem> {
        self.expect("·")?;
        Ok(match (self.eat("panelsᵀ"), self.eat("panels")) {
            (true, _) => Right::PanelsTransposed(self.memory()?),
            (_, true) => Right::Panels(self.memory()?),
            _ => Right::Strided(self.strided()?),
        })
    }

    /// `b3[4*N, 1] + (0)`.
    fn strided(&mut self) -> Result<Strided, Problem> {
        let (buffer, strides) = (self.memory()?, self.sizes()?);
        self.expect("+")?;
        Ok(Strided { buffer, strides, offset: self.bracketed()? })
    }

    fn conv(&mut self) -> Result<Conv, Problem> {
        let [n, h, w, c] = self.four()?;
        self.expect("to")?;
        let [_, y, x, o] = self.four()?;
        let channels = |size: Size| size.as_const().ok_or_else(|| Line { rest: "" }.wrong("a number of channels"));
        let (c, o) = (channels(c)?, channels(o)?);
        let (kernel, stride) = (self.pair("kernel")?, self.pair("stride")?);
        let (padding, dilation) = (self.pair("padding")?, self.pair("dilation")?);
        self.expect("groups")?;
        Ok(Conv { n, h, w, c, y, x, o, kernel, stride, padding, dilation, groups: self.number()? })
    }

    fn four(&mut self) -> Result<[Size; 4], Problem> {
        let before = self.rest;
        self.sizes()?.try_into().map_err(|_| Line { rest: before }.wrong("four sizes"))
    }

    fn pair(&mut self, name: &str) -> Result<[i64; 2], Problem> {
        self.expect(name)?;
        let before = self.rest;
        self.list("[", "]", Line::number)?.try_into().map_err(|_| Line { rest: before }.wrong("two numbers"))
    }

    fn access(&mut self) -> Result<Access, Problem> {
        self.expect("=")?;
        let (buffer, dims) = (self.memory()?, self.sizes()?);
        let strides = if self.eat("strides") { Some(self.sizes()?) } else { None };
        self.expect("at")?;
        let index = self.list("[", "]", Line::index)?;
        let mut access = Access { strides, ..Access::new(buffer, dims, index) };
        while self.eat("while ") {
            let index = self.index()?;
            self.expect("in")?;
            access.within.push((index, self.bracketed()?));
        }
        if self.eat("else ") {
            access.outside = Some(self.literal()?);
        }
        Ok(access)
    }

    /// `2·%0 + %1 + (N - 1) / 2 mod 3`.
    fn index(&mut self) -> Result<Index, Problem> {
        let mut index = Index::zero();
        loop {
            if self.rest.trim_start().starts_with('(') {
                index.offset = self.bracketed()?;
                break;
            }
            let factor = match self.eat("%") {
                true => 1,
                false => {
                    let factor = self.number()?;
                    self.expect("·%")?;
                    factor
                }
            };
            index.terms.push((self.number()?, factor));
            if !self.eat("+") {
                break;
            }
        }
        index.exact = self.eat("÷");
        if index.exact || self.eat("/") {
            index.divide = self.number()?;
        }
        if self.eat("mod") {
            index.modulo = self.number()?;
        }
        Ok(index)
    }

    fn source(&mut self) -> Result<Source, Problem> {
        let before = self.rest;
        Ok(match self.word() {
            "load" => Source::Load(self.number()?),
            "acc" => Source::Acc,
            "row" => Source::Row(self.number()?),
            "index" => Source::Index(self.number()?),
            "size" => Source::Size(self.bracketed()?),
            "loss_scale" => Source::LossScale,
            "random" => {
                let stream = self.number()?;
                self.expect("at")?;
                let strides = self.sizes()?;
                self.expect("+")?;
                let round = self.bracketed()?;
                self.expect("·round +")?;
                Source::Random { stream, strides, round, offset: self.bracketed()? }
            }
            "gather" => {
                let from = self.number()?;
                self.expect("along")?;
                let dim = self.number()?;
                self.expect("by")?;
                Source::Gather { from, dim, index: self.number()? }
            }
            _ => return Err(Line { rest: before }.wrong("where an input comes from")),
        })
    }

    fn slot(&mut self) -> Result<Slot, Problem> {
        self.expect("t")?;
        self.number()
    }

    fn instr(&mut self) -> Result<Instr, Problem> {
        let before = self.rest;
        let name = self.word();
        if !self.rest.starts_with('(') {
            self.rest = before;
            return self.literal().map(Instr::Const);
        }
        let slots = self.list("(", ")", Line::slot)?;
        let instr = match slots[..] {
            [c, x, y] if name == "select" => Some(Instr::Select(c, x, y)),
            [x, y] => Binary::from_name(name).map(|f| Instr::Binary(f, x, y)),
            [x] => DType::from_name(name)
                .map(|dtype| Instr::To(dtype, x))
                .or(Unary::from_name(name).map(|f| Instr::Unary(f, x))),
            _ => None,
        };
        instr.ok_or_else(|| Line { rest: before }.wrong("a function with its operands"))
    }

    /// `0.5`, `-inff64`, `3i64`, `true`.
    fn literal(&mut self) -> Result<Literal, Problem> {
        let before = self.rest;
        let text = self.take(|c| c.is_alphanumeric() || "-+.".contains(c));
        text.parse().map_err(|_| Line { rest: before }.wrong("a number"))
    }
}
