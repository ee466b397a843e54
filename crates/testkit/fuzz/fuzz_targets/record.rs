//! `cargo +nightly fuzz run record` in `crates/testkit`: a line of a set of explanations.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = explain::Record::from_json(bytes) {
        let _ = record.files();
    }
});
