//! First values that a declaration asks for: `init = normal(0, 0.02)`, `bias_init = zeros`; PyTorch's `torch.nn.init`.

use crate::builder::{Builder, Checked, Reported};
use crate::call::{Arg, Bound, Given, Kind, Param, bind, optional, required};
use crate::diagnostic::{Diagnostic, Loc};
use crate::net::Init;
use crate::number::Number;
use crate::types::DType;

/// What a declaration asks for; it becomes an [`Init`] when the tensor's shape is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initialiser {
    /// The same for all shapes.
    Plain(Init),
    /// Glorot and Bengio: gain, and whether uniform.
    Xavier(f64, bool),
    /// He and others: gain, whether by the inputs (else by the outputs), and whether uniform.
    Kaiming(f64, bool, bool),
}

impl Initialiser {
    /// Why it gives nothing that an element type has: a number that it names lies beyond the type's. `None`: it does not.
    pub fn beyond(self, dtype: DType) -> Option<String> {
        let named = match self {
            Initialiser::Plain(Init::Constant(value)) => vec![value],
            Initialiser::Plain(Init::Uniform(bound)) => vec![bound.into()],
            Initialiser::Plain(Init::Between(a, b) | Init::Normal(a, b)) => vec![a.into(), b.into()],
            Initialiser::Plain(Init::TruncNormal(mean, deviation, a, b)) => {
                [mean, deviation, a, b].map(f64::from).into()
            }
            Initialiser::Plain(Init::Orthogonal(gain)) => vec![gain.into()],
            Initialiser::Plain(Init::NormalExceptRow(_)) => vec![],
            Initialiser::Xavier(gain, _) | Initialiser::Kaiming(gain, ..) => vec![gain],
        };
        // What is drawn is rounded to integers; a constant is one, or none.
        let is_constant = matches!(self, Initialiser::Plain(Init::Constant(_)));
        let is_beyond = |number: &Number| !number.fits(dtype) && (dtype.is_float() || is_constant);
        let beyond = named.into_iter().map(Number::Float).find(is_beyond)?;
        Some(format!("the first value {beyond} is none of {dtype}"))
    }
}

/// A constructor that may be called in declarations.
struct Constructor {
    name: &'static str,
    signature: &'static [Param],
    make: fn(&mut Builder, &Bound) -> Checked<Initialiser>,
}

const KAIMING: &[Param] = &[
    optional("a", Kind::Float, "0"),
    optional("mode", Kind::Text, "\"fan_in\""),
    optional("nonlinearity", Kind::Text, "\"leaky_relu\""),
];
const GAIN: &[Param] = &[optional("gain", Kind::Float, "1")];
const MOMENTS: &[Param] = &[optional("mean", Kind::Float, "0"), optional("std", Kind::Float, "1")];

const CONSTRUCTORS: &[Constructor] = &[
    Constructor { name: "zeros", signature: &[], make: |_, _| Ok(Initialiser::Plain(Init::Constant(0.0))) },
    Constructor { name: "ones", signature: &[], make: |_, _| Ok(Initialiser::Plain(Init::Constant(1.0))) },
    Constructor {
        name: "constant",
        signature: &[required("val", Kind::Float)],
        make: |_, bound| Ok(Initialiser::Plain(Init::Constant(bound.float(0).unwrap_or(0.0)))),
    },
    Constructor {
        name: "normal",
        signature: MOMENTS,
        make: |b, bound| {
            let deviation = deviation(b, bound)?;
            Ok(Initialiser::Plain(Init::Normal(number(bound, 0, 0.0), deviation)))
        },
    },
    Constructor {
        name: "trunc_normal",
        signature: &[
            optional("mean", Kind::Float, "0"),
            optional("std", Kind::Float, "1"),
            optional("a", Kind::Float, "-2"),
            optional("b", Kind::Float, "2"),
        ],
        make: |b, bound| {
            let (mean, deviation) = (number(bound, 0, 0.0), deviation(b, bound)?);
            let (low, high) = limits(b, bound, 2, [-2.0, 2.0])?;
            Ok(Initialiser::Plain(Init::TruncNormal(mean, deviation, low, high)))
        },
    },
    Constructor {
        name: "uniform",
        signature: &[optional("a", Kind::Float, "0"), optional("b", Kind::Float, "1")],
        make: |b, bound| {
            let (low, high) = limits(b, bound, 0, [0.0, 1.0])?;
            Ok(Initialiser::Plain(Init::Between(low, high)))
        },
    },
    Constructor {
        name: "xavier_uniform",
        signature: GAIN,
        make: |_, bound| Ok(Initialiser::Xavier(bound.float(0).unwrap_or(1.0), true)),
    },
    Constructor {
        name: "xavier_normal",
        signature: GAIN,
        make: |_, bound| Ok(Initialiser::Xavier(bound.float(0).unwrap_or(1.0), false)),
    },
    Constructor { name: "kaiming_uniform", signature: KAIMING, make: |b, bound| kaiming(b, bound, true) },
    Constructor { name: "kaiming_normal", signature: KAIMING, make: |b, bound| kaiming(b, bound, false) },
    Constructor {
        name: "orthogonal",
        signature: GAIN,
        make: |_, bound| Ok(Initialiser::Plain(Init::Orthogonal(number(bound, 0, 1.0)))),
    },
];

