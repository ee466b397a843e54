//! A model of a few thousand random weights, as a folder: for `--smoke` and tests.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};
use vlm_lora::{Decoder, DecoderNames, Parameters, Random, Shapes, Storage, TextConfig};

const SEED: u64 = 20_261_125;

/// Writes config.json, model.safetensors and tokenizer.json of a Llama into `folder`.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write_model(folder: &Path) -> Result<()> {
    let config = json!({
        "model_type": "llama", "vocab_size": 258, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": 257
    });
    cifake::file::write_atomic(&folder.join("config.json"), config.to_string().as_bytes())?;
    cifake::file::write_atomic(&folder.join("tokenizer.json"), tokenizer().to_string().as_bytes())?;
    let device = Device::flex();
    let mut shapes = Shapes::new(&device);
    Decoder::new(&mut shapes, &TextConfig::from_hugging_face(&config)?, &DecoderNames::default())?;
    let mut random = Random::new(SEED, Storage::F32, &device);
    let mut weights = Vec::new();
    for (name, shape) in shapes.names() {
        let values = random.values(name, shape)?.into_data().try_to_vec::<f32>()?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        weights.push((name, shape.clone(), bytes));
    }
    let views = weights.iter().map(|(name, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
    });
    let views: Vec<_> = views.collect::<Result<_>>()?;
    let file = safetensors::serialize(views, None)?;
    cifake::file::write_atomic(&folder.join("model.safetensors"), &file)?;
    Ok(())
}

/// One token a byte, and two that begin and end a turn.
fn tokenizer() -> Value {
    let printable = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut vocab = Map::new();
    let mut others = 256..;
    for byte in 0..256u32 {
        let code = if printable(&byte) { Some(byte) } else { others.next() };
        let letter = code.and_then(char::from_u32).unwrap_or_default();
        vocab.insert(letter.to_string(), byte.into());
    }
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false})
    };
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
        "use_regex": true});
    json!({
        "version": "1.0",
        "added_tokens": [special(256, "<|im_start|>"), special(257, "<|im_end|>")],
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    })
}
