//! Floats in JSON: infinities and NaN are written as text, since JSON has no numbers for them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserializer, Serializer};

pub(crate) fn serialize<F: Float, S: Serializer>(x: &F, serializer: S) -> Result<S::Ok, S::Error> {
    match (*x).into().is_finite() {
        true => x.serialize(serializer),
        false => serializer.collect_str(x),
    }
}

pub(crate) fn deserialize<'de, F: Float, D: Deserializer<'de>>(deserializer: D) -> Result<F, D::Error> {
    deserializer.deserialize_any(Visitor(PhantomData))
}

/// `f32` or `f64`.
pub(crate) trait Float: Copy + Into<f64> + FromStr<Err: fmt::Display> + fmt::Display + serde::Serialize {
    fn rounded(x: f64) -> Self;
}

impl Float for f32 {
    fn rounded(x: f64) -> f32 {
        x as f32
    }
}

impl Float for f64 {
    fn rounded(x: f64) -> f64 {
        x
    }
}

struct Visitor<F>(PhantomData<F>);

impl<F: Float> serde::de::Visitor<'_> for Visitor<F> {
    type Value = F;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, `inf`, `-inf` or `NaN`")
    }

    fn visit_f64<E>(self, x: f64) -> Result<F, E> {
        Ok(F::rounded(x))
    }

    fn visit_i64<E>(self, x: i64) -> Result<F, E> {
        Ok(F::rounded(x as f64))
    }

    fn visit_u64<E>(self, x: u64) -> Result<F, E> {
        Ok(F::rounded(x as f64))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<F, E> {
        text.parse().map_err(E::custom)
    }
}
