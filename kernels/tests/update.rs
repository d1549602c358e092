//! Update rules: the data, interpreted, has the bits of the compiled formula, on every instruction set and in any parts; what is wrong with a rule.

mod common;

use castnet_kernels::isa::Isa;
use castnet_kernels::update::{Elements, Interpreted, Part, UpdateRule, sum_of_squares};
use castnet_kernels::update_rule;
use castnet_program::scalar::Lane;
use castnet_program::types::DType;
use common::Random;

update_rule! {
    /// All that formulas have.
    rule All<EXTRA>(parameter, gradient) {
        states { mean, most if EXTRA, narrow as bf16, wide as f64 }
        scalars { lr, keep, decay }
        update {
            let gradient = gradient + decay * parameter;
            mean = mean + keep * (gradient - mean);
            if EXTRA { most = most.max(gradient.abs()).min(T::of(3.0)); };
            narrow = -gradient / (mean * mean + T::of(0.5)).sqrt();
            wide = wide + T::select(gradient.lt(mean) & !mean.gt(wide) | wide.ge(T::of(0.9)), gradient, narrow.sign());
            parameter = parameter - lr * (wide + most);
        }
    }
}

update_rule! {
    /// A number of the whole parameter.
    rule Whole(parameter, gradient) {
        states { mean }
        scalars { lr, eps }
        begin {
            mean = mean + T::of(0.1) * (gradient - mean);
            let direction = mean + eps * parameter;
        }
        sums { squares = direction.wide() * direction.wide(), all = parameter.wide() }
        row {
            inverse = W::select(squares.gt(W::of(0.0)), W::of(1.0) / squares.sqrt(), eps),
            shift = all * eps
        }
        update { parameter = parameter - lr * (inverse * direction + shift); }
    }
}

/// Numbers of any float type, their bits.
#[derive(Clone, Debug, PartialEq)]
struct Bits(DType, Vec<u64>);

impl Bits {
    fn new(dtype: DType, values: &[f64]) -> Bits {
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

    fn elements(&mut self) -> Elements {
        Elements { base: self.1.as_mut_ptr().cast(), dtype: self.0 }
    }
}

/// A parameter with its states, and how it is updated.
struct Case {
    rule: &'static UpdateRule,
    lane: Lane,
    parameter: Bits,
    gradient: Bits,
    states: Vec<Bits>,
    numbers: Bits,
}

const N: usize = 1003;

/// Numbers that meet every branch.
fn values(seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let mut values: Vec<f64> = (0..N).map(|_| random.unit() * 2.0).collect();
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e30, -1e-40];
    odd.iter().enumerate().for_each(|(i, x)| values[seed as usize * 31 % 97 + i * 40] = *x);
    values
}

impl Case {
    fn new(rule: &'static UpdateRule, dtype: DType, seed: u64, finite: bool) -> Case {
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
        let mut numbers: Vec<f64> = [0.125, 0.3, 0.01][..rule.scalars().len()].to_vec();
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

    fn compiled(&self, isa: Isa, piece: usize) -> Case {
        let rule = self.rule;
        let mut sums = vec![0.0; rule.sums()];
        // SAFETY: the case has what its rule asks for.
        let summed = self.after(0, N, |part| unsafe {
            if rule.sums() > 0 {
                rule.sum(isa, self.lane, part, &mut sums);
                rule.row(self.lane, &sums, part.numbers);
            }
        });
        // SAFETY: as above.
        let update = |case: Case, at: usize| {
            case.after(at, piece.min(N - at), |part| unsafe { rule.update(isa, case.lane, part) })
        };
        (0..N).step_by(piece).fold(summed, update)
    }

    fn interpreted(&self, isa: Isa) -> Case {
        let interpreted = Interpreted::new(self.rule.data(self.lane), self.lane, isa).unwrap();
        // SAFETY: as above.
        self.after(0, N, |part| unsafe { interpreted.update(part) })
    }

    fn bits(self) -> (Bits, Vec<Bits>) {
        (self.parameter, self.states)
    }
}

#[test]
fn interpreted_and_compiled_have_the_same_bits() {
    for rule in [All::<false>::RULE, All::<true>::RULE, Whole::RULE] {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            let case = Case::new(rule, dtype, 5, rule.sums() > 0);
            let expected = case.interpreted(Isa::Portable).bits();
            assert!(expected != (case.parameter.clone(), case.states.clone()));
            for isa in Isa::available() {
                assert!(case.interpreted(isa).bits() == expected, "{rule:?} of {dtype}, interpreted by {isa:?}");
                for piece in [N, 1, 32, 100] {
                    let found = case.compiled(isa, piece).bits();
                    assert!(found == expected, "{rule:?} of {dtype}, by {isa:?}, in parts of {piece}");
                }
            }
        }
    }
}

/// What the numbers are, by hand.
#[test]
fn a_rule_is_its_formula() {
    let case = Case::new(Whole::RULE, DType::F64, 3, true);
    let number = |bits: &Bits| bits.1.iter().map(|x| f64::from_bits(*x)).collect::<Vec<f64>>();
    let (p, g, m) = (number(&case.parameter), number(&case.gradient), number(&case.states[0]));
    let mean: Vec<f64> = m.iter().zip(&g).map(|(m, g)| m + 0.1 * (0.75 * g - m)).collect();
    let direction: Vec<f64> = mean.iter().zip(&p).map(|(m, p)| m + 0.3 * p).collect();
    let inverse = 1.0 / direction.iter().map(|x| x * x).sum::<f64>().sqrt();
    let shift = 0.3 * p.iter().sum::<f64>();
    let (parameter, states) = case.compiled(Isa::detect(), N).bits();
    assert_eq!(number(&states[0]), mean);
    for ((found, p), d) in number(&parameter).iter().zip(&p).zip(&direction) {
        let expected = p - 0.125 * (inverse * d + shift);
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }
}

#[test]
fn what_is_wrong_with_a_rule() {
    let rule = || Whole::RULE.data(Lane::F32);
    assert_eq!(rule().verify(Lane::F32), Ok(()));
    assert!(rule().reduces() && !All::<true>::RULE.data(Lane::F32).reduces());
    let wrong = |change: fn(&mut castnet_program::update::Rule)| {
        let mut rule = rule();
        change(&mut rule);
        rule.verify(Lane::F32).unwrap_err()
    };
    assert_eq!(wrong(|r| r.stages.truncate(2)), "rule Whole: not everything is stored");
    assert!(wrong(|r| r.states[0].dtype = Some(DType::F64)).contains("Load(2) is Some(F64) and read as F32"));
    assert!(wrong(|r| r.scalars.truncate(1)).contains("there is no load 4"));
    assert!(wrong(|r| r.stages.swap(0, 1)).contains("Row(0) is None"));
    assert!(rule().verify(Lane::F64).unwrap_err().contains("read as F32"));
}

#[test]
fn sums_of_squares() {
    let mut random = Random(7);
    let x: Vec<f32> = (0..N).map(|_| random.unit() as f32).collect();
    let want: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let sums: Vec<f64> = Isa::available().into_iter().map(|isa| sum_of_squares(isa, &x)).collect();
    assert!(sums.iter().all(|s| (s - want).abs() < 1e-12 * want && s.to_bits() == sums[0].to_bits()));
}
