//! Every optimizer with every option: PyTorch's numbers, or those of its paper; the same bits in every way of updating, interpreted and compiled, on
//! any number of threads, and resumed; a rule of one's own, with states of other types.

mod common;
#[path = "../../kernels/tests/common/rules.rs"]
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use castnet_graph::builder::{Builder, Declared, Parameters};
use castnet_graph::call::{Arg, Given};
use castnet_graph::compile::{Source, SourceFunction, compile};
use castnet_graph::diagnostic::Loc;
use castnet_graph::graph::{Graph, Value};
use castnet_graph::ops;
use castnet_kernels::isa::Isa;
use castnet_program::net::Init;
use castnet_program::program::TaskKind;
use castnet_program::program::ending::{Ending, EndingKind, Placement, gather};
use castnet_program::types::{DType, Type};
use castnet_runtime::optimizer::*;
use castnet_runtime::{Array, Device, Model, Result, set_threads};
use common::{LOSS, noise, regression};
use safetensors::tensor::SafeTensors;

type Make = fn() -> Box<dyn Optimizer>;

/// The names are those of `tests/golden/optimizers.py`.
const CASES: [(&str, Make); 37] = [
    ("sgd", || Box::new(Sgd::new(0.1))),
    ("sgd_decay", || Box::new(Sgd::new(0.1).weight_decay(0.1))),
    ("sgd_momentum", || Box::new(Sgd::new(0.1).momentum(0.9))),
    ("sgd_dampening", || Box::new(Sgd::new(0.1).momentum(0.9).dampening(0.3).weight_decay(0.05))),
    ("sgd_nesterov", || Box::new(Sgd::new(0.1).momentum(0.8).nesterov(true).weight_decay(0.01))),
    ("sgd_maximize", || Box::new(Sgd::new(0.1).momentum(0.9).maximize(true).weight_decay(0.05))),
    ("adam", || Box::new(Adam::new(0.01))),
    ("adam_options", || Box::new(Adam::new(0.01).betas(0.8, 0.9).eps(1e-3).weight_decay(0.1))),
    ("adam_amsgrad", || Box::new(Adam::new(0.01).betas(0.8, 0.9).amsgrad(true))),
    ("adam_maximize", || Box::new(Adam::new(0.01).amsgrad(true).maximize(true))),
    ("adamw", || Box::new(AdamW::new(0.01))),
    ("adamw_options", || Box::new(AdamW::new(0.01).betas(0.8, 0.9).eps(1e-3).weight_decay(0.1))),
    ("adamw_amsgrad", || Box::new(AdamW::new(0.01).betas(0.8, 0.9).amsgrad(true))),
    ("adagrad", || Box::new(Adagrad::new(0.1))),
    ("adagrad_options", || {
        Box::new(Adagrad::new(0.1).lr_decay(0.1).initial_accumulator_value(0.5).eps(1e-3).weight_decay(0.1))
    }),
    ("adagrad_maximize", || Box::new(Adagrad::new(0.1).maximize(true))),
    ("rmsprop", || Box::new(RMSprop::new(0.01))),
    ("rmsprop_options", || Box::new(RMSprop::new(0.01).alpha(0.8).eps(1e-3).weight_decay(0.1))),
    ("rmsprop_momentum", || Box::new(RMSprop::new(0.01).momentum(0.9))),
    ("rmsprop_centered", || Box::new(RMSprop::new(0.01).alpha(0.9).eps(1e-3).centered(true))),
    ("rmsprop_all", || {
        let rmsprop = RMSprop::new(0.01).alpha(0.9).eps(1e-3).centered(true);
        Box::new(rmsprop.momentum(0.8).weight_decay(0.1).maximize(true))
    }),
    ("nadam", || Box::new(NAdam::new(0.01))),
    ("nadam_options", || Box::new(NAdam::new(0.01).betas(0.8, 0.9).eps(1e-3).momentum_decay(0.1).weight_decay(0.1))),
    ("nadam_decoupled", || Box::new(NAdam::new(0.01).weight_decay(0.1).decoupled_weight_decay(true).maximize(true))),
    ("radam", || Box::new(RAdam::new(0.01))),
    ("radam_options", || Box::new(RAdam::new(0.01).betas(0.8, 0.9).eps(1e-3).weight_decay(0.1))),
    ("radam_decoupled", || Box::new(RAdam::new(0.01).weight_decay(0.1).decoupled_weight_decay(true).maximize(true))),
    ("adamax", || Box::new(Adamax::new(0.01))),
    ("adamax_options", || Box::new(Adamax::new(0.01).betas(0.8, 0.9).eps(1e-3).weight_decay(0.1).maximize(true))),
    ("adadelta", || Box::new(Adadelta::new(1.0))),
    ("adadelta_options", || Box::new(Adadelta::new(0.5).rho(0.8).eps(1e-3).weight_decay(0.1).maximize(true))),
    ("lion", || Box::new(Lion::new(0.01))),
    ("lion_options", || Box::new(Lion::new(0.01).betas(0.8, 0.9).weight_decay(0.1))),
    ("lamb", || Box::new(LAMB::new(0.01))),
    ("lamb_options", || Box::new(LAMB::new(0.01).betas(0.8, 0.9).eps(1e-3).weight_decay(0.1))),
    ("lars", || Box::new(LARS::new(0.1))),
    ("lars_options", || Box::new(LARS::new(0.1).momentum(0.8).weight_decay(0.1).trust_coefficient(0.02))),
];

