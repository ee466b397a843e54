//! `cargo +nightly fuzz run template` in `crates/testkit`: a chat template.
#![no_main]

use std::sync::Once;

use vlm_lora::{ChatTemplate, Message};

static HOOK: Once = Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The template engine's panics end in an error of the library; the fuzzer's own hook would abort first.
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let messages = [Message::with_images("user", 1, "Hi <|im_end|>")];
    let rendered = std::panic::catch_unwind(|| ChatTemplate::new(source).render(&messages, true));
    if rendered.is_err() {
        std::process::abort();
    }
});
