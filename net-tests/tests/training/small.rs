//! The net of `tests/golden/training.py`, in f64, and what PyTorch comes to with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use castnet::prelude::*;
use castnet::{Model, Result};

network! {
    pub net Small {
        hidden: Linear(8, in_features = 4);
        bn:     BatchNorm1d(8);
        out:    Linear(3, in_features = 8);
        pub train fn loss(x: f64[N, 4], class: i64[N]) -> f64 { out(bn(hidden(x)).tanh()).cross_entropy(class) }
        pub fn scores(x: f64[N, 4]) -> f64[N, 3] { out(bn(hidden(x)).tanh()) }
    }
}

/// Element i of parameter p begins as 0.3 sin(0.7 i + p).
pub fn small() -> Small {
    let mut net = Small::new(&Device::cpu(), 1).unwrap();
    let parameters: Vec<_> = net.as_ref().parameters().map(|(name, shape)| (name.to_string(), shape)).collect();
    for (number, (name, shape)) in parameters.into_iter().enumerate() {
        let values = (0..shape.iter().product()).map(|i| 0.3 * (0.7 * i as f64 + number as f64).sin()).collect();
        net.set_parameter(&name, &Array::from_vec(&shape, values).unwrap()).unwrap();
    }
    net
}

/// Batch `number`.
pub fn batch(number: usize) -> [Array; 2] {
    let x = (0..24).map(|i| (0.37 * f64::from(i) + number as f64).sin()).collect();
    let class = (0..6).map(|i| (i + number as i64) % 3).collect();
    [Array::from_vec(&[6, 4], x).unwrap(), Array::from_vec(&[6], class).unwrap()]
}

/// A step on batch `number`.
pub fn step(net: &mut Small, optimizer: &mut dyn Optimizer, number: usize) -> Result<f64> {
    let [x, class] = batch(number);
    net.loss_step(optimizer, &x, &class)?.get()
}

/// All parameters and statistics, by name.
pub fn values(net: &Small) -> Values {
    let model: &Model = net.as_ref();
    let parameters = model.parameters().map(|(name, _)| (name.to_string(), model.parameter(name).unwrap()));
    let states = model.net().states.iter().map(|state| {
        let value = model.state(&state.name).unwrap().unwrap();
        (state.name.clone(), value)
    });
    let floats = |value: Array| match value.as_slice::<i64>() {
        Ok(whole) => whole.iter().map(|&x| x as f64).collect(),
        Err(_) => value.as_slice::<f64>().unwrap().to_vec(),
    };
    parameters.chain(states).map(|(name, value)| (name, floats(value))).collect()
}

/// Values by name.
pub type Values = BTreeMap<String, Vec<f64>>;

/// What PyTorch comes to: those of the `net`, and of its `average` where there is one.
pub fn golden(run: &str) -> BTreeMap<String, Values> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/training.json");
    let mut golden: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    serde_json::from_value(golden["runs"][run].take()).unwrap()
}

/// Whether all values are PyTorch's.
pub fn check(what: &str, net: &Small, expected: &Values) {
    let found = values(net);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, expected) in expected {
        let near = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 1e-10 * (1.0 + expected.abs());
        assert!(
            found[name].iter().zip(expected).all(near),
            "{what}, {name}: {:?}, PyTorch has {expected:?}",
            found[name]
        );
        assert_eq!(found[name].len(), expected.len());
    }
}