/// A rule of one's own: a state of the net's type and two of others, and a choice.
mod own {
    use super::*;

    update_rule! {
        /// Something like Lion that skips small steps.
        pub rule OwnRule(parameter, gradient) {
            states { mean, sum as f64, last as bf16 }
            scalars { lr, keep }
            update {
                mean = keep * mean + (T::of(1.0) - keep) * gradient;
                sum = sum + gradient.abs();
                let step = lr * (mean.sign() + last / (sum + T::of(1.0)).sqrt());
                last = T::select(step.abs().gt(T::of(1e-4)), step, T::of(0.0));
                parameter = parameter - last;
            }
        }
    }

    #[derive(Default)]
    pub struct Own(pub State);

    impl Optimizer for Own {
        fn name(&self) -> &'static str {
            "Own"
        }
        fn rule(&self) -> Rule<'_> {
            Rule::Formula(OwnRule::RULE)
        }
        fn begin(&mut self, _: u64) -> Result<()> {
            Ok(())
        }
        fn scalars(&self, factors: Factors, step: u64, scalars: &mut [f64]) {
            scalars.copy_from_slice(&[factors.lr(0.01), 1.0 - 1.0 / (step as f64 + 1.0)]);
        }
        fn state(&self) -> &State {
            &self.0
        }
        fn state_mut(&mut self) -> &mut State {
            &mut self.0
        }
    }
}
use own::Own;

fn all_cases() -> Vec<(&'static str, Make)> {
    let own: (&str, Make) = ("own", || Box::new(Own::default()));
    CASES.into_iter().chain([own]).collect()
}

const SHAPES: [(&str, &[i64]); 3] = [("a", &[2, 3]), ("b", &[4]), ("c", &[3])];

fn op(b: &mut Builder, name: &str, args: &[Value]) -> Value {
    let given = args.iter().map(|value| Given { name: None, value: Arg::Tensor(*value), at: Loc::default() });
    match ops::call(b, name, Loc::default(), &given.collect::<Vec<_>>()) {
        Ok(Arg::Tensor(value)) => value,
        other => panic!("{name}: {other:?} {:?}", b.diagnostics),
    }
}

