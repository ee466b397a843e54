//! `cargo +nightly fuzz run answer` in `crates/testkit`: what a language model answered.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = explain::parse(&String::from_utf8_lossy(bytes), &explain::Rules::default());
});
