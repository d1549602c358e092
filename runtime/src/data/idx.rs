//! The IDX file format of MNIST: a magic number, the sizes, the elements, all big-endian.
//!
//! ```text
//! 00 00 TYPE RANK   size of axis 0 (u32) …   elements, last axis fastest
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use castnet_program::types::DType;
use flate2::bufread::MultiGzDecoder;

use crate::array::{Array, Element};
use crate::error::{Error, Result, type_text};

/// Reads IDX files; see [`Idx::read`].
#[derive(Clone, Copy, Debug)]
pub struct Idx;

/// How much is asked of the file at once: memory grows with what is really there, not with what a header claims.
const PIECE: usize = 1 << 20;

impl Idx {
    /// The tensor in the IDX file at `path`, of any rank, plain or compressed by gzip (told apart by content, not by name).
    ///
    /// Elements are `u8`, `i8`, `i16`, `i32`, `f32` or `f64`, as in the file.
    ///
    /// # Errors
    /// If the file cannot be read, is not IDX, breaks off, goes on after its last element, or is damaged gzip. The message names the
    /// file, the byte (of the decompressed data), what was expected there and what was found.
    ///
    /// ```no_run
    /// let labels = castnet_runtime::data::Idx::read("train-labels-idx1-ubyte.gz")?;
    /// assert_eq!(labels.shape(), [60_000]);
    /// # Ok::<(), castnet_runtime::Error>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Array> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path, "cannot be opened"))?;
        Idx::read_from(BufReader::with_capacity(1 << 16, file), path)
    }

    /// As [`Idx::read`], from anything that gives bytes; `name` stands in messages for the file.
    ///
    /// # Errors
    /// As [`Idx::read`].
    pub fn read_from(mut reader: impl BufRead, name: impl AsRef<Path>) -> Result<Array> {
        let path = name.as_ref();
        let start = reader.fill_buf().map_err(Error::io(path, "cannot be read"))?;
        match start.starts_with(&[0x1f, 0x8b]) {
            true => Source { reader: MultiGzDecoder::new(reader), path, offset: 0, gzip: true }.array(),
            false => Source { reader, path, offset: 0, gzip: false }.array(),
        }
    }
}

/// The type of the elements in the file.
#[derive(Clone, Copy)]
enum Kind {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Kind {
    fn of(code: u8) -> Option<Kind> {
        Some(match code {
            0x08 => Kind::U8,
            0x09 => Kind::I8,
            0x0b => Kind::I16,
            0x0c => Kind::I32,
            0x0d => Kind::F32,
            0x0e => Kind::F64,
            _ => return None,
        })
    }

    /// The same type in memory.
    fn dtype(self) -> DType {
        match self {
            Kind::U8 => DType::U8,
            Kind::I8 => DType::I8,
            Kind::I16 => DType::I16,
            Kind::I32 => DType::I32,
            Kind::F32 => DType::F32,
            Kind::F64 => DType::F64,
        }
    }

    fn decode(self, shape: &[usize], bytes: &[u8]) -> Result<Array> {
        match self {
            Kind::U8 => Array::from_slice(shape, bytes),
            Kind::I8 => fill(shape, bytes, |[a]| a as i8),
            Kind::I16 => fill(shape, bytes, i16::from_be_bytes),
            Kind::I32 => fill(shape, bytes, i32::from_be_bytes),
            Kind::F32 => fill(shape, bytes, f32::from_be_bytes),
            Kind::F64 => fill(shape, bytes, f64::from_be_bytes),
        }
    }
}

fn fill<T: Element, const BYTES: usize>(shape: &[usize], bytes: &[u8], f: impl Fn([u8; BYTES]) -> T) -> Result<Array> {
    let mut array = Array::try_zeros::<T>(shape)?;
    let (pieces, _) = bytes.as_chunks::<BYTES>();
    array.as_mut_slice::<T>()?.iter_mut().zip(pieces).for_each(|(to, piece)| *to = f(*piece));
    Ok(array)
}

/// A reader that knows where it is.
struct Source<'p, R> {
    reader: R,
    path: &'p Path,
    /// Decompressed bytes read so far.
    offset: u64,
    gzip: bool,
}

