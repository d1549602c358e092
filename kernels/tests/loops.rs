//! The skeletons against the meaning of random launches.

mod common;

use castnet_kernels::Kernel;
use castnet_kernels::isa::Isa;
use castnet_program::program::{Access, Family, Index, Launch, Level, Source, Stage, Target};
use castnet_program::scalar::{Binary, Code, Instr, Lane, Reduction, Unary};
use castnet_program::types::DType;
use common::model::literal;
use common::{Data, Random, access, check, floats, size};

/// A launch in the making, with its buffers.
struct Making<'a> {
    random: &'a mut Random,
    data: Vec<Data>,
    launch: Launch,
    /// Sizes of all loop dims.
    sizes: Vec<usize>,
}

impl<'a> Making<'a> {
    fn new(random: &'a mut Random, family: Family, space: &[usize], reduce: &[usize]) -> Making<'a> {
        let launch = Launch {
            name: "random".into(),
            loc: 0,
            space: space.iter().map(|&s| size(s)).collect(),
            reduce: reduce.iter().map(|&s| size(s)).collect(),
            family,
            loads: vec![],
            stores: vec![],
            stages: vec![],
            updates: None,
        };
        Making { random, data: vec![], launch, sizes: [space, reduce].concat() }
    }

    fn buffer(&mut self, dtype: DType, dims: &[usize]) -> usize {
        self.data.push(Data::random(dtype, dims.iter().product(), self.random));
        self.data.len() - 1
    }

    /// An order of the first `rank` dims: mostly their own.
    fn order(&mut self, rank: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rank).collect();
        if self.random.below(3) == 0 {
            (1..rank).for_each(|i| order.swap(i, self.random.below(i + 1)));
        }
        order
    }

    /// A random load over the first `rank` dims.
    fn load(&mut self, rank: usize) -> (Source, Lane) {
        let (mut dims, mut index, mut outside) = (vec![], vec![], None);
        for d in self.order(rank) {
            let n = self.sizes[d] as i64;
            let of = Index::of(d);
            let (len, i) = match self.random.below(14) {
                0 | 1 => continue,
                2 => (1, Index::zero()),
                3 => (2 * n + 1, Index { terms: vec![(d, 2)], offset: 1.into(), ..of }),
                4 => (n + 2, Index { offset: (n + 1).into(), terms: vec![(d, -1)], ..of }),
                5 => {
                    outside = Some(3.25);
                    ((n - 1).max(1), Index { offset: (self.random.below(5) as i64 - 2).into(), ..of })
                }
                6 => {
                    outside = Some(-0.5);
                    (n / 2 + 1, Index { offset: (-1).into(), divide: 2, exact: true, ..of })
                }
                7 => (n / 3 + 1, Index { divide: 3, ..of }),
                8 => (4, Index { offset: 5.into(), modulo: 4, ..of }),
                9 => (4, Index { terms: vec![(d, 3)], divide: 2, modulo: 4, ..of }),
                _ => (n, of),
            };
            dims.push(len as usize);
            index.push(i);
        }
        let dtype = self.dtype();
        let value = |x: f64| Some(literal(dtype.lane(), x));
        let buffer = self.buffer(dtype, &dims);
        let mut access = Access { outside: outside.and_then(value), ..access(buffer, &dims, index) };
        if rank > 0 && self.random.below(8) == 0 {
            // A view that ends before the memory does.
            let d = self.random.below(rank);
            access.outside = value(outside.unwrap_or(0.75));
            let index =
                Index::of(d).times(1 - 2 * self.random.below(2) as i64).plus(&(self.random.below(5) as i64 - 2).into());
            access.within.push((index, size(self.random.below(self.sizes[d] + 2))));
        }
        self.launch.loads.push(access);
        (Source::Load(self.launch.loads.len() - 1), dtype.lane())
    }

    /// An element type, as often as not f32.
    fn dtype(&mut self) -> DType {
        if self.random.below(2) == 0 { DType::F32 } else { self.random.of(&DType::ALL) }
    }

