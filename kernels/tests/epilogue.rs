//! What is done with the sums of a tile: stages of many kinds, and updates in place of stores.

mod common;

use std::sync::Mutex;

use castnet_kernels::isa::Isa;
use castnet_kernels::{Gradient, StepScalars, Update};
use castnet_program::program::{Access, Family, Index, Launch, Level, Right, Source, Stage, Strided, Target, Tile};
use castnet_program::scalar::{Binary, Code, Instr, Lane, Literal, Unary};
use castnet_program::types::DType;
use common::{Data, Random, access, compare, floats, meaning, run, size};

/// `[batch, i, j]`, depth k; buffer 0 is the left operand, 1 the right one.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    batch: usize,
    i: usize,
    j: usize,
    k: usize,
}

impl Sizes {
    /// A batched product of plain matrices, not finished: no stage, no loads, no stores.
    fn launch(self) -> Launch {
        let Sizes { batch, i, j, k } = self;
        let strided = |buffer, strides: [usize; 3]| Strided::new(buffer, strides.map(size).to_vec());
        let tile =
            Tile::MatMul { k: size(k), a: strided(0, [i * k, k, 1]), b: Right::Strided(strided(1, [k * j, j, 1])) };
        Launch {
            name: "product".into(),
            loc: 0,
            space: vec![size(batch), size(i), size(j)],
            reduce: vec![],
            family: Family::Tile(tile),
            loads: vec![],
            stores: vec![],
            stages: vec![],
            updates: None,
        }
    }

    fn operands(self, random: &mut Random) -> Vec<Data> {
        self.operands_of([DType::F32; 2], random)
    }

    fn operands_of(self, [a, b]: [DType; 2], random: &mut Random) -> Vec<Data> {
        let Sizes { batch, i, j, k } = self;
        vec![Data::random(a, batch * i * k, random), Data::random(b, batch * k * j, random)]
    }

    /// Element `number` of the product.
    fn sum(self, data: &[Data], number: usize) -> f64 {
        let Sizes { i, j, k, .. } = self;
        let (b, row, col) = (number / (i * j), number / j % i, number % j);
        (0..k).map(|x| data[0].values[(b * i + row) * k + x] * data[1].values[(b * k + x) * j + col]).sum()
    }

    fn check(self, launch: &Launch, data: &[Data]) {
        let scalars = StepScalars::new(1, 2);
        let mut want = data.to_vec();
        meaning(launch, &mut want, &scalars, &|number| self.sum(data, number));
        let tolerance = if data[0].dtype == DType::F64 { 1e-13 } else { 1e-5 };
        for isa in Isa::available() {
            let mut got = data.to_vec();
            run(launch, &mut got, isa, &[], &scalars, None);
            compare(&got, &want, tolerance, &format!("{isa:?} {launch:#?}"));
        }
    }
}

fn shapes() -> Vec<Sizes> {
    let mut shapes = vec![];
    for (batch, i, j) in [(1, 64, 20), (1, 200, 32), (3, 7, 50), (2, 65, 64), (5, 1, 33), (1, 1, 1), (4, 3, 100)] {
        shapes.push(Sizes { batch, i, j, k: 3 });
    }
    shapes
}

fn stage(inputs: Vec<Source>, instrs: Vec<Instr>, outputs: Vec<u32>) -> Stage {
    let stores = (0..outputs.len()).map(Target::Store).collect();
    let code = floats(inputs.len(), instrs, outputs);
    Stage { level: Level::Element, inputs, code, outputs: stores }
}

fn plain(buffer: usize, s: Sizes) -> Access {
    access(buffer, &[s.batch, s.i, s.j], vec![Index::of(0), Index::of(1), Index::of(2)])
}

/// Columns in panels: `[⌈j/32⌉][batch · i][32]`.
fn panels(buffer: usize, s: Sizes) -> Access {
    let rows = Index { terms: vec![(0, s.i as i64), (1, 1)], ..Index::zero() };
    let index = vec![Index { divide: 32, ..Index::of(2) }, rows, Index { modulo: 32, ..Index::of(2) }];
    access(buffer, &[s.j.div_ceil(32), s.batch * s.i, 32], index)
}

fn panel_floats(s: Sizes) -> usize {
    s.j.div_ceil(32) * s.batch * s.i * 32
}

#[test]
fn stored_as_it_is() {
    for s in shapes() {
        let mut random = Random(1);
        let mut data = s.operands(&mut random);
        let dims = [s.batch, s.j, s.i + 2];
        let shifted = Index { offset: 1.into(), ..Index::of(1) };
        let transposed = access(2, &dims, vec![Index::of(0), Index::of(2), shifted]);
        data.push(Data::random(DType::F32, s.batch * s.j * (s.i + 2) + panel_floats(s), &mut random));
        for store in [plain(2, s), transposed, panels(2, s)] {
            let mut launch = s.launch();
            launch.stores = vec![store];
            launch.stages = vec![stage(vec![Source::Acc], vec![], vec![0])];
            s.check(&launch, &data);
        }
    }
}

