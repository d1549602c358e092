//! Small networks written by hand, as the compiler would.
#![allow(dead_code)] // Each test uses its part.

use castnet_program::net::{Backend, ForTarget, Function, Init, Net, Parameter, Programs};
use castnet_program::program::*;
use castnet_program::scalar::{Binary, Code, Instr, Lane, Literal, Reduction};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::Array;

/// Number of the functions of [`regression`].
pub const SCORES: usize = 0;
/// Number of the functions of [`regression`].
pub const LOSS: usize = 1;

fn size(text: impl ToString) -> Size {
    text.to_string().parse().unwrap()
}

fn sizes(texts: &[&dyn ToString]) -> Vec<Size> {
    texts.iter().map(|t| size(t.to_string())).collect()
}

fn named(name: &str, shape: &[&dyn ToString]) -> Named {
    Named { name: name.into(), ty: Type::new(DType::F32, sizes(shape)), below: vec![], strided: false }
}

fn buffer(name: &str, floats: impl ToString, place: Place) -> Buffer {
    Buffer::new(name, DType::F32, size(floats), place)
}

fn access(buffer: usize, dims: &[&dyn ToString], index: Vec<Index>) -> Access {
    Access::new(buffer, sizes(dims), index)
}

fn code(inputs: usize, instrs: &[Instr]) -> Code {
    let last = (inputs + instrs.len()) as u32 - 1;
    Code { inputs: vec![Lane::F32; inputs], instrs: instrs.to_vec(), outputs: vec![last] }
}

fn stage(level: Level, inputs: Vec<Source>, code: Code, output: Target) -> Stage {
    Stage { level, inputs, code, outputs: vec![output] }
}

fn launch(name: &str, space: &[&dyn ToString], reduce: &[&dyn ToString], family: Family) -> Launch {
    let (space, reduce) = (sizes(space), sizes(reduce));
    let (loads, stores, stages) = (vec![], vec![], vec![]);
    Launch { name: name.into(), loc: u32::MAX, space, reduce, family, loads, stores, stages, updates: None }
}

fn parameter(name: &str, shape: &[i64], init: Init) -> Parameter {
    Parameter::new(name, shape.to_vec(), init)
}

fn program(name: &str, arguments: Vec<Named>, result: Named, buffers: Vec<Buffer>, launches: Vec<Launch>) -> Program {
    Program {
        name: name.into(),
        arguments,
        states: vec![],
        assigns: vec![],
        donates: vec![],
        rules: vec![],
        checks: vec![],
        results: vec![result],
        buffers,
        schedule: (0..launches.len()).map(Task::launch).collect(),
        launches,
        arena: vec![],
        bound: vec![],
        flops: 0.into(),
    }
}

use Binary::{Add, Div, Mul, Sub};

