//! Reading texts line by line, word by word; every mistake has its line and what was expected.

use std::fmt;
use std::str::FromStr;

use crate::program::Below;
use crate::size::Size;
use crate::types::{DType, Type};

/// The text was not what its kind prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub token: String,
    /// What would have been right.
    pub expected: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = if self.token.is_empty() { "the end of the line".into() } else { format!("`{}`", self.token) };
        write!(f, "line {}: expected {}, found {found}", self.line, self.expected)
    }
}

impl std::error::Error for ReadError {}

/// What is wrong in a line.
#[derive(Debug)]
pub struct Problem {
    token: String,
    expected: String,
}

impl Problem {
    /// The mistake, in this line.
    pub fn at(self, line: usize) -> ReadError {
        ReadError { line, token: self.token, expected: self.expected }
    }
}

/// What is left of a line.
pub struct Line<'t> {
    /// The text.
    pub rest: &'t str,
}

impl<'t> Line<'t> {
    /// The mistake that something else stands here.
    pub fn wrong(&self, expected: &str) -> Problem {
        let rest = self.rest.trim_start();
        let end = rest.find([' ', ',', '(', ')', '[', ']']).unwrap_or(rest.len()).max(1).min(rest.len());
        let end = (end..=rest.len()).find(|&i| rest.is_char_boundary(i)).unwrap_or(rest.len());
        Problem { token: rest[..end].into(), expected: expected.into() }
    }

    /// Whether this text stands here, which is then read.
    pub fn eat(&mut self, text: &str) -> bool {
        match self.rest.trim_start().strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads this text, which must stand here.
    ///
    /// # Errors
    /// If something else does.
    pub fn expect(&mut self, text: &str) -> Result<(), Problem> {
        if self.eat(text) { Ok(()) } else { Err(self.wrong(&format!("`{text}`"))) }
    }

    /// All that must follow has been read.
    ///
    /// # Errors
    /// If there is more.
    pub fn end(&self) -> Result<(), Problem> {
        if self.rest.trim().is_empty() { Ok(()) } else { Err(self.wrong("the end of the line")) }
    }

    /// Letters, digits and `_`; nothing if none stand here.
    pub fn word(&mut self) -> &'t str {
        self.take(|c| c.is_alphanumeric() || c == '_')
    }

    /// As many characters as belong, behind spaces.
    pub fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    /// All up to a text, which is read, too.
    pub fn until(&mut self, stop: &str) -> Option<&'t str> {
        let (before, rest) = self.rest.split_once(stop)?;
        self.rest = rest;
        Some(before.trim())
    }

    /// An integer of any type.
    ///
    /// # Errors
    /// If none stands here.
    pub fn number<N: FromStr>(&mut self) -> Result<N, Problem> {
        let before = self.rest;
        let text = self.take(|c| c.is_ascii_digit() || c == '-');
        text.parse().map_err(|_| Line { rest: before }.wrong("a number"))
    }

    /// Items between brackets, with commas.
    ///
    /// # Errors
    /// What is wrong with an item or between them.
    pub fn list<T>(
        &mut self,
        open: &str,
        close: &str,
        item: impl Fn(&mut Self) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        self.expect(open)?;
        let mut items = vec![];
        while !self.eat(close) {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A size: all up to what can follow it.
    ///
    /// # Errors
    /// If that is none.
    pub fn size(&mut self) -> Result<Size, Problem> {
        let before = self.rest;
        let rest = self.rest.trim_start();
        let stops = [",", "]", ")", "  ", "(", " reversed("];
        let end = stops.iter().filter_map(|stop| rest.find(stop)).min().unwrap_or(rest.len());
        self.rest = &rest[end..];
        rest[..end].trim().parse().map_err(|_| Line { rest: before }.wrong("a size"))
    }

    /// `f32[N, 20]`.
    ///
    /// # Errors
    /// If no type stands here.
    pub fn ty(&mut self) -> Result<Type, Problem> {
        let dtype = self.dtype()?;
        let shape = if self.rest.starts_with('[') { self.list("[", "]", Line::size)? } else { vec![] };
        Ok(Type::new(dtype, shape))
    }

    /// `f32`.
    ///
    /// # Errors
    /// If no element type stands here.
    pub fn dtype(&mut self) -> Result<DType, Problem> {
        let before = self.rest;
        DType::from_name(self.word()).ok_or_else(|| Line { rest: before }.wrong("an element type"))
    }

    /// `0..10 for cross_entropy`, `0..10 or -100 for cross_entropy`.
    ///
    /// # Errors
    /// If no such range stands here.
    pub fn below(&mut self) -> Result<Below, Problem> {
        let before = self.rest;
        let mut parts = || {
            let (least, rest) = self.rest.split_once("..")?;
            let (limit, rest) = rest.split_once(" for ")?;
            let end = rest.find([' ', ',', ')', ':']).unwrap_or(rest.len());
            self.rest = &rest[end..];
            let (limit, or) = match limit.split_once(" or ") {
                Some((limit, or)) => (limit, Some(or.parse().ok()?)),
                None => (limit, None),
            };
            let (least, limit) = (least.trim().parse().ok()?, limit.parse().ok()?);
            Some(Below { least, limit, or, by: rest[..end].into() })
        };
        parts().ok_or_else(|| Line { rest: before }.wrong("a range of numbers and what it is for"))
    }
}