/// The sum of parameters times arguments, which are their gradients.
fn graph(parameters: &mut Parameters, float: DType, training: bool) -> Graph {
    let mut b = Builder::new("Net.loss", parameters, training);
    let products: Vec<Value> = (0..SHAPES.len())
        .map(|number| {
            let (name, shape) = SHAPES[number];
            let gradient = b.argument(name, Type::new(float, shape.iter().map(|&s| s.into()).collect::<Vec<_>>()));
            let parameter = b.parameter(number);
            let product = op(&mut b, "mul", &[parameter, gradient]);
            op(&mut b, "sum", &[product])
        })
        .collect();
    let loss = products.into_iter().reduce(|sum, x| op(&mut b, "add", &[sum, x])).unwrap();
    b.result(loss);
    b.graph
}

fn of_gradients(float: DType) -> Model {
    let declared = |(name, shape): (&str, &[i64])| Declared {
        shape: Some((shape.to_vec(), Init::Constant(0.0))),
        ..Declared::new(name)
    };
    let mut parameters = Parameters { list: SHAPES.map(declared).to_vec(), float, ..Parameters::default() };
    let (inference, training) = (graph(&mut parameters, float, false), graph(&mut parameters, float, true));
    let functions = vec![SourceFunction::new("loss", inference, Some(training))];
    let net = compile(Source { name: "Net".into(), parameters, functions }).unwrap_or_else(|e| panic!("{e:?}")).net;
    Model::from_net(net, &Device::cpu(), 3).unwrap()
}

struct Golden(Vec<u8>);

impl Golden {
    fn get(&self, key: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(key).unwrap_or_else(|e| panic!("{key}: {e}"));
        match tensor.dtype() {
            safetensors::Dtype::F32 => {
                tensor.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect()
            }
            _ => tensor.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        }
    }
}

fn array(float: DType, shape: &[i64], values: &[f64]) -> Array {
    let shape: Vec<usize> = shape.iter().map(|&s| s as usize).collect();
    match float {
        DType::F64 => Array::from_vec(&shape, values.to_vec()),
        _ => Array::from_vec(&shape, values.iter().map(|&x| x as f32).collect()),
    }
    .unwrap()
}

fn floats(array: &Array) -> Vec<f64> {
    match array.dtype() {
        DType::F64 => array.as_slice::<f64>().unwrap().to_vec(),
        _ => array.as_slice::<f32>().unwrap().iter().map(|&x| x.into()).collect(),
    }
}

#[test]
fn twenty_steps_are_pytorchs() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/optimizers.safetensors");
    let golden = Golden(std::fs::read(file).unwrap());
    for (float, kind, tolerance) in [(DType::F32, "f32", 2e-6), (DType::F64, "f64", 1e-13)] {
        for (case, make) in CASES {
            let (mut model, mut optimizer) = (of_gradients(float), make());
            for (name, shape) in SHAPES {
                model.set_parameter(name, &array(float, shape, &golden.get(&format!("first.{name}")))).unwrap();
            }
            let mut compared = [1, 7, 20].iter().enumerate();
            let mut next = compared.next();
            for step in 1..=20 {
                let arguments = SHAPES.map(|(name, shape)| {
                    let all = golden.get(&format!("gradient.{name}"));
                    let len = shape.iter().product::<i64>() as usize;
                    array(float, shape, &all[(step - 1) * len..step * len])
                });
                let arguments: Vec<&Array> = arguments.iter().collect();
                match float {
                    DType::F64 => model.step_f64(0, &mut *optimizer, &arguments).map(|_| ()),
                    _ => model.step(0, &mut *optimizer, &arguments).map(|_| ()),
                }
                .unwrap();
                let Some((at, _)) = next.filter(|(_, when)| **when == step) else { continue };
                next = compared.next();
                for (name, _) in SHAPES {
                    let found = floats(&model.parameter(name).unwrap());
                    let all = golden.get(&format!("{case}.{kind}.{name}"));
                    let expected = &all[at * found.len()..][..found.len()];
                    for (f, e) in found.iter().zip(expected) {
                        let near = (f - e).abs() <= tolerance * (1.0 + e.abs());
                        assert!(near, "{case}, {kind}, step {step}: {name} is {found:?}, expected {expected:?}");
                    }
                }
            }
            assert_eq!(next, None);
        }
    }
}

