//! What a network is given at run time and cannot take: an `Err` with value and place from every way to call it, in dev builds as in
//! release, and nothing has run: parameters, statistics, optimizers and gradients are as they were, and go on as if nothing had happened.

use castnet::prelude::*;
use castnet::{Gradients, Model};

network! {
    /// Every operator that takes indices, sizes with a bound, sizes that must agree, and sizes that a function takes away from.
    pub net Careful {
        const CONTEXT: usize = 6;
        wte:  Embedding(10, 4);
        wpe:  Embedding(CONTEXT, 4);
        norm: BatchNorm1d();
        gru:  GRU(3, batch_first = true);
        head: Linear(5);
        where T <= CONTEXT;

        fn features(token: u32[N, T]) -> f32[N, 4] {
            norm((wte(token) + wpe(arange(T))).mean(1))
        }

        pub fn embedded(token: u32[N, T]) -> f32[N, 4] {
            features(token)
        }

        pub train fn loss(token: u32[N, T], class: i64[N]) -> f32 {
            head(features(token)).cross_entropy(class)
        }

        pub train fn ignoring(token: u32[N, T], class: i64[N]) -> f32 {
            head(features(token)).cross_entropy(class, ignore_index = -2)
        }

        pub train fn likely(token: u32[N, T], class: i32[N]) -> f32 {
            head(features(token)).log_softmax(1).nll_loss(class)
        }

        pub train fn gathered(token: u32[N, T], column: i64[N, 2]) -> f32 {
            head(features(token)).gather(1, column).square().mean()
        }

        pub train fn selected(token: u32[N, T], row: i64[K]) -> f32 {
            head(features(token)).index_select(0, row).square().mean()
        }

        pub train fn marked(token: u32[N, T], class: i32[N]) -> f32 {
            (head(features(token)) * class.one_hot(5).cast(f32)).square().sum()
        }

        pub train fn differences(token: u32[N, T]) -> f32 {
            let x = wte(token) + wpe(arange(T));
            head(norm((x[.., 1..] - x[.., 0..(T - 1)]).amax(1))).square().mean()
        }

        pub train fn counted(token: u32[N, T]) -> f32 {
            head(features(token)).mean() * arange(T - 2).cast(f32).mean()
        }

        pub train fn pooled(token: u32[N, T]) -> f32 {
            let x = (wte(token) + wpe(arange(T))).transpose(1, 2);
            head(norm(x.avg_pool1d(3, stride = 1).amax(2))).square().mean()
        }

        pub train fn sequences(token: u32[N, T], lengths: i64[N]) -> f32 {
            let (_, h) = gru(wte(token), lengths = lengths);
            h.square().mean()
        }

        pub train fn weighted(token: u32[N, T], weight: f32[N, T]) -> f32 {
            head(norm(((wte(token) + wpe(arange(T))) * weight.unsqueeze(2)).sum(1))).square().mean()
        }
    }
}

fn tokens(shape: &[usize]) -> Array {
    let len = shape.iter().product::<usize>() as u32;
    Array::from_vec(shape, (0..len).map(|i| 3 * i % 10).collect()).unwrap()
}

/// What a call must leave alone: all bits of parameters and states, and the count of training runs, from which random numbers are drawn.
fn stands(model: &Model) -> (Vec<u32>, u64) {
    let mut bits = vec![];
    let mut floats = |array: Array| bits.extend(array.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()));
    model.parameters().for_each(|(name, _)| floats(model.parameter(name).unwrap()));
    for state in ["norm.running_mean", "norm.running_var"] {
        floats(model.state(state).unwrap().unwrap());
    }
    (bits, model.steps())
}

fn bits_of(gradients: &Gradients) -> Vec<u32> {
    let names: Vec<&str> = gradients.names().collect();
    let floats = |name: &&str| gradients.parameter(name).unwrap().into_ndarray::<f32>().unwrap();
    names.iter().flat_map(floats).map(f32::to_bits).collect()
}

/// What an error says, without the line of this file in it.
fn text(error: castnet::Error) -> String {
    let text = error.to_string();
    let Some((before, after)) = text.split_once("bad_input.rs:") else { return text };
    let (name, _) = before.rsplit_once(" (").unwrap();
    let (_, rest) = after.split_once(')').unwrap();
    format!("{name}{rest}")
}

