//! Elements of any type in slices, and random views of them.

use castnet_program::types::DType;
use castnet_runtime::view::{View, ViewMut};
use castnet_runtime::{Array, bf16, f16};

use super::numbers::Numbers;

/// Elements of one type.
#[derive(Clone)]
pub enum Elements {
    F32(Vec<f32>),
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    F64(Vec<f64>),
    U8(Vec<u8>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    Bool(Vec<bool>),
}

macro_rules! each {
    ($of:expr, $elements:ident => $body:expr) => {
        match $of {
            Elements::F32($elements) => $body,
            Elements::F16($elements) => $body,
            Elements::BF16($elements) => $body,
            Elements::F64($elements) => $body,
            Elements::U8($elements) => $body,
            Elements::I32($elements) => $body,
            Elements::I64($elements) => $body,
            Elements::Bool($elements) => $body,
        }
    };
}

impl Elements {
    /// Of floats some in [-1, 1), of integers some below `below`.
    pub fn draw(dtype: DType, len: usize, below: usize, r: &mut Numbers) -> Elements {
        let mut unit = || r.unit();
        match dtype {
            DType::F32 => Elements::F32((0..len).map(|_| unit() as f32).collect()),
            DType::F16 => Elements::F16((0..len).map(|_| f16::from_f64(unit())).collect()),
            DType::BF16 => Elements::BF16((0..len).map(|_| bf16::from_f64(unit())).collect()),
            DType::F64 => Elements::F64((0..len).map(|_| unit()).collect()),
            DType::U8 => Elements::U8((0..len).map(|_| r.below(below) as u8).collect()),
            DType::I32 => Elements::I32((0..len).map(|_| r.below(below) as i32).collect()),
            DType::I64 => Elements::I64((0..len).map(|_| r.below(below) as i64).collect()),
            DType::Bool => Elements::Bool((0..len).map(|_| r.below(2) == 1).collect()),
            other => panic!("no elements of {other}"),
        }
    }

    /// The elements that a view names, in row-major order.
    pub fn array(&self, lies: &Lies) -> Array {
        each!(self, elements => {
            let picked: Vec<_> = lies.positions().into_iter().map(|at| elements[at]).collect();
            Array::from_vec(&lies.shape, picked).unwrap()
        })
    }

    pub fn view<'a>(&'a self, lies: &'a Lies) -> View<'a> {
        each!(self, elements => View::new(elements, &lies.shape, &lies.strides, lies.offset))
    }

    pub fn view_mut<'a>(&'a mut self, lies: &'a Lies) -> ViewMut<'a> {
        each!(self, elements => ViewMut::new(elements, &lies.shape, &lies.strides, lies.offset))
    }

    /// The bits of each element.
    pub fn bits(&self) -> Vec<u64> {
        match self {
            Elements::F32(x) => x.iter().map(|x| x.to_bits().into()).collect(),
            Elements::F16(x) => x.iter().map(|x| x.to_bits().into()).collect(),
            Elements::BF16(x) => x.iter().map(|x| x.to_bits().into()).collect(),
            Elements::F64(x) => x.iter().map(|x| x.to_bits()).collect(),
            Elements::U8(x) => x.iter().map(|x| (*x).into()).collect(),
            Elements::I32(x) => x.iter().map(|x| *x as u64).collect(),
            Elements::I64(x) => x.iter().map(|x| *x as u64).collect(),
            Elements::Bool(x) => x.iter().map(|x| (*x).into()).collect(),
        }
    }
}

/// The bits of each element of an array.
pub fn bits(array: &Array) -> Vec<u64> {
    let of = match array.dtype() {
        DType::F32 => Elements::F32(array.as_slice().unwrap().to_vec()),
        DType::F16 => Elements::F16(array.as_slice().unwrap().to_vec()),
        DType::BF16 => Elements::BF16(array.as_slice().unwrap().to_vec()),
        DType::F64 => Elements::F64(array.as_slice().unwrap().to_vec()),
        DType::U8 => Elements::U8(array.as_slice().unwrap().to_vec()),
        DType::I32 => Elements::I32(array.as_slice().unwrap().to_vec()),
        DType::I64 => Elements::I64(array.as_slice().unwrap().to_vec()),
        DType::Bool => Elements::Bool(array.as_slice().unwrap().to_vec()),
        other => panic!("no elements of {other}"),
    };
    of.bits()
}

/// How the elements of a view lie in a slice of a length that has room for them.
#[derive(Clone, Debug)]
pub struct Lies {
    pub shape: Vec<usize>,
    pub strides: Vec<i64>,
    pub offset: i64,
    pub len: usize,
}

impl Lies {
    /// In row-major order.
    pub fn row_major(shape: &[usize]) -> Lies {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis] as i64;
        }
        Lies { shape: shape.to_vec(), strides, offset: 0, len: shape.iter().product() }
    }

    /// Axes in any order, some turned round, with steps and gaps; if `shares`, some axes repeat one element.
    pub fn random(shape: &[usize], shares: bool, r: &mut Numbers) -> Lies {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        for i in (1..order.len()).rev() {
            if r.below(3) == 0 {
                order.swap(i, r.below(i + 1));
            }
        }
        let mut lies = Lies { shape: shape.to_vec(), strides: vec![0; shape.len()], offset: r.below(4) as i64, len: 0 };
        let mut next = 1;
        for &axis in order.iter().rev() {
            if shares && r.below(6) == 0 {
                continue;
            }
            let stride =
                next * if r.below(3) == 0 { 1 + r.below(3) as i64 } else { 1 } + r.below(8).saturating_sub(6) as i64;
            let far = stride * (shape[axis] as i64 - 1);
            next = far + stride;
            lies.strides[axis] = stride;
            if r.below(4) == 0 {
                lies.strides[axis] = -stride;
                lies.offset += far;
            }
        }
        lies.len = lies.positions().into_iter().max().map_or(0, |last| last + 1) + r.below(3);
        lies
    }

    pub fn positions(&self) -> Vec<usize> {
        let mut all = vec![self.offset];
        for (&size, stride) in self.shape.iter().zip(&self.strides) {
            all = all.iter().flat_map(|at| (0..size as i64).map(move |i| at + i * stride)).collect();
        }
        all.into_iter().map(|at| at as usize).collect()
    }
}