/// Three of 37 columns' panels are full, and the last has padding.
const K: usize = 70;
const O: usize = 37;

fn model(seed: u64) -> Model {
    Model::from_net(regression(K as i64, O as i64), &Device::cpu(), seed).unwrap()
}

fn values(model: &Model) -> Vec<Vec<f32>> {
    let names = model.parameters().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    names.iter().map(|name| model.parameter(name).unwrap().as_slice::<f32>().unwrap().to_vec()).collect()
}

/// Trains a few steps; what the parameters are then.
fn train(model: &mut Model, optimizer: &mut dyn Optimizer, how: &str, steps: u64) -> Vec<Vec<f32>> {
    model.stop_on_nan(how == "guarded");
    for _ in 0..steps {
        let step = model.steps();
        let (x, y) = (noise(&[9, K], step), noise(&[9, O], step + 1));
        if how == "applied" {
            let (_, gradients) = model.grad(LOSS, &[&x, &y]).unwrap();
            optimizer.apply(model, &gradients).unwrap();
        } else {
            model.step(LOSS, optimizer, &[&x, &y]).unwrap();
        }
    }
    values(model)
}

#[test]
fn every_way_of_updating_gives_the_same_bits() {
    for (case, make) in all_cases() {
        set_threads(1);
        let before = values(&model(3));
        let first = train(&mut model(3), &mut *make(), "step", 4);
        assert_ne!(first, before);
        for how in ["guarded", "applied"] {
            assert!(train(&mut model(3), &mut *make(), how, 4) == first, "{case}: {how}");
        }
        for threads in [2, 5, 0] {
            set_threads(threads);
            for how in ["step", "guarded"] {
                assert!(train(&mut model(3), &mut *make(), how, 4) == first, "{case}: {how} on {threads} threads");
            }
        }
    }
}

/// The mean of (tanh(x · first) ∘ large + small)²: the update of `large`, behind whose gradient comes that of `first`, is a task of its own.
fn with_large() -> Model {
    const SHAPES: [(&str, [i64; 2]); 3] = [("first", [30, 400]), ("large", [200, 400]), ("small", [1, 400])];
    let build = |parameters: &mut Parameters, training: bool| -> Graph {
        let mut b = Builder::new("Net.loss", parameters, training);
        let x = b.argument("x", Type::new(DType::F32, vec![200.into(), 30.into()]));
        let [first, large, small] = [0, 1, 2].map(|number| b.parameter(number));
        let y = op(&mut b, "matmul", &[x, first]);
        let y = op(&mut b, "tanh", &[y]);
        let y = op(&mut b, "mul", &[y, large]);
        let y = op(&mut b, "add", &[y, small]);
        let y = op(&mut b, "square", &[y]);
        let loss = op(&mut b, "mean", &[y]);
        b.result(loss);
        b.graph
    };
    let declared = |(name, shape): (&str, [i64; 2])| Declared {
        shape: Some((shape.to_vec(), Init::Uniform(1.0))),
        ..Declared::new(name)
    };
    let mut parameters = Parameters { list: SHAPES.map(declared).to_vec(), ..Parameters::default() };
    let (inference, training) = (build(&mut parameters, false), build(&mut parameters, true));
    let functions = vec![SourceFunction::new("loss", inference, Some(training))];
    let net = compile(Source { name: "Net".into(), parameters, functions }).unwrap_or_else(|e| panic!("{e:?}")).net;
    let (program, reaches) = (net.cpu()[0].training.as_ref().unwrap(), &net.functions[0].reaches);
    // What a product makes, its kernel updates.
    let left = |p: usize| (p != 0).then(|| net.padded_len(p));
    let schedule = gather(&program.with_ending(reaches, Placement::Early), &left);
    let update = |of: &[usize]| TaskKind::Ending(Ending { kind: EndingKind::Update, of: of.to_vec() });
    let at = |kind: TaskKind| schedule.iter().position(|task| task.kind == kind);
    let large = at(update(&[1])).or_else(|| at(update(&[1, 2]))).unwrap_or_else(|| panic!("{schedule:?}"));
    let behind = &schedule[large + 1..];
    assert!(behind.iter().any(|task| matches!(task.kind, TaskKind::Launch(_))), "{schedule:?}");
    Model::from_net(net, &Device::cpu(), 3).unwrap()
}