fn number(bound: &Bound, slot: usize, default: f64) -> f32 {
    bound.float(slot).unwrap_or(default) as f32
}

fn deviation(b: &mut Builder, bound: &Bound) -> Checked<f32> {
    match number(bound, 1, 1.0) {
        deviation if deviation >= 0.0 => Ok(deviation),
        deviation => {
            let message = format!("`{}` with std = {deviation}", bound.callee);
            bound.wrong(b, "N0306", 1, message, "a standard deviation is at least 0")
        }
    }
}

fn limits(b: &mut Builder, bound: &Bound, slot: usize, default: [f64; 2]) -> Checked<(f32, f32)> {
    let [low, high] = [number(bound, slot, default[0]), number(bound, slot + 1, default[1])];
    match low <= high {
        true => Ok((low, high)),
        false => {
            let message = format!("`{}` between {low} and {high}", bound.callee);
            bound.wrong(b, "N0306", slot, message, "the lower limit comes first")
        }
    }
}

/// PyTorch's `calculate_gain`, and by what the variance is divided.
fn kaiming(b: &mut Builder, bound: &Bound, uniform: bool) -> Checked<Initialiser> {
    let slope = bound.float(0).unwrap_or(0.0);
    let by_inputs = match bound.text(1).unwrap_or("fan_in") {
        "fan_in" => true,
        "fan_out" => false,
        other => {
            let message = format!("`{}` has no mode {other:?}", bound.callee);
            return bound.wrong(b, "N0306", 1, message, "write `\"fan_in\"` or `\"fan_out\"`");
        }
    };
    let gain = match bound.text(2).unwrap_or("leaky_relu") {
        "linear" | "conv1d" | "conv2d" | "sigmoid" => 1.0,
        "tanh" => 5.0 / 3.0,
        "relu" => 2f64.sqrt(),
        "leaky_relu" => (2.0 / (1.0 + slope * slope)).sqrt(),
        "selu" => 0.75,
        other => {
            let message = format!("`{}` knows no nonlinearity {other:?}", bound.callee);
            let help = "write `linear`, `sigmoid`, `tanh`, `relu`, `leaky_relu` or `selu` in quotes";
            return bound.wrong(b, "N0306", 2, message, help);
        }
    };
    Ok(Initialiser::Kaiming(gain, by_inputs, uniform))
}

/// Whether there is an initialiser of this name.
pub fn is_initialiser(name: &str) -> bool {
    CONSTRUCTORS.iter().any(|c| c.name == name)
}

/// `name(given…)` in a declaration; a bare `name` has no arguments.
pub fn call(b: &mut Builder, name: &str, at: Loc, given: &[Given]) -> Checked<Arg> {
    let Some(constructor) = CONSTRUCTORS.iter().find(|c| c.name == name) else {
        let known = CONSTRUCTORS.iter().map(|c| c.name);
        let d = Diagnostic::new("N0401", at, format!("there is no initialiser `{name}`"));
        let d = match crate::spelling::did_you_mean(name, known.clone()) {
            Some(meant) => d.help(format!("did you mean `{meant}`?")),
            None => d.help(format!("initialisers: {}", known.collect::<Vec<_>>().join(", "))),
        };
        return b.report(d);
    };
    match bind(b, name, at, constructor.signature, &[], given)? {
        Some(bound) => (constructor.make)(b, &bound).map(Arg::Init),
        None => Ok(Arg::Unknown),
    }
}

