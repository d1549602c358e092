//! Every file in `ui/` is a program with mistakes; beside it stands what the compiler says.

#[test]
fn mistakes() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