#[test]
fn updates_in_the_middle_of_a_step_give_the_same_bits() {
    let after = |make: Make, how: &str, threads: usize| {
        set_threads(threads);
        let (mut model, mut optimizer) = (with_large(), make());
        model.stop_on_nan(how == "guarded");
        for step in 0..3 {
            let x = noise(&[200, 30], step);
            if how == "applied" {
                let (_, gradients) = model.grad(0, &[&x]).unwrap();
                optimizer.apply(&mut model, &gradients).unwrap();
            } else {
                model.step(0, &mut *optimizer, &[&x]).unwrap();
            }
        }
        values(&model)
    };
    for (case, make) in all_cases() {
        let early = after(make, "step", 1);
        assert_ne!(early, values(&with_large()));
        for (how, threads) in [("guarded", 1), ("applied", 3), ("step", 3)] {
            assert!(after(make, how, threads) == early, "{case}: {how} on {threads} threads");
        }
    }
}

/// Without `eps`, 0 / 0 stands in what is behind the last column of the last panel: no norm may take it in.
#[test]
fn padding_is_no_part_of_a_parameter() {
    for how in ["step", "applied"] {
        let after = train(&mut model(3), &mut LAMB::new(0.01).eps(0.0), how, 3);
        assert!(after.iter().flatten().all(|x| x.is_finite()), "{how}");
        assert_ne!(after, values(&model(3)));
    }
}

/// Every batch twice, by the mean of both, is every batch once.
#[test]
fn all_optimizers_accumulate() {
    for (case, make) in all_cases() {
        let first = train(&mut model(3), &mut *make(), "step", 4);
        let (mut model, mut optimizer) = (model(3), make());
        optimizer.state_mut().set_accumulate(Accumulate::Mean(2));
        for step in (0..4).flat_map(|step| [step; 2]) {
            model.step(LOSS, &mut *optimizer, &[&noise(&[9, K], step), &noise(&[9, O], step + 1)]).unwrap();
        }
        assert!(values(&model) == first, "{case}");
    }
}

/// Half of the learning rate, by a schedule and by a group.
#[test]
fn all_optimizers_have_schedules_and_groups() {
    for (case, make) in all_cases() {
        let [whole, mut scheduled, mut grouped] = [make(), make(), make()];
        scheduled.state_mut().set_schedule(ConstantLr::new(0.5, 100));
        grouped.state_mut().add_group("*", Group::new().lr_mult(0.5));
        let [whole, scheduled, grouped] =
            [whole, scheduled, grouped].map(|mut optimizer| train(&mut model(3), &mut *optimizer, "step", 4));
        assert!(scheduled == grouped && scheduled != whole, "{case}");
    }
}

#[test]
fn interpreted_and_compiled_have_the_same_bits() {
    for (case, make) in CASES {
        for dtype in [DType::F32, DType::F64, DType::BF16] {
            let mut optimizer = make();
            optimizer.begin(1).unwrap();
            let Rule::Formula(rule) = optimizer.rule() else { panic!("{case} has no formula") };
            let mut scalars = vec![f64::NAN; rule.scalars().len()];
            optimizer.scalars(Factors::default(), 1, &mut scalars);
            // NAdam's products are known of parameters only; any number will do.
            scalars.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = 0.3);
            let rule = rule_of(rule);
            let case_of = rules::Case::new(rule, &scalars, dtype, 5, rule.sums() > 0);
            let expected = case_of.interpreted(Isa::Portable).bits();
            for isa in Isa::available() {
                for piece in [rules::N, 32] {
                    assert!(case_of.compiled(isa, piece).bits() == expected, "{case} of {dtype}, by {isa:?}");
                }
                assert!(case_of.interpreted(isa).bits() == expected, "{case} of {dtype}, by {isa:?}");
            }
        }
    }
}

