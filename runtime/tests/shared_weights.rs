//! Convolutions that are used several times: each kernel of a weight's gradient adds to the sum of those before it. Against the unfused
//! graph in f64, and in every way of calling.

#[path = "nets/reference.rs"]
mod reference;

use castnet_graph::builder::{Builder, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::decompose::EVERYTHING;
use castnet_graph::diagnostic::Loc;
use castnet_graph::grad::gradients;
use castnet_graph::graph::{Graph, Role, Value};
use castnet_graph::layers::{self, Layer};
use castnet_graph::ops;
use castnet_graph::reference::{Inputs, Tensor, evaluate};
use castnet_graph::text::ProgramText;
use castnet_program::program::{Family, Launch, Place, Tile};
use castnet_program::size::Size;
use castnet_program::types::{DType, Type};
use castnet_runtime::optimizer::{AdamW, Optimizer, Sgd};
use castnet_runtime::{Array, Device, Model};
use reference::{distance, drawn, tensor};

fn given(value: Arg) -> Given {
    Given { name: None, value, at: Loc::default() }
}

fn op(b: &mut Builder, name: &str, args: &[Arg]) -> Value {
    let args: Vec<Given> = args.iter().cloned().map(given).collect();
    match ops::call(b, name, Loc::default(), &args) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

/// The mean of a function of the layer's result that depends on the use.
fn said(b: &mut Builder, layer: &Layer, x: Value, number: usize) -> Value {
    let y = layers::apply(b, layer, Loc::default(), x).unwrap_or_else(|_| panic!("{:?}", b.diagnostics));
    let y = op(b, ["square", "tanh", "sigmoid"][number % 3], &[Arg::Tensor(y)]);
    op(b, "mean", &[Arg::Tensor(y)])
}

/// A loss of one layer at several arguments of this shape; with `slope`, also of how steep it is at the first.
fn loss(p: &mut Parameters, layer: &Layer, shape: &[&str], uses: usize, slope: bool, training: bool) -> Graph {
    let mut b = Builder::new("Net.loss", p, training);
    let shape: Vec<Size> = shape.iter().map(|s| s.parse().unwrap()).collect();
    let ty = Type::new(DType::F32, shape);
    let mut sum: Option<Value> = None;
    for number in 0..uses {
        let x = b.argument(&format!("x{number}"), ty.clone());
        let mut part = said(&mut b, layer, x, number);
        if slope && number == 0 {
            let slope = b.grad(part, &[x]).unwrap()[0];
            let square = op(&mut b, "square", &[Arg::Tensor(slope)]);
            part = op(&mut b, "sum", &[Arg::Tensor(square)]);
        }
        sum = Some(sum.map_or(part, |sum| op(&mut b, "add", &[Arg::Tensor(sum), Arg::Tensor(part)])));
    }
    b.result(sum.unwrap());
    std::mem::take(&mut b.graph)
}

/// A net whose layer is used so many times.
struct Case {
    kind: &'static str,
    named: Vec<(&'static str, i64)>,
    shape: &'static [&'static str],
    uses: usize,
    slope: bool,
}

impl Case {
    fn source(&self) -> Source {
        let mut p = Parameters::default();
        let layer = {
            let mut b = Builder::new("", &mut p, true);
            let named = |&(name, value): &(&str, i64)| Given {
                name: Some((name.into(), Loc::default())),
                ..given(Arg::Size(value.into()))
            };
            let named: Vec<Given> = self.named.iter().map(named).collect();
            layers::declare(&mut b, "layer", Loc::default(), self.kind, Loc::default(), &named)
                .unwrap_or_else(|_| panic!("{}: {:?}", self.kind, b.diagnostics))
        };
        let mut graph = |training| loss(&mut p, &layer, self.shape, self.uses, self.slope, training);
        let function = SourceFunction::new("loss", graph(false), Some(graph(true)));
        Source { name: "Net".into(), parameters: p, functions: vec![function] }
    }

    fn arguments(&self, n: i64) -> Vec<Array> {
        let size = |s: &&str| s.parse::<Size>().unwrap().eval(&|_| n) as usize;
        let shape: Vec<usize> = self.shape.iter().map(size).collect();
        let len = shape.iter().product::<usize>() as u64;
        let numbers = |use_of: usize| (0..len).map(|i| drawn(7, 0, use_of as u32, i) as f32 - 0.5).collect();
        (0..self.uses).map(|i| Array::from_vec(&shape, numbers(i)).unwrap()).collect()
    }

    fn named(&self) -> String {
        format!("{} {:?}, {} uses, slope {}", self.kind, self.named, self.uses, self.slope)
    }

    fn model(&self) -> Model {
        let compiled = compile(self.source()).unwrap_or_else(|e| panic!("{}: {e:?}", self.named()));
        Model::from_net(compiled.net, &Device::cpu(), 3).unwrap()
    }

    /// Loss and gradients are those of the reference.
    fn is_right(&self) {
        let reference = gradients(self.source().functions[0].training.clone().unwrap(), &|_| true, EVERYTHING).unwrap();
        let mut model = self.model();
        model.poison(true);
        let names: Vec<String> = model.parameters().map(|(name, _)| name.to_string()).collect();
        let weights: Vec<Tensor> = names.iter().map(|name| tensor(&model.parameter(name).unwrap())).collect();
        for n in [1, 4, 9] {
            let arrays = self.arguments(n);
            let arguments: Vec<Tensor> = arrays.iter().map(tensor).collect();
            let (sizes, random) = (|_: &str| n, |_: u32, _: u64| 0.5);
            let inputs = Inputs {
                arguments: &arguments,
                parameters: &weights,
                states: &[],
                rounded: false,
                sizes: &sizes,
                random: &random,
            };
            let expected = evaluate(&reference, &inputs);
            let references: Vec<&Array> = arrays.iter().collect();
            let said = model.infer(0, &references).unwrap();
            let (results, gradients) = model.grad(0, &references).unwrap();
            for (output, expected) in reference.outputs.iter().zip(&expected) {
                let (what, found) = match output.role {
                    Role::Gradient(number) => (&names[number][..], gradients.parameter(&names[number]).unwrap()),
                    _ => ("the loss", results[0].clone()),
                };
                let off = distance(expected, &tensor(&found));
                assert!(off < 1e-5, "{}, N = {n}: {what} is off by {off:.1e}", self.named());
            }
            let off = distance(&expected[0], &tensor(&said[0]));
            assert!(off < 1e-5, "{}, N = {n}: what is inferred is off by {off:.1e}", self.named());
        }
    }

    /// All parameters after a few steps, and the last loss.
    fn trained(&self, mut optimizer: impl Optimizer, how: &str) -> Vec<f32> {
        let mut model = self.model();
        model.stop_on_nan(how == "guarded");
        let mut last = 0.0;
        for step in 0..4 {
            let arrays = self.arguments(if step == 2 { 5 } else { 3 });
            let references: Vec<&Array> = arrays.iter().collect();
            last = match how {
                "applied" => {
                    let (results, gradients) = model.grad(0, &references).unwrap();
                    optimizer.apply(&mut model, &gradients).unwrap();
                    results[0].item().unwrap()
                }
                _ => model.step(0, &mut optimizer, &references).unwrap().get().unwrap(),
            };
        }
        let values = |name: &str| model.parameter(name).unwrap().as_slice::<f32>().unwrap().to_vec();
        model.parameters().flat_map(|(name, _)| values(name)).chain([last]).collect()
    }

    fn is_updated_alike(&self) {
        let sgd = || Sgd::new(0.1).momentum(0.9);
        let first = (self.trained(sgd(), "step"), self.trained(AdamW::new(1e-2), "step"));
        for how in ["guarded", "applied"] {
            let other = (self.trained(sgd(), how), self.trained(AdamW::new(1e-2), how));
            assert!(first == other, "{}: {how} is not the same", self.named());
        }
        assert_ne!(first.0, first.1);
    }
}

fn cases() -> Vec<Case> {
    let image: &[&str] = &["N", "6", "7", "5"];
    let of = |kind, shape, named: &[(&'static str, i64)]| (kind, shape, named.to_vec());
    let kinds = [
        of("Conv2d", image, &[("out_channels", 9), ("kernel_size", 3), ("padding", 1)]),
        of("Conv2d", image, &[("out_channels", 45), ("kernel_size", 3), ("stride", 2)]),
        of("Conv2d", image, &[("out_channels", 34), ("kernel_size", 1)]),
        of("Conv2d", image, &[("out_channels", 12), ("kernel_size", 3), ("groups", 3), ("dilation", 2)]),
        of("Conv2d", image, &[("out_channels", 6), ("kernel_size", 3), ("groups", 6), ("padding", 1)]),
        of("Conv2d", &["N", "1", "7", "5"], &[("out_channels", 40), ("kernel_size", 2)]),
        of("Conv2d", &["N", "3", "2*N + 2", "N + 3"], &[("out_channels", 5), ("kernel_size", 3)]),
        of("ConvTranspose2d", image, &[("out_channels", 5), ("kernel_size", 4), ("stride", 2), ("padding", 1)]),
        of("ConvTranspose2d", image, &[("out_channels", 1), ("kernel_size", 3)]),
        of("Conv1d", &["N", "6", "9"], &[("out_channels", 37), ("kernel_size", 3)]),
        of("ConvTranspose1d", &["N", "6", "9"], &[("out_channels", 4), ("kernel_size", 4), ("stride", 2)]),
        of("Linear", &["N", "6"], &[("out_features", 35)]),
    ];
    let uses = |(kind, shape, named): (&'static str, &'static [&'static str], Vec<(&'static str, i64)>)| {
        [(2, false), (3, false), (2, true)].map(|(uses, slope)| Case { kind, named: named.clone(), shape, uses, slope })
    };
    kinds.into_iter().flat_map(uses).collect()
}

#[test]
fn gradients_are_those_of_the_reference() {
    cases().iter().for_each(Case::is_right);
}

#[test]
fn every_way_of_updating_gives_the_same_bits() {
    cases().iter().filter(|case| case.uses == 3 || case.slope).for_each(Case::is_updated_alike);
}

/// Each kernel but the first reads the sum before it, and writes in its place.
#[test]
fn gradients_of_a_weight_do_not_lie_side_by_side() {
    for case in cases().iter().filter(|case| case.kind.starts_with("Conv") && case.uses == 3) {
        let net = case.model().net().clone();
        let program = net.cpu()[0].training.as_ref().unwrap();
        let of_weight = |l: &&Launch| matches!(l.family, Family::Tile(Tile::Conv2dWeightGrad { .. }));
        let kernels: Vec<&Launch> = program.launches.iter().filter(of_weight).collect();
        assert_eq!(kernels.len(), 3, "{}\n{}", case.named(), program.to_text());
        let place = |buffer: usize| &program.buffers[buffer].place;
        let added: Vec<_> =
            kernels.iter().map(|l| l.loads.iter().map(|a| place(a.buffer)).collect::<Vec<_>>()).collect();
        let stored: Vec<_> = kernels.iter().map(|l| place(l.stores[0].buffer)).collect();
        assert_eq!(added, [vec![], vec![stored[0]], vec![stored[1]]], "{}\n{}", case.named(), program.to_text());
        assert_eq!(stored[0], stored[1], "{}\n{}", case.named(), program.to_text());
        assert!(matches!(stored[2], Place::Gradient(_)), "{}\n{}", case.named(), program.to_text());
    }
}
