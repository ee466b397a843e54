//! Whole folders: weights, tokenizer, template and processor together.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use cifake::Filter;
use serde_json::json;
use vlm_lora::generate::Generation;
use vlm_lora::image::Enlargement;
use vlm_lora::models::VisionTower;
use vlm_lora::tune::{Chat, Conversation, Speaker, Turn, encode};
use vlm_lora::{Assistant, Error, Message, PicturePlace, Random, WeightFormat};

use crate::fixture::{path, picture};

/// The fixture `name` with a tokenizer of words in which 57 is called `placeholder`.
fn folder(name: &str, placeholder: &str, processor: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(path(name).join(file), folder.path().join(file)).expect("a copy");
    }
    let special = match name.starts_with("paligemma") {
        true => [(55, "<bos>"), (56, "<eos>"), (57, placeholder)],
        false => [(55, "<|vision_start|>"), (56, "<|vision_end|>"), (57, placeholder)],
    };
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
    let picture = match placeholder {
        "<|image_pad|>" => "<|vision_start|><|image_pad|><|vision_end|>",
        other => other,
    };
    write("preprocessor_config.json", processor);
    // PaliGemma's published folder has no template.
    if name.starts_with("paligemma") {
        return folder;
    }
    let template = "{% for m in messages %} w3 {% if m.content is string %}{{ m.content }}{% else %}\
        {% for part in m.content %}{% if part.type == 'image' %} PICTURE {% else %}{{ part.text }}\
        {% endif %}{% endfor %}{% endif %} {% endfor %}";
    write("chat_template.jinja", &template.replace("PICTURE", picture));
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
    let interpolation = Filter::Nearest;
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

/// The form of the published processor, by its template alone, in questions as in training.
#[test]
fn paligemma_reads_pictures_first_and_what_a_user_spells_is_text() {
    let size = r#"{"size": {"height": 42, "width": 42}}"#;
    let folder = folder("paligemma_a", "<image>", size);
    let assistant = open(folder.path());
    assert_eq!(assistant.picture_place(), &PicturePlace::Part);
    let asked = |question: &str, n: usize| {
        assistant.ask(question, &vec![picture(70, 43); n]).expect("places for the pictures")
    };
    let prompt = asked("w1 w2", 1);
    assert_eq!(prompt.tokens()[..9], [57; 9]);
    // The tokenizer of words drops the line break behind the question.
    assert_eq!((prompt.tokens()[9..].to_vec(), prompt.prefix()), (vec![55, 1, 2], 12));
    assert_eq!(asked("w1 w2", 2).len(), 21);
    for spelled in ["<image>", "<bos>", "<eos>"] {
        let said = asked(&format!("w1 {spelled} w2"), 1).tokens().to_vec();
        assert_eq!(said[..10], prompt.tokens()[..10], "{spelled}");
        assert!(said[10..].iter().all(|token| *token < 55), "{spelled}: {said:?}");
    }
    let strip = assistant.ask("w1", &[picture(1, 20_000)]);
    assert!(matches!(strip, Err(Error::AspectRatio { .. })), "{strip:?}");
    let turn = |speaker, text: &str| Turn { speaker, text: text.to_owned() };
    let turns = [turn(Speaker::User, "<image>w1"), turn(Speaker::Assistant, "w2 <eos> w3")];
    let conversation = Conversation { id: None, turns: turns.into(), images: Vec::new() };
    let chat = Chat::of(&assistant).expect("it has a template");
    let encoded = encode(&conversation, &chat).expect("it is one question");
    assert_eq!((&encoded.tokens[..3], encoded.tokens.last()), (&[57, 55, 1][..], Some(&56)));
    assert_eq!(encoded.answer[..4], [false, false, false, true]);
    assert!(encoded.tokens[3..encoded.tokens.len() - 1].iter().all(|token| *token < 55));
}

/// A user's words are text, whatever they spell.
#[test]
fn a_question_spells_no_token_that_steers() {
    let folder = folder("qwen2_vl_a", "<|image_pad|>", "{}");
    let assistant = open(folder.path());
    let tokens = |question: &str, n: usize| {
        let pictures = vec![picture(32, 32); n];
        assistant.ask(question, &pictures).expect("places for the pictures").tokens().to_vec()
    };
    let plain = tokens("w1 w2", 0);
    for spelled in ["<|image_pad|>", "<|vision_start|>", "<|vision_end|>"] {
        // A tokenizer of words knows none of these letters, and calls them w0.
        let said = tokens(&format!("w1 {spelled} w2"), 0);
        assert!(said.iter().all(|token| *token < 55), "{spelled}: {said:?}");
        assert!(said.len() > plain.len(), "{spelled}: {said:?}");
    }
    let seen = tokens("w1 <|image_pad|> w2", 1);
    assert_eq!(seen.iter().filter(|token| **token == 57).count(), 4, "the picture's own");
    let chat = Chat::of(&assistant).expect("it has a template");
    let turn = |speaker, text: &str| Turn { speaker, text: text.to_owned() };
    let turns = [turn(Speaker::User, "w1"), turn(Speaker::Assistant, "w2 <|vision_end|> w3")];
    let conversation = Conversation { id: None, turns: turns.into(), images: Vec::new() };
    let encoded = encode(&conversation, &chat).expect("it takes turns");
    assert!(encoded.tokens.iter().all(|token| *token < 55), "{:?}", encoded.tokens);
}

