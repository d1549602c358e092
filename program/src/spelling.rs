//! What was meant by a name that nobody knows.

/// The known name nearest to `name`, if it is near enough to be meant.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One letter is one slip away from every other one: only its case may be wrong.
    let length = name.chars().count();
    let limit = if length > 1 { (length / 3).max(1) } else { 0 };
    known
        .into_iter()
        .map(|k| (edit_distance(&name.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, k)| k)
}

/// The known names that a glob nearly matches, nearest first: `*` and `?` stand for anything.
pub fn near_glob<'a>(glob: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (glob.chars().filter(|c| !"*?".contains(*c)).count() / 3).max(1);
    let distances = known.into_iter().map(|k| (edit_distance(&glob.to_lowercase(), &k.to_lowercase()), k));
    let mut near: Vec<_> = distances.filter(|(d, _)| *d <= limit).collect();
    near.sort_by_key(|(d, _)| *d);
    near.into_iter().map(|(_, k)| k).collect()
}

/// Optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours. In `a`, `*` and `?` are those of globs.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        // What a `*` stands for costs nothing.
        let cost = usize::from(a[i - 1] != '*');
        rows[i][0] = rows[i - 1][0] + cost;
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1] && a[i - 1] != '?');
            let mut best = substitution.min(rows[i - 1][j] + cost).min(rows[i][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, near_glob};

    #[test]
    fn near_names_are_offered() {
        let known = ["tanh", "relu", "max_pool2d", "conv1"];
        assert_eq!(did_you_mean("thanh", known), Some("tanh"));
        assert_eq!(did_you_mean("maxpool2d", known), Some("max_pool2d"));
        assert_eq!(did_you_mean("softmax", known), None);
    }

    #[test]
    fn names_near_a_glob() {
        let known = ["fc1.weight", "fc1.bias", "conv.bias", "blocks.0.ln.weight"];
        assert_eq!(near_glob("*.bais", known), ["fc1.bias", "conv.bias"]);
        assert_eq!(near_glob("block.*.ln.*", known), ["blocks.0.ln.weight"]);
        assert_eq!(near_glob("fc.weight", known), ["fc1.weight"]);
        assert!(near_glob("*.running_mean", known).is_empty());
    }
}
