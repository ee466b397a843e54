//! `cargo +nightly fuzz run conversations` in `crates/testkit`: a table of conversations.
#![no_main]

use std::sync::Once;

use vlm_lora::tune::{ConversationLimits, conversations};

static HOOK: Once = Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The reader's panics end in an error of the library; the fuzzer's own hook would abort first.
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("it is writable");
    let limits = ConversationLimits { max_conversations: 100, ..ConversationLimits::default() };
    if std::panic::catch_unwind(|| conversations(file.path(), &limits)).is_err() {
        std::process::abort();
    }
});
