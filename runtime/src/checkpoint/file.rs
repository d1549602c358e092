//! Reading and writing safetensors files.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use castnet_graph::types::{DType, Type};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, View};

use super::elements;
use crate::array::Array;
use crate::error::{Error, Result, type_text};
use crate::replace::replace;

/// A file that was read and found whole.
pub(super) struct Reader {
    path: PathBuf,
    bytes: Vec<u8>,
    metadata: Metadata,
    /// Where the tensors' bytes start.
    data: usize,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Reader> {
        let bytes = fs::read(path).map_err(Error::io(path, "cannot be read"))?;
        let bad =
            |e: safetensors::SafeTensorError| Error::NotACheckpoint { path: path.to_path_buf(), reason: e.to_string() };
        // Also compares the length of the file with what the header says.
        SafeTensors::deserialize(&bytes).map_err(bad)?;
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(bad)?;
        Ok(Reader { path: path.to_path_buf(), bytes, metadata, data: header + 8 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, sorted.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.metadata.tensors().into_keys().collect();
        keys.sort();
        keys
    }

    /// An entry of the file's metadata.
    pub(super) fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The shape of a tensor, if it is there.
    pub(super) fn shape(&self, key: &str) -> Option<&[usize]> {
        Some(&self.metadata.info(key)?.shape)
    }

    /// A tensor of this type (`shape`: what its open sizes are), or what is wrong with it. Floats are converted to f32, whole numbers to the
    /// integer type that is wanted.
    pub(super) fn array(&self, key: &str, shape: Option<&[usize]>, ty: &Type) -> Result<Array, String> {
        let Some(info) = self.metadata.info(key) else { return Err(format!("`{key}`: missing")) };
        let found = || format!("{}{:?}", format!("{:?}", info.dtype).to_lowercase(), info.shape);
        let wrong = || format!("`{key}`: {}, expected {ty}", found());
        let shape = shape.ok_or_else(wrong)?;
        if ty.dtype == DType::F32 {
            let floats = self.floats(key, shape)?;
            return Array::from_vec(shape, floats).map_err(|e| e.to_string());
        }
        let bytes = &self.bytes[self.data + info.data_offsets.0..self.data + info.data_offsets.1];
        if dtype_of(ty.dtype) == info.dtype {
            if ty.dtype == DType::Bool && bytes.iter().any(|b| *b > 1) {
                return Err(wrong());
            }
            return Array::from_bytes(ty.dtype, shape, bytes).map_err(|e| e.to_string());
        }
        let converted = elements::integers(info.dtype, bytes, ty.dtype).ok_or_else(wrong)?;
        Array::from_bytes(ty.dtype, shape, &converted).map_err(|e| e.to_string())
    }

    /// A tensor's elements as f32, or what is wrong with it.
    pub(super) fn floats(&self, key: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let Some(info) = self.metadata.info(key) else { return Err(format!("`{key}`: missing")) };
        let expected = type_text(DType::F32, shape);
        if info.shape != shape {
            let dtype = format!("{:?}", info.dtype).to_lowercase();
            return Err(format!("`{key}`: {dtype}{:?}, expected {expected}", info.shape));
        }
        let bytes = &self.bytes[self.data + info.data_offsets.0..self.data + info.data_offsets.1];
        elements::floats(info.dtype, bytes).ok_or_else(|| {
            format!("`{key}`: {}{shape:?}, expected {expected}", format!("{:?}", info.dtype).to_lowercase())
        })
    }
}

/// A tensor to be written.
struct Tensor(Array);

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        dtype_of(self.0.dtype())
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.le_bytes())
    }

    fn data_len(&self) -> usize {
        self.0.dtype().bytes() * self.0.len()
    }
}

/// The element type as the format calls it.
fn dtype_of(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F64 => Dtype::F64,
        DType::I8 => Dtype::I8,
        DType::U8 => Dtype::U8,
        DType::I32 => Dtype::I32,
        DType::U32 => Dtype::U32,
        DType::I64 => Dtype::I64,
        DType::Bool => Dtype::BOOL,
    }
}

/// Writes tensors, and at most one entry of metadata, so that equal contents are equal bytes.
pub(super) fn write(path: &Path, tensors: Vec<(String, Array)>, metadata: Option<(&str, String)>) -> Result<()> {
    let tensors: Vec<_> = tensors.into_iter().map(|(key, array)| (key, Tensor(array))).collect();
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_string(), text)]));
    let views = tensors.iter().map(|(key, tensor)| (key.as_str(), tensor));
    let bytes = safetensors::serialize(views, metadata).map_err(|e| Error::Io {
        path: path.to_path_buf(),
        what: "cannot be written",
        source: std::io::Error::other(e),
    })?;
    replace(path, &bytes)
}
