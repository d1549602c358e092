//! Update rules: the data, interpreted, has the bits of the compiled formula, on every instruction set and in any parts; what is wrong with a rule.

#[path = "common/rules.rs"]
mod rules;

use castnet_kernels::isa::Isa;
use castnet_kernels::update::sum_of_squares;
use castnet_kernels::update_rule;
use castnet_program::scalar::Lane;
use castnet_program::types::DType;
use rules::{Bits, Case, N};

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

#[test]
fn interpreted_and_compiled_have_the_same_bits() {
    for rule in [All::<false>::RULE, All::<true>::RULE, Whole::RULE] {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            let scalars = &[0.125, 0.3, 0.01][..rule.scalars().len()];
            let case = Case::new(rule, scalars, dtype, 5, rule.sums() > 0);
            let expected = case.interpreted(Isa::Portable).bits();
            assert!(expected.0 != case.parameter.numbers());
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
    let case = Case::new(Whole::RULE, &[0.125, 0.3], DType::F64, 3, true);
    let number = |bits: &Bits| bits.1.iter().map(|x| f64::from_bits(*x)).collect::<Vec<f64>>();
    let (p, g, m) = (number(&case.parameter), number(&case.gradient), number(&case.states[0]));
    let mean: Vec<f64> = m.iter().zip(&g).map(|(m, g)| m + 0.1 * (0.75 * g - m)).collect();
    let direction: Vec<f64> = mean.iter().zip(&p).map(|(m, p)| m + 0.3 * p).collect();
    let inverse = 1.0 / direction.iter().map(|x| x * x).sum::<f64>().sqrt();
    let shift = 0.3 * p.iter().sum::<f64>();
    let after = case.compiled(Isa::detect(), N);
    assert_eq!(number(&after.states[0]), mean);
    for ((found, p), d) in number(&after.parameter).iter().zip(&p).zip(&direction) {
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
    let x: Vec<f32> = (0..N).map(|i| (i as f32 * 0.7).sin()).collect();
    let want: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let sums: Vec<f64> = Isa::available().into_iter().map(|isa| sum_of_squares(isa, &x)).collect();
    assert!(sums.iter().all(|s| (s - want).abs() < 1e-12 * want && s.to_bits() == sums[0].to_bits()));
}
