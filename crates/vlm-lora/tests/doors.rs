//! Whatever bytes come as a file of a model, an adapter or a training set, they are read or refused.

use std::path::Path;

use burn::tensor::{Device, TensorData};
use testkit::Fixture;
use testkit::fuzz::{Door, in_file, trial};
use vlm_lora::generate::GenerationDefaults;
use vlm_lora::image::{MultiCropProcessor, PreprocessorConfig, Qwen2VlProcessor, SquareProcessor};
use vlm_lora::lora::{Adapter, AdapterLimits};
use vlm_lora::models::architecture;
use vlm_lora::tune::{ConversationLimits, conversations};
use vlm_lora::{
    ChatTemplate, Decoder, DecoderNames, Folder, Gguf, Limits, Message, Shapes, Tokenizer,
    WeightFormat,
};

fn committed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).expect("it is committed")
}

/// The two files of an adapter, one after the other with a zero byte between them.
fn adapter(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let [config, weights] = [(); 2].map(|()| parts.next().unwrap_or_default());
    let limits = AdapterLimits { max_bytes: 1 << 20, ..AdapterLimits::default() };
    let _ = Adapter::from_bytes(config, weights, &limits);
}

#[test]
fn adapter_door_holds() {
    let seeds = ["lora_llama", "lora_qwen2"].map(|name| {
        let [config, weights] = ["adapter_config.json", "adapter_model.safetensors"]
            .map(|file| committed(&format!("{name}/adapter/{file}")));
        [config, vec![0], weights].concat()
    });
    trial(&Door { name: "adapter", open: adapter }, &seeds);
}

/// The index of a folder with two weight files.
fn index(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for name in ["a", "b"] {
        let mut fixture = Fixture::default();
        fixture.insert(&format!("{name}.weight"), TensorData::from([[1.0f32, 2.0, 3.0]]));
        let file = folder.path().join(format!("{name}.safetensors"));
        std::fs::write(file, fixture.to_safetensors()).expect("the disk has room");
    }
    std::fs::write(folder.path().join("model.safetensors.index.json"), bytes).expect("it has room");
    let _ = Folder::open(folder.path(), WeightFormat::F32, &Device::flex());
}

#[test]
fn index_door_holds() {
    let small = r#"{"metadata": {"total_size": 24}, "weight_map":
        {"a.weight": "a.safetensors", "b.weight": "b.safetensors"}}"#;
    let seeds = [small.as_bytes().to_vec(), committed("text/llama_c/model.safetensors.index.json")];
    trial(&Door { name: "index", open: index }, &seeds);
}

/// Lines of conversations.
fn lines(bytes: &[u8]) {
    in_file("train.jsonl", bytes, read_conversations);
}

fn read_conversations(path: &Path) {
    let limits = ConversationLimits { max_conversations: 100, ..ConversationLimits::default() };
    let _ = conversations(path, &limits);
}

#[test]
fn conversations_door_holds() {
    let seeds = [
        r#"{"id": 7, "image": "a/b.png", "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "That."}]}"#,
        r#"{"id": "7", "images": ["a/b.png"], "messages": [{"role": "user", "content": "<image>\nWhat?"}, {"role": "assistant", "content": "That."}]}"#,
    ];
    let seeds = seeds.map(|line| line.as_bytes().to_vec());
    trial(&Door { name: "conversations", open: lines }, &seeds);
}

/// A table of conversations.
#[cfg(feature = "parquet")]
fn table(bytes: &[u8]) {
    in_file("train.parquet", bytes, read_conversations);
}

#[cfg(feature = "parquet")]
#[test]
fn table_door_holds() {
    let seed = b"PAR1\0\0\0\0\x15\x04\x19\x4c\x10\0\0\0PAR1".to_vec();
    trial(&Door { name: "table", open: table }, &[seed]);
}

fn template(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let messages = [Message::with_images("user", 1, "Hi <|im_end|>")];
    let _ = ChatTemplate::new(source).render(&messages, true);
}