/// `scores(x: f32[N, inputs]) = x · weightᵀ + bias`; `loss(x, y) = Σ (scores - y)² / 2N`; and a parameter that nobody reaches.
pub fn regression(inputs: i64, outputs: i64) -> Net {
    let (k, o) = (&inputs, &outputs);
    let panels = (o + 31) / 32;
    let parameters = vec![
        parameter("fc.weight", &[outputs, inputs], Init::Uniform(0.1)),
        parameter("frozen.weight", &[3, 5], Init::Normal(0.0, 1.0)),
        parameter("fc.bias", &[outputs], Init::Uniform(0.1)),
    ];
    let (x, y) = (named("x", &[&"N", k]), named("y", &[&"N", o]));
    let no = format!("{o}*N");
    let matmul = || {
        let a = Strided::new(0, sizes(&[k, &1]));
        Family::Tile(Tile::MatMul { k: size(k), a, b: Right::Panels(1) })
    };
    let no_index = || vec![Index::of(0), Index::of(1)];
    let buffers = |rest: Vec<Buffer>| {
        let mut all = vec![
            buffer("x", format!("{k}*N"), Place::Argument(0)),
            buffer("weight", panels * 32 * k, Place::Parameter(0)),
            buffer("bias", o, Place::Parameter(2)),
        ];
        all.extend(rest);
        all
    };

    let mut linear = launch("fc", &[&"N", o], &[], matmul());
    linear.loads = vec![access(2, &[o], vec![Index::of(1)])];
    linear.stores = vec![access(3, &[&"N", o], no_index())];
    let sum = code(2, &[Instr::Binary(Add, 0, 1)]);
    linear.stages = vec![stage(Level::Element, vec![Source::Acc, Source::Load(0)], sum, Target::Store(0))];
    let scores = named("scores", &[&"N", o]);
    let scores_buffers = buffers(vec![buffer("scores", &no, Place::Result(0))]);
    let scores = program("Regression.scores", vec![x.clone()], scores, scores_buffers, vec![linear.clone()]);

    let d = Place::Arena(0.into());
    let mut residual = linear;
    residual.name = "residual".into();
    residual.loads.push(access(4, &[&"N", o], no_index()));
    residual.stages[0].inputs.extend([Source::Load(1), Source::Size(size("N"))]);
    residual.stages[0].code = code(4, &[Instr::Binary(Add, 0, 1), Instr::Binary(Sub, 4, 2), Instr::Binary(Div, 5, 3)]);

    let mut loss = launch("loss", &[], &[&"N", o], Family::Row);
    loss.loads = vec![access(3, &[&"N", o], no_index())];
    loss.stores = vec![access(5, &[], vec![])];
    let square = code(1, &[Instr::Binary(Mul, 0, 0)]);
    let half = code(2, &[Instr::Binary(Mul, 0, 1), Instr::Const(Literal::F32(0.5)), Instr::Binary(Mul, 2, 3)]);
    loss.stages = vec![
        stage(Level::Element, vec![Source::Load(0)], square, Target::Reduce(Reduction::Sum, 0)),
        stage(Level::Row, vec![Source::Row(0), Source::Size(size("N"))], half, Target::Store(0)),
    ];

    let mut dbias = launch("d fc.bias", &[o], &[&"N"], Family::Column);
    dbias.loads = vec![access(3, &[&"N", o], vec![Index::of(1), Index::of(0)])];
    dbias.stores = vec![access(6, &[o], vec![Index::of(0)])];
    dbias.updates = Some(2);
    let same = || Code { inputs: vec![Lane::F32], instrs: vec![], outputs: vec![0] };
    dbias.stages = vec![
        stage(Level::Element, vec![Source::Load(0)], same(), Target::Reduce(Reduction::Sum, 0)),
        stage(Level::Row, vec![Source::Row(0)], same(), Target::Store(0)),
    ];

    let a = Strided::new(0, sizes(&[&1, k]));
    let b = Right::Strided(Strided::new(3, sizes(&[o, &1])));
    let mut dweight = launch("d fc.weight", &[k, o], &[], Family::Tile(Tile::MatMul { k: size("N"), a, b }));
    let panel = Index { divide: 32, ..Index::of(1) };
    let column = Index { modulo: 32, ..Index::of(1) };
    dweight.stores = vec![access(7, &[&panels, k, &32], vec![panel, Index::of(0), column])];
    dweight.stages = vec![stage(Level::Element, vec![Source::Acc], same(), Target::Store(0))];
    dweight.updates = Some(0);

    let loss_buffers = buffers(vec![
        buffer("residual", &no, d),
        buffer("y", &no, Place::Argument(1)),
        buffer("loss", 1, Place::Result(0)),
        buffer("d fc.bias", o, Place::Gradient(2)),
        buffer("d fc.weight", panels * 32 * k, Place::Gradient(0)),
    ]);
    let arena = vec![&size("N") * &((o + 15) / 16 * 64).into()];
    let objective = |launches| {
        let mut p =
            program("Regression.loss", vec![x.clone(), y.clone()], named("loss", &[]), loss_buffers.clone(), launches);
        p.arena = arena.clone();
        p
    };
    let mut inference = objective(vec![residual.clone(), loss.clone()]);
    inference.buffers.truncate(6);
    let training = objective(vec![residual, loss, dweight, dbias]);
    Net {
        name: "Regression".into(),
        float: DType::F32,
        parameters,
        states: vec![],
        functions: vec![
            Function { name: "scores".into(), reaches: vec![] },
            Function { name: "loss".into(), reaches: vec![0, 2] },
        ],
        targets: vec![ForTarget {
            target: Backend::Cpu,
            layouts: vec![Layout::Panels(vec![1]), Layout::Panels(vec![1]), Layout::Plain],
            mirrors: vec![],
            programs: vec![
                Programs { inference: scores, training: None },
                Programs { inference, training: Some(training) },
            ],
        }],
    }
}