impl<R: Read> Source<'_, R> {
    fn array(mut self) -> Result<Array> {
        let magic = self.header("a magic number of 4 bytes")?;
        let [0, 0, code, rank] = magic else {
            return Err(self.wrong(0, "the two zero bytes that begin an IDX file", hex(&magic[..2])));
        };
        let Some(kind) = Kind::of(code) else {
            return Err(self.wrong(2, "an element type among 08, 09, 0b, 0c, 0d, 0e", hex(&[code])));
        };
        let mut shape = Vec::with_capacity(rank.into());
        for axis in 0..rank {
            let size = u32::from_be_bytes(self.header(&format!("the size of axis {axis} of {rank}"))?);
            shape.push(size as usize);
        }
        let Some(payload) = payload(kind, &shape) else {
            return Err(self.wrong(4, "sizes whose product can be held in memory", format!("{shape:?}")));
        };
        let what = type_text(kind.dtype(), &shape);
        let (header, all) = (self.offset, self.offset + payload as u64);
        let mut bytes = Vec::new();
        while bytes.len() < payload {
            let before = bytes.len();
            let piece = PIECE.min(payload - before);
            if bytes.try_reserve(piece).is_err() {
                return Err(self.wrong(
                    header,
                    &format!("to hold {what} in memory"),
                    format!("no room after {before} bytes"),
                ));
            }
            let read = self.reader.by_ref().take(piece as u64).read_to_end(&mut bytes);
            self.offset = header + bytes.len() as u64;
            self.check(read)?;
            if bytes.len() == before {
                return Err(self.wrong(
                    self.offset,
                    &format!("{all} bytes in all for {what}"),
                    self.offset.to_string(),
                ));
            }
        }
        // One byte more than there should be: it also makes gzip compare its checksum.
        let read = self.reader.by_ref().take(1).read_to_end(&mut bytes);
        match self.check(read)? {
            0 => kind.decode(&shape, &bytes),
            _ => Err(self.wrong(all, &format!("the end of the file after {what}"), "further bytes".to_string())),
        }
    }

    /// The next four bytes of the header.
    fn header(&mut self, what: &str) -> Result<[u8; 4]> {
        let mut bytes = Vec::with_capacity(4);
        let read = self.reader.by_ref().take(4).read_to_end(&mut bytes);
        self.check(read)?;
        let start = self.offset;
        self.offset += bytes.len() as u64;
        bytes.try_into().map_err(|short: Vec<u8>| {
            self.wrong(start, what, format!("the end of the file after {} bytes", start + short.len() as u64))
        })
    }

    fn wrong(&self, offset: u64, expected: &str, found: String) -> Error {
        Error::DataFile { path: self.path.to_path_buf(), offset, expected: expected.to_string(), found }
    }

    /// What the decompressor reports is about the file's content, all else about the system.
    fn check<T>(&self, result: io::Result<T>) -> Result<T> {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        result.map_err(|source| match source.kind() {
            InvalidData | InvalidInput | UnexpectedEof if self.gzip => {
                let whole = "whole gzip data";
                self.wrong(self.offset, whole, format!("a fault after {} decompressed bytes: {source}", self.offset))
            }
            _ => Error::io(self.path, "cannot be read")(source),
        })
    }
}

/// The number of bytes of all elements, if it can be counted.
fn payload(kind: Kind, shape: &[usize]) -> Option<usize> {
    let elements = shape.iter().try_fold(1u64, |n, &size| n.checked_mul(size as u64))?;
    let bytes = elements.checked_mul(kind.dtype().bytes() as u64)?;
    isize::try_from(bytes).ok()?;
    usize::try_from(bytes).ok()
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    digits.join(" ")
}
