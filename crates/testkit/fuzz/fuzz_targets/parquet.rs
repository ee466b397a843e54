//! `cargo +nightly fuzz run parquet` in `crates/testkit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (testkit::fuzz::door("parquet").open)(bytes));
