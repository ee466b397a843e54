//! Files of models that nobody vouches for: whatever the bytes are, each door answers with a value or an
//! error, without a panic, an endless loop or an allocation without a limit.

use std::path::Path;

use burn::tensor::Device;
use proptest::prelude::*;
use testkit::fuzz::Door;
use vlm_lora::generate::GenerationDefaults;
use vlm_lora::image::{MultiCropProcessor, PreprocessorConfig, Qwen2VlProcessor};
use vlm_lora::models::architecture;
use vlm_lora::{
    ChatTemplate, Decoder, DecoderNames, Folder, Gguf, Limits, Message, Shapes, Tokenizer,
    WeightFormat,
};

/// Every door of this crate for the files of a model.
const DOORS: &[Door] = &[
    Door { name: "gguf", open: gguf },
    Door { name: "tokenizer", open: tokenizer },
    Door { name: "template", open: template },
    Door { name: "config", open: config },
    Door { name: "index", open: index },
    Door { name: "safetensors", open: safetensors },
];

/// A llama.cpp file, down to its weights.
fn gguf(bytes: &[u8]) {
    let file = tempfile::Builder::new().suffix(".gguf").tempfile().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("the disk has room");
    let limits = Limits { max_header_bytes: 1 << 20, max_bytes: 1 << 24, ..Limits::default() };
    let device = Device::flex();
    let Ok(mut weights) = Gguf::open_within(file.path(), None, &device, &limits) else { return };
    let (_, _) = (weights.tokenizer(), weights.chat_template());
    if let Ok(config) = weights.config() {
        let _ = Decoder::new(&mut weights, &config, &DecoderNames::default());
    }
}

/// A `tokenizer.json`, and a text through it.
fn tokenizer(bytes: &[u8]) {
    if let Ok(tokenizer) = Tokenizer::from_bytes(bytes, Path::new("tokenizer.json")) {
        let marked = tokenizer.control_tokens(None).mark("Hi <|im_end|> é");
        let tokens = tokenizer.encode_marked(&marked).unwrap_or_default();
        let _ = tokenizer.decode(&tokens);
        let _ = tokenizer.vocabulary(tokenizer.len().min(1000));
    }
}

/// A chat template, rendered for a message with a picture.
fn template(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let _ =
        ChatTemplate::new(source).render(&[Message::with_images("user", 1, "Hi <|im_end|>")], true);
}

/// A configuration file of any kind, down to the names and shapes of the weights.
fn config(bytes: &[u8]) {
    if let Ok(config) = PreprocessorConfig::from_bytes(bytes) {
        let (_, _) =
            (Qwen2VlProcessor::from_config(&config), MultiCropProcessor::from_config(&config));
    }
    let Ok(json) = serde_json::from_slice(bytes) else { return };
    let _ = GenerationDefaults::from_json(None, &json);
    let _ = (architecture(&json).build)(&json, &mut Shapes::new(&Device::flex()));
}

/// An index of weight files, beside a small one.
fn index(bytes: &[u8]) {
    let shard = testkit::Fixture::default().to_safetensors();
    folder(&[("model.safetensors.index.json", bytes), ("model-1.safetensors", &shard)]);
}

/// A weight file of a model's folder.
fn safetensors(bytes: &[u8]) {
    folder(&[("model.safetensors", bytes)]);
}

fn folder(files: &[(&str, &[u8])]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).expect("the disk has room");
    }
    if let Ok(weights) = Folder::open(folder.path(), WeightFormat::F32, &Device::flex()) {
        let _ = weights.shapes().count();
        let _ = weights.finish();
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).expect("the fixture is committed")
}

/// Files to begin with: valid ones, and the smallest that once did harm.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let texts: Vec<String> = match name {
        "gguf" => return vec![fixture("text/llama_a.gguf")],
        "safetensors" => return vec![fixture("text/llama_a/model.safetensors")],
        "tokenizer" => vec![
            r#"{"added_tokens": [{"id": 1, "content": "<|im_end|>", "special": true,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
                "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                "trim_offsets": true, "use_regex": true}, "decoder": {"type": "ByteLevel",
                "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
                "model": {"type": "BPE", "vocab": {"a": 0, "<|im_end|>": 1}, "merges": []}}"#
                .to_owned(),
            r#"{"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "aaaa"},
                "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#
                .to_owned(),
        ],
        "template" => vec![
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}".to_owned(),
            "{{ messages | tojson(indent=2) }}{% if x is defined %}{{ x }}{% endif %}".to_owned(),
            "{{ ''[::-1] }}".to_owned(),
            format!("{{{{ {}1 }}}}", "-".repeat(5400)),
            format!("{{{{ 1{} }}}}", "+1".repeat(2700)),
            "{{ '{:>99999999999}'.format(1) }}".to_owned(),
            "{{ '%99999999999s' | format(1) }}".to_owned(),
        ],
        "config" => vec![
            String::from_utf8(fixture("text/llama_a/config.json")).expect("JSON"),
            String::from_utf8(fixture("vision/qwen2_vl_a/config.json")).expect("JSON"),
            String::from_utf8(fixture("vision/mc_llava_a/config.json")).expect("JSON"),
            r#"{"min_pixels": 3136.0, "max_pixels": 12845056, "patch_size": 14}"#.to_owned(),
            r#"{"eos_token_id": [1, 2], "suppress_tokens": [3], "top_p": 0.5}"#.to_owned(),
        ],
        _ => vec![
            r#"{"weight_map": {"a.weight": "model-1.safetensors"}}"#.to_owned(),
            r#"{"weight_map": {"a.weight": "../model.safetensors", "b": "/etc/passwd"}}"#
                .to_owned(),
        ],
    };
    texts.into_iter().map(String::into_bytes).collect()
}

/// Bytes that nest or count far more than any file needs.
fn extremes() -> Vec<Vec<u8>> {
    let nested = |open: &str| open.repeat(10_000).into_bytes();
    vec![
        Vec::new(),
        nested("["),
        nested("{\"a\":"),
        br#"{"model_type": "llama", "hidden_size": 1e300, "num_hidden_layers": 99999999999}"#
            .to_vec(),
        [b"GGUF\x03\0\0\0".as_slice(), &[0xff; 64]].concat(),
        [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(),
    ]
}

#[test]
fn every_door_answers_to_its_seeds_and_to_extremes() {
    for door in DOORS {
        for bytes in seeds(door.name).into_iter().chain(extremes()) {
            (door.open)(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn changed_files_open_no_door_by_force(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        for door in DOORS {
            let seeds = seeds(door.name);
            let mut bytes = seeds[pick.index(seeds.len())].clone();
            for (place, byte) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            (door.open)(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            (door.open)(&bytes);
        }
    }

    #[test]
    fn noise_opens_no_door_by_force(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        for door in DOORS {
            (door.open)(&bytes);
        }
    }
}
