//! `cargo +nightly fuzz run image` in `crates/testkit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (testkit::fuzz::door("image").open)(bytes));
