//! Reductions in CUDA C: a type for each, by which the prelude's templates fold.

use super::body::lane_type;
use super::code::binary;
use crate::scalar::{Lane, Reduction};

/// The types, each with a function of two for every lane that it takes; they stand in the prelude's namespace.
pub(super) fn types() -> String {
    let mut text = String::new();
    for f in Reduction::ALL {
        text += &format!("struct {} {{\n", type_of(*f));
        for lane in Lane::ALL {
            if let Some(fold) = f.fold(lane) {
                let (name, value) = (lane_type(lane), binary(fold, lane, "a", "b"));
                text += &format!("    CN_FN {name} of({name} a, {name} b) {{ return {value}; }}\n");
            }
        }
        text += "};\n";
    }
    text
}

/// The type of a reduction.
pub(super) fn type_of(f: Reduction) -> String {
    format!("{f:?}")
}
