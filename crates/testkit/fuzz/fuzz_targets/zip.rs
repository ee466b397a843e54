//! `cargo +nightly fuzz run zip` in `crates/testkit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (testkit::fuzz::door("zip").open)(bytes));