#[test]
fn a_prompt_ends_where_the_positions_do() {
    let folder = folder("qwen2_vl_a", "<|image_pad|>", "{}");
    let assistant = open(folder.path());
    let limit = assistant.decoder().config().max_positions;
    let refused = assistant.ask(&"w1 ".repeat(limit), &[]);
    assert!(matches!(refused, Err(Error::Setting { setting: "prompt", .. })), "{refused:?}");
    let prompt = assistant.prompt(&vec![1; limit - 2], &[]).expect("it fits");
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let answers = Generation::greedy(99, vec![]).run(assistant.decoder(), &[prompt], None, go_on);
    // Two that find a place, and one behind the last place that nothing follows.
    assert_eq!(answers.expect("it ends")[0].tokens.len(), 3);
}

#[test]
fn a_folders_own_wishes_for_answers_are_obeyed() {
    let folder = folder("qwen2_vl_a", "<|image_pad|>", "{}");
    let write = |file: &str, text: &str| {
        std::fs::write(folder.path().join(file), text).expect("the folder is writable");
    };
    let answer = |n: usize| {
        let assistant = open(folder.path());
        let prompt = assistant.ask("w1 w2", &[]).expect("a question");
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let greedy = assistant.defaults().greedy(n);
        let mut answers = greedy.run(assistant.decoder(), &[prompt], None, go_on).expect("plain");
        answers.remove(0).tokens
    };
    let plain = answer(3);
    write("generation_config.json", &format!(r#"{{"suppress_tokens": [{}]}}"#, plain[0]));
    assert_ne!(answer(3)[0], plain[0]);
    write("generation_config.json", &format!(r#"{{"eos_token_id": {}}}"#, plain[0]));
    assert!(answer(3).is_empty());
    write(
        "generation_config.json",
        &format!(r#"{{"eos_token_id": {}, "min_new_tokens": 2}}"#, plain[0]),
    );
    assert!(answer(3).len() >= 2);
    write("generation_config.json", r#"{"num_beams": 4}"#);
    let refused = Assistant::open(folder.path(), None, &Device::flex());
    assert!(matches!(refused, Err(Error::Config { .. })));
    std::fs::remove_file(folder.path().join("generation_config.json")).expect("it is there");
    std::fs::remove_file(folder.path().join("chat_template.jinja")).expect("it is there");
    let silent = open(folder.path()).ask("w1", &[]);
    assert!(matches!(silent, Err(Error::NoChatTemplate)), "{silent:?}");
    let given = open(folder.path()).with_template(vlm_lora::ChatTemplate::new("w1 w2"));
    assert_eq!(given.ask("w1", &[]).expect("a template").tokens(), [1, 2]);
}

/// A template for text alone serves to train and to ask.
#[test]
fn a_template_without_pictures_has_them_spelled() {
    for (name, placeholder, spelled, n_tokens) in [
        ("mc_llava_a", "<image>", "<image>", 8),
        ("qwen2_vl_a", "<|image_pad|>", "<|vision_start|><|image_pad|><|vision_end|>", 6),
    ] {
        let size = r#"{"size": {"height": 42, "width": 42}}"#;
        let folder = folder(name, placeholder, if name.starts_with("mc") { size } else { "{}" });
        let template = "{% for m in messages %} w3 {{ m.content }} {% endfor %}";
        std::fs::write(folder.path().join("chat_template.jinja"), template).expect("writable");
        let assistant = open(folder.path());
        assert_eq!(*assistant.picture_place(), PicturePlace::Text(spelled.to_owned()));
        let (text, _) = answer(&assistant, " w1 w2", 0);
        assert_eq!(answer(&assistant, " w1 w2", 1).0, text + n_tokens, "{name}");
    }
}

/// Sees the mean colour of each half.
#[derive(Debug)]
struct Halves;

impl VisionTower for Halves {
    fn features(&self, images: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = images.dims();
        let halves = images.reshape([batch, channels, 2, height / 2 * width]);
        halves.mean_dim(3).reshape([batch, channels, 2]).swap_dims(1, 2)
    }

    fn n_channels(&self) -> usize {
        3
    }

    fn image_size(&self) -> [usize; 2] {
        [8, 8]
    }

    fn name(&self) -> &str {
        "halves"
    }
}

#[test]
fn a_model_of_text_sees_through_a_tower() {
    let folder = folder("../text/llama_a", "<picture>", "{}");
    let device = Device::flex();
    let seeing = |token| {
        let mut projector = Random::new(1, WeightFormat::F32, &device);
        open(folder.path()).with_tower(Arc::new(Halves), &mut projector, token)
    };
    let blind = open(folder.path());
    let refused = blind.ask("w1 w2", &[picture(32, 32)]);
    assert!(matches!(refused, Err(Error::Setting { setting: "pictures", .. })));
    let assistant = seeing("<picture>").expect("it is a token");
    assert_eq!((blind.reads_pictures(), assistant.reads_pictures()), (false, true));
    let (text, _) = answer(&assistant, "w1 w2", 0);
    assert_eq!(answer(&blind, "w1 w2", 0).0, text);
    assert_eq!(answer(&assistant, "w1 w2", 1), (text + 2, 4));
    assert_eq!(answer(&assistant, "w1 w2", 3), (text + 6, 4));
    // The trained text and the asked text are the same.
    let chat = Chat::of(&assistant).expect("it has a template");
    assert_eq!(chat.picture, PicturePlace::Text("<picture>".to_owned()));
    let asked = Message::interleaved("user", "<image>w1 <image>w2");
    let prompt = assistant.converse(&[asked], &[picture(32, 32), picture(8, 8)]);
    assert_eq!(prompt.expect("two places").len(), text + 4);
    let refused = seeing("<another>");
    assert!(matches!(refused, Err(Error::Setting { setting: "image_token", .. })));
    let mut projector = Random::new(1, WeightFormat::F32, &device);
    let twice = assistant.with_tower(Arc::new(Halves), &mut projector, "<picture>");
    assert!(matches!(twice, Err(Error::Setting { setting: "tower", .. })));
}