#[test]
fn template_door_holds() {
    let seeds = [
        "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content }}{% endfor %}",
        "{% if add_generation_prompt and messages[0]['role'] == 'user' %}{{ bos_token | default('a') }}{% endif %}",
        "{{ messages | tojson(indent=2) }}{% if x is defined %}{{ x }}{% endif %}",
        "{{ ''[::-1] }}",
        "{{ '{:>99999999999}'.format(1) }}",
        "{{ '%99999999999s' | format(1) }}",
    ];
    let mut seeds: Vec<Vec<u8>> = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.push(format!("{{{{ {}1 }}}}", "-".repeat(5400)).into_bytes());
    seeds.push(format!("{{{{ 1{} }}}}", "+1".repeat(2700)).into_bytes());
    trial(&Door { name: "template", open: template }, &seeds);
}

/// A configuration file of a model's folder.
fn settings(bytes: &[u8]) {
    if let Ok(config) = PreprocessorConfig::from_bytes(bytes) {
        let _ = Qwen2VlProcessor::from_config(&config);
        let _ = MultiCropProcessor::from_config(&config);
        let _ = SquareProcessor::from_config(&config);
    }
    let Ok(json) = serde_json::from_slice(bytes) else { return };
    let _ = GenerationDefaults::from_json(None, &json);
    let _ = (architecture(&json).build)(&json, &mut Shapes::new(&Device::flex()));
}

#[test]
fn settings_door_holds() {
    let processor = r#"{"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14,
        "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.5, 0.5, 0.5]}"#;
    let seeds = [
        committed("text/llama_a/config.json"),
        committed("text/phi_a/config.json"),
        committed("text/gemma2_a/config.json"),
        committed("vision/qwen2_vl_a/config.json"),
        committed("vision/mc_llava_a/config.json"),
        committed("vision/paligemma2_a/config.json"),
        br#"{"eos_token_id": [1, 2], "suppress_tokens": [3], "top_p": 0.5}"#.to_vec(),
        processor.into(),
    ];
    trial(&Door { name: "settings", open: settings }, &seeds);
}

/// A llama.cpp file, down to its weights.
fn gguf(bytes: &[u8]) {
    in_file("model.gguf", bytes, |path| {
        let limits = Limits { max_header_bytes: 1 << 20, max_bytes: 1 << 24, ..Limits::default() };
        let device = Device::flex();
        let Ok(mut weights) = Gguf::open_within(path, None, &device, &limits) else { return };
        let (_, _) = (weights.tokenizer(), weights.chat_template());
        if let Ok(config) = weights.config() {
            let _ = Decoder::new(&mut weights, &config, &DecoderNames::default());
        }
    });
}

/// A GGUF file of `n` F32 tensors of 1,024 values each, all of which claim the same 4 KiB of data.
fn shared_offsets(n: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    // Tensors, and no metadata.
    bytes.extend([n, 0].map(u64::to_le_bytes).concat());
    for number in 0..n {
        let name = format!("blk.{number}.attn_q.weight");
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.as_bytes());
        // Two dimensions of 32, type F32, at the first byte of the data.
        bytes.extend(2u32.to_le_bytes());
        bytes.extend([32u64; 2].map(u64::to_le_bytes).concat());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(32) + 4096, 0);
    bytes
}

#[test]
fn gguf_door_holds() {
    let seeds = [committed("text/llama_a.gguf"), shared_offsets(1), shared_offsets(64)];
    trial(&Door { name: "gguf", open: gguf }, &seeds);
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

#[test]
fn tokenizer_door_holds() {
    let seeds = [
        r#"{"added_tokens": [{"id": 1, "content": "<|im_end|>", "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
            "trim_offsets": true, "use_regex": true}, "decoder": {"type": "ByteLevel",
            "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": {"a": 0, "<|im_end|>": 1}, "merges": []}}"#,
        r#"{"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "aaaa"},
            "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#,
    ];
    let seeds = seeds.map(|text| text.as_bytes().to_vec());
    trial(&Door { name: "tokenizer", open: tokenizer }, &seeds);
}

/// The weight file of a model's folder.
fn safetensors(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("model.safetensors"), bytes).expect("the disk has room");
    if let Ok(weights) = Folder::open(folder.path(), WeightFormat::F32, &Device::flex()) {
        let _ = weights.shapes().count();
        let _ = weights.finish();
    }
}

#[test]
fn safetensors_door_holds() {
    let seeds = [
        committed("text/llama_a/model.safetensors"),
        [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(),
    ];
    trial(&Door { name: "safetensors", open: safetensors }, &seeds);
}
