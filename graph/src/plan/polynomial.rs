//! Sizes as rows of numbers, to be added and compared many times while places are sought.

use crate::size::{Monomial, Size};
use rustc_hash::FxHashMap;

/// The monomials of a plan's sizes and all that divide them, and what they are worth where plans are weighed.
pub(super) struct Basis {
    monomials: Vec<Monomial>,
    /// For each sample of run-time sizes, the values of the monomials with the names less 1.
    samples: Vec<Vec<i64>>,
}

/// A size with each name `n` written as `1 + n'`: the coefficients over a [`Basis`]. As no size is less than 1, one is at most another for all
/// sizes if each of its coefficients is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Polynomial(Box<[i64]>);

/// What run-time sizes count as where plans are weighed: all alike, and (with [`OTHERS`] of the others) one of them alone.
const SAMPLES: [i64; 4] = [256, 64, 16, 1];

/// See [`SAMPLES`].
const OTHERS: [[i64; 2]; 2] = [[128, 1], [1, 128]];

impl Basis {
    pub fn new<'s>(sizes: impl Iterator<Item = &'s Size>) -> Basis {
        let mut plain: Vec<&Monomial> = sizes.flat_map(|s| s.terms().iter().map(|(m, _)| m)).collect();
        plain.sort_unstable();
        plain.dedup();
        let divisors = plain.iter().flat_map(|m| shifted(m).terms().iter().map(|(m, _)| m.clone()).collect::<Vec<_>>());
        let mut monomials: Vec<Monomial> = divisors.chain([Monomial::default()]).collect();
        monomials.sort();
        monomials.dedup();
        let mut names: Vec<_> = monomials.iter().flat_map(|m| m.names().iter().cloned()).collect();
        names.sort();
        names.dedup();
        let worth = |value: &dyn Fn(&str) -> i64| monomials.iter().map(|m| m.eval(&|name| value(name) - 1)).collect();
        let mut samples: Vec<Vec<i64>> = SAMPLES.iter().map(|n| worth(&|_| *n)).collect();
        if names.is_empty() {
            samples.truncate(1);
        }
        for name in names.iter().filter(|_| names.len() > 1) {
            samples.extend(OTHERS.map(|[one, others]| worth(&|n| if *n == **name { one } else { others })));
        }
        Basis { monomials, samples }
    }

    /// The sizes as polynomials.
    pub fn polynomials(&self, sizes: &[Size]) -> Vec<Polynomial> {
        let mut rows: FxHashMap<&Monomial, Vec<(usize, i64)>> = FxHashMap::default();
        let mut all = vec![];
        for size in sizes {
            let mut sum = self.zero();
            for (monomial, coefficient) in size.terms() {
                let row = rows.entry(monomial).or_insert_with(|| {
                    let at = |m: &Monomial| match self.monomials.binary_search(m) {
                        Ok(at) => at,
                        Err(_) => unreachable!("plan: {m} is in none of the sizes that the basis was made of"),
                    };
                    shifted(monomial).terms().iter().map(|(m, c)| (at(m), *c)).collect()
                });
                row.iter().for_each(|(at, c)| sum.0[*at] += coefficient * c);
            }
            all.push(sum);
        }
        all
    }

    pub fn zero(&self) -> Polynomial {
        Polynomial(vec![0; self.monomials.len()].into())
    }

    /// The size again.
    pub fn size(&self, polynomial: &Polynomial) -> Size {
        let terms = self.monomials.iter().zip(&polynomial.0).filter(|(_, c)| **c != 0);
        terms.fold(Size::constant(0), |sum, (monomial, c)| {
            let less = monomial.names().iter().map(|name| &Size::symbol(name) - &1.into()).collect::<Vec<_>>();
            &sum + &(&Size::product(&less) * &(*c).into())
        })
    }

    /// How many monomials there are.
    pub fn len(&self) -> usize {
        self.monomials.len()
    }

    pub fn samples(&self) -> usize {
        self.samples.len()
    }

    /// The value at a sample of run-time sizes; at the first one all are large.
    pub fn at(&self, polynomial: &Polynomial, sample: usize) -> i64 {
        let (values, mut sum) = (&self.samples[sample], 0i64);
        for (at, coefficient) in polynomial.0.iter().enumerate() {
            sum = sum.saturating_add(values[at].saturating_mul(*coefficient));
        }
        sum
    }

    /// Those of which none is at most another one.
    pub fn greatest(&self, all: impl Iterator<Item = Polynomial>) -> Vec<Polynomial> {
        let mut greatest: Vec<Polynomial> = vec![];
        for one in all {
            if greatest.iter().all(|other| !one.at_most(other)) {
                greatest.retain(|other| !other.at_most(&one));
                greatest.push(one);
            }
        }
        greatest
    }
}

