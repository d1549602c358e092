//! The command line of the examples.
#![allow(dead_code)] // Each example uses its part.

pub mod random;
pub mod saving;
pub mod text;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use castnet::data::{Dataset, ImageSet, Normalize};
use lexopt::prelude::*;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// Runs an example with its options; a mistake is a line on standard error and exit status 1.
pub fn main(name: &str, help: &str, run: impl FnOnce(&Options) -> Result<()>) -> ExitCode {
    let result = Options::parse(help).and_then(|options| {
        castnet::set_threads(options.get("threads", 0)?);
        run(&options)
    });
    if let Err(error) = &result {
        eprintln!("{name}: {error}");
    }
    ExitCode::from(u8::from(result.is_err()))
}

/// What was given on the command line; which options there are, the help text says, and all take a value.
#[derive(Default)]
pub struct Options {
    /// What is no option, in order.
    pub words: Vec<OsString>,
    given: HashMap<String, OsString>,
}

impl Options {
    fn parse(help: &str) -> Result<Options> {
        let mut options = Options::default();
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("help") | Short('h') => {
                    print!("{help}");
                    std::process::exit(0);
                }
                Long(name) if help.contains(&format!("  --{name} ")) => {
                    options.given.insert(name.to_string(), args.value()?);
                }
                Value(word) => options.words.push(word),
                _ => return Err(format!("{}; --help lists the options", arg.unexpected()).into()),
            }
        }
        Ok(options)
    }

    /// The file or folder given with `--name`.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.given.get(name).map(PathBuf::from)
    }

    /// The value given with `--name`, or the default.
    pub fn get<T: FromStr<Err: Into<BoxError>>>(&self, name: &str, default: T) -> Result<T> {
        let value = self.given.get(name).and_then(|value| value.to_str().map(str::parse));
        match (value, self.given.contains_key(name)) {
            (Some(value), _) => value.map_err(|error: T::Err| format!("--{name}: {}", error.into()).into()),
            (None, true) => Err(format!("--{name}: the value is not UTF-8").into()),
            (None, false) => Ok(default),
        }
    }

    /// Whether `--precision` asks for mixed precision.
    #[allow(dead_code)] // Of some examples.
    pub fn is_mixed(&self) -> Result<bool> {
        match self.get("precision", "f32".to_string())?.as_str() {
            "f32" => Ok(false),
            "bf16" => Ok(true),
            other => Err(format!("--precision {other}: write f32 or bf16").into()),
        }
    }

    /// An error if there is a word beside the options: for examples that take none.
    pub fn no_words(&self) -> Result<()> {
        match self.words.first() {
            Some(word) => Err(format!("{word:?} is not expected; --help lists the options").into()),
            None => Ok(()),
        }
    }
}

/// A file among the examples' data.
pub fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples/data", name].iter().collect()
}

/// The training and the test images in the folder given with `--data`, MNIST if none was.
pub fn mnist(options: &Options, normalize: Normalize) -> Result<(Dataset<2>, Dataset<2>)> {
    let (train, test) = ImageSet::open_mnist(options.path("data").unwrap_or_else(|| data("mnist")))?;
    Ok((train.dataset(normalize)?, test.dataset(normalize)?))
}
