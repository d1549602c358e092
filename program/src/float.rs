//! Floats in JSON: infinities and NaN are written as text, since JSON has no numbers for them.

use std::fmt;

use serde::{Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(x: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    match x.is_finite() {
        true => serializer.serialize_f32(*x),
        false => serializer.collect_str(x),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    deserializer.deserialize_any(Visitor)
}

struct Visitor;

impl serde::de::Visitor<'_> for Visitor {
    type Value = f32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, `inf`, `-inf` or `NaN`")
    }

    fn visit_f64<E>(self, x: f64) -> Result<f32, E> {
        Ok(x as f32)
    }

    fn visit_i64<E>(self, x: i64) -> Result<f32, E> {
        Ok(x as f32)
    }

    fn visit_u64<E>(self, x: u64) -> Result<f32, E> {
        Ok(x as f32)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<f32, E> {
        text.parse().map_err(E::custom)
    }
}

/// The same for a float that may be missing.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Float(#[serde(with = "super")] f32);

    pub(crate) fn serialize<S: Serializer>(x: &Option<f32>, serializer: S) -> Result<S::Ok, S::Error> {
        x.map(Float).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
        Ok(Option::<Float>::deserialize(deserializer)?.map(|Float(x)| x))
    }
}