    /// A random load at indices that are loaded too, some of them too small or too large.
    fn gather(&mut self, rank: usize) -> (Source, Lane) {
        let axes =
            |me: &mut Self| -> Vec<usize> { me.order(rank).into_iter().filter(|_| me.random.below(3) > 0).collect() };
        let add = |me: &mut Self, dtype: DType, axes: &[usize], index: Vec<Index>, dims: Vec<usize>| {
            debug_assert!(axes.len() <= dims.len());
            let buffer = me.buffer(dtype, &dims);
            me.launch.loads.push(access(buffer, &dims, index));
            me.launch.loads.len() - 1
        };
        let named = axes(self);
        let dims = named.iter().map(|&d| self.sizes[d]).collect();
        let dtype = self.random.of(&[DType::I64, DType::U8, DType::I32, DType::I8, DType::I16, DType::U32]);
        let index = add(self, dtype, &named, named.iter().map(|&d| Index::of(d)).collect(), dims);
        let source = axes(self);
        let mut dims: Vec<usize> = source.iter().map(|&d| self.sizes[d]).collect();
        let mut indices: Vec<Index> = source.iter().map(|&d| Index::of(d)).collect();
        let dim = self.random.below(dims.len() + 1);
        dims.insert(dim, 1 + self.random.below(7));
        indices.insert(dim, Index::zero());
        let dtype = self.dtype();
        let from = add(self, dtype, &source, indices, dims);
        (Source::Gather { from, dim, index }, dtype.lane())
    }

    /// A random store over the first `rank` dims: each point its own element.
    fn store(&mut self, rank: usize, dtype: DType) -> Target {
        let (mut dims, mut index, mut outside) = (vec![], vec![], None);
        let panel = if rank > 0 && self.random.below(4) == 0 { self.random.below(rank) } else { usize::MAX };
        for d in self.order(rank) {
            let n = self.sizes[d];
            let (len, i) = match self.random.below(9) {
                _ if d == panel => (n.div_ceil(32), Index { divide: 32, ..Index::of(d) }),
                0 => (2 * n, Index { terms: vec![(d, 2)], ..Index::of(d) }),
                1 => (n + 2, Index { offset: 1.into(), ..Index::of(d) }),
                2 => {
                    outside = Some(literal(dtype.lane(), 0.0));
                    (n, Index { offset: 1.into(), ..Index::of(d) })
                }
                _ => (n, Index::of(d)),
            };
            dims.push(len);
            index.push(i);
        }
        if panel != usize::MAX {
            dims.push(32);
            index.push(Index { modulo: 32, ..Index::of(panel) });
        }
        let buffer = self.buffer(dtype, &dims);
        self.launch.stores.push(Access { outside, ..access(buffer, &dims, index) });
        Target::Store(self.launch.stores.len() - 1)
    }

    /// A source over the first `rank` dims, with its lane; `rows`: the lanes of row values.
    fn source(&mut self, rank: usize, rows: &[Lane]) -> (Source, Lane) {
        match self.random.below(11) {
            0 if rank > 0 => (Source::Index(self.random.below(rank)), self.random.of(&[Lane::I32, Lane::I64])),
            1 => {
                let mut stride = 1;
                let mut strides: Vec<_> = (0..self.sizes.len()).map(|_| size(0)).collect();
                for d in (0..rank).rev() {
                    strides[d] = size(stride);
                    stride *= self.sizes[d];
                }
                let offset = size(self.random.below(3) * 5);
                (Source::Random { stream: 3, strides, round: size(stride), offset }, Lane::F32)
            }
            2 => (Source::Size(size(3)), self.random.of(&[Lane::F32, Lane::F64, Lane::I32, Lane::I64])),
            3 => self.gather(rank),
            4..7 if !rows.is_empty() => {
                let row = self.random.below(rows.len());
                (Source::Row(row), rows[row])
            }
            _ => self.load(rank),
        }
    }

    /// A slot that can be stored as this type with no jump where a float is a little off, and made of it.
    fn converted(&mut self, code: &mut Code, dtype: DType) -> u32 {
        let lanes = code.lanes().unwrap();
        let jumps = |lane: Lane| lane.is_float() && !matches!(dtype, DType::F32 | DType::F64);
        let slots: Vec<u32> = (0..lanes.len() as u32).filter(|&slot| !jumps(lanes[slot as usize])).collect();
        // The last one as often as not.
        let slot = match slots.last() {
            Some(&last) if self.random.below(2) == 0 => last,
            Some(_) => self.random.of(&slots),
            None => code.push(Instr::Const(literal(Lane::I32, 5.0))),
        };
        match code.lanes().unwrap()[slot as usize].dtype() == dtype {
            true => slot,
            false => code.push(Instr::To(dtype, slot)),
        }
    }

