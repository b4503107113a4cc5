//! What doesn't compile: a claim that is forged, copied or used past its end, a state that is written by hand.

#[test]
fn an_illegal_transition_cannot_be_written() {
    trybuild::TestCases::new().compile_fail("tests/store/forge/*.rs");
}
