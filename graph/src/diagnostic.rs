//! What the compiler has to say to the person who wrote the network.

use std::fmt;

/// A place in the user's source: an index into the span table of whoever built the graph; 0 is "nowhere".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Loc(pub u32);

/// One mistake, reported at one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `N0103`: a page in `docs/diagnostics.md`.
    pub code: &'static str,
    /// What is wrong, with both numbers.
    pub message: String,
    /// The token to underline.
    pub at: Loc,
    /// Where the other side was made, and other facts.
    pub notes: Vec<Note>,
    /// What to write instead.
    pub help: Option<String>,
}

/// A remark under a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The remark; where `at` is a place, the renderer adds `(src/main.rs:14)`.
    pub text: String,
    /// The place that the remark is about.
    pub at: Loc,
}

impl Diagnostic {
    /// A mistake at a token.
    pub fn new(code: &'static str, at: Loc, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, message: message.into(), at, notes: vec![], help: None }
    }

    /// Adds a remark about a place (or about nothing in particular, with `Loc::default()`).
    pub fn note(mut self, at: Loc, text: impl Into<String>) -> Diagnostic {
        self.notes.push(Note { text: text.into(), at });
        self
    }

    /// Says what to write instead.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for note in &self.notes {
            write!(f, "\n  note: {}", note.text)?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

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

/// Optimal string alignment distance: insertions, deletions, substitutions, swaps of neighbours.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
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
    use super::did_you_mean;

    #[test]
    fn near_names_are_offered() {
        let known = ["tanh", "relu", "max_pool2d", "conv1"];
        assert_eq!(did_you_mean("thanh", known), Some("tanh"));
        assert_eq!(did_you_mean("maxpool2d", known), Some("max_pool2d"));
        assert_eq!(did_you_mean("softmax", known), None);
    }
}