/// A net with its optimizer.
struct Subject {
    net: Careful,
    adam: AdamW,
}

impl Subject {
    fn new() -> Subject {
        Subject { net: Careful::new(&Device::cpu(), 1).unwrap(), adam: AdamW::new(1e-2).clip_norm(1.0) }
    }

    /// What every method of a function calls.
    fn number(&self, function: &str) -> usize {
        let name = format!("Careful.{function}");
        self.net.as_ref().net().cpu().iter().position(|f| f.inference.name == name).unwrap()
    }

    /// All ways to call a function give the message, and nothing has changed.
    fn refuses(&mut self, function: &str, good: &[Array], bad: &[Array], message: &str) {
        let number = self.number(function);
        let (good, bad): (Vec<&Array>, Vec<&Array>) = (good.iter().collect(), bad.iter().collect());
        let message = format!("Careful.{function}: {message}");
        let model = self.net.as_mut();
        let (_, mut gradients) = model.grad(number, &good).unwrap();
        let before = (stands(model), self.adam.state().steps(), bits_of(&gradients));
        assert_eq!(model.infer(number, &bad).map_err(text).unwrap_err(), message);
        assert_eq!(model.step(number, &mut self.adam, &bad).map(|_| ()).map_err(text).unwrap_err(), message);
        assert_eq!(model.grad(number, &bad).map(|_| ()).map_err(text).unwrap_err(), message);
        assert_eq!(model.grad_add(number, &mut gradients, &bad).map(|_| ()).map_err(text).unwrap_err(), message);
        assert_eq!((stands(model), self.adam.state().steps(), bits_of(&gradients)), before, "{message}");
    }

    /// A training pass and a step; the bits afterwards.
    fn train(&mut self, function: &str, arguments: &[Array]) -> (Vec<u32>, u64) {
        let number = self.number(function);
        let arguments: Vec<&Array> = arguments.iter().collect();
        let model = self.net.as_mut();
        model.grad(number, &arguments).unwrap();
        model.step(number, &mut self.adam, &arguments).unwrap().get().unwrap();
        stands(model)
    }
}

fn i64s(shape: &[usize], values: &[i64]) -> Array {
    Array::from_vec(shape, values.to_vec()).unwrap()
}

fn i32s(values: &[i32]) -> Array {
    Array::from_vec(&[values.len()], values.to_vec()).unwrap()
}

/// Function, what it takes, what it refuses, and what it says.
type Case = (&'static str, Vec<Array>, Vec<Array>, &'static str);