#[test]
fn bias_residual_and_mask() {
    use {Binary::*, Instr::Binary as B, Instr::To, Instr::Unary as U, Source as S};
    for s in shapes() {
        let mut random = Random(2);
        let mut data = s.operands(&mut random);
        let n = s.batch * s.i * s.j;
        data.push(Data::random(DType::F32, s.j, &mut random));
        data.push(Data::random(DType::F32, panel_floats(s), &mut random));
        data.push(Data::random(DType::U8, n, &mut random));
        data.push(Data::random(DType::F32, n, &mut random));
        data.push(Data::random(DType::F32, panel_floats(s), &mut random));
        let mut launch = s.launch();
        let halved =
            vec![Index::of(0), Index { offset: (-1).into(), ..Index::of(1) }, Index { divide: 2, ..Index::of(2) }];
        let cut = Access { outside: Some(Literal::F32(0.5)), ..access(5, &[s.batch, s.i, s.j], halved) };
        launch.loads = vec![access(2, &[s.j], vec![Index::of(2)]), panels(3, s), plain(4, s), cut];
        launch.stores = vec![plain(5, s), panels(6, s)];
        launch.loads[3].buffer = 3;
        launch.loads[3].dims = vec![size(s.batch), size(s.i), size(s.j.div_ceil(2))];
        let random = S::Random {
            stream: 4,
            strides: vec![size(s.i * s.j), size(s.j), size(1)],
            offset: size(0),
            round: size(7),
        };
        let inputs = vec![S::Acc, S::Load(0), S::Load(1), S::Load(2), S::Load(3), random, S::Index(2)];
        let instrs = vec![
            B(Add, 0, 1),
            U(Unary::Tanh, 7),
            B(Add, 8, 2),
            To(DType::F32, 3),
            B(Mul, 9, 10),
            B(Sub, 11, 4),
            B(Mul, 12, 5),
            To(DType::F32, 6),
            B(Add, 13, 14),
        ];
        launch.stages = vec![stage(inputs, instrs, vec![15, 8])];
        // The mask, and the index of a column.
        [3, 6].into_iter().for_each(|input| launch.stages[0].code.inputs[input] = Lane::I32);
        s.check(&launch, &data);
    }
}

#[test]
fn sums_in_f64() {
    use {Instr::Binary as B, Instr::Unary as U, Source as S};
    for s in shapes() {
        let mut random = Random(5);
        let mut data = s.operands_of([DType::F64; 2], &mut random);
        data.push(Data::random(DType::F64, s.j, &mut random));
        data.push(Data::random(DType::F64, panel_floats(s), &mut random));
        data.push(Data::random(DType::F32, s.batch * s.i * s.j, &mut random));
        let mut launch = s.launch();
        launch.loads = vec![access(2, &[s.j], vec![Index::of(2)])];
        launch.stores = vec![panels(3, s), plain(4, s)];
        let instrs = vec![B(Binary::Add, 0, 1), U(Unary::Tanh, 2), Instr::To(DType::F32, 3)];
        launch.stages = vec![stage(vec![S::Acc, S::Load(0)], instrs, vec![3, 4])];
        launch.stages[0].code.inputs = vec![Lane::F64; 2];
        // The second store is rounded to f32, which it is exactly where the first one has the same bits.
        let scalars = StepScalars::default();
        let mut want = data.clone();
        meaning(&launch, &mut want, &scalars, &|number| s.sum(&data, number));
        for isa in Isa::available() {
            let mut got = data.clone();
            run(&launch, &mut got, isa, &[], &scalars, None);
            compare(&got[3..4], &want[3..4], 1e-13, &format!("{isa:?} {launch:#?}"));
            compare(&got[4..], &want[4..], 1e-7, &format!("{isa:?} {launch:#?}"));
        }
        // As they are: to panels, which an optimizer takes, and turned.
        let turned = access(3, &[s.batch, s.j, s.i], vec![Index::of(0), Index::of(2), Index::of(1)]);
        for (store, updates) in [(panels(3, s), true), (turned, false)] {
            let mut launch = s.launch();
            launch.updates = Some(9);
            launch.stores = vec![store];
            launch.stages = vec![stage(vec![S::Acc], vec![], vec![0])];
            launch.stages[0].code.inputs = vec![Lane::F64];
            s.check(&launch, &data);
            let kernel = run(&launch, &mut data.clone(), Isa::detect(), &[], &scalars, None);
            assert!(kernel.updates_in_place() == updates || s.i == 1 || s.j == 1);
        }
    }
}

