//! A model of a few thousand random weights, as a folder: for `--smoke` and tests.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};
use vlm_lora::models::Qwen2VlConfig;
use vlm_lora::{Decoder, DecoderNames, Random, Shapes, TextConfig, WeightFormat, WeightSource};

const SEED: u64 = 20_261_125;
/// Tokens behind those of the bytes.
const SPECIAL: [&str; 5] =
    ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"];

/// Tokens of the tokenizer.
const N_TOKENS: usize = 256 + SPECIAL.len();

/// A chat template that writes pictures as Qwen2-VL's does.
const TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n\
    {% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}\
    {% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}\
    {% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Writes config.json, model.safetensors, tokenizer.json and chat_template.jinja of a Llama into `folder`.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write_model(folder: &Path) -> Result<()> {
    let mut config = text_config();
    config["model_type"] = "llama".into();
    let mut shapes = Shapes::new(&Device::flex());
    Decoder::new(&mut shapes, &TextConfig::from_hugging_face(&config)?, &DecoderNames::default())?;
    write(folder, &config, &shapes)
}

/// The same of a Qwen2-VL, with preprocessor_config.json.
///
/// # Errors
///
/// As [`write_model`].
pub fn write_vision_model(folder: &Path) -> Result<()> {
    let mut config = text_config();
    config["model_type"] = "qwen2_vl".into();
    config["tie_word_embeddings"] = false.into();
    config["rope_scaling"] = json!({"type": "mrope", "mrope_section": [2, 1, 1]});
    config["vision_config"] = json!({
        "depth": 2, "embed_dim": 16, "mlp_ratio": 2, "num_heads": 2, "in_chans": 3, "hidden_size": 32,
        "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2
    });
    let processor = json!({"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 3136,
        "max_pixels": 12_845_056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2});
    let file = folder.join("preprocessor_config.json");
    cifake::file::write_atomic(&file, processor.to_string().as_bytes())?;
    write(folder, &config, &Qwen2VlConfig::from_hugging_face(&config)?.shapes()?)
}

fn text_config() -> Value {
    json!({
        "vocab_size": N_TOKENS, "max_position_embeddings": 32_768, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": 257,
        "vision_start_token_id": 258, "vision_end_token_id": 259, "image_token_id": 260
    })
}

/// A folder with random weights of these `shapes`.
fn write(folder: &Path, config: &Value, shapes: &Shapes) -> Result<()> {
    cifake::file::write_atomic(&folder.join("config.json"), config.to_string().as_bytes())?;
    cifake::file::write_atomic(&folder.join("tokenizer.json"), tokenizer().to_string().as_bytes())?;
    cifake::file::write_atomic(&folder.join("chat_template.jinja"), TEMPLATE.as_bytes())?;
    let mut random = Random::new(SEED, WeightFormat::F32, &Device::flex());
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

/// One token a byte, then those that begin and end turns and pictures.
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
        "added_tokens": SPECIAL.iter().zip(256..).map(|(text, id)| special(id, text)).collect::<Vec<_>>(),
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    })
}