    /// Smooth code: values that are nearly the same give results that are.
    fn code(&mut self, inputs: Vec<Lane>, outputs: &[DType]) -> Code {
        let mut code = Code { inputs, ..Code::default() };
        for _ in 0..self.random.below(7) {
            let lanes = code.lanes().unwrap();
            let a = self.random.below(lanes.len());
            let lane = lanes[a];
            let alike: Vec<u32> = (0..lanes.len() as u32).filter(|&b| lanes[b as usize] == lane).collect();
            let (a, b) = (a as u32, self.random.of(&alike));
            let truths: Vec<u32> = (0..lanes.len() as u32).filter(|&c| lanes[c as usize] == Lane::Bool).collect();
            use {Instr::Binary as B, Instr::Unary as U};
            let instr = match self.random.below(6) {
                0 => Instr::Const(literal(self.random.of(&Lane::ALL), 3.0 * self.random.unit())),
                1 if !truths.is_empty() => Instr::Select(self.random.of(&truths), a, b),
                _ => match lane {
                    Lane::F32 | Lane::F64 => {
                        let other = if lane == Lane::F32 { DType::F64 } else { DType::F32 };
                        self.random.of(&[
                            U(Unary::Tanh, a),
                            U(Unary::Sigmoid, a),
                            U(Unary::Neg, a),
                            B(Binary::Max, a, b),
                            B(Binary::Min, a, b),
                            B(Binary::Add, a, b),
                            B(Binary::Sub, a, b),
                            Instr::To(other, a),
                        ])
                    }
                    Lane::I32 | Lane::I64 => self.random.of(&[
                        U(Unary::Neg, a),
                        U(Unary::Not, a),
                        B(Binary::Max, a, b),
                        B(Binary::Add, a, b),
                        B(Binary::Sub, a, b),
                        B(Binary::Xor, a, b),
                        B(Binary::Lt, a, b),
                        B(Binary::Eq, a, b),
                        B(Binary::FloorDivide, a, b),
                    ]),
                    Lane::Bool => self.random.of(&[U(Unary::Not, a), B(Binary::Or, a, b), B(Binary::And, a, b)]),
                },
            };
            code.push(instr);
            if !lane.is_float() && self.random.below(2) == 0 {
                let last = (lanes.len()) as u32;
                if !code.lanes().unwrap()[last as usize].is_float() {
                    code.push(Instr::To(self.random.of(&DType::ALL), last));
                }
            }
        }
        code.outputs = outputs.iter().map(|&dtype| self.converted(&mut code, dtype)).collect();
        code
    }

    /// A stage; `outputs`: where they go, as what.
    fn stage(&mut self, level: Level, rank: usize, rows: &[Lane], outputs: Vec<(Target, DType)>) {
        let count = 1 + self.random.below(3);
        let (inputs, lanes): (Vec<Source>, Vec<Lane>) = (0..count).map(|_| self.source(rank, rows)).unzip();
        let (outputs, dtypes): (Vec<Target>, Vec<DType>) = outputs.into_iter().unzip();
        let code = self.code(lanes, &dtypes);
        self.launch.stages.push(Stage { level, inputs, code, outputs });
    }

    /// Stores of random types.
    fn stores(&mut self, rank: usize, count: usize) -> Vec<(Target, DType)> {
        (0..count)
            .map(|_| {
                let dtype = self.dtype();
                (self.store(rank, dtype), dtype)
            })
            .collect()
    }
}

/// Sizes of few dims with a bounded product.
fn sizes(random: &mut Random, rank: usize, most: usize) -> Vec<usize> {
    let mut left = most;
    (0..rank)
        .map(|_| {
            let n = random.of(&[1, 2, 3, 5, 7, 10, 16, 20, 32, 33, 64, 97, 300, 1031, 2500]);
            let n = if n > left { 1 } else { n };
            left /= n;
            n
        })
        .collect()
}

