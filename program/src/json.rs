//! Writes a net as JSON, a line without spaces. What `serde_json` writes means the same, but it has a layer for every format and every sink,
//! which takes long in a macro that is built without optimisation, and a net of many layers has half a million characters.

use std::fmt::{self, Error, Write};

use serde::ser::{self, Serialize, Serializer};

use crate::net::Net;

impl Net {
    /// The net as JSON.
    pub fn json(&self) -> String {
        let mut json = Json(String::new());
        // Nothing in a net has a form that JSON has not.
        self.serialize(&mut json).map_or_else(|Error| String::new(), |()| json.0)
    }
}

struct Json(String);

/// What has parts, while it is written.
struct Parts<'j> {
    json: &'j mut Json,
    is_first: bool,
    end: &'static str,
}

impl Json {
    fn parts(&mut self, start: &str, end: &'static str) -> Result<Parts<'_>, Error> {
        self.0.push_str(start);
        Ok(Parts { json: self, is_first: true, end })
    }

    /// `{"panels":`: what a variant holds follows.
    fn variant(&mut self, name: &str, start: &str, end: &'static str) -> Result<Parts<'_>, Error> {
        self.0.push_str("{\"");
        self.0.push_str(name);
        self.0.push_str("\":");
        self.parts(start, end)
    }

    fn text(&mut self, text: &str) {
        self.0.push('"');
        let (bytes, mut plain) = (text.as_bytes(), 0);
        while plain < bytes.len() && bytes[plain] >= b' ' && bytes[plain] != b'"' && bytes[plain] != b'\\' {
            plain += 1;
        }
        if plain == bytes.len() {
            self.0.push_str(text);
        } else {
            text.chars().for_each(|c| self.character(c));
        }
        self.0.push('"');
    }

    fn character(&mut self, c: char) {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            c if c < ' ' => {
                let _ = write!(self.0, "\\u{:04x}", c as u32);
                return;
            }
            c => return self.0.push(c),
        };
        self.0.push_str(short);
    }

    fn float(&mut self, value: f64, text: fmt::Arguments<'_>) -> Result<(), Error> {
        match value.is_finite() {
            true => self.0.write_fmt(text),
            false => self.serialize_unit(),
        }
    }
}

macro_rules! numbers {
    ($($method:ident: $number:ty,)*) => {$(
        fn $method(self, value: $number) -> Result<(), Error> {
            self.0.push_str(&value.to_string());
            Ok(())
        }
    )*};
}

impl<'j> Serializer for &'j mut Json {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'j>;
    type SerializeTuple = Parts<'j>;
    type SerializeTupleStruct = Parts<'j>;
    type SerializeTupleVariant = Parts<'j>;
    type SerializeMap = ser::Impossible<(), Error>;
    type SerializeStruct = Parts<'j>;
    type SerializeStructVariant = Parts<'j>;

    numbers! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.float(value.into(), format_args!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.float(value, format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(&value.to_string())
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let Parts { json, .. } = self.variant(variant, "", "")?;
        value.serialize(&mut *json)?;
        json.0.push('}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'j>, Error> {
        self.parts("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'j>, Error> {
        self.parts("[", "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'j>, Error> {
        self.parts("[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'j>, Error> {
        self.variant(variant, "[", "]}")
    }

    /// A net has none.
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(Error)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'j>, Error> {
        self.parts("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'j>, Error> {
        self.variant(variant, "{", "}}")
    }
}

impl Parts<'_> {
    fn comma(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.json.0.push(',');
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.comma();
        value.serialize(&mut *self.json)
    }

    /// The names of fields are Rust's: nothing in them has to be escaped.
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.comma();
        self.json.0.push('"');
        self.json.0.push_str(key);
        self.json.0.push_str("\":");
        value.serialize(&mut *self.json)
    }

    fn close(self) -> Result<(), Error> {
        self.json.0.push_str(self.end);
        Ok(())
    }
}

macro_rules! lists {
    ($($kind:ident: $method:ident,)*) => {$(
        impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

lists! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! structs {
    ($($kind:ident),*) => {$(
        impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &impl Serialize) -> String {
        let mut json = Json(String::new());
        value.serialize(&mut json).expect("no maps");
        json.0
    }

    #[test]
    fn everything_is_as_serde_json_reads_it() {
        #[derive(serde::Serialize)]
        enum Kind {
            Unit,
            One(i64),
            Two(u8, bool),
            Named { a: Option<f32>, b: &'static str },
        }
        let values = (
            [Kind::Unit, Kind::One(-7), Kind::Two(3, true)],
            Kind::Named { a: None, b: "\"quoted\" \\ \n\t\u{1} × ünï" },
            Kind::Named { a: Some(0.1), b: "" },
            [1.0, -0.5, 1e-5, 1e20, f64::INFINITY, f64::NAN],
            (Vec::<usize>::new(), vec![vec![1usize], vec![]], 'x', ()),
        );
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        let other = serde_json::to_string(&values).expect("plain values");
        assert_eq!(read(&written(&values)), read(&other));
        assert_eq!(written(&values).replace("1e-5", "0.00001").replace("1e20", "1e+20"), other);
    }

    #[test]
    fn a_map_is_refused() {
        let map = std::collections::BTreeMap::from([(1, 2)]);
        assert_eq!(map.serialize(&mut Json(String::new())), Err(Error));
    }
}
