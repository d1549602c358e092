//! Small run-time sizes that fulfil a function's rules.

use std::sync::Arc;

use castnet_program::program::Program;
use castnet_program::rules::Rule;
use castnet_program::size::Size;

use super::Mistake;

/// Names with their values.
pub(super) type Sizes = Vec<(Arc<str>, i64)>;

/// The value of a size; of an unknown name 1.
pub(super) fn eval(size: &Size, sizes: &Sizes) -> i64 {
    size.eval(&value(sizes))
}

pub(super) fn value(sizes: &Sizes) -> impl Fn(&str) -> i64 + '_ {
    move |name| sizes.iter().find(|(n, _)| **n == *name).map_or(1, |(_, value)| *value)
}

/// Partial choices that are looked at before the search gives up.
const BUDGET: usize = 200_000;

/// Small values, different ones where that can be, under which all sizes of arguments are positive and all rules hold.
pub(super) fn choose(programs: &[&Program]) -> Result<Sizes, Mistake> {
    let search = Search::new(programs);
    let mut sizes = vec![];
    match search.extend(&mut sizes, &mut BUDGET.clone()) {
        true => Ok(sizes),
        false => {
            let name = programs.first().map_or("", |p| &p.name);
            let names = search.names.join(", ");
            let rules: Vec<String> = search.rules.iter().map(|r| format!("`{r}`")).collect();
            let rules = rules.join(", ");
            Err(Mistake(format!(
                "`{name}`: no values of {names} were found that fulfil its rules ({rules}), so it was not checked"
            )))
        }
    }
}

struct Search<'a> {
    names: Vec<Arc<str>>,
    candidates: Vec<i64>,
    rules: Vec<&'a Rule>,
    /// What must be at least 1.
    positive: Vec<Size>,
}

impl<'a> Search<'a> {
    fn new(programs: &[&'a Program]) -> Search<'a> {
        let mut names: Vec<Arc<str>> = programs.iter().flat_map(|p| p.symbols()).collect();
        names.sort();
        names.dedup();
        let mut rules: Vec<&Rule> = vec![];
        for rule in programs.iter().flat_map(|p| &p.rules) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        let arguments = || programs.iter().flat_map(|p| &p.arguments);
        let mut positive: Vec<Size> = arguments().flat_map(|a| a.ty.shape.iter().cloned()).collect();
        positive.extend(arguments().flat_map(|a| &a.below).map(|below| &below.limit - &below.least));
        // Small numbers, powers of two, and what the rules speak of.
        let spoken = rules.iter().flat_map(|r| r.left.terms().iter().chain(r.right.terms()).map(|(_, c)| c.abs()));
        let mut more: Vec<i64> = (1..=64).chain((7..=12).map(|power| 1 << power)).collect();
        more.extend(spoken.filter(|&c| c < 1 << 20).flat_map(|c| [c - 1, c, c + 1]));
        more.retain(|&c| c > 0);
        more.sort_unstable();
        let mut candidates = vec![3, 2, 4, 5];
        for c in more {
            if !candidates.contains(&c) {
                candidates.push(c);
            }
        }
        Search { names, candidates, rules, positive }
    }

    fn extend(&self, sizes: &mut Sizes, budget: &mut usize) -> bool {
        let Some(name) = self.names.get(sizes.len()) else { return self.holds(sizes) };
        let mut candidates = self.candidates.clone();
        candidates[..4].rotate_left(sizes.len() % 4);
        for candidate in candidates {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            sizes.push((name.clone(), candidate));
            if self.holds(sizes) && self.extend(sizes, budget) {
                return true;
            }
            sizes.pop();
        }
        false
    }

    /// Whether everything holds that speaks of known names only.
    fn holds(&self, sizes: &Sizes) -> bool {
        let known = |names: Vec<Arc<str>>| names.iter().all(|name| sizes.iter().any(|(n, _)| n == name));
        let positive = self.positive.iter().all(|size| !known(size.names()) || eval(size, sizes) > 0);
        positive && self.rules.iter().all(|rule| !known(rule.names()) || rule.holds(&value(sizes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(names: &[&str], rules: &[&str]) -> Option<Vec<i64>> {
        let rules: Vec<Rule> = rules.iter().map(|r| r.parse().unwrap()).collect();
        let program = Program {
            name: "Net.f".into(),
            arguments: vec![],
            results: vec![],
            donates: vec![],
            rules,
            states: vec![],
            assigns: vec![],
            buffers: vec![],
            launches: vec![],
            schedule: vec![],
            arena: vec![],
            bound: vec![],
            checks: vec![],
            flops: 0.into(),
        };
        let mut search = Search::new(&[&program]);
        search.names = names.iter().map(|&n| n.into()).collect();
        let mut sizes = vec![];
        let found = search.extend(&mut sizes, &mut BUDGET.clone());
        found.then(|| sizes.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn sizes_fulfil_the_rules() {
        assert_eq!(search(&["N", "T"], &[]), Some(vec![3, 2]));
        assert_eq!(search(&["H", "W"], &["H == W", "H % 32 == 0"]), Some(vec![32, 32]));
        assert_eq!(search(&["N"], &["N > 1000"]), Some(vec![1001]));
        assert_eq!(search(&["H", "W"], &["2*H + W == 19", "W >= 8"]), Some(vec![3, 13]));
        assert_eq!(search(&["N"], &["N % 2 == 0", "N % 2 == 1"]), None);
    }
}
