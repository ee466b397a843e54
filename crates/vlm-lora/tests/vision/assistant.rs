//! Whole folders: weights, tokenizer, template and processor together.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use serde_json::json;
use vlm_lora::generate::Generation;
use vlm_lora::image::{Enlargement, Interpolation};
use vlm_lora::{Assistant, Error};

use crate::fixture::{path, picture};

/// The fixture `name` with a tokenizer of words in which 57 is called `placeholder`.
fn folder(name: &str, placeholder: &str, processor: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(path(name).join(file), folder.path().join(file)).expect("a copy");
    }
    let special = [(55, "<|vision_start|>"), (56, "<|vision_end|>"), (57, placeholder)];
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        (0..55).map(|i| (format!("w{i}"), json!(i))).collect();
    let added = special.map(|(id, content)| {
        json!({"id": id, "content": content, "special": true, "single_word": false,
               "lstrip": false, "rstrip": false, "normalized": false})
    });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null,
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"}
    });
    let write = |file: &str, text: &str| {
        std::fs::write(folder.path().join(file), text).expect("the folder is writable");
    };
    write("tokenizer.json", &tokenizer.to_string());
    write("preprocessor_config.json", processor);
    folder
}

fn open(folder: &Path) -> Assistant {
    Assistant::open(folder, None, &Device::flex()).expect("a whole model")
}

fn answer(assistant: &Assistant, question: &str, n_pictures: usize) -> (usize, usize) {
    let pictures = vec![picture(32, 32); n_pictures];
    let prompt = assistant.ask(question, &pictures).expect("places for the pictures");
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let answers = Generation::greedy(4, vec![]).run(
        assistant.decoder(),
        std::slice::from_ref(&prompt),
        None,
        go_on,
    );
    (prompt.len(), answers.expect("ordinary settings")[0].tokens.len())
}

#[test]
fn qwen2_vl_sees_as_many_tokens_as_the_pixels_allow() {
    let folder = folder("qwen2_vl_a", "<|image_pad|>", r#"{"max_pixels": 100000}"#);
    let assistant = open(folder.path());
    let (text, answered) = answer(&assistant, "w1 w2", 0);
    assert_eq!(answered, 4);
    // 32x32 becomes four tokens, between two that enclose them.
    assert_eq!(answer(&assistant, "w1 w2", 1), (text + 6, 4));
    assert_eq!(answer(&assistant, "w1 w2", 2), (text + 12, 4));
    let larger = assistant.clone().with_pixels(16 * 784, 16 * 784).expect("in bounds");
    assert_eq!(answer(&larger, "w1 w2", 1).0, text + 18);
    let interpolation = Interpolation::Nearest;
    let enlarged = assistant
        .clone()
        .with_enlargement(Enlargement::Upscaled { shorter_side: 84, interpolation });
    assert_eq!(answer(&enlarged, "w1 w2", 1).0, text + 11);
    let strip = assistant.ask("w1", &[picture(1, 500)]);
    assert!(matches!(strip, Err(Error::AspectRatio { .. })));
    assert!(matches!(assistant.with_max_crops(3), Err(Error::Setting { .. })));
}

#[test]
fn mc_llava_sees_crops_of_pictures_above_576_alone() {
    let size = r#"{"size": {"height": 42, "width": 42}}"#;
    let folder = folder("mc_llava_a", "<image>", size);
    let assistant = open(folder.path()).with_max_crops(4).expect("in bounds");
    let (text, _) = answer(&assistant, "w1 w2", 0);
    assert_eq!(answer(&assistant, "w1 w2", 1), (text + 8, 4));
    // Eight tokens in all, however many views share them: five on this canvas.
    let canvas = Enlargement::Canvas { side: 600, ground: [0; 3] };
    assert_eq!(answer(&assistant.clone().with_enlargement(canvas), "w1 w2", 1).0, text + 8);
    assert!(matches!(assistant.with_pixels(1, 2), Err(Error::Setting { .. })));
    let other = self::folder("mc_llava_a", "<image>", "{}");
    let refused = open(other.path()).ask("w1", &[picture(32, 32)]);
    assert!(matches!(refused, Err(Error::PictureFormat { found: 384, expected: 42, .. })));
}
