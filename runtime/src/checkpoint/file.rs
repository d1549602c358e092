//! Reading and writing safetensors files, a piece at a time: neither holds a tensor, let alone a file, in memory once more.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use castnet_program::net::METADATA;
use castnet_program::types::{DType, Type};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::background::settle;
use super::elements;
use crate::array::Array;
use crate::error::{Error, Result, type_text};
use crate::float::{Float, FloatType, with_float};
use crate::layout;
use crate::memory::{Memory, collected};
use crate::net::Loaded;
use crate::replace::replace_with;

/// How much is read and written at once, a multiple of every element's size.
const PIECE: usize = 1 << 16;

/// The longest header, as the format's own library has it.
const MOST_HEADER: u64 = 100_000_000;

/// What is made of a header takes at most so many times its bytes: a number of two characters becomes 32 bytes in a list that doubles.
const PARSED: usize = 64;

/// A file whose header was read and fits its length.
pub(super) struct Reader {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the tensors' bytes start.
    data: u64,
    /// Floats become those of another type also where that has fewer digits.
    rounds: bool,
}

/// Why a tensor was not read.
pub(super) enum Fault {
    /// It is not what it should be, which is told with all else that is wrong with the file.
    Mistake(String),
    /// The file cannot be read any further, or there is no memory.
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Failed(error)
    }
}

impl Fault {
    /// Notes a mistake.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn note(self, mistakes: &mut Vec<String>) -> Result<()> {
        match self {
            Fault::Mistake(mistake) => mistakes.push(mistake),
            Fault::Failed(error) => return Err(error),
        }
        Ok(())
    }
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Reader> {
        let unreadable = || Error::io(path, "cannot be read");
        let bad = |e: SafeTensorError| Error::NotACheckpoint { path: path.to_path_buf(), reason: e.to_string() };
        settle();
        let mut file = File::open(path).map_err(unreadable())?;
        let whole = file.metadata().map_err(unreadable())?.len();
        let mut length = [0; 8];
        if whole < 8 {
            return Err(bad(SafeTensorError::HeaderTooSmall));
        }
        file.read_exact(&mut length).map_err(unreadable())?;
        let length = u64::from_le_bytes(length);
        if length > MOST_HEADER {
            return Err(bad(SafeTensorError::HeaderTooLarge));
        }
        if length > whole - 8 {
            return Err(bad(SafeTensorError::InvalidHeaderLength));
        }
        let bytes = length as usize;
        let no_memory = |bytes| Error::Memory { function: format!("the header of {}", path.display()), bytes };
        let mut header = collected(bytes, std::iter::repeat_n(0u8, bytes)).ok_or_else(|| no_memory(bytes))?;
        file.read_exact(&mut header).map_err(unreadable())?;
        // Whether there is room for what is made of it, which nobody asks later.
        let parsed = bytes.saturating_mul(PARSED);
        Vec::<u8>::new().try_reserve_exact(parsed).map_err(|_| no_memory(parsed))?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| bad(SafeTensorError::InvalidHeaderDeserialization(e)))?;
        if (metadata.data_len() as u64).checked_add(8 + length) != Some(whole) {
            return Err(bad(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Reader { path: path.to_path_buf(), file, metadata, data: 8 + length, rounds: false })
    }

    /// The same, rounding the file's floats to types of fewer digits.
    pub(super) fn rounding(self) -> Reader {
        Reader { rounds: true, ..self }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, sorted.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = self.metadata.offset_keys();
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

    /// A tensor of this type (`shape`: what its open sizes are), or what is wrong with it. Floats are widened, whole numbers become the integer
    /// type that is wanted.
    pub(super) fn array(&self, key: &str, shape: Option<&[usize]>, ty: &Type) -> Result<Array, Fault> {
        let info = self.info(key)?;
        let wrong = || Fault::Mistake(format!("`{key}`: {}, expected {ty}", found(info)));
        let shape = shape.ok_or_else(wrong)?;
        let mut array = Array::zeros_for(ty.dtype, shape, || key.to_string())?;
        if let Some(float) = FloatType::of(ty.dtype) {
            with_float!(float, T => {
                let to = array.as_mut_slice::<T>()?;
                self.floats(key, shape, |start, piece| to[start..start + piece.len()].copy_from_slice(piece))?;
            });
            return Ok(array);
        }
        let width = ty.dtype.bytes();
        self.pieces(info, |start, bytes| {
            let converted = match dtype_of(ty.dtype) == info.dtype {
                true if ty.dtype == DType::Bool && bytes.iter().any(|b| *b > 1) => None,
                true => Some(None),
                false => elements::converted(info.dtype, bytes, ty.dtype).map(Some),
            };
            let converted = converted.ok_or_else(wrong)?;
            let start = start / (info.dtype.bitsize() / 8) * width;
            array.set_le_bytes(start, converted.as_deref().unwrap_or(bytes));
            Ok(())
        })?;
        Ok(array)
    }

    /// Hands out a tensor's elements as numbers of a float type, in pieces, each with the number of its first element; or says what is wrong with it.
    pub(super) fn floats<T: Float>(
        &self,
        key: &str,
        shape: &[usize],
        mut take: impl FnMut(usize, &[T]),
    ) -> Result<(), Fault> {
        let info = self.info(key)?;
        let mistake = || format!("`{key}`: {}, expected {}", found(info), type_text(T::DTYPE, shape));
        let wrong = || Fault::Mistake(mistake());
        if info.shape != shape {
            return Err(wrong());
        }
        let floats = matches!(info.dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16);
        if floats && !self.rounds && !elements::is_lossless(info.dtype, T::DTYPE) {
            return Err(Fault::Mistake(format!("{}: `load_rounded` rounds its numbers", mistake())));
        }
        self.pieces(info, |start, bytes| {
            let floats = elements::floats(info.dtype, bytes).ok_or_else(wrong)?;
            take(start / (info.dtype.bitsize() / 8), &floats);
            Ok(())
        })
    }

    fn info(&self, key: &str) -> Result<&TensorInfo, Fault> {
        self.metadata.info(key).ok_or_else(|| Fault::Mistake(format!("`{key}`: missing")))
    }

    /// Hands out a tensor's bytes in pieces, each with the number of its first byte: one at least, so that the type of an empty tensor is seen
    /// too.
    fn pieces(&self, info: &TensorInfo, mut take: impl FnMut(usize, &[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let unreadable = || Error::io(&self.path, "cannot be read");
        let (from, to) = info.data_offsets;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.data + from as u64)).map_err(unreadable())?;
        let mut piece = [0; PIECE];
        let (whole, mut start) = (to - from, 0);
        loop {
            let piece = &mut piece[..PIECE.min(whole - start)];
            file.read_exact(piece).map_err(unreadable())?;
            take(start, piece)?;
            start += piece.len();
            if start == whole {
                return Ok(());
            }
        }
    }
}

/// Type and shape of a tensor in a file: `f32[2, 3]`.
fn found(info: &TensorInfo) -> String {
    format!("{}{:?}", format!("{:?}", info.dtype).to_lowercase(), info.shape)
}

/// A tensor to be written, where it lies.
pub(super) enum Source<'a> {
    /// The parameter with this number, or what lies as it does, in a flat arena of this type.
    LaidOut(&'a Loaded, usize, &'a Memory, FloatType),
    Whole(&'a Array),
}

impl Source<'_> {
    fn dtype(&self) -> DType {
        match self {
            Source::LaidOut(.., float) => float.dtype(),
            Source::Whole(array) => array.dtype(),
        }
    }

    fn shape(&self) -> Vec<usize> {
        match self {
            Source::LaidOut(loaded, number, ..) => layout::shape_of(&loaded.net.parameters[*number]),
            Source::Whole(array) => array.shape().to_vec(),
        }
    }

    fn bytes(&self) -> usize {
        self.dtype().bytes() * self.shape().iter().product::<usize>()
    }

    /// Writes the elements in row-major order, as little-endian bytes.
    fn write(&self, file: &mut dyn Write) -> io::Result<()> {
        match self {
            Source::Whole(array) => array.write_le(file),
            Source::LaidOut(loaded, number, arena, float) => with_float!(*float, T => {
                let parameter = &loaded.net.parameters[*number];
                let laid_out = &arena.slice::<T>()[loaded.range(*number)];
                let mut plain = [T::default(); PIECE / 16];
                let mut bytes = [0; PIECE / 2];
                let count = parameter.len();
                for start in (0..count).step_by(plain.len()) {
                    let plain = &mut plain[..(PIECE / 16).min(count - start)];
                    layout::unpack(&loaded.net, *number, start, laid_out, plain);
                    let bytes = &mut bytes[..size_of_val(plain)];
                    bytes.as_chunks_mut().0.iter_mut().zip(plain).for_each(|(to, x)| *to = x.to_le_bytes());
                    file.write_all(bytes)?;
                }
                Ok(())
            }),
        }
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
        DType::I16 => Dtype::I16,
        DType::I32 => Dtype::I32,
        DType::U32 => Dtype::U32,
        DType::I64 => Dtype::I64,
        DType::Bool => Dtype::BOOL,
    }
}

