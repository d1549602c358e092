//! Holds only tests: networks beside the compiler that made them.
