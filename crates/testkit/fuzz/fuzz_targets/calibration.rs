//! `cargo +nightly fuzz run calibration` in `crates/testkit`: a calibration of evidence, and a value held against it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(calibration) = explain::evidence::Calibration::from_json(bytes) {
        for measure in explain::evidence::Measure::all() {
            let _ = calibration.spread(measure).percentile(0.5);
        }
    }
});