/// What to do about first values that an element type does not have.
pub const SMALLER: &str = "write a number that the type has, or declare another type";

/// `init = …` and `bias_init = …` among the arguments of a declaration.
pub(super) struct Wanted<'g> {
    /// The other arguments.
    pub rest: Vec<Given>,
    weight: Option<&'g Given>,
    bias: Option<&'g Given>,
}

impl<'g> Wanted<'g> {
    pub fn of(given: &'g [Given]) -> Wanted<'g> {
        let named = |name: &str| given.iter().find(|g| g.name.as_ref().is_some_and(|(n, _)| n == name));
        let (weight, bias) = (named("init"), named("bias_init"));
        let taken = |g: &Given| [weight, bias].into_iter().flatten().any(|w| std::ptr::eq(w, g));
        Wanted { rest: given.iter().filter(|g| !taken(g)).cloned().collect(), weight, bias }
    }

    /// For each tensor, what was asked for: `init` is for weights, `bias_init` for biases.
    pub fn tensors(&self, b: &mut Builder, kind: &str, names: &[&str]) -> Checked<Vec<Option<(Initialiser, Loc)>>> {
        let is_bias = |name: &&str| name.starts_with("bias");
        for (given, argument, has) in [
            (self.weight, "init", names.iter().any(|n| !is_bias(n))),
            (self.bias, "bias_init", names.iter().any(is_bias)),
        ] {
            let Some(given) = given else { continue };
            let d = match &given.value {
                Arg::Unknown => return Err(Reported),
                _ if !has => Diagnostic::new("N0302", given.at, format!("this `{kind}` has nothing for `{argument}`"))
                    .help("leave it out"),
                Arg::Init(init) => match init.beyond(b.float()) {
                    Some(message) => Diagnostic::new("N0207", given.at, message).help(SMALLER),
                    None => continue,
                },
                other => {
                    let found = other.describe(b);
                    let message = format!("`{argument}` of `{kind}` must be {}, found {found}", Kind::Init.describe());
                    Diagnostic::new("N0305", given.at, message).help("write `init = normal(0, 0.02)`")
                }
            };
            return b.report(d);
        }
        let of = |given: Option<&Given>| match given.map(|g| (&g.value, g.at)) {
            Some((Arg::Init(init), at)) => Some((*init, at)),
            _ => None,
        };
        Ok(names.iter().map(|name| of(if is_bias(name) { self.bias } else { self.weight })).collect())
    }
}

/// The first value of a tensor of this shape, or what is missing.
pub fn resolve(initialiser: Initialiser, shape: &[i64]) -> Result<Init, &'static str> {
    // Axis 0 runs over outputs, axis 1 over inputs, the others over the kernel.
    let field: i64 = shape.iter().skip(2).product();
    let fans = || match shape {
        [out, input, ..] => Ok([(input * field) as f64, (out * field) as f64]),
        _ => Err("it needs inputs and outputs, and so at least 2 axes"),
    };
    let of_deviation = |deviation: f64, uniform: bool| match uniform {
        true => Init::Uniform((3f64.sqrt() * deviation) as f32),
        false => Init::Normal(0.0, deviation as f32),
    };
    match initialiser {
        Initialiser::Plain(Init::Orthogonal(_)) if shape.len() < 2 => Err("it needs at least 2 axes"),
        Initialiser::Plain(init) => Ok(init),
        Initialiser::Xavier(gain, uniform) => {
            let [inputs, outputs] = fans()?;
            Ok(of_deviation(gain * (2.0 / (inputs + outputs)).sqrt(), uniform))
        }
        Initialiser::Kaiming(gain, by_inputs, uniform) => {
            let fan = fans()?[usize::from(!by_inputs)];
            Ok(of_deviation(gain / fan.sqrt(), uniform))
        }
    }
}