#[test]
fn flat() {
    for seed in 0..600 {
        let mut random = Random(seed);
        let rank = random.below(5);
        let space = sizes(&mut random, rank, 6000);
        let mut making = Making::new(&mut random, Family::Flat, &space, &[]);
        for _ in 0..1 + making.random.below(2) {
            let count = 1 + making.random.below(2);
            let outputs = making.stores(rank, count);
            making.stage(Level::Element, rank, &[], outputs);
        }
        check(&making.launch, &making.data, 2e-5);
    }
}

/// A launch of random stages that reduces, with its buffers.
fn reducing(random: &mut Random, family: Family, space: &[usize], reduce: &[usize]) -> (Launch, Vec<Data>) {
    let ranks = [space.len(), reduce.len()];
    let mut making = Making::new(random, family, space, reduce);
    let rank = ranks[0] + ranks[1];
    // Every slot is written before it is read.
    let mut rows: Vec<Lane> = vec![];
    for _ in 0..1 + making.random.below(4) {
        let element = making.random.below(3) > 0;
        let (level, rank) = if element { (Level::Element, rank) } else { (Level::Row, ranks[0]) };
        let known = rows.clone();
        let mut outputs = vec![];
        for _ in 0..1 + making.random.below(2) {
            if making.random.below(3) == 0 {
                outputs.extend(making.stores(rank, 1));
                continue;
            }
            let lane = making.random.of(&[Lane::F32, Lane::F32, Lane::F64, Lane::I32, Lane::I64, Lane::Bool]);
            let op = match making.random.of(&[Reduction::Sum, Reduction::Max, Reduction::Min]) {
                Reduction::Sum if lane == Lane::Bool => Reduction::Max,
                op => op,
            };
            let target = if element { Target::Reduce(op, rows.len()) } else { Target::Row(rows.len()) };
            outputs.push((target, lane.dtype()));
            rows.push(lane);
        }
        making.stage(level, rank, &known, outputs);
    }
    if !rows.is_empty() {
        let store = making.store(ranks[0], DType::F64);
        let inputs = (0..rows.len()).map(Source::Row).collect();
        let mut code = Code { inputs: rows.clone(), ..Code::default() };
        let wide: Vec<u32> = (0..rows.len() as u32).map(|row| code.push(Instr::To(DType::F64, row))).collect();
        let sum = wide[1..].iter().fold(wide[0], |sum, &row| code.push(Instr::Binary(Binary::Add, sum, row)));
        code.outputs = vec![sum];
        making.launch.stages.push(Stage { level: Level::Row, inputs, code, outputs: vec![store] });
    }
    (making.launch, making.data)
}

#[test]
fn rows_and_columns() {
    for seed in 0..900 {
        let mut random = Random(seed);
        let family = random.of(&[Family::Row, Family::Column]);
        let ranks = [random.below(4), 1 + random.below(2)];
        let space = sizes(&mut random, ranks[0], 300);
        let reduce = sizes(&mut random, ranks[1], 6000 / space.iter().product::<usize>().max(1));
        let (launch, data) = reducing(&mut random, family, &space, &reduce);
        check(&launch, &data, 2e-4);
    }
}

/// A few points over much, in pieces.
#[test]
fn split_rows_and_columns() {
    let mut split = [0; 2];
    for seed in 0..24 {
        let mut random = Random(seed);
        let family = random.of(&[Family::Row, Family::Column]);
        let space = [vec![], vec![1], vec![3], vec![2, 2], vec![40]];
        let space = random.of(&space);
        let n: usize = space.iter().product();
        let reduce = [vec![150_000 / n], vec![300, 500 / n], vec![33, 4001 / n], vec![13, 5, 2400 / n]];
        let reduce = random.of(&reduce);
        let number = usize::from(family == Family::Row);
        let (launch, data) = reducing(&mut random, family, &space, &reduce);
        let dtypes: Vec<DType> = data.iter().map(|d| d.dtype).collect();
        split[number] += usize::from(Kernel::new(&launch, &dtypes, Isa::detect(), &[], &|_| 0).parts() > 1);
        check(&launch, &data, 1e-3);
    }
    assert!(split.iter().all(|&split| split >= 5), "{split:?}");
}

