//! `cargo +nightly fuzz run collection` in `crates/testkit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (testkit::fuzz::door("collection").open)(bytes));
