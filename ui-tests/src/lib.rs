//! Holds only tests: what `network!` says to mistakes.