/// softmax cross entropy with u8 targets: the loss of each row, and its gradient, in one launch.
#[test]
fn cross_entropy() {
    for (rows, classes) in [(64, 10), (1, 10), (3, 1000), (2, 5003), (37, 33)] {
        let mut random = Random(rows as u64);
        let mut making = Making::new(&mut random, Family::Row, &[rows], &[classes]);
        let x = making.buffer(DType::F32, &[rows, classes]);
        let target = making.buffer(DType::U8, &[rows]);
        let loss = making.buffer(DType::F32, &[rows]);
        let gradient = making.buffer(DType::F32, &[rows, classes]);
        let (row, class) = (Index::of(0), Index::of(1));
        let launch = &mut making.launch;
        launch.loads = vec![
            access(x, &[rows, classes], vec![row.clone(), class.clone()]),
            access(target, &[rows], vec![row.clone()]),
        ];
        launch.stores =
            vec![access(loss, &[rows], vec![row.clone()]), access(gradient, &[rows, classes], vec![row, class])];
        let code = |inputs: &[Lane], instrs, outputs| Code { inputs: inputs.to_vec(), instrs, outputs };
        use {
            Binary::*, Instr::Binary as B, Instr::To, Instr::Unary as U, Lane::*, Level::*, Source as S, Target as T,
        };
        launch.stages = vec![
            Stage {
                level: Element,
                inputs: vec![S::Load(0)],
                code: code(&[F32], vec![], vec![0]),
                outputs: vec![T::Reduce(Reduction::Max, 0)],
            },
            Stage {
                level: Element,
                inputs: vec![S::Load(0), S::Row(0), S::Index(1), S::Load(1)],
                // e = exp(x - max); its sum; the logit of the target.
                code: code(
                    &[F32, F32, I32, I32],
                    vec![B(Sub, 0, 1), U(Unary::Exp, 4), B(Eq, 2, 3), To(DType::F32, 6), B(Mul, 7, 4)],
                    vec![5, 8],
                ),
                outputs: vec![T::Reduce(Reduction::Sum, 1), T::Reduce(Reduction::Sum, 2)],
            },
            Stage {
                level: Row,
                inputs: vec![S::Row(1), S::Row(2)],
                code: code(&[F32, F32], vec![U(Unary::Log, 0), B(Sub, 2, 1)], vec![3]),
                outputs: vec![T::Store(0)],
            },
            Stage {
                level: Element,
                inputs: vec![S::Load(0), S::Row(0), S::Row(1), S::Index(1), S::Load(1)],
                code: code(
                    &[F32, F32, F32, I32, I32],
                    vec![B(Sub, 0, 1), U(Unary::Exp, 5), B(Div, 6, 2), B(Eq, 3, 4), To(DType::F32, 8), B(Sub, 7, 9)],
                    vec![10],
                ),
                outputs: vec![T::Store(1)],
            },
        ];
        check(&making.launch, &making.data, 1e-5);
    }
}

/// A sum of many keeps its digits.
#[test]
fn long_sums_are_accurate() {
    for family in [Family::Row, Family::Column] {
        let (rows, cols) = if family == Family::Row { (2, 300_007) } else { (300_007, 3) };
        let mut random = Random(1);
        let (space, reduce) = if family == Family::Row { (rows, cols) } else { (cols, rows) };
        let mut making = Making::new(&mut random, family.clone(), &[space], &[reduce]);
        let x = making.buffer(DType::F32, &[rows, cols]);
        making.data[x].values.iter_mut().for_each(|v| *v += 1.5);
        let sum = making.buffer(DType::F32, &[space]);
        let index =
            if family == Family::Row { vec![Index::of(0), Index::of(1)] } else { vec![Index::of(1), Index::of(0)] };
        making.launch.loads = vec![access(x, &[rows, cols], index)];
        making.launch.stores = vec![access(sum, &[space], vec![Index::of(0)])];
        let same = || floats(1, vec![], vec![0]);
        let reduce = Target::Reduce(Reduction::Sum, 0);
        making.launch.stages = vec![
            Stage { level: Level::Element, inputs: vec![Source::Load(0)], code: same(), outputs: vec![reduce] },
            Stage { level: Level::Row, inputs: vec![Source::Row(0)], code: same(), outputs: vec![Target::Store(0)] },
        ];
        check(&making.launch, &making.data, 3e-6);
    }
}