#[test]
fn halves_are_rounded_once() {
    use DType::{BF16, F16, F32};
    let (count, scalars) = (|s: Sizes| s.batch * s.i * s.j, StepScalars::default());
    for (s, types) in shapes().into_iter().flat_map(|s| {
        let types =
            [([BF16, BF16], BF16), ([F16, F16], F16), ([F32, BF16], F16), ([F16, F32], F32), ([F32, F32], BF16)];
        types.map(|types| (s, types))
    }) {
        let (operands, result) = types;
        let mut random = Random(6);
        let mut data = s.operands_of(operands, &mut random);
        data.push(Data::random(operands[1], s.j, &mut random));
        data.push(Data { dtype: result, values: vec![0.0; count(s)] });
        let mut launch = s.launch();
        launch.loads = vec![access(2, &[s.j], vec![Index::of(2)])];
        launch.stores = vec![plain(3, s)];
        let instrs = vec![Instr::Binary(Binary::Add, 0, 1), Instr::Unary(Unary::Tanh, 2), Instr::To(result, 3)];
        launch.stages = vec![stage(vec![Source::Acc, Source::Load(0)], instrs, vec![4])];
        // The same numbers, all of them in memory as f32.
        let wide: Vec<Data> = data.iter().map(|d| Data { dtype: F32, ..d.clone() }).collect();
        for isa in Isa::available() {
            let (mut got, mut want) = (data.clone(), wide.clone());
            run(&launch, &mut got, isa, &[], &scalars, None);
            run(&launch, &mut want, isa, &[], &scalars, None);
            assert_eq!(got[3].values, want[3].values, "{types:?} on {isa:?}, {s:?}");
        }
    }
}

/// Writes down what it is given; each float may come once.
struct Notes(Mutex<Vec<Option<f64>>>);

impl Update for Notes {
    unsafe fn update(&self, parameter: usize, at: usize, gradient: Gradient<'_>) {
        assert_eq!(parameter, 9);
        let gradient: Vec<f64> = match gradient {
            Gradient::F32(run) => run.iter().map(|x| f64::from(*x)).collect(),
            Gradient::F64(run) => run.to_vec(),
        };
        for (note, g) in self.0.lock().unwrap()[at..].iter_mut().zip(gradient) {
            assert!(note.replace(g).is_none(), "updated twice");
        }
    }
}

#[test]
fn updated_in_place_of_stored() {
    for s in shapes() {
        for (paneled, dtype) in [false, true].into_iter().flat_map(|p| [(p, DType::F32), (p, DType::F64)]) {
            let mut random = Random(3);
            let mut data = s.operands_of([dtype; 2], &mut random);
            let floats = if paneled { panel_floats(s) } else { s.batch * s.i * s.j };
            data.push(Data { dtype, values: vec![0.0; floats] });
            let mut launch = s.launch();
            launch.updates = Some(9);
            launch.stores = vec![if paneled { panels(2, s) } else { plain(2, s) }];
            let code = Code { inputs: vec![dtype.lane()], instrs: vec![], outputs: vec![0] };
            let outputs = vec![Target::Store(0)];
            launch.stages = vec![Stage { level: Level::Element, inputs: vec![Source::Acc], code, outputs }];
            let scalars = StepScalars::default();
            for isa in Isa::available() {
                let mut stored = data.clone();
                assert!(run(&launch, &mut stored, isa, &[], &scalars, None).updates_in_place());
                let notes = Notes(Mutex::new(vec![None; floats]));
                let mut left = data.clone();
                run(&launch, &mut left, isa, &[], &scalars, Some(&notes));
                assert_eq!(left, data, "nothing is stored");
                for (note, want) in notes.0.into_inner().unwrap().into_iter().zip(&stored[2].values) {
                    // The padding of panels may be left out.
                    assert_eq!(note.unwrap_or(0.0), *want);
                    assert!(note.is_some() || paneled);
                }
            }
        }
    }
}

#[test]
fn other_stages_are_not_updates() {
    let s = shapes()[0];
    let mut data = s.operands(&mut Random(4));
    data.push(Data { dtype: DType::F32, values: vec![0.0; s.batch * s.i * s.j] });
    let mut launch = s.launch();
    launch.updates = Some(0);
    launch.stores = vec![plain(2, s)];
    launch.stages = vec![stage(vec![Source::Acc], vec![Instr::Unary(Unary::Neg, 0)], vec![1])];
    let kernel = run(&launch, &mut data, Isa::detect(), &[], &StepScalars::default(), None);
    assert!(!kernel.updates_in_place());
}
