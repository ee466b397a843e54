//! `cargo +nightly fuzz run conversations` in `crates/testkit`: a table of conversations.
#![no_main]

use vlm_lora::training::{ConversationLimits, conversations};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("it is writable");
    let limits = ConversationLimits { max_conversations: 100, ..ConversationLimits::default() };
    let _ = conversations(file.path(), &limits);
});
