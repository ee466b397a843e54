//! `cargo +nightly fuzz run adapter` in `crates/testkit`: the two files of a LoRA adapter, one after the
//! other with a zero byte between them.
#![no_main]

use vlm_lora::lora::{Adapter, AdapterLimits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let [config, weights] = [(); 2].map(|()| parts.next().unwrap_or_default());
    let limits = AdapterLimits { max_bytes: 1 << 20, ..AdapterLimits::default() };
    let _ = Adapter::from_bytes(config, weights, &limits);
});