/// `y = x · s0 · s1 · s2` by a repeat, every round kept: `results[r]` is the product after round r.
pub fn rounds(width: i64, reverse: bool) -> Net {
    let parameters = (0..3).map(|i| parameter(&format!("s.{i}"), &[width], Init::Uniform(1.0)));
    let floats = (width + 15) / 16 * 16;
    let mut scale = launch("scale", &[&width], &[], Family::Flat);
    let at = || vec![Index::of(0)];
    scale.loads = vec![access(0, &[&width], at()), access(1, &[&width], at())];
    scale.stores = vec![access(2, &[&width], at())];
    let product = code(2, &[Instr::Binary(Mul, 0, 1)]);
    scale.stages = vec![stage(Level::Element, vec![Source::Load(0), Source::Load(1)], product, Target::Store(0))];
    let mut copy_in = launch("in", &[&width], &[], Family::Flat);
    copy_in.loads = vec![access(3, &[&width], at())];
    copy_in.stores = vec![access(4, &[&width], at())];
    let same = Code { inputs: vec![Lane::F32], instrs: vec![], outputs: vec![0] };
    copy_in.stages = vec![stage(Level::Element, vec![Source::Load(0)], same.clone(), Target::Store(0))];
    let mut copy_out = launch("out", &[&4, &width], &[], Family::Flat);
    let both = || vec![Index::of(0), Index::of(1)];
    copy_out.loads = vec![access(6, &[&4, &floats], both())];
    copy_out.stores = vec![access(5, &[&4, &width], both())];
    copy_out.stages = vec![stage(Level::Element, vec![Source::Load(0)], same, Target::Store(0))];
    // Going backwards, round r reads what lies behind and writes what lies before.
    let (from, to) = if reverse { (floats, 0) } else { (0, floats) };
    let moving = |name: &str, by: i64, place| Buffer { strides: vec![by.into()], ..buffer(name, width, place) };
    let part = |buffer: Buffer| Buffer { part_of: Some(6), ..buffer };
    let arena = |offset: i64| Place::Arena((4 * offset).into());
    let start = if reverse { 3 * floats } else { 0 };
    let buffers = vec![
        part(moving("from", floats, arena(from))),
        moving("s", 1, Place::Parameter(0)),
        part(moving("to", floats, arena(to))),
        buffer("x", width, Place::Argument(0)),
        part(buffer("x copied", width, arena(start))),
        buffer("y", 4 * width, Place::Result(0)),
        buffer("all", 4 * floats, arena(0)),
    ];
    let mut p = program(
        "Rounds.products",
        vec![named("x", &[&width])],
        named("y", &[&4, &width]),
        buffers,
        vec![copy_in, scale, copy_out],
    );
    p.schedule = vec![Task::launch(0), Task::repeat(3.into(), reverse, vec![Task::launch(1)]), Task::launch(2)];
    p.arena = vec![(16 * floats).into()];
    let programs = vec![Programs { inference: p, training: None }];
    Net {
        name: "Rounds".into(),
        float: DType::F32,
        parameters: parameters.collect(),
        states: vec![],
        functions: vec![Function { name: "products".into(), reaches: vec![] }],
        targets: vec![ForTarget { target: Backend::Cpu, layouts: vec![Layout::Plain; 3], mirrors: vec![], programs }],
    }
}

/// Numbers in [-1, 1) that look random.
pub fn noise(shape: &[usize], seed: u64) -> Array {
    let len: usize = shape.iter().product();
    let number = |i: usize| 2.0 * castnet_kernels::random::uniform(seed, 7 << 32 | 7, i as u64) - 1.0;
    Array::from_vec(shape, (0..len).map(number).collect()).unwrap()
}
