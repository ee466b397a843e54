//! `cargo +nightly fuzz run weights` in `crates/testkit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (testkit::fuzz::door("weights").open)(bytes));
