//! `cargo +nightly fuzz run pytorch` in `crates/testkit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (testkit::fuzz::door("pytorch").open)(bytes));