/// Writes tensors, and at most one entry of metadata, so that equal contents are equal bytes, in the order of the format's own library. What could
/// not be read again is not written.
pub(super) fn write(
    path: &Path,
    mut tensors: Vec<(String, Source<'_>)>,
    metadata: Option<(&str, String)>,
) -> Result<()> {
    let unwritable = |reason: String| Error::CannotBeSaved { path: path.to_path_buf(), reason };
    let mut keys = HashSet::new();
    for (key, _) in &tensors {
        if key == METADATA {
            return Err(unwritable(format!("`{key}` is the format's own, no name of a tensor")));
        }
        if !keys.insert(key.as_str()) {
            return Err(unwritable(format!("two tensors are called `{key}`")));
        }
    }
    let header = header(&mut tensors, metadata).map_err(|e| unwritable(e.to_string()))?;
    replace_with(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|(_, tensor)| tensor.write(file))
    })
}

/// Brings the tensors into their order; the text that says where each of them lies.
fn header(tensors: &mut [(String, Source<'_>)], metadata: Option<(&str, String)>) -> Result<Vec<u8>, SafeTensorError> {
    if metadata.as_ref().is_some_and(|(_, text)| text.len() as u64 > MOST_HEADER) {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    // The widest elements first, so that each lies on a boundary of its own.
    tensors
        .sort_by(|(a, left), (b, right)| dtype_of(right.dtype()).cmp(&dtype_of(left.dtype())).then_with(|| a.cmp(b)));
    let mut end = 0;
    let infos = tensors.iter().map(|(key, tensor)| {
        let start = end;
        end += tensor.bytes();
        let (dtype, shape) = (dtype_of(tensor.dtype()), tensor.shape());
        (key.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    });
    let infos = infos.collect();
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_string(), text)]));
    let mut header = serde_json::to_vec(&Metadata::new(metadata, infos)?)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    match header.len() as u64 > MOST_HEADER {
        true => Err(SafeTensorError::HeaderTooLarge),
        false => Ok(header),
    }
}