/// Plain loops, term by term: the bits that training has had from the beginning.
#[test]
fn sgd_and_adam_have_the_bits_of_plain_loops() {
    let number = |bits: &rules::Bits| -> Vec<f32> {
        let bytes: Vec<u8> = bits.1.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).take(rules::N).collect()
    };
    let after = |rule: &'static UpdateRule, scalars: &[f32]| {
        let scalars: Vec<f64> = scalars.iter().map(|&x| x.into()).collect();
        let before = rules::Case::new(rule, &scalars, DType::F32, 5, true);
        let after = before.compiled(Isa::detect(), 100);
        let all = |case: &rules::Case| -> Vec<Vec<f32>> {
            std::iter::once(&case.parameter).chain(&case.states).map(number).collect()
        };
        let gradient: Vec<f32> = number(&before.gradient).iter().map(|g| 0.75 * g).collect();
        (all(&before), gradient, all(&after))
    };
    let (lr, decay, keep, new, along, ahead) = (0.1f32, 0.02f32, 0.9f32, 0.7f32, 0.9f32, 1.0f32);
    let (before, g, found) = after(SgdMomentumRule::RULE, &[lr, decay, keep, new, along, ahead]);
    for i in 0..rules::N {
        let (mut w, g) = (before[0][i], g[i]);
        let g = g + decay * w;
        let moved = keep * before[1][i] + new * g;
        w -= lr * (along * moved + ahead * g);
        assert_eq!([w, moved].map(f32::to_bits), [found[0][i], found[1][i]].map(f32::to_bits));
    }
    let (shrink, mix1, keep2, mix2, step, root, eps) = (0.99f32, 0.1f32, 0.999f32, 1e-3f32, 0.02f32, 0.04f32, 1e-8f32);
    let (before, g, found) = after(AdamRule::<false>::RULE, &[shrink, decay, mix1, keep2, mix2, step, root, eps]);
    for i in 0..rules::N {
        let (mut w, mut m, mut v, g) = (before[0][i], before[1][i], before[2][i], g[i]);
        let shrunk = w * shrink;
        let g = g + decay * w;
        m += mix1 * (g - m);
        v = keep2 * v + mix2 * (g * g);
        w = shrunk - step * (m / (v.sqrt() / root + eps));
        let found = [0, 1, 2].map(|of| found[of][i]);
        let same = [w, m, v].iter().zip(found).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
        assert!(same, "{:?}, not {found:?}", [w, m, v]);
    }
}

/// For as long as the test runs.
fn rule_of(rule: &UpdateRule) -> &'static UpdateRule {
    Box::leak(Box::new(*rule))
}

#[test]
fn training_is_resumed_to_the_bit() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.safetensors");
    for (case, make) in all_cases() {
        let (mut a, mut first) = (model(1), make());
        train(&mut a, &mut *first, "step", 7);
        a.save_training(&path, &*first, &BTreeMap::new())?;
        let expected = train(&mut a, &mut *first, "step", 5);
        let (mut b, mut second) = (model(2), make());
        train(&mut b, &mut *second, "step", 2);
        b.load_training(&path, &mut *second)?;
        assert!(train(&mut b, &mut *second, "step", 5) == expected, "{case}");
    }
    Ok(())
}