fn cases() -> Vec<Case> {
    let few = || tokens(&[2, 3]);
    let outside = || {
        let mut token = tokens(&[2, 3]);
        token.as_mut_slice::<u32>().unwrap()[4] = 10;
        token
    };
    let huge = Array::from_vec(&[2, 3], vec![0, 0, u32::MAX, 0, 0, 0]).unwrap();
    let classes = || i64s(&[2], &[0, 4]);
    let weights = Array::zeros::<f32>(&[2, 3]);
    let loss = |bad: Vec<Array>, message| ("loss", vec![few(), classes()], bad, message);
    vec![
        // Sizes beyond a bound.
        loss(vec![tokens(&[2, 7]), classes()], "T = 7 breaks the rule `T <= 6`"),
        // Indices.
        loss(vec![outside(), classes()], "element [1, 1] of argument `token` is 10, expected 0 to 9 by `wte`"),
        loss(vec![huge, classes()], "element [0, 2] of argument `token` is 4294967295, expected 0 to 9 by `wte`"),
        loss(
            vec![few(), i64s(&[2], &[0, 5])],
            "element 1 of argument `class` is 5, expected 0 to 4 by `cross_entropy`",
        ),
        loss(
            vec![few(), i64s(&[2], &[-1, 0])],
            "element 0 of argument `class` is -1, expected 0 to 4 by `cross_entropy`",
        ),
        loss(
            vec![few(), i64s(&[2], &[0, i64::MAX])],
            "element 1 of argument `class` is 9223372036854775807, expected 0 to 4 by `cross_entropy`",
        ),
        (
            "ignoring",
            vec![few(), i64s(&[2], &[-2, 1])],
            vec![few(), i64s(&[2], &[-2, -100])],
            "element 1 of argument `class` is -100, expected 0 to 4 by `cross_entropy`",
        ),
        (
            "likely",
            vec![few(), i32s(&[0, 4])],
            vec![few(), i32s(&[0, 7])],
            "element 1 of argument `class` is 7, expected 0 to 4 by `nll_loss`",
        ),
        (
            "gathered",
            vec![few(), i64s(&[2, 2], &[0, 1, 4, 4])],
            vec![few(), i64s(&[2, 2], &[0, 1, 5, 4])],
            "element [1, 0] of argument `column` is 5, expected 0 to 4 by `gather`",
        ),
        // The limit is a run-time size here.
        (
            "selected",
            vec![few(), i64s(&[3], &[0, 1, 1])],
            vec![few(), i64s(&[3], &[0, 1, 2])],
            "element 2 of argument `row` is 2, expected 0 to 1 by `index_select`",
        ),
        (
            "marked",
            vec![few(), i32s(&[0, 4])],
            vec![few(), i32s(&[5, 0])],
            "element 0 of argument `class` is 5, expected 0 to 4 by `one_hot`",
        ),
        // Lengths, from 1 to T.
        (
            "sequences",
            vec![few(), i64s(&[2], &[1, 3])],
            vec![few(), i64s(&[2], &[1, 4])],
            "element 1 of argument `lengths` is 4, expected 1 to 3 by `gru`",
        ),
        (
            "sequences",
            vec![few(), i64s(&[2], &[1, 3])],
            vec![few(), i64s(&[2], &[0, 3])],
            "element 0 of argument `lengths` is 0, expected 1 to 3 by `gru`",
        ),
        // Reductions of nothing.
        (
            "differences",
            vec![few()],
            vec![tokens(&[2, 1])],
            "T = 1 breaks the rule `T >= 2`: slice takes the range 1..",
        ),
        (
            "counted",
            vec![few()],
            vec![tokens(&[2, 2])],
            "T = 2 breaks the rule `T - 2 >= 1`: arange counts from 0 to T - 2 by 1",
        ),
        (
            "pooled",
            vec![few()],
            vec![tokens(&[2, 2])],
            "T = 2 breaks the rule `T >= 3`: avg_pool1d needs as much for one window",
        ),
        loss(
            vec![Array::zeros::<u32>(&[0, 3]), Array::zeros::<i64>(&[0])],
            "N = 0, as argument `token` is u32[0, 3]: nothing is left to compute",
        ),
        // Lengths that disagree.
        loss(
            vec![few(), i64s(&[3], &[0, 1, 2])],
            "argument `class` is i64[3], expected i64[N] (N = 2, bound by `token`)",
        ),
        (
            "weighted",
            vec![few(), weights],
            vec![few(), Array::zeros::<f32>(&[2, 4])],
            "argument `weight` is f32[2, 4], expected f32[N, T] (N = 2, bound by `token`; T = 3, bound by `token`)",
        ),
    ]
}

#[test]
fn what_does_not_fit_is_an_error_with_value_and_place_and_changes_nothing() {
    let mut subject = Subject::new();
    for (function, good, bad, message) in cases() {
        subject.refuses(function, &good, &bad, message);
    }
    let error = subject.net.embedded(&tokens(&[1, 9])).map_err(text).unwrap_err();
    assert_eq!(error, "Careful.embedded: T = 9 breaks the rule `T <= 6`");
}

#[test]
fn after_mistakes_training_goes_on_as_without_them() {
    let (mut one, mut other) = (Subject::new(), Subject::new());
    for (function, good, bad, _) in cases() {
        let number = one.number(function);
        let refs: Vec<&Array> = bad.iter().collect();
        assert!(one.net.as_mut().step(number, &mut one.adam, &refs).is_err());
        assert!(one.net.as_mut().grad(number, &refs).is_err());
        assert_eq!(one.train(function, &good), other.train(function, &good), "{function}");
    }
}