/// A monomial with each name `n` written as `1 + n'`.
fn shifted(monomial: &Monomial) -> Size {
    let factors: Vec<Size> = monomial.names().iter().map(|name| &Size::symbol(name) + &1.into()).collect();
    Size::product(&factors)
}

// Plain loops: this is the innermost part of the planner, in a compiler that is itself built without optimisation.
impl Polynomial {
    /// Whether this is at most the other one for all sizes.
    pub fn at_most(&self, other: &Polynomial) -> bool {
        for at in 0..self.0.len() {
            if self.0[at] > other.0[at] {
                return false;
            }
        }
        true
    }

    /// Becomes the least polynomial of which it can be told that it is at least as much as both.
    pub fn join(&mut self, other: &Polynomial) {
        for at in 0..self.0.len() {
            if self.0[at] < other.0[at] {
                self.0[at] = other.0[at];
            }
        }
    }

    /// Rounds each coefficient up to a multiple of a power of two, so that the value is one for all sizes.
    pub fn align(&mut self, to: i64) {
        for at in 0..self.0.len() {
            self.0[at] = (self.0[at] + to - 1) & -to;
        }
    }

    pub fn plus(&self, other: &Polynomial) -> Polynomial {
        let mut sum = self.clone();
        for at in 0..sum.0.len() {
            sum.0[at] += other.0[at];
        }
        sum
    }

    pub fn minus(&self, other: &Polynomial) -> Polynomial {
        let mut rest = self.clone();
        for at in 0..rest.0.len() {
            rest.0[at] -= other.0[at];
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_all_sizes_of_at_least_1() {
        let sizes: Vec<Size> = ["0", "64", "64*B", "64*B*T", "B*T + 63", "16*B*T + 16*B", "16*B*T", "T - 1"]
            .map(|s| s.parse().unwrap())
            .into();
        let basis = Basis::new(sizes.iter());
        let polynomials = basis.polynomials(&sizes);
        for (size, polynomial) in sizes.iter().zip(&polynomials) {
            assert_eq!(basis.size(polynomial), *size);
        }
        let values = |size: &Size| {
            let at = |b: i64, t: i64| size.eval(&|name| if name == "B" { b } else { t });
            [1, 2, 3, 50].into_iter().flat_map(|b| [1, 2, 7, 90].map(|t| at(b, t))).collect::<Vec<_>>()
        };
        for (a, p) in sizes.iter().zip(&polynomials) {
            for (b, q) in sizes.iter().zip(&polynomials) {
                let always = values(a).iter().zip(values(b)).all(|(x, y)| *x <= y);
                assert_eq!(p.at_most(q), always, "{a} and {b}");
                let mut join = p.clone();
                join.join(q);
                assert!(p.at_most(&join) && q.at_most(&join), "{a} and {b}");
                assert_eq!(p.plus(q).minus(q), *p);
            }
        }
        let [small, large] = ["64", "T - 1"].map(|s| basis.polynomials(&[s.parse().unwrap()]).remove(0));
        assert_eq!(basis.greatest([small.clone(), large.clone(), small.clone()].into_iter()), [small, large]);
    }
}
