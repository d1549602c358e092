//! A parameter, updated by a rule: by compiled functions in parts, and by the interpreter.
#![allow(dead_code)] // Each test uses its part.

use castnet_kernels::isa::Isa;
use castnet_kernels::update::{Elements, Interpreted, Part, UpdateRule};
use castnet_program::scalar::Lane;
use castnet_program::types::DType;

/// Numbers of any float type, their bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Bits(pub DType, pub Vec<u64>);

impl Bits {
    pub fn new(dtype: DType, values: &[f64]) -> Bits {
        let bits = |x: &f64| match dtype {
            DType::F16 => half::f16::from_f64(*x).to_bits().into(),
            DType::BF16 => half::bf16::from_f64(*x).to_bits().into(),
            DType::F32 => (*x as f32).to_bits().into(),
            _ => x.to_bits(),
        };
        let bytes = values.iter().flat_map(|x| bits(x).to_le_bytes()[..dtype.bytes()].to_vec());
        let mut bytes: Vec<u8> = bytes.collect();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        Bits(dtype, bytes.chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect())
    }

    /// The bits of each number, those of every NaN the same.
    pub fn numbers(&self) -> Vec<u64> {
        let bytes: Vec<u8> = self.1.iter().flat_map(|word| word.to_le_bytes()).collect();
        let number = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            let bits = u64::from_le_bytes(word);
            let is_nan = match self.0 {
                DType::F16 => half::f16::from_bits(bits as u16).is_nan(),
                DType::BF16 => half::bf16::from_bits(bits as u16).is_nan(),
                DType::F32 => f32::from_bits(bits as u32).is_nan(),
                _ => f64::from_bits(bits).is_nan(),
            };
            if is_nan { u64::MAX } else { bits }
        };
        bytes.chunks_exact(self.0.bytes()).take(N).map(number).collect()
    }

    fn elements(&mut self) -> Elements {
        Elements { base: self.1.as_mut_ptr().cast(), dtype: self.0 }
    }
}

/// A parameter with its states, and how it is updated.
pub struct Case {
    pub rule: &'static UpdateRule,
    pub lane: Lane,
    pub parameter: Bits,
    pub gradient: Bits,
    pub states: Vec<Bits>,
    pub numbers: Bits,
}

pub const N: usize = 1003;

/// Numbers that meet every branch.
fn values(seed: u64) -> Vec<f64> {
    // A linear congruence: any numbers will do.
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut number = || {
        word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (word >> 40) as f64 / (1u64 << 22) as f64 - 2.0
    };
    let mut values: Vec<f64> = (0..N).map(|_| number()).collect();
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e30, -1e-40];
    odd.iter().enumerate().for_each(|(i, x)| values[seed as usize * 31 % 97 + i * 40] = *x);
    values
}

impl Case {
    /// With these scalars; `finite`: no numbers that a sum does not survive.
    pub fn new(rule: &'static UpdateRule, scalars: &[f64], dtype: DType, seed: u64, finite: bool) -> Case {
        let values = |seed| {
            let all = values(seed);
            if finite {
                all.iter().map(|x| if x.is_finite() { x.clamp(-9.0, 9.0) } else { 0.5 }).collect()
            } else {
                all
            }
        };
        let states = rule.states().iter().zip(seed + 2..);
        let states = states.map(|((_, of), seed)| Bits::new(of.unwrap_or(dtype), &values(seed))).collect();
        let mut numbers = scalars.to_vec();
        numbers.resize(rule.numbers(), f64::NAN);
        let lane = dtype.lane();
        let (parameter, gradient) = (Bits::new(dtype, &values(seed)), Bits::new(lane.dtype(), &values(seed + 1)));
        Case { rule, lane, parameter, gradient, states, numbers: Bits::new(lane.dtype(), &numbers) }
    }

    /// The parameter and the states after `run`, which is handed some elements.
    fn after(&self, from: usize, len: usize, run: impl FnOnce(&Part<'_>)) -> Case {
        let (mut parameter, mut states, mut numbers) =
            (self.parameter.clone(), self.states.clone(), self.numbers.clone());
        let mut gradient = self.gradient.clone();
        let mut first = gradient.elements();
        first.base = first.base.wrapping_add(from * first.dtype.bytes());
        run(&Part {
            parameter: parameter.elements(),
            gradient: first,
            states: &states.iter_mut().map(Bits::elements).collect::<Vec<_>>(),
            start: from,
            len,
            factor: 0.75,
            numbers: numbers.elements().base,
        });
        Case { rule: self.rule, lane: self.lane, parameter, gradient, states, numbers }
    }

    /// By compiled functions, in parts of so many elements.
    pub fn compiled(&self, isa: Isa, piece: usize) -> Case {
        let rule = self.rule;
        let mut sums = vec![0.0; rule.sums()];
        // SAFETY: the case has what its rule asks for.
        let summed = self.after(0, N, |part| unsafe {
            if rule.sums() > 0 {
                rule.sum(isa, self.lane, part, &mut sums);
                rule.row(self.lane, &sums, part.numbers);
            }
        });
        let update = |case: Case, at: usize| {
            // SAFETY: as above.
            case.after(at, piece.min(N - at), |part| unsafe { rule.update(isa, case.lane, part) })
        };
        (0..N).step_by(piece).fold(summed, update)
    }

    /// By the data.
    pub fn interpreted(&self, isa: Isa) -> Case {
        let interpreted = Interpreted::new(self.rule.data(self.lane), self.lane, isa).unwrap();
        // SAFETY: as above.
        self.after(0, N, |part| unsafe { interpreted.update(part) })
    }

    /// Parameter and states; which NaN a NaN is means nothing.
    pub fn bits(self) -> (Vec<u64>, Vec<Vec<u64>>) {
        (self.parameter.numbers(), self.states.iter().map(Bits::numbers).collect())
    }
}
