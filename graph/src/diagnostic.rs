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