/// What a state is of, in memory and in a file.
#[test]
fn states_have_their_own_types() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.safetensors");
    let (mut model, mut own) = (model(1), Own::default());
    train(&mut model, &mut own, "step", 2);
    model.save_training(&path, &own, &BTreeMap::new())?;
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let dtype = |state: &str| file.tensor(&format!("optimizer.{state}.fc.weight")).unwrap().dtype();
    assert_eq!(
        ["mean", "sum", "last"].map(dtype),
        [safetensors::Dtype::F32, safetensors::Dtype::F64, safetensors::Dtype::BF16]
    );
    assert_eq!(own.states(), ["mean", "sum", "last"]);
    Ok(())
}

#[test]
fn settings_out_of_their_range_are_errors() {
    let cases: [(Box<dyn Optimizer>, &str); 13] = [
        (Box::new(Adagrad::new(0.1).lr_decay(-1.0)), "Adagrad: lr_decay = -1 is not a finite number of at least 0"),
        (
            Box::new(Adagrad::new(0.1).initial_accumulator_value(-1.0)),
            "Adagrad: initial_accumulator_value = -1 is not a finite number of at least 0",
        ),
        (Box::new(RMSprop::new(0.1).alpha(1.0)), "RMSprop: alpha = 1 is not in [0, 1)"),
        (Box::new(RMSprop::new(0.1).momentum(-0.1)), "RMSprop: momentum = -0.1 is not in [0, 1)"),
        (Box::new(Lion::new(0.1).betas(1.0, 0.9)), "Lion: beta1 = 1 is not in [0, 1)"),
        (
            Box::new(NAdam::new(0.1).momentum_decay(-1.0)),
            "NAdam: momentum_decay = -1 is not a finite number of at least 0",
        ),
        (Box::new(RAdam::new(0.1).eps(f64::NAN)), "RAdam: eps = NaN is not a finite number of at least 0"),
        (Box::new(Adamax::new(-0.1)), "Adamax: lr = -0.1 is not a finite number of at least 0"),
        (Box::new(Adadelta::new(0.1).rho(1.5)), "Adadelta: rho = 1.5 is not in [0, 1]"),
        (Box::new(LAMB::new(0.1).weight_decay(-0.1)), "LAMB: weight_decay = -0.1 is not a finite number of at least 0"),
        (
            Box::new(LARS::new(0.1).trust_coefficient(f64::INFINITY)),
            "LARS: trust_coefficient = inf is not a finite number of at least 0",
        ),
        (Box::new(LARS::new(0.1).clip_norm(-1.0)), "LARS: clip_norm = -1 is not a number above 0"),
        (
            Box::new(Many(State::new())),
            "Many: 9 states; functions over slices have 8 at most, a formula as many as it needs",
        ),
    ];
    let mut model = model(3);
    let before = values(&model);
    let (x, y) = (noise(&[9, K], 1), noise(&[9, O], 2));
    for (mut optimizer, message) in cases {
        assert_eq!(model.step(LOSS, &mut *optimizer, &[&x, &y]).unwrap_err().to_string(), message);
    }
    // Of settings in their ranges, numbers that f32 does not hold.
    let mut adam = AdamW::new(1e30).weight_decay(1e30);
    let error = model.step(LOSS, &mut adam, &[&x, &y]).unwrap_err().to_string();
    assert!(error.starts_with("AdamW: shrink = -1") && error.ends_with(" is not a finite number"), "{error}");
    assert_eq!(values(&model), before);
}

/// More states than functions over slices may have.
struct Many(State);

impl Optimizer for Many {
    fn name(&self) -> &'static str {
        "Many"
    }
    fn rule(&self) -> Rule<'_> {
        Rule::Slices { states: &["a", "b", "c", "d", "e", "f", "g", "h", "i"], f32: self, f64: None }
    }
    fn begin(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
    fn state(&self) -> &State {
        &self.0
    }
    fn state_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl UpdateSlices<f32> for Many {
    fn update(&self, _: Factors, _: u64, _: &mut [f32], _: &[f32], _: &mut [&mut [f32]]) {}
}
