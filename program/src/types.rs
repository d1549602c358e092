//! Element types, shapes and tensor types.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::size::Size;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names say it all.
pub enum DType {
    #[default]
    F32,
    F16,
    BF16,
    F64,
    I8,
    U8,
    I16,
    I32,
    U32,
    I64,
    Bool,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 11] = [
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::F64,
        DType::I8,
        DType::U8,
        DType::I16,
        DType::I32,
        DType::U32,
        DType::I64,
        DType::Bool,
    ];

    /// The name in source code: `f32`.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F64 => "f64",
            DType::I8 => "i8",
            DType::U8 => "u8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::U32 => "u32",
            DType::I64 => "i64",
            DType::Bool => "bool",
        }
    }

    /// The type with this name.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.name() == name)
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            DType::I8 | DType::U8 | DType::Bool => 1,
            DType::F16 | DType::BF16 | DType::I16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::F64 | DType::I64 => 8,
        }
    }

    /// `f16`, `bf16`, `f32` or `f64`.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16 | DType::BF16 | DType::F64)
    }

    /// `f16` or `bf16`: computed in f32, and rounded.
    pub fn is_half(self) -> bool {
        matches!(self, DType::F16 | DType::BF16)
    }

    /// The type in which values of this type are computed, if it is a float type: f32 for halves.
    pub fn computed(self) -> DType {
        if self.is_half() { DType::F32 } else { self }
    }

    /// An integer type, signed or not.
    pub fn is_int(self) -> bool {
        !self.is_float() && self != DType::Bool
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The sizes of a tensor's axes, outermost first: a list that is copied at no cost, as every pass copies every node.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(Arc<[Size]>);

impl Shape {
    /// Puts an axis in front of axis `at`.
    pub fn insert(&mut self, at: usize, size: Size) {
        let mut sizes = self.0.to_vec();
        sizes.insert(at, size);
        *self = sizes.into();
    }

    /// Takes an axis out.
    pub fn remove(&mut self, at: usize) -> Size {
        let mut sizes = self.0.to_vec();
        let size = sizes.remove(at);
        *self = sizes.into();
        size
    }
}

impl From<Vec<Size>> for Shape {
    fn from(sizes: Vec<Size>) -> Shape {
        Shape(sizes.into())
    }
}

impl From<&[Size]> for Shape {
    fn from(sizes: &[Size]) -> Shape {
        Shape(sizes.into())
    }
}

impl FromIterator<Size> for Shape {
    fn from_iter<I: IntoIterator<Item = Size>>(sizes: I) -> Shape {
        Shape(sizes.into_iter().collect())
    }
}

impl Deref for Shape {
    type Target = [Size];
    fn deref(&self) -> &[Size] {
        &self.0
    }
}

impl DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut [Size] {
        Arc::make_mut(&mut self.0)
    }
}

impl PartialEq<&[Size]> for Shape {
    fn eq(&self, other: &&[Size]) -> bool {
        self.0[..] == **other
    }
}

impl PartialEq<Vec<Size>> for Shape {
    fn eq(&self, other: &Vec<Size>) -> bool {
        self.0[..] == other[..]
    }
}

impl<'s> IntoIterator for &'s Shape {
    type Item = &'s Size;
    type IntoIter = std::slice::Iter<'s, Size>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shape_text(self))
    }
}

/// Element type and shape of a tensor; a scalar has the empty shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Type {
    /// The type of the elements.
    pub dtype: DType,
    /// Outermost axis first.
    pub shape: Shape,
}

impl Type {
    /// A tensor type.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Type {
        Type { dtype, shape: shape.into() }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn len(&self) -> Size {
        Size::product(&self.shape)
    }

    /// Writes what `Display` does.
    pub fn write_to(&self, text: &mut String) {
        text.push_str(self.dtype.name());
        if !self.is_scalar() {
            write_shape(text, &self.shape);
        }
    }

    /// Whether this is the type of a scalar.
    pub fn is_scalar(&self) -> bool {
        self.shape.is_empty()
    }
}

/// `[N, 1, 28, 28]`.
pub fn shape_text(shape: &[Size]) -> String {
    let mut text = String::new();
    write_shape(&mut text, shape);
    text
}

fn write_shape(text: &mut String, shape: &[Size]) {
    text.push('[');
    for (axis, size) in shape.iter().enumerate() {
        text.push_str(if axis == 0 { "" } else { ", " });
        size.write_to(text);
    }
    text.push(']');
}

impl fmt::Display for Type {
    /// `f32[N, 1, 28, 28]`, a scalar as `f32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

/// The shape of `a ∘ b` by NumPy's broadcasting: trailing axes meet, a constant 1 stretches.
///
/// `None` if an axis pair is neither equal nor has a constant 1; a run-time size is never taken to be 1.
pub fn broadcast(a: &[Size], b: &[Size]) -> Option<Vec<Size>> {
    let rank = a.len().max(b.len());
    let axis = |s: &[Size], i: usize| (i + s.len()).checked_sub(rank).map(|j| s[j].clone());
    (0..rank)
        .map(|i| match (axis(a, i), axis(b, i)) {
            (Some(x), Some(y)) if x == y || y.is(1) => Some(x),
            (Some(x), Some(y)) if x.is(1) => Some(y),
            (Some(_), Some(_)) => None,
            (x, y) => x.or(y),
        })
        .collect()
}
