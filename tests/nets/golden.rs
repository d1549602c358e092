//! A golden: what PyTorch makes of a net and a batch that are drawn from a seed (`tests/golden/make.py` says how).

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use castnet::Array;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use super::draw::uniform;
use super::{Example, in_float};

/// What is drawn: name, type, shape, and the bounds of its numbers.
struct Drawn {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    low: f64,
    high: f64,
}

/// The file of one net.
pub struct Golden {
    seed: u64,
    /// A factor of SGD's learning rate.
    pub rate: f64,
    /// AdamW's.
    pub eps: f64,
    inputs: Vec<Drawn>,
    parameters: Vec<Drawn>,
    /// Parameters of which some gradient is 0 but for rounding.
    pub without_gradient: Vec<String>,
    sketches: HashMap<String, Vec<f64>>,
}

fn integer(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_string()
}

fn drawn(name: &Value, dtype: &str, shape: &Value, low: &Value, high: &Value) -> Drawn {
    let shape = shape.as_array().unwrap().iter().map(integer).collect();
    Drawn { name: text(name), dtype: dtype.into(), shape, low: low.as_f64().unwrap(), high: high.as_f64().unwrap() }
}

impl Golden {
    /// The golden of a net.
    pub fn read(name: &str) -> Golden {
        // From the root package, and from those beside it.
        let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut folders = above.map(|folder| folder.join("tests/golden")).filter(|folder| folder.is_dir());
        let path = folders.next().unwrap().join(format!("{name}.safetensors"));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let about: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["about"]).unwrap();
        let list = |key: &str| about[key].as_array().unwrap().iter();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |view: TensorView| {
            assert_eq!(view.dtype(), Dtype::F64);
            view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
        };
        Golden {
            seed: about["seed"].as_u64().unwrap(),
            rate: about["rate"].as_f64().unwrap(),
            eps: about.get("eps").map_or(1e-8, |eps| eps.as_f64().unwrap()),
            inputs: list("inputs").map(|x| drawn(&x[0], x[1].as_str().unwrap(), &x[2], &x[3], &x[4])).collect(),
            parameters: list("parameters").map(|x| drawn(&x[0], "f32", &x[1], &x[2], &x[3])).collect(),
            without_gradient: list("without gradient").map(text).collect(),
            sketches: file.iter().map(|(key, view)| (key.to_string(), floats(view))).collect(),
        }
    }

    /// The sketches of one group, such as `grad`, by the rest of their keys.
    pub fn group(&self, group: &str) -> impl Iterator<Item = (&str, &[f64])> {
        let prefix = format!("{group}.");
        self.sketches.iter().filter_map(move |(key, sketch)| Some((key.strip_prefix(&prefix)?, &sketch[..])))
    }

    /// One sketch.
    pub fn get(&self, key: &str) -> &[f64] {
        self.sketches.get(key).unwrap_or_else(|| panic!("no golden {key}"))
    }

    /// The arguments of the loss for which the golden was made.
    pub fn batch<N: Example>(&self) -> Vec<Array> {
        self.arguments::<N>(None, self.seed)
    }

    /// Such arguments from another seed, for another number of examples if one is given.
    pub fn arguments<N: Example>(&self, n: Option<usize>, seed: u64) -> Vec<Array> {
        let argument = |(i, x): (usize, &Drawn)| {
            let mut shape = x.shape.clone();
            shape[0] = n.unwrap_or(shape[0]);
            in_float(uniform(1000 * seed + i as u64, &x.dtype, &shape, x.low, x.high), N::FLOAT)
        };
        self.inputs.iter().enumerate().map(argument).collect()
    }

    /// The initial parameters and running statistics, by name.
    pub fn parameters(&self) -> Vec<(&str, Array)> {
        let value = |i: usize, x: &Drawn| uniform(1000 * self.seed + 500 + i as u64, &x.dtype, &x.shape, x.low, x.high);
        self.parameters.iter().enumerate().map(|(i, x)| (x.name.as_str(), value(i, x))).collect()
    }

    /// A net with these values, loaded from a file as PyTorch's `save_file(net.state_dict(), …)` writes it.
    pub fn net<N: Example>(&self) -> N {
        let mut entries: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = vec![];
        for (name, array) in self.parameters() {
            let bytes = array.as_slice::<f32>().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect();
            entries.push((name.to_string(), Dtype::F32, array.shape().to_vec(), bytes));
            if let Some(norm) = name.strip_suffix("running_var") {
                entries.push((format!("{norm}num_batches_tracked"), Dtype::I64, vec![], vec![0; 8]));
            }
        }
        let views = entries
            .iter()
            .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        // Of cargo's folder for tests: a crate for such files would be built with every example.
        static FILES: AtomicUsize = AtomicUsize::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}.safetensors", N::NAME, std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let mut net = N::create(0).unwrap();
        // A net of fewer digits rounds them.
        net.restore(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let drawn: HashMap<&str, Array> = self.parameters().into_iter().collect();
        for (name, value) in net.parameters() {
            assert_eq!(value, in_float(drawn[name.as_str()].clone(), N::FLOAT), "{name}");
        }
        net
    }
}
