//! Attention, query by query.

use super::Tensor;
use crate::attention::{Attention, MORE, Operands};
use crate::number::Number;

/// A pair of a query and a key of one matrix of a batch.
struct Pairs<'a> {
    of: Operands<&'a Tensor>,
    options: &'a Attention,
    batches: usize,
    queries: usize,
    keys: usize,
    features: usize,
    width: usize,
}

impl<'a> Pairs<'a> {
    fn new(options: &'a Attention, operands: &[&'a Tensor], more: usize) -> Option<Pairs<'a>> {
        let of = Operands::of(operands, more)?;
        let [batch @ .., queries, features] = &of.query.shape[..] else { return None };
        let [.., keys, width] = of.value.shape[..] else { return None };
        let (batches, queries, features) = (batch.iter().product(), *queries, *features);
        Some(Pairs { of, options, batches, queries, keys, features, width })
    }

    fn scale(&self) -> f64 {
        self.options.scale.map_or(1.0 / (self.features as f64).sqrt(), |scale| scale.f64())
    }

    fn query(&self, batch: usize, i: usize) -> &'a [Number] {
        &self.of.query.data[(batch * self.queries + i) * self.features..][..self.features]
    }

    fn key(&self, batch: usize, j: usize) -> &'a [Number] {
        &self.of.key.data[(batch * self.keys + j) * self.features..][..self.features]
    }

    fn value(&self, batch: usize, j: usize) -> &'a [Number] {
        &self.of.value.data[(batch * self.keys + j) * self.width..][..self.width]
    }

    /// Where in the mask, which is stretched over batches, queries and keys, a pair has its element.
    fn in_mask(&self, mask: &Tensor, batch: usize, i: usize, j: usize) -> usize {
        let axes = &self.of.query.shape[..self.of.query.shape.len() - 2];
        let (mut rest, mut index) = (batch, vec![j, i]);
        for size in axes.iter().rev() {
            index.push(rest % size);
            rest /= size;
        }
        let (mut at, mut stride) = (0, 1);
        for (size, index) in mask.shape.iter().rev().zip(index) {
            at += if *size == 1 { 0 } else { index * stride };
            stride *= size;
        }
        at
    }

    /// What is multiplied, as the operands are.
    fn rounded(&self, factor: f64) -> f64 {
        self.options.half.map_or(factor, |half| Number::Float(factor).to(half).f64())
    }

    /// `is_added`: the mask is, rather than hiding what is 0 in it.
    fn score(&self, batch: usize, i: usize, j: usize, is_added: bool) -> f64 {
        if self.options.causal && j > i {
            return f64::NEG_INFINITY;
        }
        let score = self.scale() * dot(self.query(batch, i), self.key(batch, j));
        match self.of.mask.map(|mask| mask.data[self.in_mask(mask, batch, i, j)].f64()) {
            None => score,
            Some(mask) if is_added => score + mask,
            Some(0.0) => f64::NEG_INFINITY,
            Some(_) => score,
        }
    }
}

fn dot(a: &[Number], b: &[Number]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
}

fn add(to: &mut [f64], factor: f64, from: &[Number]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from.f64());
}

/// Output and log-sum-exp; `is_added`: whether a mask is added.
pub(super) fn results(options: &Attention, operands: &[&Tensor], is_added: bool) -> Vec<Tensor> {
    let Some(pairs) = Pairs::new(options, operands, 0) else { return vec![Tensor::scalar(f64::NAN); 2] };
    let (mut output, mut log_sums) = (vec![], vec![]);
    for (batch, i) in (0..pairs.batches).flat_map(|batch| (0..pairs.queries).map(move |i| (batch, i))) {
        let scores: Vec<f64> = (0..pairs.keys).map(|j| pairs.score(batch, i, j, is_added)).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sees_nothing = pairs.of.mask.is_some() && scores.iter().all(|score| *score == f64::NEG_INFINITY);
        let sum: f64 = scores.iter().map(|score| (score - max).exp()).sum();
        let mut row = vec![0.0; pairs.width];
        for (j, score) in scores.iter().enumerate() {
            let weight = if sees_nothing { 0.0 } else { (score - max).exp() / sum };
            add(&mut row, pairs.rounded(weight), pairs.value(batch, j));
        }
        output.extend(row);
        log_sums.push(if sees_nothing { f64::NEG_INFINITY } else { max + sum.ln() });
    }
    let shape = &pairs.of.query.shape;
    let rows = shape[..shape.len() - 1].to_vec();
    vec![Tensor::new([&rows[..], &[pairs.width]].concat(), output), Tensor::new(rows, log_sums)]
}

/// Of query, key, value, and of a mask that is added.
pub(super) fn gradients(options: &Attention, operands: &[&Tensor], is_added: bool) -> Vec<Tensor> {
    let Some(pairs) = Pairs::new(options, operands, MORE) else { return vec![Tensor::scalar(f64::NAN); MORE] };
    let [output, log_sums, dy] = [3, 2, 1].map(|back| operands[operands.len() - back]);
    let zeros = |like: &Tensor| vec![0.0; like.data.len()];
    let mask = pairs.of.mask.filter(|_| is_added);
    let [mut dq, mut dk, mut dv] = [pairs.of.query, pairs.of.key, pairs.of.value].map(zeros);
    let mut dmask = mask.map(zeros);
    for (batch, i) in (0..pairs.batches).flat_map(|batch| (0..pairs.queries).map(move |i| (batch, i))) {
        let row = batch * pairs.queries + i;
        let [y, dy] = [output, dy].map(|t| &t.data[row * pairs.width..][..pairs.width]);
        let log_sum = log_sums.data[row].f64();
        let sees_nothing = pairs.of.mask.is_some() && log_sum == f64::NEG_INFINITY;
        for j in 0..pairs.keys {
            let weight = (pairs.score(batch, i, j, is_added) - log_sum).exp();
            let weight = if sees_nothing { 0.0 } else { weight };
            let at = batch * pairs.keys + j;
            add(&mut dv[at * pairs.width..][..pairs.width], pairs.rounded(weight), dy);
            let ds = weight * (pairs.rounded(dot(dy, pairs.value(batch, j))) - dot(dy, y));
            add(&mut dq[row * pairs.features..][..pairs.features], pairs.scale() * ds, pairs.key(batch, j));
            add(&mut dk[at * pairs.features..][..pairs.features], pairs.scale() * ds, pairs.query(batch, i));
            if let (Some(mask), Some(dmask)) = (mask, &mut dmask) {
                dmask[pairs.in_mask(mask, batch, i, j)] += ds;
            }
        }
    }
    let of = [Some((pairs.of.query, dq)), Some((pairs.of.key, dk)), Some((pairs.of.value, dv)), mask.zip(dmask)];
    of.into_iter().flatten().map(|(x, dx)| Tensor::new(x.shape.clone(), dx)).collect()
}
