//! Operands: numbers of any type, with strides or in panels.

use castnet_program::program::{Layout, Strided};
use castnet_program::size::Size;
use castnet_program::types::DType;
use half::{bf16, f16};

use super::memory::Guarded;

/// A small generator (xorshift64*).
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.next() as usize % options.len()]
    }

    /// In [-1, 1), with all digits of an f64.
    fn number(&mut self) -> f64 {
        self.next() as u32 as f64 / (1u64 << 31) as f64 - 1.0 + self.next() as u32 as f64 / (1u64 << 63) as f64
    }
}

/// The bytes of a number of a type.
fn bytes(dtype: DType, x: f64) -> Vec<u8> {
    match dtype {
        DType::F64 => x.to_ne_bytes().to_vec(),
        DType::F32 => (x as f32).to_ne_bytes().to_vec(),
        DType::F16 => f16::from_f32(x as f32).to_ne_bytes().to_vec(),
        DType::BF16 => bf16::from_f32(x as f32).to_ne_bytes().to_vec(),
        other => panic!("no operand is {other}"),
    }
}

/// The number that bytes of a type are.
fn number(dtype: DType, bytes: &[u8]) -> f64 {
    match dtype {
        DType::F64 => f64::from_ne_bytes(bytes.try_into().unwrap()),
        DType::F32 => f32::from_ne_bytes(bytes.try_into().unwrap()).into(),
        DType::F16 => f16::from_ne_bytes(bytes.try_into().unwrap()).into(),
        DType::BF16 => bf16::from_ne_bytes(bytes.try_into().unwrap()).into(),
        other => panic!("no operand is {other}"),
    }
}

/// Numbers with strides, in memory that ends where its last element does.
pub(super) struct Array {
    dtype: DType,
    shape: Vec<i64>,
    pub strides: Vec<i64>,
    memory: Guarded,
}

impl Array {
    fn new(dtype: DType, shape: &[i64], strides: Vec<i64>, values: impl Iterator<Item = f64>) -> Array {
        let memory = Guarded::new(&values.flat_map(|x| bytes(dtype, x)).collect::<Vec<_>>());
        Array { dtype, shape: shape.to_vec(), strides, memory }
    }

    /// Random numbers; the dims lie in a random order, now and then with gaps. Dims in `still` get stride 0.
    pub fn random(rng: &mut Random, dtype: DType, shape: &[i64], still: &[usize]) -> Array {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        if rng.of(&[true, false]) {
            for i in (1..order.len()).rev() {
                order.swap(i, rng.next() as usize % (i + 1));
            }
        }
        let (mut strides, mut next) = (vec![0; shape.len()], 1);
        for &d in order.iter().rev() {
            if !still.contains(&d) {
                strides[d] = next;
                next = next * shape[d] + rng.of(&[0, 0, 0, 0, 3]);
            }
        }
        let last: i64 = shape.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum();
        Array::new(dtype, shape, strides, (0..=last).map(|_| rng.number()))
    }

    /// Random numbers, row-major.
    pub fn plain(rng: &mut Random, dtype: DType, shape: &[i64]) -> Array {
        let strides = (1..=shape.len()).map(|d| shape[d..].iter().product()).collect();
        Array::new(dtype, shape, strides, (0..shape.iter().product()).map(|_| rng.number()))
    }

    /// These numbers, row-major.
    pub fn of(dtype: DType, shape: &[i64], values: &[f64]) -> Array {
        let strides = (1..=shape.len()).map(|d| shape[d..].iter().product()).collect();
        Array::new(dtype, shape, strides, values.iter().copied())
    }

    /// Random numbers as panels.
    pub fn panels(rng: &mut Random, dtype: DType, shape: &[i64]) -> Array {
        let layout = Layout::Panels((1..shape.len()).collect());
        let mut values = vec![0.0; layout.floats(shape) as usize];
        for index in indices(shape) {
            values[layout.position(shape, &index) as usize] = rng.number();
        }
        Array::new(dtype, shape, vec![], values.into_iter())
    }

    /// The same, rounded to another type.
    pub fn to(&self, dtype: DType) -> Array {
        let values = self.memory.slice().chunks(self.dtype.bytes()).map(|x| number(self.dtype, x));
        Array::new(dtype, &self.shape, self.strides.clone(), values)
    }

    /// The same with its dims in another order, the first outermost, and so many numbers between their rows.
    pub fn laid(&self, order: &[usize], gap: i64) -> Array {
        let (mut strides, mut next) = (vec![0; order.len()], 1);
        for &d in order.iter().rev() {
            strides[d] = next;
            next = next * self.shape[d] + gap;
        }
        let last: i64 = self.shape.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum();
        let mut values = vec![0.0; last as usize + 1];
        for index in indices(&self.shape) {
            let position: i64 = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
            values[position as usize] = self.at(&index);
        }
        Array::new(self.dtype, &self.shape, strides, values.into_iter())
    }

    pub fn at(&self, index: &[i64]) -> f64 {
        let position = match self.strides.is_empty() {
            true => Layout::Panels((1..self.shape.len()).collect()).position(&self.shape, index),
            false => index.iter().zip(&self.strides).map(|(i, s)| i * s).sum(),
        };
        let width = self.dtype.bytes();
        number(self.dtype, &self.memory.slice()[position as usize * width..][..width])
    }

    pub fn data(&self, buffer: usize) -> Strided {
        Strided::new(buffer, self.strides.iter().map(|&s| Size::constant(s)).collect())
    }

    pub fn start(&self) -> *mut u8 {
        self.memory.start()
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }
}

/// All indices of a shape, in row-major order.
pub(super) fn indices(shape: &[i64]) -> impl Iterator<Item = Vec<i64>> {
    (0..shape.iter().product::<i64>()).map(move |mut flat| {
        let mut index = vec![0; shape.len()];
        for d in (0..shape.len()).rev() {
            index[d] = flat % shape[d];
            flat /= shape[d];
        }
        index
    })
}
