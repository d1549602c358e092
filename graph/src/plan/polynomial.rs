//! Sizes as rows of numbers, to be added and compared many times while places are sought.

use crate::hash::HashMap;
use crate::size::{Monomial, Size};

/// The monomials of a plan's sizes and all that divide them, and what they are worth where plans are weighed.
pub(super) struct Basis {
    monomials: Vec<Monomial>,
    /// For each monomial, its coefficients with each name `n` written as `1 + n'`.
    shifts: Vec<Vec<i64>>,
    /// For each sample of run-time sizes, the values of the monomials.
    samples: Vec<Vec<i64>>,
}

/// A polynomial over a [`Basis`]: its coefficients, then those over what the names are more than 1. One is at most another for all sizes if all of the
/// latter are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Polynomial(Box<[i64]>);

/// What run-time sizes count as where plans are weighed: all alike, and one of them alone.
const SAMPLES: [i64; 4] = [256, 64, 16, 1];

impl Basis {
    pub fn new<'s>(sizes: impl Iterator<Item = &'s Size>) -> Basis {
        let all = sizes.flat_map(|s| s.terms().iter().map(|(m, _)| m));
        let all = all.flat_map(|m| shifted(m).terms().iter().map(|(m, _)| m.clone()).collect::<Vec<_>>());
        let mut monomials: Vec<Monomial> = all.chain([Monomial::default()]).collect();
        monomials.sort();
        monomials.dedup();
        let at: HashMap<&Monomial, usize> = monomials.iter().enumerate().map(|(i, m)| (m, i)).collect();
        let row = |monomial: &Monomial| {
            let mut row = vec![0; monomials.len()];
            shifted(monomial).terms().iter().for_each(|(m, c)| row[at[m]] = *c);
            row
        };
        let shifts = monomials.iter().map(row).collect();
        let mut names: Vec<_> = monomials.iter().flat_map(|m| m.names().iter().cloned()).collect();
        names.sort();
        names.dedup();
        let worth = |value: &dyn Fn(&str) -> i64| monomials.iter().map(|m| m.eval(value)).collect();
        let mut samples: Vec<Vec<i64>> = SAMPLES.iter().map(|n| worth(&|_| *n)).collect();
        if names.is_empty() {
            samples.truncate(1);
        }
        if names.len() > 1 {
            for name in &names {
                samples.push(worth(&|n| if *n == **name { 128 } else { 1 }));
                samples.push(worth(&|n| if *n == **name { 1 } else { 128 }));
            }
        }
        Basis { monomials, shifts, samples }
    }

    pub fn polynomial(&self, size: &Size) -> Polynomial {
        let mut all = vec![0; 2 * self.monomials.len()];
        for (monomial, coefficient) in size.terms() {
            let Ok(at) = self.monomials.binary_search(monomial) else { continue };
            all[at] = *coefficient;
            let above = &mut all[self.monomials.len()..];
            above.iter_mut().zip(&self.shifts[at]).for_each(|(sum, c)| *sum += coefficient * c);
        }
        Polynomial(all.into())
    }

    pub fn zero(&self) -> Polynomial {
        Polynomial(vec![0; 2 * self.monomials.len()].into())
    }

    /// The size again.
    pub fn size(&self, polynomial: &Polynomial) -> Size {
        let terms = self.monomials.iter().zip(&polynomial.0);
        terms.fold(Size::constant(0), |sum, (m, c)| &sum + &Size::term(m.clone(), *c))
    }

    pub fn samples(&self) -> usize {
        self.samples.len()
    }

    /// The value at a sample of run-time sizes; at the first one all are large.
    pub fn at(&self, polynomial: &Polynomial, sample: usize) -> i64 {
        let products = self.samples[sample].iter().zip(&polynomial.0).map(|(value, c)| value.saturating_mul(*c));
        products.fold(0, i64::saturating_add)
    }

    /// Whether one is at most the other for all sizes, which are at least 1.
    pub fn at_most(&self, a: &Polynomial, b: &Polynomial) -> bool {
        let from = self.monomials.len();
        a.0[from..].iter().zip(&b.0[from..]).all(|(a, b)| a <= b)
    }

    /// The least polynomial of which it can be told that it is at least as much as both.
    pub fn join(&self, a: &Polynomial, b: &Polynomial) -> Polynomial {
        if self.at_most(a, b) {
            return b.clone();
        }
        if self.at_most(b, a) {
            return a.clone();
        }
        let from = self.monomials.len();
        let most = a.0[from..].iter().zip(&b.0[from..]).map(|(a, b)| *a.max(b));
        // Written over the names themselves: what the names are more than 1 is the name less 1.
        let back = most.zip(&self.monomials).fold(Size::constant(0), |sum, (c, above)| {
            let names = above.names().iter().map(|name| &Size::symbol(name) - &1.into()).collect::<Vec<_>>();
            &sum + &(&Size::product(&names) * &c.into())
        });
        self.polynomial(&back)
    }

    /// Those of which none is at most another one.
    pub fn greatest(&self, all: impl Iterator<Item = Polynomial>) -> Vec<Polynomial> {
        let mut greatest: Vec<Polynomial> = vec![];
        for one in all {
            if greatest.iter().all(|other| !self.at_most(&one, other)) {
                greatest.retain(|other| !self.at_most(other, &one));
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

impl Polynomial {
    pub fn plus(&self, other: &Polynomial) -> Polynomial {
        Polynomial(self.0.iter().zip(&other.0).map(|(a, b)| a + b).collect())
    }

    pub fn minus(&self, other: &Polynomial) -> Polynomial {
        Polynomial(self.0.iter().zip(&other.0).map(|(a, b)| a - b).collect())
    }
}
