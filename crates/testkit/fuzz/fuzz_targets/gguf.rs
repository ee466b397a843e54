//! `cargo +nightly fuzz run gguf` in `crates/testkit`: a llama.cpp file, down to its weights.
#![no_main]

use burn::tensor::Device;
use vlm_lora::{Decoder, DecoderNames, Gguf};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::Builder::new().suffix(".gguf").tempfile().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("it is writable");
    let Ok(mut weights) = Gguf::open(file.path(), None, &Device::flex()) else { return };
    let _ = weights.tokenizer();
    if let Ok(config) = weights.config() {
        let _ = Decoder::new(&mut weights, &config, &DecoderNames::default());
    }
});
